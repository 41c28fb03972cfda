//! Two routers on a segment, and what is done to them.

use super::node::{Node, Program, until};
use super::transcript::Transcript;
use std::thread;
use testkit::lab::{Host, Lab};

/// The node with the higher priority, 10.20.0.1.
pub(crate) const A: usize = 0;
/// The other, 10.20.0.2.
pub(crate) const B: usize = 1;

/// What is played twice.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// For both; lines that begin with `@a` and `@b` are for one.
    pub(crate) config: String,
    /// On exactly one node.
    pub(crate) vips: &'static [&'static str],
    pub(crate) play: fn(&mut Pair),
}

/// Two routers. (The fields go in order: first the programs end, then their hosts.)
pub(crate) struct Pair {
    pub(crate) nodes: [Node; 2],
    pub(crate) lab: Lab,
    pub(crate) config: String,
    vips: &'static [&'static str],
}

/// A configuration with one instance.
pub(crate) fn config(global: &str, instance: &str) -> String {
    format!(
        "global_defs {{\n  vrrp_notify_fifo {{DIR}}/fifo\n  script_user root\n{global}\n}}\n\
         vrrp_instance VI_1 {{\n  interface e0\n  virtual_router_id 51\n  @a priority 150\n  @b priority 100\n{instance}\n}}\n"
    )
}

/// VRRP version 3 with short intervals.
pub(crate) fn fast(instance: &str) -> String {
    config("vrrp_version 3", &format!("advert_int 0.2\n{instance}"))
}

/// The address of most cases.
pub(crate) const VIP: &str = "10.20.0.100";
/// And its line.
pub(crate) const ADDRESS: &str = "virtual_ipaddress {\n 10.20.0.100/24\n}";

/// A difference must stand in the book.
pub(crate) fn explained(name: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/differences-keepalived.md");
    let text = std::fs::read_to_string(path).unwrap();
    let heading = format!("### {name}");
    assert!(
        text.lines().any(|line| line == heading),
        "docs/differences-keepalived.md does not speak of {name}"
    );
}

impl Case {
    /// Ours as the first and as the second node; the same must be said in the same place.
    pub(crate) fn run(&self) {
        self.run_except(&[]);
    }

    /// The same, without the lines of differences: their names in docs/differences-keepalived.md, and words of the lines.
    pub(crate) fn run_except(&self, differences: &[(&str, &str)]) {
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| self.play([Program::CalledKeepalived, Program::Keepalived]));
            let second = self.play([Program::Keepalived, Program::Evenkeel]);
            (first.join(), second)
        });
        let first = first.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let pairs = [("a", &first[A], &second[A]), ("b", &second[B], &first[B])];
        for (place, ours, theirs) in pairs {
            Transcript::compare(self.name, place, ours, theirs, differences);
        }
        for (name, words) in differences {
            explained(name);
            let there = pairs.iter().any(|(_, ours, theirs)| ours.differs(theirs, words));
            assert!(there, "{}: the difference {name} is gone", self.name);
        }
    }

    fn play(&self, programs: [Program; 2]) -> [Transcript; 2] {
        let mut pair = Pair::new(&self.config, self.vips, programs);
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.play)(&mut pair)));
        if let Err(panic) = played {
            for node in &pair.nodes {
                eprintln!("== {} with {programs:?}: {:?}\n{}", self.name, node.program, node.log());
            }
            std::panic::resume_unwind(panic);
        }
        [Transcript::of(&pair.nodes[A]), Transcript::of(&pair.nodes[B])]
    }
}

impl Pair {
    fn new(config: &str, vips: &'static [&'static str], programs: [Program; 2]) -> Self {
        let (lab, hosts) = Lab::with_segment(&["a", "b"]);
        let node = |place: usize, name| Node::new(&lab, &hosts[place], name, programs[place]);
        let nodes = [node(A, "a"), node(B, "b")];
        for node in &nodes {
            node.configure(config);
        }
        Self { nodes, lab, config: config.to_owned(), vips }
    }

    pub(crate) fn start(&mut self, place: usize) {
        self.nodes[place].start(&self.lab);
    }

    pub(crate) fn stop(&mut self, place: usize) {
        self.nodes[place].stop();
    }

    /// Reads the configuration again after the replacement of some words.
    pub(crate) fn change(&mut self, place: usize, from: &str, to: &str) {
        assert!(self.config.contains(from), "{from:?} is not in the configuration");
        self.config = self.config.replace(from, to);
        self.nodes[place].reload(&self.config);
    }

    /// Its packets go nowhere, and it hears nothing; it does not notice.
    pub(crate) fn isolate(&self, place: usize) {
        self.lab.isolate("lan", place + 1);
    }

    pub(crate) fn rejoin(&self, place: usize) {
        self.lab.rejoin("lan", place + 1);
    }

    fn has_vips(&self, host: &Host) -> usize {
        self.vips.iter().filter(|vip| host.has_address(vip)).count()
    }

    /// Waits until one has all addresses, whatever the other has.
    pub(crate) fn holds(&self, place: usize) {
        let node = &self.nodes[place];
        let what = || format!("{:?} holds the addresses", node.program);
        until(what, || node.is_in("VI_1", "MASTER") && self.has_vips(&node.host) == self.vips.len());
    }

    /// Waits until one node is Master and has all addresses, and the other is not and has none.
    pub(crate) fn master_is(&self, place: usize) {
        self.holds(place);
        let other = &self.nodes[1 - place];
        let what = || format!("{:?} gives up the addresses", other.program);
        until(what, || !other.is_in("VI_1", "MASTER") || self.has_vips(&other.host) == 0);
        assert!(self.nodes[place].is_in("VI_1", "MASTER"), "the master is not the master any more");
        until(what, || self.has_vips(&other.host) == 0);
    }

    /// Neither is Master.
    pub(crate) fn nobody(&self) {
        for node in &self.nodes {
            until(|| format!("{:?} gives up the addresses", node.program), || self.has_vips(&node.host) == 0);
        }
    }

    /// The states that the first instance entered on a node, from its start on: one more would be an oscillation.
    pub(crate) fn entered(&self, place: usize, states: &[&str]) {
        let node = &self.nodes[place];
        assert_eq!(node.states("VI_1"), states, "{:?}: {}", node.program, node.log());
    }
}

/// Both start, the master stops and returns, goes out of sight and returns.
pub(crate) fn stop_and_part(pair: &mut Pair) {
    pair.start(A);
    pair.master_is(A);
    pair.start(B);
    pair.nodes[B].logs("Entering BACKUP STATE", 1);
    pair.stop(A);
    pair.master_is(B);
    pair.start(A);
    pair.master_is(A);
    pair.isolate(A);
    pair.holds(B);
    pair.rejoin(A);
    pair.master_is(A);
    pair.stop(B);
    pair.holds(A);
    pair.stop(A);
    pair.nobody();
    pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
    pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER", "BACKUP"]);
}

/// The same without the partition, for modes that take long.
pub(crate) fn stop_and_return(pair: &mut Pair) {
    pair.start(A);
    pair.master_is(A);
    pair.start(B);
    pair.nodes[B].logs("Entering BACKUP STATE", 1);
    pair.stop(A);
    pair.master_is(B);
    pair.start(A);
    pair.master_is(A);
    pair.stop(A);
    pair.master_is(B);
    pair.stop(B);
    pair.nobody();
    pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
    pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
}
