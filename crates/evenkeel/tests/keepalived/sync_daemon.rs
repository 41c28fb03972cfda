//! `lvs_sync_daemon`, beside keepalived, on a kernel that has IPVS.

use crate::node::{Node, ORACLE, keepalived};
use std::fs;
use std::path::Path;
use std::process::Command;
use testkit::lab::{Host, Lab, eventually};
use testkit::uml::{guest, needed};

/// Two routers, of which the first can be brought down by a file, and the daemon.
fn config(lab: &Lab, sync: &str) -> String {
    let file = lab.directory().join("down");
    let instance = |name: &str, id: u8, more: &str| {
        format!(
            "vrrp_instance {name} {{\n  interface e0\n  version 3\n  virtual_router_id {id}\n  advert_int 0.1\n  \
             virtual_ipaddress {{\n    10.20.0.{id}/24\n  }}\n{more}}}\n"
        )
    };
    format!(
        "global_defs {{\n  {sync}\n}}\ntrack_file down {{\n  file {}\n  weight 0\n}}\n{}{}",
        file.display(),
        instance("A", 51, "  track_file {\n    down\n  }\n"),
        instance("B", 52, "")
    )
}

fn daemons(host: &Host) -> String {
    host.run("ipvsadm", &["-l", "--daemon"])
}

/// What `ipvsadm -l --daemon` says when only this one runs.
fn one(role: &str, id: u8, rest: &str) -> String {
    format!("{role} sync daemon (mcast=e0, syncid={id}, {rest})\n")
}

fn play(program: &Path, left_behind: bool) {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let host = &hosts[0];
    let down = |down: bool| fs::write(lab.directory().join("down"), if down { "1" } else { "0" }).unwrap();
    let until = |what: &str, wanted: &str| {
        eventually(&format!("{}: {what}: {wanted}", program.display()), || daemons(host) == wanted);
    };
    let usual = "maxlen=1472, group=224.0.0.81, port=8848, ttl=1";
    if left_behind {
        for role in ["master", "backup"] {
            let words = ["--start-daemon", role, "--mcast-interface", "e0", "--syncid", "99"];
            host.run("ipvsadm", &words);
        }
    }

    down(true);
    let node = Node::new(&lab, host, &config(&lab, "lvs_sync_daemon e0 inst A")).by(program);
    let mut process = node.start_with(&lab, &["-P"], |_| {});
    until("at the start", &one("backup", 51, usual));
    down(false);
    until("as Master", &one("master", 51, usual));
    node.until_master("10.20.0.51");
    down(true);
    until("in Fault", &one("backup", 51, usual));
    down(false);
    until("as Master again", &one("master", 51, usual));

    let reload = |sync: &str| {
        node.configure(&config(&lab, sync));
        process.signal(nix::sys::signal::Signal::SIGHUP);
    };
    reload("lvs_sync_daemon e0 inst A id 5 maxlen 1000 port 9000 ttl 3 group 224.0.0.82");
    until("changed by a reload", &one("master", 5, "maxlen=1000, group=224.0.0.82, port=9000, ttl=3"));
    // The other router is Master, too, and stays that when the first goes down.
    reload("lvs_sync_daemon e0 B");
    until("of another router", &one("master", 52, usual));
    down(true);
    eventually("the first is down", || !host.has_address("10.20.0.51"));
    assert_eq!(daemons(host), one("master", 52, usual));
    assert!(process.stop().success());
    assert_eq!(daemons(host), "");
}

#[test]
fn the_sync_daemon_follows_its_router_as_keepalived_s() {
    guest(|| {
        needed("ipvsadm", "ipvsadm");
        play(Path::new(ORACLE), false);
        let lab = Lab::new();
        play(&keepalived(&lab), false);
        // What a predecessor left is stopped; keepalived 2.2.7 lets it run on.
        play(&keepalived(&lab), true);
    });
}

#[test]
fn without_ipvs_it_does_not_start_and_without_its_router_it_does() {
    guest(|| {
        let (lab, hosts) = Lab::with_segment(&["a"]);
        let node = Node::new(&lab, &hosts[0], &config(&lab, "lvs_sync_daemon e0 inst NOBODY"));
        let mut process = node.start_with(&lab, &["-P"], |_| {});
        let line = "Unable to find vrrp instance NOBODY for lvs_syncd - clearing lvs_syncd config";
        node.until_master("10.20.0.52");
        assert!(process.text().contains(line), "{}", process.text());
        assert_eq!(daemons(&node.host), "");
        assert!(process.stop().success());

        let loader = "/proc/sys/kernel/modprobe";
        let unload = format!("$(cat {loader}) -r ip_vs && echo /nowhere/modprobe > {loader}");
        assert!(Command::new("sh").args(["-c", &unload]).status().unwrap().success());
        node.configure(&config(&lab, "lvs_sync_daemon e0 inst A"));
        let mut process = node.start_with(&lab, &["-P"], |_| {});
        assert!(!process.wait().success());
        let said = process.text();
        assert!(
            said.contains("IPVS: Can't initialize ipvs: this kernel has no IPVS, and its module"),
            "{said}"
        );
    });
}
