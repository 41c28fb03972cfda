//! How figures are shown: plain, typed or as JSON.

use crate::field::{Field, tag_words};
use std::fmt::Write as _;

/// The three ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// `Name: value` lines, or CSV.
    #[default]
    Plain,
    /// A line for each value, with its place, name, tags and type.
    Typed,
    /// An object for each value.
    Json,
}

/// What the words of a command ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) style: Style,
    /// `desc`: with what each figure means.
    pub(crate) explained: bool,
    /// `float`: with fractions, where there are any.
    pub(crate) fractions: bool,
}

impl Form {
    /// Takes in a word; the last one that names a style decides, and unknown ones are passed over.
    pub(crate) fn read(&mut self, word: &str) {
        match word {
            "typed" => self.style = Style::Typed,
            "json" => self.style = Style::Json,
            "desc" => self.explained = true,
            "float" => self.fractions = true,
            _ => {}
        }
    }
}

/// What the objects of `show stat` and `show info` have in common: place, tags and value.
pub(crate) fn json_field(place: usize, field: &Field, tags: &str, of: &str, value: &str, out: &mut String) {
    let [origin, nature, scope] = tag_words(tags);
    let value = if of == "str" { json_string(value) } else { value.to_owned() };
    let _ = write!(
        out,
        "\"field\":{{\"pos\":{place},\"name\":{}}},\"processNum\":1,\"tags\":{{\"origin\":\"{origin}\",\
         \"nature\":\"{nature}\",\"scope\":\"{scope}\"}},\"value\":{{\"type\":\"{of}\",\"value\":{value}}}",
        json_string(field.name)
    );
}

/// A string with its quotes (RFC 8259 section 7).
pub(crate) fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A number with six digits after the point, without the zeros that say nothing.
pub(crate) fn fraction(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_and_fractions_trimmed() {
        assert_eq!(json_string("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
        assert_eq!(fraction(0.0), "0");
        assert_eq!(fraction(2.428), "2.428");
        assert_eq!(fraction(100.0), "100");
        assert_eq!(fraction(6.562_282), "6.562282");
    }
}
