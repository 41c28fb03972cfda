//! Services by firewall mark: the bundled ports of chapter 3.4, and the FTP of chapter 3.5.
//!
//! The guide's rules are run as written, their addresses filled in. Debian's `iptables` writes them for nftables, the
//! tables of which the guest's kernel is built without, so they go to `iptables-legacy`, the `iptables` of the guide's days.

use crate::GUEST;
use crate::ftp::{self, Way};
use crate::town::{Connection, Program, Router, Server, answers, each, until};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use testkit::lab::{Host, Lab};
use testkit::uml::needed;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The router's own address.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 11);

struct Figure {
    lab: Lab,
    client: Host,
    /// 10.0.0.50 to .53.
    clients: Vec<Ipv4Addr>,
    router: Host,
    /// 192.168.1.20 and .21.
    servers: Vec<Host>,
}

/// A client of four addresses, a router with the virtual address, two real servers whose way out is the router.
fn figure() -> Figure {
    needed("ipvsadm", "ipvsadm");
    needed("iptables-legacy", "iptables");
    let mut lab = Lab::new();
    let [client, router] = ["client", "lb"].map(|name| lab.host(name));
    let servers = ["r0", "r1"].map(|name| lab.host(name)).to_vec();
    lab.segment("ext", 30, &[router.clone(), client.clone()]);
    lab.segment("int", 31, &[std::slice::from_ref(&router), &servers].concat());
    let clients: Vec<_> = (50..54).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect();
    for address in &clients {
        client.ip(&format!("addr add {address}/24 dev e0"));
    }
    router.ip(&format!("addr add {ROUTER}/24 dev e0"));
    router.ip(&format!("addr add {VIP}/32 dev e0"));
    router.ip("addr add 192.168.1.1/24 dev e1");
    router.set("ipv4/ip_forward", "1");
    for (number, server) in servers.iter().enumerate() {
        server.ip(&format!("addr add 192.168.1.2{number}/24 dev e0"));
        server.ip("route add default via 192.168.1.1");
    }
    Figure { lab, client, clients, router, servers }
}

/// A service by mark, its servers checked on a port.
fn config(mark: u32, port: u16) -> String {
    let server = |n: usize| {
        format!(
            "    real_server 192.168.1.2{n} {port} {{\n        TCP_CHECK {{\n            connect_timeout 10\n        }}\n    }}\n"
        )
    };
    format!(
        "virtual_server fwmark {mark} {{\n    delay_loop 2\n    lb_algo rr\n    lb_kind NAT\n    \
         persistence_timeout 600\n{}{}}}\n",
        server(0),
        server(1)
    )
}

/// A rule of the guide.
fn iptables(router: &Host, rule: &str) {
    router.run("iptables-legacy", &rule.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_mark_bundles_ports_and_keeps_a_client_on_its_server() {
    GUEST.run(|| {
        let Figure { lab, client, clients, router, servers } = figure();
        let start = |n: usize, port| Server::start(&servers[n], &format!("r{n}"), port);
        let mut running: Vec<_> = [80, 443].map(|port| start(0, port)).into();
        let _others = [80, 443].map(|port| start(1, port));
        let mut active = Router::start(&lab, &router, Program::Ours, &config(80, 80));
        until("the table is full", || active.servers() == ["192.168.1.20", "192.168.1.21"]);
        assert_eq!(
            active.table(),
            [
                "-A -f 80 -s rr -p 600",
                "-a -f 80 -r 192.168.1.20:80 -m -w 1",
                "-a -f 80 -r 192.168.1.21:80 -m -w 1"
            ]
        );
        let [web, secure] = [80, 443].map(|port| SocketAddrV4::new(VIP, port));
        let who = |from: Ipv4Addr, to| Connection::open(&client, from, to).map(|connection| connection.server);
        for service in [web, secure] {
            assert_eq!(who(clients[0], service), None, "nothing is marked yet");
        }

        iptables(&router, "-I INPUT -p vrrp -j ACCEPT");
        let rule = "-t mangle -A PREROUTING -p tcp -d 10.0.0.1/32 -m multiport --dports 80,443 -j MARK --set-mark 80";
        iptables(&router, rule);
        assert_eq!(answers(&client, clients.iter().copied(), web), each([("r0", 2), ("r1", 2)]));
        let before: Vec<_> = clients.iter().map(|from| who(*from, web)).collect();
        for service in [secure, web, secure] {
            assert_eq!(clients.iter().map(|from| who(*from, service)).collect::<Vec<_>>(), before);
        }
        assert_eq!(who(clients[0], SocketAddrV4::new(VIP, 8080)), None, "the rule says which ports");

        running.drain(..).for_each(Server::stop);
        until("the dead server leaves the table", || active.servers() == ["192.168.1.21"]);
        let line = "Removing service [192.168.1.20]:none:80 from VS FWM 80";
        until(&format!("{line}, among:\n{}", active.log()), || active.log().contains(line));
        for service in [web, secure] {
            assert_eq!(answers(&client, clients.iter().copied(), service), each([("r1", 4)]));
        }
        running.extend([80, 443].map(|port| start(0, port)));
        until("it returns to the table", || active.servers() == ["192.168.1.20", "192.168.1.21"]);
        assert_eq!(answers(&client, clients.iter().copied(), secure), each([("r1", 4)]), "nobody moves back");
        assert!(active.process.stop().success(), "{}", active.log());
        assert_eq!(active.table(), Vec::<String>::new());
    });
}

/// Loads a module; the guest's `modprobe` is the one its kernel calls.
fn modprobe(module: &str) {
    let program = std::fs::read_to_string("/proc/sys/kernel/modprobe").unwrap();
    assert!(Command::new(program.trim()).arg(module).status().unwrap().success(), "{module}");
}

#[test]
fn ftp_by_its_mark_transfers_actively_and_passively() {
    GUEST.run(|| {
        let Figure { lab, client, clients, router, servers } = figure();
        for (number, host) in servers.iter().enumerate() {
            ftp::serve(host, &format!("r{number}"));
        }
        let mut active = Router::start(&lab, &router, Program::Ours, &config(21, 21));
        until("the table is full", || active.servers() == ["192.168.1.20", "192.168.1.21"]);
        let service = SocketAddrV4::new(VIP, 21);
        let open = |n: usize| ftp::Client::open(&client, clients[n], service);
        assert!(open(0).is_none(), "nothing is marked yet");
        let file: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 2 == 0)]).collect();
        // Both ways; whom the data connections were with.
        let transfer = |n: usize, way: Way| {
            let mut session = open(n).unwrap();
            let name = format!("{way:?}");
            let stored = session.store(way, &name, &file)?;
            let (fetched, content) = session.fetch(way, &name)?;
            assert!(content == file, "{way:?}: {} bytes of {}", content.len(), file.len());
            assert_eq!(stored.ip(), fetched.ip(), "{way:?}");
            assert_eq!(stored.port() == 20, fetched.port() == 20, "{way:?}");
            Some(fetched)
        };
        let range = |address: SocketAddrV4| (10_000..=20_000).contains(&address.port());
        iptables(&router, "-t mangle -A PREROUTING -p tcp -d 10.0.0.1/32 --dport 21 -j MARK --set-mark 21");
        let rule = "-t mangle -A PREROUTING -p tcp -d 10.0.0.1/32 --dport 10000:20000 -j MARK --set-mark 21";
        iptables(&router, rule);
        let before: Vec<_> = (0..4).map(|n| open(n).unwrap().server).collect();
        assert_eq!(before.iter().filter(|name| *name == "r0").count(), 2, "{before:?}");
        assert_eq!(transfer(0, Way::Port), None, "the client does not know the inner network");
        iptables(&router, "-t nat -A POSTROUTING -p tcp -s 192.168.1.0/24 --sport 20 -j MASQUERADE");
        // Without the module the connection is nobody's but the rule's: it comes from the router's own address.
        assert_eq!(transfer(0, Way::Port), Some(SocketAddrV4::new(ROUTER, 20)));
        let told = open(0).unwrap().passive(Way::Pasv).unwrap();
        assert_eq!(told.ip().octets()[..3], [192, 168, 1], "nobody rewrites the answer");
        assert_eq!(transfer(0, Way::Pasv), None);

        // What `systemd-modules-load` would do. `net.ipv4.vs.conntrack` may stay off: the module tracks its connections itself.
        modprobe("ip_vs_ftp");
        for n in 0..2 {
            for way in [Way::Port, Way::Eprt] {
                assert_eq!(transfer(n, way), Some(SocketAddrV4::new(VIP, 20)), "{way:?}");
            }
            for way in [Way::Pasv, Way::Epsv] {
                let with = transfer(n, way);
                assert!(with.is_some_and(|with| *with.ip() == VIP && range(with)), "{way:?}: {with:?}");
            }
        }
        assert_eq!((0..4).map(|n| open(n).unwrap().server).collect::<Vec<_>>(), before, "persistence");
        assert!(active.process.stop().success(), "{}", active.log());
    });
}
