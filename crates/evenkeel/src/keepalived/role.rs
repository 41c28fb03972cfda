//! The VRRP process: it gets its configuration from the parent that started it, and reports to it.

use super::arguments::Arguments;
use super::reading::Reading;
use super::snapshot::Snapshot;
use super::{Exit, journal, pids};
use notice::log::Log;
use reactor::process;
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::path::Path;

/// Above the numbers of all sockets, unless there are very many.
const HIGH: RawFd = 250;

/// Runs the role. Standard input is the parent's socket.
pub(super) fn main(arguments: &Arguments) -> Exit {
    process::keep_heap_small();
    let started = process::inherited(0).and_then(|socket| {
        let snapshot = Snapshot::receive(&socket)?;
        Ok((raised(socket), snapshot))
    });
    let (socket, snapshot) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("The configuration did not arrive: {error}");
            return Exit::Failed;
        }
    };
    if let Err(error) = release_input() {
        eprintln!("Unable to open /dev/null: {error}");
    }
    name_process(None);
    let mut arguments = arguments.clone();
    arguments.start_in(&snapshot.directory);
    let arguments = &arguments;
    let reading = Reading::of_snapshot(arguments, snapshot);
    let log = journal::options(arguments, Some(super::VRRP), &pids::suffix(&reading.config.global));
    if reading.refused {
        // The parent saw nothing of this: something on the machine has changed in between.
        journal::write(&Log::new(log), &reading.lines);
        return Exit::Configuration;
    }
    let options = vrrpd::Options {
        log: log.clone(),
        parent: socket.try_clone().map(raised).ok(),
        reload: Some(reloader(arguments.clone(), socket, log)),
        keep_privileges: false,
        keep_addresses: arguments.keep_addresses,
        dump: arguments.dump,
        address_monitoring: arguments.address_monitoring,
        control: Some(pids::Places::of(arguments, &reading.config.global).control),
    };
    if reading.config.global.process_names {
        name_process(Some("keepalived_vrrp"));
    }
    match vrrpd::run(reading.settle(), options) {
        vrrpd::Exit::Stopped => Exit::Done,
        vrrpd::Exit::Config => Exit::Configuration,
        vrrpd::Exit::Failed => Exit::Failed,
    }
}

/// The parent's socket at a number above those of other sockets: it is the first to be closed if this process is killed,
/// and the parent need not wait for the others to see that.
fn raised(socket: OwnedFd) -> OwnedFd {
    process::duplicate_from(&socket, HIGH).unwrap_or(socket)
}

/// What SIGHUP does: the parent has sent another configuration before it.
fn reloader(arguments: Arguments, socket: OwnedFd, log: notice::log::LogOptions) -> vrrpd::Reload {
    Box::new(move || {
        let log = Log::new(log.clone());
        let mut newest = None;
        // Signals may merge, configurations do not: the last one counts.
        loop {
            match Snapshot::receive(&socket) {
                Ok(snapshot) => newest = Some(snapshot),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    log.info(format_args!("No configuration from the parent - {error}"));
                    break;
                }
            }
        }
        let Some(snapshot) = newest else {
            log.info("No configuration has come from the parent, which begins reloads");
            return None;
        };
        let reading = Reading::of_snapshot(&arguments, snapshot);
        if reading.refused {
            journal::write(&log, &reading.lines);
            return None;
        }
        Some(reading.settle())
    })
}

/// Standard input becomes `/dev/null`, so that the socket ends with its owners.
fn release_input() -> std::io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    nix::unistd::dup2_stdin(null.as_fd())?;
    Ok(())
}

/// The process carries this name, or that which it was called by: it runs `/proc/self/exe`, whose name says nothing.
pub(super) fn name_process(name: Option<&str>) {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = Path::new(&called).file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(name) = name.map(str::to_owned).or(called) {
        // Only a name with a NUL is refused.
        let _ = process::set_name(&name);
    }
}
