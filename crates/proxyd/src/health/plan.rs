//! What the configuration says about checks, made ready for the tasks.

use crate::health::Probe;
use check::{Jitter, Pace, first_delay, http_request};
use ek_time::Duration;
use haproxy_cfg::model::{self, Address, Check};
use reactor::SockAddr;
use std::net::SocketAddr;
use std::rc::Rc;

/// How one server is checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Index of its section in [`model::Config::proxies`].
    pub proxy: usize,
    /// Its index there.
    pub server: usize,
    /// Where; `None` when neither the server nor the check names a port.
    pub address: Option<SockAddr>,
    /// Successes that bring it up.
    pub rise: u32,
    /// Failures that take it down.
    pub fall: u32,
    /// From one check to the next.
    pub pace: Pace,
    /// From the start to the first check.
    pub first: Duration,
    /// `timeout connect`.
    pub connect_timeout: Option<Duration>,
    /// `timeout check`.
    pub check_timeout: Option<Duration>,
    /// `spread-checks`.
    pub spread_percent: u32,
    /// Seed of this server's random deviations.
    pub seed: u64,
    /// What is said and expected; one for all servers of a section.
    pub probe: Rc<Probe>,
}

/// The plans of all servers that have `check`, in the order they stand.
pub fn plans(config: &model::Config, seed: u64) -> Vec<Plan> {
    let global = &config.global;
    let limit =
        usize::try_from(global.tune.bufsize.saturating_sub(global.tune.maxrewrite)).unwrap_or(usize::MAX);
    let mut plans = Vec::new();
    for (proxy, section) in config.proxies.iter().enumerate() {
        if section.disabled || !section.kind.is_backend() {
            continue;
        }
        let probe = Rc::new(probe(&section.check, limit));
        for (server, line) in section.servers.iter().enumerate() {
            let Some(check) = &line.check else { continue };
            plans.push(Plan {
                proxy,
                server,
                address: address(&line.address, check),
                rise: check.rise,
                fall: check.fall,
                pace: Pace { inter: check.inter, fast: check.fastinter, down: check.downinter },
                first: Duration::ZERO,
                connect_timeout: section.timeouts.connect,
                check_timeout: section.timeouts.check,
                spread_percent: global.spread_checks,
                seed: seed ^ (plans.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                probe: Rc::clone(&probe),
            });
        }
    }
    // A server starts at the border of its health, where the fast pace holds.
    let start = |plan: &Plan| plan.pace.delay(&check::Health::new(plan.rise, plan.fall, true));
    let intervals: Vec<Duration> = plans.iter().map(start).collect();
    let count = plans.len();
    let shortest = intervals.iter().copied();
    for (position, plan) in plans.iter_mut().enumerate() {
        let own = start(plan);
        let spread = Jitter::new(plan.spread_percent, !plan.seed).spread(own);
        plan.first = first_delay(shortest.clone(), own, (position, count), spread, None);
    }
    plans
}

fn probe(check: &Check, limit: usize) -> Probe {
    match check {
        Check::Connect => Probe::Connect,
        Check::Http { method, uri, version, headers, body } => {
            Probe::Http { request: http_request(method, uri, version, headers, body), limit }
        }
    }
}

/// `addr` and `port` of the check, where given, instead of the server's own.
fn address(server: &Address, check: &model::ServerCheck) -> Option<SockAddr> {
    let (ip, port) = match server {
        Address::Ip(address) => (Some(address.ip()), Some(address.port()).filter(|&port| port != 0)),
        Address::IpRelative(ip, _) => (Some(*ip), None),
        Address::Unix(path) if check.addr.is_none() => return Some(SockAddr::Path(path.clone())),
        Address::Abstract(name, exact) if check.addr.is_none() => {
            let mut name = name.clone();
            if !exact {
                name.resize(ABSTRACT_ROOM, 0);
            }
            return Some(SockAddr::Abstract(name));
        }
        _ => (None, None),
    };
    Some(SockAddr::from(SocketAddr::new(check.addr.or(ip)?, check.port.or(port)?)))
}

/// What an abstract name is filled up to with NULs, unless it was written as `abnsz@`.
const ABSTRACT_ROOM: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;
    use model::{PortOffset, ServerCheck};

    fn at(server: &str, ip: Option<&str>, port: Option<u16>) -> Option<SockAddr> {
        let server = match server.parse() {
            Ok(address) => Address::Ip(address),
            Err(_) => match server.parse() {
                Ok(ip) => Address::IpRelative(ip, PortOffset::Relative(0)),
                Err(_) => Address::Unix(server.into()),
            },
        };
        let check = ServerCheck {
            inter: Duration::from_secs(2),
            fastinter: None,
            downinter: None,
            rise: 2,
            fall: 3,
            port,
            addr: ip.map(|ip| ip.parse().unwrap()),
        };
        address(&server, &check)
    }

    fn ip(address: &str) -> Option<SockAddr> {
        Some(SockAddr::Ip(address.parse().unwrap()))
    }

    #[test]
    fn addr_and_port_of_the_check_come_first() {
        assert_eq!(at("192.0.2.1:80", None, None), ip("192.0.2.1:80"));
        assert_eq!(at("192.0.2.1:80", None, Some(8080)), ip("192.0.2.1:8080"));
        assert_eq!(at("192.0.2.1:80", Some("192.0.2.9"), None), ip("192.0.2.9:80"));
        assert_eq!(at("192.0.2.1:80", Some("2001:db8::1"), Some(81)), ip("[2001:db8::1]:81"));
        assert_eq!(at("/run/app.sock", None, Some(81)), Some(SockAddr::Path("/run/app.sock".into())));
        assert_eq!(at("/run/app.sock", Some("192.0.2.9"), Some(81)), ip("192.0.2.9:81"));
    }

    #[test]
    fn a_server_without_a_port_needs_the_checks() {
        assert_eq!(at("192.0.2.1", None, None), None);
        assert_eq!(at("192.0.2.1", None, Some(80)), ip("192.0.2.1:80"));
    }
}
