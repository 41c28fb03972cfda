//! What keepalived 2.2.7 logs, writes to its FIFO and leaves in the table, for the same configuration and the same faults:
//! the expected lines were taken from it, running in a kernel with IPVS.

mod stage;

use director::plane::{Destination, Forwarding, Scheduler, Service, ServiceKey};
use director::{Config, GroupEntry, RealServer, Settings, Target, VirtualServer};
use stage::{Stage, address, group, server, service, sorry};

fn with(virtual_servers: Vec<VirtualServer>) -> Config {
    Config { settings: Settings { init_notifies: true, ..Settings::default() }, virtual_servers }
}

/// Hysteresis and inhibit; alpha, omega, a sorry server, two checkers.
fn first() -> Config {
    let inhibited = RealServer { inhibit: true, ..server("10.1.0.2", 80, 2, &["a2"]) };
    with(vec![
        VirtualServer {
            scheduler: Scheduler::WeightedRoundRobin,
            quorum: 2,
            hysteresis: 1,
            real_servers: vec![server("10.1.0.1", 80, 1, &["a1"]), inhibited],
            ..service("10.0.0.1", 80)
        },
        VirtualServer {
            omega: true,
            quorum: 2,
            sorry_server: Some(sorry("10.9.0.9", 80, false)),
            real_servers: vec![
                server("10.1.0.1", 80, 1, &["alpha a1"]),
                server("10.1.0.2", 80, 1, &["alpha a2", "alpha a3"]),
            ],
            ..service("10.0.0.2", 80)
        },
    ])
}

#[test]
fn faults_are_told_in_keepalived_s_words_and_order() {
    let mut stage = Stage::start(first());
    assert_eq!(
        stage.lines(),
        [
            "Gained quorum 2+1=3 <= 3 for VS [10.0.0.1]:tcp:80",
            "Starting with quorum down 2-0=2 > 0 for VS [10.0.0.2]:tcp:80",
            "Adding sorry server [10.9.0.9]:tcp:80 to VS [10.0.0.2]:tcp:80",
            "Removing alive servers from the pool for VS [10.0.0.2]:tcp:80",
        ]
    );
    for id in [3, 2, 4, 0, 1] {
        stage.check(id, true);
    }
    assert_eq!(
        stage.lines(),
        [
            "Adding service [10.1.0.1]:tcp:80 to VS [10.0.0.2]:tcp:80",
            "Adding service [10.1.0.2]:tcp:80 to VS [10.0.0.2]:tcp:80",
            "Gained quorum 2+0=2 <= 2 for VS [10.0.0.2]:tcp:80",
            "Removing sorry server [10.9.0.9]:tcp:80 from VS [10.0.0.2]:tcp:80",
            "Adding alive servers to the pool for VS [10.0.0.2]:tcp:80",
        ]
    );
    assert_eq!(
        stage.take_fifo(),
        [
            "RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 UP",
            "RS [10.1.0.2]:tcp:80 [10.0.0.1]:tcp:80 UP",
            "VS [10.0.0.1]:tcp:80 UP",
            "VS [10.0.0.2]:tcp:80 DOWN",
            "RS [10.1.0.1]:tcp:80 [10.0.0.2]:tcp:80 UP",
            "RS [10.1.0.2]:tcp:80 [10.0.0.2]:tcp:80 UP",
            "VS [10.0.0.2]:tcp:80 UP",
        ]
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.0.1:80 -s wrr",
            "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 2",
            "-A -t 10.0.0.2:80 -s wlc",
            "-a -t 10.0.0.2:80 -r 10.1.0.1:80 -m -w 1",
            "-a -t 10.0.0.2:80 -r 10.1.0.2:80 -m -w 1",
        ]
    );
    stage.check(2, false);
    stage.check(0, false);
    assert_eq!(
        stage.lines(),
        [
            "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.2]:tcp:80",
            "Lost quorum 2-0=2 > 1 for VS [10.0.0.2]:tcp:80",
            "Adding sorry server [10.9.0.9]:tcp:80 to VS [10.0.0.2]:tcp:80",
            "Removing alive servers from the pool for VS [10.0.0.2]:tcp:80",
            "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
        ]
    );
    assert_eq!(
        stage.take_fifo(),
        [
            "RS [10.1.0.1]:tcp:80 [10.0.0.2]:tcp:80 DOWN",
            "VS [10.0.0.2]:tcp:80 DOWN",
            "RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN",
        ]
    );
    stage.check(1, false);
    stage.check(3, false);
    assert_eq!(
        stage.lines(),
        [
            "Disabling service [10.1.0.2]:tcp:80 of VS [10.0.0.1]:tcp:80",
            "Lost quorum 2-1=1 > 0 for VS [10.0.0.1]:tcp:80",
            "Removing service [10.1.0.2]:tcp:80 from VS [10.0.0.2]:tcp:80",
        ]
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.0.1:80 -s wrr",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 0",
            "-A -t 10.0.0.2:80 -s wlc",
            "-a -t 10.0.0.2:80 -r 10.9.0.9:80 -m -w 1",
        ]
    );
    stage.check(0, true);
    stage.check(2, true);
    stage.check(1, true);
    stage.check(3, true);
    assert_eq!(
        stage.lines(),
        [
            "Adding service [10.1.0.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
            "Adding service [10.1.0.1]:tcp:80 to VS [10.0.0.2]:tcp:80",
            "Enabling service [10.1.0.2]:tcp:80 of VS [10.0.0.1]:tcp:80",
            "Gained quorum 2+1=3 <= 3 for VS [10.0.0.1]:tcp:80",
            "Adding service [10.1.0.2]:tcp:80 to VS [10.0.0.2]:tcp:80",
            "Gained quorum 2+0=2 <= 2 for VS [10.0.0.2]:tcp:80",
            "Removing sorry server [10.9.0.9]:tcp:80 from VS [10.0.0.2]:tcp:80",
            "Adding alive servers to the pool for VS [10.0.0.2]:tcp:80",
        ]
    );
    stage.check(4, false);
    let _ = (stage.lines(), stage.take_fifo());
    stage.stop();
    assert_eq!(
        stage.lines(),
        [
            "Shutting down service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "Shutting down service [10.1.0.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "Shutting down service [10.1.0.1]:tcp:80 from VS [10.0.0.2]:tcp:80",
            "Shutting down service [10.1.0.2]:tcp:80 from VS [10.0.0.2]:tcp:80",
        ]
    );
    // keepalived repeats `VS [10.0.0.2]:tcp:80 DOWN` here; a state is told once.
    assert_eq!(stage.take_fifo(), [""; 0]);
    assert_eq!(stage.table(), [""; 0]);
    assert_eq!(stage.refused, None);
}

/// The configurations of four reloads.
fn reloads() -> [Config; 4] {
    let plain = |address_of: &str, weight, checker: &str| server(address_of, 80, weight, &[checker]);
    let sorry_server = Some(sorry("10.9.0.9", 80, false));
    let start = with(vec![
        VirtualServer {
            scheduler: Scheduler::WeightedRoundRobin,
            sorry_server,
            real_servers: vec![plain("10.1.0.1", 1, "a1"), plain("10.1.0.2", 2, "a2")],
            ..service("10.0.0.1", 80)
        },
        VirtualServer { real_servers: vec![plain("10.1.0.1", 1, "a1")], ..service("10.0.0.3", 80) },
    ]);
    let changed = with(vec![
        VirtualServer {
            scheduler: Scheduler::RoundRobin,
            persistence: Some(50),
            sorry_server,
            real_servers: vec![
                RealServer { upper_threshold: 10, ..plain("10.1.0.1", 5, "a1") },
                plain("10.1.0.3", 3, "alpha a3"),
                plain("10.1.0.2", 2, "a2"),
            ],
            ..service("10.0.0.1", 80)
        },
        VirtualServer {
            real_servers: vec![RealServer {
                forwarding: Forwarding::DirectRouting,
                ..plain("10.1.0.1", 1, "a1")
            }],
            ..service("10.0.0.4", 80)
        },
    ]);
    let inhibited = with(vec![VirtualServer {
        scheduler: Scheduler::RoundRobin,
        quorum: 4,
        sorry_server: Some(sorry("10.9.0.9", 80, true)),
        real_servers: vec![
            RealServer { inhibit: true, ..plain("10.1.0.3", 3, "alpha a3") },
            RealServer { inhibit: true, ..plain("10.1.0.2", 2, "a2") },
        ],
        ..service("10.0.0.1", 80)
    }]);
    let bare = with(vec![VirtualServer {
        scheduler: Scheduler::RoundRobin,
        real_servers: vec![plain("10.1.0.3", 3, "alpha a3"), plain("10.1.0.2", 2, "a2")],
        ..service("10.0.0.1", 80)
    }]);
    [start, changed, inhibited, bare]
}

#[test]
fn reloads_are_told_in_keepalived_s_words_and_leave_its_table() {
    let [start, changed, inhibited, bare] = reloads();
    let mut stage = Stage::start(start);
    for id in 0..3 {
        stage.check(id, true);
    }
    let _ = (stage.lines(), stage.take_fifo());
    stage.reload(changed);
    assert_eq!(
        stage.lines(),
        [
            "Removing Virtual Server [10.0.0.3]:tcp:80",
            "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.3]:tcp:80",
            "Changing weight from 1 to 5 for active service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80",
            "Gained quorum 1+0=1 <= 1 for VS [10.0.0.4]:tcp:80",
        ]
    );
    stage.check(1, true);
    assert_eq!(stage.lines(), ["Adding service [10.1.0.3]:tcp:80 to VS [10.0.0.1]:tcp:80"]);
    assert_eq!(
        stage.take_fifo(),
        [
            "RS [10.1.0.1]:tcp:80 [10.0.0.3]:tcp:80 DOWN",
            "VS [10.0.0.3]:tcp:80 DOWN",
            "RS [10.1.0.1]:tcp:80 [10.0.0.4]:tcp:80 UP",
            "VS [10.0.0.4]:tcp:80 UP",
            "RS [10.1.0.3]:tcp:80 [10.0.0.1]:tcp:80 UP",
        ]
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.0.1:80 -s rr -p 50",
            // keepalived does not apply a threshold that a reload changes.
            "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 5 -x 10 -y 0",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 2",
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 3",
            "-A -t 10.0.0.4:80 -s wlc",
            "-a -t 10.0.0.4:80 -r 10.1.0.1:80 -g -w 1",
        ]
    );
    stage.check(1, false);
    assert_eq!(stage.lines(), ["Removing service [10.1.0.3]:tcp:80 from VS [10.0.0.1]:tcp:80"]);
    let _ = stage.take_fifo();
    stage.reload(inhibited);
    assert_eq!(
        stage.lines(),
        [
            "service [10.1.0.1]:tcp:80 no longer exist",
            "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "Removing Virtual Server [10.0.0.4]:tcp:80",
            "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.4]:tcp:80",
            "Starting with quorum down 4-0=4 > 2 for VS [10.0.0.1]:tcp:80",
            "Enabling sorry server [10.9.0.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
            "Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
        ]
    );
    assert_eq!(
        stage.take_fifo(),
        [
            "RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN",
            "RS [10.1.0.1]:tcp:80 [10.0.0.4]:tcp:80 DOWN",
            "VS [10.0.0.4]:tcp:80 DOWN",
            "VS [10.0.0.1]:tcp:80 DOWN",
        ]
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.0.1:80 -s rr",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 0",
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 0",
            "-a -t 10.0.0.1:80 -r 10.9.0.9:80 -m -w 1",
        ]
    );
    stage.check(0, true);
    assert_eq!(
        stage.lines(),
        [
            "Enabling service [10.1.0.3]:tcp:80 of VS [10.0.0.1]:tcp:80",
            "Gained quorum 4+0=4 <= 5 for VS [10.0.0.1]:tcp:80",
            "Disabling sorry server [10.9.0.9]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
        ]
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.0.1:80 -s rr",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 2",
            "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 3",
            "-a -t 10.0.0.1:80 -r 10.9.0.9:80 -m -w 0",
        ]
    );
    stage.check(1, false);
    let _ = (stage.lines(), stage.take_fifo());
    stage.reload(bare);
    assert_eq!(
        stage.lines(),
        [
            "Removing sorry server [10.9.0.9]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "Gained quorum 1+0=1 <= 3 for VS [10.0.0.1]:tcp:80",
        ]
    );
    assert_eq!(stage.take_fifo(), ["VS [10.0.0.1]:tcp:80 UP"]);
    // keepalived leaves this server, which is up, with weight 0.
    assert_eq!(stage.table(), ["-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 3"]);
    assert_eq!(stage.refused, None);
}

#[test]
fn a_group_s_entries_all_get_the_servers_and_share_what_two_virtual_servers_have() {
    use director::plane::{Flags, Protocol};
    let entries = vec![
        GroupEntry::Addresses { first: address("10.0.1.1"), last: address("10.0.1.3"), port: 80 },
        GroupEntry::Addresses { first: address("10.0.2.1"), last: address("10.0.2.1"), port: 0 },
        GroupEntry::Mark { mark: 7, family: None },
    ];
    let routed = RealServer { forwarding: Forwarding::DirectRouting, ..server("10.1.0.1", 8080, 1, &["a1"]) };
    let netmask = director::plane::Granularity::Netmask("255.255.255.0".parse().unwrap());
    let config = |entries: &Vec<GroupEntry>| {
        with(vec![
            VirtualServer {
                persistence: Some(60),
                granularity: Some(netmask),
                real_servers: vec![routed.clone(), server("10.1.0.2", 8080, 2, &["a2"])],
                ..group("G", entries.clone())
            },
            VirtualServer {
                protocol: Some(Protocol::Udp),
                persistence: Some(360),
                flags: Flags { one_packet: true, ..Flags::default() },
                sorry_server: Some(sorry("10.9.0.9", 80, false)),
                real_servers: vec![server("10.1.0.3", 8080, 1, &["a3"])],
                ..group("G", entries.clone())
            },
        ])
    };
    let mut stage = Stage::start(config(&entries));
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.1.1:80 -s wlc -p 60",
            "-a -t 10.0.1.1:80 -r 10.1.0.1:80 -g -w 1",
            "-a -t 10.0.1.1:80 -r 10.1.0.2:8080 -m -w 2",
            "-A -t 10.0.1.2:80 -s wlc -p 60",
            "-a -t 10.0.1.2:80 -r 10.1.0.1:80 -g -w 1",
            "-a -t 10.0.1.2:80 -r 10.1.0.2:8080 -m -w 2",
            "-A -t 10.0.1.3:80 -s wlc -p 60",
            "-a -t 10.0.1.3:80 -r 10.1.0.1:80 -g -w 1",
            "-a -t 10.0.1.3:80 -r 10.1.0.2:8080 -m -w 2",
            "-A -t 10.0.2.1:0 -s wlc -p 60",
            "-a -t 10.0.2.1:0 -r 10.1.0.1:0 -g -w 1",
            "-a -t 10.0.2.1:0 -r 10.1.0.2:8080 -m -w 2",
            "-A -u 10.0.1.1:80 -s wlc -p 360 -o",
            "-a -u 10.0.1.1:80 -r 10.1.0.3:8080 -m -w 1",
            "-A -u 10.0.1.2:80 -s wlc -p 360 -o",
            "-a -u 10.0.1.2:80 -r 10.1.0.3:8080 -m -w 1",
            "-A -u 10.0.1.3:80 -s wlc -p 360 -o",
            "-a -u 10.0.1.3:80 -r 10.1.0.3:8080 -m -w 1",
            "-A -u 10.0.2.1:0 -s wlc -p 360 -o",
            "-a -u 10.0.2.1:0 -r 10.1.0.3:8080 -m -w 1",
            "-A -f 7 -s wlc -p 60",
            "-a -f 7 -r 10.1.0.1:0 -g -w 1",
            "-a -f 7 -r 10.1.0.2:8080 -m -w 2",
            "-a -f 7 -r 10.1.0.3:8080 -m -w 1",
        ]
    );
    assert!(stage.take_fifo().contains(&"RS [10.1.0.3]:udp:8080 [G]:1 UP".to_owned()));
    stage.check(2, false);
    assert!(stage.table().contains(&"-a -f 7 -r 10.9.0.9:80 -m -w 1".to_owned()));
    stage.check(2, true);
    let _ = stage.lines();
    let fewer = vec![
        GroupEntry::Addresses { first: address("10.0.1.1"), last: address("10.0.1.2"), port: 80 },
        GroupEntry::Addresses { first: address("10.0.2.1"), last: address("10.0.2.1"), port: 0 },
        GroupEntry::Mark { mark: 8, family: None },
    ];
    let before = stage.table();
    stage.changes.clear();
    stage.reload(config(&fewer));
    assert_eq!(
        stage.lines(),
        [
            "VS [[10.0.1.1]:tcp:80-10.0.1.3] in group G no longer exists",
            "VS [7] in group G no longer exists",
            "VS [[10.0.1.1]:udp:80-10.0.1.3] in group G no longer exists",
            "VS [7] in group G no longer exists",
            "VS [[10.0.1.1]:tcp:80-10.0.1.2] added into group G",
            "VS [FWM 8] added into group G",
            "VS [[10.0.1.1]:udp:80-10.0.1.2] added into group G",
            "VS [FWM 8] added into group G",
        ]
    );
    let expected: Vec<String> = before
        .iter()
        .filter(|line| !line.contains("10.0.1.3"))
        .map(|line| line.replace("-f 7 ", "-f 8 "))
        .collect();
    assert_eq!(stage.table(), expected);
    let untouched = |key: &ServiceKey| matches!(key, ServiceKey::Address { address: one, .. } if *one == address("10.0.1.1"));
    assert!(!stage.changes.iter().any(|change| untouched(change.service())), "{:?}", stage.changes);
    stage.stop();
    assert_eq!(stage.table(), [""; 0]);
    assert_eq!(stage.refused, None);
}

#[test]
fn what_the_kernel_has_is_taken_over() {
    let mut stage = Stage::new(first(), director::plane::Table::new());
    let key = match &first().virtual_servers[0].target {
        Target::Address { address, port } => {
            ServiceKey::Address { protocol: director::plane::Protocol::Tcp, address: *address, port: *port }
        }
        _ => unreachable!(),
    };
    let other = ServiceKey::Address {
        protocol: director::plane::Protocol::Tcp,
        address: address("10.0.0.77"),
        port: 80,
    };
    {
        use director::plane::{Change, DataPlane as _};
        for change in [
            Change::AddService(Service::new(key, Scheduler::RoundRobin)),
            Change::AddDestination(key, Destination::new(address("10.1.0.1"), 80, Forwarding::Nat, 5)),
            Change::AddDestination(key, Destination::new(address("10.1.0.7"), 80, Forwarding::Nat, 5)),
            Change::AddService(Service::new(other, Scheduler::RoundRobin)),
        ] {
            stage.plane.apply(&change).unwrap();
        }
    }
    stage.adopt();
    // keepalived would leave the algorithm and the weight as it found them.
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.0.0.1:80 -s wrr",
            "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1",
            "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 2",
            "-a -t 10.0.0.1:80 -r 10.1.0.7:80 -m -w 5",
            "-A -t 10.0.0.2:80 -s wlc",
            "-a -t 10.0.0.2:80 -r 10.9.0.9:80 -m -w 1",
            "-A -t 10.0.0.77:80 -s rr",
        ]
    );
    assert!(stage.lines().contains(
        &"Service [10.0.0.1]:tcp:80 was in the kernel already: kept 2 of its servers, left alone 1 that are not configured"
            .to_owned()
    ));
    stage.stop();
    assert_eq!(stage.table(), ["-A -t 10.0.0.77:80 -s rr"]);
    assert_eq!(stage.refused, None);
}
