//! The order of choice is HAProxy's: the same servers, weights and events are given to the `haproxy` program and to a
//! [`Balancer`], and every choice is compared.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail so")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "runs haproxy beside the core")]

mod lab;

use balance::{Algorithm, Balancer, Load, Member, Settings};
use lab::{Lab, Server};
use std::os::unix::net::UnixStream;

#[derive(Clone, Copy)]
struct Given {
    weight: u32,
    backup: bool,
    maxconn: u32,
    disabled: bool,
    id: u32,
}

fn weights(weights: &[u32]) -> Vec<Given> {
    weights
        .iter()
        .map(|&weight| Given { weight, backup: false, maxconn: 0, disabled: false, id: 0 })
        .collect()
}

fn backups(mut given: Vec<Given>, which: &[usize]) -> Vec<Given> {
    which.iter().for_each(|&i| given[i].backup = true);
    given
}

fn limited(mut given: Vec<Given>, maxconn: &[u32]) -> Vec<Given> {
    given.iter_mut().zip(maxconn).for_each(|(given, &maxconn)| given.maxconn = maxconn);
    given
}

fn disabled(mut given: Vec<Given>, which: &[usize]) -> Vec<Given> {
    which.iter().for_each(|&i| given[i].disabled = true);
    given
}

fn line(given: &Given) -> String {
    let mut line = format!("weight {}", given.weight);
    if given.backup {
        line += " backup";
    }
    if given.maxconn != 0 {
        line += &format!(" maxconn {}", given.maxconn);
    }
    if given.disabled {
        line += " disabled";
    }
    if given.id != 0 {
        line += &format!(" id {}", given.id);
    }
    line
}

struct Held {
    served: Vec<u32>,
    maxconn: Vec<u32>,
}

impl Load for Held {
    fn served(&self, server: usize) -> u32 {
        self.served[server]
    }

    fn full(&self, server: usize) -> bool {
        self.maxconn[server] != 0 && self.served[server] >= self.maxconn[server]
    }
}

/// Both sides of the comparison, kept in step.
struct Pair {
    lab: Lab,
    balancer: Balancer,
    load: Held,
    open: Vec<(usize, UnixStream)>,
    log: Vec<String>,
}

impl Pair {
    fn new(algorithm: Algorithm, lines: &str, given: &[Given]) -> Self {
        let keyword = match algorithm {
            Algorithm::RoundRobin => "roundrobin",
            Algorithm::StaticRoundRobin => "static-rr",
            Algorithm::LeastConn => "leastconn",
            Algorithm::First => "first",
            Algorithm::Random { .. } => unreachable!("random has an order of its own"),
        };
        let servers: Vec<Server> =
            given.iter().map(|given| Server { options: line(given), listens: true }).collect();
        let lab = Lab::start(&format!(" balance {keyword}\n{lines}"), &servers);
        let members: Vec<Member> = given
            .iter()
            .enumerate()
            .map(|(i, given)| Member {
                id: if given.id == 0 { i as u32 + 1 } else { given.id },
                weight: given.weight,
                backup: given.backup,
                usable: !given.disabled,
            })
            .collect();
        let settings = Settings { all_backups: lines.contains("allbackups"), seed: 0 };
        let balancer = Balancer::new(algorithm, &members, settings);
        let load =
            Held { served: vec![0; given.len()], maxconn: given.iter().map(|given| given.maxconn).collect() };
        Self { lab, balancer, load, open: Vec::new(), log: Vec::new() }
    }

    fn pick(&mut self) -> Option<(usize, UnixStream)> {
        // Without a server, or with all of them full, haproxy would close or wait: leave that choice out on both sides.
        let ours = self.balancer.clone().pick(&self.load, None).filter(|&ours| !self.load.full(ours))?;
        assert_eq!(self.balancer.pick(&self.load, None), Some(ours));
        let (theirs, stream) = self.lab.choose();
        self.log.push(format!("pick {theirs}"));
        let tail = &self.log[self.log.len().saturating_sub(40)..];
        assert_eq!(ours, theirs, "choice {} after {}", self.log.len(), tail.join(", "));
        self.load.served[ours] += 1;
        self.balancer.served_changed(ours, &self.load);
        Some((ours, stream))
    }

    fn close(&mut self, (server, stream): (usize, UnixStream)) {
        drop(stream);
        self.load.served[server] -= 1;
        self.balancer.served_changed(server, &self.load);
        self.lab.settle(&self.load.served);
    }

    fn once(&mut self) {
        if let Some(chosen) = self.pick() {
            self.close(chosen);
        }
    }

    fn hold(&mut self) {
        if let Some(chosen) = self.pick() {
            self.open.push(chosen);
        }
    }

    fn tell(&mut self, command: &str) {
        let answer = self.lab.tell(command);
        assert_eq!(answer.trim(), "", "{command}");
        self.log.push(command.to_owned());
    }

    fn weight(&mut self, server: usize, weight: u32) {
        if self.balancer.set_weight(server, weight).is_ok() {
            self.tell(&format!("set weight lb/s{server} {weight}"));
        }
    }

    fn usable(&mut self, server: usize, usable: bool) {
        self.balancer.set_usable(server, usable);
        let state = if usable { "ready" } else { "maint" };
        self.tell(&format!("set server lb/s{server} state {state}"));
    }

    fn check_counts(&self) {
        let stat = self.lab.tell("show stat lb 2 -1");
        let line = stat.lines().find(|line| line.starts_with("lb,BACKEND")).unwrap();
        let column = |n: usize| line.split(',').nth(n).unwrap().parse::<u32>().unwrap();
        assert_eq!(column(19), self.balancer.active(), "active servers in {line}");
        assert_eq!(column(20), self.balancer.backup(), "backups in {line}");
        assert_eq!(column(18), self.balancer.total_weight(), "weight in {line}");
    }
}

/// 500 choices and nothing else.
fn undisturbed(algorithm: Algorithm, lines: &str, given: &[Given]) {
    let mut pair = Pair::new(algorithm, lines, given);
    for _ in 0..500 {
        pair.once();
    }
    pair.check_counts();
}

/// With `static-rr` haproxy 2.6 lays out its round for a backup that works alone over all backups, so that another one
/// than the first may be chosen unless its weight is 1 in the end. The manual says the first, and so do we.
fn sole_backup_is_well_defined(algorithm: Algorithm, lines: &str, given: &[Given]) -> Vec<Given> {
    let mut given = given.to_vec();
    if algorithm == Algorithm::StaticRoundRobin && !lines.contains("allbackups") {
        given.iter_mut().filter(|given| given.backup).for_each(|given| given.weight = 1);
    }
    given
}

/// Choices between which weights change, servers leave and return, and connections are held and released.
fn eventful(algorithm: Algorithm, lines: &str, given: &[Given], seed: u64) {
    let given = sole_backup_is_well_defined(algorithm, lines, given);
    let mut pair = Pair::new(algorithm, lines, &given);
    let mut state = seed;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut up: Vec<bool> = given.iter().map(|given| !given.disabled).collect();
    for _ in 0..700 {
        let server = random(given.len());
        match random(100) {
            0..=3 => {
                up[server] = !up[server];
                pair.usable(server, up[server]);
            }
            4..=7 => {
                let weight = [0, 1, 2, 3, 7, 100, 256, given[server].weight][random(8)];
                pair.weight(server, weight);
            }
            8..=17 if pair.open.len() < 12 => pair.hold(),
            18..=27 if !pair.open.is_empty() => {
                let at = random(pair.open.len());
                let chosen = pair.open.swap_remove(at);
                pair.close(chosen);
            }
            28 => pair.check_counts(),
            _ => pair.once(),
        }
    }
}

const ALL: [Algorithm; 4] =
    [Algorithm::RoundRobin, Algorithm::StaticRoundRobin, Algorithm::LeastConn, Algorithm::First];

fn sets() -> Vec<Vec<Given>> {
    vec![
        weights(&[1]),
        weights(&[1, 1, 1]),
        weights(&[1, 2, 3]),
        weights(&[10, 100, 256]),
        weights(&[0, 5, 3]),
        weights(&[7, 7, 1, 256, 33, 2, 2]),
        weights(&[89, 49, 39, 35, 55]),
        backups(weights(&[2, 1, 1, 3]), &[1, 3]),
    ]
}

#[test]
fn undisturbed_order_is_haproxys() {
    for algorithm in ALL {
        for given in sets() {
            undisturbed(algorithm, "", &given);
        }
    }
}

#[test]
fn roundrobin_through_changes() {
    for (seed, given) in sets().into_iter().enumerate() {
        eventful(Algorithm::RoundRobin, "", &given, seed as u64);
        eventful(Algorithm::RoundRobin, " option allbackups", &given, 100 + seed as u64);
    }
}

#[test]
fn static_rr_through_changes() {
    for (seed, given) in sets().into_iter().enumerate() {
        eventful(Algorithm::StaticRoundRobin, "", &given, seed as u64);
        eventful(Algorithm::StaticRoundRobin, " option allbackups", &given, 100 + seed as u64);
    }
}

#[test]
fn leastconn_through_changes() {
    for (seed, given) in sets().into_iter().enumerate() {
        eventful(Algorithm::LeastConn, "", &given, seed as u64);
        eventful(Algorithm::LeastConn, " option allbackups", &given, 100 + seed as u64);
    }
}

#[test]
fn first_through_changes() {
    let mut ordered = limited(weights(&[1, 1, 1, 1]), &[2, 1, 2, 3]);
    for (server, id) in [7, 3, 9, 1].into_iter().enumerate() {
        ordered[server].id = id;
    }
    eventful(Algorithm::First, "", &ordered, 1);
    for (seed, given) in sets().into_iter().enumerate() {
        eventful(Algorithm::First, "", &given, seed as u64);
    }
}

#[test]
fn full_servers_are_passed_over() {
    for algorithm in ALL {
        for seed in 0..3 {
            let given = limited(weights(&[3, 1, 2, 7]), &[1, 2, 3, 1]);
            eventful(algorithm, "", &given, 200 + seed);
            let given = backups(limited(weights(&[10, 3, 2, 2]), &[1, 2, 1, 1]), &[2, 3]);
            eventful(algorithm, " option allbackups", &given, 300 + seed);
        }
    }
}

#[test]
fn servers_that_start_in_maintenance() {
    for algorithm in ALL {
        for seed in 0..2 {
            eventful(algorithm, "", &disabled(weights(&[4, 1, 2, 9]), &[0, 3]), 400 + seed);
            eventful(
                algorithm,
                "",
                &disabled(backups(weights(&[4, 1, 2, 9]), &[2, 3]), &[0, 1, 2]),
                500 + seed,
            );
        }
    }
}

/// A server that refuses: the request goes to another one.
#[test]
fn redispatch_takes_another_server() {
    for algorithm in ALL {
        let servers: Vec<Server> = [3, 1, 2]
            .iter()
            .enumerate()
            .map(|(i, weight)| Server { options: format!("weight {weight}"), listens: i != 1 })
            .collect();
        let keyword = match algorithm {
            Algorithm::RoundRobin => "roundrobin",
            Algorithm::StaticRoundRobin => "static-rr",
            Algorithm::LeastConn => "leastconn",
            _ => continue, // `first` would never get to the second server
        };
        let lab = Lab::start(&format!(" balance {keyword}\n option redispatch 1\n retries 3"), &servers);
        let members: Vec<Member> =
            [3, 1, 2].map(|weight| Member { weight, ..Member::default() }).into_iter().collect();
        let mut balancer = Balancer::new(algorithm, &members, Settings::default());
        let mut load = Held { served: vec![0; 3], maxconn: vec![0; 3] };
        let mut refused = 0;
        for choice in 0..120 {
            let mut ours = balancer.pick(&load, None).unwrap();
            if ours == 1 {
                refused += 1;
                load.served[1] = 1;
                balancer.served_changed(1, &load);
                load.served[1] = 0;
                balancer.served_changed(1, &load);
                ours = balancer.pick(&load, Some(1)).unwrap();
            }
            let (theirs, stream) = lab.choose();
            assert_eq!(ours, theirs, "{keyword}, choice {choice}, after {refused} refusals");
            load.served[ours] = 1;
            balancer.served_changed(ours, &load);
            drop(stream);
            load.served[ours] = 0;
            balancer.served_changed(ours, &load);
            lab.settle(&load.served);
        }
        assert!(refused > 10, "the refusing server was hardly chosen: {refused}");
    }
}
