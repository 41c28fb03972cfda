//! File name patterns: `*`, `?`, `[…]`, and csh's `{a,b}`.

use crate::reader::{FileKind, Reader};
use std::path::{Path, PathBuf};

/// Patterns of one `{…}` at most, all together.
const MAX_PATTERNS: usize = 1024;

/// Whether a pattern has a character that makes it one.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A text with its braces multiplied out, from left to right. `{}` and what is not closed stay.
pub(crate) fn expand_braces(text: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(next) = open.pop() {
        match split_brace(&next) {
            Some((before, choices, after)) if done.len() + open.len() + choices.len() <= MAX_PATTERNS => {
                open.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
            }
            _ => done.push(next),
        }
    }
    done
}

/// The first brace that has an end: what is before it, its choices, what is behind it.
fn split_brace(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find('{')?;
        let mut depth = 0_usize;
        let mut choice = start + 1;
        let mut choices = Vec::new();
        for (at, letter) in text.get(start..)?.char_indices() {
            let at = start + at;
            match letter {
                '{' => depth += 1,
                ',' if depth == 1 => {
                    choices.push(text.get(choice..at)?);
                    choice = at + 1;
                }
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        choices.push(text.get(choice..at)?);
                        if at == start + 1 {
                            break;
                        }
                        return Some((text.get(..start)?, choices, text.get(at + 1..)?));
                    }
                }
                _ => {}
            }
        }
        from = start + 1;
    }
}

/// The paths that match one pattern without braces, sorted. A hidden file matches only a pattern that begins with a dot.
pub(crate) fn matches(reader: &dyn Reader, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    let parts: Vec<_> = pattern.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    for (number, part) in parts.iter().enumerate() {
        let last = number + 1 == parts.len();
        if !is_pattern(part) {
            for path in &mut found {
                path.push(part.as_ref());
            }
            if last {
                found.retain(|path| reader.kind(path) != FileKind::Missing);
            }
            continue;
        }
        let mut next = Vec::new();
        for directory in &found {
            let mut names = reader.list(directory).unwrap_or_default();
            names.sort();
            for (name, is_directory) in names {
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if (is_directory || last) && !hidden && wildcard(part.as_bytes(), name.as_bytes()) {
                    next.push(directory.join(&name));
                }
            }
        }
        found = next;
    }
    found
}

/// Whether `name` matches `pattern`. Time is at most the product of their lengths.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            Some(b'[') => {
                if let (Some((length, set)), Some(&byte)) =
                    (class(pattern.get(p..).unwrap_or_default()), name.get(n))
                    && set(byte)
                {
                    (p, n) = (p + length, n + 1);
                    continue;
                }
            }
            Some(b'\\') if pattern.get(p + 1) == name.get(n) => {
                (p, n) = (p + 2, n + 1);
                continue;
            }
            Some(byte) if Some(byte) == name.get(n) => {
                (p, n) = (p + 1, n + 1);
                continue;
            }
            _ => {}
        }
        let Some((after, tried)) = star else { return false };
        star = Some((after, tried + 1));
        (p, n) = (after, tried + 1);
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// The length of a `[…]` and what it matches; `None` when it is not closed.
fn class(pattern: &[u8]) -> Option<(usize, impl Fn(u8) -> bool + '_)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|byte| *byte == b']')?;
    let inner = pattern.get(start..end)?;
    let has = move |byte: u8| {
        let mut rest = inner;
        loop {
            match rest {
                [low, b'-', high, tail @ ..] => {
                    if (*low..=*high).contains(&byte) {
                        return !negated;
                    }
                    rest = tail;
                }
                [one, tail @ ..] => {
                    if *one == byte {
                        return !negated;
                    }
                    rest = tail;
                }
                [] => return negated,
            }
        }
    };
    Some((end + 1, has))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Memory;

    #[test]
    fn braces_multiply_as_in_csh() {
        let expanded = |text| expand_braces(text).join(" ");
        assert_eq!(expanded("{foo/{,cat,dog},bar}"), "foo/ foo/cat foo/dog bar");
        assert_eq!(expanded("a{b,c}d{e,f}"), "abde abdf acde acdf");
        assert_eq!(expanded("{}x{"), "{}x{");
        assert_eq!(expanded("plain"), "plain");
    }

    #[test]
    fn wildcards() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a?c", "abc", true),
            ("a[b-d]c", "adc", true),
            ("a[!b-d]c", "adc", false),
            ("a[]x]c", "a]c", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("\\*", "*", true),
            ("", "", true),
        ] {
            assert_eq!(wildcard(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_order_and_hidden_ones_are_not() {
        let mut memory = Memory::default();
        for path in ["/etc/k/b.conf", "/etc/k/a.conf", "/etc/k/.c.conf", "/etc/k/d/x.conf", "/etc/l/a.conf"] {
            memory.files.insert(path.into(), Vec::new());
        }
        let found = |pattern: &str| -> Vec<String> {
            let paths = matches(&memory, Path::new(pattern));
            paths.iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(found("/etc/k/*.conf"), ["/etc/k/a.conf", "/etc/k/b.conf"]);
        assert_eq!(found("/etc/k/*"), ["/etc/k/a.conf", "/etc/k/b.conf", "/etc/k/d"]);
        assert_eq!(found("/etc/?/a.conf"), ["/etc/k/a.conf", "/etc/l/a.conf"]);
        assert_eq!(found("/etc/k/*/x.conf"), ["/etc/k/d/x.conf"]);
        assert_eq!(found("/etc/x"), [""; 0]);
    }
}
