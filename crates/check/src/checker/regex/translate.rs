//! From PCRE2's language to the engine's.

use super::RegexError;
use super::class::{class, literal, set};
use super::options::Options;

/// What is left of a pattern.
pub(super) struct Source<'a> {
    rest: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn next(&mut self) -> Option<char> {
        let char = self.rest.chars().next()?;
        self.rest = self.rest.get(char.len_utf8()..).unwrap_or_default();
        Some(char)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn take_if(&mut self, wanted: char) -> bool {
        let taken = self.peek() == Some(wanted);
        if taken {
            self.next();
        }
        taken
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes what comes before `end`, and `end`.
    fn until(&mut self, end: char) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes as many characters as satisfy the test, but no more than `most`.
    fn run(&mut self, most: usize, test: impl Fn(char) -> bool) -> &'a str {
        let len = self.rest.chars().take(most).take_while(|char| test(*char)).map(char::len_utf8).sum();
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// What inline options change, group by group.
#[derive(Clone, Copy)]
struct Flags {
    multiline: bool,
    extended: bool,
    ungreedy: bool,
    no_capture: bool,
}

struct Translator<'a> {
    source: Source<'a>,
    options: Options,
    flags: Flags,
    /// The options the engine has itself that were switched within the present group, each as the start of a group of
    /// its own: the engine would let them leak out of it.
    switched: Vec<String>,
    /// The same two of the groups around the present one.
    outer: Vec<(Flags, Vec<String>)>,
    groups: u32,
    /// Whether a quantifier may follow.
    repeatable: bool,
    /// The names of those that have one.
    names: Vec<String>,
    out: String,
}

/// The same pattern for the engine, but for `caseless` and `dotall`, which it has itself.
pub(super) fn translate(pattern: &str, options: Options) -> Result<String, RegexError> {
    let flags = Flags {
        multiline: options.multiline,
        extended: options.extended,
        ungreedy: options.ungreedy,
        no_capture: options.no_auto_capture,
    };
    let source = Source { rest: pattern };
    let mut translator = Translator {
        source,
        options,
        flags,
        switched: Vec::new(),
        outer: Vec::new(),
        groups: 0,
        repeatable: false,
        names: Vec::new(),
        out: String::new(),
    };
    while let Some(char) = translator.source.next() {
        translator.one(char)?;
    }
    translator.close_switched();
    if translator.outer.is_empty() { Ok(translator.out) } else { Err(RegexError::new("missing )")) }
}

fn unserved(what: &str) -> RegexError {
    RegexError::new(format!("{what} in a regex is not served"))
}

impl Translator<'_> {
    fn one(&mut self, char: char) -> Result<(), RegexError> {
        let blank = self.flags.extended && matches!(char, '#' | ' ' | '\t'..='\r');
        let before = self.repeatable;
        // Of what follows, a quantifier and an anchor say otherwise for themselves.
        self.repeatable = if blank { before } else { !matches!(char, '^' | '$' | '|' | '(') };
        match char {
            '\\' => self.escape(before)?,
            '[' => {
                let class = class(&mut self.source, self.options)?;
                self.out += &class;
            }
            '(' => self.open(before)?,
            ')' => {
                self.close_switched();
                (self.flags, self.switched) =
                    self.outer.pop().ok_or_else(|| RegexError::new("unmatched )"))?;
                self.out.push(')');
            }
            '^' if self.flags.multiline && self.options.alt_circumflex => self.out += r"(?:\A|(?<=\n))",
            '^' if self.flags.multiline => self.out += r"(?:\A|(?<=\n)(?!\z))",
            '^' => self.out += r"\A",
            '$' if self.flags.multiline => self.out += r"(?=\n|\z)",
            '$' if self.options.dollar_endonly => self.out += r"\z",
            '$' => self.out += r"(?=\n?\z)",
            '.' => self.out.push(char),
            '|' => {
                self.close_switched();
                self.out.push('|');
                self.out.extend(self.switched.iter().map(String::as_str));
            }
            '*' | '+' | '?' => self.repeat(&char.to_string(), before)?,
            '{' => match self.counts()? {
                Some(counts) => self.repeat(&counts, before)?,
                None => self.out += r"\{",
            },
            '#' if self.flags.extended => {
                self.source.run(usize::MAX, |char| char != '\n');
            }
            _ if self.flags.extended && matches!(char, ' ' | '\t'..='\r') => {}
            _ => self.plain(char),
        }
        Ok(())
    }

    fn close_switched(&mut self) {
        self.out.extend(self.switched.iter().map(|_| ')'));
    }

    /// A group begins.
    fn enter(&mut self, start: &str) {
        self.outer.push((self.flags, core::mem::take(&mut self.switched)));
        self.out += start;
    }

    /// A character that stands for itself; where bytes are matched, each of its bytes does.
    fn plain(&mut self, char: char) {
        if self.options.utf {
            self.out += &literal(char.into(), true);
        } else {
            let mut bytes = [0; 4];
            for byte in char.encode_utf8(&mut bytes).bytes() {
                self.out += &literal(byte.into(), false);
            }
        }
    }

    /// `{2}`, `{2,}`, `{2,5}` behind the brace; anything else is a brace.
    fn counts(&mut self) -> Result<Option<String>, RegexError> {
        let Some((inside, _)) = self.source.rest.split_once('}') else { return Ok(None) };
        let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if low.is_empty() || !digits(low) || !digits(high) {
            return Ok(None);
        }
        let number = |text: &str| if text.is_empty() { Ok(u16::MAX) } else { text.parse::<u16>() };
        match (number(low), number(high)) {
            (Ok(low), Ok(high)) if low <= high => {
                self.source.until('}');
                Ok(Some(format!("{{{inside}}}")))
            }
            (Ok(_), Ok(_)) => Err(RegexError::new("numbers out of order in {}")),
            _ => Err(RegexError::new("number too big in {}")),
        }
    }

    /// A quantifier, and what may follow it: `?` (lazy), `+` (possessive).
    fn repeat(&mut self, quantifier: &str, allowed: bool) -> Result<(), RegexError> {
        if !allowed {
            return Err(RegexError::new("quantifier does not follow a repeatable item"));
        }
        self.repeatable = false;
        self.out += quantifier;
        if self.source.take_if('+') {
            self.out.push('+');
        } else if self.source.take_if('?') != self.flags.ungreedy {
            self.out.push('?');
        }
        Ok(())
    }

    fn escape(&mut self, before: bool) -> Result<(), RegexError> {
        let Some(letter) = self.source.peek() else {
            return Err(RegexError::new("\\ at the end of the pattern"));
        };
        if let Some(inside) = set(letter, self.options) {
            self.source.next();
            let negated = if letter.is_ascii_uppercase() { "^" } else { "" };
            self.out += &format!("[{negated}{inside}]");
            return Ok(());
        }
        let narrow = self.options.utf && !self.options.ucp;
        let fixed = match letter {
            'A' | 'z' | 'G' | 'K' => format!("\\{letter}"),
            // Boundaries of ASCII words, which the engine has not where it matches Unicode.
            'b' if narrow => {
                r"(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))".to_owned()
            }
            'B' if narrow => {
                r"(?:(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<![A-Za-z0-9_])(?![A-Za-z0-9_]))".to_owned()
            }
            'b' | 'B' => format!("\\{letter}"),
            'Z' => r"(?=\n?\z)".to_owned(),
            'N' if !self.source.rest.starts_with("N{U") => r"[^\n]".to_owned(),
            'R' => format!(r"(?>\r\n|[{}])", set('v', self.options).unwrap_or_default()),
            'C' if self.options.never_backslash_c => {
                return Err(RegexError::new("\\C is forbidden by never_backslash_c"));
            }
            'C' if !self.options.utf => "(?s:.)".to_owned(),
            'E' => String::new(),
            _ => return self.other_escape(letter),
        };
        self.source.next();
        self.repeatable = match letter {
            'N' | 'R' | 'C' => true,
            'E' => before,
            _ => false,
        };
        self.out += &fixed;
        Ok(())
    }

    fn other_escape(&mut self, letter: char) -> Result<(), RegexError> {
        match letter {
            'Q' => {
                self.source.next();
                let (quoted, rest) = self.source.rest.split_once("\\E").unwrap_or((self.source.rest, ""));
                self.source.rest = rest;
                quoted.chars().for_each(|char| self.plain(char));
            }
            'p' | 'P' if self.options.utf => {
                self.source.next();
                let property = property(letter, &mut self.source)?;
                self.out += &property;
            }
            'k' => {
                self.source.next();
                let name = self.name()?;
                self.back_by_name(&name)?;
            }
            'g' => {
                self.source.next();
                self.reference()?;
            }
            '1'..='9' => {
                let len = self.source.rest.bytes().take_while(u8::is_ascii_digit).count();
                let digits = self.source.rest.get(..len).unwrap_or_default();
                let number = digits.parse().unwrap_or(u32::MAX);
                // Of two digits and more, those that are no group's number are octal.
                if number < 10 || number <= self.groups {
                    self.source.run(len, |_| true);
                    self.back(number)?;
                } else {
                    let code = code_point(&mut self.source, self.options, true)?;
                    self.out += &literal(code, self.options.utf);
                }
            }
            _ => {
                let code = code_point(&mut self.source, self.options, false)?;
                self.out += &literal(code, self.options.utf);
            }
        }
        Ok(())
    }

    /// A reference to a group by its number. It must have been opened.
    fn back(&mut self, number: u32) -> Result<(), RegexError> {
        if number == 0 || number > self.groups {
            return Err(RegexError::new(format!(
                "reference to group {number}, which does not come before it"
            )));
        }
        self.out += &format!("(?:\\{number})");
        Ok(())
    }

    fn back_by_name(&mut self, name: &str) -> Result<(), RegexError> {
        if !self.names.iter().any(|known| known == name) {
            return Err(RegexError::new(format!("reference to group {name}, which does not come before it")));
        }
        self.repeatable = true;
        self.out += &format!("\\k<{name}>");
        Ok(())
    }

    /// `{name}`, `<name>`, `'name'`.
    fn name(&mut self) -> Result<String, RegexError> {
        let end = match self.source.next() {
            Some('{') => '}',
            Some('<') => '>',
            Some('\'') => '\'',
            _ => return Err(RegexError::new("a group's name is missing")),
        };
        self.source.until(end).map(str::to_owned).ok_or_else(|| RegexError::new("a group's name has no end"))
    }

    /// `\g`: `1`, `{1}`, `{-1}`, `{name}`.
    fn reference(&mut self) -> Result<(), RegexError> {
        let text = match self.source.peek() {
            Some('{') => self.name()?,
            Some('<' | '\'') => return Err(unserved("a subroutine (\\g<…>)")),
            _ => {
                let sign = if self.source.take_if('-') { "-" } else { "" };
                format!("{sign}{}", self.source.run(3, |char| char.is_ascii_digit()))
            }
        };
        if let Some(back) = text.strip_prefix('-') {
            let back: u32 = back.parse().map_err(|_| RegexError::new("malformed \\g"))?;
            let number = (self.groups + 1).saturating_sub(back);
            return self.back(number);
        }
        match text.parse() {
            Ok(number) => self.back(number),
            Err(_) if text.is_empty() => Err(RegexError::new("malformed \\g")),
            Err(_) => self.back_by_name(&text),
        }
    }

    fn open(&mut self, before: bool) -> Result<(), RegexError> {
        if self.source.rest.starts_with('*') {
            return Err(unserved("(*…)"));
        }
        if !self.source.take_if('?') {
            self.enter(if self.flags.no_capture { "(?:" } else { "(" });
            self.groups += u32::from(!self.flags.no_capture);
            return Ok(());
        }
        for plain in [":", "=", "!", ">", "<=", "<!"] {
            if let Some(rest) = self.source.rest.strip_prefix(plain) {
                self.source.rest = rest;
                self.enter(&format!("(?{plain}"));
                return Ok(());
            }
        }
        match self.source.peek() {
            Some('#') => {
                self.source.until(')').ok_or_else(|| RegexError::new("missing ) after (?#"))?;
                self.repeatable = before;
                Ok(())
            }
            Some('P') if self.source.rest.starts_with("P=") => {
                let name = self.source.until(')').unwrap_or_default().trim_start_matches("P=");
                self.back_by_name(name)
            }
            Some('P') if self.source.rest.starts_with("P<") => {
                self.source.next();
                self.named()
            }
            Some('<' | '\'') => self.named(),
            Some('(') => self.conditional(),
            Some('i' | 'm' | 's' | 'x' | 'n' | 'U' | '-') => self.inline(),
            _ => Err(unserved("this kind of group")),
        }
    }

    fn named(&mut self) -> Result<(), RegexError> {
        let name = self.name()?;
        self.groups += 1;
        self.enter(&format!("(?<{name}>"));
        self.names.push(name);
        Ok(())
    }

    /// `(?(1)…|…)` and `(?(<name>)…|…)`.
    fn conditional(&mut self) -> Result<(), RegexError> {
        self.source.next();
        let condition = self.source.until(')').unwrap_or_default();
        let name = condition.strip_prefix(['<', '\'']).and_then(|name| name.strip_suffix(['>', '\'']));
        let number =
            condition.parse::<u32>().ok().filter(|_| condition.bytes().all(|byte| byte.is_ascii_digit()));
        let condition = match (number, name) {
            (Some(number), _) if (1..=self.groups).contains(&number) => number.to_string(),
            (None, Some(name)) if self.names.iter().any(|known| known == name) => format!("<{name}>"),
            _ => return Err(unserved("a condition other than that of a group before it")),
        };
        self.enter(&format!("(?({condition})"));
        Ok(())
    }

    /// `(?i)`, `(?i-m:`: what the engine has not is kept here.
    fn inline(&mut self) -> Result<(), RegexError> {
        let outside = self.flags;
        let mut on = true;
        let (mut set, mut unset) = (String::new(), String::new());
        loop {
            match self.source.next() {
                Some('-') if on => on = false,
                Some('m') => self.flags.multiline = on,
                Some('x') => self.flags.extended = on,
                Some('n') => self.flags.no_capture = on,
                Some('U') => self.flags.ungreedy = on,
                Some(char @ ('i' | 's')) => if on { &mut set } else { &mut unset }.push(char),
                Some(end @ (':' | ')')) => {
                    let minus = if unset.is_empty() { "" } else { "-" };
                    let start = format!("(?{set}{minus}{unset}:");
                    if end == ':' {
                        let inside = core::mem::replace(&mut self.flags, outside);
                        self.enter(&start);
                        self.flags = inside;
                    } else if !set.is_empty() || !unset.is_empty() {
                        self.out += &start;
                        self.switched.push(start);
                    }
                    return Ok(());
                }
                _ => return Err(unserved("this inline option")),
            }
        }
    }
}

/// `\p{Lu}`, `\pL`, the letter already taken.
pub(super) fn property(letter: char, source: &mut Source<'_>) -> Result<String, RegexError> {
    let malformed = || RegexError::new("malformed \\p");
    let name = match source.next().ok_or_else(malformed)? {
        '{' => source.until('}').ok_or_else(malformed)?.to_owned(),
        one => one.to_string(),
    };
    Ok(format!("\\{letter}{{{name}}}"))
}

/// The character behind a backslash, where it stands for one.
pub(super) fn code_point(
    source: &mut Source<'_>,
    options: Options,
    in_class: bool,
) -> Result<u32, RegexError> {
    let hex = |text: &str| if text.is_empty() { Some(0) } else { u32::from_str_radix(text, 16).ok() };
    let octal = |text: &str| u32::from_str_radix(text, 8).ok();
    let is_octal = |char: char| char.is_digit(8);
    let Some(letter) = source.peek() else { return Err(RegexError::new("\\ at the end of the pattern")) };
    let code = match letter {
        // Digits are looked at together.
        '0' => octal(source.run(3, is_octal)),
        '1'..='7' if in_class => octal(source.run(3, is_octal)),
        _ => {
            source.next();
            match letter {
                'a' => Some(7),
                'e' => Some(0x1b),
                'f' => Some(0x0c),
                'n' => Some(0x0a),
                'r' => Some(0x0d),
                't' => Some(0x09),
                'c' => source
                    .next()
                    .filter(char::is_ascii)
                    .map(|char| u32::from(char.to_ascii_uppercase()) ^ 0x40),
                'x' if source.take_if('{') => source.until('}').filter(|text| !text.is_empty()).and_then(hex),
                'x' => hex(source.run(2, |char| char.is_ascii_hexdigit())),
                'o' if source.take_if('{') => source.until('}').and_then(octal),
                _ if letter.is_ascii_alphanumeric() => return Err(unserved(&format!("\\{letter}"))),
                _ => Some(letter.into()),
            }
        }
    };
    match code {
        Some(code) if options.utf && char::from_u32(code).is_none() => {
            Err(RegexError::new("no such character"))
        }
        Some(code) if !options.utf && code > 0xff => {
            Err(RegexError::new("a character beyond 255 needs the option utf"))
        }
        Some(code) => Ok(code),
        None => Err(RegexError::new(format!("malformed \\{letter}"))),
    }
}
