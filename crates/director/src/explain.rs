//! Which server a client would get for a new connection, and why, as far as it can be known from outside the kernel.

mod hash;

use crate::plane::{
    Destination, DestinationKey, DestinationStatistics, Entry, Protocol, Scheduler, ServiceKey,
    ServiceStatistics, Table,
};
use core::fmt;
use core::net::IpAddr;

/// Who asks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The client's address.
    pub client: IpAddr,
    /// Its port, where known. Only the port flags of sh and mh look at it.
    pub port: Option<u16>,
    /// The address it connects to. Only dh looks at it.
    pub to: IpAddr,
}

/// What is known of the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The service.
    pub service: ServiceKey,
    /// The choice.
    pub choice: Choice,
    /// Why: one sentence for each step.
    pub because: Vec<String>,
}

/// A choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    Server(DestinationKey),
    /// One of these; which one depends on what only the kernel knows.
    OneOf(Vec<DestinationKey>),
    /// Nobody: the connection is refused.
    Nobody,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.choice {
            Choice::Server(server) => write!(f, "{}: {server}", self.service)?,
            Choice::OneOf(servers) => {
                let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
                write!(f, "{}: one of {}", self.service, servers.join(", "))?;
            }
            Choice::Nobody => write!(f, "{}: nobody", self.service)?,
        }
        for step in &self.because {
            write!(f, "\n  {step}")?;
        }
        Ok(())
    }
}

/// The service that takes a packet without a mark: that of its port; for data connections of FTP, that of port 21; else that
/// of port 0.
pub fn find(table: &Table, protocol: Protocol, address: IpAddr, port: u16) -> Option<ServiceKey> {
    let of = |port| ServiceKey::Address { protocol, address, port };
    let data = protocol == Protocol::Tcp && (port == 20 || port >= 1024);
    let ports = [Some(port), data.then_some(21), Some(0)];
    ports.into_iter().flatten().map(of).find(|key| table.contains_key(key))
}

/// Why the kernel takes a destination or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    NoWeight,
    Full,
    /// Between its thresholds: it depends on from where it came.
    Maybe,
}

struct Candidate<'a> {
    destination: &'a Destination,
    counted: DestinationStatistics,
    fit: Fit,
}

/// Explains the choice for a new connection, in a service that is in the table. `None`: the table does not have it.
pub fn explain(
    question: &Question,
    key: &ServiceKey,
    table: &Table,
    counted: Option<&ServiceStatistics>,
) -> Option<Answer> {
    let entry = table.get(key)?;
    let mut because = Vec::new();
    let candidates: Vec<Candidate<'_>> = entry
        .destinations
        .iter()
        .map(|destination| {
            let counted = counted.and_then(|one| one.destinations.get(&destination.key));
            let counted = counted.copied().unwrap_or_default();
            Candidate { destination, counted, fit: fit(destination, &counted) }
        })
        .collect();
    for one in &candidates {
        let (server, weight) = (one.destination.key, one.destination.weight);
        match one.fit {
            Fit::NoWeight => because.push(format!("{server} has weight {weight}: it gets no new connections")),
            Fit::Full => because.push(format!(
                "{server} has {} connections and may have {}: it gets no new ones",
                total(&one.counted),
                one.destination.upper_threshold
            )),
            Fit::Maybe => because.push(format!(
                "{server} has {} connections, between its thresholds: it gets new ones unless it was full before",
                total(&one.counted)
            )),
            Fit::Yes => {}
        }
    }
    let held = held(entry, &candidates, &mut because);
    let choice = choose(question, entry, &candidates, &mut because);
    Some(Answer { service: *key, choice: join(held, choice), because })
}

/// A choice, and the servers at which persistence may hold the client.
fn join(mut held: Vec<DestinationKey>, choice: Choice) -> Choice {
    let others = match choice {
        _ if held.is_empty() => return choice,
        Choice::Server(server) if held == [server] => return Choice::Server(server),
        Choice::Server(server) => vec![server],
        Choice::OneOf(servers) => servers,
        Choice::Nobody => Vec::new(),
    };
    for one in others {
        if !held.contains(&one) {
            held.push(one);
        }
    }
    Choice::OneOf(held)
}

/// The servers at which persistence holds clients: this one may be among them.
fn held(entry: &Entry, candidates: &[Candidate<'_>], because: &mut Vec<String>) -> Vec<DestinationKey> {
    let Some(time) = entry.service.persistence else { return Vec::new() };
    let held: Vec<DestinationKey> =
        candidates.iter().filter(|one| one.counted.persistent > 0).map(|one| one.destination.key).collect();
    if held.is_empty() {
        because.push(format!("persistence ({time} s) holds no client at the moment"));
    } else {
        because.push(format!(
            "persistence ({time} s): a client that was here within this time gets the server it had, whatever else is \
             said here; which clients those are the kernel does not tell"
        ));
    }
    held
}

fn fit(destination: &Destination, counted: &DestinationStatistics) -> Fit {
    if destination.weight == 0 {
        return Fit::NoWeight;
    }
    let (all, upper) = (u64::from(total(counted)), u64::from(destination.upper_threshold));
    if upper == 0 {
        return Fit::Yes;
    }
    if all >= upper {
        return Fit::Full;
    }
    let below = match u64::from(destination.lower_threshold) {
        0 => all * 4 < upper * 3,
        lower => all < lower,
    };
    if below { Fit::Yes } else { Fit::Maybe }
}

fn total(counted: &DestinationStatistics) -> u32 {
    counted.active.saturating_add(counted.inactive)
}

fn choose(
    question: &Question,
    entry: &Entry,
    candidates: &[Candidate<'_>],
    because: &mut Vec<String>,
) -> Choice {
    let service = &entry.service;
    let name = service.scheduler.name();
    match &service.scheduler {
        Scheduler::SourceHash | Scheduler::DestinationHash | Scheduler::MaglevHash => {
            return by_hash(question, entry, candidates, because);
        }
        _ => {}
    }
    let able: Vec<&Candidate<'_>> =
        candidates.iter().filter(|one| matches!(one.fit, Fit::Yes | Fit::Maybe)).collect();
    let able = if service.scheduler == Scheduler::Overflow { within(able, because) } else { able };
    let keys = || able.iter().map(|one| one.destination.key).collect::<Vec<_>>();
    match able.as_slice() {
        [] => {
            because.push("no server takes new connections".to_owned());
            return Choice::Nobody;
        }
        [only] if only.fit == Fit::Yes => {
            because.push("it is the only one that takes new connections".to_owned());
            return Choice::Server(only.destination.key);
        }
        _ => {}
    }
    if able.iter().any(|one| one.fit == Fit::Maybe) {
        because.push(format!("{name}: not decided, because it is not known who is full"));
        return Choice::OneOf(keys());
    }
    let reason = match &service.scheduler {
        Scheduler::RoundRobin => "rr: the one after the last; which was the last only the kernel knows",
        Scheduler::WeightedRoundRobin => "wrr: where in its round it is only the kernel knows",
        Scheduler::TwoChoices => "twos: the less loaded of two that are drawn by lot",
        Scheduler::LocalityLeastConnection | Scheduler::LocalityLeastConnectionReplicated => {
            let first = least(&able, because, name);
            because.push(format!(
                "{name}: {} if the kernel does not remember the address that is connected to, else the server it remembers",
                first.destination.key
            ));
            return Choice::OneOf(keys());
        }
        Scheduler::Other(_) => "the scheduler is not known here",
        _ => return Choice::Server(least(&able, because, name).destination.key),
    };
    because.push(reason.to_owned());
    Choice::OneOf(keys())
}

/// ovf: without those that have more connections than their weight.
fn within<'a>(able: Vec<&'a Candidate<'a>>, because: &mut Vec<String>) -> Vec<&'a Candidate<'a>> {
    let (within, over): (Vec<_>, Vec<_>) =
        able.into_iter().partition(|one| one.counted.active <= one.destination.weight);
    for one in over {
        because.push(format!(
            "ovf: {} has {} active connections, more than its weight {}",
            one.destination.key, one.counted.active, one.destination.weight
        ));
    }
    within
}

/// The first, in the kernel's order, of those with the least load as the scheduler counts it.
fn least<'a>(able: &[&'a Candidate<'a>], because: &mut Vec<String>, scheduler: &str) -> &'a Candidate<'a> {
    let load = |one: &Candidate<'_>| -> (u64, u64) {
        let (active, inactive) = (u64::from(one.counted.active), u64::from(one.counted.inactive));
        let weight = u64::from(one.destination.weight);
        match scheduler {
            "lc" => (active * 256 + inactive, 1),
            "sed" => (active + 1, weight),
            // A server without connections comes before all others.
            "nq" => (if active == 0 { 0 } else { active + 1 }, weight),
            // The greatest weight wins.
            "fo" => (1, weight),
            // So here; those with more connections than their weight were left out before.
            "ovf" => (1, weight),
            _ => (active * 256 + inactive, weight),
        }
    };
    let mut best: Option<&'a Candidate<'a>> = None;
    for one in able {
        let better = best.is_none_or(|best| {
            let ((mine, my_weight), (its, its_weight)) = (load(one), load(best));
            u128::from(its) * u128::from(my_weight) > u128::from(mine) * u128::from(its_weight)
        });
        if better {
            best = Some(one);
        }
    }
    for one in able {
        let (loaded, weight) = load(one);
        let counted = &one.counted;
        because.push(format!(
            "{scheduler}: {} has {} active and {} inactive connections and weight {}: {}",
            one.destination.key,
            counted.active,
            counted.inactive,
            one.destination.weight,
            match scheduler {
                "fo" | "ovf" => format!("rank {}", one.destination.weight),
                _ => format!("load {loaded}/{weight}"),
            }
        ));
    }
    let ties: Vec<&&Candidate<'_>> = able
        .iter()
        .filter(|one| {
            best.is_some_and(|best| {
                let ((a, b), (c, d)) = (load(one), load(best));
                u128::from(a) * u128::from(d) == u128::from(c) * u128::from(b)
            })
        })
        .collect();
    if ties.len() > 1 {
        let names: Vec<String> = ties.iter().map(|one| one.destination.key.to_string()).collect();
        because.push(format!("{} are equal: the first in the kernel's list is taken", names.join(" and ")));
    }
    #[expect(clippy::indexing_slicing, reason = "`choose` calls this with two servers at least")]
    best.unwrap_or(able[0])
}

/// sh, dh and mh: by the kernel's own tables.
fn by_hash(
    question: &Question,
    entry: &Entry,
    candidates: &[Candidate<'_>],
    because: &mut Vec<String>,
) -> Choice {
    let service = &entry.service;
    let name = service.scheduler.name();
    let by_destination = service.scheduler == Scheduler::DestinationHash;
    if entry.destinations.is_empty() {
        because.push("the service has no servers".to_owned());
        return Choice::Nobody;
    }
    let able = || -> Vec<DestinationKey> {
        let able = candidates.iter().filter(|one| matches!(one.fit, Fit::Yes | Fit::Maybe));
        able.map(|one| one.destination.key).collect()
    };
    let port = match (service.flags.flag_2 && !by_destination, question.port) {
        (false, _) => 0,
        (true, Some(port)) => port,
        (true, None) => {
            because.push(format!("{name}-port: the client's port counts, too, and is not known"));
            return Choice::OneOf(able());
        }
    };
    let (table, places): (Vec<usize>, Box<dyn Iterator<Item = usize>>) = match service.scheduler {
        Scheduler::SourceHash => {
            (hash::source_table(&entry.destinations), Box::new(hash::source(question.client, port)))
        }
        Scheduler::DestinationHash => (
            hash::destination_table(&entry.destinations),
            Box::new(core::iter::once(hash::destination(question.to))),
        ),
        _ => match hash::maglev_table(&entry.destinations) {
            Some(table) => (table, Box::new(hash::maglev(question.client, port))),
            None => {
                because.push(
                    "mh: not decided, because the kernel goes on with the weights that servers had before they got weight 0"
                        .to_owned(),
                );
                return Choice::OneOf(able());
            }
        },
    };
    let subject = if by_destination {
        format!("address {}", question.to)
    } else if service.flags.flag_2 {
        format!("client {} port {port}", question.client)
    } else {
        format!("client {}", question.client)
    };
    let tries = if service.flags.flag_1 && !by_destination { usize::MAX } else { 1 };
    let mut passed: Option<DestinationKey> = None;
    for (at, place) in places.take(tries).enumerate() {
        let Some(one) = table.get(place).and_then(|at| candidates.get(*at)) else { break };
        let server = one.destination.key;
        if at == 0 {
            because
                .push(format!("{name}: {subject} is at place {place} of {}, which is {server}", table.len()));
        }
        match one.fit {
            Fit::Yes => {
                if let Some(passed) = passed {
                    because.push(format!("{name}-fallback: {server} in place of {passed}"));
                }
                return Choice::Server(server);
            }
            Fit::Maybe => return Choice::OneOf(able()),
            Fit::NoWeight | Fit::Full => {
                passed.get_or_insert(server);
            }
        }
    }
    because.push(if tries == 1 {
        format!("{name} has no other server for it")
    } else {
        "no server takes new connections".to_owned()
    });
    Choice::Nobody
}
