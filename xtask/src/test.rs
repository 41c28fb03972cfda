//! `cargo xtask test`: every test, with the programs they compare against.

use crate::shell::{self, cargo, has};
use std::process::Command;

/// Debian packages by the program that shows they are there.
const NEEDED: [(&str, &str); 12] = [
    ("haproxy", "haproxy"),
    ("keepalived", "keepalived"),
    ("ipvsadm", "ipvsadm"),
    ("ip", "iproute2"),
    ("arptables-legacy", "arptables"),
    ("iptables", "iptables"),
    ("nginx", "nginx-light"),
    ("curl", "curl"),
    ("wrk", "wrk"),
    ("openssl", "openssl"),
    ("socat", "socat"),
    ("prlimit", "util-linux"),
];

/// Installs what is missing, then runs all tests.
pub(crate) fn run(extra: &[&str]) -> Result<(), String> {
    install_missing()?;
    fetch_guest()?;
    shell::run(cargo().args(["test", "--workspace", "--locked"]).args(extra))
}

/// Downloads the kernel with IPVS that some tests run on, once, so that no test waits for it.
fn fetch_guest() -> Result<(), String> {
    let script = shell::root().join("crates/testkit/uml/fetch.sh");
    let output = Command::new(&script).output().map_err(|e| format!("{}: {e}", script.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{said}\nThe tests of the director run on a kernel with IPVS, in a guest of User-Mode-Linux."
    ))
}

fn install_missing() -> Result<(), String> {
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(program, _)| !has(program)).map(|&(_, package)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("missing, installing with apt-get: {}", missing.join(" "));
    let as_root = |words: &[&str]| {
        let sudo = has("sudo");
        let mut command = Command::new(if sudo { "sudo" } else { "apt-get" });
        if sudo {
            command.arg("apt-get");
        }
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        // Debian starts a package's service at once; the tests start their own.
        command.env("RUNLEVEL", "1");
        command
    };
    run_quietly(&mut as_root(&["update", "-qq"]))?;
    run_quietly(as_root(&["install", "-y", "-qq", "--no-install-recommends"]).args(&missing))
}

fn run_quietly(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("apt-get cannot be run: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "apt-get failed ({}): {said}\nThe tests need these programs; install them and try again.",
        output.status
    ))
}
