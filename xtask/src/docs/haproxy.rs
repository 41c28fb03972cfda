//! The page of HAProxy's keywords.

use super::{item, wrap};
use haproxy_cfg::keywords::{self, Family, Keyword, Places, Status};
use std::fmt::Write as _;

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

/// The page, anew.
pub(super) fn page() -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_on_the_page() {
        assert!(keywords::all().all(|k| FAMILIES.iter().any(|(family, _)| *family == k.family)));
    }
}
