//! Ten thousand destinations.

use crate::{at, saved};
use director::plane::{Change, DataPlane as _, Destination, Forwarding, Protocol, Scheduler, Service};
use netlink::ipvs::Kernel;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;
use testkit::uml::{Guest, needed};

/// Services, and destinations in each.
const SERVICES: u8 = 10;
const EACH: u16 = 1000;

#[test]
fn ten_thousand_at_once() {
    Guest::default().run(|| {
        let mut kernel = Kernel::open().unwrap();
        let mut changes = Vec::new();
        let mut words = String::new();
        for number in 1..=SERVICES {
            let key = at(Protocol::Tcp, &format!("10.0.0.{number}"), 80);
            changes.push(Change::AddService(Service::new(key, Scheduler::WeightedRoundRobin)));
            writeln!(words, "-A -t 10.0.0.{number}:80 -s wrr").unwrap();
            for port in 1..=EACH {
                let server = Destination::new([10, 1, 0, number].into(), port, Forwarding::Nat, 1);
                changes.push(Change::AddDestination(key, server));
                writeln!(words, "-a -t 10.0.0.{number}:80 -r 10.1.0.{number}:{port} -m -w 1").unwrap();
            }
        }

        let start = Instant::now();
        let results = kernel.apply_all(&changes);
        println!("apply_all: {:?}", start.elapsed());
        assert_eq!(results.into_iter().filter(Result::is_err).count(), 0);
        let start = Instant::now();
        let table = kernel.table().unwrap();
        println!("table: {:?}", start.elapsed());
        let start = Instant::now();
        let counted = kernel.statistics().unwrap();
        println!("statistics: {:?}", start.elapsed());
        assert_eq!(table.len(), usize::from(SERVICES));
        assert!(table.values().all(|entry| entry.destinations.len() == usize::from(EACH)));
        assert!(counted.values().all(|service| service.destinations.len() == usize::from(EACH)));
        let ours = saved();
        kernel.flush().unwrap();

        let start = Instant::now();
        for change in &changes {
            kernel.apply(change).unwrap();
        }
        println!("apply, one by one: {:?}", start.elapsed());
        assert_eq!(saved(), ours);
        kernel.flush().unwrap();

        let start = Instant::now();
        let mut child =
            Command::new(needed("ipvsadm", "ipvsadm")).arg("-R").stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        println!("ipvsadm -R: {:?}", start.elapsed());
        assert_eq!(kernel.table().unwrap(), table);
        assert_eq!(saved(), ours);
    });
}
