//! What becomes of a client.

use crate::driver::World;
use director::VirtualServerId;
use director::explain::{Choice, Question, explain, find};
use director::plane::{Family, Protocol, ServiceKey, Table};
use notice::answer::VERSION;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

/// What a client connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Address { protocol: Option<Protocol>, address: SocketAddr },
    Mark(u32),
}

/// The answer to `explain`.
pub(super) fn answer(world: &mut World, request: &Value) -> Result<Value, String> {
    let text = |name: &str| {
        request.get(name).and_then(Value::as_str).ok_or_else(|| format!("the field '{name}' is missing"))
    };
    let (client, port) = client(text("client")?)?;
    let target = target(text("service")?)?;
    let failed = |error| format!("the kernel's table cannot be read: {error}");
    let table = world.keeper.plane().table().map_err(failed)?;
    let counted = world.keeper.plane().statistics().map_err(failed)?;
    let key = key(&table, target, client);
    let to = match target {
        Target::Address { address, .. } => address.ip(),
        Target::Mark(_) => client,
    };
    let question = Question { client, port, to };
    let answered = key.and_then(|key| explain(&question, &key, &table, counted.get(&key)));
    let Some(answered) = answered else {
        let why = "the kernel's table has no such service".to_owned();
        return Ok(json!({
            "version": VERSION, "service": null, "server": null, "one_of": [], "because": [why],
            "lines": [why],
        }));
    };
    let (server, one_of) = match &answered.choice {
        Choice::Server(server) => (Some(server.to_string()), Vec::new()),
        Choice::OneOf(servers) => (None, servers.iter().map(ToString::to_string).collect()),
        Choice::Nobody => (None, Vec::new()),
    };
    let mut because = answered.because.clone();
    because.extend(down(world, &answered.service));
    let mut lines: Vec<String> = answered.to_string().lines().map(str::to_owned).collect();
    lines.extend(because.iter().skip(answered.because.len()).map(|line| format!("  {line}")));
    Ok(json!({
        "version": VERSION,
        "service": answered.service.to_string(),
        "server": server,
        "one_of": one_of,
        "because": because,
        "lines": lines,
    }))
}

/// Servers of the service that are down, and why.
fn down(world: &World, key: &ServiceKey) -> Vec<String> {
    let director = &world.director;
    let ids = (0..world.plan.model.virtual_servers.len()).map(VirtualServerId::at);
    let of_key = ids.filter(|id| director.virtual_server(*id).is_some_and(|one| one.keys.contains(key)));
    of_key
        .flat_map(|id| director.real_servers(id))
        .filter_map(|id| director.real_server(id))
        .filter(|server| !server.up)
        .map(|server| format!("{} is down: {}", server.name, server.cause))
        .collect()
}

/// `192.0.2.1`, `192.0.2.1:40000`, `2001:db8::1`, `[2001:db8::1]:40000`.
fn client(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((address, None));
    }
    let address = text.parse::<SocketAddr>();
    address
        .map(|address| (address.ip(), Some(address.port())))
        .map_err(|_| format!("'{text}' is no address of a client"))
}

/// `10.0.0.1:80`, with `tcp:`, `udp:` or `sctp:` before it or not; `fwmark 3`.
fn target(text: &str) -> Result<Target, String> {
    if let Some(mark) = text.strip_prefix("fwmark") {
        let mark = mark.trim_start_matches([' ', ':', '=']).parse();
        return mark.map(Target::Mark).map_err(|_| format!("'{text}' is no firewall mark"));
    }
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let named =
        protocols.into_iter().find_map(|one| Some((one, text.strip_prefix(one.name())?.strip_prefix(':')?)));
    let (protocol, rest) = named.map_or((None, text), |(protocol, rest)| (Some(protocol), rest));
    let address = rest.parse().map_err(|_| format!("'{text}' is no address and port of a service"))?;
    Ok(Target::Address { protocol, address })
}

fn key(table: &Table, target: Target, client: IpAddr) -> Option<ServiceKey> {
    match target {
        Target::Mark(mark) => Some(ServiceKey::Mark { family: Family::of(&client), mark }),
        Target::Address { protocol: Some(protocol), address } => {
            find(table, protocol, address.ip(), address.port())
        }
        Target::Address { protocol: None, address } => [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
            .into_iter()
            .find_map(|protocol| find(table, protocol, address.ip(), address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let ip = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(client("192.0.2.1"), Ok((ip, None)));
        assert_eq!(client("192.0.2.1:9"), Ok((ip, Some(9))));
        assert_eq!(client("2001:db8::1"), Ok(("2001:db8::1".parse().unwrap(), None)));
        assert!(client("nobody").is_err());
        let address = "10.0.0.1:80".parse().unwrap();
        assert_eq!(target("10.0.0.1:80"), Ok(Target::Address { protocol: None, address }));
        assert_eq!(target("udp:10.0.0.1:80"), Ok(Target::Address { protocol: Some(Protocol::Udp), address }));
        assert_eq!(target("fwmark 3"), Ok(Target::Mark(3)));
        assert!(target("fwmark x").is_err());
        assert!(target("10.0.0.1").is_err());
    }
}
