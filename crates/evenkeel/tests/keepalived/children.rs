//! The VRRP process and the checker process beside each other: which of them run, and what becomes of one when the other,
//! or their parent, dies.
//!
//! Nothing here needs IPVS in the kernel: what is done to its table is the matter of other tests.

use crate::node::{Node, router};
use crate::segment::Listener;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use testkit::lab::{Lab, Process, eventually};

const VIP: &str = "10.20.0.100";

/// A virtual server whose real servers are not checked.
const SERVER: &str = "virtual_server 10.20.0.100 80 {\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n  \
                      real_server 10.20.0.7 80 {\n  }\n}\n";

fn both() -> String {
    router(150, VIP) + SERVER
}

fn said(process: &Process, what: &str) -> usize {
    process.text().matches(what).count()
}

/// Waits until the checker process of this number of starts runs.
fn until_checked(process: &Process, starts: usize) {
    eventually("the director runs", || said(process, "Gained quorum") >= starts);
}

#[test]
fn each_part_has_a_process_as_configuration_and_command_line_say() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], "");
    for (config, flags, vrrp, checker) in [
        (both(), &[][..], true, true),
        (both(), &["-P"], true, false),
        (both(), &["-C"], false, true),
        (both(), &["-P", "-C"], false, false),
        (router(150, VIP), &[], true, false),
        (router(150, VIP), &["-C"], false, false),
        (SERVER.to_owned(), &[], false, true),
        (SERVER.to_owned(), &["-P"], false, false),
        (String::new(), &[], false, false),
        (String::new(), &["--all"], true, true),
    ] {
        node.configure(&config);
        let socket = node.path("manager");
        let _ = fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(testkit::DEADLINE)).unwrap();
        let mut process = node.start_with(&lab, flags, |command| _ = command.env("NOTIFY_SOCKET", &socket));
        let mut room = [0; 1024];
        let length = manager.recv(&mut room).unwrap();
        let what = format!("{flags:?} {config}");
        assert!(room[..length].starts_with(b"READY=1"), "{what}");
        assert_eq!((node.vrrp().is_some(), node.checker().is_some()), (vrrp, checker), "{what}");
        assert_eq!(node.processes().len(), 1 + usize::from(vrrp) + usize::from(checker), "{what}");
        assert!(process.stop().success(), "{what}");
        for name in ["main.pid", "vrrp.pid", "checkers.pid", "main.sock", "main.director.sock"] {
            assert!(!node.path(name).exists(), "{name} is left: {what}");
        }
    }
}

#[test]
fn both_are_told_of_signals_and_called_by_their_names() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &format!("global_defs {{\n  process_names\n}}\n{}", both()));
    let mut process = node.start(&lab);
    node.until_master(VIP);
    until_checked(&process, 1);
    let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name(node.vrrp().unwrap()), "keepalived_vrrp\n");
    assert_eq!(name(node.checker().unwrap()), "keepalived_lvs\n");
    process.signal(Signal::SIGUSR1);
    for (file, what) in [
        ("data", "VRRP Instance = VI_1"),
        ("data_check", "10.20.0.7"),
        ("data_parent", "LVS process name = keepalived_lvs"),
    ] {
        eventually(file, || fs::read_to_string(node.path(file)).is_ok_and(|text| text.contains(what)));
        let mode = fs::metadata(node.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(node.ask(&["vrrp", "status"]).unwrap().contains("VI_1"));
    assert!(node.ask(&["director", "status"]).unwrap().contains("10.20.0.100"));
    let json: serde_json::Value =
        serde_json::from_str(&node.ask(&["director", "status", "--json"]).unwrap()).unwrap();
    assert_eq!(json["version"], 1);
    let log = process.text();
    let place = |line: &str| log.find(line).unwrap_or_else(|| panic!("{line} is not in\n{log}"));
    assert!(place("Starting Healthcheck child process") < place("Starting VRRP child process"), "{log}");
    process.stop();
}

#[test]
fn a_part_that_a_reload_brings_gets_its_process_and_one_that_it_takes_keeps_it() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], SERVER);
    let mut process = node.start(&lab);
    until_checked(&process, 1);
    let checker = node.checker();
    assert_eq!(node.vrrp(), None);
    let reload = |config: &str| {
        node.configure(config);
        process.signal(Signal::SIGHUP);
    };
    reload(&both());
    node.until_master(VIP);
    let vrrp = node.vrrp();
    reload(&router(150, VIP));
    let servers = || node.ask(&["director", "status"]).unwrap();
    eventually("the director has nothing to do", || !servers().contains("10.20.0.7"));
    reload("");
    eventually("the router is given up", || !node.host.has_address(VIP));
    reload(&both());
    node.until_master(VIP);
    eventually("the director has something to do", || servers().contains("10.20.0.7"));
    assert_eq!((node.vrrp(), node.checker()), (vrrp, checker), "the same processes");
    assert_eq!(node.processes().len(), 3);
    process.stop();
}

#[test]
fn a_checker_that_dies_is_started_again_and_the_router_does_not_notice() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &both());
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    let vrrp = node.vrrp();
    for (starts, pause) in [(1, 0), (2, 1)] {
        until_checked(&process, starts);
        let checker = node.checker().unwrap();
        node.signal(checker, 9);
        let line = format!("Restart of Healthcheck process delayed {pause} seconds to limit respawn rate");
        eventually("the restart is announced", || process.text().contains(&line));
        let log = process.text();
        assert!(log.contains(&format!("pid {checker} exited due to signal 9 (Killed)")), "{log}");
        assert!(log.contains(&format!("Healthcheck child process({checker}) died: Respawning")), "{log}");
    }
    until_checked(&process, 3);
    // The other way round.
    node.signal(vrrp.unwrap(), 9);
    let checker = node.checker();
    listener.wait_for("the parent resigns for it", 0, |seen| seen.priority == 0);
    eventually("another router", || node.vrrp().is_some_and(|pid| Some(pid) != vrrp));
    node.until_master(VIP);
    assert_eq!(node.checker(), checker, "untouched");
    assert_eq!(listener.seen().iter().filter(|seen| seen.priority == 0).count(), 1, "only this once");
    process.stop();
    assert!(node.processes().is_empty());
}

#[test]
fn no_respawn_ends_all() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &both());
    let mut process = node.start_with(&lab, &["-R"], |_| {});
    node.until_master(VIP);
    until_checked(&process, 1);
    node.signal(node.checker().unwrap(), 9);
    assert!(process.wait().success());
    assert!(process.text().contains("died: Exiting"));
    assert!(!node.host.has_address(VIP));
    assert!(node.processes().is_empty());
}

#[test]
fn both_outlive_their_parent_until_there_is_another() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &both());
    let mut first = node.start(&lab);
    node.until_master(VIP);
    until_checked(&first, 1);
    let (vrrp, checker) = (node.vrrp().unwrap(), node.checker().unwrap());
    node.signal(first.pid(), 9);
    first.wait();
    assert!(node.ask(&["vrrp", "status"]).unwrap().contains("MASTER"));
    assert!(node.ask(&["director", "status"]).unwrap().contains("10.20.0.7"));
    let mut left = node.processes();
    left.sort_unstable();
    let mut both = [vrrp, checker];
    both.sort_unstable();
    assert_eq!(left, both);

    let mut second = node.start(&lab);
    node.until_master(VIP);
    until_checked(&second, 1);
    eventually("another router", || node.vrrp().is_some_and(|pid| pid != vrrp));
    eventually("another checker", || node.checker().is_some_and(|pid| pid != checker));
    assert!(!node.processes().contains(&vrrp) && !node.processes().contains(&checker), "never two");
    let log = second.text();
    assert!(log.contains(&format!("Ending VRRP process {vrrp}, whose parent has died")), "{log}");
    assert!(log.contains(&format!("Ending Healthcheck process {checker}, whose parent has died")), "{log}");
    // In good order it would have taken its virtual servers away.
    assert!(!first.text().contains("Shutting down service"), "{}", first.text());
    second.stop();
    assert!(node.processes().is_empty());
}

#[test]
fn the_script_of_the_shared_pipe_runs_once() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let script = lab.file("reader", "#!/bin/sh\nexec cat \"$1\" >> \"$0.$$\"\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let global = format!(
        "global_defs {{\n  script_user root\n  notify_fifo {0}/fifo\n  notify_fifo_script {1}\n}}\n",
        lab.directory().display(),
        script.display()
    );
    let outputs = || {
        let entries = fs::read_dir(lab.directory()).unwrap().map(|entry| entry.unwrap().path());
        let is =
            |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("reader.");
        entries.filter(is).map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>()
    };
    let node = Node::new(&lab, &hosts[0], &(global.clone() + &router(150, VIP)));
    let mut process = node.start(&lab);
    let master = "INSTANCE \"VI_1\" MASTER 150\n";
    eventually("the router is told of", || outputs().concat().contains(master));
    assert_eq!(outputs().len(), 1);
    // With a director it is the director's.
    node.configure(&(global + &both()));
    process.signal(Signal::SIGHUP);
    until_checked(&process, 1);
    eventually("both are told of", || outputs().concat().contains("VS [10.20.0.100]:tcp:80"));
    assert_eq!(outputs().len(), 2);
    process.stop();
    eventually("what is written at the end is read", || outputs().concat().contains("STOP"));
}

#[test]
fn the_director_alone_and_dry() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &both());
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_evenkeel"));
    let mut command = node.host.command(program);
    command.args(["director", "--dry-run", "-f"]).arg(node.path("conf"));
    let mut dry = node.host.start_with(&lab, "dry.log", &mut command);
    eventually("it says what it would do", || {
        dry.text().contains("ipvsadm -a -t 10.20.0.100:80 -r 10.20.0.7:80 -m -w 1")
    });
    assert!(dry.stop().success());
    assert!(dry.text().contains("ipvsadm -D -t 10.20.0.100:80"), "{}", dry.text());

    let mut command = node.host.command(program);
    command.args(["director", "-n", "-l", "-G", "-f"]).arg(node.path("conf"));
    command.arg("-p").arg(node.path("main.pid")).arg("-c").arg(node.path("checkers.pid"));
    let mut alone = node.host.start_with(&lab, "alone.log", &mut command);
    until_checked(&alone, 1);
    assert!(alone.text().contains("1 virtual router(s) configured, left alone"), "{}", alone.text());
    assert!(node.checker().is_some() && node.vrrp().is_none());
    assert!(node.ask(&["director", "status"]).unwrap().contains("10.20.0.7"));
    assert!(node.ask(&["vrrp", "status"]).is_err());
    alone.stop();
}
