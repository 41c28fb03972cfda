//! Blocks into the model, keyword by keyword, with keepalived's own messages.

mod account;
mod address;
mod checker;
mod forwarding;
mod global;
mod global_process;
mod global_vrrp;
mod http;
mod instance;
mod instance_options;
mod metrics;
mod network;
mod number;
mod real_server;
mod route;
mod route_encap;
mod rule;
mod scheduler;
mod script;
mod server;
mod server_group;
mod sync_group;
mod track;

use crate::interfaces::InterfaceTable;
use crate::model::{Config, GarpGroup, Instance, Name, SyncGroup, TrackGroup};
use crate::reader::Reader;
use crate::tree::Node;
use crate::word::{Line, Word};
use crate::{code, keywords::Block};
use diag::{Code, Diagnostic, Report, Severity, Span};

pub(crate) use instance::InstanceDraft;
pub(crate) use server::{ServerDraft, show_service};

/// The first preference that keepalived gives rules without one; the next get one less each.
const FIRST_RULE: u32 = 16384;

/// A configuration in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) config: Config,
    pub(crate) instances: Vec<InstanceDraft>,
    pub(crate) sync_groups: Vec<SyncGroup>,
    pub(crate) track_groups: Vec<TrackGroup>,
    pub(crate) servers: Vec<ServerDraft>,
    /// Whether any script is run on behalf of VRRP, of the director, or at start and end.
    pub(crate) runs_scripts: [bool; 3],
    /// The first interface that is named and does not exist.
    pub(crate) missing_interface: Option<Span>,
}

/// Reads blocks into a draft.
pub(crate) fn lower(
    nodes: &[Node],
    reader: &dyn Reader,
    interfaces: &dyn InterfaceTable,
    report: &mut Report,
) -> Draft {
    let mut draft = Draft::default();
    let mut lower = Lower {
        reader,
        interfaces,
        report,
        next_rule: [FIRST_RULE; 2],
        needs_script_user: false,
        said_script_user: false,
        missing_interface: None,
        track_groups: Vec::new(),
    };
    // What other blocks refer to, and defaults, come first wherever they stand.
    for node in nodes.iter().filter(|node| node.keyword.name == "global_defs") {
        lower.global(node, &mut draft);
    }
    let global = &draft.config.global;
    lower.needs_script_user = global.script_security && global.script_user.is_none();
    for node in nodes {
        lower.top(node, &mut draft);
    }
    draft.missing_interface = lower.missing_interface;
    draft
}

/// The configuration of a draft that was checked.
pub(crate) fn finish(draft: Draft) -> Config {
    let mut config = draft.config;
    config.instances = draft.instances.into_iter().map(|draft| draft.instance).collect::<Vec<Instance>>();
    config.sync_groups = draft.sync_groups;
    config.track_groups = draft.track_groups;
    config.virtual_servers = draft.servers.into_iter().map(|draft| draft.server).collect();
    config
}

/// What every part of the lowering needs.
pub(crate) struct Lower<'a> {
    pub(crate) reader: &'a dyn Reader,
    pub(crate) interfaces: &'a dyn InterfaceTable,
    pub(crate) report: &'a mut Report,
    /// The preferences that rules get which have none, IPv4 and IPv6.
    pub(crate) next_rule: [u32; 2],
    /// `enable_script_security` without `script_user`.
    pub(crate) needs_script_user: bool,
    /// Whether it was said that there is no default user.
    pub(crate) said_script_user: bool,
    /// The first interface that is named and does not exist.
    pub(crate) missing_interface: Option<Span>,
    /// Track groups so far.
    pub(crate) track_groups: Vec<String>,
}

impl Lower<'_> {
    fn top(&mut self, node: &Node, draft: &mut Draft) {
        match node.keyword.name {
            "global_defs" => {}
            "static_ipaddress" => self.static_addresses(node, draft),
            "static_routes" => self.static_routes(node, draft),
            "static_rules" => self.static_rules(node, draft),
            "track_group" => self.track_group(node, draft),
            "linkbeat_interfaces" => self.linkbeat(node, draft),
            "interface_up_down_delays" => self.interface_delays(node, draft),
            "garp_group" => self.garp_group(node, draft),
            "vrrp_script" => self.track_script(node, draft),
            "vrrp_track_process" => self.track_process(node, draft),
            "track_file" | "vrrp_track_file" => self.track_file(node, draft),
            "vrrp_sync_group" => self.sync_group(node, draft),
            "vrrp_instance" => self.instance(node, draft),
            "SSL" => self.ssl(node, draft),
            "virtual_server_group" => self.server_group(node, draft),
            "virtual_server" => self.virtual_server(node, draft),
            _ => {
                self.process_statement(node, &mut draft.config.global);
            }
        }
    }

    pub(crate) fn say(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::warning(code, message).at(span));
    }

    /// Says that an interface does not exist, which keepalived does not start with.
    pub(crate) fn no_interface(&mut self, span: Span, message: impl Into<String>) {
        self.missing_interface = self.missing_interface.or(Some(span));
        self.say(code::INTERFACE, span, message);
    }

    pub(crate) fn mention(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::new(code, Severity::Notice, message).at(span));
    }

    /// The argument at `index` (the first is 1); that it is missing is reported.
    pub(crate) fn word<'w>(&mut self, line: &'w Line, index: usize) -> Option<&'w Word> {
        let found = line.words.get(index);
        if found.is_none() {
            let before = index.checked_sub(1).and_then(|before| line.words.get(before));
            let after = before.map_or_else(String::new, |word| format!(" after keyword `{}`", word.text));
            let message = format!(
                "*** Configuration line starting `{}` is missing a parameter{after} at word position {}",
                line.keyword(),
                index + 1
            );
            self.report.push(Diagnostic::error(code::MISSING_PARAMETER, message).at(line.span));
        }
        found
    }

    /// The name of a block: its first argument.
    pub(crate) fn name(&mut self, line: &Line) -> Option<Name> {
        self.word(line, 1).map(name_of)
    }

    /// `on|true|yes` or `off|false|no`.
    pub(crate) fn truth(word: &str) -> Option<bool> {
        match word {
            "true" | "on" | "yes" => Some(true),
            "false" | "off" | "no" => Some(false),
            _ => None,
        }
    }

    /// A switch that is on when nothing follows it; `message` is said of what is neither on nor off.
    pub(crate) fn switch(&mut self, line: &Line, message: impl FnOnce(&str) -> String) -> Option<bool> {
        let Some(word) = line.words.get(1) else { return Some(true) };
        let found = Self::truth(&word.text);
        if found.is_none() {
            self.say(code::CHOICE, word.span, message(&word.text));
        }
        found
    }
}

/// A word as a name.
pub(crate) fn name_of(word: &Word) -> Name {
    Name { text: word.text.clone(), place: Some(word.span) }
}

/// The numbered garp groups so far.
pub(crate) fn is_garp_group_of(group: &GarpGroup, interface: &str) -> bool {
    group.interfaces.iter().any(|name| name.text == interface)
}

/// Whether a block is a checker of a real server.
pub(crate) fn is_checker_node(node: &Node) -> bool {
    use crate::keywords::Shape::Keywords;
    let Keywords(block) = node.keyword.shape else { return false };
    matches!(
        block,
        Block::Tcp
            | Block::Http
            | Block::Smtp
            | Block::Dns
            | Block::Misc
            | Block::Udp
            | Block::Ping
            | Block::FileCheck
    )
}
