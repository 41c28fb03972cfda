//! The direct-routing pair of chapters 2.3, 3.2 and 4.2, with the cures of the ARP problem that 3.2.1 and 3.2.4 give.

use crate::GUEST;
use crate::town::{Connection, Program, Router, Server, answers, each, until};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;
use testkit::lab::{Host, Lab};
use testkit::uml::needed;

const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(172, 31, 0, 1), 80);
const ACTIVE: &str = include_str!("../data/guide/dr-active.conf");
const BACKUP: &str = include_str!("../data/guide/dr-backup.conf");

/// How a real server keeps quiet about the virtual address it has.
#[derive(Clone, Copy, Debug)]
enum Cure {
    /// 3.2.1.
    Arptables,
    /// 3.2.4.
    Sysctl,
}

fn cure(server: &Host, real: &str, cure: Cure) {
    match cure {
        Cure::Arptables => {
            // The guide's words, but for the names of the chains, which are INPUT and OUTPUT since; the guest's kernel has
            // the tables that the guide means, not nftables' for ARP.
            server.run("arptables-legacy", &["-A", "INPUT", "-d", "172.31.0.1", "-j", "DROP"]);
            let words = ["-A", "OUTPUT", "-s", "172.31.0.1", "-j", "mangle", "--mangle-ip-s", real];
            server.run("arptables-legacy", &words);
            server.ip("addr add 172.31.0.1 dev e0");
        }
        Cure::Sysctl => {
            server.set("ipv4/conf/e0/arp_ignore", "1");
            server.set("ipv4/conf/e0/arp_announce", "2");
            server.ip("addr add 172.31.0.1 dev lo");
        }
    }
}

/// The hardware address a host knows for the virtual address.
fn neighbour(client: &Host) -> Option<String> {
    let known = client.ip_json("neigh show to 172.31.0.1 dev e0");
    known[0]["lladdr"].as_str().map(str::to_owned)
}

fn hardware(host: &Host) -> String {
    host.ip_json("link show dev e0")[0]["address"].as_str().unwrap().to_owned()
}

fn pair(how: Cure) {
    needed("ipvsadm", "ipvsadm");
    needed("arptables-legacy", "arptables");
    let mut lab = Lab::new();
    let routers = [lab.host("lb1"), lab.host("lb2")];
    let servers: Vec<_> = (1..4).map(|n| lab.host(&format!("r{n}"))).collect();
    let client = lab.host("client");
    let again = |host: &Host| Host { namespace: host.namespace.clone() };
    let on_lan: Vec<_> = routers.iter().chain(&servers).chain(std::iter::once(&client)).map(again).collect();
    lab.segment("lan", 32, &on_lan);
    let clients: Vec<_> = (50..59).map(|n| Ipv4Addr::new(192, 168, 0, n)).collect();
    for address in &clients {
        client.ip(&format!("addr add {address}/24 dev e0"));
    }
    client.ip("route add 172.31.0.1/32 dev e0");
    for (number, router) in routers.iter().enumerate() {
        router.ip(&format!("addr add 192.168.0.1{}/24 dev e0", number + 1));
        router.set("ipv4/ip_forward", "1");
    }
    let mut running = Vec::new();
    for (number, server) in (1..).zip(&servers) {
        server.ip(&format!("addr add 192.168.0.{number}/24 dev e0"));
        cure(server, &format!("192.168.0.{number}"), how);
        running.push(Some(Server::start(server, &format!("r{number}"), 80)));
    }
    let [one, two] = &routers;
    let mut active = Router::start(&lab, one, Program::Ours, ACTIVE);
    until("the active one has the address", || one.has_address("172.31.0.1"));
    let mut backup = Router::start(&lab, two, Program::Ours, BACKUP);
    let all = ["192.168.0.1", "192.168.0.2", "192.168.0.3"];
    until("both tables are full", || active.servers() == all && backup.servers() == all);
    assert_eq!(active.table()[0], "-A -t 172.31.0.1:80 -s rr -p 9600");
    assert_eq!(active.table()[1], "-a -t 172.31.0.1:80 -r 192.168.0.1:80 -g -w 1");

    // Three clients each, and each stays where it was: persistence.
    assert_eq!(
        answers(&client, clients.iter().copied(), VIP),
        each([("r1", 3), ("r2", 3), ("r3", 3)]),
        "{}",
        active.log()
    );
    assert_eq!(neighbour(&client), Some(hardware(one)), "only the active router answers ARP");
    let who = |from: Ipv4Addr| Connection::open(&client, from, VIP).map(|connection| connection.server);
    let before: Vec<_> = clients.iter().map(|from| who(*from)).collect();
    for _ in 0..2 {
        assert_eq!(clients.iter().map(|from| who(*from)).collect::<Vec<_>>(), before);
    }

    running[1].take().unwrap().stop();
    let less = ["192.168.0.1", "192.168.0.3"];
    until("the dead server leaves both tables", || active.servers() == less && backup.servers() == less);
    let line = "Removing service [192.168.0.2]:tcp:80 from VS [172.31.0.1]:tcp:80";
    until(line, || active.log().contains(line));
    for (from, before) in clients.iter().zip(&before) {
        let now = who(*from);
        let stays = before.as_deref() != Some("r2");
        assert!(now.is_some() && now.as_deref() != Some("r2"), "{from}: {now:?}");
        assert!(!stays || now == *before, "{from}: {before:?}, {now:?}");
    }
    running[1] = Some(Server::start(&servers[1], "r2", 80));
    until("it returns to both tables", || active.servers() == all && backup.servers() == all);

    lab.isolate("lan", 1);
    active.dies();
    let since = Instant::now();
    until("the other router answers", || who(clients[0]).is_some());
    println!("{how:?}: new connections after {:?}", since.elapsed());
    assert_eq!(neighbour(&client), Some(hardware(two)), "the client has heard of the new router");
    let spread = answers(&client, clients.iter().copied(), VIP);
    assert_eq!(spread.keys().map(String::as_str).collect::<Vec<_>>(), ["r1", "r2", "r3"], "{spread:?}");
    assert!(backup.process.stop().success(), "{}", backup.log());
    assert_eq!(backup.table(), Vec::<String>::new());
}

#[test]
fn direct_routing_works_with_the_cure_by_sysctl() {
    GUEST.run(|| pair(Cure::Sysctl));
}

#[test]
fn direct_routing_works_with_the_cure_by_arptables() {
    GUEST.run(|| pair(Cure::Arptables));
}
