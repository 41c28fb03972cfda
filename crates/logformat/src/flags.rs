//! The flags between braces: `%{+Q,-X}ci`.

/// A set of flags (manual 8.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    /// `+M`: a value that is not there is written as `-`. Set from the start in log lines.
    pub(crate) const MANDATORY: Self = Self(1);
    /// `+Q`: strings stand in double quotes.
    pub(crate) const QUOTE: Self = Self(2);
    /// `+X`: addresses, ports, dates and counters in hexadecimal.
    pub(crate) const HEX: Self = Self(4);
    /// `+E`: `"`, `\` and `]` are escaped with a backslash, as rfc5424 structured data wants them.
    pub(crate) const ESCAPE: Self = Self(8);
    /// `+bin`: CBOR goes out as bytes and not as hexadecimal digits.
    pub(crate) const BIN: Self = Self(16);
    /// `+json`.
    pub(crate) const JSON: Self = Self(32);
    /// `+cbor`.
    pub(crate) const CBOR: Self = Self(64);
    /// Either encoding.
    pub(crate) const ENCODING: Self = Self(32 | 64);

    /// Whether any flag of `other` is set.
    pub(crate) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "M" => Self::MANDATORY,
            "Q" => Self::QUOTE,
            "X" => Self::HEX,
            "E" => Self::ESCAPE,
            "bin" => Self::BIN,
            "json" => Self::JSON,
            "cbor" => Self::CBOR,
            _ => return None,
        })
    }

    /// Applies what stands between the braces. Words that are no flag change nothing and are given to `ignored`.
    pub(crate) fn apply(mut self, list: &str, mut ignored: impl FnMut(&str)) -> Self {
        for word in list.split(',') {
            // Only the last sign of a word counts: HAProxy reads `+Q+X` as `+X`.
            let Some(sign) = word.rfind(['+', '-']) else {
                ignored(word);
                continue;
            };
            let (before, signed) = word.split_at(sign);
            let Some(flag) = signed.get(1..).and_then(Self::named) else {
                ignored(word);
                continue;
            };
            if !before.trim().is_empty() {
                ignored(before);
            }
            self = if signed.starts_with('-') {
                self.without(flag)
            } else if self.any(Self::ENCODING) {
                // The encoding that was said first stays.
                self.with(flag.without(Self::ENCODING))
            } else {
                self.with(flag)
            };
        }
        self
    }

    /// Settles flags against each other and against `global`, those that hold for the whole line.
    pub(crate) fn settled(self, global: Self) -> Self {
        let bin = global.common(Self::BIN);
        let mut settled = self.without(Self::BIN).with(bin);
        if global.any(Self::ENCODING) {
            settled = settled.without(Self::ENCODING).with(global.common(Self::ENCODING));
        }
        settled.encoded()
    }

    /// An encoding escapes by its own rules.
    pub(crate) fn encoded(self) -> Self {
        if self.any(Self::ENCODING) { self.without(Self::ESCAPE) } else { self }
    }
}
