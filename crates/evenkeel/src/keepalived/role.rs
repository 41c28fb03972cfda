//! The process of a part: it gets its configuration from the parent that started it, and reports to it.

use super::arguments::Arguments;
use super::part::Part;
use super::reading::Reading;
use super::snapshot::Snapshot;
use super::{Exit, journal, pids};
use keepalived_conf::model::Config;
use notice::log::{Log, LogOptions};
use reactor::process;
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::path::Path;

/// Above the numbers of all sockets, unless there are very many.
const HIGH: RawFd = 250;

/// Runs the role of a part. Standard input is the parent's socket.
pub(super) fn main(part: Part, arguments: &Arguments) -> Exit {
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
    let log = journal::options(arguments, Some(part), &pids::suffix(&reading.config.global));
    if reading.refused {
        // The parent saw nothing of this: something on the machine has changed in between.
        journal::write(&Log::new(log), &reading.lines);
        return Exit::Configuration;
    }
    if reading.config.global.process_names {
        name_process(Some(part.process_name()));
    }
    let control = Some(pids::Places::of(arguments, &reading.config.global).control(part));
    let parent = socket.try_clone().map(raised).ok();
    let reload = Some(reloader(part, arguments.clone(), socket, log.clone()));
    let config = own(part, arguments, reading.settle());
    match part {
        Part::Vrrp => {
            let options = vrrpd::Options {
                log,
                parent,
                reload,
                keep_privileges: false,
                keep_addresses: arguments.keep_addresses,
                dump: arguments.dump,
                address_monitoring: arguments.address_monitoring,
                control,
            };
            match vrrpd::run(config, options) {
                vrrpd::Exit::Stopped => Exit::Done,
                vrrpd::Exit::Config => Exit::Configuration,
                vrrpd::Exit::Failed => Exit::Failed,
            }
        }
        Part::Director => {
            let options = directord::Options {
                parent,
                reload,
                keep_privileges: false,
                keep_services: arguments.keep_services,
                dump: arguments.dump,
                control,
                ..directord::Options::new(log)
            };
            of_director(directord::run(config, options))
        }
    }
}

/// Runs the director in this process, without changing anything in the kernel: no parent, no pid files, no socket.
pub(super) fn dry_run(program: &str, arguments: &Arguments) -> Exit {
    let reading = match Reading::of_files(arguments) {
        Ok(reading) => reading,
        Err(line) => {
            eprintln!("{program}: {line}");
            return Exit::Configuration;
        }
    };
    let log = LogOptions {
        console: true,
        facility: None,
        ..journal::options(arguments, Some(Part::Director), &pids::suffix(&reading.config.global))
    };
    journal::write(&Log::new(log.clone()), &reading.lines);
    if reading.refused {
        return if reading.is_missing() { Exit::Missing } else { Exit::Configuration };
    }
    let (again, lines) = (arguments.clone(), log.clone());
    let reload: directord::Reload = Box::new(move || {
        let reading = Reading::of_disk(&again);
        journal::write(&Log::new(lines.clone()), &reading.lines);
        (!reading.refused).then_some(reading.config)
    });
    let options = directord::Options {
        reload: Some(reload),
        keep_privileges: true,
        dump: arguments.dump,
        dry_run: true,
        ..directord::Options::new(log)
    };
    of_director(directord::run(reading.config, options))
}

fn of_director(exit: directord::Exit) -> Exit {
    match exit {
        directord::Exit::Stopped => Exit::Done,
        directord::Exit::Config => Exit::Configuration,
        directord::Exit::Failed => Exit::Failed,
    }
}

/// A configuration as the process of a part has to take it: both write to the pipe of `notify_fifo`, and one of them runs
/// the script that reads it, the director if it runs.
fn own(part: Part, arguments: &Arguments, mut config: Config) -> Config {
    if part == Part::Vrrp
        && Part::Director.is_wanted(arguments.roles, &config)
        && let Some(fifo) = &mut config.global.notify_fifo
    {
        fifo.script = None;
    }
    config
}

/// The parent's socket at a number above those of other sockets: it is the first to be closed if this process is killed,
/// and the parent need not wait for the others to see that.
fn raised(socket: OwnedFd) -> OwnedFd {
    process::duplicate_from(&socket, HIGH).unwrap_or(socket)
}

/// What SIGHUP does: the parent has sent another configuration before it.
fn reloader(
    part: Part,
    arguments: Arguments,
    socket: OwnedFd,
    log: LogOptions,
) -> Box<dyn FnMut() -> Option<Config>> {
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
        Some(own(part, &arguments, reading.settle()))
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
