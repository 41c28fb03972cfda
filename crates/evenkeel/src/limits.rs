//! How many connections the process can hold, and the limits of the system that follow from it.

use haproxy_cfg::model::Config;
use reactor::process;

/// Descriptors a worker thread needs for itself: epoll, its wake-up, and the pipes it keeps at hand.
const PER_THREAD: u64 = 8;
/// Descriptors of the process besides: standard streams, logs, signals, the master, clients of the runtime API.
const PER_PROCESS: u64 = 40;

/// Brings the limit of open files up to what the configuration needs; the connections it then allows.
///
/// # Errors
/// In HAProxy's words, when the limit cannot be raised as far as `maxconn` needs.
pub(crate) fn connections(config: &Config, threads: usize) -> Result<u32, String> {
    let global = &config.global;
    let listeners: usize = config.proxies.iter().map(|proxy| proxy.binds.len()).sum();
    let checks: usize = config
        .proxies
        .iter()
        .flat_map(|proxy| &proxy.servers)
        .filter(|server| server.check.is_some())
        .count();
    let fixed = PER_PROCESS
        + threads as u64 * (PER_THREAD + listeners as u64)
        + checks as u64
        + global.stats_sockets.len() as u64;
    if let Some(wanted) = global.ulimit_n {
        raise(wanted)?;
    }
    if let Some(maxconn) = global.maxconn {
        // A descriptor for the client's side and one for the server's.
        raise(u64::from(maxconn) * 2 + fixed)?;
        return Ok(maxconn);
    }
    let limit = process::open_files().map_or(1_024, |(soft, _)| soft);
    let pairs = limit.saturating_sub(fixed) / 2;
    Ok(u32::try_from(pairs).unwrap_or(u32::MAX).clamp(1, 1_000_000))
}

fn raise(wanted: u64) -> Result<(), String> {
    let got = process::raise_open_files(wanted).unwrap_or(0);
    if got < wanted {
        return Err(format!("[haproxy.main()] Cannot raise FD limit to {wanted}, limit is {got}."));
    }
    Ok(())
}

/// `-m`: no more address space than this.
///
/// # Errors
/// In HAProxy's words.
pub(crate) fn memory(megabytes: u64) -> Result<(), String> {
    use nix::sys::resource::{Resource, setrlimit};
    if megabytes == 0 {
        return Ok(());
    }
    let bytes = megabytes.saturating_mul(1 << 20);
    setrlimit(Resource::RLIMIT_AS, bytes, bytes)
        .map_err(|_| format!("[haproxy.main()] Cannot fix MEM limit to {megabytes} megs."))
}
