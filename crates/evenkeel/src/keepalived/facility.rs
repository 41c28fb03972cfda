//! Syslog facilities, by the names that `-S` takes.

/// A syslog facility (RFC 5424, section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facility(u8);

impl Facility {
    /// `daemon`, the default.
    pub(crate) const DAEMON: Self = Self(3);

    /// `0`–`7`, `local0`–`local7`, `user` or `daemon`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "user" => return Some(Self(1)),
            "daemon" => return Some(Self::DAEMON),
            _ => {}
        }
        match name.strip_prefix("local").unwrap_or(name).as_bytes() {
            [digit @ b'0'..=b'7'] => Some(Self(16 + digit - b'0')),
            _ => None,
        }
    }

    /// Its number.
    pub(crate) const fn number(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_local_facilities() {
        assert_eq!(Facility::named("2").map(Facility::number), Some(18));
        assert_eq!(Facility::named("local7").map(Facility::number), Some(23));
        assert_eq!(Facility::named("daemon"), Some(Facility::DAEMON));
        for wrong in ["8", "local", "local10", "mail", ""] {
            assert_eq!(Facility::named(wrong), None, "{wrong}");
        }
    }
}
