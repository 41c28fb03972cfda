//! The face of the crate: membership, weights, and which algorithm answers.

use crate::fewest::Fewest;
use crate::firsts::Firsts;
use crate::group::{Change, Group, Roster, Usable};
use crate::random::Random;
use crate::smooth::Smooth;
use crate::spread::Spread;

/// `balance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `roundrobin`: smooth weighted round robin; weights may change at run time.
    RoundRobin,
    /// `static-rr`: a precomputed round; at run time a weight can only become zero or its initial value.
    StaticRoundRobin,
    /// `leastconn`: fewest connections relative to weight.
    LeastConn,
    /// `first`: the first server, by id, that is not full.
    First,
    /// `random(draws)`: that many random draws by weight, the least loaded of them wins.
    Random {
        /// How many servers are drawn; zero counts as one.
        draws: u32,
    },
}

/// One server as the balancer is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Numeric id; only `first` looks at it. Equal ids are taken in the order of the slice.
    pub id: u32,
    /// `weight`, 0–256; zero takes no new work.
    pub weight: u32,
    /// `backup`: used only when no active server is usable.
    pub backup: bool,
    /// Whether it starts usable; a server that starts in maintenance is not.
    pub usable: bool,
}

impl Default for Member {
    /// An active, usable server of weight 1.
    fn default() -> Self {
        Self { id: 0, weight: 1, backup: false, usable: true }
    }
}

/// What holds for the whole backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `option allbackups`: all backups share the work instead of the first usable one doing it alone.
    pub all_backups: bool,
    /// Where `random` starts from.
    pub seed: u64,
}

/// How loaded servers are at the moment of a pick.
pub trait Load {
    /// Connections the server is serving, and requests waiting in its own queue.
    fn served(&self, server: usize) -> u32;

    /// Whether the server takes no more at once: `maxconn` reached, or somebody waits in its own queue. Never true
    /// without `maxconn`.
    fn full(&self, server: usize) -> bool;

    /// What `leastconn` asks instead of [`Load::full`]: whether served and queued together reached `maxconn` plus
    /// `maxqueue`. The same as `full` where servers have no `maxqueue`.
    fn queue_full(&self, server: usize) -> bool {
        self.full(server)
    }
}

/// The backend's algorithm works on a fixed round: at run time a weight can only be zero or the initial one
/// (`static-rr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticWeights;

impl core::fmt::Display for StaticWeights {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.")
    }
}

impl std::error::Error for StaticWeights {}

#[derive(Clone, Debug)]
enum Order {
    Smooth(Smooth),
    Spread(Spread),
    Fewest(Fewest),
    Firsts(Firsts),
    Random(Random),
}

/// Chooses servers for one backend.
#[derive(Clone, Debug)]
pub struct Balancer {
    roster: Roster,
    order: Order,
}

impl Balancer {
    /// Servers are known by their index in `members` from here on.
    pub fn new(algorithm: Algorithm, members: &[Member], settings: Settings) -> Self {
        let (scale, divisor) = match algorithm {
            Algorithm::StaticRoundRobin => (1, crate::spread::common_divisor(members)),
            _ => (crate::group::WEIGHT_SCALE, 1),
        };
        let roster = Roster::new(members, settings, scale, divisor);
        let order = match algorithm {
            Algorithm::RoundRobin => Order::Smooth(Smooth::new(&roster)),
            Algorithm::StaticRoundRobin => Order::Spread(Spread::new(members)),
            Algorithm::LeastConn => Order::Fewest(Fewest::new(&roster)),
            Algorithm::First => Order::Firsts(Firsts::new(&roster, members)),
            Algorithm::Random { draws } => Order::Random(Random::new(&roster, draws, settings.seed)),
        };
        Self { roster, order }
    }

    /// Whether weights can only be zero or what they were at the start (`static-rr`).
    pub fn is_static(&self) -> bool {
        matches!(self.order, Order::Spread(_))
    }

    /// Changes a server's weight (0–256; more counts as 256).
    ///
    /// # Errors
    /// With `static-rr`, when `weight` is neither zero nor the server's initial weight.
    pub fn set_weight(&mut self, server: usize, weight: u32) -> Result<(), StaticWeights> {
        if let Order::Spread(spread) = &self.order
            && weight != 0
            && weight != spread.initial(server)
        {
            return Err(StaticWeights);
        }
        self.change(server, self.roster.up(server), weight);
        Ok(())
    }

    /// Says whether a server is up and in service (not stopped, in maintenance, or draining). A server of weight zero
    /// is never chosen even so.
    pub fn set_usable(&mut self, server: usize, usable: bool) {
        self.change(server, usable, self.roster.weight(server));
    }

    fn change(&mut self, server: usize, up: bool, weight: u32) {
        let change = self.roster.set(server, up, weight);
        let roster = &self.roster;
        match (&mut self.order, change) {
            (_, Change::None) => {}
            (Order::Smooth(order), Change::Enters) => order.enter(roster, server),
            (Order::Smooth(order), Change::Leaves(_)) => order.leave(roster, server),
            (Order::Smooth(order), Change::Reweighed(_)) => order.reweigh(roster, server),
            (Order::Spread(order), _) => order.changed(),
            (Order::Fewest(order), Change::Enters) => order.enter(roster, server),
            (Order::Fewest(order), Change::Leaves(_)) => order.leave(roster, server),
            (Order::Fewest(order), Change::Reweighed(_)) => order.reweigh(roster, server),
            (Order::Firsts(order), Change::Enters) => order.enter(roster, server),
            (Order::Firsts(order), Change::Leaves(_)) => order.leave(roster, server),
            (Order::Firsts(_), Change::Reweighed(_)) => {}
            (Order::Random(order), Change::Enters) => order.reweigh(roster, server, 0),
            (Order::Random(order), Change::Leaves(before) | Change::Reweighed(before)) => {
                order.reweigh(roster, server, before);
            }
        }
    }

    /// Tells `leastconn` that [`Load::served`] changed for a server; the other algorithms need not be told
    /// ([`Balancer::counts_load`]).
    pub fn served_changed(&mut self, server: usize, load: &dyn Load) {
        if let Order::Fewest(order) = &mut self.order {
            order.served_changed(&self.roster, server, load.served(server));
        }
    }

    /// Whether [`Balancer::served_changed`] does anything for this algorithm.
    pub fn counts_load(&self) -> bool {
        matches!(self.order, Order::Fewest(_))
    }

    /// Chooses a server, another one than `avoid` where possible (redispatch). `None` when none is usable or all are
    /// full: the request then waits in the backend's queue, or, with [`Balancer::active`] and [`Balancer::backup`]
    /// both zero, has nobody to wait for.
    pub fn pick(&mut self, load: &dyn Load, avoid: Option<usize>) -> Option<usize> {
        let roster = &self.roster;
        match &mut self.order {
            Order::Smooth(order) => order.pick(roster, load, avoid),
            Order::Spread(order) => order.pick(roster, load, avoid),
            Order::Fewest(order) => order.pick(roster, load, avoid),
            Order::Firsts(order) => order.pick(roster, load, avoid),
            Order::Random(order) => order.pick(roster, load, avoid),
        }
    }

    /// How many servers there are, usable or not.
    pub fn len(&self) -> usize {
        self.roster.len()
    }

    /// Whether there are no servers at all.
    pub fn is_empty(&self) -> bool {
        self.roster.len() == 0
    }

    /// How many active servers are usable.
    pub fn active(&self) -> u32 {
        self.roster.count(Group::Active)
    }

    /// How many backups are usable.
    pub fn backup(&self) -> u32 {
        self.roster.count(Group::Backup)
    }

    /// Whether a server may be chosen at all: up and of a weight above zero.
    pub fn usable(&self, server: usize) -> bool {
        self.roster.usable(server)
    }

    /// The server's weight as last set, 0–256.
    pub fn weight(&self, server: usize) -> u32 {
        self.roster.weight(server)
    }

    /// The sum of the weights that share the work now (`weight` of a backend in the statistics): of the active
    /// servers; without one, of the backups or of the backup that works alone.
    pub fn total_weight(&self) -> u32 {
        match self.roster.working() {
            Usable::Group(group) => {
                self.roster.usable_in(group).map(|server| self.roster.weight(server)).sum()
            }
            Usable::Sole(server) => self.roster.weight(server),
            Usable::Nobody => 0,
        }
    }
}
