//! The rules by which the kernel chooses, for servers whose connections are all held open.

/// A server as a scheduler sees it.
struct Load {
    name: &'static str,
    weight: i64,
    /// Connections.
    active: i64,
}

/// One service of the kernel.
pub(super) struct Model {
    /// In the order in which schedulers walk it: the last that was added is the first.
    servers: Vec<Load>,
    /// What lblc and lblcr keep for the one destination, the last first.
    remembered: Vec<usize>,
}

impl Model {
    /// Names and weights, in the order of the configuration.
    pub(super) fn new(servers: &[(&'static str, i64)]) -> Self {
        let servers = servers.iter().rev().map(|(name, weight)| Load { name, weight: *weight, active: 0 });
        Self { servers: servers.collect(), remembered: Vec::new() }
    }

    /// Who gets the next connection.
    pub(super) fn next(&mut self, algorithm: &str) -> Option<&'static str> {
        let all = 0..self.servers.len();
        let chosen = match algorithm {
            "lc" => self.least(all, |one| (one.active, 1)),
            "wlc" => self.least(all, |one| (one.active, one.weight)),
            "sed" => self.least(all, |one| (one.active + 1, one.weight)),
            // Nobody waits while a server is idle.
            "nq" => (self.servers.iter().position(|one| one.active == 0))
                .or_else(|| self.least(all, |one| (one.active + 1, one.weight))),
            // Full is who has more than its weight; the greatest weight is the least share.
            "ovf" => {
                let free: Vec<_> =
                    all.filter(|at| self.servers[*at].active <= self.servers[*at].weight).collect();
                self.least(free, |one| (1, one.weight))
            }
            "lblc" | "lblcr" => self.remembered(algorithm == "lblcr"),
            _ => panic!("{algorithm}"),
        };
        let chosen = &mut self.servers[chosen?];
        chosen.active += 1;
        Some(chosen.name)
    }

    /// The first of those with the least quotient.
    fn least(
        &self,
        among: impl IntoIterator<Item = usize>,
        load: impl Fn(&Load) -> (i64, i64),
    ) -> Option<usize> {
        let mut least: Option<(usize, (i64, i64))> = None;
        for at in among {
            let (mine, weight) = load(&self.servers[at]);
            if least.is_none_or(|(_, (its, its_weight))| its * weight > mine * its_weight) {
                least = Some((at, (mine, weight)));
            }
        }
        least.map(|(at, _)| at)
    }

    /// lblc remembers the last server for a destination, lblcr all of them.
    fn remembered(&mut self, several: bool) -> Option<usize> {
        let weighted = |one: &Load| (one.active, one.weight);
        let known = self.least(self.remembered.iter().copied(), weighted);
        let idle = self.servers.iter().any(|one| one.active * 2 < one.weight);
        if let Some(known) = known.filter(|at| self.servers[*at].active <= self.servers[*at].weight || !idle)
        {
            return Some(known);
        }
        let next = self.least(0..self.servers.len(), weighted)?;
        if !several {
            self.remembered.clear();
        }
        if !self.remembered.contains(&next) {
            self.remembered.insert(0, next);
        }
        Some(next)
    }
}
