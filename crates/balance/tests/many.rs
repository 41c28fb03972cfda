//! What holds for any number of servers.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail so")]

use balance::{Algorithm, Balancer, Load, Member, Settings};
use proptest::prelude::*;

struct Idle;

impl Load for Idle {
    fn served(&self, _: usize) -> u32 {
        0
    }

    fn full(&self, _: usize) -> bool {
        false
    }
}

struct Full;

impl Load for Full {
    fn served(&self, _: usize) -> u32 {
        1
    }

    fn full(&self, _: usize) -> bool {
        true
    }
}

fn members(weights: &[u32]) -> Vec<Member> {
    weights.iter().map(|&weight| Member { weight, ..Member::default() }).collect()
}

const ALL: [Algorithm; 5] = [
    Algorithm::RoundRobin,
    Algorithm::StaticRoundRobin,
    Algorithm::LeastConn,
    Algorithm::First,
    Algorithm::Random { draws: 2 },
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// As many choices as the weights sum up to: each server is chosen as often as its weight says. The smooth round
    /// robin may be one off, as a server's first share of a round is rounded to a position.
    #[test]
    fn a_round_is_fair(weights in prop::collection::vec(0u32..=256, 1..40)) {
        for (algorithm, slack) in [(Algorithm::RoundRobin, 1), (Algorithm::StaticRoundRobin, 0)] {
            let mut balancer = Balancer::new(algorithm, &members(&weights), Settings::default());
            let mut counts = vec![0u32; weights.len()];
            for _ in 0..weights.iter().sum() {
                counts[balancer.pick(&Idle, None).unwrap()] += 1;
            }
            for (count, weight) in counts.iter().zip(&weights) {
                prop_assert!(count.abs_diff(*weight) <= slack, "{:?}: {:?} for {:?}", algorithm, counts, weights);
            }
        }
    }

    /// Whatever happens, a usable server is chosen while there is one, and only a usable one; and the counts agree with
    /// who is usable.
    #[test]
    fn only_usable_servers_are_chosen(
        weights in prop::collection::vec(0u32..=256, 1..12),
        backups in prop::collection::vec(any::<bool>(), 12),
        events in prop::collection::vec((0usize..12, prop::option::of(0u32..300), any::<bool>()), 0..200),
    ) {
        for algorithm in ALL {
            let mut members = members(&weights);
            members.iter_mut().zip(&backups).for_each(|(member, &backup)| member.backup = backup);
            let mut balancer = Balancer::new(algorithm, &members, Settings::default());
            for &(server, weight, up) in &events {
                match weight {
                    Some(weight) => _ = balancer.set_weight(server, weight),
                    None => balancer.set_usable(server, up),
                }
                let usable: Vec<usize> = (0..weights.len()).filter(|&i| balancer.usable(i)).collect();
                let active = usable.iter().filter(|&&i| !backups[i]).count();
                prop_assert_eq!(balancer.active() as usize, active);
                prop_assert_eq!(balancer.backup() as usize, usable.len() - active);
                let first = usable.first().copied();
                match balancer.pick(&Idle, first) {
                    Some(picked) => {
                        prop_assert!(usable.contains(&picked), "{:?} chose {}", algorithm, picked);
                        prop_assert!(backups[picked] == (active == 0), "{:?} chose {}", algorithm, picked);
                    }
                    None => prop_assert!(usable.is_empty(), "{:?} found nobody in {:?}", algorithm, usable),
                }
            }
        }
    }

    /// Full servers are not chosen, and once they are free again the order goes on fairly.
    #[test]
    fn full_servers_come_back(weights in prop::collection::vec(1u32..=20, 2..20), pauses in 1usize..5) {
        let mut balancer = Balancer::new(Algorithm::RoundRobin, &members(&weights), Settings::default());
        for _ in 0..pauses {
            prop_assert_eq!(balancer.pick(&Full, None), None);
        }
        let mut counts = vec![0; weights.len()];
        for _ in 0..3 * weights.iter().sum::<u32>() {
            counts[balancer.pick(&Idle, None).unwrap()] += 1;
        }
        for (count, weight) in counts.into_iter().zip(&weights) {
            prop_assert!((2 * weight..=4 * weight).contains(&count), "{} for weight {}", count, weight);
        }
    }
}

/// Work per choice must not grow with the number of servers: a million choices among 20,000 servers end in a test's
/// time only so.
#[test]
fn thousands_of_servers() {
    let weights: Vec<u32> = (0..20_000).map(|i| 1 + i % 256).collect();
    for algorithm in ALL {
        if algorithm == Algorithm::StaticRoundRobin {
            continue; // its round is laid out in servers times weights
        }
        let mut balancer = Balancer::new(algorithm, &members(&weights), Settings::default());
        for choice in 0..200_000 {
            let server = balancer.pick(&Idle, None).unwrap();
            if choice % 10 == 0 {
                balancer.set_usable(server, false);
                balancer.set_usable(server, true);
            }
        }
    }
}
