//! Processes that die by surprise.

use crate::node::{Node, router};
use crate::segment::Listener;
use std::time::Instant;
use testkit::lab::{Lab, eventually};

const VIP: &str = "10.20.0.100";

/// As `router`, with adverts each second: what happens sooner than after three has another reason than a timer.
fn slow(priority: u8) -> String {
    router(priority, VIP).replace("advert_int 0.1", "advert_int 1").replace("  version 3\n", "")
}

#[test]
fn the_parent_stands_in_for_a_vrrp_process_that_dies() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &slow(150));
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    let child = node.vrrp().unwrap();
    let from = listener.seen().len();
    let killed = Instant::now();
    node.signal(child, 9);
    let farewell = listener.wait_for("priority 0", from, |seen| seen.priority == 0);
    assert_eq!(farewell.source.octets(), [10, 20, 0, 1]);
    println!("priority 0 came {:?} after the kill", farewell.at.saturating_duration_since(killed));
    eventually("the address goes", || !node.host.has_address(VIP));
    eventually("another process starts", || node.vrrp().is_some_and(|pid| pid != child));
    // Nobody else is there, so it becomes Master again.
    node.until_master(VIP);
    assert_eq!(node.parent(), Some(process.pid()));
    let log = process.text();
    for line in [
        format!("pid {child} exited due to signal 9 (Killed)"),
        format!("VRRP child process({child}) died: Respawning"),
        "Restart of VRRP process delayed 0 seconds to limit respawn rate".to_owned(),
        "Stood in for the VRRP process: priority 0 sent and addresses removed for VI_1".to_owned(),
    ] {
        assert!(log.contains(&line), "{line} is not in\n{log}");
    }
    process.stop();
}

#[test]
fn a_keepalived_takes_over_from_a_process_that_dies() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &slow(150));
    let mut process = node.start_with(&lab, &["-R"], |_| {});
    node.until_master(VIP);
    let other = slow(100);
    let mut oracle = hosts[1].keepalived(&lab, &other);
    eventually("the other is Backup", || oracle.text().contains("Entering BACKUP STATE"));
    let killed = Instant::now();
    node.signal(node.vrrp().unwrap(), 9);
    eventually("the other takes over", || hosts[1].has_address(VIP));
    println!("keepalived took over {:?} after the kill", killed.elapsed());
    assert!(!node.host.has_address(VIP));
    // -R: nothing is started again, the parent ends as keepalived's does.
    assert!(process.wait().success());
    assert!(process.text().contains("died: Exiting"));
    assert!(node.processes().is_empty());
    oracle.stop();
}

#[test]
fn the_vrrp_process_outlives_its_parent_until_there_is_another() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let listener = Listener::at(&hosts[1]);
    let mut first = node.start(&lab);
    node.until_master(VIP);
    let child = node.vrrp().unwrap();
    node.signal(first.pid(), 9);
    first.wait();
    let from = listener.seen().len();
    listener.wait_for("adverts go on", from + 10, |seen| seen.priority == 150);
    assert!(node.host.has_address(VIP));
    assert_eq!(node.processes(), [child]);
    assert!(!listener.seen().iter().any(|seen| seen.priority == 0));
    assert!(node.status(&[]).contains("MASTER"), "it still answers");

    let mut second = node.start(&lab);
    eventually("another process serves", || node.vrrp().is_some_and(|pid| pid != child));
    assert!(!node.processes().contains(&child), "never two");
    listener.wait_for("the old one resigned", from, |seen| seen.priority == 0);
    node.until_master(VIP);
    assert_eq!(node.processes().len(), 2);
    assert_eq!(node.parent(), Some(second.pid()));
    assert!(second.text().contains(&format!("Ending VRRP process {child}, whose parent has died")));
    second.stop();
    assert!(!node.host.has_address(VIP));
}

#[test]
fn a_process_that_does_not_end_is_killed_and_stood_in_for() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let config = format!("global_defs {{\n  child_wait_time 1\n}}\n{}", slow(150));
    let node = Node::new(&lab, &hosts[0], &config);
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    // Stopped, it takes no signal but SIGKILL.
    node.signal(node.vrrp().unwrap(), 19);
    let from = listener.seen().len();
    assert!(process.stop().success());
    listener.wait_for("priority 0", from, |seen| seen.priority == 0);
    assert!(!node.host.has_address(VIP));
    assert!(node.processes().is_empty());
    assert!(process.text().contains("does not end, killing it"), "{}", process.text());
}

#[test]
fn a_process_that_dies_again_and_again_is_started_more_and_more_slowly() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &slow(150));
    let mut process = node.start(&lab);
    let mut last = None;
    for pause in [0, 1, 2] {
        eventually("a process runs", || {
            node.vrrp().is_some_and(|pid| Some(pid) != last)
                && process.text().matches("Startup complete").count() > pause
        });
        last = node.vrrp();
        node.signal(last.unwrap(), 9);
        let line = format!("Restart of VRRP process delayed {pause} seconds");
        eventually("the pause is announced", || process.text().contains(&line));
    }
    // It can be stopped while it waits.
    assert!(process.stop().success());
    assert!(node.processes().is_empty());
}

/// As a service manager does that tells all processes of a service.
#[test]
fn processes_that_are_all_told_to_stop_do_not_die_by_surprise() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &slow(150));
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    // The parent cannot look before its child has obeyed.
    let (parent, child) = (process.pid(), node.vrrp().unwrap());
    node.signal(parent, 19);
    node.signal(child, 15);
    eventually("the child ends", || !node.processes().contains(&child));
    node.signal(parent, 15);
    node.signal(parent, 18);
    assert!(process.wait().success());
    listener.wait_for("priority 0", 0, |seen| seen.priority == 0);
    assert_eq!(listener.seen().iter().filter(|seen| seen.priority == 0).count(), 1, "said once");
    assert!(!process.text().contains("died"), "{}", process.text());
    assert!(!node.host.has_address(VIP));
}

#[test]
fn one_that_is_told_to_stop_alone_is_started_again() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let mut process = node.start(&lab);
    node.until_master(VIP);
    let child = node.vrrp().unwrap();
    node.signal(child, 15);
    eventually("another process serves", || node.vrrp().is_some_and(|pid| pid != child));
    node.until_master(VIP);
    let log = process.text();
    assert!(log.contains(&format!("pid {child} exited with status 0")), "{log}");
    assert!(!log.contains("Stood in"), "it has cleaned up itself: {log}");
    process.stop();
}

/// Interfaces of virtual MACs, packet filters and static addresses serve the next process; if there is none, they go.
#[test]
fn what_a_process_leaves_is_taken_away_when_no_other_follows() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let config = slow(150).replace("priority", "use_vmac\n  no_accept\n  priority")
        + "static_ipaddress {\n  10.20.0.9/24 dev e0\n}\n";
    let node = Node::new(&lab, &hosts[0], &config);
    let has_link = || node.host.run("ip", &["-o", "link"]).contains("vrrp.51");
    let has_filter = || node.host.run("nft", &["list", "tables"]).contains("keepalived");
    let is_clean = || !has_link() && !has_filter() && !node.host.has_address("10.20.0.9");
    let begin = |flags: &[&str]| {
        let process = node.start_with(&lab, flags, |_| {});
        node.until_master(VIP);
        assert!(has_link() && has_filter() && node.host.has_address("10.20.0.9"));
        process
    };
    let mut process = begin(&["-R"]);
    node.signal(node.vrrp().unwrap(), 9);
    assert!(process.wait().success());
    assert!(is_clean(), "{}", process.text());

    let mut process = begin(&[]);
    for pause in [0, 1] {
        let vrrp = node.vrrp().unwrap();
        eventually("the process is ready", || process.text().matches("Startup complete").count() > pause);
        node.signal(vrrp, 9);
        let line = format!("Restart of VRRP process delayed {pause} seconds");
        eventually("the pause is announced", || process.text().contains(&line));
        if pause == 0 {
            eventually("another process serves", || node.vrrp().is_some_and(|pid| pid != vrrp));
        }
    }
    assert!(process.stop().success());
    assert!(is_clean(), "{}", process.text());
}
