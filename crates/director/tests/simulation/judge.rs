//! What must hold after every step.

#![expect(clippy::expect_used, reason = "a wrong id is to stop the test")]

use crate::stage::Stage;
use director::plane::{Destination, DestinationKey, Service, ServiceKey};
use director::{RealServerId, VirtualServerId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is wanted in one service of the kernel.
#[derive(Default)]
struct Wanted {
    /// Those that stand for it; it is to be as one of them says.
    services: Vec<Service>,
    /// For each destination, what is wanted of it: weights from the first to the second. One of several is to be true.
    destinations: HashMap<DestinationKey, Vec<(Destination, u32)>>,
}

/// What the director's own state demands of the table, worked out anew.
fn demanded(stage: &Stage) -> BTreeMap<ServiceKey, Wanted> {
    let mut all: BTreeMap<ServiceKey, Wanted> = BTreeMap::new();
    let director = &stage.director;
    for (at, config) in director.config().virtual_servers.iter().enumerate() {
        let id = VirtualServerId::at(at);
        let state = director.virtual_server(id).expect("a state for each virtual server");
        let replaced = state.sorry_server.is_some_and(|(_, alive)| alive);
        for key in config.keys() {
            let wanted = all.entry(key).or_default();
            wanted.services.push(config.service(key));
            if let Some(sorry) = &config.sorry_server
                && (replaced || sorry.inhibit)
            {
                let one = sorry.destination(&key, u32::from(replaced));
                wanted.destinations.entry(one.key).or_default().push((one, one.weight));
            }
            for (server, id) in config.real_servers.iter().zip(director.real_servers(id)) {
                let real = director.real_server(id).expect("a state for each real server");
                let (least, most) = if real.up && !replaced {
                    let whole = real.weight.saturating_mul(state.scale).min(i32::MAX as u32);
                    (if real.slow_start.is_some() { whole.min(1) } else { whole }, whole)
                } else if server.inhibit {
                    (0, 0)
                } else {
                    continue;
                };
                let one = server.destination(&key, least);
                wanted.destinations.entry(one.key).or_default().push((one, most));
            }
        }
    }
    all
}

/// The table holds what is demanded, what waits to leave, what others put there, and nothing else.
pub(crate) fn table(
    stage: &Stage,
    foreign: &BTreeSet<(ServiceKey, Option<DestinationKey>)>,
) -> Result<(), String> {
    let demanded = demanded(stage);
    let table = stage.plane.current();
    let draining = stage.director.is_draining();
    for (key, wanted) in &demanded {
        let entry = table.get(key).ok_or_else(|| format!("{key} is not in the table"))?;
        if !wanted.services.contains(&entry.service) {
            return Err(format!("{key} is {:?}, wanted is {:?}", entry.service, wanted.services));
        }
        for (destination, choices) in &wanted.destinations {
            let there = entry
                .destination(destination)
                .ok_or_else(|| format!("{destination} is not in the table at {key}"))?;
            let fits = |(one, most): &(Destination, u32)| {
                (one.weight..=*most).contains(&there.weight)
                    && Destination { weight: one.weight, ..*there } == *one
            };
            let waits = draining && there.weight == 0;
            if !choices.iter().any(fits) && !waits {
                return Err(format!("{key} has {there:?}, wanted is {choices:?}"));
            }
        }
    }
    for (key, entry) in table {
        let wanted = demanded.get(key);
        if wanted.is_none() && !foreign.contains(&(*key, None)) {
            return Err(format!("{key} is in the table and nobody wants it"));
        }
        for one in &entry.destinations {
            let wants = wanted.is_some_and(|wanted| wanted.destinations.contains_key(&one.key));
            let waits = draining && one.weight == 0;
            if !wants && !waits && !foreign.contains(&(*key, Some(one.key))) {
                return Err(format!("{} is in the table at {key} and nobody wants it", one.key));
            }
        }
    }
    Ok(())
}

/// Servers are up when all their checkers passed; quorum and sorry server are as weights and thresholds demand.
pub(crate) fn states(stage: &Stage) -> Result<(), String> {
    let director = &stage.director;
    for (at, config) in director.config().virtual_servers.iter().enumerate() {
        let id = VirtualServerId::at(at);
        let state = director.virtual_server(id).expect("a state for each virtual server");
        let mut sum = 0;
        for id in director.real_servers(id) {
            let real = director.real_server(id).expect("a state for each real server");
            let failed = director
                .checkers(id)
                .filter(|id| !director.checker(*id).expect("a state for each checker").up)
                .count();
            if failed != real.failed || real.up != (failed == 0) {
                return Err(format!("{}: {failed} checkers failed, {real:?}", real.name));
            }
            if real.up {
                sum += u64::from(real.weight);
            }
        }
        if sum != state.weight {
            return Err(format!("{}: weights sum to {sum}, not {}", state.name, state.weight));
        }
        let (quorum, hysteresis) = (u64::from(config.quorum), u64::from(config.hysteresis));
        if state.quorum_up && (sum == 0 || sum < quorum - hysteresis) {
            return Err(format!("{}: quorum with {sum} of {quorum}-{hysteresis}", state.name));
        }
        if !state.quorum_up && sum >= quorum + hysteresis {
            return Err(format!("{}: no quorum with {sum} of {quorum}+{hysteresis}", state.name));
        }
        if state.sorry_server.is_some_and(|(_, alive)| alive == state.quorum_up) {
            return Err(format!("{}: sorry server and quorum at once, or neither", state.name));
        }
    }
    Ok(())
}

/// What was told alternates, and is what is.
#[derive(Default)]
pub(crate) struct Told(HashMap<String, bool>);

impl Told {
    /// Takes the lines of the FIFO.
    pub(crate) fn hear(&mut self, stage: &mut Stage) -> Result<(), String> {
        for line in stage.take_fifo() {
            let (subject, state) = line.rsplit_once(' ').ok_or("a line without a state")?;
            let up = state == "UP";
            if self.0.insert(subject.to_owned(), up) == Some(up) {
                return Err(format!("told twice: {line}"));
            }
        }
        let director = &stage.director;
        for at in 0..director.config().virtual_servers.len() {
            let id = VirtualServerId::at(at);
            let Some(state) = director.virtual_server(id) else { continue };
            let told = self.0.get(&format!("VS {}", state.name));
            if told.is_some_and(|told| *told != state.quorum_up) {
                return Err(format!("{} was told to be otherwise", state.name));
            }
            for server in director.real_servers(id) {
                let Some(real) = director.real_server(server) else { continue };
                let told = self.0.get(&format!("RS {} {}", real.name, state.name));
                if told.is_some_and(|told| *told != real.up) {
                    return Err(format!("{} of {} was told to be otherwise", real.name, state.name));
                }
            }
        }
        Ok(())
    }

    /// Forgets what is not configured, or not the same any more.
    pub(crate) fn retain(&mut self, keep: &BTreeSet<String>) {
        self.0.retain(|subject, _| keep.contains(subject));
    }
}

/// The subjects of the FIFO's lines there can be; those that two virtual servers share a name for are left out.
pub(crate) fn subjects(stage: &Stage) -> BTreeSet<String> {
    let director = &stage.director;
    let mut all = BTreeSet::new();
    for at in 0..director.config().virtual_servers.len() {
        let id = VirtualServerId::at(at);
        let Some(state) = director.virtual_server(id) else { continue };
        all.insert(format!("VS {}", state.name));
        let servers =
            director.real_servers(id).filter_map(|server: RealServerId| director.real_server(server));
        all.extend(servers.map(|real| format!("RS {} {}", real.name, state.name)));
    }
    all
}
