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
                Found::Match(Range { start, end }) => format!("{start}-{end}"),
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

fn satisfied(pattern: &str, conditions: Conditions, body: &[u8], limit: usize) -> bool {
    Pattern::compile(pattern, &[], conditions).unwrap().satisfied(body, limit)
}

#[test]
fn offsets_bound_where_a_match_begins() {
    let at = |min_offset, max_offset| {
        let conditions = Conditions { min_offset, max_offset, no_match: false };
        satisfied("b.b", conditions, b"aabxb-bxb", 100)
    };
    assert!(at(0, 0) && at(2, 0) && at(2, 2) && at(0, 2));
    assert!(!at(0, 1), "the first match is the one that counts");
    assert!(at(3, 4) && at(3, 6) && !at(5, 5) && at(6, 0) && !at(7, 0) && !at(100, 0));
    let conditions = Conditions { min_offset: 2, ..Conditions::default() };
    assert!(satisfied("(?<=a)b", conditions, b"aab", 100), "what is before may be looked at");
}

#[test]
fn no_match_is_the_opposite_where_it_is_decided() {
    let plain = Conditions::default();
    let no_match = Conditions { no_match: true, ..plain };
    for (pattern, body, matches) in [("o+", b"foo".as_slice(), true), ("x", b"foo", false)] {
        assert_eq!(satisfied(pattern, plain, body, 100), matches);
        assert_eq!(satisfied(pattern, no_match, body, 100), !matches);
        assert_eq!(satisfied(pattern, plain, body, 2), matches && pattern != "o+", "cut: {pattern}");
        assert!(!satisfied(pattern, no_match, body, 2), "what was not seen may match");
    }
    assert!(satisfied("f", plain, b"foo", 2));
    let utf =
        |body: &[u8], conditions| Pattern::compile("x", &["utf"], conditions).unwrap().satisfied(body, 9);
    assert!(!utf(b"\xff", plain) && !utf(b"\xff", no_match) && utf(b"x", plain) && utf(b"y", no_match));
}

#[test]
fn a_search_that_never_ends_is_given_up() {
    let body = vec![b'a'; 1 << 16];
    for pattern in [r"(a+)+\1b", r"^(a|aa)+\1$x", r"(?:a*)*(?=b)\d", r"(a*)*\1c", r"(?<=a{3})(a?)*?\1b"] {
        let plain = Conditions::default();
        assert!(!satisfied(pattern, plain, &body, 1 << 20), "{pattern}");
        // What the limit of steps cut off is no success either way; what was decided is.
        let _ = satisfied(pattern, Conditions { no_match: true, ..plain }, &body, 1 << 20);
    }
    let greedy = Conditions { no_match: true, ..Conditions::default() };
    assert!(!satisfied(r"^(a|aa)+\1{2}b", greedy, &body, 1 << 20));
}

#[test]
fn a_pattern_that_takes_too_much_is_refused() {
    for pattern in
        ["((a{1000}){1000}){1000}", r"(?:(?:\w{500}){500}){500}", &"(".repeat(5000), &"(a".repeat(900)]
    {
        assert!(compile(pattern, "").is_err(), "{pattern}");
    }
}

#[test]
fn what_is_not_served_is_said() {
    let error = |pattern, options| compile(pattern, options).unwrap_err().to_string();
    assert_eq!(error("a", "dupnames"), "regex option dupnames is not served");
    assert_eq!(error("a", "ucp"), "regex option ucp is not served without utf");
    assert_eq!(error("(*UTF8)a", ""), "(*…) in a regex is not served");
    assert_eq!(error("(?R)", ""), "this kind of group in a regex is not served");
    assert_eq!(error(r"\g<1>", ""), "a subroutine (\\g<…>) in a regex is not served");
    assert_eq!(error("(?|a|b)", ""), "this kind of group in a regex is not served");
    assert_eq!(error(r"\x{100}", ""), "a character beyond 255 needs the option utf");
    for later in
        ["(?(2)a|b)(c)(d)", "(?(<n>)a|b)(?<n>c)", r"\k<n>(?<n>c)", r"\g{2}(a)(b)", "(?P=n)(?<n>c)", "(?(0)a)"]
    {
        assert!(compile(later, "").is_err(), "{later}");
    }
    assert_eq!(error(r"\C", "never_backslash_c"), "\\C is forbidden by never_backslash_c");
}

#[test]
fn equal_patterns_are_compiled_once() {
    let mut patterns = Patterns::default();
    let mut compile =
        |pattern, options: &[&str]| patterns.compile(pattern, options, Conditions::default()).unwrap();
    let (one, two, other) = (compile("a", &[]), compile("a", &["auto_callout"]), compile("a", &["caseless"]));
    assert!(Arc::ptr_eq(&one.regex, &two.regex) && !Arc::ptr_eq(&one.regex, &other.regex));
}

proptest! {
    #[test]
    fn nothing_panics(
        pattern in r"([a-c(){}\[\]|*+?^$.\\0-9xQE:=!<>'#,\-]|\\[a-zA-Z0-9]|\(\?[imsxnU:=!<|]|é){0,24}",
        options in proptest::sample::subsequence(
            vec!["caseless", "dotall", "extended", "multiline", "ungreedy", "utf", "allow_empty_class", "firstline"], 0..4),
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Ok(pattern) = Pattern::compile(&pattern, &options, Conditions::default()) {
            let limit = body.len().saturating_sub(3);
            let matched = pattern.satisfied(&body, 1000);
            let cut = pattern.satisfied(&body, limit);
            let not = Pattern { conditions: Conditions { no_match: true, ..Conditions::default() }, ..pattern };
            prop_assert!(!(matched && not.satisfied(&body, 1000)));
            prop_assert!(!(cut && not.satisfied(&body, limit)));
        }
    }
}
