//! `cargo xtask fuzz`: each target for a bounded time.

use crate::shell::{has, root, run as run_command};
use std::process::Command;

/// Runs every fuzz target.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let seconds: u32 = match words {
        [] => 20,
        [n] => n.parse().map_err(|_| format!("{n} is no number of seconds"))?,
        _ => return Err("usage: cargo xtask fuzz [SECONDS]".to_owned()),
    };
    let targets = root().join("fuzz/fuzz_targets");
    let mut names: Vec<String> = std::fs::read_dir(&targets)
        .map_err(|e| format!("{}: {e}", targets.display()))?
        .flatten()
        .filter_map(|entry| entry.path().file_stem().map(|n| n.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    if !has("cargo-fuzz") {
        return Err("cargo-fuzz is missing: cargo install cargo-fuzz --locked".to_owned());
    }
    for name in names {
        println!("fuzz: {name}, {seconds} s");
        run_command(
            Command::new("cargo")
                .current_dir(root())
                .args(["+nightly", "fuzz", "run", &name, "--", &format!("-max_total_time={seconds}")])
                .args(["-max_len=20000", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]),
        )?;
    }
    Ok(())
}
