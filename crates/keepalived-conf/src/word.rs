//! Lines into words.
//!
//! keepalived has two readers of words. Most keywords use the plain one: words are apart by blanks, and `"…"` is one
//! word of its own, also within another. Scripts, regular expressions and names of processes use the other: both kinds
//! of quotes, which may stand within a word, and escapes as in the shell.

use diag::Span;

/// What separates words.
const BLANKS: [char; 6] = [' ', '\t', '\x0c', '\n', '\r', '\x0b'];

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Without its quotes, parameters replaced.
    pub text: String,
    /// Where it was written; the whole line when it comes of a parameter.
    pub span: Span,
}

/// A line as keepalived's parser sees it: comments gone, parameters replaced, braces alone on their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// Its words by the plain reader; at least one.
    pub words: Vec<Word>,
    /// Where it was written.
    pub span: Span,
    /// Where `text` begins in the file, when it stands there as it is.
    pub base: Option<u32>,
}

/// Why a line's words cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordError {
    /// A quote of this kind is not closed.
    Unmatched(char),
    /// A backslash is the last character.
    EscapeAtEnd,
}

impl Line {
    /// The first word.
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    /// The words after the first.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Whether it is nothing but this.
    pub fn is(&self, text: &str) -> bool {
        matches!(self.words.as_slice(), [word] if word.text == text) && self.text == text
    }

    /// The words by the reader that knows escapes, the keyword first.
    ///
    /// # Errors
    /// When a quote is not closed, or a backslash ends the line.
    pub fn escaped(&self) -> Result<Vec<Word>, WordError> {
        let pieces = escaped_words(&self.text)?;
        Ok(pieces.into_iter().map(|(text, start, end)| self.word(text, start, end)).collect())
    }

    /// A word of `text` that stands at `start..end` of it.
    fn word(&self, text: String, start: usize, end: usize) -> Word {
        Word { text, span: place(self.span, self.base, start, end) }
    }
}

/// The span of bytes `start..end` of a line that begins at `base`; the whole line's when that is not known.
pub(crate) fn place(line: Span, base: Option<u32>, start: usize, end: usize) -> Span {
    let at = |offset: usize| base?.checked_add(u32::try_from(offset).ok()?);
    match (at(start), at(end)) {
        (Some(start), Some(end)) => Span { file: line.file, start, end },
        _ => line,
    }
}

/// Words by the plain reader, each with its range; and whether a quote was left open, which ends them.
pub(crate) fn plain_words(text: &str) -> (Vec<(String, usize, usize)>, bool) {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(skip) = rest.find(|c| !BLANKS.contains(&c)) else { return (words, false) };
        at += skip;
        let rest = rest.get(skip..).unwrap_or_default();
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some(length) = quoted.find('"') else { return (words, true) };
            words.push((quoted.get(..length).unwrap_or_default().to_owned(), at, at + length + 2));
            at += length + 2;
        } else {
            let length = rest.find(|c| BLANKS.contains(&c) || c == '"').unwrap_or(rest.len());
            words.push((rest.get(..length).unwrap_or_default().to_owned(), at, at + length));
            at += length;
        }
    }
}

/// Words by the reader that knows escapes, each with its range.
///
/// # Errors
/// When a quote is not closed, or a backslash ends the text.
pub fn escaped_words(text: &str) -> Result<Vec<(String, usize, usize)>, WordError> {
    let mut words = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some(&(start, first)) = letters.peek() {
        if BLANKS.contains(&first) {
            letters.next();
            continue;
        }
        let mut word = Vec::new();
        let mut quote = None;
        let mut end = start;
        while let Some(&(at, letter)) = letters.peek() {
            if quote.is_none() && BLANKS.contains(&letter) {
                break;
            }
            letters.next();
            end = at + letter.len_utf8();
            match (letter, quote) {
                ('\\', _) => end = escape(&mut letters, &mut word).ok_or(WordError::EscapeAtEnd)?,
                (letter, Some(open)) if letter == open => quote = None,
                ('"' | '\'', None) => quote = Some(letter),
                _ => word.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if let Some(open) = quote {
            return Err(WordError::Unmatched(open));
        }
        words.push((String::from_utf8_lossy(&word).into_owned(), start, end));
    }
    Ok(words)
}

/// What comes after a backslash; where it ends.
fn escape(letters: &mut std::iter::Peekable<std::str::CharIndices<'_>>, word: &mut Vec<u8>) -> Option<usize> {
    let (at, letter) = letters.next()?;
    let mut end = at + letter.len_utf8();
    let mut digits = |radix: u32, most: usize, first: u32, end: &mut usize| {
        let mut value = first;
        for _ in 0..most {
            let Some((at, digit)) = letters.next_if(|(_, next)| next.is_digit(radix)) else { break };
            value = value.wrapping_mul(radix).wrapping_add(digit.to_digit(radix).unwrap_or(0));
            *end = at + 1;
        }
        value.to_le_bytes()[0]
    };
    let byte = match letter {
        'x' => match digits(16, usize::MAX, 0, &mut end) {
            _ if end == at + 1 => b'x',
            byte => byte,
        },
        '0'..='7' => digits(8, 2, letter.to_digit(8).unwrap_or(0), &mut end),
        'c' => match letters.next() {
            Some((at, control)) => {
                end = at + control.len_utf8();
                u32::from(control).to_le_bytes()[0] & 0x1f
            }
            None => b'c',
        },
        'a' => 0x07,
        'b' => 0x08,
        'E' => 0x1b,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        other => {
            word.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(end);
        }
    };
    word.push(byte);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(text: &str) -> String {
        plain_words(text).0.iter().map(|(word, _, _)| format!("<{word}>")).collect()
    }

    fn escaped(text: &str) -> String {
        match escaped_words(text) {
            Ok(words) => words.iter().map(|(word, _, _)| format!("<{word}>")).collect(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn plain_words_know_double_quotes_only() {
        assert_eq!(plain("  a b\tc "), "<a><b><c>");
        assert_eq!(plain("ab\"c d\"e 'f g'"), "<ab><c d><e><'f><g'>");
        assert_eq!(plain("a \"\" b"), "<a><><b>");
        assert_eq!(plain_words("a \"b").0.len(), 1);
        assert!(plain_words("a \"b").1);
    }

    #[test]
    fn escaped_words_are_as_in_the_shell() {
        assert_eq!(escaped("abcd\" efg h jkl \"mnop"), "<abcd efg h jkl mnop>");
        assert_eq!(escaped("abcd \"efg h jkl\" mnop"), "<abcd><efg h jkl><mnop>");
        assert_eq!(escaped(r#"a'b "c' "d'e""#), "<ab \"c><d'e>");
        assert_eq!(escaped(r"\a\b\E\f\n\r\t\v"), "<\x07\x08\x1b\x0c\n\r\t\x0b>");
        assert_eq!(escaped(r"\101\x41\x4g\cA\q\\\ x"), "<AA\x04g\x01q\\ x>");
        assert_eq!(escaped("a \"b"), "Unmatched('\"')");
        assert_eq!(escaped("a b\\"), "EscapeAtEnd");
        assert_eq!(escaped("''"), "<>");
    }

    proptest! {
        #[test]
        fn words_stand_where_they_say(text in "[ a-c\"'\\\\x0\tä]{0,24}") {
            let mut last = 0;
            for (word, start, end) in plain_words(&text).0 {
                prop_assert!(last <= start && start < end && end <= text.len());
                prop_assert_eq!(text[start..end].trim_matches('"'), word.as_str());
                last = end;
            }
            if let Ok(words) = escaped_words(&text) {
                let mut last = 0;
                for (_, start, end) in words {
                    prop_assert!(last <= start && start < end && end <= text.len());
                    prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
                    last = end;
                }
            }
        }

        #[test]
        fn quoting_a_text_makes_one_word_of_it(text in "\\PC{0,24}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let words = escaped_words(&format!("\"{quoted}\"")).unwrap();
            prop_assert_eq!(words.len(), 1);
            prop_assert_eq!(&words[0].0, &text);
        }
    }
}
