//! Classes of characters: `[…]`, and the escapes that stand for one.

use super::RegexError;
use super::options::Options;
use super::translate::{Source, code_point, property};

/// Something in a class.
enum Item {
    /// One character, or one byte where bytes are matched.
    One(u32),
    /// A set, in the engine's words.
    Set(String),
}

/// What `\d`, `\h` … stand for, as the inside of a class; `None` for other letters.
pub(super) fn set(letter: char, options: Options) -> Option<&'static str> {
    let wide = options.utf;
    // The engine's own sets are ASCII's where bytes are matched, and Unicode's elsewhere.
    let unicode = wide && options.ucp;
    Some(match letter.to_ascii_lowercase() {
        'd' if unicode => r"\d",
        'd' => "0-9",
        's' if unicode => r"\s",
        's' => r"\t\n\x0B\x0C\r\x20",
        'w' if unicode => r"\w",
        'w' => "A-Za-z0-9_",
        'h' if wide => r"\t\x20\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}",
        'h' => r"\t\x20\xA0",
        'v' if wide => r"\n\x0B\x0C\r\u{85}\u{2028}\u{2029}",
        'v' => r"\n\x0B\x0C\r\x85",
        _ => return None,
    })
}

/// One character as the engine writes it, in or out of a class.
pub(super) fn literal(code: u32, utf: bool) -> String {
    match char::from_u32(code).filter(char::is_ascii) {
        Some(char) if char.is_ascii_alphanumeric() || char == '_' => char.to_string(),
        _ if utf => format!("\\u{{{code:X}}}"),
        _ => format!("\\x{code:02X}"),
    }
}

/// Reads a class, its `[` already taken.
pub(super) fn class(source: &mut Source<'_>, options: Options) -> Result<String, RegexError> {
    let negated = source.take_if('^');
    let mut items: Vec<Item> = Vec::new();
    let mut out = String::new();
    let mut quoted = false;
    let mut first = true;
    loop {
        let Some(char) = source.next() else {
            return Err(RegexError::new("missing terminating ] for a class"));
        };
        let first_now = core::mem::replace(&mut first, false);
        match char {
            '\\' if quoted && source.take_if('E') => quoted = false,
            '\\' if !quoted && source.take_if('Q') => quoted = true,
            '\\' if !quoted && source.take_if('E') => {}
            _ if quoted => plain(char, options, &mut items),
            ']' if !first_now || options.allow_empty_class => break,
            '[' if source.rest().starts_with([':', '.', '=']) && posix(source).is_some() => {
                items.push(Item::Set(format!("[{}]", posix_name(source)?)));
            }
            '\\' => items.push(escape(source, options)?),
            '-' if matches!(items.last(), Some(Item::One(_))) && !source.rest().starts_with(']') => {
                let Some(Item::One(low)) = items.pop() else { continue };
                let high = match source.next() {
                    Some('\\') => match source.rest().chars().next() {
                        Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'h' | 'H' | 'v' | 'V' | 'Q' | 'E') => {
                            return Err(RegexError::new("invalid range in a class"));
                        }
                        _ => escape(source, options)?,
                    },
                    Some('[') if source.rest().starts_with(':') => {
                        return Err(RegexError::new("invalid range in a class"));
                    }
                    Some(char) if char.is_ascii() || options.utf => Item::One(char.into()),
                    Some(_) => {
                        return Err(RegexError::new("a range of a class beyond ASCII needs the option utf"));
                    }
                    None => return Err(RegexError::new("missing terminating ] for a class")),
                };
                let Item::One(high) = high else { return Err(RegexError::new("invalid range in a class")) };
                if low > high {
                    return Err(RegexError::new("range out of order in a class"));
                }
                out += &format!("{}-{}", literal(low, options.utf), literal(high, options.utf));
            }
            char => plain(char, options, &mut items),
        }
    }
    for item in items {
        match item {
            Item::One(code) => out += &literal(code, options.utf),
            Item::Set(set) => out += &set,
        }
    }
    Ok(match (out.is_empty(), negated) {
        (true, false) => "(?!)".to_owned(),
        (true, true) => "(?s:.)".to_owned(),
        (false, true) => format!("[^{out}]"),
        (false, false) => format!("[{out}]"),
    })
}

fn plain(char: char, options: Options, items: &mut Vec<Item>) {
    if options.utf {
        items.push(Item::One(char.into()));
    } else {
        let mut bytes = [0; 4];
        items.extend(char.encode_utf8(&mut bytes).bytes().map(|byte| Item::One(byte.into())));
    }
}

fn escape(source: &mut Source<'_>, options: Options) -> Result<Item, RegexError> {
    let letter = source.peek().unwrap_or('\\');
    if let Some(inside) = set(letter, options) {
        source.next();
        let negated = if letter.is_ascii_uppercase() { "^" } else { "" };
        return Ok(Item::Set(format!("[{negated}{inside}]")));
    }
    if options.utf && matches!(letter, 'p' | 'P') {
        source.next();
        return Ok(Item::Set(property(letter, source)?));
    }
    if source.take_if('b') {
        return Ok(Item::One(8));
    }
    Ok(Item::One(code_point(source, options, true)?))
}

/// The length of `:name:` with its bracket, when it is one.
fn posix(source: &Source<'_>) -> Option<usize> {
    let rest = source.rest();
    let kind = rest.chars().next()?;
    let name = rest.get(1..)?;
    let end = name.find(|char: char| !char.is_ascii_alphanumeric() && char != '^')?;
    name.get(end..)?.strip_prefix(kind)?.starts_with(']').then_some(end)
}

fn posix_name(source: &mut Source<'_>) -> Result<String, RegexError> {
    let mut name = String::new();
    while let Some(char) = source.next() {
        if char == ']' {
            break;
        }
        name.push(char);
    }
    if name.starts_with(':') { Ok(name) } else { Err(RegexError::new("collating elements are not served")) }
}
