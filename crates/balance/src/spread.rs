//! `static-rr`: a round laid out beforehand, every server standing in it as often as its weight says, well spread.

use crate::balancer::{Load, Member};
use crate::group::{Roster, Usable};

/// The round, laid out anew when servers come or go.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    round: Vec<u32>,
    stale: bool,
    /// Where the next pick looks first.
    position: usize,
    initial: Vec<u32>,
}

/// The greatest common divisor of all weights: what the round can be shortened by.
pub(crate) fn common_divisor(members: &[Member]) -> u32 {
    fn gcd(a: u32, b: u32) -> u32 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    members.iter().fold(0, |divisor, member| gcd(member.weight, divisor)).max(1)
}

impl Spread {
    pub(crate) fn new(members: &[Member]) -> Self {
        let initial = members.iter().map(|member| member.weight).collect();
        Self { round: Vec::new(), stale: true, position: 0, initial }
    }

    /// The weight the server started with.
    pub(crate) fn initial(&self, server: usize) -> u32 {
        self.initial.get(server).copied().unwrap_or(0)
    }

    /// Servers came, went, or changed weight.
    pub(crate) fn changed(&mut self) {
        self.stale = true;
    }

    /// Each server earns its weight per step and pays the sum of the weights when it is chosen; the first of the
    /// richest is chosen.
    ///
    /// What decides is the wealth in whole sums, so that servers of similar wealth keep the order of declaration.
    fn lay_out(&mut self, roster: &Roster) {
        self.round.clear();
        self.stale = false;
        let group = match roster.working() {
            Usable::Group(group) => group,
            Usable::Sole(server) => {
                let turns = roster.effective(server) as usize;
                self.round.resize(turns, u32::try_from(server).unwrap_or(u32::MAX));
                return;
            }
            Usable::Nobody => return,
        };
        let total = i64::from(roster.total(group));
        let mut wealth: Vec<(usize, i64, i64)> =
            roster.usable_in(group).map(|server| (server, i64::from(roster.effective(server)), 0)).collect();
        for _ in 0..total {
            let mut best: Option<(i64, &mut (usize, i64, i64))> = None;
            for entry in &mut wealth {
                entry.2 += entry.1;
                let rank = (entry.2 + total) / total;
                if best.as_ref().is_none_or(|(max, _)| rank > *max) {
                    best = Some((rank, entry));
                }
            }
            if let Some((_, entry)) = best {
                entry.2 -= total;
                self.round.push(u32::try_from(entry.0).unwrap_or(u32::MAX));
            }
        }
    }

    pub(crate) fn pick(&mut self, roster: &Roster, load: &dyn Load, avoid: Option<usize>) -> Option<usize> {
        if self.stale {
            self.lay_out(roster);
        }
        let length = self.round.len();
        let start = if self.position < length { self.position } else { 0 };
        let mut avoided = None;
        for step in 0..length {
            let at = (start + step) % length;
            let Some(server) = self.round.get(at).map(|&server| server as usize) else { break };
            if load.full(server) {
                continue;
            }
            if Some(server) != avoid {
                self.position = at + 1;
                return Some(server);
            }
            avoided = Some((server, at + 1));
        }
        let (server, position) = avoided?;
        self.position = position;
        Some(server)
    }
}
