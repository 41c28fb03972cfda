//! How many connections the process can hold, and the limits of the system that follow from it.

use haproxy_cfg::model::Config;
use reactor::process;

/// Descriptors a worker thread needs for itself: epoll and its wake-up, with some to spare.
const PER_THREAD: u64 = 8;
/// Pipes a worker thread has in any case, so that it splices at all.
const PIPES_PER_THREAD: u64 = 8;
/// Descriptors of the process besides: standard streams, logs, signals, the master, clients of the runtime API.
const PER_PROCESS: u64 = 40;

/// Open files wanted when the configuration says nothing (manual, `fd-hard-limit`).
const MOST: u64 = 1 << 20;

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Client connections.
    pub(crate) maxconn: u32,
    /// Pipes to splice through.
    pub(crate) pipes: usize,
}

/// Brings the limit of open files up to what the configuration needs; what it then has room for.
///
/// There are pipes for a quarter of the connections (manual, `maxpipes`), or for fewer where the limit does not allow as
/// many: without one, bytes are copied.
///
/// # Errors
/// In HAProxy's words, when the limit cannot be raised as far as `maxconn` needs.
pub(crate) fn room(config: &Config, threads: usize) -> Result<Room, String> {
    let global = &config.global;
    let listeners: usize = config.proxies.iter().map(|proxy| proxy.binds.len()).sum();
    let checks: usize = config
        .proxies
        .iter()
        .flat_map(|proxy| &proxy.servers)
        .filter(|server| server.check.is_some())
        .count();
    let fixed = PER_PROCESS
        + threads as u64 * (PER_THREAD + 2 * PIPES_PER_THREAD + listeners as u64)
        + checks as u64
        + global.stats_sockets.len() as u64;
    if let Some(wanted) = global.ulimit_n {
        raise(wanted)?;
    }
    let least = threads as u64 * PIPES_PER_THREAD;
    if let Some(maxconn) = global.maxconn {
        // A descriptor for the client's side and one for the server's.
        let needed = u64::from(maxconn) * 2 + fixed;
        raise(needed)?;
        let wanted = u64::from(maxconn / 4).max(least);
        let limit = process::raise_open_files(needed + 2 * (wanted - least)).unwrap_or(needed);
        return Ok(Room {
            maxconn,
            pipes: as_size(least + limit.saturating_sub(needed) / 2).min(as_size(wanted)),
        });
    }
    let limit = match global.ulimit_n {
        Some(_) => process::open_files().map(|(soft, _)| soft),
        None => process::raise_open_files(MOST),
    };
    let limit = limit.unwrap_or(1_024);
    // Two descriptors for each connection, and half of one for its share of the pipes.
    let maxconn = limit.saturating_sub(fixed) * 2 / 5;
    let maxconn = u32::try_from(maxconn).unwrap_or(u32::MAX).clamp(1, 1_000_000);
    Ok(Room { maxconn, pipes: as_size(u64::from(maxconn / 4) + least) })
}

fn as_size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
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
