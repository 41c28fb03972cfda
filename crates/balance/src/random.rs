//! `random(draws)`: servers drawn by weight; of those drawn, the one with the fewest connections for its weight.

use crate::balancer::Load;
use crate::group::{Group, Roster, Usable};

/// Sums of weights over ranges of servers (a Fenwick tree): a draw and a change of weight take log n steps.
#[derive(Clone, Debug)]
struct Weights {
    /// `sums[i - 1]` is the sum over the `i & -i` servers that end at `i - 1`.
    sums: Vec<u64>,
    total: u64,
}

impl Weights {
    fn new(len: usize) -> Self {
        Self { sums: vec![0; len], total: 0 }
    }

    fn change(&mut self, server: usize, before: u32, after: u32) {
        let (before, after) = (u64::from(before), u64::from(after));
        self.total = self.total.wrapping_sub(before).wrapping_add(after);
        let mut i = server + 1;
        while let Some(sum) = self.sums.get_mut(i - 1) {
            *sum = sum.wrapping_sub(before).wrapping_add(after);
            i += i & i.wrapping_neg();
        }
    }

    /// The sum of the weights of all servers before `server`.
    fn before(&self, server: usize) -> u64 {
        let mut i = server;
        let mut sum = 0u64;
        while i > 0 {
            sum = sum.wrapping_add(self.sums.get(i - 1).copied().unwrap_or(0));
            i &= i - 1;
        }
        sum
    }

    /// The server in whose stretch `point` (less than the total) lies.
    fn at(&self, mut point: u64) -> usize {
        let mut server = 0;
        let mut step = self.sums.len().checked_ilog2().map_or(0, |log| 1usize << log);
        while step != 0 {
            if let Some(&sum) = self.sums.get(server + step - 1)
                && sum <= point
            {
                point -= sum;
                server += step;
            }
            step >>= 1;
        }
        server
    }
}

/// The draws.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    draws: u32,
    active: Weights,
    backup: Weights,
    state: u64,
}

impl Random {
    pub(crate) fn new(roster: &Roster, draws: u32, seed: u64) -> Self {
        let mut random = Self {
            draws: draws.max(1),
            active: Weights::new(roster.len()),
            backup: Weights::new(roster.len()),
            state: seed,
        };
        for server in (0..roster.len()).filter(|&server| roster.usable(server)) {
            random.reweigh(roster, server, 0);
        }
        random
    }

    /// `before` is the effective weight it was drawn by until now; zero when it was not.
    pub(crate) fn reweigh(&mut self, roster: &Roster, server: usize, before: u32) {
        let after = if roster.usable(server) { roster.effective(server) } else { 0 };
        match roster.group(server) {
            Group::Active => self.active.change(server, before, after),
            Group::Backup => self.backup.change(server, before, after),
        }
    }

    /// A number below `bound` (SplitMix64; the bias of the high half of a product is below 2^-40 here).
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * u128::from(bound)) >> 64) as u64
    }

    pub(crate) fn pick(&mut self, roster: &Roster, load: &dyn Load, avoid: Option<usize>) -> Option<usize> {
        let group = match roster.working() {
            Usable::Nobody => return None,
            Usable::Sole(server) => return (!load.full(server)).then_some(server),
            Usable::Group(group) => group,
        };
        let avoid = avoid.filter(|&server| {
            roster.usable(server) && roster.group(server) == group && roster.count(group) > 1
        });
        let mut best: Option<usize> = None;
        for _ in 0..self.draws {
            let weights = if group == Group::Active { &self.active } else { &self.backup };
            // The avoided server's stretch is left out of the line.
            let gap =
                avoid.map_or((0, 0), |server| (weights.before(server), u64::from(roster.effective(server))));
            let left = weights.total.checked_sub(gap.1)?;
            let mut point = self.below(left);
            if gap.1 != 0 && point >= gap.0 {
                point += gap.1;
            }
            let weights = if group == Group::Active { &self.active } else { &self.backup };
            let drawn = weights.at(point);
            let weigh = |a: usize, b: usize| u64::from(load.served(a)) * u64::from(roster.effective(b));
            best = match best {
                Some(before) if weigh(drawn, before) > weigh(before, drawn) => Some(before),
                _ => Some(drawn),
            };
        }
        best.filter(|&server| !load.full(server))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Algorithm, Balancer, Load, Member, Settings};

    struct Served(Vec<u32>, Vec<bool>);

    impl Load for Served {
        fn served(&self, server: usize) -> u32 {
            self.0[server]
        }

        fn full(&self, server: usize) -> bool {
            self.1[server]
        }
    }

    fn idle(servers: usize) -> Served {
        Served(vec![0; servers], vec![false; servers])
    }

    fn balancer(weights: &[u32], draws: u32) -> Balancer {
        let members: Vec<Member> =
            weights.iter().map(|&weight| Member { weight, ..Member::default() }).collect();
        Balancer::new(Algorithm::Random { draws }, &members, Settings { all_backups: false, seed: 42 })
    }

    /// Pearson's statistic of the picks against the weights.
    fn chi_square(balancer: &mut Balancer, weights: &[u32], avoid: Option<usize>) -> f64 {
        let (picks, load) = (40_000, idle(weights.len()));
        let mut counts = vec![0u32; weights.len()];
        for _ in 0..picks {
            counts[balancer.pick(&load, avoid).unwrap()] += 1;
        }
        let total: u32 = weights.iter().sum();
        let share = |weight: u32| f64::from(picks) * f64::from(weight) / f64::from(total);
        counts
            .iter()
            .zip(weights)
            .map(|(&count, &weight)| {
                if weight == 0 {
                    assert_eq!(count, 0);
                    return 0.0;
                }
                (f64::from(count) - share(weight)).powi(2) / share(weight)
            })
            .sum()
    }

    #[test]
    fn draws_follow_the_weights() {
        // The 99.9 % point with 6 degrees of freedom is 22.5; the seed is fixed.
        let weights = [1, 2, 3, 100, 256, 0, 17, 50];
        assert!(chi_square(&mut balancer(&weights, 1), &weights, None) < 22.5);
        // Among idle servers the second draw always wins: the same distribution.
        assert!(chi_square(&mut balancer(&weights, 2), &weights, None) < 22.5);
    }

    #[test]
    fn weights_and_states_may_change() {
        let mut balancer = balancer(&[5, 5, 5, 5], 1);
        balancer.set_weight(0, 20).unwrap();
        balancer.set_usable(1, false);
        balancer.set_weight(2, 0).unwrap();
        balancer.set_weight(2, 1).unwrap();
        assert!(chi_square(&mut balancer, &[20, 0, 1, 5], None) < 13.8);
    }

    #[test]
    fn the_avoided_server_is_left_out_of_the_draw() {
        let mut balancer = balancer(&[1, 7, 2], 2);
        assert!(chi_square(&mut balancer, &[1, 0, 2], Some(1)) < 10.8);
        balancer.set_usable(0, false);
        balancer.set_usable(2, false);
        assert_eq!(balancer.pick(&idle(3), Some(1)), Some(1), "no other is left");
    }

    #[test]
    fn of_two_drawn_the_less_loaded_wins() {
        let mut balancer = balancer(&[1, 1], 2);
        let load = Served(vec![3, 0], vec![false; 2]);
        let picks = 10_000;
        let busy = (0..picks).filter(|_| balancer.pick(&load, None) == Some(0)).count();
        // Only when both draws hit it: one in four.
        assert!((2_200..2_800).contains(&busy), "{busy}");
        // Relative to weight: 3 of 4 is less than 1 of 1.
        balancer.set_weight(0, 4).unwrap();
        let load = Served(vec![3, 1], vec![false; 2]);
        let light = (0..picks).filter(|_| balancer.pick(&load, None) == Some(1)).count();
        assert!((250..550).contains(&light), "{light}");
    }

    #[test]
    fn a_full_winner_means_waiting() {
        let mut balancer = balancer(&[1], 2);
        assert_eq!(balancer.pick(&Served(vec![1], vec![true]), None), None);
    }
}
