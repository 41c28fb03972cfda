//! What is around a router fails, and the router goes on: the machine stands still, readers and disks are full, there are
//! no descriptors left.

use crate::node::{Node, router};
use crate::segment::Listener;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use testkit::lab::{Host, Lab, Process, eventually};

const VIP: &str = "10.20.0.100";

/// Starts the program by a shell with mounts of its own, which first does something with `$directory`, the node's.
fn start_after(lab: &Lab, node: &Node, script: &str, flags: &[&str]) -> Process {
    let inner = node.command(flags);
    let mut words = inner.get_args().skip_while(|word| !word.to_string_lossy().ends_with("/keepalived"));
    let program = words.next().unwrap();
    // -G would be no log daemon.
    let daemon = !flags.contains(&"-l");
    let words = words.filter(|word| !daemon || *word != "-G");
    let mut command = node.host.command("unshare");
    command.args(["-m", "sh", "-c"]).arg(format!("set -e; directory=$1; shift; {script}; exec \"$@\""));
    command.arg("sh").arg(node.path(".")).arg(program).args(words);
    node.host.start_with(lab, &format!("{}.log", node.host.namespace), &mut command)
}

/// Its adverts come, and the address is there.
fn goes_on(node: &Node, listener: &Listener, priority: u8) {
    let from = listener.seen().len();
    eventually("adverts go on", || {
        listener
            .seen()
            .get(from..)
            .unwrap_or_default()
            .iter()
            .filter(|seen| seen.priority == priority)
            .count()
            > 10
    });
    assert!(node.host.has_address(VIP));
}

/// A Master whose process stands still until another has taken over, and then goes on.
fn stands_still(nopreempt: bool) {
    let (lab, hosts) = Lab::with_segment(&["a", "b", "c"]);
    let more = if nopreempt { "  nopreempt\n" } else { "" };
    let config = |priority| router(priority, VIP).replace("  interface", &format!("{more}  interface"));
    let nodes = [150, 100].map(|priority| {
        let host = if priority == 150 { &hosts[0] } else { &hosts[1] };
        Node::new(&lab, host, &config(priority))
    });
    let mut first = nodes[0].start(&lab);
    nodes[0].until_master(VIP);
    let mut second = nodes[1].start(&lab);
    eventually("the other is Backup", || second.text().contains("Entering BACKUP STATE"));
    let listener = Listener::at(&hosts[2]);
    let child = nodes[0].vrrp().unwrap();
    nodes[0].signal(child, 19);
    nodes[1].until_master(VIP);
    nodes[0].signal(child, 18);
    // The better one wins, unless it is not to preempt.
    let (winner, loser) = if nopreempt { (1, 0) } else { (0, 1) };
    eventually("one of them has the address", || {
        nodes[winner].host.has_address(VIP) && !nodes[loser].host.has_address(VIP)
    });
    let from = listener.seen().len();
    eventually("adverts go on", || listener.seen().len() > from + 20);
    let source = Ipv4Addr::new(10, 20, 0, winner as u8 + 1);
    // One that was on its way may be the first.
    let others = listener.seen()[from + 1..].iter().filter(|seen| seen.source != source).count();
    assert_eq!(others, 0, "{:?}", &listener.seen()[from..]);
    assert!(nodes[winner].host.has_address(VIP) && !nodes[loser].host.has_address(VIP));
    if nopreempt {
        assert!(first.text().contains("this host did not run for"), "{}", first.text());
    }
    first.stop();
    second.stop();
}

#[test]
fn a_process_that_stood_still_leaves_one_master() {
    stands_still(false);
}

#[test]
fn a_process_that_stood_still_and_is_not_to_preempt_gives_way() {
    stands_still(true);
}

#[test]
fn a_pipe_that_nobody_reads_holds_nothing_up() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let pipe = lab.directory().join("events");
    let config = format!("global_defs {{\n  vrrp_notify_fifo {}\n}}\n{}", pipe.display(), router(150, VIP));
    let node = Node::new(&lab, &hosts[0], &config);
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let mut stuck = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&pipe).unwrap();
    while stuck.write(&[b'-'; 512]).is_ok() {}
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    eventually("the log says so", || process.text().contains("Failed to write to vrrp notify fifo"));
    goes_on(&node, &listener, 150);
    assert_eq!(process.text().matches("Failed to write to").count(), 1, "{}", process.text());
    // Once it is read again the next line arrives.
    let mut room = [0; 4096];
    while stuck.read(&mut room).is_ok() {}
    let mut better = Node::new(&lab, &hosts[1], &router(200, VIP)).start(&lab);
    let mut text = String::new();
    eventually("a line of the next change", || {
        while let Ok(count) = stuck.read(&mut room) {
            text += &String::from_utf8_lossy(&room[..count]);
        }
        text.contains("INSTANCE \"VI_1\" BACKUP 150\n")
    });
    eventually("the log says so", || process.text().contains("lines were lost"));
    better.stop();
    process.stop();
}

#[test]
fn a_log_daemon_that_does_not_read_holds_nothing_up() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], &router(150, VIP));
    let daemon = UnixDatagram::bind(node.path("log")).unwrap();
    let listener = Listener::at(&hosts[1]);
    // A /dev of its own, in which the daemon's socket is ours.
    let script = "mkdir $directory/dev; mount --rbind /dev $directory/dev; mount -t tmpfs none /dev; \
                  for name in null zero urandom; do : > /dev/$name; mount --bind $directory/dev/$name /dev/$name; done; \
                  ln -s $directory/log /dev/log";
    let mut process = start_after(&lab, &node, script, &["-n", "-D"]);
    node.until_master(VIP);
    // Each dump is a line: more than the socket holds.
    for _ in 0..50 {
        node.signal(node.vrrp().unwrap(), 10);
    }
    goes_on(&node, &listener, 150);
    daemon.set_nonblocking(true).unwrap();
    let (mut room, mut text) = ([0; 4096], String::new());
    eventually("the lines come when they are read", || {
        while let Ok(count) = daemon.recv(&mut room) {
            text += &String::from_utf8_lossy(&room[..count]);
        }
        text.contains("(VI_1) Entering MASTER STATE") && text.contains("Printing VRRP data")
    });
    process.stop();
}

#[test]
fn a_full_disk_costs_a_dump_and_nothing_else() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let node = Node::new(&lab, &hosts[0], "");
    let full = node.path("full");
    fs::create_dir(&full).unwrap();
    let file = |name: &str| full.join(name).display().to_string();
    let global = format!(
        "global_defs {{\n  state_dump_file {}\n  stats_dump_file {}\n  json_dump_file {}\n}}\n",
        file("data"),
        file("stats"),
        file("json")
    );
    fs::write(node.path("conf"), global + &router(150, VIP)).unwrap();
    let listener = Listener::at(&hosts[1]);
    let script =
        "mount -t tmpfs -o size=64k none $directory/full; cat /dev/zero > $directory/full/fill || true";
    let mut process = start_after(&lab, &node, script, &["-n", "-l", "-D"]);
    node.until_master(VIP);
    let child = node.vrrp().unwrap();
    for number in [10, 12] {
        node.signal(child, number);
    }
    for what in ["data", "stats"] {
        let line = format!("Can't write VRRP {what} - No space left on device");
        eventually("the log says so", || process.text().contains(&line));
    }
    goes_on(&node, &listener, 150);
    // Seen as the process sees it: no half a dump.
    let there = fs::read_dir(format!("/proc/{child}/root{}", full.display())).unwrap();
    let names: Vec<_> = there.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["fill"]);
    process.stop();
}

#[test]
fn without_descriptors_scripts_wait_and_vrrp_goes_on() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let script = "vrrp_script chk {\n  script /bin/true\n  interval 1\n  user root\n}\n";
    let tracked = router(150, VIP).replace("  interface", "  track_script {\n    chk\n  }\n  interface");
    let node = Node::new(&lab, &hosts[0], &format!("{script}{tracked}"));
    let listener = Listener::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    eventually("the script runs", || process.text().contains("VRRP_Script(chk) succeeded"));
    // From here on it may open nothing more.
    let child = node.vrrp().unwrap().to_string();
    let limit = |number: &str| {
        let words = ["--pid", &child, &format!("--nofile={number}:")];
        assert!(std::process::Command::new("prlimit").args(words).status().unwrap().success());
    };
    limit("3");
    eventually("the log says so", || {
        process.text().contains("Unable to run track script chk, whose state stays: Too many open files")
    });
    goes_on(&node, &listener, 150);
    assert!(!process.text().contains("VRRP_Script(chk) failed"), "{}", process.text());
    limit("1024");
    eventually("it is counted", || node.status(&[]).contains("times a tracked script could not be run"));
    process.stop();
}

/// Gratuitous ARPs for the address that reach a host.
struct Announcements(std::os::fd::OwnedFd, usize);

impl Announcements {
    fn at(host: &Host) -> Self {
        host.inside(|| {
            let fd =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll);
            let fd = fd.unwrap();
            setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(10)).unwrap();
            Self(fd, 0)
        })
    }

    fn count(&mut self) -> usize {
        let mut frame = [0; 2048];
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            let vip = VIP.parse::<Ipv4Addr>().unwrap().octets();
            let arp = length >= 42 && frame[12..14] == [8, 6];
            self.1 += usize::from(arp && frame[28..32] == vip && frame[38..42] == vip);
        }
        self.1
    }
}

/// An advert of version 3 for the address, as a router of that priority sends it.
fn advert(source: [u8; 4], priority: u8) -> Vec<u8> {
    let mut advert = vec![0x31, 51, priority, 1, 0, 10, 0, 0];
    advert.extend(VIP.parse::<Ipv4Addr>().unwrap().octets());
    let pseudo = [&source[..], &[224, 0, 0, 18, 0, 112, 0, advert.len() as u8], &advert].concat();
    let sum: u32 = pseudo.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    advert[6..8].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    // The kernel fills in length, identification and checksum.
    let mut bytes = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, 112, 0, 0];
    bytes.extend(source);
    bytes.extend([224, 0, 0, 18]);
    bytes.extend(advert);
    bytes
}

#[test]
fn hosts_are_told_again_when_a_lower_router_was_heard() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    let pace = "  garp_master_delay 1\n  garp_master_repeat 1\n  garp_lower_prio_repeat 4\n  garp_lower_prio_delay 1\n";
    let config = router(150, VIP).replace("  interface", &format!("{pace}  interface"));
    let node = Node::new(&lab, &hosts[0], &config);
    let mut told = Announcements::at(&hosts[1]);
    let mut process = node.start(&lab);
    node.until_master(VIP);
    // Those of the election.
    eventually("two announcements", || told.count() >= 2);
    let before = told.count();
    hosts[1].ip("route add 224.0.0.0/4 dev e0");
    hosts[1].inside(|| {
        let raw =
            socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap();
        let to = SockaddrIn::new(224, 0, 0, 18, 0);
        sendto(raw.as_raw_fd(), &advert([10, 20, 0, 2], 50), &to, MsgFlags::empty()).unwrap();
    });
    eventually("they are told again", || told.count() >= before + 4);
    assert!(process.text().contains("lower priority"), "{}", process.text());
    assert_eq!(process.text().matches("Entering MASTER STATE").count(), 1, "{}", process.text());
    process.stop();
}
