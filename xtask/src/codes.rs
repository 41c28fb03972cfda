//! Every code of a diagnostic stands in one place of the sources and has one paragraph in the manual.

use crate::shell::root;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The page with a paragraph for each code.
const PAGE: &str = "docs/diagnostics.md";
/// Letters of the shortest paragraph that says something.
const LEAST: usize = 60;

/// Compares the codes in `files` with the page.
pub(crate) fn tidy(files: &[PathBuf], wrong: &mut Vec<String>) {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let shown = file.strip_prefix(root()).unwrap_or(file).display().to_string();
        if !shown.starts_with("crates/") || shown.contains("/tests/") || shown.ends_with("tests.rs") {
            continue;
        }
        for code in codes(&fs::read_to_string(file).unwrap_or_default()) {
            found.entry(code).or_default().push(shown.clone());
        }
    }
    compare(&found, &fs::read_to_string(root().join(PAGE)).unwrap_or_default(), wrong);
}

/// The codes that a source makes.
fn codes(source: &str) -> impl Iterator<Item = String> {
    let made = source.split("Code(\"").skip(1).filter_map(|rest| rest.split_once("\")"));
    made.map(|(code, _)| code.to_owned())
}

fn compare(found: &BTreeMap<String, Vec<String>>, page: &str, wrong: &mut Vec<String>) {
    let paragraphs: Vec<(&str, &str)> =
        page.split("\n## ").skip(1).filter_map(|part| part.split_once(" — ")).collect();
    for (code, places) in found {
        if places.len() > 1 {
            wrong.push(format!("{code} is made in more than one place: {}", places.join(", ")));
        }
        let mut bodies = paragraphs.iter().filter(|(of, _)| of == code);
        match (bodies.next(), bodies.next()) {
            (None, _) => wrong.push(format!("{PAGE}: {code} ({}) has no paragraph", places.join(", "))),
            (_, Some(_)) => wrong.push(format!("{PAGE}: {code} has two paragraphs")),
            (Some((_, body)), None) => {
                let text = body.split_once('\n').map_or("", |(_, text)| text.trim());
                if text.len() < LEAST {
                    wrong.push(format!("{PAGE}: the paragraph of {code} says nothing"));
                }
            }
        }
    }
    for (code, _) in paragraphs.iter().filter(|(code, _)| !found.contains_key(*code)) {
        wrong.push(format!("{PAGE}: nothing makes {code}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_needs_one_place_and_one_paragraph() {
        let source = "const A: Code = Code(\"H1\"); const B: Code = Code(\"H2\"); error(Code(\"H4\"))";
        let mut found: BTreeMap<String, Vec<String>> =
            codes(source).map(|code| (code, vec!["a.rs".to_owned()])).collect();
        found.get_mut("H4").unwrap().push("b.rs".to_owned());
        let body = "x".repeat(LEAST);
        let page =
            format!("# D\n\n## H1 — one\n\nshort\n\n## H3 — three\n\n{body}\n\n## H4 — four\n\n{body}\n");
        let mut wrong = Vec::new();
        compare(&found, &page, &mut wrong);
        assert_eq!(
            wrong,
            [
                "docs/diagnostics.md: the paragraph of H1 says nothing",
                "docs/diagnostics.md: H2 (a.rs) has no paragraph",
                "H4 is made in more than one place: a.rs, b.rs",
                "docs/diagnostics.md: nothing makes H3",
            ]
        );
    }
}
