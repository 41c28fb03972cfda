//! What is counted.

use crate::{add, at, ip, ipvsadm, sh};
use director::plane::{
    Counters, DataPlane as _, Destination, DestinationStatistics, Forwarding, Protocol, Scheduler, Service,
};
use netlink::ipvs::Kernel;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use testkit::lab::Lab;
use testkit::uml::guest;

/// The numbers of a line of `ipvsadm --stats`: connections, packets in and out, bytes in and out.
fn shown(listing: &str, name: &str) -> Counters {
    let line = listing.lines().find(|line| line.contains(name)).unwrap();
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    let mut next = || numbers.next().unwrap();
    Counters {
        connections: next(),
        packets_in: next(),
        packets_out: next(),
        bytes_in: next(),
        bytes_out: next(),
    }
}

#[test]
fn traffic_is_counted() {
    guest(|| {
        let (lab, hosts) = Lab::with_segment(&["client", "director", "server"]);
        let [client, director, server] = &hosts[..] else { panic!("three hosts") };
        let in_namespace = |name: &str, command: &str| sh(&format!("ip netns exec {name} {command}"));
        in_namespace(
            &director.namespace,
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0",
        );
        // The server answers through the director.
        in_namespace(&server.namespace, "ip route add 10.99.0.0/16 via 10.20.0.2");
        in_namespace(&client.namespace, "ip addr add 10.99.0.1/32 dev lo");
        in_namespace(&client.namespace, "ip route add 10.50.0.0/16 via 10.20.0.2 src 10.99.0.1");
        in_namespace(&director.namespace, "ip route add 10.99.0.1 via 10.20.0.1");
        in_namespace(&director.namespace, "ip addr add 10.50.0.1/32 dev lo");
        let key = at(Protocol::Tcp, "10.50.0.1", 80);
        let sticky = Service { persistence: Some(300), ..Service::new(key, Scheduler::RoundRobin) };
        let real = Destination::new(ip("10.20.0.3"), 8080, Forwarding::Nat, 1);
        director.inside(|| {
            let mut kernel = Kernel::open().unwrap();
            add(&mut kernel, &sticky, &[real]);
            let idle = kernel.statistics().unwrap();
            assert_eq!(idle[&key].destinations[&real.key], DestinationStatistics::default());
        });

        let listener = server.inside(|| TcpListener::bind("10.20.0.3:8080").unwrap());
        let server_thread = std::thread::spawn(move || {
            let mut open = Vec::new();
            for number in 0..3 {
                let (mut stream, peer) = listener.accept().unwrap();
                assert_eq!(peer.ip(), ip("10.99.0.1"));
                let mut request = [0; 1000];
                stream.read_exact(&mut request).unwrap();
                stream.write_all(&[b'x'; 5000]).unwrap();
                if number == 0 {
                    open.push(stream);
                }
            }
            open
        });
        let mut connections = client.inside(|| {
            let ask = |_| {
                let mut stream = TcpStream::connect("10.50.0.1:80").unwrap();
                stream.write_all(&[b'y'; 1000]).unwrap();
                stream.read_exact(&mut [0; 5000]).unwrap();
                stream
            };
            (0..3).map(ask).collect::<Vec<_>>()
        });
        let kept = server_thread.join().unwrap();
        connections.truncate(1);

        director.inside(|| {
            let mut kernel = Kernel::open().unwrap();
            // The kernel sums up every two seconds.
            let until = Instant::now() + Duration::from_secs(30);
            let (service, listing) = loop {
                assert!(Instant::now() < until, "nothing was counted");
                let before = kernel.statistics().unwrap()[&key].clone();
                let listing = ipvsadm("-ln --stats --exact");
                if before.counters.connections == 3 && kernel.statistics().unwrap()[&key] == before {
                    break (before, listing);
                }
                std::thread::sleep(Duration::from_millis(200));
            };
            assert_eq!(service.counters, shown(&listing, "10.50.0.1:80"));
            let one = service.destinations[&real.key];
            assert_eq!(one.counters, shown(&listing, "10.20.0.3:8080"));
            assert_eq!(one.counters.connections, 3);
            assert!(one.counters.bytes_in >= 3000 && one.counters.bytes_out >= 15000, "{one:?}");
            assert_eq!(one.active + one.inactive, 3, "{one:?} {}", ipvsadm("-lnc"));
            assert_eq!(one.active, 1, "{one:?}");
            assert_eq!(one.persistent, 1, "{one:?} {}", ipvsadm("-lnc"));

            kernel.zero(Some(&key)).unwrap();
            let zeroed = kernel.statistics().unwrap()[&key].clone();
            assert_eq!(zeroed.counters.connections, 0);
            assert_eq!(zeroed.destinations[&real.key].counters.connections, 0);
            assert_eq!(zeroed.destinations[&real.key].persistent, 1);
            kernel.zero(None).unwrap();
        });
        drop((connections, kept, lab));
    });
}
