//! Measures VRRP programs side by side, in network namespaces: `vrrp takeover|scale [--rounds N] [--intervals 1,0.1,0.01]
//! [--families 4,6] [--routers N] NAME=PROGRAM [WORD…]…`. A program takes keepalived's options after its words. Prints Markdown tables.
//!
//! **takeover**: two routers of the same program on a segment and an observer. Right after an advert, the worst moment, the
//! Master dies; the time runs from that advert to the first gratuitous ARP (or unsolicited neighbour advertisement) for the
//! virtual address from another hardware address; when only a process dies, from any. *host*: parent and child are killed at once, as if the machine were gone; *process*: the process that speaks
//! VRRP is killed; *stop*: the parent is asked to end.
//!
//! **scale**: many virtual routers in one process, spread over two segments, each a Master on one host and a Backup on the
//! other; processor time over a while, and the memory of parent and child together.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that goes wrong ends"
)]

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use std::fmt::Write as _;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};
use testkit::lab::{Host, Lab, Process, eventually};

const VIP: [u8; 4] = [10, 20, 0, 100];
const VIP6: &str = "fe80::100";
const VRID: u8 = 51;

struct Program {
    name: String,
    words: Vec<String>,
}

impl Program {
    fn start(&self, lab: &Lab, host: &Host, config: &str) -> Running {
        let path =
            |what: &str| lab.directory().join(format!("{}.{what}", host.namespace)).display().to_string();
        let file = lab.file(&format!("{}.conf", host.namespace), config).display().to_string();
        let (parent, child) = (path("pid"), path("vrrp.pid"));
        let mut words: Vec<&str> = self.words.iter().skip(1).map(String::as_str).collect();
        // -G: without a log daemon, keepalived would write each line to the console too.
        words.extend(["-P", "-n", "-l", "-G", "-f", &file, "-p", &parent, "-r", &child]);
        let process = host.start(lab, &format!("{}.log", host.namespace), &self.words[0], &words);
        eventually("the pid files are there", || {
            [&parent, &child]
                .iter()
                .all(|path| std::fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n')))
        });
        let pid = |path: &str| std::fs::read_to_string(path).unwrap().trim().parse().unwrap();
        Running { parent: pid(&parent), child: pid(&child), process }
    }
}

struct Running {
    parent: i32,
    child: i32,
    process: Process,
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("a running process");
}

#[derive(Clone, Copy)]
enum Fault {
    Host,
    Process,
    Stop,
}

impl Running {
    fn suffer(&self, fault: Fault) {
        match fault {
            Fault::Host => {
                // A living parent could stand in, and a child whose parent dies could resign.
                signal(self.parent, Signal::SIGSTOP);
                signal(self.child, Signal::SIGKILL);
                signal(self.parent, Signal::SIGKILL);
            }
            Fault::Process => signal(self.child, Signal::SIGKILL),
            Fault::Stop => signal(self.parent, Signal::SIGTERM),
        }
    }
}

/// Sees every frame of a host's links.
struct Observer(OwnedFd);

enum Seen {
    Advert { mac: [u8; 6], priority: u8 },
    Announced { mac: [u8; 6] },
}

impl Observer {
    fn at(host: &Host) -> Self {
        host.inside(|| {
            let flags = SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll);
            let socket = socket.expect("a packet socket");
            setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 100_000)).expect("a timeout");
            Self(socket)
        })
    }

    /// The next frame that matters, with the time it came.
    fn next(&self, until: Instant) -> Option<(Instant, Seen)> {
        let mut frame = [0; 2048];
        while Instant::now() < until {
            let Ok(len) = recv(self.0.as_raw_fd(), &mut frame, MsgFlags::empty()) else { continue };
            let now = Instant::now();
            let frame = &frame[..len.max(60)];
            let mac = frame[6..12].try_into().unwrap();
            match u16::from_be_bytes([frame[12], frame[13]]) {
                0x0806 if frame[28..32] == VIP && frame[38..42] == VIP => {
                    return Some((now, Seen::Announced { mac }));
                }
                0x0800 if frame[23] == 112 => {
                    let advert = &frame[14 + usize::from(frame[14] & 15) * 4..];
                    if advert[1] == VRID {
                        return Some((now, Seen::Advert { mac, priority: advert[2] }));
                    }
                }
                0x86dd if frame[20] == 112 => {
                    let advert = &frame[54..];
                    if advert[1] == VRID {
                        return Some((now, Seen::Advert { mac, priority: advert[2] }));
                    }
                }
                // A neighbour advertisement.
                0x86dd if frame[20] == 58 && frame[54] == 136 => {
                    let target: [u8; 16] = frame[62..78].try_into().unwrap();
                    if Ipv6Addr::from(target) == VIP6.parse::<Ipv6Addr>().unwrap() {
                        return Some((now, Seen::Announced { mac }));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

fn instance(family: &str, interval: &str, priority: u8) -> String {
    if family == "6" {
        return format!(
            "global_defs {{\n router_id r{priority}\n}}\nvrrp_instance VI_1 {{\n state BACKUP\n interface e0\n \
             virtual_router_id {VRID}\n priority {priority}\n advert_int {interval}\n virtual_ipaddress {{\n \
             {VIP6}/64\n }}\n}}\n"
        );
    }
    let version = if interval.contains('.') { 3 } else { 2 };
    format!(
        "global_defs {{\n router_id r{priority}\n vrrp_version {version}\n}}\nvrrp_instance VI_1 {{\n state BACKUP\n \
         interface e0\n virtual_router_id {VRID}\n priority {priority}\n advert_int {interval}\n virtual_ipaddress {{\n \
         10.20.0.100/24\n }}\n}}\n"
    )
}

/// Milliseconds from the last advert of the Master to the announcement of the other.
fn takeover(program: &Program, family: &str, interval: &str, fault: Fault) -> f64 {
    let vip = if family == "6" { VIP6 } else { "10.20.0.100" };
    let (lab, hosts) = Lab::with_segment(&["a", "b", "o"]);
    let backup = program.start(&lab, &hosts[1], &instance(family, interval, 100));
    let master = program.start(&lab, &hosts[0], &instance(family, interval, 150));
    eventually("the better one is Master", || hosts[0].has_address(vip) && !hosts[1].has_address(vip));
    let observer = Observer::at(&hosts[2]);
    // The announcements of the election pass, and processes that have just started come to rest.
    let rest = Instant::now() + Duration::from_millis(1200);
    while observer.next(rest).is_some() {}
    let (mut last, old) = loop {
        match observer.next(Instant::now() + Duration::from_secs(5)).expect("an advert of the Master") {
            (at, Seen::Advert { mac, priority: 150 }) => break (at, mac),
            _ => continue,
        }
    };
    master.suffer(fault);
    let died = Instant::now();
    // Announcements of the old Master may be on their way; who takes over advertises first.
    let mut advertised = false;
    let time = loop {
        match observer
            .next(died + Duration::from_secs(10))
            .unwrap_or_else(|| panic!("nobody took over\n{}\n{}", tail(&master), tail(&backup)))
        {
            // One that was on its way when it died.
            (at, Seen::Advert { mac, priority: 150 }) if mac == old && at < died => last = at,
            (_, Seen::Advert { .. }) => advertised = true,
            // keepalived's parent may start its child again before the other router has waited long enough.
            (at, Seen::Announced { mac })
                if advertised && (mac != old || matches!(fault, Fault::Process)) =>
            {
                break at - last;
            }
            _ => continue,
        }
    };
    drop((master, backup));
    time.as_secs_f64() * 1e3
}

fn tail(running: &Running) -> String {
    let text = running.process.text();
    let lines: Vec<_> = text.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn summary(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (min, median, max) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

fn takeovers(programs: &[Program], family: &str, intervals: &[String], rounds: usize) {
    let names: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
    println!("\nIPv{family}\n\n| advert_int | fault | bound, ms | {} |", names.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(names.len()));
    for interval in intervals {
        let seconds: f64 = interval.parse().expect("an interval");
        // Of version 2 and whole seconds the same as of version 3.
        let skew = seconds * 156.0 / 256.0 * 1e3;
        for (what, fault, bound) in [
            ("host dies", Fault::Host, seconds * 3e3 + skew),
            ("process dies", Fault::Process, skew),
            ("stop", Fault::Stop, skew),
        ] {
            let mut times = vec![Vec::new(); programs.len()];
            for _ in 0..rounds {
                for (program, times) in programs.iter().zip(&mut times) {
                    times.push(takeover(program, family, interval, fault));
                }
            }
            let mut row = format!("| {interval} s | {what} | {bound:.1} |");
            for times in times {
                let _ = write!(row, " {} |", summary(times, 1));
            }
            println!("{row}");
        }
    }
}

/// What a tree of two processes costs.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Processor time in a minute, milliseconds.
    cpu: f64,
    /// KiB.
    rss: f64,
    pss: f64,
    anonymous: f64,
}

/// Processor time so far, ms.
fn cpu(running: &Running) -> f64 {
    let of = |pid: i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("a running process");
        text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e6
    };
    of(running.parent) + of(running.child)
}

fn memory(running: &Running) -> Cost {
    let mut cost = Cost::default();
    for pid in [running.parent, running.child] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a running process");
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0)
        };
        cost.rss += of("Rss:");
        cost.pss += of("Pss:");
        cost.anonymous += of("Pss_Anon:");
    }
    cost
}

fn many(count: usize, interval: &str, priority: u8) -> String {
    let version = if interval.contains('.') { 3 } else { 2 };
    let mut text = format!("global_defs {{\n router_id r{priority}\n vrrp_version {version}\n}}\n");
    for number in 0..count {
        let (link, vrid) = (number % 2, number / 2 + 1);
        let _ = write!(
            text,
            "vrrp_instance VI_{number} {{\n state BACKUP\n interface e{link}\n virtual_router_id {vrid}\n priority \
             {priority}\n advert_int {interval}\n virtual_ipaddress {{\n 10.2{link}.1.{vrid}/32\n }}\n}}\n"
        );
    }
    text
}

/// Master's and Backup's cost.
fn scale(program: &Program, count: usize, interval: &str, window: Duration) -> [Cost; 2] {
    let mut lab = Lab::new();
    let hosts = [lab.host("a"), lab.host("b")];
    lab.segment("one", 20, &hosts);
    lab.segment("two", 21, &hosts);
    let master = program.start(&lab, &hosts[0], &many(count, interval, 150));
    let addresses = |host: &Host| {
        let text = host.ip("-4 -o addr show");
        text.lines().filter(|line| line.contains("/32")).count()
    };
    eventually("all are Master", || addresses(&hosts[0]) == count);
    let backup = program.start(&lab, &hosts[1], &many(count, interval, 100));
    // Past the second burst of announcements, and whatever a start leaves to be done later.
    std::thread::sleep(Duration::from_secs(12));
    let before = [cpu(&master), cpu(&backup)];
    let begin = Instant::now();
    std::thread::sleep(window);
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let after = [cpu(&master), cpu(&backup)];
    assert_eq!((addresses(&hosts[0]), addresses(&hosts[1])), (count, 0));
    let costs = [(&master, 0), (&backup, 1)].map(|(running, at): (&Running, usize)| Cost {
        cpu: (after[at] - before[at]) / minutes,
        ..memory(running)
    });
    for running in [&backup, &master] {
        signal(running.parent, Signal::SIGTERM);
    }
    for mut running in [backup, master] {
        running.process.wait();
    }
    costs
}

fn scales(programs: &[Program], intervals: &[String], rounds: usize, count: usize) {
    println!("{count} virtual routers, parent and child together, median (least–most) of {rounds} runs\n");
    println!("| advert_int | role | program | CPU, ms/min | RSS, KiB | PSS, KiB | anonymous, KiB |");
    println!("|---|---|---|---|---|---|---|");
    for interval in intervals {
        let mut costs: Vec<Vec<[Cost; 2]>> = vec![Vec::new(); programs.len()];
        for _ in 0..rounds {
            for (program, costs) in programs.iter().zip(&mut costs) {
                costs.push(scale(program, count, interval, Duration::from_secs(20)));
            }
        }
        for (role, at) in [("Master", 0), ("Backup", 1)] {
            for (program, costs) in programs.iter().zip(&costs) {
                let of =
                    |what: fn(&Cost) -> f64| summary(costs.iter().map(|both| what(&both[at])).collect(), 0);
                println!(
                    "| {interval} s | {role} | {} | {} | {} | {} | {} |",
                    program.name,
                    of(|cost| cost.cpu),
                    of(|cost| cost.rss),
                    of(|cost| cost.pss),
                    of(|cost| cost.anonymous)
                );
            }
        }
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mode = words.next().expect("takeover or scale");
    let (mut rounds, mut routers, mut intervals, mut families) = (3, 500, None, "4".to_owned());
    let mut programs: Vec<Program> = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value");
        match word.as_str() {
            "--rounds" => rounds = value().parse().expect("a number"),
            "--routers" => routers = value().parse().expect("a number"),
            "--families" => families = value(),
            "--intervals" => intervals = Some(value().split(',').map(str::to_owned).collect::<Vec<_>>()),
            word => match word.split_once('=') {
                Some((name, program)) => {
                    let words = program.split_whitespace().map(str::to_owned).collect();
                    programs.push(Program { name: name.to_owned(), words });
                }
                None => panic!("{word}: NAME=PROGRAM is expected"),
            },
        }
    }
    let or = |default: &str| default.split(',').map(str::to_owned).collect::<Vec<_>>();
    match mode.as_str() {
        "takeover" => {
            for family in families.split(',') {
                let intervals = intervals.clone().unwrap_or_else(|| or("1,0.1,0.01"));
                takeovers(&programs, family, &intervals, rounds);
            }
        }
        "scale" => scales(&programs, &intervals.unwrap_or_else(|| or("1")), rounds, routers),
        other => panic!("{other}: takeover or scale is expected"),
    }
}
