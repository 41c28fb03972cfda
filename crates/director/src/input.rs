//! What a director is told while it runs.

use std::borrow::Cow;

/// What a checker found, after its retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the check passed.
    pub up: bool,
    /// The weight that goes with it; `None`: as before.
    pub weight: Option<Weight>,
    /// Why, for people: what was found, in a few words.
    pub reason: Cow<'static, str>,
    /// The body of keepalived's mail, for example `=> TCP CHECK failed on service <=`.
    pub mail: Cow<'static, str>,
}

impl Verdict {
    /// A verdict without a weight.
    pub fn new(up: bool, reason: impl Into<Cow<'static, str>>, mail: impl Into<Cow<'static, str>>) -> Self {
        Self { up, weight: None, reason: reason.into(), mail: mail.into() }
    }
}

/// A weight that a checker sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The configured one, as far as this checker is concerned.
    Configured,
    /// In place of the configured one (`misc_dynamic`).
    Exactly(u32),
    /// The configured one and this (`FILE_CHECK`). What several checkers add is summed.
    Plus(i64),
    /// The configured one, without a word and without a change of the table: the server goes down.
    Forgotten,
}

impl Weight {
    /// What is added to a configured weight.
    pub(crate) fn plus(self, configured: i64) -> i64 {
        match self {
            Self::Configured | Self::Forgotten => 0,
            Self::Exactly(weight) => i64::from(weight) - configured,
            Self::Plus(plus) => plus,
        }
    }
}
