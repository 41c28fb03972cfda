//! `cargo xtask bench proxy`: what a request costs, beside haproxy in the same run.

use crate::shell::{cargo, has, root, run as run_command};
use std::process::Command;

/// Builds the program and measures it.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let ["proxy", rest @ ..] = words else {
        return Err("usage: cargo xtask bench proxy [options of bench/proxy.py]".to_owned());
    };
    for program in ["haproxy", "nginx", "wrk", "python3", "taskset"] {
        if !has(program) {
            return Err(format!("{program} is missing; `cargo xtask test` installs it"));
        }
    }
    run_command(cargo().args(["build", "--release", "--locked", "--package", "evenkeel"]))?;
    let program = root().join("target/release/evenkeel");
    run_command(
        Command::new("python3")
            .arg(root().join("xtask/bench/proxy.py"))
            .arg(format!("evenkeel={} proxy -db -f {{cfg}}", program.display()))
            .arg("haproxy=haproxy -db -f {cfg}")
            .args(rest),
    )
}
