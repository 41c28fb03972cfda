//! How the kernel schedules and keeps this process, and what it may do: for roles that must not be late.
#![allow(unsafe_code)]

use crate::syscall::check;
use ek_time::Duration;
use std::io;
use std::mem::{MaybeUninit, size_of};

/// Runs this thread at a real-time priority (`SCHED_RR`, 1–99). Processes it starts do not inherit it.
///
/// # Errors
/// `PermissionDenied` without `CAP_SYS_NICE` or room in `RLIMIT_RTPRIO`.
pub fn set_realtime(priority: u8) -> io::Result<()> {
    schedule(libc::SCHED_RR, i32::from(priority))
}

/// Runs this thread at the ordinary priority.
///
/// # Errors
/// Those of `sched_setscheduler`.
pub fn set_ordinary() -> io::Result<()> {
    schedule(libc::SCHED_OTHER, 0)
}

fn schedule(policy: i32, priority: i32) -> io::Result<()> {
    // SAFETY: sched_param is integers.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the pointer is to a live sched_param; 0 is this thread.
    check(unsafe { libc::sched_setscheduler(0, policy | libc::SCHED_RESET_ON_FORK, &parameters) })?;
    Ok(())
}

/// Sets the nice value of this process (-20 to 19).
///
/// # Errors
/// `PermissionDenied` when it would fall without `CAP_SYS_NICE`.
pub fn set_nice(value: i8) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, i32::from(value)) })?;
    Ok(())
}

/// How long this thread may run at a real-time priority without sleeping before it gets `SIGXCPU`; at twice that it is
/// killed.
///
/// # Errors
/// Those of `setrlimit`.
pub fn limit_realtime(limit: Duration) -> io::Result<()> {
    let micros = limit.as_micros().min(u128::from(u64::MAX / 2)) as u64;
    let limit = libc::rlimit { rlim_cur: micros, rlim_max: micros.saturating_mul(2) };
    // SAFETY: the pointer is to a live rlimit.
    check(unsafe { libc::setrlimit(libc::RLIMIT_RTTIME, &limit) })?;
    Ok(())
}

/// Keeps this process to the given processors.
///
/// # Errors
/// When none of them exists.
pub fn set_affinity(processors: &[usize]) -> io::Result<()> {
    // SAFETY: cpu_set_t is an array of integers.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for processor in processors.iter().filter(|processor| **processor < libc::CPU_SETSIZE as usize) {
        // SAFETY: the index is inside the set (checked above).
        unsafe { libc::CPU_SET(*processor, &mut set) };
    }
    // SAFETY: the pointer is to a live set of that size.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) })?;
    Ok(())
}

/// Keeps what this process has in memory, and what it takes from now on, from being swapped out. Pages that were never
/// touched are not brought in (`MCL_ONFAULT`). Processes it starts do not inherit it.
///
/// # Errors
/// `PermissionDenied` or `OutOfMemory` by `RLIMIT_MEMLOCK`.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) })?;
    Ok(())
}

/// Sets the mask of permission bits that new files do not get; returns the old one.
pub fn set_file_mask(mask: u32) -> u32 {
    // SAFETY: no pointers; cannot fail.
    unsafe { libc::umask(mask as libc::mode_t) }
}

/// What a process may do beyond what every process may (`capabilities(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Capability {
    /// Open what permissions forbid.
    DacOverride = 1,
    /// Signal processes of others.
    Kill = 5,
    /// Change group.
    SetGid = 6,
    /// Change user.
    SetUid = 7,
    /// Bind ports below 1024.
    NetBindService = 10,
    /// Configure the network.
    NetAdmin = 12,
    /// Use raw and packet sockets.
    NetRaw = 13,
    /// Lock memory.
    IpcLock = 14,
    /// Change namespaces, and much else.
    SysAdmin = 21,
    /// Change priorities.
    SysNice = 23,
    /// Exceed limits.
    SysResource = 24,
}

/// Gives up every capability but those; programs that root executes later have what the bounding set allows, as before.
///
/// # Errors
/// When this process lacks one of them.
pub fn keep_capabilities(kept: &[Capability]) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let header = Header { version: 0x2008_0522, pid: 0 };
    let wanted = kept.iter().fold(0_u32, |set, capability| set | 1 << (*capability as u8));
    let mut data = [MaybeUninit::new(Data { effective: 0, permitted: 0, inheritable: 0 }); 2];
    // SAFETY: version 3 has two data structs, which the kernel fills.
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) };
    check(i32::try_from(got).unwrap_or(-1))?;
    // SAFETY: both were initialised above.
    let [low, _] = data.map(|data| unsafe { data.assume_init() });
    let set = wanted & low.permitted;
    let new = [
        Data { effective: set, permitted: set, inheritable: 0 },
        Data { effective: 0, permitted: 0, inheritable: 0 },
    ];
    // SAFETY: the pointers are to a header and two data structs, which the kernel reads.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, new.as_ptr()) };
    check(i32::try_from(result).unwrap_or(-1))?;
    if set != wanted {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}
