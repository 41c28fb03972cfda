//! Time, hosts, segments, and the queue of what happens next.

use crate::chance::Chance;
use crate::host::{Clock, Host, Packet};
use crate::segment::{OBSERVER, Segment};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;
use vrrp::{
    Action, AddressChange, Advert, Cause, Config, Datagram, LinkChange, LinkId, Notification, Received,
    Router, RouterId, State, Subject, TrackId, TrackState,
};

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    /// A packet arrives at a host.
    Arrival { host: usize, link: LinkId, packet: Packet },
    /// A host's timer runs out, unless another one was set since.
    Wake { host: usize, generation: u64 },
    /// The kernel tells a process of an address.
    Address { host: usize, change: AddressChange },
    /// A neighbour hears where an address is.
    Heard { segment: usize, address: IpAddr, host: usize },
}

#[derive(Debug)]
struct Scheduled {
    at: Duration,
    number: u64,
    what: Happening,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A virtual router of a host changed its state.
#[derive(Clone, Debug)]
pub struct Change {
    /// When, in true time.
    pub at: Duration,
    /// The host.
    pub host: usize,
    /// The virtual router.
    pub router: usize,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// A network and its history.
#[derive(Debug)]
pub struct World {
    /// The true time.
    pub now: Duration,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The segments.
    pub segments: Vec<Segment>,
    /// Random choices.
    pub chance: Chance,
    /// Changes of state, in order.
    pub changes: Vec<Change>,
    /// For each virtual router that has two Masters at the moment: since when.
    pub doubled: BTreeMap<usize, Duration>,
    /// The longest time that a virtual router has had two Masters since [`World::forget`].
    pub longest_double: Duration,
    /// The invariant that was broken, if one was.
    pub broken: Option<String>,
    queue: BinaryHeap<Reverse<Scheduled>>,
    number: u64,
    trace: VecDeque<String>,
}

/// Lines of history that are kept for a failure's report.
const TRACE: usize = 400;
/// How late a process may notice its timer.
const LATENESS: Duration = Duration::from_micros(300);
/// How long the kernel needs to tell of an address.
const ECHO: Duration = Duration::from_micros(40);

impl World {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            hosts: Vec::new(),
            segments: Vec::new(),
            chance: Chance::new(seed),
            changes: Vec::new(),
            doubled: BTreeMap::new(),
            longest_double: Duration::ZERO,
            broken: None,
            queue: BinaryHeap::new(),
            number: 0,
            trace: VecDeque::new(),
        }
    }

    /// Adds a host with an interface on each of `links`' segments; returns its number.
    pub fn add_host(&mut self, config: Config, clock: Clock, links: Vec<usize>) -> usize {
        self.hosts.push(Host::new(config, clock, links));
        self.hosts.len() - 1
    }

    /// Writes a line into the history.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>12.6} {}", self.now.as_secs_f64(), line()));
    }

    /// The last lines of the history.
    pub fn history(&self) -> String {
        self.trace.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Begins to measure doubled Masters anew.
    pub fn forget(&mut self) {
        self.longest_double = Duration::ZERO;
        let now = self.now;
        self.doubled.values_mut().for_each(|since| *since = now);
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.broken.is_none() {
            match self.queue.peek() {
                Some(Reverse(next)) if next.at <= end => {}
                _ => break,
            }
            let Some(Reverse(next)) = self.queue.pop() else { break };
            self.now = next.at;
            self.happen(next.what);
        }
        self.now = end;
    }

    fn schedule(&mut self, after: Duration, what: Happening) {
        self.number += 1;
        self.queue.push(Reverse(Scheduled { at: self.now + after, number: self.number, what }));
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrival { host, link, packet } => {
                let here = &mut self.hosts[host];
                if here.process.is_none() || !here.plugged[link.index()] {
                    return;
                }
                here.keep(link, packet);
                if !here.paused {
                    self.turn(host);
                }
            }
            Happening::Wake { host, generation } => {
                if self.hosts[host].generation == generation && !self.hosts[host].paused {
                    self.turn(host);
                }
            }
            Happening::Address { host, change } if self.hosts[host].paused => {
                self.schedule(Duration::from_millis(10), Happening::Address { host, change });
            }
            Happening::Address { host, change } => {
                self.hosts[host].robbed.remove(&(change.link, change.address));
                self.with(host, |process, now| process.handle_address(now, change));
            }
            Happening::Heard { segment, address, host } => {
                self.segments[segment].cache.insert(address, host);
            }
        }
    }

    /// One turn of a process's loop: packets first, then timers.
    fn turn(&mut self, host: usize) {
        let inbox = std::mem::take(&mut self.hosts[host].inbox);
        self.with(host, |process, now| {
            for (link, packet) in &inbox {
                let datagram = match (packet.source, packet.destination) {
                    (IpAddr::V6(source), IpAddr::V6(destination)) => Datagram::V6 {
                        source,
                        destination,
                        hop_limit: Some(packet.ttl),
                        payload: &packet.bytes,
                    },
                    _ => Datagram::V4(&packet.bytes),
                };
                process.handle_packet(now, &Received { link: Some(*link), datagram });
            }
            if process.poll_timeout().is_some_and(|due| due <= now) {
                process.handle_timeout(now);
            }
        });
    }

    /// Gives a process something to do, and does what it asks for.
    fn with(&mut self, host: usize, work: impl FnOnce(&mut Router, ek_time::Instant)) {
        let local = self.hosts[host].clock.local(self.now);
        let Some(mut process) = self.hosts[host].process.take() else { return };
        work(&mut process, local);
        while let Some(action) = process.poll_action() {
            self.act(host, &mut process, action);
        }
        let due = process.poll_timeout();
        self.hosts[host].process = Some(process);
        self.hosts[host].generation += 1;
        if let Some(due) = due {
            let late = self.chance.time(Duration::ZERO, LATENESS);
            let after = self.hosts[host].clock.truth(due).saturating_sub(self.now) + late;
            let generation = self.hosts[host].generation;
            self.schedule(after, Happening::Wake { host, generation });
        }
        self.sweep(host);
    }

    fn act(&mut self, host: usize, process: &mut Router, action: Action) {
        match action {
            Action::Send(advert) => {
                self.transmit(host, &advert);
                process.recycle(advert.bytes);
            }
            Action::Install(router) => {
                if !self.hosts[host].installed.insert(router) {
                    self.breach(format!("host {host} installs router {} twice", router.0));
                }
                for (link, address) in self.hosts[host].addresses_of(router) {
                    self.place(host, link, address);
                }
            }
            Action::Withdraw(router) => {
                if !self.hosts[host].installed.remove(&router) {
                    self.breach(format!(
                        "host {host} withdraws router {}, which was not installed",
                        router.0
                    ));
                }
                for (link, address) in self.hosts[host].addresses_of(router) {
                    self.displace(host, link, address);
                }
            }
            Action::Clear(router) => {
                for (link, address) in self.hosts[host].addresses_of(router) {
                    self.displace(host, link, address);
                }
            }
            Action::Restore { router, address } => {
                if let Some((link, address)) = self.hosts[host].addresses_of(router).get(address).copied() {
                    self.note(|| format!("host {host} puts {address} back"));
                    self.place(host, link, address);
                }
            }
            Action::Adjust(router) => {
                for (link, address) in self.hosts[host].addresses_of(router) {
                    self.place(host, link, address);
                }
            }
            Action::Announce(said) => {
                let segment = self.hosts[host].links[said.link.index()];
                if self.hosts[host].plugged[said.link.index()] {
                    for after in self.segments[segment].clone().passage(&mut self.chance, host, OBSERVER) {
                        self.schedule(after, Happening::Heard { segment, address: said.address, host });
                    }
                }
            }
            Action::Notify(Notification::State {
                subject: Subject::Router(router), from, to, cause, ..
            }) => {
                self.note(|| format!("host {host} router {}: {from} -> {to}: {cause}", router.0));
                self.changes.push(Change { at: self.now, host, router: router.index(), from, to, cause });
            }
            Action::Notify(_) => {}
            Action::Log(event) => self.note(|| format!("host {host} log: {event}")),
            Action::Reloaded => {
                if let Some(config) = self.hosts[host].next_config.take() {
                    self.hosts[host].config = config;
                }
            }
        }
    }

    fn place(&mut self, host: usize, link: LinkId, address: IpAddr) {
        if self.hosts[host].addresses.insert((link, address)) {
            self.schedule(
                ECHO,
                Happening::Address { host, change: AddressChange { link, address, present: true } },
            );
        }
    }

    fn displace(&mut self, host: usize, link: LinkId, address: IpAddr) {
        if self.hosts[host].addresses.remove(&(link, address)) {
            self.schedule(
                ECHO,
                Happening::Address { host, change: AddressChange { link, address, present: false } },
            );
        }
    }

    /// Puts an advert on the segment of its interface.
    pub fn transmit(&mut self, host: usize, advert: &Advert) {
        let Some(link) = advert.link else { return };
        let segment = self.hosts[host].links[link.index()];
        if !self.hosts[host].plugged[link.index()] {
            return;
        }
        let packet = Packet::from(advert);
        for to in (0..self.hosts.len()).filter(|to| *to != host) {
            let Some(there) = self.hosts[to].links.iter().position(|on| *on == segment) else { continue };
            let link = &self.hosts[to].config.links[there];
            let own = [link.source_v4.map(IpAddr::V4), link.source_v6.map(IpAddr::V6)];
            let multicast = packet.destination.is_multicast();
            if !multicast && !own.contains(&Some(packet.destination)) {
                continue;
            }
            for after in self.segments[segment].clone().passage(&mut self.chance, host, to) {
                let what =
                    Happening::Arrival { host: to, link: LinkId(there as u32), packet: packet.clone() };
                self.schedule(after, what);
            }
        }
    }

    // What is done to hosts.

    /// Starts a host's process.
    pub fn start(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        self.note(|| format!("host {host} starts"));
        let seed = self.chance.bits();
        let here = &mut self.hosts[host];
        here.installed.clear();
        here.paused = false;
        for (link, plugged) in here.config.links.iter_mut().zip(&here.plugged) {
            link.up = *plugged;
        }
        let process = Router::new(here.clock.local(self.now), seed, here.config.clone());
        here.process = Some(process);
        self.with(host, |_, _| {});
    }

    /// The host loses its power: nothing is said, and nothing of it stays.
    pub fn die(&mut self, host: usize) {
        self.note(|| format!("host {host} dies"));
        let here = &mut self.hosts[host];
        here.process = None;
        here.paused = false;
        here.inbox.clear();
        here.installed.clear();
        here.addresses.clear();
        self.count_masters();
    }

    /// The process is killed; its parent resigns for it and takes the addresses away.
    pub fn kill(&mut self, host: usize) {
        self.note(|| format!("host {host}: the process is killed"));
        let Some(process) = self.hosts[host].process.take() else { return };
        for router in 0..self.hosts[host].config.routers.len() {
            for advert in process.resignation(RouterId(router as u32)) {
                self.transmit(host, &advert);
            }
        }
        drop(process);
        self.die(host);
    }

    /// The process stops in good order.
    pub fn stop(&mut self, host: usize) {
        self.note(|| format!("host {host} stops"));
        let local = self.hosts[host].clock.local(self.now);
        let Some(mut process) = self.hosts[host].process.take() else { return };
        process.handle_shutdown(local);
        while let Some(action) = process.poll_action() {
            self.act(host, &mut process, action);
        }
        if !self.hosts[host].addresses.is_empty() {
            self.breach(format!("host {host} stopped and left addresses behind"));
        }
        self.die(host);
    }

    /// The host does not run until [`World::resume`].
    pub fn pause(&mut self, host: usize) {
        self.note(|| format!("host {host} pauses"));
        self.hosts[host].paused = true;
    }

    /// A paused host runs again.
    pub fn resume(&mut self, host: usize) {
        if std::mem::take(&mut self.hosts[host].paused) {
            self.note(|| format!("host {host} resumes"));
            self.turn(host);
        }
    }

    /// A cable is pulled or plugged in.
    pub fn plug(&mut self, host: usize, link: usize, plugged: bool) {
        if self.hosts[host].plugged[link] == plugged {
            return;
        }
        self.note(|| format!("host {host} interface {link} {}", if plugged { "up" } else { "down" }));
        self.hosts[host].plugged[link] = plugged;
        let change = if plugged { LinkChange::Up } else { LinkChange::Down };
        self.with(host, |process, now| process.handle_link(now, LinkId(link as u32), change));
    }

    /// Something tracked reports.
    pub fn track(&mut self, host: usize, track: usize, state: TrackState) {
        self.note(|| format!("host {host} track {track} {state:?}"));
        if let Some(track) = self.hosts[host].config.tracks.get_mut(track) {
            track.state = state;
        }
        self.with(host, |process, now| process.handle_track(now, TrackId(track as u32), state));
    }

    /// The process reads another configuration.
    pub fn reload(&mut self, host: usize, config: Config) {
        self.note(|| format!("host {host} reloads"));
        if self.hosts[host].process.is_none() {
            self.hosts[host].config = config;
            return;
        }
        self.hosts[host].next_config = Some(config.clone());
        self.with(host, |process, now| process.handle_reload(now, config));
    }

    /// Another program takes an address away.
    pub fn rob(&mut self, host: usize, link: LinkId, address: IpAddr) {
        if self.hosts[host].addresses.contains(&(link, address)) {
            self.note(|| format!("host {host} is robbed of {address}"));
            self.hosts[host].robbed.insert((link, address));
            self.displace(host, link, address);
        }
    }

    // What must always hold.

    fn breach(&mut self, what: String) {
        self.note(|| format!("BROKEN: {what}"));
        self.broken.get_or_insert(what);
    }

    /// Looks at a host after a step.
    fn sweep(&mut self, host: usize) {
        self.count_masters();
        let here = &self.hosts[host];
        let Some(process) = &here.process else { return };
        let mut wanted = BTreeSet::new();
        let mut wrong = None;
        for (number, router) in here.config.routers.iter().enumerate() {
            let id = RouterId(number as u32);
            let master = here.state(number) == Some(State::Master);
            if master {
                wanted.extend(router.addresses.iter().map(|a| (a.link, a.address)));
            }
            if master != here.installed.contains(&id) {
                wrong = Some(format!(
                    "host {host} router {number}: Master {master}, but installed is not the same"
                ));
            }
        }
        for group in &here.config.groups {
            let mut states = group.members.iter().map(|member| here.state(member.index()));
            let first = states.next().flatten();
            if states.any(|state| (state == Some(State::Master)) != (first == Some(State::Master))) {
                wrong = Some(format!("host {host}: the members of {} are not Master together", group.name));
            }
        }
        let there: BTreeSet<_> = here.addresses.union(&here.robbed).copied().collect();
        if wrong.is_none() && there != wanted {
            wrong = Some(format!("host {host} has the addresses {there:?}, it should have {wanted:?}"));
        }
        let _ = process;
        if let Some(wrong) = wrong {
            self.breach(wrong);
        }
    }

    /// Hosts on which a virtual router is Master.
    pub fn masters(&self, router: usize) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.hosts[*host].state(router) == Some(State::Master)).collect()
    }

    fn count_masters(&mut self) {
        let routers = self.hosts.iter().map(|host| host.config.routers.len()).max().unwrap_or(0);
        for router in 0..routers {
            let running = self.masters(router).into_iter().filter(|host| !self.hosts[*host].paused).count();
            if running > 1 {
                self.doubled.entry(router).or_insert(self.now);
            } else if let Some(since) = self.doubled.remove(&router) {
                self.longest_double = self.longest_double.max(self.now - since);
            }
        }
    }
}
