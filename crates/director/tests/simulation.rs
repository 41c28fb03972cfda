//! Histories of many seeds: servers that flap, checkers that change their mind, addresses that come and go, other programs
//! in the table, reloads in the middle of it, crashes and restarts. After every step the table is what the state demands.
//!
//! `EVENKEEL_SIM_SEED=n` replays one and prints its history, `EVENKEEL_SIM_SEEDS=n` runs more.

#[path = "simulation/draw.rs"]
mod draw;
#[path = "simulation/judge.rs"]
mod judge;
mod stage;
#[path = "simulation/world.rs"]
mod world;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn the_table_is_what_the_state_demands_in_the_history_of_every_seed() {
    if let Some(seed) = number("EVENKEEL_SIM_SEED") {
        match world::history(seed) {
            Ok(outcome) => println!("seed {seed}: {outcome:?}"),
            Err(history) => panic!("{history}"),
        }
        return;
    }
    let seeds = number("EVENKEEL_SIM_SEEDS").unwrap_or(600);
    let mut total = world::Outcome::default();
    let mut failures = Vec::new();
    for seed in 0..seeds {
        match world::history(seed) {
            Ok(outcome) => total.add(&outcome),
            Err(history) => failures.push((seed, history)),
        }
    }
    println!("{seeds} seeds: {total:?}");
    if let Some((_, history)) = failures.first() {
        let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
        let reasons: String = failures
            .iter()
            .filter_map(|(_, text)| text.lines().next())
            .fold(String::new(), |all, line| all + line + "\n");
        panic!("{} seeds fail: {seeds:?}. The first:\n{history}\nAll:\n{reasons}", failures.len());
    }
    // What is not there is not tried: a history that never loses a quorum shows nothing.
    assert!(total.quorum > 2 * seeds && total.sorry > seeds && total.ramps > seeds / 4, "{total:?}");
    assert!(total.drains > seeds / 8 && total.reloads > seeds && total.crashes > seeds / 8, "{total:?}");
}
