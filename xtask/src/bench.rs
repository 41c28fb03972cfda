//! `cargo xtask bench proxy`: what a request costs, beside haproxy in the same run; `cargo xtask bench hostile`: how the
//! program fares under failures and floods; `cargo xtask bench vrrp` and `vrrp-scale`: takeovers, and many virtual routers,
//! beside keepalived; `cargo xtask bench director-scale`: many checkers, beside keepalived.

use crate::shell::{cargo, has, root, run as run_command};
use std::process::Command;

const USAGE: &str = "usage: cargo xtask bench proxy [options of bench/proxy.py] | hostile [part of a test's name]\n\
     | vrrp [--rounds N] [--intervals 1,0.1,0.01] [--families 4,6] | vrrp-scale [--rounds N] [--routers N] [--intervals 1]\n\
     | director-scale [--rounds N] [--sizes 1000,10000] [--window SECONDS]";

/// Builds the program and measures it.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    match words {
        ["proxy", rest @ ..] => proxy(rest),
        ["hostile", rest @ ..] => hostile(rest),
        ["vrrp", rest @ ..] => vrrp("takeover", rest),
        ["vrrp-scale", rest @ ..] => vrrp("scale", rest),
        ["director-scale", rest @ ..] => director_scale(rest),
        _ => Err(USAGE.to_owned()),
    }
}

/// The hostile tests of the program in their long variant, which print what they measure.
fn hostile(rest: &[&str]) -> Result<(), String> {
    let test = ["test", "--release", "--locked", "--package", "evenkeel", "--test", "hostile", "--"];
    let flags = ["--nocapture", "--test-threads=1"];
    run_command(cargo().args(test).args(flags).args(rest).env("EVENKEEL_HOSTILE", "full"))
}

fn proxy(rest: &[&str]) -> Result<(), String> {
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

/// The program and keepalived in the same network namespaces; needs root.
fn vrrp(mode: &str, rest: &[&str]) -> Result<(), String> {
    for program in ["keepalived", "ip"] {
        if !has(program) {
            return Err(format!("{program} is missing; `cargo xtask test` installs it"));
        }
    }
    run_command(cargo().args(["build", "--release", "--locked", "--package", "evenkeel"]))?;
    run_command(cargo().args(["build", "--locked", "--package", "testkit", "--example", "vrrp"]))?;
    let target = root().join("target");
    run_command(
        Command::new(target.join("debug/examples/vrrp"))
            .arg(mode)
            .args(rest)
            .arg(format!("evenkeel={} vrrp", target.join("release/evenkeel").display()))
            .arg("keepalived=keepalived"),
    )
}

/// Thousands of TCP checkers of the program and of keepalived in a network namespace; needs root, not IPVS.
fn director_scale(rest: &[&str]) -> Result<(), String> {
    for program in ["keepalived", "ip", "python3", "taskset", "cc"] {
        if !has(program) {
            return Err(format!("{program} is missing; `cargo xtask test` installs it"));
        }
    }
    run_command(cargo().args(["build", "--release", "--locked", "--package", "evenkeel"]))?;
    let program = root().join("target/release/evenkeel");
    run_command(
        Command::new("python3")
            .arg(root().join("xtask/bench/director/scale.py"))
            .arg(format!("evenkeel={} director --dry-run -f {{conf}}", program.display()))
            .arg("keepalived=keepalived -C -n -l -G -f {conf} -p {pid} -c {pid}.c")
            .args(rest),
    )
}
