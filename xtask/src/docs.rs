//! `cargo xtask docs`: the pages that are made from tables, and what keeps the written ones true.

mod haproxy;
mod keepalived;

use crate::shell::root;
use std::fs;
use std::path::Path;

/// A page, and what makes it.
type Page = (&'static str, fn() -> String);
/// The pages that are made from keyword tables.
const PAGES: [Page; 2] =
    [("docs/keywords.md", haproxy::page), ("docs/keywords-keepalived.md", keepalived::page)];
/// Columns of a line of those pages at most.
const WIDTH: usize = 120;

/// Writes the generated pages.
pub(crate) fn run() -> Result<(), String> {
    for (name, page) in PAGES {
        let path = root().join(name);
        fs::write(&path, page()).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{name} is written");
    }
    Ok(())
}

/// Whether generated pages are up to date, and whether written ones speak of files that exist.
pub(crate) fn tidy(wrong: &mut Vec<String>) {
    for (name, page) in PAGES {
        if fs::read_to_string(root().join(name)).unwrap_or_default() != page() {
            wrong.push(format!("{name} is not what the keyword tables say: run `cargo xtask docs`"));
        }
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
}
