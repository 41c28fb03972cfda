use super::*;
use proptest::prelude::*;

/// What PCRE2 10.42 made of patterns, options and subjects: where the first match begins and ends, `none`, or `error`.
const RECORDED: &str = include_str!("../../../tests/data/pcre2-10.42.txt");

/// `\xHH` for what is not printable.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'\\', [b'x', digits @ ..]) => {
                let (digits, tail) = digits.split_at(2);
                rest = tail;
                u8::from_str_radix(core::str::from_utf8(digits).unwrap(), 16).unwrap()
            }
            _ => *first,
        });
    }
    bytes
}

fn compile(pattern: &str, options: &str) -> Result<Pattern, RegexError> {
    let options: Vec<&str> = options.split(' ').filter(|name| !name.is_empty()).collect();
    Pattern::compile(pattern, &options, Conditions::default())
}

/// What is refused although PCRE2 takes it: patterns and their options.
const REFUSED: &[(&str, &str)] = &[
    // References to groups that come later.
    (r"\1(f)", ""),
    // A class that nothing is in, repeated.
    ("[]*a?", "allow_empty_class"),
    // Part of a character.
    (r"\C", "utf"),
];

#[test]
fn matches_are_pcre2s() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in RECORDED.lines() {
        let [pattern, options, subject, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (pattern, subject) = (String::from_utf8(unescape(pattern)).unwrap(), unescape(subject));
        count += 1;
        let ours = match compile(&pattern, options) {
            Err(error) => format!("error: {error}"),
            Ok(compiled) => match compiled.first_match(&subject) {
                Found::Match { start, end } => format!("{start}-{end}"),
                Found::Nothing => "none".to_owned(),
                Found::Undecided => "undecided".to_owned(),
            },
        };
        let refused = REFUSED.contains(&(pattern.as_str(), options));
        if ours.split(':').next() != Some(if refused { "error" } else { expected }) {
            wrong.push(format!(
                "{pattern:?} {options} {:?}: {ours}, not {expected}",
                subject.escape_ascii().to_string()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
