//! `cargo xtask fuzz`: each target for a bounded time.

use crate::shell::{cargo, has, root, run as run_command};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Runs every fuzz target with libFuzzer; where there is none, over its seeds and mutations of them.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let seconds: u32 = match words {
        [] => 20,
        [n] => n.parse().map_err(|_| format!("{n} is no number of seconds"))?,
        _ => return Err("usage: cargo xtask fuzz [SECONDS]".to_owned()),
    };
    if let Some(missing) = missing() {
        println!(
            "================================================================\n\
             NO LIBFUZZER: {missing}.\n\
             Running the seeds and a fixed number of mutations of them instead.\n\
             ================================================================"
        );
        return run_command(cargo().args(["test", "--locked", "--manifest-path", "fuzz/Cargo.toml"]));
    }
    run_command(cargo().args([
        "run",
        "--quiet",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--",
        "fuzz/corpus",
    ]))?;
    for name in targets()? {
        println!("fuzz: {name}, {seconds} s");
        run_command(cargo_fuzz().args(["run", &name, "--", &format!("-max_total_time={seconds}")]).args([
            "-max_len=20000",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]))?;
    }
    Ok(())
}

/// What libFuzzer needs and is not there, with how to get it.
fn missing() -> Option<&'static str> {
    if !has("cargo-fuzz") {
        return Some("cargo-fuzz is missing (cargo install cargo-fuzz --locked)");
    }
    let nightly = Command::new("cargo")
        .args(["+nightly", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    (!nightly).then_some("there is no nightly toolchain (rustup toolchain install nightly)")
}

/// cargo-fuzz on the nightly toolchain, whichever one runs this.
fn cargo_fuzz() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).args(["+nightly", "fuzz"]).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

fn targets() -> Result<Vec<String>, String> {
    let folder: PathBuf = root().join("fuzz/fuzz_targets");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .flatten()
        .filter_map(|entry| entry.path().file_stem().map(|n| n.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}
