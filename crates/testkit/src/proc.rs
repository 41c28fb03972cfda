//! What a process holds, as `/proc` tells it, and how many descriptors this one may have.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Kibibytes of resident memory.
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Open descriptors.
pub fn descriptors(pid: u32) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

/// Clock ticks of CPU spent, user and system.
pub fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Raises this process's limit of descriptors as far as `wanted`.
///
/// # Panics
/// When the machine does not allow as many: the test that asks could not show what it claims.
pub fn allow_descriptors(wanted: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of descriptors");
    if soft >= wanted {
        return;
    }
    let raised = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted));
    assert!(
        raised.is_ok(),
        "this test needs {wanted} descriptors and the machine allows {hard}: raise ulimit -n"
    );
}

/// Sends a signal.
///
/// # Panics
/// When there is no such process.
pub fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    nix::sys::signal::kill(pid, signal).expect("a process to signal");
}
