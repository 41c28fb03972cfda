//! Lines into words: quotes, escapes, variables, comments (configuration manual, sections 2.2 and 2.3).
//!
//! Where the manual's table of escapes and the program differ (`\\$` outside quotes, a tab after a backslash), this does
//! what the program does: both characters stay, as configurations in use expect.

use crate::{Environment, code};
use diag::{Code, Diagnostic, FileId, Form, Report, Span};

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

/// Words of a line at most; HAProxy refuses longer ones.
const MAX_WORDS: usize = 64;

/// Bytes that variables may grow to in one reading. HAProxy has no such limit; configurations in use stay far below.
pub(crate) const EXPANSION_BUDGET: usize = 16 << 20;

/// What variables stand for at one line, and where its diagnostics go.
pub(crate) struct Scope<'a> {
    pub(crate) env: &'a Environment,
    pub(crate) file: FileId,
    /// `.FILE`.
    pub(crate) file_name: &'a str,
    /// `.LINE`.
    pub(crate) line: usize,
    /// `.SECTION`.
    pub(crate) section: &'a [u8],
    /// Bytes that variables may still grow to.
    pub(crate) budget: &'a mut usize,
    pub(crate) report: &'a mut Report,
}

/// The words of `line`, which starts at byte `origin` of its file; `None` when it cannot be read, and the report says
/// why. A line feed at its end is optional.
pub(crate) fn words(line: &[u8], origin: usize, scope: &mut Scope<'_>) -> Option<Vec<Word>> {
    lex(line, origin, false, scope)
}

/// The one word that the whole of `line` is, as the command line's `-cc` takes its condition: blanks and `#` mean
/// themselves.
pub(crate) fn whole(line: &[u8], scope: &mut Scope<'_>) -> Option<Vec<u8>> {
    let words = lex(line, 0, true, scope)?;
    Some(words.first().map_or_else(Vec::new, |word| word.bytes().to_vec()))
}

fn lex(line: &[u8], origin: usize, whole: bool, scope: &mut Scope<'_>) -> Option<Vec<Word>> {
    let (words, word) = (Vec::new(), Vec::new());
    let mut lexer =
        Lexer { line, at: 0, origin, whole, quote: None, words, word, start: None, list: false, scope };
    match lexer.run() {
        Ok(()) => Some(lexer.words),
        Err(problem) => {
            let span = lexer.span(problem.at, problem.at + 1);
            let (text, form) = if problem.placed {
                (problem.message, Form::Line)
            } else {
                (format!("{} at position {}", problem.message, problem.at + 1), Form::Excerpt)
            };
            scope.report.push(Diagnostic::error(problem.code, text).at(span).form(form));
            None
        }
    }
}

/// Blanks between words, as C's `isspace`. CR and LF never get this far.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Why a line cannot be read.
struct Problem {
    code: Code,
    message: String,
    at: usize,
    /// Whether the message names its position itself, so that neither position nor excerpt follow.
    placed: bool,
}

impl Problem {
    fn new(code: Code, message: &str, at: usize) -> Self {
        Self { code, message: message.to_owned(), at, placed: false }
    }
}

struct Lexer<'a, 's> {
    line: &'a [u8],
    at: usize,
    origin: usize,
    /// Whether blanks and `#` mean themselves.
    whole: bool,
    /// The quote we are in, and where it opened.
    quote: Option<(u8, usize)>,
    words: Vec<Word>,
    word: Vec<u8>,
    /// Where the current word began; `None` between words.
    start: Option<usize>,
    /// Whether a `[*]` took part in the current word: then it exists only if something is in it.
    list: bool,
    scope: &'a mut Scope<'s>,
}

impl Lexer<'_, '_> {
    fn run(&mut self) -> Result<(), Problem> {
        while let Some(byte) = self.peek(0) {
            let quote = self.quote.map(|(quote, _)| quote);
            match (byte, quote) {
                (b'\n', _) => break,
                (b'\r', _) => {
                    self.carriage_return();
                    break;
                }
                (b'#', None) if !self.whole => break,
                (_, None) if is_blank(byte) && !self.whole => {
                    self.end_word(self.at)?;
                    self.at += 1;
                }
                (b'"' | b'\'', None) => {
                    self.quote = Some((byte, self.at));
                    self.begin();
                    self.at += 1;
                }
                (_, Some(quote)) if quote == byte => {
                    self.quote = None;
                    self.at += 1;
                }
                (b'\\', None | Some(b'"')) => self.escape()?,
                (b'$', Some(b'"')) => self.variable()?,
                _ => self.push(byte, 1),
            }
        }
        if let Some((_, at)) = self.quote {
            return Err(Problem::new(code::UNMATCHED_QUOTE, "unmatched quote", at));
        }
        self.end_word(self.at)
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at + ahead).copied()
    }

    fn span(&self, from: usize, to: usize) -> Span {
        let offset = |at: usize| u32::try_from(self.origin + at.min(self.line.len())).unwrap_or(u32::MAX);
        Span { file: self.scope.file, start: offset(from), end: offset(to) }
    }

    fn begin(&mut self) {
        self.start.get_or_insert(self.at);
    }

    /// Takes `byte` into the word and goes on by `width` bytes of the line.
    fn push(&mut self, byte: u8, width: usize) {
        self.begin();
        self.word.push(byte);
        self.at += width;
    }

    /// Ends the word, if there is one, at byte `end` of the line.
    fn end_word(&mut self, end: usize) -> Result<(), Problem> {
        let Some(start) = self.start.take() else { return Ok(()) };
        let list = core::mem::take(&mut self.list);
        let mut word = core::mem::take(&mut self.word);
        if list && word.is_empty() {
            return Ok(());
        }
        if self.words.len() == MAX_WORDS {
            return Err(self.too_many_words(start));
        }
        let span = self.span(start, end);
        if let Some(nul) = word.iter().position(|&byte| byte == 0) {
            let text = "NUL character in a word, which ends there";
            self.scope.report.push(
                Diagnostic::warning(code::NUL_IN_WORD, text)
                    .at(span)
                    .form(Form::Line)
                    .note("what follows '\\x00' in the word is not seen"),
            );
            word.truncate(nul);
        }
        self.words.push(Word::from_bytes(word, span));
        Ok(())
    }

    fn too_many_words(&self, start: usize) -> Problem {
        let (last, at) = self.words.last().map_or(("", 0), |word| (word.as_str(), word.span.start as usize));
        // Unlike all others, this position is counted from the first word.
        let first = self.words.first().map_or(0, |word| word.span.start as usize);
        let position = at.saturating_sub(first) + 1;
        let message =
            format!("too many words, truncating after word {MAX_WORDS}, position {position}: <{last}>.");
        Problem { code: code::TOO_MANY_WORDS, message, at: start, placed: true }
    }

    /// A CR ends the line even within quotes; what stands between it and the LF would be lost without a word.
    fn carriage_return(&mut self) {
        let rest = self.line.get(self.at + 1..).unwrap_or_default();
        if rest.iter().any(|&byte| !is_blank(byte)) {
            let text = "carriage return ends the line, what follows it is not seen";
            let span = self.span(self.at, self.at + 1);
            self.scope
                .report
                .push(Diagnostic::warning(code::CARRIAGE_RETURN, text).at(span).form(Form::Line));
        }
    }

    fn escape(&mut self) -> Result<(), Problem> {
        let weak = self.quote.is_some();
        match self.peek(1) {
            Some(byte @ (b' ' | b'\\' | b'#' | b'\'' | b'"')) => self.push(byte, 2),
            Some(b'$') if weak => self.push(b'$', 2),
            Some(b'n') => self.push(b'\n', 2),
            Some(b'r') => self.push(b'\r', 2),
            Some(b't') => self.push(b'\t', 2),
            Some(b'x') => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(self.peek(2)), digit(self.peek(3))) else {
                    let text = "truncated or invalid hexadecimal sequence";
                    return Err(Problem::new(code::HEX_SEQUENCE, text, self.at));
                };
                self.push(u8::try_from(high * 16 + low).unwrap_or_default(), 4);
            }
            _ => self.push(b'\\', 1),
        }
        Ok(())
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}`, `${NAME[*]-default}`, with `self.at` on the `$`.
    fn variable(&mut self) -> Result<(), Problem> {
        let dollar = self.at;
        let brace = (self.peek(1) == Some(b'{')).then_some(dollar + 1);
        let name_at = brace.unwrap_or(dollar) + 1;
        let pseudo = self.line.get(name_at) == Some(&b'.');
        let rest = self.line.get(name_at + usize::from(pseudo)..).unwrap_or_default();
        let name = rest.split(|&b| !b.is_ascii_alphanumeric() && b != b'_').next().unwrap_or_default();
        let own = if pseudo { self.pseudo_variable(name) } else { None };
        if name.first().is_none_or(u8::is_ascii_digit) || (pseudo && own.is_none()) {
            let text = "forbidden first char in environment variable name";
            return Err(Problem::new(code::VARIABLE_NAME, text, name_at));
        }
        let mut end = name_at + usize::from(pseudo) + name.len();
        let mut list = false;
        let mut fallback: &[u8] = b"";
        if let Some(brace) = brace {
            let tail = |from: usize| self.line.get(from..).unwrap_or_default();
            if tail(end).first() == Some(&b'[') {
                if !tail(end).starts_with(b"[*]") {
                    let text = "truncated or invalid word expansion sequence";
                    return Err(Problem::new(code::WORD_EXPANSION, text, end));
                }
                list = true;
                end += 3;
            }
            let open =
                || Problem::new(code::UNMATCHED_BRACE, "unmatched brace in environment variable name", brace);
            if tail(end).first() == Some(&b'-') {
                let after = tail(end + 1);
                let length = after.iter().position(|&b| b == b'}').ok_or_else(open)?;
                fallback = after.get(..length).unwrap_or_default();
                end += 1 + length;
            }
            if tail(end).first() != Some(&b'}') {
                return Err(open());
            }
            end += 1;
        }
        let set = own.or_else(|| self.scope.env.get(core::str::from_utf8(name).ok()?).map(<[u8]>::to_vec));
        let value = set.unwrap_or_else(|| fallback.to_vec());
        let Some(budget) = self.scope.budget.checked_sub(value.len()) else {
            let text = format!("variables grow beyond {EXPANSION_BUDGET} bytes");
            return Err(Problem::new(code::EXPANSION_TOO_LARGE, &text, dollar));
        };
        *self.scope.budget = budget;
        if list {
            self.expand_list(&value, end)?
        } else {
            self.word.extend_from_slice(&value)
        }
        self.at = end;
        Ok(())
    }

    fn expand_list(&mut self, value: &[u8], end: usize) -> Result<(), Problem> {
        let start = self.start;
        self.list = true;
        for &byte in value {
            if !is_blank(byte) {
                self.word.push(byte);
            } else if !self.word.is_empty() {
                self.end_word(end)?;
                self.start = start;
                self.list = true;
            }
        }
        Ok(())
    }

    fn pseudo_variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"FILE" => Some(self.scope.file_name.as_bytes().to_vec()),
            b"LINE" => Some(self.scope.line.to_string().into_bytes()),
            b"SECTION" => Some(self.scope.section.to_vec()),
            _ => None,
        }
    }
}
