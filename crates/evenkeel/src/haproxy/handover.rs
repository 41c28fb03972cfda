//! Taking over from an old process: its listening sockets (`-x`), and its end (`-sf`, `-st`).

use crate::haproxy::arguments::Arguments;
use crate::haproxy::getsocks;
use crate::haproxy::plan::Plan;
use crate::haproxy::startup::Loaded;
use crate::message::{Messages, reason};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proxyd::listeners::{self, Inherited};
use std::time::Duration;

/// How often binding is tried while old processes let go of their addresses, and how long in between (HAProxy's).
const TRIES: u32 = 200;
const BETWEEN: Duration = Duration::from_millis(10);

/// Binds everything, asking old processes to let go of their sockets if need be.
pub(crate) fn bind(arguments: &Arguments, loaded: &Loaded, messages: &Messages) -> Option<Plan> {
    let inherited = match arguments.old_socket.as_deref() {
        None | Some("/dev/null") => Inherited::new(),
        Some(path) => match getsocks::receive(path) {
            Ok(inherited) => inherited,
            Err(error) => {
                messages.warning(format_args!("Cannot take the sockets of '{path}': {}.", reason(&error)));
                messages.alert("Failed to get the sockets from the old process!");
                if !arguments.master {
                    return None;
                }
                Inherited::new()
            }
        },
    };
    let mut left = if arguments.old_processes.is_empty() { 1 } else { TRIES };
    loop {
        left -= 1;
        match try_bind(loaded, &inherited) {
            Ok(plan) => return Some(plan),
            Err(errors) if left == 0 => {
                refuse(&errors, messages);
                signal_old(arguments, Signal::SIGTTIN);
                return None;
            }
            Err(_) => {
                // "Release your listeners"; they resume on SIGTTIN if this process fails.
                signal_old(arguments, Signal::SIGTTOU);
                std::thread::sleep(BETWEEN);
            }
        }
    }
}

/// Binds everything, using what is held.
pub(crate) fn bind_plan(loaded: &Loaded, held: &Inherited, messages: &Messages) -> Option<Plan> {
    try_bind(loaded, held).map_err(|errors| refuse(&errors, messages)).ok()
}

fn try_bind(loaded: &Loaded, held: &Inherited) -> Result<Plan, Vec<diag::Diagnostic>> {
    let threads = loaded.threads();
    let listeners = listeners::bind_all(&loaded.config, threads, held)?;
    let stats = listeners::bind_stats(&loaded.config, held)?;
    Ok(Plan { inputs: loaded.inputs.clone(), threads, listeners, stats })
}

fn refuse(errors: &[diag::Diagnostic], messages: &Messages) {
    for error in errors {
        messages.alert(&error.message);
    }
    messages.alert("[haproxy.main()] Some protocols failed to start their listeners! Exiting.");
}

/// Tells the old processes to end, now that this one serves.
pub(crate) fn release_old(arguments: &Arguments) {
    signal_old(arguments, if arguments.terminate_old { Signal::SIGTERM } else { Signal::SIGUSR1 });
}

fn signal_old(arguments: &Arguments, signal: Signal) {
    for pid in arguments.old_processes.iter().filter_map(|&pid| i32::try_from(pid).ok()) {
        // One that is gone needs no telling.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
