//! From a log-format string to a [`Format`] (manual 8.2.6).

use crate::alias::{self, Alias};
use crate::flags::Flags;
use crate::format::{Cast, CompileError, CompileErrorKind, Format, Item, Mode, Value, Warning};
use std::ops::Range;

impl Format {
    /// Compiles the `log-format`, `error-log-format` or `log-format-sd` of a proxy running in `mode`.
    ///
    /// # Errors
    /// The first thing in `text` that is not a log format, or is one that is not served.
    pub fn compile(text: &str, mode: Mode) -> Result<Self, CompileError> {
        Compiler::new(text, Flags::MANDATORY).run(mode)
    }

    /// Compiles a `unique-id-format`: as [`Self::compile`], but what is empty is left out and not written as `-`, and
    /// `+json` and `+cbor` count for nothing, since the value goes into a header field.
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub fn compile_unique_id(text: &str, mode: Mode) -> Result<Self, CompileError> {
        let mut format = Compiler::new(text, Flags::default()).run(mode)?;
        format.global = format.global.without(Flags::ENCODING);
        for item in &mut format.items {
            if let Item::Value(value) = item {
                value.flags = value.flags.without(Flags::ENCODING);
            }
        }
        Ok(format)
    }
}

struct Compiler<'a> {
    text: &'a str,
    at: usize,
    items: Vec<Item>,
    /// Literal text not yet made an item.
    literal: Vec<u8>,
    /// Flags that the next alias starts with.
    flags: Flags,
    /// Flags said for every alias by all `%{…}o` together.
    global: Flags,
    /// HTTP-only aliases met: HAProxy complains of them only when the whole text could be read.
    http_only: Option<(Range<usize>, &'static str)>,
    warnings: Vec<Warning>,
}

impl<'a> Compiler<'a> {
    fn new(text: &'a str, flags: Flags) -> Self {
        Self {
            text,
            at: 0,
            items: Vec::new(),
            literal: Vec::new(),
            flags,
            global: Flags::default(),
            http_only: None,
            warnings: Vec::new(),
        }
    }

    fn run(mut self, mode: Mode) -> Result<Format, CompileError> {
        while let Some(c) = self.peek() {
            match c {
                '%' => self.percent()?,
                ' ' => {
                    self.flush();
                    self.items.push(Item::Space);
                    self.at += 1;
                }
                c => self.push(c),
            }
        }
        self.flush();
        if let (Mode::Tcp, Some((range, name))) = (mode, self.http_only) {
            let message = format!("format alias '{name}' is reserved for HTTP mode");
            return Err(CompileError { range, kind: CompileErrorKind::HttpOnly, message });
        }
        let global = self.global.encoded();
        for item in &mut self.items {
            if let Item::Value(value) = item {
                value.flags = value.flags.settled(global);
            }
        }
        if global.any(Flags::ENCODING) {
            for item in &self.items {
                if let Item::Value(Value { name: None, .. }) = item {
                    let message =
                        "items without a name are left out of an encoded line, write '%(name)alias'"
                            .to_owned();
                    self.warnings.push(Warning { range: 0..self.text.len(), message });
                    break;
                }
            }
        }
        Ok(Format { items: self.items, global, warnings: self.warnings })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, c: char) {
        self.literal.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += c.len_utf8();
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.items.push(Item::Text(std::mem::take(&mut self.literal).into_boxed_slice()));
        }
    }

    fn error(&self, range: Range<usize>, message: String) -> CompileError {
        CompileError { range, kind: CompileErrorKind::Syntax, message }
    }

    fn truncated(&self, after: &str, from: usize) -> CompileError {
        self.error(from..self.text.len(), format!("truncated line after '{after}'"))
    }

    fn warn(&mut self, range: Range<usize>, message: String) {
        self.warnings.push(Warning { range, message });
    }

    /// What follows a `%`, which is the next character.
    fn percent(&mut self) -> Result<(), CompileError> {
        let start = self.at;
        self.at += 1;
        let (name, cast) = if self.peek() == Some('(') { self.name(start)? } else { (None, Cast::None) };
        let flags = match self.peek() {
            None => return Err(self.truncated("%", start)),
            Some('{') => Some(self.braces(start)?),
            Some('%') => {
                self.push('%');
                return Ok(());
            }
            Some(c) if c.is_ascii_digit() || c == ' ' || c == '\t' => {
                let message = format!(
                    "unexpected alias name near '{c}' at position {} line : '{}'. Maybe you want to write a single \
                     '%', use the syntax '%%'",
                    self.at, self.text
                );
                return Err(self.error(start..self.at + 1, message));
            }
            Some(c) if c.is_ascii_alphabetic() || c == '[' => None,
            Some(_) => {
                // HAProxy drops the percent sign.
                let range = start..self.at;
                self.warn(range, "single '%' is left out, write '%%' to emit it".to_owned());
                return Ok(());
            }
        };
        if self.peek() == Some('[') {
            return Err(self.expression(start));
        }
        let length = self.rest().bytes().take_while(u8::is_ascii_alphanumeric).count();
        let word = self.rest().get(..length).unwrap_or("");
        if let (true, Some(flags)) = (word.is_empty(), flags) {
            let message = format!("parse argument modifier without alias name near '%{{{flags}}}'");
            return Err(self.error(start..self.at, message));
        }
        self.at += length;
        self.alias(start..self.at, word, flags, name, cast)
    }

    /// `(name)` or `(name:type)`.
    fn name(&mut self, start: usize) -> Result<(Option<Box<str>>, Cast), CompileError> {
        self.at += 1;
        let open = self.at;
        let mut colon = None;
        loop {
            match self.peek() {
                None => return Err(self.truncated("%(", start)),
                Some(')') => break,
                Some(':') if colon.is_none() => colon = Some(self.at),
                Some(c) if c.is_ascii_alphanumeric() || c == '_' || c == '-' => {}
                Some(c) => {
                    let message = format!(
                        "invalid character in custom name near '{c}' at position {} line : '{}'",
                        self.at, self.text
                    );
                    return Err(self.error(self.at..self.at + c.len_utf8(), message));
                }
            }
            self.at += 1;
        }
        let close = self.at;
        self.at += 1;
        let name = self.text.get(open..colon.unwrap_or(close)).unwrap_or("");
        let cast = match colon.and_then(|colon| self.text.get(colon + 1..close)) {
            None => Cast::None,
            Some("str") => Cast::Str,
            Some("sint") => Cast::Sint,
            Some("bool") => Cast::Bool,
            Some(other) => {
                let from = close - other.len();
                let message = format!(
                    "unexpected output type '{other}' at position {from} line : '{}'. Supported types are: str, \
                     sint, bool",
                    self.text
                );
                return Err(self.error(from..close, message));
            }
        };
        Ok(((!name.is_empty()).then(|| name.into()), cast))
    }

    /// `{flags}`.
    fn braces(&mut self, start: usize) -> Result<&'a str, CompileError> {
        self.at += 1;
        let Some((flags, _)) = self.rest().split_once('}') else {
            return Err(self.truncated(self.rest(), start));
        };
        self.at += flags.len() + 1;
        Ok(flags)
    }

    /// `[expr]`, which is not served.
    fn expression(&mut self, start: usize) -> CompileError {
        self.at += 1;
        let rest = self.rest();
        let fetch: String =
            rest.chars().take_while(|&c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')).collect();
        let Some(close) = closing_bracket(rest) else {
            return self.error(start..self.text.len(), format!("missing ']' after '{rest}'"));
        };
        let expression = rest.get(..close).unwrap_or(rest);
        let message =
            format!("sample expression <{expression}> : sample fetches in log formats are not served yet");
        let kind = CompileErrorKind::Expression { fetch };
        CompileError { range: start..self.at + close + 1, kind, message }
    }

    fn alias(
        &mut self,
        range: Range<usize>,
        word: &str,
        flags: Option<&str>,
        name: Option<Box<str>>,
        cast: Cast,
    ) -> Result<(), CompileError> {
        let entry = match (alias::find(word), alias::modern(word)) {
            (Some(entry), _) => Some(entry),
            (None, Some(modern)) => {
                let message =
                    format!("deprecated alias '{word}' in log format, please replace it with '{modern}'");
                self.warn(range.clone(), message);
                alias::find(modern)
            }
            (None, None) => None,
        };
        let Some(entry) = entry else {
            let message = format!(
                "no such format alias '{word}'. If you wanted to emit the '%' character verbatim, you need to use '%%'"
            );
            return Err(CompileError { range, kind: CompileErrorKind::UnknownAlias, message });
        };
        if entry.mode == Mode::Http && self.http_only.is_none() {
            self.http_only = Some((range.clone(), entry.name));
        }
        let mut own = self.flags;
        if let Some(list) = flags.filter(|list| !list.is_empty()) {
            let mut ignored = Vec::new();
            own = own.apply(list, |word| ignored.push(word.trim().to_owned()));
            for word in ignored {
                self.warn(range.clone(), format!("unknown flag '{word}' in '{{{list}}}' is ignored"));
            }
        }
        if entry.alias == Alias::Global {
            self.flags = own;
            // What a later one takes back does not hold for the whole line any more.
            self.global = if self.global.is_empty() { own } else { self.global.common(own) };
        } else {
            self.flush();
            self.items.push(Item::Value(Value { alias: entry.alias, flags: own, name, cast }));
        }
        Ok(())
    }
}

/// Where the `]` of an expression is: not inside parentheses or quotes.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => escaped = true,
            (_, Some(open)) if byte == open => quote = None,
            (_, Some(_)) => {}
            (b'"' | b'\'', None) => quote = Some(byte),
            (b'(', None) => depth += 1,
            (b')', None) => depth = depth.saturating_sub(1),
            (b']', None) if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}
