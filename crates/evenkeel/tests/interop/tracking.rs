//! What moves the priority or takes a router out: scripts, interfaces, groups.

use super::node::until;
use super::pair::{A, ADDRESS, B, Case, Pair, VIP, fast, stop_and_part};

/// A script that succeeds as long as a file is there, on the first node; on the other it always does.
fn script(weight: &str, instance: &str) -> String {
    let script = format!(
        "vrrp_script check {{\n@a script \"/usr/bin/test -e {{DIR}}/healthy\"\n@b script \"/usr/bin/true\"\n \
         interval 1\n timeout 1\n rise 1\n fall 1\n{weight}\n}}\n"
    );
    fast(&format!("{instance}\ntrack_script {{\n check\n}}\n{ADDRESS}"))
        .replace("vrrp_instance", &(script + "vrrp_instance"))
}

fn healthy(pair: &Pair, yes: bool) {
    let path = pair.nodes[A].directory.join("healthy");
    if yes { std::fs::write(path, "").unwrap() } else { std::fs::remove_file(path).unwrap() }
}

fn fails_and_recovers(pair: &mut Pair) {
    healthy(pair, true);
    pair.start(A);
    pair.master_is(A);
    pair.start(B);
    pair.nodes[B].logs("Entering BACKUP STATE", 1);
    healthy(pair, false);
    pair.master_is(B);
    healthy(pair, true);
    pair.master_is(A);
    pair.stop(A);
    pair.master_is(B);
    pair.stop(B);
}

#[test]
fn a_script_takes_the_master_out() {
    Case {
        name: "script-fault",
        config: script("", ""),
        vips: &[VIP],
        play: |pair| {
            fails_and_recovers(pair);
            pair.entered(A, &["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"]);
            pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        },
    }
    .run();
}

#[test]
fn a_script_lowers_the_priority() {
    Case {
        name: "script-weight",
        config: script("weight -100", ""),
        vips: &[VIP],
        play: |pair| {
            fails_and_recovers(pair);
            pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
            pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        },
    }
    .run();
}

#[test]
fn a_script_raises_the_priority() {
    Case {
        name: "script-weight-up",
        config: script("weight 60", "").replace("@a priority 150", "@a priority 90"),
        vips: &[VIP],
        play: |pair| {
            pair.start(A);
            pair.master_is(A);
            pair.start(B);
            pair.master_is(B);
            healthy(pair, true);
            // Both have 60 more.
            pair.nodes[A].logs("Changing effective priority", 1);
            pair.stop(B);
            pair.master_is(A);
            pair.stop(A);
        },
    }
    .run();
}

#[test]
fn a_script_that_fails_from_the_start() {
    Case {
        name: "script-init-fail",
        config: script("init_fail", ""),
        vips: &[VIP],
        play: |pair| {
            pair.start(A);
            pair.start(B);
            pair.master_is(B);
            healthy(pair, true);
            pair.master_is(A);
            pair.stop(B);
            pair.stop(A);
            pair.entered(A, &["BACKUP", "MASTER"]);
        },
    }
    .run_except(&[
        ("script-that-fails-from-the-start", "entering FAULT state"),
        ("script-that-fails-from-the-start", "VRRP_Script(check) failed"),
        ("script-that-fails-from-the-start", "INSTANCE \"VI_1\" FAULT"),
    ]);
}

/// The interface goes down and comes up: its own, and one it only looks at.
#[test]
fn an_interface_loses_its_carrier() {
    Case {
        name: "link",
        config: fast(ADDRESS),
        vips: &[VIP],
        play: |pair| {
            pair.start(A);
            pair.master_is(A);
            pair.start(B);
            pair.nodes[B].logs("Entering BACKUP STATE", 1);
            pair.lab.unplug("lan", 1);
            pair.master_is(B);
            pair.lab.plug("lan", 1);
            pair.master_is(A);
            pair.stop(A);
            pair.master_is(B);
            pair.stop(B);
            pair.entered(A, &["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"]);
            pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        },
    }
    .run();
}

fn second_segment(pair: &Pair) {
    let hosts = [pair.nodes[A].host.clone(), pair.nodes[B].host.clone()];
    pair.lab.segment("wan", 30, &hosts);
}

fn other_link_fails(pair: &mut Pair) {
    second_segment(pair);
    pair.start(A);
    pair.master_is(A);
    pair.start(B);
    pair.nodes[B].logs("Entering BACKUP STATE", 1);
    pair.lab.unplug("wan", 1);
    pair.master_is(B);
    pair.lab.plug("wan", 1);
    pair.master_is(A);
    pair.stop(A);
    pair.master_is(B);
    pair.stop(B);
}

#[test]
fn a_tracked_interface_takes_the_master_out() {
    let config = fast(&format!("track_interface {{\n e1\n}}\n{ADDRESS}"));
    Case { name: "track-interface", config, vips: &[VIP], play: other_link_fails }.run();
}

#[test]
fn a_tracked_interface_lowers_the_priority() {
    let config = fast(&format!("track_interface {{\n e1 weight -100\n}}\n{ADDRESS}"));
    Case { name: "track-interface-weight", config, vips: &[VIP], play: other_link_fails }.run();
}

/// Two instances that change together.
fn group(global: &str) -> String {
    let one = fast(ADDRESS);
    let two = one.split_once("vrrp_instance").unwrap().1;
    let two = two
        .replace("VI_1", "VI_2")
        .replace("e0", "e1")
        .replace("_id 51", "_id 52")
        .replace("10.20.0.100", "10.30.0.100");
    format!("{one}vrrp_instance{two}vrrp_sync_group VG {{\n group {{\n VI_1\n VI_2\n }}\n{global}\n}}\n")
}

#[test]
fn groups_change_together() {
    Case {
        name: "group",
        config: group(""),
        vips: &[VIP, "10.30.0.100"],
        play: |pair| {
            other_link_fails(pair);
            for instance in ["VI_1", "VI_2"] {
                let states = pair.nodes[A].states(instance);
                assert_eq!(states, ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"], "{instance}");
            }
        },
    }
    .run();
}

#[test]
fn groups_part_and_return() {
    Case {
        name: "group-stop",
        config: group(""),
        vips: &[VIP, "10.30.0.100"],
        play: |pair| {
            second_segment(pair);
            pair.start(A);
            pair.master_is(A);
            pair.start(B);
            pair.nodes[B].logs("(VI_2) Entering BACKUP STATE", 1);
            pair.stop(A);
            pair.master_is(B);
            pair.start(A);
            pair.master_is(A);
            until(|| "the group has moved".to_owned(), || pair.nodes[B].is_in("VI_2", "BACKUP"));
            pair.stop(A);
            pair.master_is(B);
            pair.stop(B);
        },
    }
    .run();
}

/// A Master that hears a lower one says again where its addresses are.
#[test]
fn a_lower_master_is_answered() {
    let config = fast(&format!("garp_lower_prio_delay 1\ngarp_lower_prio_repeat 2\n{ADDRESS}"));
    Case { name: "lower-prio", config, vips: &[VIP], play: stop_and_part }.run();
}

#[test]
fn a_lower_master_gets_no_advert() {
    let config = fast(&format!("lower_prio_no_advert\n{ADDRESS}"));
    Case { name: "lower-prio-no-advert", config, vips: &[VIP], play: stop_and_part }.run();
}
