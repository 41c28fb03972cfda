//! Lines into words: quotes, escapes, variables, comments (configuration manual, sections 2.2 and 2.3).

use diag::Span;

/// One word of a line, unquoted and expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What it says. Bytes that are not UTF-8 show as U+FFFD; [`Word::bytes`] has them as they are.
    pub text: String,
    /// Where it stands in the original text, quotes included. Words that came out of one `"${LIST[*]}"` share a span.
    pub span: Span,
    /// The exact bytes, kept only when they are not UTF-8.
    raw: Option<Box<[u8]>>,
}

impl Word {
    /// A word that says `text`.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span, raw: None }
    }

    /// A word of any bytes.
    pub fn from_bytes(bytes: Vec<u8>, span: Span) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { text, span, raw: None },
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Self { text, span, raw: Some(error.into_bytes().into_boxed_slice()) }
            }
        }
    }

    /// The exact bytes.
    pub fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// The text, to match against.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
