//! The keywords of keepalived.conf: where each may stand, what follows it, and whether it is served.
//!
//! The tables are text, one keyword a line, one file for each kind of block, in the directory beside this file.

use std::sync::LazyLock;

/// A kind of block: where a keyword may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    /// Outside of all blocks.
    Top,
    /// `global_defs`.
    Global,
    /// `track_group`.
    TrackGroup,
    /// `garp_group`.
    GarpGroup,
    /// `vrrp_script`.
    Script,
    /// `vrrp_track_process`.
    Process,
    /// `track_file`.
    File,
    /// `vrrp_sync_group`.
    SyncGroup,
    /// `vrrp_instance`.
    Instance,
    /// `authentication` of an instance.
    Authentication,
    /// `auth_hmac` of an instance.
    Hmac,
    /// `bfd_instance`.
    Bfd,
    /// `SSL`.
    Ssl,
    /// `virtual_server`.
    VirtualServer,
    /// `real_server`.
    RealServer,
    /// `TCP_CHECK`.
    Tcp,
    /// `HTTP_GET` and `SSL_GET`.
    Http,
    /// `url` of those.
    Url,
    /// `SMTP_CHECK`.
    Smtp,
    /// `host` of `SMTP_CHECK`.
    SmtpHost,
    /// `DNS_CHECK`.
    Dns,
    /// `MISC_CHECK`.
    Misc,
    /// `BFD_CHECK`.
    BfdCheck,
    /// `UDP_CHECK`.
    Udp,
    /// `PING_CHECK`.
    Ping,
    /// `FILE_CHECK`.
    FileCheck,
}

/// What follows a keyword's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Statement,
    /// `{`, keywords of this kind of block, `}`.
    Keywords(Block),
    /// `{`, lines of values, `}`.
    Values,
}

/// How far a keyword is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what the manual says.
    Served,
    /// Refused by name.
    NotYet,
    /// Accepted, because ignoring it changes nothing; [`Keyword::doc`] says why.
    NoEffect,
}

/// One keyword in one kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// Where it stands.
    pub block: Block,
    /// Its name.
    pub name: &'static str,
    /// What follows its line.
    pub shape: Shape,
    /// What follows it on its line, in the manual's notation; empty when nothing does.
    pub arguments: &'static str,
    /// How far it is served.
    pub status: Status,
    /// One line about it.
    pub doc: &'static str,
}

impl Keyword {
    /// Whether it concerns the director (virtual servers, their checks, IPVS) and nothing else.
    pub fn is_of_director(&self) -> bool {
        const NAMES: [&str; 7] = [
            "virtual_server",
            "virtual_server_group",
            "SSL",
            "net_namespace_ipvs",
            "smtp_alert_checker",
            "no_checker_emails",
            "rs_init_notifies",
        ];
        match self.block {
            Block::Top | Block::Global => {
                let begins = |start: &&str| self.name.starts_with(*start);
                NAMES.contains(&self.name) || ["lvs_", "checker_", "nftables_ipvs"].iter().any(begins)
            }
            block => DIRECTOR.contains(&block),
        }
    }
}

/// The blocks of the director.
const DIRECTOR: [Block; 14] = [
    Block::Ssl,
    Block::VirtualServer,
    Block::RealServer,
    Block::Tcp,
    Block::Http,
    Block::Url,
    Block::Smtp,
    Block::SmtpHost,
    Block::Dns,
    Block::Misc,
    Block::BfdCheck,
    Block::Udp,
    Block::Ping,
    Block::FileCheck,
];

const TABLES: &[(Block, &str)] = &[
    (Block::Top, include_str!("keywords/top.txt")),
    (Block::Global, include_str!("keywords/global_defs.txt")),
    (Block::TrackGroup, include_str!("keywords/track_group.txt")),
    (Block::GarpGroup, include_str!("keywords/garp_group.txt")),
    (Block::Script, include_str!("keywords/vrrp_script.txt")),
    (Block::Process, include_str!("keywords/vrrp_track_process.txt")),
    (Block::File, include_str!("keywords/track_file.txt")),
    (Block::SyncGroup, include_str!("keywords/vrrp_sync_group.txt")),
    (Block::Instance, include_str!("keywords/vrrp_instance.txt")),
    (Block::Authentication, include_str!("keywords/authentication.txt")),
    (Block::Hmac, include_str!("keywords/auth_hmac.txt")),
    (Block::Bfd, include_str!("keywords/bfd_instance.txt")),
    (Block::Ssl, include_str!("keywords/ssl.txt")),
    (Block::VirtualServer, include_str!("keywords/virtual_server.txt")),
    (Block::RealServer, include_str!("keywords/real_server.txt")),
    (Block::Tcp, include_str!("keywords/tcp_check.txt")),
    (Block::Http, include_str!("keywords/http_get.txt")),
    (Block::Url, include_str!("keywords/url.txt")),
    (Block::Smtp, include_str!("keywords/smtp_check.txt")),
    (Block::SmtpHost, include_str!("keywords/host.txt")),
    (Block::Dns, include_str!("keywords/dns_check.txt")),
    (Block::Misc, include_str!("keywords/misc_check.txt")),
    (Block::BfdCheck, include_str!("keywords/bfd_check.txt")),
    (Block::Udp, include_str!("keywords/udp_check.txt")),
    (Block::Ping, include_str!("keywords/ping_check.txt")),
    (Block::FileCheck, include_str!("keywords/file_check.txt")),
];

static ALL: LazyLock<Vec<Keyword>> = LazyLock::new(|| {
    let rows = TABLES.iter().flat_map(|&(block, text)| rows(text).map(move |row| (block, row)));
    rows.filter_map(|(block, row)| parse(block, row)).collect()
});

/// Places in [`ALL`], in the order of blocks and names.
static BY_NAME: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let mut places: Vec<_> = (0_u16..).take(ALL.len()).collect();
    places.sort_by_key(|place| key(*place));
    places
});

fn key(place: u16) -> Option<(Block, &'static str)> {
    ALL.get(usize::from(place)).map(|keyword| (keyword.block, keyword.name))
}

fn rows(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn parse(block: Block, row: &'static str) -> Option<Keyword> {
    let mut fields = row.splitn(5, " ; ");
    let (name, shape, arguments) = (fields.next()?, fields.next()?, fields.next()?);
    let shape = match shape {
        "." => Shape::Statement,
        "[]" => Shape::Values,
        "{}" => Shape::Keywords(opened(name)?),
        _ => return None,
    };
    let status = match fields.next()? {
        "+" => Status::Served,
        "-" => Status::NotYet,
        "0" => Status::NoEffect,
        _ => return None,
    };
    Some(Keyword { block, name, shape, arguments, status, doc: fields.next()? })
}

/// The kind of block that a keyword opens.
fn opened(name: &str) -> Option<Block> {
    Some(match name {
        "global_defs" => Block::Global,
        "track_group" => Block::TrackGroup,
        "garp_group" => Block::GarpGroup,
        "vrrp_script" => Block::Script,
        "vrrp_track_process" => Block::Process,
        "track_file" | "vrrp_track_file" => Block::File,
        "vrrp_sync_group" => Block::SyncGroup,
        "vrrp_instance" => Block::Instance,
        "authentication" => Block::Authentication,
        "auth_hmac" => Block::Hmac,
        "bfd_instance" => Block::Bfd,
        "SSL" => Block::Ssl,
        "virtual_server" => Block::VirtualServer,
        "real_server" => Block::RealServer,
        "TCP_CHECK" => Block::Tcp,
        "HTTP_GET" | "SSL_GET" => Block::Http,
        "url" => Block::Url,
        "SMTP_CHECK" => Block::Smtp,
        "host" => Block::SmtpHost,
        "DNS_CHECK" => Block::Dns,
        "MISC_CHECK" => Block::Misc,
        "BFD_CHECK" => Block::BfdCheck,
        "UDP_CHECK" => Block::Udp,
        "PING_CHECK" => Block::Ping,
        "FILE_CHECK" => Block::FileCheck,
        _ => return None,
    })
}

/// Every keyword, block by block.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    ALL.iter()
}

/// The keyword of this name in this kind of block.
pub fn find(block: Block, name: &str) -> Option<&'static Keyword> {
    let at = BY_NAME.binary_search_by_key(&Some((block, name)), |place| key(*place)).ok()?;
    ALL.get(usize::from(*BY_NAME.get(at)?))
}

/// The name in this kind of block that `word` was probably meant to be.
pub fn nearest(block: Block, word: &str) -> Option<&'static str> {
    diag::suggest(word, all().filter(|keyword| keyword.block == block).map(|keyword| keyword.name))
}

/// The blocks that have a keyword of this name, by the keywords that open them.
pub fn homes(word: &str) -> Vec<&'static str> {
    let blocks = all().filter(|keyword| keyword.name == word).map(|keyword| keyword.block);
    let mut homes: Vec<&'static str> = blocks.filter_map(opener).collect();
    homes.dedup();
    homes
}

/// The keyword that opens a kind of block.
fn opener(block: Block) -> Option<&'static str> {
    ALL.iter().find(|keyword| keyword.shape == Shape::Keywords(block)).map(|keyword| keyword.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_a_keyword_with_its_line() {
        for &(block, text) in TABLES {
            for row in rows(text) {
                let keyword = parse(block, row).unwrap_or_else(|| panic!("{block:?}: {row}"));
                assert!(keyword.doc.len() > 8 && keyword.doc == keyword.doc.trim(), "{row}");
                assert!(!keyword.name.is_empty(), "{row}");
            }
        }
        assert_eq!(BY_NAME.len(), ALL.len(), "a name stands twice in one table");
    }

    #[test]
    fn there_are_as_many_as_keepalived_registers() {
        let mut names: Vec<&str> = all().map(|keyword| keyword.name).collect();
        names.sort_unstable();
        names.dedup();
        assert!(all().count() >= 364, "{}", all().count());
        assert!(names.len() >= 300, "{}", names.len());
    }

    #[test]
    fn near_names_are_suggested_and_homes_known() {
        assert_eq!(nearest(Block::VirtualServer, "delay_lop"), Some("delay_loop"));
        assert_eq!(nearest(Block::Instance, "xyzzyq"), None);
        assert_eq!(homes("router_id"), ["global_defs"]);
    }
}
