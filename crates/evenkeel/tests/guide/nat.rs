//! The NAT pair of chapters 2.3, 3.1 and 4.1.

use crate::GUEST;
use crate::town::{Connection, Program, Router, Server, each, spread, until};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};
use testkit::lab::{Host, Lab};
use testkit::uml::needed;

const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80);
const LB1: &str = include_str!("../data/pair/lb1.conf");
const LB2: &str = include_str!("../data/pair/lb2.conf");

struct Figure {
    lab: Lab,
    client: Host,
    routers: [Host; 2],
    /// 192.168.1.20 to .23.
    servers: Vec<Host>,
}

/// A client, two routers with a leg in each network, four real servers whose way out is the inner virtual address.
fn figure() -> Figure {
    let mut lab = Lab::new();
    let client = lab.host("client");
    let routers = [lab.host("lb1"), lab.host("lb2")];
    let servers: Vec<_> = (0..4).map(|n| lab.host(&format!("r{n}"))).collect();
    let [one, two] = &routers;
    let again = |host: &Host| Host { namespace: host.namespace.clone() };
    lab.segment("ext", 30, &[again(one), again(two), again(&client)]);
    let mut inner = vec![again(one), again(two)];
    inner.extend(servers.iter().map(again));
    lab.segment("int", 31, &inner);
    client.ip("addr add 10.0.0.50/24 dev e0");
    for (number, router) in routers.iter().enumerate() {
        router.ip(&format!("addr add 10.0.0.1{}/24 dev e0", number + 1));
        router.ip(&format!("addr add 192.168.1.1{}/24 dev e1", number + 1));
        router.set("ipv4/ip_forward", "1");
    }
    for (number, server) in servers.iter().enumerate() {
        server.ip(&format!("addr add 192.168.1.2{number}/24 dev e0"));
        server.ip("route add default via 192.168.1.1");
    }
    Figure { lab, client, routers, servers }
}

fn pair(first: Program, second: Program, sync: bool) {
    needed("ipvsadm", "ipvsadm");
    let Figure { lab, client, routers: [one, two], servers } = figure();
    let mut running: Vec<_> =
        servers.iter().enumerate().map(|(n, host)| Some(Server::start(host, &format!("r{n}"), 80))).collect();
    let synced = |config: &str| {
        if sync {
            config.replacen("global_defs {", "global_defs {\n   lvs_sync_daemon e1 RH_INT\n", 1)
        } else {
            config.to_owned()
        }
    };
    let mut active = Router::start(&lab, &one, first, &synced(LB1));
    until("LB1 has both addresses", || one.has_address("10.0.0.1") && one.has_address("192.168.1.1"));
    let mut backup = Router::start(&lab, &two, second, &synced(LB2));
    let all = ["192.168.1.20", "192.168.1.21", "192.168.1.22", "192.168.1.23"];
    // A table on each: the backup keeps it ready.
    until("both tables are full", || active.servers() == all && backup.servers() == all);
    assert_eq!(active.table(), backup.table());
    assert_eq!(active.table()[0], "-A -t 10.0.0.1:80 -s rr");
    assert_eq!(active.table()[1], "-a -t 10.0.0.1:80 -r 192.168.1.20:80 -m -w 1");
    // As soon as the client can be answered.
    until("somebody answers", || Connection::open(&client, Ipv4Addr::UNSPECIFIED, VIP).is_some());
    assert_eq!(spread(&client, 8, VIP), each([("r0", 2), ("r1", 2), ("r2", 2), ("r3", 2)]));

    // keepalived's output is written when its buffer is full.
    let says = |line: &str| {
        for (router, program) in [(&active, first), (&backup, second)] {
            let said = || matches!(program, Program::Keepalived) || router.log().contains(line);
            until(&format!("{line}, among:\n{}", router.log()), said);
        }
    };
    running[2].take().unwrap().stop();
    let less = ["192.168.1.20", "192.168.1.21", "192.168.1.23"];
    until("the dead server leaves both tables", || active.servers() == less && backup.servers() == less);
    for line in [
        "TCP_CHECK on service [192.168.1.22]:tcp:80 failed",
        "Removing service [192.168.1.22]:tcp:80 from VS [10.0.0.1]:tcp:80",
    ] {
        says(line);
    }
    assert_eq!(spread(&client, 6, VIP), each([("r0", 2), ("r1", 2), ("r3", 2)]));

    running[2] = Some(Server::start(&servers[2], "r2", 80));
    until("it returns to both tables", || active.servers() == all && backup.servers() == all);
    for line in [
        "TCP connection to [192.168.1.22]:tcp:80 success.",
        "Adding service [192.168.1.22]:tcp:80 to VS [10.0.0.1]:tcp:80",
    ] {
        says(line);
    }
    assert_eq!(spread(&client, 8, VIP), each([("r0", 2), ("r1", 2), ("r2", 2), ("r3", 2)]));

    let mut old = Connection::open(&client, Ipv4Addr::UNSPECIFIED, VIP).unwrap();
    assert!(old.says("before", Duration::from_secs(2)));
    if sync {
        // The kernel tells of a connection with its packets, and not at once.
        until("the backup knows the connection", || {
            assert!(old.says("still there", Duration::from_secs(5)));
            two.run("ipvsadm", &["-Lnc"]).contains("ESTABLISHED")
        });
    }
    for segment in ["ext", "int"] {
        lab.isolate(segment, 1);
    }
    active.dies();
    let since = Instant::now();
    until("the other router answers", || Connection::open(&client, Ipv4Addr::UNSPECIFIED, VIP).is_some());
    println!("{first:?} to {second:?}: new connections after {:?}", since.elapsed());
    assert_eq!(spread(&client, 8, VIP), each([("r0", 2), ("r1", 2), ("r2", 2), ("r3", 2)]));
    assert_eq!(old.says("after", Duration::from_secs(if sync { 30 } else { 3 })), sync);
    assert!(backup.process.stop().success(), "{}", backup.log());
    assert_eq!(backup.table(), Vec::<String>::new());
}

#[test]
fn the_guides_pair_serves_through_faults_of_servers_and_routers() {
    GUEST.run(|| pair(Program::Ours, Program::Ours, false));
}

#[test]
fn established_connections_survive_a_takeover_with_the_sync_daemon() {
    GUEST.run(|| pair(Program::Ours, Program::Ours, true));
}

#[test]
fn the_guides_pair_works_with_keepalived_on_either_side() {
    GUEST.run(|| {
        pair(Program::Keepalived, Program::Ours, true);
        pair(Program::Ours, Program::Keepalived, true);
    });
}
