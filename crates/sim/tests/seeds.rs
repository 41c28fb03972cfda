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
    let seeds = number("EVENKEEL_SIM_SEEDS").unwrap_or(400);
    let (mut failures, mut changes, mut takeovers) = (Vec::new(), 0, 0);
    for seed in 0..seeds {
        match trial::run(seed) {
            Ok(outcome) => {
                changes += outcome.changes;
                takeovers += outcome.takeovers;
            }
            Err(history) => failures.push((seed, history)),
        }
    }
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
