//! Every scheduler of the kernel behind one director: who gets which connection, exactly, and what `evenkeel director`
//! says of it before and after.

mod kernel;

use crate::GUEST;
use crate::town::{Connection, Program, Router, Server, answers, each, until};
use kernel::Model;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use testkit::lab::{Host, Lab};
use testkit::uml::needed;

/// A service each, from this port on.
const ALGORITHMS: [&str; 13] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "mh", "fo", "ovf"];
const FIRST_PORT: u16 = 8001;
const VIP: Ipv4Addr = Ipv4Addr::new(10, 40, 0, 100);
/// Names, addresses and weights.
const SERVERS: [(&str, &str, i64); 3] =
    [("r1", "10.41.0.1", 3), ("r2", "10.41.0.2", 2), ("r3", "10.41.0.3", 1)];

fn service(algorithm: &str) -> SocketAddrV4 {
    let place = ALGORITHMS.iter().position(|one| *one == algorithm).unwrap();
    SocketAddrV4::new(VIP, FIRST_PORT + u16::try_from(place).unwrap())
}

fn configuration() -> String {
    let mut text = String::new();
    for algorithm in ALGORITHMS {
        let port = service(algorithm).port();
        let _ = write!(
            text,
            "virtual_server {VIP} {port} {{\n delay_loop 2\n lb_algo {algorithm}\n lb_kind NAT\n protocol TCP\n"
        );
        for (_, address, weight) in SERVERS {
            let _ = write!(
                text,
                " real_server {address} {port} {{\n  weight {weight}\n  TCP_CHECK {{\n   connect_timeout 10\n  }}\n }}\n"
            );
        }
        text.push_str("}\n");
    }
    text
}

/// Clients before a director, three real servers behind it.
struct Figure<'a> {
    client: Host,
    addresses: Vec<Ipv4Addr>,
    router: Router<'a>,
    pid_file: String,
}

impl Figure<'_> {
    /// What `evenkeel director` answers.
    fn asked(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        let output = command.arg("director").args(words).args(["-p", &self.pid_file]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {error}\n{}", self.router.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Who will get this client's next connection, by their names: one, where that is decided.
    fn explained(&self, from: Ipv4Addr, algorithm: &str) -> Vec<&'static str> {
        let (client, to) = (from.to_string(), service(algorithm));
        let answer: Value =
            serde_json::from_str(&self.asked(&["explain", &client, &to.to_string(), "--json"])).unwrap();
        let name = |server: &str| {
            let known = SERVERS.iter().find(|(_, address, _)| server == format!("{address}:{}", to.port()));
            known.unwrap_or_else(|| panic!("{answer}")).0
        };
        let mut names: Vec<_> = match answer["server"].as_str() {
            Some(server) => vec![name(server)],
            None => {
                answer["one_of"].as_array().unwrap().iter().map(|one| name(one.as_str().unwrap())).collect()
            }
        };
        names.sort_unstable();
        names
    }

    fn open(&self, from: Ipv4Addr, algorithm: &str) -> Option<Connection> {
        Connection::open(&self.client, from, service(algorithm))
    }

    /// Who got `count` connections, in their order, each closed before the next.
    fn closed(&self, algorithm: &str, count: usize) -> Vec<String> {
        let from = self.addresses.iter().cycle().take(count);
        from.map(|from| self.open(*from, algorithm).map_or_else(|| "nobody".to_owned(), |it| it.server))
            .collect()
    }

    /// Opens connections and holds them: each goes where the kernel's rule says, which is what `explain` said before.
    fn held(&self, algorithm: &str, count: usize) -> BTreeMap<String, usize> {
        let mut model = Model::new(&SERVERS.map(|(name, _, weight)| (name, weight)));
        let (mut connections, mut counts) = (Vec::new(), BTreeMap::new());
        for (number, from) in self.addresses.iter().cycle().take(count).enumerate() {
            let expected = model.next(algorithm);
            let explained = self.explained(*from, algorithm);
            match algorithm {
                // What it remembers the kernel does not tell.
                "lblc" | "lblcr" => assert_eq!(explained, ["r1", "r2", "r3"], "{algorithm}"),
                _ => assert_eq!(explained, Vec::from_iter(expected), "{algorithm}, connection {number}"),
            }
            let connection = self.open(*from, algorithm);
            let server = connection.as_ref().map(|one| one.server.clone());
            assert_eq!(server.as_deref(), expected, "{algorithm}, connection {number}");
            *counts.entry(server.unwrap_or_else(|| "nobody".to_owned())).or_default() += 1;
            connections.push(connection);
        }
        counts
    }

    /// Each client's server is always the one that `explain` names. Returns who has how many clients.
    fn hashed(&self, algorithm: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for from in &self.addresses {
            let explained = self.explained(*from, algorithm);
            for _ in 0..2 {
                let server = self.open(*from, algorithm).unwrap().server;
                assert_eq!(explained, [server.as_str()], "{algorithm} from {from}");
            }
            *counts.entry(explained[0].to_owned()).or_default() += 1;
        }
        counts
    }
}

/// Whether clients are spread by weight: chi-square with two degrees of freedom, of which one in a thousand is above 13.8.
fn by_weight(counts: &BTreeMap<String, usize>) {
    let all = f64::from(u32::try_from(counts.values().sum::<usize>()).unwrap());
    let weights: f64 = SERVERS.iter().map(|(_, _, weight)| f64::from(i32::try_from(*weight).unwrap())).sum();
    let terms = SERVERS.map(|(name, _, weight)| {
        let expected = all * f64::from(i32::try_from(weight).unwrap()) / weights;
        let got = f64::from(u32::try_from(counts.get(name).copied().unwrap_or_default()).unwrap());
        (got - expected).powi(2) / expected
    });
    let chi_square: f64 = terms.iter().sum();
    println!("{counts:?}: chi-square {chi_square:.2}");
    assert!(chi_square < 13.8, "{counts:?}: chi-square {chi_square:.2}");
}

fn town() {
    let mut lab = Lab::new();
    let (client, host) = (lab.host("client"), lab.host("lb"));
    let servers: Vec<_> = SERVERS.iter().map(|(name, ..)| lab.host(name)).collect();
    lab.segment("ext", 40, &[host.clone(), client.clone()]);
    let inner: Vec<_> = servers.iter().chain([&host]).cloned().collect();
    lab.segment("int", 41, &inner);
    host.ip(&format!("addr add {VIP}/24 dev e0"));
    host.set("ipv4/ip_forward", "1");
    // Not one row of neighbours: hashes of those would be no lot.
    let addresses: Vec<_> = (0..48u8).map(|n| Ipv4Addr::new(10, 40, 1 + n % 7, 10 + 5 * n)).collect();
    for address in &addresses {
        client.ip(&format!("addr add {address}/16 dev e0"));
    }
    host.ip("route add 10.40.0.0/16 dev e0");
    let mut running = BTreeMap::new();
    for ((name, ..), server) in SERVERS.iter().zip(&servers) {
        server.ip("route add default via 10.41.0.4");
        for algorithm in ALGORITHMS {
            running.insert((*name, algorithm), Server::start(server, name, service(algorithm).port()));
        }
    }
    let router = Router::start(&lab, &host, Program::Ours, &configuration());
    let pid_file = lab.directory().join(format!("{}.pid", host.namespace)).display().to_string();
    let figure = Figure { client, addresses, router, pid_file };
    until("the table is full", || figure.router.servers().len() == 3 * ALGORITHMS.len());

    in_turn(&figure);
    least_loaded(&figure);
    by_address(&figure);
    fail_over(&figure, &servers[0], &mut running);
    status(&figure);
    let Figure { mut router, .. } = figure;
    assert!(router.process.stop().success(), "{}", router.log());
    assert_eq!(router.table(), Vec::<String>::new());
}

fn in_turn(figure: &Figure<'_>) {
    let first = figure.addresses[0];
    for algorithm in ["rr", "wrr"] {
        assert_eq!(figure.explained(first, algorithm), ["r1", "r2", "r3"], "{algorithm}");
    }
    // The kernel puts a new server first.
    assert_eq!(figure.closed("rr", 12), ["r3", "r2", "r1"].repeat(4));
    // A round asks for weights of 3, 2 and 1; it began with the last when r1 was alone and 3 was the common divisor.
    assert_eq!(figure.closed("wrr", 24), ["r3", "r2", "r1", "r1", "r2", "r1"].repeat(4));
}

fn least_loaded(figure: &Figure<'_>) {
    assert_eq!(figure.held("lc", 9), each([("r1", 3), ("r2", 3), ("r3", 3)]));
    for algorithm in ["wlc", "sed", "nq"] {
        assert_eq!(figure.held(algorithm, 12), each([("r1", 6), ("r2", 4), ("r3", 2)]), "{algorithm}");
    }
    // One destination has one server, until that has more connections than its weight and another has little to do.
    assert_eq!(figure.held("lblc", 12), each([("r1", 7), ("r2", 3), ("r3", 2)]));
    assert_eq!(figure.held("lblcr", 12), each([("r1", 6), ("r2", 4), ("r3", 2)]));
    // A server is full when it has more than its weight.
    assert_eq!(figure.held("ovf", 10), each([("r1", 4), ("r2", 3), ("r3", 2), ("nobody", 1)]));
}

fn by_address(figure: &Figure<'_>) {
    for algorithm in ["sh", "mh"] {
        by_weight(&figure.hashed(algorithm));
    }
    assert_eq!(figure.hashed("dh").len(), 1, "one destination, one server");
}

fn fail_over<'a>(figure: &Figure<'_>, first: &Host, running: &mut BTreeMap<(&'a str, &'a str), Server>) {
    let (to, from) = (service("fo"), figure.addresses[0]);
    let all_to = |name: &'static str| {
        assert_eq!(figure.explained(from, "fo"), [name]);
        let got = answers(&figure.client, figure.addresses.iter().copied().take(8), to);
        assert_eq!(got, each([(name, 8)]));
    };
    let in_table = || {
        let line = format!("-a -t {to} -r {}:{} -m -w 3", SERVERS[0].1, to.port());
        figure.router.table().contains(&line)
    };
    all_to("r1");
    running.remove(&("r1", "fo")).unwrap().stop();
    until("the dead server leaves the table", || !in_table());
    all_to("r2");
    running.insert(("r1", "fo"), Server::start(first, "r1", to.port()));
    until("it returns to the table", in_table);
    all_to("r1");
}

/// All services are listed, and what went through them.
fn status(figure: &Figure<'_>) {
    let answer: Value = serde_json::from_str(&figure.asked(&["status", "--json"])).unwrap();
    let text = figure.asked(&["status"]);
    assert_eq!(answer["services"].as_array().unwrap().len(), ALGORITHMS.len());
    for (algorithm, found) in ALGORITHMS.iter().zip(answer["services"].as_array().unwrap()) {
        let name = format!("[{VIP}]:tcp:{}", service(algorithm).port());
        assert_eq!((&found["name"], &found["scheduler"]), (&name.as_str().into(), &(*algorithm).into()));
        let connections = |of: &Value| of["counters"]["connections"].as_u64().unwrap();
        assert!(connections(found) > 0, "{found}");
        let sum: u64 = found["servers"].as_array().unwrap().iter().map(connections).sum();
        // A server that left and came back counts anew.
        assert!(sum == connections(found) || *algorithm == "fo", "{found}");
        assert!(text.lines().any(|line| line.starts_with(&format!("{name}  {algorithm}  "))), "{text}");
    }
}

#[test]
fn each_algorithm_spreads_connections_as_it_says() {
    GUEST.run(|| {
        needed("ipvsadm", "ipvsadm");
        town();
    });
}
