//! Two load balancers on two networks, as the administration guide sets them up (its files, but for the names of the
//! interfaces): a sync group keeps the outer and the inner virtual address together, whoever of a pair runs what.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use testkit::lab::{Host, Lab, Process, eventually};

const EXTERNAL: &str = "10.0.0.1";
const INTERNAL: &str = "192.168.1.1";

/// What a load balancer runs.
#[derive(Clone, Copy, Debug)]
enum Program {
    Ours,
    Keepalived,
}

fn start(lab: &Lab, host: &Host, program: Program, config: &str) -> Process {
    let path = |what: &str| lab.directory().join(format!("{}.{what}", host.namespace)).display().to_string();
    let file = lab.file(&format!("{}.conf", host.namespace), config).display().to_string();
    let (parent, child) = (path("pid"), path("vrrp.pid"));
    // -P: the guide's file has virtual servers too, which are another process's.
    let words = ["-P", "-n", "-l", "-D", "-f", &file, "-p", &parent, "-r", &child];
    let log = format!("{}.log", host.namespace);
    match program {
        Program::Ours => {
            let words: Vec<_> = std::iter::once("vrrp").chain(words).collect();
            host.start(lab, &log, env!("CARGO_BIN_EXE_evenkeel"), &words)
        }
        Program::Keepalived => host.start(lab, &log, "/usr/sbin/keepalived", &words),
    }
}

/// Waits until one host has both addresses and the other none.
fn both_at(what: &str, here: &Host, there: &Host) {
    eventually(what, || {
        [EXTERNAL, INTERNAL].iter().all(|address| here.has_address(address) && !there.has_address(address))
    });
}

fn pair(first: Program, second: Program) {
    let mut lab = Lab::new();
    let hosts = [lab.host("lb1"), lab.host("lb2")];
    lab.segment("ext", 30, &hosts);
    lab.segment("int", 31, &hosts);
    let [one, two] = &hosts;
    let mut active = start(&lab, one, first, include_str!("data/pair/lb1.conf"));
    let mut backup = start(&lab, two, second, include_str!("data/pair/lb2.conf"));
    both_at("LB1 has both addresses", one, two);
    for segment in ["ext", "int"] {
        lab.unplug(segment, 1);
        both_at(&format!("{segment} of LB1 is unplugged: both addresses move to LB2"), two, one);
        lab.plug(segment, 1);
        both_at(&format!("{segment} of LB1 is plugged in: both addresses return"), one, two);
    }
    // The network on which nothing happened has never had two at once for good; and LB2's trouble moves nothing.
    lab.unplug("ext", 2);
    eventually("LB2 notices", || backup.text().contains("(RH_EXT) Entering FAULT STATE"));
    both_at("LB1 keeps both addresses", one, two);
    lab.plug("ext", 2);
    assert!(active.stop().success(), "{}", active.text());
    both_at("LB1 is stopped: both addresses move to LB2", two, one);
    assert!(backup.stop().success(), "{}", backup.text());
    for address in [EXTERNAL, INTERNAL] {
        assert!(!one.has_address(address) && !two.has_address(address));
    }
}

#[test]
fn the_guides_pair_moves_both_addresses_together() {
    pair(Program::Ours, Program::Ours);
}

#[test]
fn the_guides_pair_works_with_keepalived_as_backup() {
    pair(Program::Ours, Program::Keepalived);
}

#[test]
fn the_guides_pair_works_with_keepalived_as_master() {
    pair(Program::Keepalived, Program::Ours);
}
