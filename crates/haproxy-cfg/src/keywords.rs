//! The names of the newest HAProxy manual: what each is, where it may stand, and whether it is served.
//!
//! The tables are text, one keyword a line, in the files beside this one. A keyword is served by an arm of
//! the same name in `lower`; a test holds the two together.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Which kind of name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// First word of a line in `global`.
    Global,
    /// First word of a line in `defaults`, `frontend`, `listen` or `backend`.
    Proxy,
    /// After `option`.
    Option,
    /// After `timeout`.
    Timeout,
    /// After the address of a `bind` or `stats socket` line.
    Bind,
    /// After the address of a `server` line, or after `default-server`.
    Server,
    /// Rule set and action, such as `http-request deny`.
    Action,
    /// A sample fetch.
    Fetch,
    /// A converter.
    Converter,
    /// A criterion of ACLs that stands for a fetch and how it is matched, such as `path_beg`.
    Criterion,
    /// After `filter`.
    Filter,
    /// After `use-service`.
    Service,
    /// Section and first word of a line, in sections that are not served, such as `resolvers nameserver`.
    Section,
}

/// How far a keyword is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what the manual says.
    Served,
    /// Refused by name.
    NotYet,
    /// Accepted, because ignoring it changes nothing for users; [`Keyword::doc`] says why.
    NoEffect,
    /// HAProxy removed it; [`Keyword::doc`] is what HAProxy says.
    Removed,
}

/// The sections a keyword may stand in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    /// `global`.
    pub const GLOBAL: Self = Self(1);
    /// `defaults`.
    pub const DEFAULTS: Self = Self(2);
    /// `frontend`.
    pub const FRONTEND: Self = Self(4);
    /// `listen`.
    pub const LISTEN: Self = Self(8);
    /// `backend`.
    pub const BACKEND: Self = Self(16);

    /// Whether all of `places` are among these.
    pub const fn has(self, places: Self) -> bool {
        self.0 & places.0 == places.0
    }

    fn parse(letters: &str) -> Option<Self> {
        letters.chars().try_fold(Self::default(), |sum, letter| {
            let one = match letter {
                'G' => Self::GLOBAL,
                'D' => Self::DEFAULTS,
                'F' => Self::FRONTEND,
                'L' => Self::LISTEN,
                'B' => Self::BACKEND,
                _ => return None,
            };
            Some(Self(sum.0 | one.0))
        })
    }
}

/// One name of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// What kind of name.
    pub family: Family,
    /// The name; of an action, `RULE-SET ACTION`, with a `*` after it when it takes more in the same word.
    pub name: &'static str,
    /// Where it may stand.
    pub places: Places,
    /// What follows it, in the manual's notation; empty when nothing does.
    pub arguments: &'static str,
    /// How far it is served.
    pub status: Status,
    /// One line about it.
    pub doc: &'static str,
}

const TABLES: &[(Family, &str)] = &[
    (Family::Global, include_str!("keywords/global.txt")),
    (Family::Proxy, include_str!("keywords/proxy.txt")),
    (Family::Option, include_str!("keywords/option.txt")),
    (Family::Timeout, include_str!("keywords/timeout.txt")),
    (Family::Bind, include_str!("keywords/bind.txt")),
    (Family::Server, include_str!("keywords/server.txt")),
    (Family::Action, include_str!("keywords/action.txt")),
    (Family::Fetch, include_str!("keywords/fetch.txt")),
    (Family::Converter, include_str!("keywords/converter.txt")),
    (Family::Criterion, include_str!("keywords/criterion.txt")),
    (Family::Filter, include_str!("keywords/filter.txt")),
    (Family::Service, include_str!("keywords/service.txt")),
    (Family::Section, include_str!("keywords/section.txt")),
];

static ALL: LazyLock<Vec<Keyword>> = LazyLock::new(|| {
    let lines = TABLES.iter().flat_map(|&(family, text)| rows(text).map(move |row| (family, row)));
    lines.filter_map(|(family, row)| parse(family, row)).collect()
});

static BY_NAME: LazyLock<HashMap<(Family, &'static str), &'static Keyword>> =
    LazyLock::new(|| all().map(|keyword| ((keyword.family, keyword.name), keyword)).collect());

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn parse(family: Family, row: &'static str) -> Option<Keyword> {
    let mut fields = row.splitn(5, " ; ");
    let (name, places, arguments) = (fields.next()?, fields.next()?, fields.next()?);
    let status = match fields.next()? {
        "+" => Status::Served,
        "-" => Status::NotYet,
        "0" => Status::NoEffect,
        "x" => Status::Removed,
        _ => return None,
    };
    let doc = fields.next()?;
    Some(Keyword { family, name, places: Places::parse(places)?, arguments, status, doc })
}

/// Every keyword, family by family, sorted by name within each.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    ALL.iter()
}

/// The keyword of this name, if there is one.
pub fn find(family: Family, name: &str) -> Option<&'static Keyword> {
    BY_NAME.get(&(family, name)).copied()
}

/// The action of a rule set such as `http-request`; `word` may carry arguments: `set-var(txn.a)`, `track-sc0`.
pub fn find_action(rule_set: &str, word: &str) -> Option<&'static Keyword> {
    let actions = ALL.iter().filter(|keyword| keyword.family == Family::Action);
    let mut actions = actions
        .filter_map(|keyword| Some((keyword, keyword.name.strip_prefix(rule_set)?.strip_prefix(' ')?)));
    actions
        .find(|(_, action)| match action.strip_suffix('*') {
            Some(stem) => word.strip_prefix(stem).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('(') || rest.bytes().all(|b| b.is_ascii_digit())
            }),
            None => *action == word,
        })
        .map(|(keyword, _)| keyword)
}

/// The name among `candidates` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().div_ceil(3).max(1);
    let distances = candidates.into_iter().map(|name| (strsim::damerau_levenshtein(word, name), name));
    distances
        .filter(|&(distance, name)| distance <= limit && distance < name.len())
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_a_keyword_with_its_line() {
        for &(family, text) in TABLES {
            for row in rows(text) {
                let keyword = parse(family, row).unwrap_or_else(|| panic!("{family:?}: {row}"));
                assert!(!keyword.doc.trim().is_empty(), "{family:?}: {row}");
                assert!(!keyword.name.is_empty() && keyword.doc == keyword.doc.trim(), "{row}");
            }
        }
        assert_eq!(BY_NAME.len(), ALL.len(), "a name stands twice in one table");
    }

    #[test]
    fn the_manuals_counts_are_reached() {
        let count = |family| all().filter(|keyword| keyword.family == family).count();
        assert!(count(Family::Global) >= 238);
        assert_eq!(count(Family::Fetch), 562);
        assert_eq!(count(Family::Converter), 208);
        assert_eq!(count(Family::Criterion), 77);
        assert!(count(Family::Server) >= 126);
        assert!(count(Family::Bind) >= 80);
        assert!(count(Family::Option) >= 55);
    }

    #[test]
    fn actions_are_found_with_what_they_carry() {
        assert_eq!(
            find_action("http-request", "set-var(txn.a)").map(|k| k.name),
            Some("http-request set-var*")
        );
        assert_eq!(find_action("http-request", "track-sc0").map(|k| k.name), Some("http-request track-sc*"));
        assert_eq!(find_action("http-request", "deny").map(|k| k.name), Some("http-request deny"));
        assert_eq!(find_action("http-request", "denyx"), None);
        assert_eq!(find_action("http-response", "auth"), None);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = || all().filter(|k| k.family == Family::Global).map(|k| k.name);
        assert_eq!(nearest("maxcon", names()), Some("maxconn"));
        assert_eq!(nearest("tune.bufsiz", names()), Some("tune.bufsize"));
        assert_eq!(nearest("xyzzyq", names()), None);
    }
}
