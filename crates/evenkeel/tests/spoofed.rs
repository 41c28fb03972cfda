//! Packets of an attacker on the segment, sent through the kernel at a running Master and a running Backup: none is a good
//! advert, all claim priority 254, and nothing comes of them but counters and a line per second and reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, sendto, socket,
};
use std::collections::HashMap;
use std::os::fd::AsRawFd as _;
use testkit::lab::{Host, Lab, Process, eventually};

const VIP: &str = "10.20.0.100";
const PACKETS: u32 = 10_000;

fn config(lab: &Lab, version: u8, priority: u8) -> String {
    let auth = if version == 2 { "authentication {\n auth_type PASS\n auth_pass passw123\n }\n" } else { "" };
    let stats = lab.directory().join(format!("{priority}.stats"));
    format!(
        "global_defs {{\n router_id r{priority}\n vrrp_version {version}\n stats_dump_file {}\n}}\nvrrp_instance VI_1 {{\n \
         state BACKUP\n interface e0\n virtual_router_id 51\n priority {priority}\n advert_int 1\n {auth} \
         virtual_ipaddress {{\n {VIP}/24\n }}\n}}\n",
        stats.display()
    )
}

fn start(lab: &Lab, host: &Host, config: &str) -> (Process, i32) {
    let path = |what: &str| lab.directory().join(format!("{}.{what}", host.namespace)).display().to_string();
    let file = lab.file(&format!("{}.conf", host.namespace), config).display().to_string();
    let (parent, child) = (path("pid"), path("vrrp.pid"));
    let words = ["vrrp", "-P", "-n", "-l", "-D", "-f", &file, "-p", &parent, "-r", &child];
    let process = host.start(lab, &format!("{}.log", host.namespace), env!("CARGO_BIN_EXE_evenkeel"), &words);
    eventually("it runs", || process.text().contains("Entering BACKUP STATE"));
    let child = std::fs::read_to_string(&child).unwrap().trim().parse().unwrap();
    (process, child)
}

fn sum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// A datagram for the multicast group that is wrong in one way.
fn packet(version: u8, number: u32) -> Vec<u8> {
    let dice = number.wrapping_mul(2_654_435_761);
    let (byte, kind) = ((dice >> 24) as u8, number % 8);
    let source = if number.is_multiple_of(10) { [10, 20, 0, 1] } else { [10, 20, 0, 70 + byte % 100] };
    let mut advert = vec![version << 4 | 1, 51, 254, 1, 0, 100, 0, 0, 10, 20, 0, 100];
    if version == 2 {
        advert[4..6].copy_from_slice(&[1, 1]);
        advert.extend(b"passw123");
    }
    let mut ttl = 255;
    match kind {
        0 => ttl = byte.min(254),
        1 => advert[1] = if byte == 51 { 52 } else { byte },
        2 => {
            // With the length that version has: lengths are looked at first.
            advert[0] = (5 - version) << 4 | 1;
            advert.resize(if version == 2 { 12 } else { 20 }, 0);
        }
        3 => advert[0] = version << 4 | (2 + byte % 14),
        4 => advert[11] = 101 + byte % 100,
        5 => advert.truncate(8 + usize::from(byte % 4)),
        6 => advert.extend(std::iter::repeat_n(byte, 1 + usize::from(byte % 60))),
        _ => {}
    }
    let mut checked = advert.clone();
    if version == 3 {
        checked =
            [&source[..], &[224, 0, 0, 18, 0, 112], &(advert.len() as u16).to_be_bytes(), &advert].concat();
    }
    let check = if kind == 7 { !sum(&checked) ^ (1 + u16::from(byte)) } else { !sum(&checked) };
    advert[6..8].copy_from_slice(&check.to_be_bytes());
    // The kernel fills in length, identification and checksum.
    let mut bytes = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, ttl, 112, 0, 0];
    bytes.extend(source);
    bytes.extend([224, 0, 0, 18]);
    bytes.extend(advert);
    bytes
}

/// All errors of a statistics dump.
fn errors(text: &str) -> u64 {
    let of = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .unwrap_or_else(|| panic!("{name}: {text}"))
    };
    ["Length", "TTL", "Invalid Type", "Address List"].iter().map(|name| of(name)).sum()
}

fn attack(version: u8) {
    let (lab, hosts) = Lab::with_segment(&["m", "b", "x"]);
    let (mut master, master_child) = start(&lab, &hosts[0], &config(&lab, version, 150));
    let (mut backup, backup_child) = start(&lab, &hosts[1], &config(&lab, version, 100));
    eventually("the better one is Master", || hosts[0].has_address(VIP) && !hosts[1].has_address(VIP));
    let entered = |process: &Process| process.text().matches("Entering ").count();
    let before = [entered(&master), entered(&backup)];
    hosts[2].ip("route add 224.0.0.0/4 dev e0");
    let begin = std::time::Instant::now();
    hosts[2].inside(|| {
        let raw =
            socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap();
        for number in 0..PACKETS {
            let to = SockaddrIn::new(224, 0, 0, 18, 0);
            sendto(raw.as_raw_fd(), &packet(version, number), &to, MsgFlags::empty()).unwrap();
            if number % 50 == 0 {
                // Sockets' queues are short.
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    });
    for (priority, child) in [(150, master_child), (100, backup_child)] {
        let path = lab.directory().join(format!("{priority}.stats"));
        let mut counted = 0;
        eventually("the packets are counted", || {
            let _ = std::fs::remove_file(&path);
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), Signal::SIGUSR2).unwrap();
            eventually("statistics are written", || path.exists());
            counted = errors(&std::fs::read_to_string(&path).unwrap());
            // TTL, type, address list, and lengths; the kernel drops what claims a host's own address, and a few may have found
            // a queue full.
            counted >= u64::from(PACKETS) * 5 / 8 * 8 / 10
        });
        assert!(counted <= u64::from(PACKETS), "{counted}");
    }
    assert!(hosts[0].has_address(VIP) && !hosts[1].has_address(VIP));
    assert_eq!([entered(&master), entered(&backup)], before, "{}{}", master.text(), backup.text());
    let seconds = begin.elapsed().as_secs() as usize + 2;
    for process in [&master, &backup] {
        let mut lines: HashMap<&str, usize> = HashMap::new();
        let text = process.text();
        let reasons = [
            "vrrp packet too",
            "invalid TTL",
            "wrong version",
            "Invalid packet type",
            "not present in MASTER",
            "checksum",
        ];
        for reason in reasons {
            lines.insert(reason, text.lines().filter(|line| line.contains(reason)).count());
        }
        assert!(
            lines.values().all(|count| (1..=seconds).contains(count)),
            "{lines:?} in {seconds} s\n{text}"
        );
    }
    assert!(backup.stop().success());
    assert!(master.stop().success());
}

#[test]
fn an_attackers_packets_of_version_2_change_nothing() {
    attack(2);
}

#[test]
fn an_attackers_packets_of_version_3_change_nothing() {
    attack(3);
}
