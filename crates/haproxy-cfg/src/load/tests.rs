use super::*;
use diag::{HaproxyLines, Severity};
use insta::assert_snapshot;
use proptest::prelude::*;

struct Read {
    document: Document,
    context: Context,
    sources: Sources,
    report: Report,
}

fn environment() -> Environment {
    [("HOME", "/root"), ("A", "a b"), ("L", " a  b "), ("EMPTY", ""), ("HASH", "x#y\"$HOME")]
        .into_iter()
        .collect()
}

fn read_all(texts: &[&[u8]]) -> Read {
    let inputs: Vec<Input> = texts
        .iter()
        .zip(["x.cfg", "y.cfg", "z.cfg"])
        .map(|(text, name)| Input { name: name.to_owned(), text: text.to_vec() })
        .collect();
    let mut context = Context { env: environment(), diagnostics: true, ..Context::default() };
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let document = read(&inputs, &mut context, &mut sources, &mut report);
    Read { document, context, sources, report }
}

fn read_text(text: &str) -> Read {
    read_all(&[text.as_bytes()])
}

impl Read {
    /// The report as HAProxy prints it, without the lines that give up.
    fn lines(&self) -> String {
        let lines = HaproxyLines { pid: 1, program: None, hints: true }.render(&self.sources, &self.report);
        let kept = lines.split_inclusive('\n').filter(|line| !line.contains(" found in configuration"));
        kept.collect::<String>().replace("(1) : config : parsing ", "")
    }

    /// One line for each line of the document, words in angle brackets.
    fn words(&self) -> String {
        let lines = self.document.sections.iter().flat_map(|s| std::iter::once(&s.header).chain(&s.lines));
        lines
            .map(|line| {
                line.words.iter().map(|word| format!("<{}>", word.as_str())).collect::<String>() + "\n"
            })
            .collect()
    }
}

/// The only word after `x` on a line that haproxy would read as `x TEXT`.
fn word(text: &str) -> String {
    let read = read_text(&format!("global\n x {text}\n"));
    assert_eq!(read.lines(), "", "{text}");
    let words = &read.document.sections[0].lines[0].words;
    assert_eq!(words.len(), 2, "{text}: {words:?}");
    words[1].text.clone()
}

/// Each pair is what haproxy 2.6 prints for `.warning TEXT`.
#[test]
fn words_are_unquoted_and_expanded_as_in_haproxy() {
    for (text, expected) in [
        ("\"$HOME\"", "/root"),
        ("$HOME", "$HOME"),
        ("\"${HOME}\"", "/root"),
        ("\"${NOPE-def}\"", "def"),
        ("\"${NOPE-}\"", ""),
        ("\"$NOPE\"", ""),
        ("\"${EMPTY-def}\"", ""),
        ("\"${NOPE-a b}\"", "a b"),
        ("\"${NOPE-\"x\"}\"", "\"x\""),
        ("\"${NOPE-a\\}b}\"", "a\\b}"),
        ("\"$HOME.B\"", "/root.B"),
        ("\"${.LINE}\"", "2"),
        ("\"$.LINE\"", "2"),
        ("\"${.FILE}\"", "x.cfg"),
        ("\"${.SECTION}\"", "global"),
        ("\"a\\$b\"", "a$b"),
        ("a\\$b", "a\\$b"),
        ("'$HOME'", "$HOME"),
        ("a\\qb", "a\\qb"),
        ("\"a\\qb\"", "a\\qb"),
        ("\"a\\nb\\r\\t\"", "a\nb\r\t"),
        ("a\\x41b", "aAb"),
        ("'a\\nb'", "a\\nb"),
        ("a\"b c\"d'e f'", "ab cde f"),
        ("\"$HASH\"", "x#y\"$HOME"),
        ("\"a#b\"", "a#b"),
        ("a\\", "a\\"),
        ("\"a'b\"", "a'b"),
        ("'a\"b'", "a\"b"),
        ("a#b", "a"),
        ("a #b", "a"),
        ("a\\ b", "a b"),
        ("\"a\\'b\\#c\\\\d\"", "a'b#c\\d"),
        ("a\\'b\\#c\\\\d\\\"", "a'b#c\\d\""),
        ("\"\\$\\{\"", "$\\{"),
        ("\"${NOPE[*]-x}\"", "x"),
        ("\"${NOPE-x[*]}\"", "x[*]"),
        ("\"é\"", "é"),
    ] {
        assert_eq!(word(text), expected, "{text}");
    }
}

#[test]
fn lists_become_words() {
    let lines = [
        "zz\"${A[*]}\"zz",
        "zz\"${L[*]}\"zz",
        "zz\"${EMPTY[*]}\"zz",
        "\"${EMPTY[*]}\"",
        "\"${L[*]}\"",
        "\"x ${A[*]} y\"",
        "\"${A[*]}${A[*]}\"",
        "\"${NOPE[*]-p q}\"",
        "\"${NOPE[*]}\" more",
        "\"\"",
    ];
    let text: String = lines.iter().map(|line| format!(" x {line}\n")).collect();
    let read = read_text(&format!("global\n{text}"));
    assert_eq!(read.lines(), "");
    assert_snapshot!(read.words(), @r"
    <global>
    <x><zza><bzz>
    <x><zz><a><b><zz>
    <x><zzzz>
    <x>
    <x><a><b>
    <x><x a><b y>
    <x><a><ba><b>
    <x><p><q>
    <x><more>
    <x><>
    ");
}

#[test]
fn unreadable_lines_are_reported_where_haproxy_points() {
    let lines = [
        "node \"abc",
        "node 'abc",
        "foo\"a b",
        "node \"${abc\"",
        "node \"${1bc}\"",
        "node \"$1bc\"",
        "node \"$\"",
        "node \"$ a\"",
        "node \"${}\"",
        "node \"${A:-x}\"",
        "node \"${A.B}\"",
        "node \"${Aé}\"",
        "node \"${.FOO}\"",
        "node \"$.LINEx\"",
        "node \"a\\xZZ\"",
        "node a\\x4",
        "node \"${LIST[*}\"",
        "node \"${LIST[0]}\"",
        "node \"\" x",
    ];
    let text: String = lines.iter().map(|line| format!(" {line}\n")).collect();
    let read = read_text(&format!("global\n{text}"));
    assert_eq!(read.words(), "<global>\n");
    assert_eq!(read.report.count(Severity::Error), lines.len());
    assert_snapshot!(read.lines());
}

#[test]
fn line_ends_and_odd_bytes() {
    let mut text = b"global\r\n node abc\r\n x a\rb\n x \"a\rb\"\n x a\0b\n x a\\x00b c\n x \x0b\xc3\xa9 \xe9\\xe9\n # foo".to_vec();
    let read = read_all(&[&text]);
    assert_snapshot!(read.lines() + &read.words());
    assert_eq!(read.document.sections[0].lines[3].words[2].bytes(), b"\xe9\xe9");
    text.push(b'\n');
    assert!(!read_all(&[&text]).lines().contains("Missing LF"));
}

#[test]
fn at_most_64_words() {
    let words = |n: usize| format!("global\n {}\n", (1..=n).map(|i| format!("w{i} ")).collect::<String>());
    assert_eq!(read_text(&words(64)).lines(), "");
    assert_eq!(
        read_text(&words(70)).lines(),
        "[ALERT]    [x.cfg:2]: too many words, truncating after word 64, position 244: <w64>.\n"
    );
}

#[test]
fn environment_changes_are_seen_by_later_lines() {
    let read = read_text(
        "global\n setenv B \"x y\"\n.warning \"$B\"\n presetenv B z\n presetenv C c\n.warning \"$B $C\"\n unsetenv B\n\
         .if defined(B)\n.alert no\n.endif\n setenv D d\n resetenv D\n.warning \"$HOME$D\"\n setenv A\n setenv\n\
         \x20setenv A b c\n setenv A b c d\n setenv A=B c\n unsetenv\n presetenv X \"\"\nfrontend f\n setenv E e\n",
    );
    assert_snapshot!(read.lines());
    assert_eq!(read.context.env.get("D"), Some(&b"d"[..]));
    assert_eq!(read.context.env.get("E"), None, "only in global");
}

#[test]
fn conditional_blocks_choose_lines() {
    let read = read_text(
        ".if 1\nglobal\n.else\nfrontend no\n.endif\n.if 0\n no\n.elif 1\n yes 1\n.elif foo\n no\n.else\n no\n.endif\n\
         .if 0\n.if foo\n no\n.else\n no\n.endif\n.foo\n.alert no\n no\n.else\n yes 2\n.endif\n.if \"$NOPE\"\n no\n\
         .elif streq(\"${A}\",\"a b\")\n yes 3\n.endif\n.notice \"a b\"\n.diag d\n.warning w\n.alert\n",
    );
    assert_snapshot!(read.lines() + &read.words(), @r"
    [NOTICE]   [x.cfg:32]: 'a b'.
    [DIAG]     [x.cfg:33]: 'd'.
    [WARNING]  [x.cfg:34]: 'w'.
    [ALERT]    [x.cfg:35]: ''.
    <global>
    <yes><1>
    <yes><2>
    <yes><3>
    ");
}

#[test]
fn wrong_directives_are_reported_in_haproxys_words() {
    let mut all = String::new();
    for text in [
        ".if foo\n.endif\n",
        ".if 0\n.elif 1 x\n.endif\n",
        ".if \"foo\" bar\n.endif\n",
        ".if streq(\"a,b\n x\n.else\n x\n.endif\n",
        ".if 1\n.else\n.else\n.elif 1\n.endif\n",
        ".else\n.elif 1\n.endif\n",
        ".if 1\n.else x\n.endif x\n",
        ".if 1\n x\n",
        ".foo x\n.elfi\n",
        ".alert a b\n.diag a b\n",
        "foo\nfronted f\n",
    ] {
        all += &format!("{text}--\n{}\n", read_text(text).lines());
    }
    assert_snapshot!(all);
}

#[test]
fn nesting_is_limited_without_a_cascade() {
    let text = format!("{}global\n{}frontend f\n", ".if 1\n".repeat(1030), ".endif\n".repeat(1030));
    let read = read_text(&text);
    assert_eq!(read.lines(), "[ALERT]    [x.cfg:1025]: too many nested '.if', max is 1024.\n");
    assert_eq!(read.words(), "<frontend><f>\n");
}

#[test]
fn neither_sections_nor_blocks_go_on_in_the_next_file() {
    let read = read_all(&[
        b"global\n a\n.if 1\n",
        b" b \"${.SECTION}\"\nfrontend f # c\n bind :80\n",
        b" c\ndefaults\n x \"${.SECTION}\"\n",
    ]);
    assert_snapshot!(read.lines() + &read.words(), @r"
    [ALERT]    [x.cfg:3]: non-terminated '.if' block.
    [ALERT]    [y.cfg:1]: unknown keyword 'b' out of section.
    [ALERT]    [z.cfg:1]: unknown keyword 'c' out of section.
    <global>
    <a>
    <frontend><f>
    <bind><:80>
    <defaults>
    <x><defaults>
    ");
}

#[test]
fn variables_cannot_grow_without_bound() {
    let mut text = "global\n setenv V xxxxxxxxxxxxxxxx\n".to_owned();
    for _ in 0..40 {
        text += " setenv V \"$V$V\"\n";
    }
    let read = read_text(&text);
    assert!(read.report.iter().any(|d| d.code == code::EXPANSION_TOO_LARGE));
    assert!(read.context.env.get("V").unwrap().len() <= lex::EXPANSION_BUDGET);
}

#[test]
fn a_file_full_of_errors_is_given_up() {
    let read = read_text(&"x\n".repeat(5000));
    assert_eq!(read.report.len(), 1001);
    assert_eq!(read.report.iter().last().map(|d| d.code), Some(code::TOO_MANY_MESSAGES));
}

#[test]
fn every_code_has_its_paragraph() {
    let manual = include_str!("../../../../docs/diagnostics.md");
    for code in code::ALL {
        let heading = format!("## {} ", code.0);
        let paragraph =
            manual.split(&heading).nth(1).unwrap_or_else(|| panic!("{} is not documented", code.0));
        let body = paragraph.split("\n## ").next().unwrap();
        assert!(body.lines().skip(1).any(|line| line.len() > 40), "{} has no paragraph", code.0);
    }
    let unique: std::collections::BTreeSet<_> = code::ALL.iter().map(|code| code.0).collect();
    assert_eq!(unique.len(), code::ALL.len());
}

#[test]
fn directories_are_read_in_the_order_of_names() {
    let dir = std::env::temp_dir().join(format!("evenkeel-load-{}", std::process::id()));
    fs::create_dir_all(dir.join("sub.cfg")).unwrap();
    for name in ["b.cfg", "a.cfg", ".h.cfg", "c.txt"] {
        fs::write(dir.join(name), name).unwrap();
    }
    let mut report = Report::default();
    let inputs = read_paths(&[dir.clone(), dir.join("none"), dir.join("c.txt")], &mut report);
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(
        inputs.iter().map(|input| input.text.as_slice()).collect::<Vec<_>>(),
        [&b"a.cfg"[..], b"b.cfg", b"c.txt"]
    );
    let messages: Vec<&str> = report.iter().map(|d| d.message.as_str()).collect();
    let missing = dir.join("none");
    assert_eq!(
        messages,
        [format!(
            "Cannot open configuration file/directory {} : No such file or directory",
            missing.display()
        )]
    );
}

/// Text near the edges of the language.
fn near_language() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"global\n",
        b"\n",
        b" ",
        b"\t",
        b"\r",
        b"\0",
        b"\"",
        b"'",
        b"\\",
        b"\\x4",
        b"\\x41",
        b"$",
        b"${",
        b"}",
        b"[*]",
        b"-",
        b"$HOME",
        b"${A[*]}",
        b"${.LINE}",
        b".if ",
        b".elif ",
        b".else\n",
        b".endif\n",
        b"1",
        b"(",
        b")",
        b"!",
        b"&&",
        b"||",
        b"streq(",
        b",",
        b"setenv ",
        b"resetenv\n",
        b"#",
        b"\xe9",
        "é".as_bytes(),
        b".alert ",
        b"frontend f\n",
        b"w ",
    ];
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(pieces), 0..60).prop_map(|pieces| pieces.concat()),
        proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_bytes_are_read_and_spans_lie_inside(text in near_language()) {
        let read = read_all(&[&text]);
        let inside = |span: Span| span.start <= span.end && span.end as usize <= text.len();
        for section in &read.document.sections {
            for line in std::iter::once(&section.header).chain(&section.lines) {
                prop_assert!(!line.words.is_empty() && inside(line.span));
                for word in &line.words {
                    prop_assert!(inside(word.span), "{word:?}");
                    prop_assert!(!text[word.span.start as usize..word.span.end as usize].contains(&b'\n'));
                }
            }
        }
        for diagnostic in read.report.iter() {
            prop_assert!(diagnostic.span.is_none_or(inside), "{diagnostic:?}");
        }
        let _ = (read.lines(), diag::Human::default().render(&read.sources, &read.report));
        let _ = diag::json_lines(&read.sources, &read.report);
    }
}
