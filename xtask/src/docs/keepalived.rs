//! The page of keepalived's keywords.

use super::{item, wrap};
use keepalived_conf::keywords::{self, Block, Keyword, Shape, Status};
use std::fmt::Write as _;

/// Kinds of blocks in the order of the page, each with its heading.
const BLOCKS: [(Block, &str); 26] = [
    (Block::Top, "Outside of all blocks"),
    (Block::Global, "`global_defs`"),
    (Block::Instance, "`vrrp_instance`"),
    (Block::Authentication, "`authentication` of an instance"),
    (Block::Hmac, "`auth_hmac` of an instance"),
    (Block::SyncGroup, "`vrrp_sync_group`"),
    (Block::Script, "`vrrp_script`"),
    (Block::Process, "`vrrp_track_process`"),
    (Block::File, "`track_file`"),
    (Block::TrackGroup, "`track_group`"),
    (Block::GarpGroup, "`garp_group`"),
    (Block::Bfd, "`bfd_instance`"),
    (Block::VirtualServer, "`virtual_server`"),
    (Block::RealServer, "`real_server`"),
    (Block::Tcp, "`TCP_CHECK`"),
    (Block::Http, "`HTTP_GET` and `SSL_GET`"),
    (Block::Url, "`url` of those"),
    (Block::Smtp, "`SMTP_CHECK`"),
    (Block::SmtpHost, "`host` of it"),
    (Block::Dns, "`DNS_CHECK`"),
    (Block::Misc, "`MISC_CHECK`"),
    (Block::Udp, "`UDP_CHECK`"),
    (Block::Ping, "`PING_CHECK`"),
    (Block::FileCheck, "`FILE_CHECK`"),
    (Block::BfdCheck, "`BFD_CHECK`"),
    (Block::Ssl, "`SSL`"),
];

/// What becomes of a keyword, as the page tells it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Served,
    NoEffect,
    /// It is read and checked, and what it is for does not run.
    Director,
    NotYet,
}

impl State {
    fn of(keyword: &Keyword) -> Self {
        match keyword.status {
            Status::NotYet => Self::NotYet,
            Status::Served if keyword.is_of_director() => Self::Director,
            Status::Served => Self::Served,
            Status::NoEffect => Self::NoEffect,
        }
    }
}

/// The page, anew.
pub(super) fn page() -> String {
    let mut page = "\
# Keywords of keepalived.conf

<!-- Written by `cargo xtask docs` from crates/keepalived-conf/src/keywords. -->

Every name of the manual of keepalived 2.4, block by block, and what Evenkeel does with it. What is *for the director*
(virtual servers and their checks) is read and checked with all diagnostics, but the director itself is not there yet: a
file that has virtual servers is refused by name unless VRRP alone is asked for (`-P` or `evenkeel vrrp`), and then
the log says that they are left alone. A keyword that is not served is an error that says so. `{ … }` stands for a block.

| | served | without effect | for the director | not served yet |
|---|---|---|---|---|
"
    .to_owned();
    for (block, title) in BLOCKS {
        let count = |state| of(block, state).count();
        let _ = writeln!(
            page,
            "| {title} | {} | {} | {} | {} |",
            count(State::Served),
            count(State::NoEffect),
            count(State::Director),
            count(State::NotYet)
        );
    }
    for (block, title) in BLOCKS {
        let _ = write!(page, "\n## {title}\n");
        part(&mut page, block, State::Served, "Served");
        part(&mut page, block, State::NoEffect, "Accepted, without effect");
        part(&mut page, block, State::Director, "Read and checked, for the director");
        not_yet(&mut page, block);
    }
    page
}

fn of(block: Block, state: State) -> impl Iterator<Item = &'static Keyword> {
    keywords::all().filter(move |keyword| keyword.block == block && State::of(keyword) == state)
}

/// The keywords of one state, each with its line.
fn part(page: &mut String, block: Block, state: State, title: &str) {
    let mut rows = of(block, state).peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = write!(page, "\n### {title}\n\n");
    for keyword in rows {
        item(page, &format!("`{}`: {}", usage(keyword), keyword.doc));
    }
}

/// The keyword as it is written, with what follows it.
fn usage(keyword: &Keyword) -> String {
    let block = if keyword.shape == Shape::Statement { "" } else { "{ … }" };
    let words = [keyword.name, keyword.arguments, block];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The names that are refused, one after the other.
fn not_yet(page: &mut String, block: Block) {
    let names: Vec<String> = of(block, State::NotYet).map(|keyword| format!("`{}`", keyword.name)).collect();
    if !names.is_empty() {
        page.push_str("\n### Known, not served yet\n\n");
        wrap(page, &names.join(", "), "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_on_the_page() {
        assert!(keywords::all().all(|keyword| BLOCKS.iter().any(|(block, _)| *block == keyword.block)));
    }

    #[test]
    fn a_usage_shows_what_follows() {
        let usage = |block, name| usage(keywords::find(block, name).unwrap());
        assert_eq!(usage(Block::Top, "vrrp_instance"), "vrrp_instance NAME { … }");
        assert_eq!(usage(Block::Instance, "nopreempt"), "nopreempt");
        assert_eq!(usage(Block::Instance, "virtual_ipaddress"), "virtual_ipaddress { … }");
    }
}
