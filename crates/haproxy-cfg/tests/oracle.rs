//! The same text to us and to the installed haproxy (2.6): the first thing each says about it must be the same.
//!
//! Where newer manuals differ from 2.6 there is a unit test instead.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "runs haproxy beside the core")]

use diag::{HaproxyLines, Report, Sources};
use haproxy_cfg::{Context, Environment, Input, read};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLES: [(&str, &str); 5] =
    [("HOME", "/root"), ("A", "a b"), ("L", " a  b "), ("EMPTY", ""), ("HASH", "x#y\"$HOME")];

/// A directory of its own, gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evenkeel-oracle-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What haproxy says about the text, line by line, without process ids.
fn haproxy(directory: &Path, text: &[u8]) -> Vec<String> {
    fs::write(directory.join("x.cfg"), text).expect("the configuration is written");
    let output = Command::new("haproxy")
        .args(["-c", "-dD", "-f", "x.cfg"])
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(VARIABLES)
        .output()
        .expect("haproxy runs; install Debian's haproxy package");
    said(&output.stderr)
}

fn ours(text: &[u8]) -> Vec<String> {
    let mut context = Context {
        env: VARIABLES.into_iter().collect::<Environment>(),
        diagnostics: true,
        ..Context::default()
    };
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let input = Input { name: "x.cfg".to_owned(), text: text.to_vec() };
    read(&[input], &mut context, &mut sources, &mut report);
    said(HaproxyLines { pid: 0, program: None, hints: true }.render(&sources, &report).as_bytes())
}

/// Messages of the language, each with its excerpt.
fn said(stderr: &[u8]) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut inside = false;
    for line in stderr.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        if let Some((level, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            inside = rest.contains("config : parsing [x.cfg:") && rest.contains("]: ");
            if let (true, Some((_, message))) = (inside, rest.split_once(") : ")) {
                messages.push(format!("{level} {message}"));
            }
        } else if inside && line.starts_with("  ") {
            messages.last_mut().expect("an excerpt follows its message").push_str(&format!("\n{line}"));
        }
    }
    messages
}

#[test]
fn the_first_complaint_is_the_same() {
    let scratch = Scratch::new("first");
    let mut different = Vec::new();
    let conditions = [
        "",
        "0",
        "1",
        "-1",
        "0x10",
        "010",
        "08",
        "1a",
        "!0",
        "! ! 1",
        "(1)",
        "((0))",
        "(1",
        "1 && 0",
        "1&&1||0",
        "1 &&",
        "&& 1",
        "1 & 1",
        "!",
        "()",
        "( 1 ) x",
        "defined(HOME)",
        "defined( HOME )",
        "defined",
        "defined HOME",
        "defined()",
        "defined(a,b)",
        "defined(HOME",
        "defined (HOME)",
        "defined(HOME)x",
        "streq(a,a)",
        "streq(\"a\",\"a\")",
        "streq(a)",
        "streq(,)",
        "streq(a,b,c)",
        "strneq(a,b)",
        "feature(thread)",
        "foo(1)",
        "\"1 && 0\"",
        "0 && foo",
        "0x",
        "streq(a,b",
        "'streq(a\\ b,\"a b\")'",
        "'streq(\"ab,x)'",
        "\"$A\" && 1",
        "streq(\"${A}\",a)",
        "streq(\"$EMPTY\",)",
        "1 # c",
        "1;2",
        "+1",
        "streq(a   b,\"a b\")",
    ];
    let condition = conditions.map(|text| format!("global\n.if {text}\n.alert T\n.else\n.alert F\n.endif\n"));
    let texts = [
        "foo bar\nglobal\n",
        "global\n maxconn 10",
        "# foo",
        "global\n   ",
        "\n\n x\n",
        ".else\n",
        ".elif 1\n",
        ".endif\n",
        ".if 1\n.else x\n.endif\n",
        ".if 1\n.endif x\n",
        ".if 1\n.else\n.else\n.endif\n",
        ".if 1\n.else\n.elif 1\n.endif\n",
        ".if 1\n",
        ".if 1\nglobal\n\n\n",
        ".foo\n",
        ".foo x\n",
        ".\n",
        ".alert\n",
        ".alert a\n",
        ".warning a b\n",
        ".notice 'a b'\n",
        ".diag x\n",
        ".diag x y\n",
        ".if 0\n garbage \"\n.endif\n",
        ".if 0\n.if foo\n.endif\n.foo\n.endif\n.alert x\n",
        "global\n node a\0b\n node c\n",
        "global\r\n node a\r\n.alert x\r\n",
        "global\n setenv A\n",
        "global\n setenv A \"\"\n",
        "global\n setenv A=B c\n",
        "global\n presetenv X\n",
        "global\n unsetenv\n",
        "global\n setenv B x\n.alert \"$B\"\n",
        "global\n presetenv A x\n.alert \"$A\"\n",
        "global\n unsetenv A\n.alert \"$A\"\n",
        "global\n resetenv A\n.alert \"$HOME$A\"\n",
        "global\n.alert \"${.SECTION}${.LINE}${.FILE}\"\n",
        "defaults d\n.alert \"${.SECTION}\"\n",
        ".alert \"<${.SECTION}>\"\n",
    ];
    let words = |n: usize| format!("global\n{}\n", (1..=n).map(|i| format!(" w{i}")).collect::<String>());
    let many = [words(65), words(70), format!("global\n\t x{}y\n", " z".repeat(64))];
    for text in condition.iter().map(String::as_str).chain(texts).chain(many.iter().map(String::as_str)) {
        let (theirs, ours) = (haproxy(&scratch.0, text.as_bytes()), ours(text.as_bytes()));
        // haproxy's excerpt shows a condition after quotes and variables, ours the line as it stands.
        let rewritten = text.contains(".if '") || text.contains(".if \"");
        let first = |said: &[String]| {
            said.first()
                .map(|first| first.split('\n').take(if rewritten { 1 } else { 3 }).collect::<String>())
        };
        if first(&theirs) != first(&ours) {
            different.push(format!(
                "{text:?}\n  haproxy: {:?}\n  ours:    {:?}",
                theirs.first(),
                ours.first()
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// A small generator with a fixed seed (SplitMix64): the same lines every time.
struct Lines(u64);

impl Lines {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).expect("small")
    }

    /// A `.warning` with one argument, or what nearly is one. Blanks outside quotes would end haproxy's reading.
    fn warning(&mut self) -> Vec<u8> {
        const PIECES: [&[u8]; 36] = [
            b"a",
            b"b1",
            b"_",
            b"\"",
            b"\"",
            b"\"",
            b"'",
            b"'",
            b"\\",
            b"\\\"",
            b"\\'",
            b"\\\\",
            b"\\n",
            b"\\t",
            b"\\x41",
            b"\\x4",
            b"\\xe9",
            b"\xe9",
            b"$",
            b"$HOME",
            b"${HOME}",
            b"${NOPE-x}",
            b"${NOPE",
            b"}",
            b"{",
            b"-",
            b"[*]",
            b"[",
            b".",
            b"\"$HASH\"",
            b"${.LINE}",
            b"$.LINE",
            b"\\$",
            b"\\#",
            b"\\q",
            b"\xc3\xa9",
        ];
        let count = 1 + self.next(8);
        let mut line = b".warning x".to_vec();
        (0..count).for_each(|_| line.extend_from_slice(PIECES[self.next(PIECES.len())]));
        line.push(b'\n');
        line
    }
}

#[test]
fn random_words_are_read_the_same() {
    let scratch = Scratch::new("random");
    let mut lines = Lines(7);
    for _ in 0..40 {
        // A long line first: whenever haproxy must enlarge its buffer it reads the line again after it has already
        // cut a variable's default out of it, and then misses the brace.
        let long = format!(".warning '{}'\n", "x".repeat(4000)).into_bytes();
        let text: Vec<u8> = std::iter::once(long).chain((1..60).map(|_| lines.warning())).flatten().collect();
        let (theirs, ours) = (haproxy(&scratch.0, &text), ours(&text));
        assert_eq!(theirs.len(), 60, "haproxy says something about every line");
        let lines = text.split(|&byte| byte == b'\n');
        for ((theirs, ours), line) in theirs.iter().zip(&ours).zip(lines) {
            // haproxy cuts the excerpt where it has cut a variable's default out of the line.
            assert_eq!(theirs.split('\n').next(), ours.split('\n').next(), "{}", line.escape_ascii());
        }
    }
}
