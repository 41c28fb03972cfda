//! Which server a client gets: against what a real kernel chose, and by counters.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod stage;

use director::explain::{Choice, Question, explain, find};
use director::plane::{
    Destination, DestinationStatistics, Entry, Flags, Forwarding, Protocol, Scheduler, Service, ServiceKey,
    ServiceStatistics, Table,
};
use stage::address;

const SERVICE: &str = "10.8.0.1";

fn key(to: &str) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Udp, address: address(to), port: 53 }
}

fn table(to: &str, scheduler: &str, flags: Flags, destinations: &[Destination]) -> Table {
    let service = Service { flags, ..Service::new(key(to), Scheduler::from_name(scheduler)) };
    Table::from([(key(to), Entry { service, destinations: destinations.to_vec() })])
}

#[test]
fn hashes_choose_as_the_kernel_does() {
    let text = include_str!("data/choices.txt");
    let (mut scheduler, mut flags, mut servers, mut asked) = ("", Flags::default(), Vec::new(), 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["case", name, options] => {
                scheduler = name;
                flags = Flags {
                    flag_1: options.contains("fallback"),
                    flag_2: options.contains("port"),
                    ..Flags::default()
                };
                servers = Vec::new();
            }
            ["server", server, port, weight] => servers.push(Destination::new(
                address(server),
                port.parse().unwrap(),
                Forwarding::Nat,
                weight.parse().unwrap(),
            )),
            ["client", client, port, to, "->", rest @ ..] => {
                let table = table(to, scheduler, flags, &servers);
                let question = Question { client: address(client), port: port.parse().ok(), to: address(to) };
                let answer = explain(&question, &key(to), &table, None).unwrap();
                let expected = match rest {
                    [server, port] => Choice::Server(
                        Destination::new(address(server), port.parse().unwrap(), Forwarding::Nat, 0).key,
                    ),
                    _ => Choice::Nobody,
                };
                assert_eq!(answer.choice, expected, "{scheduler} {flags:?} {line}\n{answer}");
                asked += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(asked > 300, "{asked} clients");
}

/// Two or three servers with (weight, active, inactive).
fn by_counters(scheduler: &str, servers: &[(u32, u32, u32)]) -> (Choice, String) {
    let destinations: Vec<Destination> = (1..)
        .zip(servers)
        .map(|(n, (weight, ..))| {
            Destination::new(address(&format!("10.1.0.{n}")), 53, Forwarding::Nat, *weight)
        })
        .collect();
    let mut counted = ServiceStatistics::default();
    for (one, (_, active, inactive)) in destinations.iter().zip(servers) {
        let state = DestinationStatistics {
            active: *active,
            inactive: *inactive,
            ..DestinationStatistics::default()
        };
        counted.destinations.insert(one.key, state);
    }
    let table = table(SERVICE, scheduler, Flags::default(), &destinations);
    let question = Question { client: address("10.5.0.1"), port: None, to: address(SERVICE) };
    let answer = explain(&question, &key(SERVICE), &table, Some(&counted)).unwrap();
    (answer.choice.clone(), answer.to_string())
}

#[track_caller]
fn chosen(scheduler: &str, servers: &[(u32, u32, u32)], expected: u8) {
    let (choice, text) = by_counters(scheduler, servers);
    let server = Destination::new(address(&format!("10.1.0.{expected}")), 53, Forwarding::Nat, 0).key;
    assert_eq!(choice, Choice::Server(server), "{text}");
}

#[test]
fn counters_decide_where_the_scheduler_looks_at_them() {
    chosen("lc", &[(1, 5, 0), (100, 4, 300), (1, 4, 255)], 3);
    chosen("wlc", &[(1, 1, 0), (3, 2, 0), (2, 2, 0)], 2);
    chosen("sed", &[(1, 0, 0), (3, 1, 0), (10, 9, 0)], 2);
    chosen("nq", &[(10, 1, 0), (1, 0, 90), (2, 0, 0)], 2);
    chosen("fo", &[(1, 0, 0), (7, 900, 0), (7, 0, 0)], 2);
    chosen("ovf", &[(10, 11, 0), (5, 5, 0), (3, 0, 0)], 2);
    assert_eq!(by_counters("ovf", &[(1, 2, 0), (2, 3, 0)]).0, Choice::Nobody);
    // The only one there is, whatever the scheduler.
    for scheduler in ["rr", "wrr", "twos", "lblc"] {
        chosen(scheduler, &[(0, 0, 0), (1, 9, 9)], 2);
    }
}

#[test]
fn what_only_the_kernel_knows_is_said_to_be_so() {
    let (choice, text) = by_counters("rr", &[(1, 0, 0), (1, 0, 0)]);
    assert!(matches!(choice, Choice::OneOf(servers) if servers.len() == 2), "{text}");
    assert!(text.contains("only the kernel knows"), "{text}");
    let (_, text) = by_counters("wlc", &[(1, 1, 0), (1, 1, 0)]);
    assert!(text.contains("10.1.0.1:53 and 10.1.0.2:53 are equal"), "{text}");
    let (choice, _) = by_counters("mh", &[(1, 0, 0), (0, 0, 0), (1, 0, 0)]);
    assert!(matches!(choice, Choice::OneOf(_)));
}

#[test]
fn persistence_is_said_to_be_unknown_when_it_holds_anybody() {
    let destinations = [
        Destination::new(address("10.1.0.1"), 53, Forwarding::Nat, 1),
        Destination::new(address("10.1.0.2"), 53, Forwarding::Nat, 9),
    ];
    let mut table = table(SERVICE, "wlc", Flags::default(), &destinations);
    table.get_mut(&key(SERVICE)).unwrap().service.persistence = Some(50);
    let question = Question { client: address("10.5.0.1"), port: None, to: address(SERVICE) };
    let mut counted = ServiceStatistics::default();
    counted.destinations.insert(
        destinations[1].key,
        DestinationStatistics { active: 90, ..DestinationStatistics::default() },
    );
    let answer = explain(&question, &key(SERVICE), &table, Some(&counted)).unwrap();
    assert_eq!(answer.choice, Choice::Server(destinations[0].key), "{answer}");
    counted.destinations.get_mut(&destinations[1].key).unwrap().persistent = 3;
    let answer = explain(&question, &key(SERVICE), &table, Some(&counted)).unwrap();
    assert_eq!(answer.choice, Choice::OneOf(vec![destinations[1].key, destinations[0].key]), "{answer}");
}

#[test]
fn thresholds_take_servers_out_and_leave_doubt_between_them() {
    let limited = Destination {
        upper_threshold: 10,
        lower_threshold: 5,
        ..Destination::new(address("10.1.0.1"), 53, Forwarding::Nat, 1)
    };
    let other = Destination::new(address("10.1.0.2"), 53, Forwarding::Nat, 1);
    let table = table(SERVICE, "wlc", Flags::default(), &[limited, other]);
    let question = Question { client: address("10.5.0.1"), port: None, to: address(SERVICE) };
    let choice = |connections: u32| {
        let mut counted = ServiceStatistics::default();
        for (one, active) in [(limited, connections), (other, 100)] {
            let state = DestinationStatistics { active, ..DestinationStatistics::default() };
            counted.destinations.insert(one.key, state);
        }
        explain(&question, &key(SERVICE), &table, Some(&counted)).unwrap().choice
    };
    assert_eq!(choice(4), Choice::Server(limited.key));
    assert_eq!(choice(7), Choice::OneOf(vec![limited.key, other.key]));
    assert_eq!(choice(10), Choice::Server(other.key));
}

#[test]
fn a_packet_finds_its_service_as_in_the_kernel() {
    let service = |port| ServiceKey::Address { protocol: Protocol::Tcp, address: address(SERVICE), port };
    let mut table = Table::new();
    for port in [21, 80] {
        let one = Service::new(service(port), Scheduler::RoundRobin);
        table.insert(one.key, Entry { service: one, destinations: Vec::new() });
    }
    let of = |table: &Table, port| find(table, Protocol::Tcp, address(SERVICE), port);
    assert_eq!(of(&table, 80), Some(service(80)));
    assert_eq!(of(&table, 20), Some(service(21)));
    assert_eq!(of(&table, 10_000), Some(service(21)));
    assert_eq!(of(&table, 443), None);
    let any = Service::new(service(0), Scheduler::RoundRobin);
    table.insert(any.key, Entry { service: any, destinations: Vec::new() });
    assert_eq!(of(&table, 443), Some(service(0)));
}
