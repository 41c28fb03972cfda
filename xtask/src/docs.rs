//! `cargo xtask docs`: the pages that are made from tables, and what keeps the written ones true.

use crate::shell::root;
use haproxy_cfg::keywords::{self, Family, Keyword, Places, Status};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The page that is made from the keyword tables.
const PAGE: &str = "docs/keywords.md";
/// Columns of a line of that page at most.
const WIDTH: usize = 120;

/// Families in the order of the page, each with its heading.
const FAMILIES: [(Family, &str); 13] = [
    (Family::Global, "Settings of `global`"),
    (Family::Proxy, "Settings of `defaults`, `frontend`, `listen` and `backend`"),
    (Family::Option, "`option`"),
    (Family::Timeout, "`timeout`"),
    (Family::Bind, "Arguments of `bind`"),
    (Family::Server, "Arguments of `server` and `default-server`"),
    (Family::Action, "Actions of rule sets"),
    (Family::Fetch, "Sample fetches"),
    (Family::Converter, "Converters"),
    (Family::Criterion, "ACL criteria that stand for a fetch and a match"),
    (Family::Filter, "`filter`"),
    (Family::Service, "Services"),
    (Family::Section, "Settings of sections that are not served"),
];

/// Writes the generated pages.
pub(crate) fn run() -> Result<(), String> {
    let path = root().join(PAGE);
    fs::write(&path, keywords_page()).map_err(|e| format!("{}: {e}", path.display()))?;
    println!("{PAGE} is written");
    Ok(())
}

/// Whether generated pages are up to date, and whether written ones speak of files that exist.
pub(crate) fn tidy(wrong: &mut Vec<String>) {
    if fs::read_to_string(root().join(PAGE)).unwrap_or_default() != keywords_page() {
        wrong.push(format!("{PAGE} is not what the keyword tables say: run `cargo xtask docs`"));
    }
    for folder in ["", "docs"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        let mut pages: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        pages.retain(|page| page.extension().is_some_and(|e| e == "md"));
        pages.sort();
        for page in pages {
            written(&page, wrong);
        }
    }
}

/// Links and paths in one page.
fn written(page: &Path, wrong: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(page) else { return };
    let shown = page.strip_prefix(root()).unwrap_or(page).display().to_string();
    let folder = page.parent().unwrap_or(page);
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                wrong.push(format!("{shown}:{at}: there is no {file} to link to"));
            }
        }
        for code in line.split('`').skip(1).step_by(2) {
            let ours = ["crates/", "xtask/", "docs/", "fuzz/", ".ci/"];
            let path =
                ours.iter().any(|start| code.starts_with(start)) && !code.contains([' ', '*', '<', '{']);
            if path && !root().join(code).exists() {
                wrong.push(format!("{shown}:{at}: there is no {code}"));
            }
        }
    }
}

fn keywords_page() -> String {
    let mut page = "\
# Keywords

<!-- Written by `cargo xtask docs` from crates/haproxy-cfg/src/keywords and crates/logformat/src/alias.rs. -->

Every name of the HAProxy 3.5 configuration manual, and what Evenkeel does with it. A keyword that is not served is an
error that says so, with the line it stands in; none is passed over in silence. Behind a keyword stand the sections it
may be used in: **D**efaults, **F**rontend, **L**isten, **B**ackend.

| | served | without effect | not served yet | removed by HAProxy |
|---|---|---|---|---|
"
    .to_owned();
    for (family, title) in FAMILIES {
        let count = |status| keywords::all().filter(|k| k.family == family && k.status == status).count();
        let _ = writeln!(
            page,
            "| {title} | {} | {} | {} | {} |",
            count(Status::Served),
            count(Status::NoEffect),
            count(Status::NotYet),
            count(Status::Removed)
        );
    }
    for (family, title) in FAMILIES {
        let _ = write!(page, "\n## {title}\n");
        part(&mut page, family, Status::Served, "Served");
        part(&mut page, family, Status::NoEffect, "Accepted, without effect");
        not_yet(&mut page, family);
        part(&mut page, family, Status::Removed, "Removed by HAProxy, and refused in its words");
    }
    page.push_str("\n## Aliases of log formats\n\nAll are served.\n\n");
    for (name, doc) in logformat::aliases() {
        item(&mut page, &format!("`%{name}`: {doc}"));
    }
    page
}

fn of(family: Family, status: Status) -> impl Iterator<Item = &'static Keyword> {
    keywords::all().filter(move |keyword| keyword.family == family && keyword.status == status)
}

/// The keywords of one state, each with its line.
fn part(page: &mut String, family: Family, status: Status, title: &str) {
    let mut rows = of(family, status).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(page, "\n### {title}\n\n");
    for keyword in rows {
        let blank = if keyword.arguments.is_empty() { "" } else { " " };
        let places = places(keyword.places);
        let places = if places.is_empty() { places } else { format!(" ({places})") };
        item(page, &format!("`{}{blank}{}`{places}: {}", keyword.name, keyword.arguments, keyword.doc));
    }
}

/// The names that are refused, one after the other.
fn not_yet(page: &mut String, family: Family) {
    let names: Vec<String> =
        of(family, Status::NotYet).map(|keyword| format!("`{}`", keyword.name)).collect();
    if names.is_empty() {
        return;
    }
    page.push_str("\n### Known, not served yet\n\n");
    wrap(page, &names.join(", "), "");
}

/// The letters of the sections; none for what belongs to one section only.
fn places(places: Places) -> String {
    let letters =
        [(Places::DEFAULTS, 'D'), (Places::FRONTEND, 'F'), (Places::LISTEN, 'L'), (Places::BACKEND, 'B')];
    letters.iter().filter(|(place, _)| places.has(*place)).map(|(_, letter)| letter).collect()
}

fn item(page: &mut String, text: &str) {
    page.push_str("- ");
    wrap(page, text, "  ");
}

/// Adds `text` in lines of at most [`WIDTH`] columns, each but the first after `indent`. What stands between back quotes is
/// not broken.
fn wrap(page: &mut String, text: &str, indent: &str) {
    let mut column = indent.len();
    let mut first = true;
    for piece in pieces(text) {
        let width = piece.chars().count();
        if first {
            first = false;
        } else if column + 1 + width > WIDTH {
            page.push('\n');
            page.push_str(indent);
            column = indent.len();
        } else {
            page.push(' ');
            column += 1;
        }
        page.push_str(piece);
        column += width;
    }
    page.push('\n');
}

/// Words, those between back quotes held together.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '`';
        character == ' ' && !quoted
    })
    .filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_outside_of_quotes() {
        let mut page = String::new();
        let long = "x".repeat(WIDTH - 10);
        wrap(&mut page, &format!("{long} `a b c d e f`, g"), "  ");
        assert_eq!(page, format!("{long}\n  `a b c d e f`, g\n"));
    }

    #[test]
    fn every_family_is_on_the_page() {
        assert!(keywords::all().all(|k| FAMILIES.iter().any(|(family, _)| *family == k.family)));
    }
}
