//! Syslog facilities, by the names that `-S` takes.

/// A syslog facility, already shifted: the number to add to a severity (RFC 5424, section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facility(u8);

impl Facility {
    /// `daemon`, the default.
    pub(crate) const DAEMON: Self = Self(3 << 3);

    /// `0`–`7`, `local0`–`local7`, `user` or `daemon`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "user" => return Some(Self(1 << 3)),
            "daemon" => return Some(Self::DAEMON),
            _ => {}
        }
        match name.strip_prefix("local").unwrap_or(name).as_bytes() {
            [digit @ b'0'..=b'7'] => Some(Self((16 + digit - b'0') << 3)),
            _ => None,
        }
    }

    /// The number that stands in front of a line with this `severity` (0–7).
    pub(crate) const fn with(self, severity: u8) -> u8 {
        self.0 | (severity & 7)
    }
}
