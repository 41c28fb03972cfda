//! Packets, field by field: keepalived alone, and ours alone with the same configuration on the same address.

use super::alone::{Sent, watch};
use super::node::Program;
use super::pair::{ADDRESS, config, explained};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;
use testkit::capture::{Frame, Kind, progress};
use wire::ah::Ttl;

/// More than the five seconds after which addresses are announced a second time.
const LONG: Duration = Duration::from_millis(5_700);
const SHORT: Duration = Duration::from_millis(1_200);

/// Texts of frames, each with how often it stands there in a row.
fn runs(frames: &[Frame]) -> Vec<(usize, String)> {
    let mut runs: Vec<(usize, String)> = Vec::new();
    for frame in frames {
        let text = frame.text();
        match runs.last_mut() {
            Some((count, last)) if *last == text => *count += 1,
            _ => runs.push((1, text)),
        }
    }
    runs
}

/// Frames in bursts: those with less than half a second between them.
fn bursts(frames: &[Frame]) -> Vec<Vec<(usize, String)>> {
    let apart = |pair: &Frame, next: &Frame| next.at.duration_since(pair.at) < Duration::from_millis(500);
    frames.chunk_by(apart).map(runs).collect()
}

fn numbers(frames: &[Frame], number: impl Fn(&Frame) -> Option<u32>) -> Vec<u32> {
    frames.iter().filter_map(number).collect()
}

/// What of a run of a program must be the same.
fn summary(sent: &Sent) -> Vec<String> {
    let mut out = Vec::new();
    // Not how many: that depends on when it was stopped.
    out.extend(runs(&sent.adverts).into_iter().map(|(_, text)| format!("advert {text}")));
    let ids = numbers(&sent.adverts, |frame| frame.id().map(u32::from));
    out.push(format!("identifications: {}", progress(&ids)));
    let sequence = numbers(&sent.adverts, Frame::sequence);
    if !sequence.is_empty() {
        out.push(format!("sequence numbers from {}: {}", sequence[0], progress(&sequence)));
    }
    // Those of ARP and of neighbour discovery go through two sockets, each in order.
    for kind in [Kind::Arp, Kind::Neighbour] {
        let frames: Vec<_> =
            sent.announcements.iter().filter(|frame| frame.kind() == kind).cloned().collect();
        for burst in bursts(&frames) {
            out.push("announcements:".to_owned());
            out.extend(burst.into_iter().map(|(count, text)| format!("{count} times {text}")));
        }
    }
    out
}

/// The groups of VRRP among those that were joined; the kernel joins others for itself.
fn joined(sent: &Sent) -> BTreeSet<IpAddr> {
    let kernels = |group: &IpAddr| matches!(group, IpAddr::V6(group) if group.segments()[7] != 0x12);
    sent.memberships.iter().flat_map(Frame::groups).filter(|group| !kernels(group)).collect()
}

fn same(name: &str, config: &str, master_for: Duration) -> [Sent; 2] {
    same_but(name, config, master_for, |line| line)
}

/// The same, but for what a difference turns into ours.
fn same_but(name: &str, config: &str, master_for: Duration, ours: fn(String) -> String) -> [Sent; 2] {
    let into_ours = ours;
    let (ours, theirs) = thread::scope(|scope| {
        let ours = scope.spawn(|| watch(Program::Evenkeel, config, master_for));
        let theirs = watch(Program::Keepalived, config, master_for);
        (ours.join(), theirs)
    });
    let ours = ours.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let show = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
    let (one, other) = (summary(&ours), summary(&theirs));
    let other: Vec<String> = other.into_iter().map(into_ours).collect();
    assert_eq!(joined(&ours), joined(&theirs), "{name}: groups joined");
    assert!(one == other, "{name}: packets differ\n  ours:\n{}  keepalived's:\n{}", show(&one), show(&other));
    if std::env::var_os("EVENKEEL_INTEROP_SHOW").is_some() {
        eprintln!("{name}:\n{}  joined {:#?} {:#?}", show(&one), joined(&ours), joined(&theirs));
    }
    [ours, theirs]
}

fn second(instance: &str) -> String {
    config("vrrp_version 2", &format!("advert_int 1\n{instance}\n{ADDRESS}"))
}

fn third(instance: &str) -> String {
    config("vrrp_version 3", &format!("advert_int 0.2\n{instance}"))
}

const PASS: &str = "authentication {\n auth_type PASS\n auth_pass passw123\n}";
const AH: &str = "authentication {\n auth_type AH\n auth_pass secret\n}";
const UNICAST: &str = "unicast_src_ip 10.20.0.1\nunicast_peer {\n10.20.0.2\n}";
const ADDRESS6: &str = "virtual_ipaddress {\n fe80::64/64\n fd20::64/64\n}";

#[test]
fn version_2() {
    same("v2", &second(""), LONG);
    same("v2-pass", &second(PASS), SHORT);
    same("v2-unicast", &second(UNICAST), SHORT);
}

#[test]
fn version_2_with_an_authentication_header() {
    for (name, config, ttl) in [
        ("v2-ah", second(AH), Ttl::Kept),
        ("v2-ah-unicast", second(&format!("{AH}\n{UNICAST}")), Ttl::Zeroed),
    ] {
        for sent in same(name, &config, SHORT) {
            assert!(sent.adverts.iter().all(|frame| frame.is_authentic(ttl, *b"secret\0\0")), "{name}");
        }
    }
}

#[test]
fn version_3() {
    same("v3", &third(ADDRESS), LONG);
    same("v3-unicast", &third(&format!("{UNICAST}\nunicast_ttl 17\n{ADDRESS}")), SHORT);
    same("v3-odd", &third(ADDRESS).replace("advert_int 0.2", "advert_int 0.37"), SHORT);
    let owner = third(&format!("state MASTER\n{ADDRESS}")).replace("@a priority 150", "@a priority 255");
    same("v3-owner", &owner, SHORT);
}

#[test]
fn version_3_over_ipv6() {
    same("v3-ipv6", &third(ADDRESS6), LONG);
    let unicast = "unicast_src_ip fd20::1\nunicast_peer {\nfd20::2\n}";
    explained("hop-limit-of-unicast-over-ipv6");
    let hops = |line: String| line.replace(" hops 64 ", " hops 255 ");
    same_but("v3-ipv6-unicast", &third(&format!("{unicast}\n{ADDRESS6}")), SHORT, hops);
    same("v3-ipv6-first-global", &third("virtual_ipaddress {\n fd20::64/64\n}"), SHORT);
}

#[test]
fn virtual_macs() {
    same("vmac", &third(&format!("use_vmac\n{ADDRESS}")), LONG);
    same("vmac-xmit-base", &third(&format!("use_vmac\nvmac_xmit_base\n{ADDRESS}")), SHORT);
    same("vmac-ipv6", &third(&format!("use_vmac\n{ADDRESS6}")), SHORT);
}

#[test]
fn many_addresses() {
    let addresses = "virtual_ipaddress {\n 10.20.0.100/24\n 10.20.0.101/24\n 10.20.0.99/32\n}\n\
                     virtual_ipaddress_excluded {\n 10.20.0.110/24\n fd20::110/64\n}";
    same("addresses", &third(addresses), LONG);
    same("addresses-v2", &config("", &format!("advert_int 1\n{addresses}")), SHORT);
}

#[test]
fn schedules_of_announcements() {
    let quick = "garp_master_delay 1\ngarp_master_repeat 2";
    same("garp-delay", &third(&format!("{quick}\n{ADDRESS}")), 2 * SHORT);
    let refresh =
        "garp_master_delay 0\ngarp_master_repeat 1\ngarp_master_refresh 2\ngarp_master_refresh_repeat 3";
    same("garp-refresh", &third(&format!("{refresh}\n{ADDRESS}")), LONG);
    same("garp-none", &third(&format!("garp_master_repeat 0\n{ADDRESS}")), SHORT);
}
