//! `regex` of `HTTP_GET`: PCRE2's patterns, by another engine.

/// A compiled `regex` and what goes with it.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: fancy_regex::Regex,
    conditions: Conditions,
}

/// What goes with a `regex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `regex_no_match`: the page passes when it does not match.
    pub no_match: bool,
    /// `regex_min_offset`: where in the body the match may begin at the earliest.
    pub min_offset: u64,
    /// `regex_max_offset`: where it may begin at the latest; 0: anywhere.
    pub max_offset: u64,
}

/// Why a `regex` cannot be used, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexError(pub String);

impl core::fmt::Display for RegexError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Compiles `pattern` under `options`, PCRE2's names in lower case.
    ///
    /// # Errors
    /// When the pattern is wrong, or it or an option asks for what is not served.
    pub fn compile(pattern: &str, options: &[&str], conditions: Conditions) -> Result<Self, RegexError> {
        let _ = options;
        let regex = fancy_regex::Regex::new(pattern).map_err(|error| RegexError(error.to_string()))?;
        Ok(Self { regex, conditions })
    }

    /// Whether a body passes. Of one that has more than `limit` bytes only so many are looked at, and when that does not
    /// decide it, it does not pass.
    pub fn satisfied(&self, body: &[u8], limit: usize) -> bool {
        let _ = limit;
        let text = String::from_utf8_lossy(body);
        self.regex.is_match(text.as_ref()).is_ok_and(|matched| matched != self.conditions.no_match)
    }
}
