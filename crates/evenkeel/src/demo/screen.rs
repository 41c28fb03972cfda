//! What the demo says: paragraphs, quoted lines and bars for a terminal of 80 to 100 columns.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// Columns that text is wrapped to.
const WIDTH: usize = 96;

/// Standard output; colours and pauses for reading only when a person looks at it.
pub(super) struct Screen {
    person: bool,
    colour: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        let person = io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { person, colour: person && !plain }
    }

    /// A line as it is. A reader that went away is no failure.
    pub(super) fn line(&self, text: impl Display) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// A heading, after an empty line.
    pub(super) fn heading(&self, text: &str) {
        self.pause(1_000);
        self.line(format_args!("\n{}", self.paint("1", text)));
    }

    /// A paragraph, indented.
    pub(super) fn say(&self, text: impl Display) {
        for line in wrap(&text.to_string(), WIDTH - 3) {
            self.line(format_args!("   {line}").to_string().trim_end());
        }
    }

    /// Something that was received or written, word for word.
    pub(super) fn quote(&self, text: &str) {
        for (number, line) in wrap(text, WIDTH - 7).iter().enumerate() {
            let more = if number == 0 { "" } else { "  " };
            self.line(format_args!("   {} {more}{line}", self.paint("2", "|")).to_string().trim_end());
        }
    }

    /// One bar of a table.
    pub(super) fn bar(&self, name: &str, count: usize, all: usize, note: &str) {
        let length = (count * 60).checked_div(all).unwrap_or(0);
        let bar = self.paint("32", &"#".repeat(length));
        let gap = if length == 0 { "" } else { " " };
        self.line(format_args!("   {name:<5} {bar}{gap}{count}{note}"));
    }

    /// Time for a person to read.
    pub(super) fn pause(&self, millis: u64) {
        if self.person {
            std::thread::sleep(Duration::from_millis(millis));
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The lines of `text`, one at least, broken at spaces; a word that is too long has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for (number, word) in paragraph.split(' ').enumerate() {
            if number > 0 {
                if line.chars().count() + 1 + word.chars().count() > width && !line.trim().is_empty() {
                    lines.push(std::mem::take(&mut line));
                } else {
                    line.push(' ');
                }
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrap("a b c d", 3), ["a b", "c d"]);
        assert_eq!(wrap("    mode http\n\nx", 20), ["    mode http", "", "x"]);
        assert_eq!(wrap("long-long-word a", 4), ["long-long-word", "a"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
