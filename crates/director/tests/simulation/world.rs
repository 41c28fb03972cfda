//! One history.

#![expect(clippy::indexing_slicing, clippy::expect_used, reason = "a wrong id is to stop the test")]

use crate::draw;
use crate::judge::{self, Told};
use crate::stage::Stage;
use director::plane::{Change, DataPlane as _, Destination, DestinationKey, Forwarding, Service, ServiceKey};
use director::{
    Cause, CheckerId, Config, FlushOnStop, RealServerId, Target, Verdict, VirtualServer, VirtualServerId,
    Weight, What,
};
use sim::chance::Chance;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

/// What happened in histories.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) checks: u64,
    pub(crate) quorum: u64,
    pub(crate) sorry: u64,
    pub(crate) ramps: u64,
    pub(crate) drains: u64,
    pub(crate) reloads: u64,
    pub(crate) crashes: u64,
    pub(crate) changes: u64,
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.checks += other.checks;
        self.quorum += other.quorum;
        self.sorry += other.sorry;
        self.ramps += other.ramps;
        self.drains += other.drains;
        self.reloads += other.reloads;
        self.crashes += other.crashes;
        self.changes += other.changes;
    }
}

/// A checker of a configuration, by what stays the same in a reload.
type Who = (String, String, String);

struct World {
    chance: Chance,
    stage: Stage,
    told: Told,
    /// The last verdict of each checker.
    verdicts: HashMap<Who, bool>,
    foreign: BTreeSet<(ServiceKey, Option<DestinationKey>)>,
    present: BTreeSet<std::net::IpAddr>,
    outcome: Outcome,
    history: String,
}

/// Lets the history of a seed happen.
pub(crate) fn history(seed: u64) -> Result<Outcome, String> {
    let mut chance = Chance::new(seed);
    let config = distinct(draw::config(&mut chance));
    let mut world = World {
        stage: Stage::new(config, director::plane::Table::new()),
        chance,
        told: Told::default(),
        verdicts: HashMap::new(),
        foreign: BTreeSet::new(),
        present: BTreeSet::new(),
        outcome: Outcome::default(),
        history: String::new(),
    };
    world.note(|world| format!("{:#?}", world.stage.director.config()));
    match world.play() {
        Ok(()) => Ok(world.outcome),
        Err(broken) => {
            let broken = format!("seed {seed}: {broken}");
            Err(format!("{broken}\n{}\n{broken} (EVENKEEL_SIM_SEED={seed} replays it)", world.history))
        }
    }
}

/// keepalived takes two virtual servers for one address and port; their lines cannot be told apart, so there are none here.
fn distinct(mut config: Config) -> Config {
    let mut seen = HashSet::new();
    config.virtual_servers.retain(|one| {
        matches!(one.target, Target::Group { .. }) || seen.insert((one.target.clone(), one.protocol))
    });
    config
}

impl World {
    fn note(&mut self, text: impl FnOnce(&Self) -> String) {
        let text = text(self);
        let _ = writeln!(self.history, "{:>8.3} {text}", self.stage.now.as_millis() as f64 / 1000.0);
    }

    fn play(&mut self) -> Result<(), String> {
        self.interfere();
        self.start()?;
        for _ in 0..40 + self.chance.below(80) {
            match self.chance.below(40) {
                0..=21 => self.check(),
                22..=27 => self.flap()?,
                28..=30 => self.wait()?,
                31 | 32 => self.presence(),
                33 => self.connections(),
                34 => {
                    self.interfere();
                    self.repair();
                }
                35 => self.same_again()?,
                36 if self.chance.odds(1, 3) => self.crash()?,
                _ => self.reload()?,
            }
            self.judge()?;
        }
        self.stage.stop();
        self.end()
    }

    fn start(&mut self) -> Result<(), String> {
        if self.stage.director.config().settings.flush {
            self.foreign.clear();
        }
        // What is configured is not foreign, whoever put it there: but of a server in alpha mode it stays until checked.
        self.stage.adopt();
        self.forget_adopted();
        self.judge()
    }

    /// Foreign entries that the director holds now are foreign no longer.
    fn forget_adopted(&mut self) {
        let table = self.stage.plane.current().clone();
        self.foreign.retain(|(key, destination)| {
            table.get(key).is_some_and(|entry| {
                destination.is_none_or(|destination| entry.destination(&destination).is_some())
            })
        });
    }

    fn who(&self, id: CheckerId) -> Option<Who> {
        let director = &self.stage.director;
        let server = director.server_of(id)?;
        let service = director.service_of(server)?;
        let config = &director.config().virtual_servers[service.index()];
        let at = id.0 - director.checkers(server).next()?.0;
        let within = server.0 - director.real_servers(service).next()?.0;
        let checker = &config.real_servers[within as usize].checkers[at as usize];
        let service = director.virtual_server(service)?.name.to_owned();
        let server = director.real_server(server)?.name.to_owned();
        Some((service, server, format!("{} {}", checker.kind, checker.identity)))
    }

    fn checkers(&self) -> Vec<CheckerId> {
        let director = &self.stage.director;
        (0..director.config().virtual_servers.len())
            .flat_map(|at| director.real_servers(VirtualServerId::at(at)))
            .flat_map(|server: RealServerId| director.checkers(server))
            .collect()
    }

    fn say(&mut self, id: CheckerId, up: bool) {
        let enabled = self.stage.director.checker(id).is_some_and(|one| one.enabled);
        let mut verdict = Verdict::new(up, if up { "ok" } else { "refused" }, "=> CHECK <=");
        if self.chance.odds(1, 8) {
            verdict.weight = Some(*self.chance.one(&[
                Weight::Configured,
                Weight::Exactly(0),
                Weight::Exactly(4),
                Weight::Plus(-2),
                Weight::Plus(100_000),
                Weight::Plus(i64::MAX),
                Weight::Plus(i64::MIN),
            ]));
        }
        let who = self.who(id);
        self.note(|_| format!("check {id:?} {who:?} up={up} {:?}", verdict.weight));
        self.stage.director.handle_check(self.stage.now, id, &verdict);
        self.stage.act();
        if let (true, Some(who)) = (enabled, who) {
            self.verdicts.insert(who, up);
        }
        self.outcome.checks += 1;
    }

    fn check(&mut self) {
        let all = self.checkers();
        if !all.is_empty() {
            let id = *self.chance.one(&all);
            let up = self.chance.odds(3, 5);
            self.say(id, up);
        }
    }

    /// One server goes up and down and up, with the table looked at each time.
    fn flap(&mut self) -> Result<(), String> {
        let all = self.checkers();
        if all.is_empty() {
            return Ok(());
        }
        let id = *self.chance.one(&all);
        for round in 0..2 + self.chance.below(5) {
            self.say(id, round % 2 == 0);
            self.judge()?;
            let pause = self.chance.time(Duration::ZERO, Duration::from_secs(3));
            self.stage.pass(pause);
            self.judge()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), String> {
        let time = self.chance.time(Duration::from_millis(1), Duration::from_secs(90));
        self.note(|_| format!("wait {time:?}"));
        self.stage.pass(time);
        self.judge()
    }

    fn presence(&mut self) {
        let address = crate::stage::address(&format!("10.0.{}.1", self.chance.one(&[0, 9])));
        let here = self.present.insert(address);
        if !here {
            self.present.remove(&address);
        }
        self.note(|_| format!("{address} here={here}"));
        self.stage.director.handle_presence(self.stage.now, address, here);
        self.stage.act();
    }

    /// Some of those that drain have connections still.
    fn connections(&mut self) {
        let mut counted = self.stage.plane.statistics().expect("a fake answers");
        for service in counted.values_mut() {
            for one in service.destinations.values_mut() {
                one.active = u32::from(self.chance.odds(1, 2));
            }
        }
        self.note(|_| "connections".to_owned());
        self.stage.director.handle_connections(self.stage.now, &counted);
        self.stage.act();
    }

    /// Another program changes the table.
    fn interfere(&mut self) {
        for _ in 0..1 + self.chance.below(3) {
            let keys: Vec<ServiceKey> =
                self.stage.director.config().virtual_servers.iter().flat_map(VirtualServer::keys).collect();
            let key = match self.chance.below(3) {
                0 => ServiceKey::Address {
                    protocol: director::plane::Protocol::Tcp,
                    address: crate::stage::address("10.77.0.1"),
                    port: 80,
                },
                _ if keys.is_empty() => continue,
                _ => *self.chance.one(&keys),
            };
            let server = crate::stage::address(&format!("10.1.0.{}", 1 + self.chance.below(9)));
            let destination = Destination::new(server, 80, Forwarding::Nat, 7);
            let change = match self.chance.below(4) {
                0 => Change::RemoveService(key),
                1 => Change::RemoveDestination(key, destination.key),
                2 => Change::AddService(Service::new(key, director::plane::Scheduler::RoundRobin)),
                _ => Change::AddDestination(key, destination),
            };
            let done = self.stage.plane.apply(&change).is_ok();
            self.note(|_| format!("another program: {change:?} {done}"));
            match change {
                _ if !done => {}
                Change::RemoveService(key) => self.foreign.retain(|(one, _)| *one != key),
                Change::RemoveDestination(key, one) => {
                    self.foreign.remove(&(key, Some(one)));
                }
                Change::AddService(service) => {
                    self.foreign.insert((service.key, None));
                }
                Change::AddDestination(key, one) => {
                    self.foreign.insert((key, Some(one.key)));
                }
                Change::EditService(_) | Change::EditDestination(..) => {}
            }
        }
    }

    fn repair(&mut self) {
        let table = self.stage.plane.table().expect("a fake answers");
        self.stage.director.handle_table(&table, &Cause::Start);
        self.stage.act();
    }

    /// The same configuration again touches nothing.
    fn same_again(&mut self) -> Result<(), String> {
        let config = self.stage.director.config().clone();
        let known = config
            .virtual_servers
            .iter()
            .flat_map(|one| &one.real_servers)
            .flat_map(|one| &one.checkers)
            .any(|one| one.known.is_some());
        self.note(|_| "reload, nothing changed".to_owned());
        self.stage.changes.clear();
        self.stage.reload(config);
        self.outcome.reloads += 1;
        self.forget_verdicts();
        if !self.stage.changes.is_empty() && !known {
            return Err(format!("a reload without a change changes {:?}", self.stage.changes));
        }
        Ok(())
    }

    fn reload(&mut self) -> Result<(), String> {
        let mut config = self.stage.director.config().clone();
        draw::edit(&mut self.chance, &mut config);
        let config = distinct(config);
        self.note(|_| format!("reload {config:#?}"));
        let before = judge::subjects(&self.stage);
        self.judge()?;
        self.stage.reload(config);
        self.collect();
        self.outcome.reloads += 1;
        let after = judge::subjects(&self.stage);
        // A virtual server of a group that is another one's now keeps the place in the group, and so the name.
        self.told.hear(&mut self.stage)?;
        self.told.retain(&before.intersection(&after).cloned().collect());
        self.forget_verdicts();
        self.forget_adopted();
        Ok(())
    }

    /// After a reload: of checkers that are gone, and of those that know their state from elsewhere.
    fn forget_verdicts(&mut self) {
        let all = self.checkers();
        let stay: HashSet<Who> = all.into_iter().filter_map(|id| self.who(id)).collect();
        self.verdicts.retain(|who, _| stay.contains(who) && !who.2.starts_with("FILE_CHECK"));
    }

    /// The process dies, the table stays, another process starts.
    fn crash(&mut self) -> Result<(), String> {
        self.note(|_| "crash".to_owned());
        let config = self.stage.director.config().clone();
        let table = self.stage.plane.current().clone();
        // What is left is configured, or was: what nobody knows any more is another's from now on.
        for (key, entry) in &table {
            self.foreign.insert((*key, None));
            self.foreign.extend(entry.destinations.iter().map(|one| (*key, Some(one.key))));
        }
        let now = self.stage.now;
        self.stage = Stage::new(config, table);
        self.stage.now = now;
        for address in &self.present {
            self.stage.director.handle_presence(now, *address, true);
        }
        self.told = Told::default();
        self.verdicts.clear();
        self.outcome.crashes += 1;
        self.start()
    }

    /// Counts what happened.
    fn collect(&mut self) {
        for event in &self.stage.events {
            match event.what {
                What::QuorumGained { .. } | What::QuorumLost { .. } => self.outcome.quorum += 1,
                What::SorryUp { .. } => self.outcome.sorry += 1,
                What::SlowStartDone { .. } => self.outcome.ramps += 1,
                What::Draining { .. } => self.outcome.drains += 1,
                _ => {}
            }
        }
        let lines: Vec<String> = self.stage.lines();
        for line in lines {
            self.note(|_| format!("    {line}"));
        }
        let changes = std::mem::take(&mut self.stage.changes);
        self.outcome.changes += changes.len() as u64;
        for change in changes {
            self.note(|_| format!("    {change:?}"));
        }
    }

    fn judge(&mut self) -> Result<(), String> {
        self.collect();
        if let Some(refused) = self.stage.refused.take() {
            return Err(format!("refused: {refused}"));
        }
        self.forget_adopted();
        judge::table(&self.stage, &self.foreign)?;
        judge::states(&self.stage)?;
        self.told.hear(&mut self.stage)?;
        for id in self.checkers() {
            let state = self.stage.director.checker(id).ok_or("no state of a checker")?;
            let last = self.who(id).and_then(|who| self.verdicts.get(&who));
            if last.is_some_and(|last| *last != state.up) {
                return Err(format!("{id:?} found {last:?} and is {state:?}"));
            }
        }
        Ok(())
    }

    /// Nothing of the director's is left.
    fn end(&mut self) -> Result<(), String> {
        self.collect();
        if let Some(refused) = self.stage.refused.take() {
            return Err(format!("refused: {refused}"));
        }
        let flushed = self.stage.director.config().settings.flush_on_stop == FlushOnStop::Everything;
        for (key, entry) in self.stage.plane.current() {
            if flushed || !self.foreign.contains(&(*key, None)) {
                return Err(format!("{key} is left at the end: {entry:?}"));
            }
        }
        Ok(())
    }
}
