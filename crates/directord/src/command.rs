//! Changes of the table in the notation of ipvsadm, which administrators know.

use director::plane::{
    Change, Destination, DestinationKey, Family, Forwarding, Granularity, Protocol, Scheduler, Service,
    ServiceKey, Tunnel, TunnelChecksum,
};
use std::fmt::Write as _;

/// The command that would make a change: `ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1`.
pub fn shown(change: &Change) -> String {
    let mut line = "ipvsadm".to_owned();
    match change {
        Change::AddService(service) => {
            line.push_str(" -A");
            put_service(&mut line, service);
        }
        Change::EditService(service) => {
            line.push_str(" -E");
            put_service(&mut line, service);
        }
        Change::RemoveService(key) => {
            line.push_str(" -D");
            put_key(&mut line, key);
        }
        Change::AddDestination(key, destination) => {
            line.push_str(" -a");
            put_key(&mut line, key);
            put_destination(&mut line, destination);
        }
        Change::EditDestination(key, destination) => {
            line.push_str(" -e");
            put_key(&mut line, key);
            put_destination(&mut line, destination);
        }
        Change::RemoveDestination(key, destination) => {
            line.push_str(" -d");
            put_key(&mut line, key);
            put_server(&mut line, destination);
        }
    }
    line
}

fn put_key(line: &mut String, key: &ServiceKey) {
    let _ = match key {
        ServiceKey::Address { protocol, address, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            write!(line, " {option} {}", std::net::SocketAddr::new(*address, *port))
        }
        ServiceKey::Mark { family: Family::V4, mark } => write!(line, " -f {mark}"),
        ServiceKey::Mark { family: Family::V6, mark } => write!(line, " -f {mark} -6"),
    };
}

fn put_service(line: &mut String, service: &Service) {
    put_key(line, &service.key);
    let _ = write!(line, " -s {}", service.scheduler.name());
    if let Some(seconds) = service.persistence {
        let _ = write!(line, " -p {seconds}");
    }
    if service.granularity != Granularity::single(service.key.family()) {
        let _ = match service.granularity {
            Granularity::Netmask(mask) => write!(line, " -M {mask}"),
            Granularity::Prefix(length) => write!(line, " -M {length}"),
        };
    }
    if let Some(engine) = &service.engine {
        let _ = write!(line, " --pe {engine}");
    }
    if service.flags.one_packet {
        line.push_str(" -o");
    }
    let names = match service.scheduler {
        Scheduler::SourceHash => ["sh-fallback", "sh-port", "flag-3"],
        Scheduler::MaglevHash => ["mh-fallback", "mh-port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let set = [service.flags.flag_1, service.flags.flag_2, service.flags.flag_3];
    let flags: Vec<_> = names.into_iter().zip(set).filter(|(_, set)| *set).map(|(name, _)| name).collect();
    if !flags.is_empty() {
        let _ = write!(line, " -b {}", flags.join(","));
    }
}

fn put_server(line: &mut String, key: &DestinationKey) {
    let _ = write!(line, " -r {key}");
}

fn put_destination(line: &mut String, destination: &Destination) {
    put_server(line, &destination.key);
    line.push_str(match destination.forwarding {
        Forwarding::Nat => " -m",
        Forwarding::DirectRouting => " -g",
        Forwarding::Tunnel(_) => " -i",
        // Not to be asked for; tables of old kernels show it.
        Forwarding::Local | Forwarding::Bypass => "",
    });
    let _ = write!(line, " -w {}", destination.weight);
    if destination.upper_threshold != 0 || destination.lower_threshold != 0 {
        let _ = write!(line, " -x {} -y {}", destination.upper_threshold, destination.lower_threshold);
    }
    let checksum = match destination.forwarding {
        Forwarding::Tunnel(Tunnel::Gue { port, checksum }) => {
            let _ = write!(line, " --tun-type gue --tun-port {port}");
            checksum
        }
        Forwarding::Tunnel(Tunnel::Gre { checksum }) => {
            line.push_str(" --tun-type gre");
            checksum
        }
        _ => return,
    };
    line.push_str(match checksum {
        TunnelChecksum::None => " --tun-nocsum",
        TunnelChecksum::Full => " --tun-csum",
        TunnelChecksum::Remote => " --tun-remcsum",
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use director::plane::Flags;

    #[test]
    fn commands_are_ipvsadms() {
        let key = ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 };
        let mut service = Service::new(key, Scheduler::SourceHash);
        service.persistence = Some(50);
        service.granularity = Granularity::Netmask([255, 255, 255, 0].into());
        service.flags = Flags { flag_1: true, flag_2: true, ..Flags::default() };
        assert_eq!(
            shown(&Change::AddService(service)),
            "ipvsadm -A -t 10.0.0.1:80 -s sh -p 50 -M 255.255.255.0 -b sh-fallback,sh-port"
        );
        let gue = Forwarding::Tunnel(Tunnel::Gue { port: 5000, checksum: TunnelChecksum::Full });
        let mut server = Destination::new("fd00::1".parse().unwrap(), 80, gue, 3);
        server.upper_threshold = 9;
        assert_eq!(
            shown(&Change::EditDestination(ServiceKey::Mark { family: Family::V6, mark: 5 }, server)),
            "ipvsadm -e -f 5 -6 -r [fd00::1]:80 -i -w 3 -x 9 -y 0 --tun-type gue --tun-port 5000 --tun-csum"
        );
        assert_eq!(
            shown(&Change::RemoveDestination(key, DestinationKey { address: [10, 0, 0, 2].into(), port: 0 })),
            "ipvsadm -d -t 10.0.0.1:80 -r 10.0.0.2:0"
        );
    }
}
