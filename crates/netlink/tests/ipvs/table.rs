//! Services and destinations of every kind.

use crate::{add, at, ip, ipvsadm, saved, sh, web};
use director::plane::{
    Change, DataPlane as _, Destination, DestinationKey, Entry, Family, Forwarding, Granularity, PlaneError,
    Protocol, Scheduler, Service, ServiceKey, Table, Tunnel, TunnelChecksum,
};
use netlink::Namespace;
use netlink::ipvs::Kernel;
use testkit::uml::guest;

fn mark(family: Family, mark: u32) -> ServiceKey {
    ServiceKey::Mark { family, mark }
}

/// What `ipvsadm` is told, and the same in our words: a service with its destinations in the order they are added.
fn cases() -> Vec<(Vec<String>, Service, Vec<Destination>)> {
    let mut cases = Vec::new();
    // Every scheduler that the guest's kernel has, over the three protocols.
    let schedulers = Scheduler::ALL.into_iter().filter(|(_, scheduler)| *scheduler != Scheduler::TwoChoices);
    for (number, (name, scheduler)) in (1_u16..).zip(schedulers) {
        let (flag, protocol) = match number % 3 {
            0 => ("--sctp-service", Protocol::Sctp),
            1 => ("-t", Protocol::Tcp),
            _ => ("-u", Protocol::Udp),
        };
        let service = Service::new(at(protocol, "10.0.1.1", number), scheduler);
        cases.push((vec![format!("-A {flag} 10.0.1.1:{number} -s {name}")], service, Vec::new()));
    }
    let mut case = |words: &[&str], service: Service, servers: &[Destination]| {
        cases.push((words.iter().map(|word| (*word).to_owned()).collect(), service, servers.to_vec()));
    };
    let rr = |key| Service::new(key, Scheduler::RoundRobin);
    let server = |address, port, forwarding, weight| Destination::new(ip(address), port, forwarding, weight);
    let tunnel = |kind| Forwarding::Tunnel(kind);

    // Every flag, persistence with its granularity and engine.
    let ops = Service { flags: flags(&[0]), ..rr(at(Protocol::Udp, "10.0.2.1", 53)) };
    case(&["-A -u 10.0.2.1:53 -s rr -o"], ops, &[]);
    let key = at(Protocol::Tcp, "10.0.2.2", 80);
    let sh = Service { scheduler: Scheduler::SourceHash, flags: flags(&[1, 2]), ..rr(key) };
    case(&["-A -t 10.0.2.2:80 -s sh -b sh-fallback,sh-port"], sh, &[]);
    let key = at(Protocol::Tcp, "10.0.2.3", 80);
    let mh = Service { scheduler: Scheduler::MaglevHash, flags: flags(&[2]), ..rr(key) };
    case(&["-A -t 10.0.2.3:80 -s mh -b mh-port"], mh, &[]);
    let key = at(Protocol::Tcp, "10.0.2.4", 80);
    case(&["-A -t 10.0.2.4:80 -s rr -b flag-3"], Service { flags: flags(&[3]), ..rr(key) }, &[]);
    let masked = Granularity::Netmask([255, 255, 255, 0].into());
    let sticky =
        Service { persistence: Some(300), granularity: masked, ..rr(at(Protocol::Tcp, "10.0.2.5", 443)) };
    case(&["-A -t 10.0.2.5:443 -s rr -p 300 -M 255.255.255.0"], sticky, &[]);
    let key = at(Protocol::Tcp, "10.0.2.6", 0);
    case(&["-A -t 10.0.2.6:0 -s rr -p 50"], Service { persistence: Some(50), ..rr(key) }, &[]);
    let sip = Service {
        persistence: Some(60),
        engine: Some("sip".to_owned()),
        ..rr(at(Protocol::Udp, "10.0.2.7", 5060))
    };
    case(&["-A -u 10.0.2.7:5060 -s rr -p 60 --pe sip"], sip, &[]);
    let wide = Granularity::Prefix(64);
    let sticky =
        Service { persistence: Some(90), granularity: wide, ..rr(at(Protocol::Tcp, "fd00::1", 443)) };
    case(&["-A -t [fd00::1]:443 -s rr -p 90 -M 64"], sticky, &[]);

    // Marks of both families, the largest one, and the same in both.
    case(&["-A -f 7 -s rr"], rr(mark(Family::V4, 7)), &[]);
    case(
        &["-A -f 7 -6 -s rr", "-a -f 7 -6 -r [fd00::9]:0 -g -w 1"],
        rr(mark(Family::V6, 7)),
        &[server("fd00::9", 0, Forwarding::DirectRouting, 1)],
    );
    case(
        &["-A -f 4294967295 -s rr -p 3600"],
        Service { persistence: Some(3600), ..rr(mark(Family::V4, u32::MAX)) },
        &[],
    );

    // Every way of forwarding, weights, thresholds; the one added last is listed first.
    let limited = Destination {
        upper_threshold: 100,
        lower_threshold: 50,
        ..server("10.0.3.5", 8080, Forwarding::Nat, 65535)
    };
    case(
        &[
            "-A -t 10.0.2.8:80 -s rr",
            "-a -t 10.0.2.8:80 -r 10.0.3.1:8080 -m -w 3",
            "-a -t 10.0.2.8:80 -r 10.0.3.2:80 -g -w 0",
            "-a -t 10.0.2.8:80 -r 10.0.3.3:80 -i -w 1",
            "-a -t 10.0.2.8:80 -r 10.0.3.5:8080 -m -w 65535 -x 100 -y 50",
        ],
        rr(at(Protocol::Tcp, "10.0.2.8", 80)),
        &[
            server("10.0.3.1", 8080, Forwarding::Nat, 3),
            server("10.0.3.2", 80, Forwarding::DirectRouting, 0),
            server("10.0.3.3", 80, tunnel(Tunnel::IpIp), 1),
            limited,
        ],
    );
    let gue = |checksum| tunnel(Tunnel::Gue { port: 6000, checksum });
    let gre = |checksum| tunnel(Tunnel::Gre { checksum });
    case(
        &[
            "-A -t 10.0.2.9:80 -s rr",
            "-a -t 10.0.2.9:80 -r 10.0.3.1:80 -i --tun-type gue --tun-port 6000 --tun-nocsum",
            "-a -t 10.0.2.9:80 -r 10.0.3.2:80 -i --tun-type gue --tun-port 6000 --tun-csum",
            "-a -t 10.0.2.9:80 -r 10.0.3.3:80 -i --tun-type gue --tun-port 6000 --tun-remcsum",
            "-a -t 10.0.2.9:80 -r 10.0.3.4:80 -i --tun-type gre --tun-nocsum",
            "-a -t 10.0.2.9:80 -r 10.0.3.5:80 -i --tun-type gre --tun-csum",
        ],
        rr(at(Protocol::Tcp, "10.0.2.9", 80)),
        &[
            server("10.0.3.1", 80, gue(TunnelChecksum::None), 1),
            server("10.0.3.2", 80, gue(TunnelChecksum::Full), 1),
            server("10.0.3.3", 80, gue(TunnelChecksum::Remote), 1),
            server("10.0.3.4", 80, gre(TunnelChecksum::None), 1),
            server("10.0.3.5", 80, gre(TunnelChecksum::Full), 1),
        ],
    );
    // IPv6, and a destination of the other family.
    case(
        &[
            "-A -t [fd00::2]:80 -s rr",
            "-a -t [fd00::2]:80 -r [fd00::11]:80 -m -w 1",
            "-a -t [fd00::2]:80 -r 10.0.3.1:80 -i -w 2",
        ],
        rr(at(Protocol::Tcp, "fd00::2", 80)),
        &[server("fd00::11", 80, Forwarding::Nat, 1), server("10.0.3.1", 80, tunnel(Tunnel::IpIp), 2)],
    );
    cases
}

fn flags(set: &[usize]) -> director::plane::Flags {
    let has = |number| set.contains(&number);
    director::plane::Flags { one_packet: has(0), flag_1: has(1), flag_2: has(2), flag_3: has(3) }
}

fn expected(cases: &[(Vec<String>, Service, Vec<Destination>)]) -> Table {
    let entry = |service: &Service, servers: &[Destination]| Entry {
        service: service.clone(),
        destinations: servers.iter().rev().copied().collect(),
    };
    cases.iter().map(|(_, service, servers)| (service.key, entry(service, servers))).collect()
}

#[test]
fn every_kind_is_what_ipvsadm_makes_of_it() {
    guest(|| {
        let mut kernel = Kernel::open().unwrap();
        let cases = cases();
        let wanted = expected(&cases);

        for (_, service, servers) in &cases {
            add(&mut kernel, service, servers);
        }
        let ours = saved();
        assert_eq!(kernel.table().unwrap(), wanted, "what we made is read back");
        for (key, entry) in &wanted {
            assert_eq!(kernel.entry(key).unwrap(), *entry);
        }

        kernel.flush().unwrap();
        assert_eq!(kernel.table().unwrap(), Table::new());
        assert_eq!(saved(), [""; 0]);
        for (words, ..) in &cases {
            words.iter().for_each(|words| drop(ipvsadm(words)));
        }
        assert_eq!(kernel.table().unwrap(), wanted, "what ipvsadm made is read");
        let theirs = saved();
        assert!(theirs.len() > 30, "{theirs:#?}");
        assert_eq!(ours, theirs);
    });
}

#[test]
fn changes_touch_what_they_name() {
    guest(|| {
        let mut kernel = Kernel::open().unwrap();
        let (one, two) = (web(), at(Protocol::Tcp, "fd00::1", 80));
        let sticky = Service {
            persistence: Some(300),
            engine: Some("sip".to_owned()),
            flags: flags(&[1, 2, 3]),
            ..Service::new(one, Scheduler::SourceHash)
        };
        let server = |last, forwarding| Destination::new([10, 0, 0, last].into(), 80, forwarding, 1);
        let gue = Forwarding::Tunnel(Tunnel::Gue { port: 6000, checksum: TunnelChecksum::Full });
        add(&mut kernel, &sticky, &[server(2, Forwarding::Nat), server(3, gue)]);
        add(&mut kernel, &Service::new(two, Scheduler::WeightedRoundRobin), &[]);

        // An edit takes away what it does not say.
        kernel.apply(&Change::EditService(Service::new(one, Scheduler::WeightedLeastConnection))).unwrap();
        let lighter = Destination { weight: 0, upper_threshold: 9, ..server(2, Forwarding::DirectRouting) };
        kernel.apply(&Change::EditDestination(one, lighter)).unwrap();
        let plain = server(3, Forwarding::Tunnel(Tunnel::IpIp));
        kernel.apply(&Change::EditDestination(one, plain)).unwrap();
        let entry = kernel.entry(&one).unwrap();
        assert_eq!(entry.service, Service::new(one, Scheduler::WeightedLeastConnection));
        assert_eq!(entry.destinations, [plain, lighter]);
        assert_eq!(
            saved(),
            [
                "-A -t 10.0.0.1:80 -s wlc",
                "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 0",
                "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -i -w 1 --tun-type ipip",
                "-A -t [fd00::1]:80 -s wrr",
            ]
        );

        kernel.apply(&Change::RemoveDestination(one, lighter.key)).unwrap();
        kernel.apply(&Change::RemoveService(two)).unwrap();
        let left = Entry { destinations: vec![plain], ..entry };
        assert_eq!(kernel.table().unwrap(), Table::from([(one, left)]));
    });
}

#[test]
fn errors_are_the_kernel_s() {
    guest(|| {
        let mut kernel = Kernel::open().unwrap();
        let server = Destination::new(ip("10.0.0.2"), 80, Forwarding::Nat, 1);
        add(&mut kernel, &Service::new(web(), Scheduler::RoundRobin), &[server]);
        let absent = at(Protocol::Udp, "10.0.0.1", 53);
        let service = |key, make: &dyn Fn(&mut Service)| {
            let mut service = Service::new(key, Scheduler::RoundRobin);
            make(&mut service);
            service
        };
        let none = |_: &mut Service| ();
        let other = DestinationKey { address: ip("10.0.0.9"), port: 80 };
        let v6 = at(Protocol::Tcp, "fd00::1", 80);
        let unknown = |s: &mut Service| s.scheduler = Scheduler::Other("nosuch".to_owned());
        let engine = |s: &mut Service| {
            s.engine = Some("nosuch".to_owned());
            s.persistence = Some(1);
        };
        let to = |destination| Change::AddDestination(web(), destination);
        let cases = [
            (Change::AddService(service(web(), &none)), PlaneError::Exists),
            (Change::AddService(service(absent, &unknown)), PlaneError::NotFound),
            (Change::AddService(service(absent, &engine)), PlaneError::NotFound),
            (
                Change::AddService(service(v6, &|s| s.granularity = Granularity::Prefix(0))),
                PlaneError::Invalid,
            ),
            (
                Change::AddService(service(v6, &|s| s.granularity = Granularity::Prefix(129))),
                PlaneError::Invalid,
            ),
            (Change::EditService(service(absent, &none)), PlaneError::NoService),
            (Change::EditService(service(web(), &unknown)), PlaneError::NotFound),
            (Change::RemoveService(absent), PlaneError::NoService),
            (Change::AddDestination(absent, server), PlaneError::NoService),
            (to(server), PlaneError::Exists),
            (Change::EditDestination(absent, server), PlaneError::NoService),
            (Change::EditDestination(web(), Destination { key: other, ..server }), PlaneError::NotFound),
            (Change::RemoveDestination(absent, other), PlaneError::NoService),
            (Change::RemoveDestination(web(), other), PlaneError::NotFound),
            (to(Destination { key: other, weight: 1 << 31, ..server }), PlaneError::Range),
            (
                to(Destination { key: other, upper_threshold: 1, lower_threshold: 2, ..server }),
                PlaneError::Range,
            ),
            // Another family is reached by a tunnel only, and GUE needs a port.
            (to(Destination::new(ip("fd00::2"), 80, Forwarding::Nat, 1)), PlaneError::Invalid),
            (
                to(Destination {
                    key: other,
                    forwarding: Forwarding::Tunnel(Tunnel::Gue { port: 0, checksum: TunnelChecksum::None }),
                    ..server
                }),
                PlaneError::Invalid,
            ),
        ];
        let before = kernel.table().unwrap();
        for (change, error) in &cases {
            assert_eq!(kernel.apply(change), Err(error.clone()), "{change:?}");
        }
        // All at once is the same as one by one, and what is right among it is done.
        let mut together: Vec<Change> = cases.iter().map(|(change, _)| change.clone()).collect();
        let right = Destination::new(ip("10.0.0.77"), 80, Forwarding::Nat, 7);
        together.insert(5, to(right));
        let mut results = kernel.apply_all(&together);
        assert_eq!(results.remove(5), Ok(()));
        let refused: Vec<_> = cases.iter().map(|(_, error)| Err(error.clone())).collect();
        assert_eq!(results, refused);
        kernel.apply(&Change::RemoveDestination(web(), right.key)).unwrap();

        assert_eq!(kernel.table().unwrap(), before);
        assert_eq!(kernel.entry(&absent), Err(PlaneError::NoService));
        assert_eq!(kernel.zero(Some(&absent)), Err(PlaneError::NoService));
    });
}

#[test]
fn a_namespace_has_its_own_table() {
    guest(|| {
        sh("ip netns add inner");
        let mut here = Kernel::open().unwrap();
        let mut inner = Kernel::open_in(Namespace::named("inner").unwrap()).unwrap();
        add(&mut inner, &Service::new(web(), Scheduler::RoundRobin), &[]);
        assert_eq!(here.table().unwrap(), Table::new());
        assert!(inner.table().unwrap().contains_key(&web()));
        sh("ip netns exec inner ipvsadm -Sn | grep -q '^-A -t 10.0.0.1:80 -s rr'");
        assert_eq!(saved(), [""; 0]);
    });
}

#[test]
fn the_module_is_loaded_and_may_come_again() {
    guest(|| {
        let unload = || sh("$(cat /proc/sys/kernel/modprobe) -r ip_vs_rr ip_vs; ! test -e /proc/net/ip_vs");
        unload();
        let mut kernel = Kernel::open().unwrap();
        assert_eq!(kernel.info().unwrap().version, (1, 2, 1));
        add(&mut kernel, &Service::new(web(), Scheduler::RoundRobin), &[]);
        // Gone and back, it has another number.
        kernel.flush().unwrap();
        unload();
        add(&mut kernel, &Service::new(web(), Scheduler::RoundRobin), &[]);
        kernel.flush().unwrap();
        unload();
        let all = [
            Change::AddService(Service::new(web(), Scheduler::RoundRobin)),
            Change::AddDestination(web(), Destination::new(ip("10.0.0.2"), 80, Forwarding::Nat, 1)),
        ];
        assert_eq!(kernel.apply_all(&all), [Ok(()), Ok(())]);
        assert_eq!(kernel.table().unwrap().len(), 1);

        // Without it, and without who could load it, that is said.
        kernel.flush().unwrap();
        unload();
        sh("echo /nowhere/modprobe > /proc/sys/kernel/modprobe");
        let error = Kernel::open().unwrap_err();
        let PlaneError::Unavailable(why) = &error else { panic!("{error:?}") };
        assert!(
            why.starts_with("this kernel has no IPVS, and its module ip_vs cannot be loaded: /nowhere"),
            "{why}"
        );
        assert_eq!(kernel.table(), Err(error));
    });
}
