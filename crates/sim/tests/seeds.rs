//! Histories of many seeds. `EVENKEEL_SIM_SEED=n` replays one and prints its history, `EVENKEEL_SIM_SEEDS=n` runs more.

use sim::trial;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn invariants_hold_in_the_history_of_every_seed() {
    if let Some(seed) = number("EVENKEEL_SIM_SEED") {
        match trial::run(seed) {
            Ok(outcome) => println!("seed {seed}: {outcome:?}"),
            Err(history) => panic!("{history}"),
        }
        return;
    }
    let seeds = number("EVENKEEL_SIM_SEEDS").unwrap_or(320);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let (mut failures, mut changes, mut takeovers) = (Vec::new(), 0, 0);
    std::thread::scope(|scope| {
        let part = |first: u64| (first..seeds).step_by(threads as usize).map(|seed| (seed, trial::run(seed)));
        let parts: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || part(first).collect::<Vec<_>>())).collect();
        for (seed, result) in parts.into_iter().flat_map(|part| part.join().unwrap()) {
            match result {
                Ok(outcome) => {
                    changes += outcome.changes;
                    takeovers += outcome.takeovers;
                }
                Err(history) => failures.push((seed, history)),
            }
        }
    });
    failures.sort();
    println!("{seeds} seeds: {changes} changes of state, {takeovers} takeovers measured");
    if let Some((_, history)) = failures.first() {
        let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
        let reasons: String = failures
            .iter()
            .filter_map(|(_, text)| text.lines().next())
            .fold(String::new(), |all, line| all + line + "\n");
        panic!("{} seeds fail: {seeds:?}. The first:\n{history}\nAll:\n{reasons}", failures.len());
    }
    assert!(takeovers > seeds as usize, "takeovers are measured in most histories, not in {takeovers}");
}
