//! Golden texts of the renderers.

use super::*;
use insta::assert_snapshot;

fn span(sources: &Sources, file: FileId, needle: &str) -> Span {
    let start = u32::try_from(sources.get(file).unwrap().text.find(needle).unwrap()).unwrap();
    Span { file, start, end: start + u32::try_from(needle.len()).unwrap() }
}

fn sample() -> (Sources, Report) {
    let mut sources = Sources::default();
    let file = sources.add("x.cfg", "global\n node \"é\nfrontend f\n bnd :80\n");
    let other = sources.add("y.cfg", "backend f\n");
    let mut report = Report::default();
    report.push(Diagnostic::new(Code("H0001"), Severity::Notice, "hello").form(Form::Bare));
    report.push(
        Diagnostic::error(Code("H0002"), "unmatched quote at position 7")
            .at(span(&sources, file, "\""))
            .form(Form::Excerpt),
    );
    report.push(
        Diagnostic::error(Code("H0003"), "unknown keyword 'bnd' in 'frontend' section")
            .at(span(&sources, file, "bnd"))
            .related(span(&sources, file, "frontend f"), "in this section")
            .related(span(&sources, other, "backend f"), "not in this one")
            .note("write 'bind'"),
    );
    report.push(
        Diagnostic::warning(Code("H0004"), "missing timeouts for frontend 'f'.\n   | While not invalid")
            .at(span(&sources, file, "frontend f"))
            .form(Form::Bare),
    );
    report.push(
        Diagnostic::new(Code("H0005"), Severity::Hint, "odd")
            .at(span(&sources, other, "f"))
            .form(Form::Bracketed),
    );
    (sources, report)
}

#[test]
fn people_see_the_source() {
    let (sources, report) = sample();
    assert_snapshot!(Human { color: false, hints: true }.render(&sources, &report));
    assert!(!Human::default().render(&sources, &report).contains("odd"), "hints only on request");
    assert!(Human { color: true, hints: false }.render(&sources, &report).contains("\u{1b}["));
}

#[test]
fn programs_get_one_object_a_line() {
    let (sources, report) = sample();
    assert_snapshot!(json_lines(&sources, &report));
}

#[test]
fn scripts_get_the_lines_haproxy_writes() {
    let (sources, report) = sample();
    let program = Some(("2.6.12".to_owned(), "/usr/sbin/haproxy".to_owned()));
    let lines = HaproxyLines { pid: 42, program, hints: true };
    assert_snapshot!(lines.render(&sources, &report));
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let mut sources = Sources::default();
    let file = sources.add("x.cfg", format!("  {}\"{}\n", "a".repeat(100), "b".repeat(100)));
    let mut report = Report::default();
    report.push(
        Diagnostic::error(Code("H0002"), "unmatched quote")
            .at(span(&sources, file, "\""))
            .form(Form::Excerpt),
    );
    assert_snapshot!(HaproxyLines::default().render(&sources, &report));
}

#[test]
fn spans_beyond_the_text_or_inside_a_character_are_brought_in() {
    let mut sources = Sources::default();
    let file = sources.add("x.cfg", "é");
    let mut report = Report::default();
    for (start, end) in [(1, 1), (1, 2), (0, 900), (900, 901), (2, 1)] {
        report.push(Diagnostic::error(Code("H0002"), "x").at(Span { file, start, end }).form(Form::Excerpt));
    }
    assert_eq!(Human::default().render(&sources, &report).matches("error[H0002]").count(), 5);
    assert_eq!(json_lines(&sources, &report).lines().count(), 5);
    assert_eq!(HaproxyLines::default().render(&sources, &report).matches("x.cfg:1").count(), 5);
}
