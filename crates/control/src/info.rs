//! `show info`.

use std::fmt::Display;

/// The lines of `show info`, in HAProxy's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    lines: Vec<(&'static str, String)>,
}

impl Info {
    /// Adds a line.
    pub fn push(&mut self, name: &'static str, value: impl Display) {
        self.lines.push((name, value.to_string()));
    }

    /// `Name: value` lines.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }
}
