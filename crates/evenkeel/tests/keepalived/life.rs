//! Start, reload, dumps, stop.

use crate::node::{Node, router};
use crate::segment::Listener;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use testkit::lab::{Lab, eventually};

const VIP: &str = "10.20.0.100";

/// A service manager, which hears all that is said to it.
struct Manager(Receiver<String>);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let (heard, receiver) = channel();
        // Ends with the test's process, or when nobody wants to know any more.
        thread::spawn(move || {
            let mut room = [0; 1024];
            while let Ok(length) = socket.recv(&mut room) {
                let text = String::from_utf8_lossy(&room[..length]).into_owned();
                let first = text.lines().next().unwrap_or_default().to_owned();
                if heard.send(first).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The first line of the next message.
    fn next(&self) -> String {
        self.0.recv_timeout(testkit::DEADLINE).expect("a message to the service manager")
    }
}

#[test]
fn a_router_starts_reloads_tells_and_stops() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let listener = Listener::at(&hosts[1]);
    let socket = node.path("manager");
    let manager = Manager::at(&socket);
    let mut process = node.start_with(&lab, &[], |command| _ = command.env("NOTIFY_SOCKET", &socket));
    assert_eq!(manager.next(), "READY=1");
    assert_eq!(node.parent(), Some(process.pid()));
    let child = node.vrrp().unwrap();
    assert_eq!(node.processes().len(), 2);
    for pid in [process.pid(), child] {
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "keepalived\n");
    }
    node.until_master(VIP);
    listener.wait_for("an advert", 0, |seen| seen.priority == 150);

    node.configure(
        &router(140, VIP).replace("virtual_ipaddress {", "virtual_ipaddress {\n    10.20.0.101/24"),
    );
    process.signal(Signal::SIGHUP);
    assert_eq!(manager.next(), "RELOADING=1");
    assert_eq!(manager.next(), "READY=1");
    node.until_master("10.20.0.101");
    listener.wait_for("the new priority", 0, |seen| seen.priority == 140);
    assert_eq!(node.vrrp(), Some(child), "the same process goes on");
    assert!(!listener.seen().iter().any(|seen| seen.priority == 0), "nothing was given up");

    for (signal, name) in [(10, "data"), (12, "stats"), (36, "json")] {
        node.signal(process.pid(), signal);
        eventually("a dump is written", || node.path(name).exists());
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(node.path("json")).unwrap()).unwrap();
    assert_eq!(json[0]["data"]["iname"], "VI_1");
    assert_eq!(json[0]["data"]["base_priority"], 140);
    assert!(fs::read_to_string(node.path("data")).unwrap().contains("VRRP Instance = VI_1"));
    let sent = |text: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("Sent: ")).map(str::to_owned);
        line.unwrap().parse::<u32>().unwrap()
    };
    assert!(sent(&fs::read_to_string(node.path("stats")).unwrap()) > 0);
    fs::remove_file(node.path("stats")).unwrap();
    node.signal(process.pid(), 63);
    eventually("statistics are written", || node.path("stats").exists());

    let from = listener.seen().len();
    assert!(process.stop().success());
    assert_eq!(manager.next(), "STOPPING=1");
    listener.wait_for("priority 0", from, |seen| seen.priority == 0);
    assert!(!node.host.has_address(VIP) && !node.host.has_address("10.20.0.101"));
    for name in ["main.pid", "vrrp.pid", "main.sock"] {
        assert!(!node.path(name).exists(), "{name} is left");
    }
    let log = process.text();
    for line in [
        "Starting Keepalived v",
        "Configuration file ",
        "Starting VRRP child process, pid=",
        "(VI_1) Entering MASTER STATE",
        "Reloading ...",
        "Stopping",
        "Stopped Keepalived v",
    ] {
        assert!(log.contains(line), "{line} is not in\n{log}");
    }
}

#[test]
fn status_says_how_things_stand_and_why() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let mut process = node.start(&lab);
    node.until_master(VIP);
    let status: serde_json::Value = serde_json::from_str(&node.status(&["--json"])).unwrap();
    assert_eq!(status["version"], 1);
    assert_eq!(status["pid"], node.vrrp().unwrap());
    let instance = &status["instances"][0];
    assert_eq!(instance["name"], "VI_1");
    assert_eq!(instance["state"], "MASTER");
    assert_eq!(instance["priority"], 150);
    assert_eq!(instance["addresses_set"], true);
    assert_eq!(instance["transitions"].as_array().unwrap().len(), 2);
    assert!(instance["cause"].as_str().is_some_and(|cause| !cause.is_empty()));
    let table = node.status(&[]);
    assert!(table.lines().any(|line| line.starts_with("VI_1 ") && line.contains("MASTER")), "{table}");
    let mode = fs::metadata(node.path("main.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    process.stop();
}

#[test]
fn a_reload_that_cannot_be_changes_nothing() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    let child = node.vrrp();
    let unserved = "bfd_instance b {\n  neighbor_ip 10.20.0.7\n}\n";
    let said = |process: &testkit::lab::Process, what: &str| process.text().matches(what).count();
    for (number, change) in ["missing", "unserved", "no id"].into_iter().enumerate() {
        match change {
            "missing" => fs::remove_file(node.path("conf")).unwrap(),
            "unserved" => node.configure(&(router(99, VIP) + unserved)),
            _ => node.configure(&router(99, VIP).replace("virtual_router_id 51", "")),
        }
        process.signal(Signal::SIGHUP);
        eventually(change, || said(&process, "going on with the configuration as it was") == number + 1);
    }
    let from = listener.seen().len();
    listener.wait_for("adverts go on", from, |seen| seen.priority == 150);
    assert_eq!(node.vrrp(), child);
    assert!(listener.seen().iter().all(|seen| seen.priority == 150));
    // Unknown words are no obstacle, as in keepalived.
    node.configure(&router(140, VIP).replace("advert_int", "no_such_keyword\n  advert_int"));
    process.signal(Signal::SIGHUP);
    listener.wait_for("the new priority", from, |seen| seen.priority == 140);
    assert!(process.text().contains("Unknown keyword 'no_such_keyword'"));
    process.stop();
}

#[test]
fn a_reload_is_announced_in_a_file_and_checked_when_that_is_wanted() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let place = |name: &str| lab.directory().join(name).display().to_string();
    let global = format!(
        "global_defs {{\n  reload_file {}\n  reload_check_config {}\n}}\n",
        place("marker"),
        place("errors")
    );
    let node = Node::new(&lab, &hosts[0], &(global.clone() + &router(150, VIP)));
    let mut process = node.start(&lab);
    node.until_master(VIP);
    // Made by who changes the files; gone when they have been read.
    fs::write(place("marker"), "wanted").unwrap();
    node.configure(&(global.clone() + &router(140, VIP)));
    process.signal(Signal::SIGHUP);
    eventually("the marker goes", || !Path::new(&place("marker")).exists());
    eventually("it is reloaded", || node.status(&[]).contains(" 140 "));
    // Without the check this would be no obstacle.
    node.configure(&(global + &router(130, VIP).replace("advert_int", "no_such_keyword\n  advert_int")));
    process.signal(Signal::SIGHUP);
    eventually("the reload is refused", || process.text().contains("has errors (reload_check_config)"));
    assert!(fs::read_to_string(place("errors")).unwrap().contains("Unknown keyword 'no_such_keyword'"));
    assert!(node.status(&[]).contains(" 140 "));
    process.stop();
}

#[test]
fn reloads_in_quick_succession_end_with_the_last() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let listener = Listener::at(&hosts[1]);
    let socket = node.path("manager");
    let manager = Manager::at(&socket);
    let mut process = node.start_with(&lab, &[], |command| _ = command.env("NOTIFY_SOCKET", &socket));
    assert_eq!(manager.next(), "READY=1");
    node.until_master(VIP);
    let child = node.vrrp();
    for priority in 100..=149 {
        node.configure(&router(priority, VIP));
        process.signal(Signal::SIGHUP);
    }
    let seen = listener.wait_for("the last priority", 0, |seen| seen.priority == 149);
    assert_eq!(node.vrrp(), child);
    let later = |other: &crate::segment::Seen| other.at > seen.at;
    listener.wait_for("adverts go on", 0, |other| later(other) && other.priority == 149);
    assert!(
        !listener.seen().iter().any(|other| other.priority == 0 || later(other) && other.priority != 149)
    );
    // Whatever merged: the manager is not left waiting.
    node.configure(&router(99, VIP));
    process.signal(Signal::SIGHUP);
    listener.wait_for("one more", 0, |seen| seen.priority == 99);
    assert!(process.stop().success());
    let mut heard = vec![manager.next()];
    while heard.last().unwrap() != "STOPPING=1" {
        heard.push(manager.next());
    }
    let last = heard.iter().rposition(|word| word == "RELOADING=1").unwrap();
    assert_eq!(heard[last + 1..], ["READY=1", "STOPPING=1"], "{heard:?}");
}

#[test]
fn there_is_one_instance_for_one_pid_file() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    // A number that another program has is no obstacle.
    fs::write(node.path("main.pid"), "1\n").unwrap();
    fs::write(node.path("vrrp.pid"), format!("{}\n", std::process::id())).unwrap();
    let mut first = node.start(&lab);
    node.until_master(VIP);
    assert_eq!(node.parent(), Some(first.pid()));
    let mut second = node.start(&lab);
    assert!(second.wait().success());
    assert!(second.text().contains("daemon is already running"), "{}", second.text());
    assert_eq!(node.parent(), Some(first.pid()));
    assert!(node.host.has_address(VIP));
    first.stop();
}

#[test]
fn in_the_background_the_starter_waits_until_it_runs() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let status = node.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());
    let (parent, child) = (node.parent().unwrap(), node.vrrp().unwrap());
    assert_eq!(fs::read_link(format!("/proc/{parent}/cwd")).unwrap(), Path::new("/"));
    assert_eq!(fs::read_link(format!("/proc/{parent}/fd/0")).unwrap(), Path::new("/dev/null"));
    assert_eq!(fs::read_link(format!("/proc/{child}/fd/0")).unwrap(), Path::new("/dev/null"));
    node.until_master(VIP);
    node.signal(parent, 15);
    eventually("all processes end", || node.processes().is_empty());
    assert!(!node.host.has_address(VIP));
    assert!(!node.path("main.pid").exists());
    // Names that are relative stay what they were.
    let mut command = node.host.command(crate::node::keepalived(&lab));
    command
        .current_dir(node.path(""))
        .args(["-G", "-f", "conf", "-p", "main.pid", "-r", "vrrp.pid", "-gk.log"]);
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let (parent, child) = (node.parent().unwrap(), node.vrrp().unwrap());
    node.until_master(VIP);
    node.signal(child, 9);
    eventually("another process serves", || node.vrrp().is_some_and(|pid| pid != child));
    // Killed as soon as it had the address, it may not have told its parent, and the address is still there.
    let is_master = || node.ask(&["vrrp", "status"]).is_ok_and(|status| status.contains("MASTER"));
    eventually("it is Master again", is_master);
    node.configure(&router(140, VIP));
    node.signal(parent, 1);
    eventually("it is reloaded", || node.status(&[]).contains(" 140 "));
    node.signal(parent, 15);
    eventually("all processes end", || node.processes().is_empty());
    let text = |name: &str| fs::read_to_string(node.path(name)).unwrap();
    assert!(text("k.log").contains("died: Respawning"));
    assert_eq!(text("k_vrrp.log").matches("Startup complete").count(), 2);
    assert!(!node.path("main.pid").exists());
    // One that cannot be is told to who starts it.
    node.configure(&router(150, VIP).replace("virtual_router_id 51", ""));
    let output = node.command(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the virtual router id must be set"));
    fs::remove_file(node.path("conf")).unwrap();
    assert_eq!(node.command(&[]).output().unwrap().status.code(), Some(6));
}

#[test]
fn scripts_run_at_the_start_and_at_the_end_without_what_is_private() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let script = lab.file("script", "#!/bin/sh\nenv > \"$1\"\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let place = |name: &str| lab.directory().join(name).display().to_string();
    let script = script.display();
    let config = format!(
        "global_defs {{\n  script_user root\n  startup_script \"{script} {}\"\n  shutdown_script \"{script} {}\"\n}}\n{}",
        place("start"),
        place("end"),
        router(150, VIP)
            .replace("  priority", &format!("  notify_master \"{script} {}\"\n  priority", place("master")))
    );
    let node = Node::new(&lab, &hosts[0], &config);
    let socket = node.path("manager");
    let manager = Manager::at(&socket);
    let mut process = node.start_with(&lab, &[], |command| {
        command.env("NOTIFY_SOCKET", &socket).env("KEPT", "1");
    });
    assert_eq!(manager.next(), "READY=1");
    assert!(Path::new(&place("start")).exists(), "before anything else");
    eventually("the notify script runs", || fs::read(place("master")).is_ok_and(|text| !text.is_empty()));
    assert!(process.stop().success(), "{}", process.text());
    for name in ["start", "master", "end"] {
        let environment = fs::read_to_string(place(name)).unwrap();
        assert!(environment.contains("KEPT=1"), "{name}: {environment}");
        for private in ["EVENKEEL", "NOTIFY_SOCKET"] {
            assert!(!environment.contains(private), "{name}: {environment}");
        }
    }
}

#[test]
fn a_namespace_of_its_own() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let mut command = std::process::Command::new(crate::node::keepalived(&lab));
    command.args(["-n", "-G", "-s", &hosts[0].namespace, "-f"]).arg(node.path("conf"));
    command.arg("-p").arg(node.path("main.pid")).arg("-r").arg(node.path("vrrp.pid"));
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    node.until_master(VIP);
    assert_eq!(node.processes().len(), 2);
    node.signal(child.id(), 15);
    assert!(child.wait().unwrap().success());
    assert!(!node.host.has_address(VIP));
}

#[test]
fn addresses_stay_when_that_is_wanted() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start_with(&lab, &["-V"], |_| {});
    node.until_master(VIP);
    assert!(process.stop().success());
    listener.wait_for("priority 0", 0, |seen| seen.priority == 0);
    assert!(node.host.has_address(VIP));
}
