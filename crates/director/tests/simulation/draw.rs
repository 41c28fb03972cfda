//! Configurations out of chance, and what an operator may do to them.

#![expect(clippy::indexing_slicing, reason = "positions are drawn below the lengths")]

use crate::stage::{IPIP, checker, group, server, service, sorry};
use director::plane::{Flags, Forwarding, Protocol, Scheduler};
use director::{
    Checker, Config, FlushOnStop, GroupEntry, RealServer, Settings, Target, Verdict, VirtualServer,
};
use sim::chance::Chance;
use std::time::Duration;

fn forwarding(chance: &mut Chance) -> Forwarding {
    *chance.one(&[Forwarding::Nat, Forwarding::Nat, Forwarding::DirectRouting, IPIP])
}

fn a_checker(chance: &mut Chance, taken: &[Checker]) -> Checker {
    let free = |one: &str| !taken.iter().any(|other| other.identity == one);
    let names: Vec<&str> =
        ["a", "b", "c", "alpha d", "alpha e", "alpha f"].into_iter().filter(|one| free(one)).collect();
    let name: &str = if names.is_empty() { "g" } else { names[chance.below(names.len())] };
    let mut new = checker(name);
    if chance.odds(1, 12) {
        new.kind = "FILE_CHECK";
        new.alpha = false;
        new.known = Some(Verdict::new(chance.odds(2, 3), "the file", ""));
    }
    new
}

fn a_server(chance: &mut Chance) -> RealServer {
    let address = format!("10.1.0.{}", 1 + chance.below(6));
    let port = *chance.one(&[80, 8080]);
    let mut new = server(&address, port, *chance.one(&[0, 1, 1, 2, 3, 10]), &[]);
    new.forwarding = forwarding(chance);
    new.inhibit = chance.odds(1, 4);
    new.smtp_alert = chance.odds(1, 3);
    if chance.odds(1, 3) {
        new.slow_start = Duration::from_secs(30);
    }
    if chance.odds(1, 3) {
        new.drain = Duration::from_secs(60);
    }
    if chance.odds(1, 8) {
        new.upper_threshold = 100;
        new.lower_threshold = 50;
    }
    for _ in 0..*chance.one(&[0, 1, 1, 1, 2, 3]) {
        let one = a_checker(chance, &new.checkers);
        new.checkers.push(one);
    }
    new
}

fn add_server(chance: &mut Chance, to: &mut VirtualServer) {
    let new = a_server(chance);
    let same = |one: &RealServer| (one.address, one.port) == (new.address, new.port);
    if !to.real_servers.iter().any(same) {
        let place = chance.below(to.real_servers.len() + 1);
        to.real_servers.insert(place, new);
    }
}

fn an_entry(chance: &mut Chance) -> GroupEntry {
    if chance.odds(1, 3) {
        return GroupEntry::Mark { mark: 1 + chance.below(4) as u32, family: None };
    }
    let first = 1 + chance.below(4);
    let last = first + chance.below(4);
    let of = |n: usize| crate::stage::address(&format!("10.0.9.{n}"));
    GroupEntry::Addresses { first: of(first), last: of(last), port: *chance.one(&[80, 443]) }
}

fn entries(chance: &mut Chance) -> Vec<GroupEntry> {
    let mut all: Vec<GroupEntry> = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let new = an_entry(chance);
        if !all.contains(&new) {
            all.push(new);
        }
    }
    all
}

fn scheduler(chance: &mut Chance) -> Scheduler {
    let all: Vec<Scheduler> = Scheduler::ALL.into_iter().map(|(_, one)| one).collect();
    if chance.odds(1, 2) { Scheduler::WeightedLeastConnection } else { chance.one(&all).clone() }
}

fn a_quorum(chance: &mut Chance, of: &mut VirtualServer) {
    of.quorum = *chance.one(&[1, 1, 1, 2, 3, 5]);
    of.hysteresis = chance.below(of.quorum as usize) as u32;
}

fn a_sorry(chance: &mut Chance, of: &mut VirtualServer) {
    of.sorry_server = None;
    if chance.odds(2, 3) {
        let mut new = sorry("10.9.0.9", 80, chance.odds(1, 3));
        if let (true, Some(one)) = (chance.odds(1, 5), of.real_servers.first()) {
            (new.address, new.port) = (one.address, one.port);
        }
        new.forwarding = forwarding(chance);
        of.sorry_server = Some(new);
    }
}

fn a_service(chance: &mut Chance, shared: &[GroupEntry]) -> VirtualServer {
    let mut new = match chance.below(6) {
        0 => VirtualServer {
            target: Target::Mark(1 + chance.below(4) as u32),
            protocol: None,
            ..service("10.0.0.1", 80)
        },
        1 => group("own", entries(chance)),
        2 => group("shared", shared.to_vec()),
        _ => service(&format!("10.0.0.{}", 1 + chance.below(3)), 80),
    };
    if new.protocol.is_some() && chance.odds(1, 4) {
        new.protocol = Some(Protocol::Udp);
    }
    new.scheduler = scheduler(chance);
    new.flags = Flags { flag_1: chance.odds(1, 6), ..Flags::default() };
    new.persistence = chance.odds(1, 5).then_some(300);
    new.omega = chance.odds(1, 3);
    new.smtp_alert = chance.odds(1, 2);
    new.ha_suspend = chance.odds(1, 8) && !matches!(new.target, Target::Mark(_));
    a_quorum(chance, &mut new);
    for _ in 0..chance.below(6) {
        add_server(chance, &mut new);
    }
    a_sorry(chance, &mut new);
    new
}

pub(crate) fn config(chance: &mut Chance) -> Config {
    let settings = Settings {
        flush: chance.odds(1, 10),
        flush_on_stop: *chance.one(&[
            FlushOnStop::No,
            FlushOnStop::No,
            FlushOnStop::Services,
            FlushOnStop::Everything,
        ]),
        init_notifies: chance.odds(1, 2),
        no_checker_mail: chance.odds(1, 2),
    };
    let shared = entries(chance);
    let count = 1 + chance.below(4);
    Config { settings, virtual_servers: (0..count).map(|_| a_service(chance, &shared)).collect() }
}

/// Changes one thing, or some.
pub(crate) fn edit(chance: &mut Chance, config: &mut Config) {
    for _ in 0..1 + chance.below(3) {
        edit_one(chance, config);
    }
}

fn edit_one(chance: &mut Chance, config: &mut Config) {
    let shared = config
        .virtual_servers
        .iter()
        .find_map(|one| match &one.target {
            Target::Group { name, entries } if name == "shared" => Some(entries.clone()),
            _ => None,
        })
        .unwrap_or_else(|| entries(chance));
    if config.virtual_servers.is_empty() || chance.odds(1, 12) {
        config.virtual_servers.push(a_service(chance, &shared));
        return;
    }
    let at = chance.below(config.virtual_servers.len());
    match chance.below(16) {
        0 => {
            config.virtual_servers.remove(at);
        }
        1 => config.virtual_servers.rotate_left(at),
        2 => {
            let new = entries(chance);
            let which = if chance.odds(1, 2) { "own" } else { "shared" };
            for one in &mut config.virtual_servers {
                if let Target::Group { name, entries } = &mut one.target
                    && name == which
                {
                    entries.clone_from(&new);
                }
            }
        }
        3 => config.virtual_servers[at].scheduler = scheduler(chance),
        4 => a_quorum(chance, &mut config.virtual_servers[at]),
        5 => a_sorry(chance, &mut config.virtual_servers[at]),
        6 => config.virtual_servers[at].persistence = chance.odds(1, 2).then_some(60),
        7 => {
            config.virtual_servers[at].ha_suspend ^=
                !matches!(config.virtual_servers[at].target, Target::Mark(_))
        }
        8 | 9 => add_server(chance, &mut config.virtual_servers[at]),
        _ => edit_server(chance, &mut config.virtual_servers[at]),
    }
}

fn edit_server(chance: &mut Chance, of: &mut VirtualServer) {
    if of.real_servers.is_empty() {
        return add_server(chance, of);
    }
    let at = chance.below(of.real_servers.len());
    match chance.below(9) {
        0 | 1 => {
            of.real_servers.remove(at);
        }
        2 => of.real_servers.rotate_left(at),
        3 => of.real_servers[at].weight = *chance.one(&[0, 1, 4, 7]),
        4 => of.real_servers[at].inhibit ^= true,
        5 => of.real_servers[at].forwarding = forwarding(chance),
        6 => of.real_servers[at].upper_threshold = *chance.one(&[0, 60, 200]),
        7 => {
            let server = &mut of.real_servers[at];
            if chance.odds(1, 2) && !server.checkers.is_empty() {
                let which = chance.below(server.checkers.len());
                server.checkers.remove(which);
            } else {
                let one = a_checker(chance, &server.checkers);
                server.checkers.push(one);
            }
            server.lower_threshold = server.lower_threshold.min(server.upper_threshold);
        }
        _ => {
            of.real_servers[at].slow_start = *chance.one(&[Duration::ZERO, Duration::from_secs(30)]);
            of.real_servers[at].drain = *chance.one(&[Duration::ZERO, Duration::from_secs(60)]);
        }
    }
    let server = &mut of.real_servers;
    for one in server {
        one.lower_threshold = one.lower_threshold.min(one.upper_threshold);
    }
}
