//! `evenkeel proxy`, and `haproxy`: what the command line asks for.

mod api;
mod arguments;
mod channel;
mod client;
mod console;
mod getsocks;
mod handover;
mod limits;
pub(crate) mod master;
pub(crate) mod plan;
mod privileges;
pub(crate) mod startup;
mod succession;
mod worker;

use crate::haproxy::arguments::{Arguments, Stop};
use crate::haproxy::startup::Loaded;
use crate::haproxy::succession::{Program, Role};
use crate::message::{Messages, reason};
use crate::pidfile::Pidfile;
use crate::version;
use reactor::process::{self, Background};
use std::io::Write as _;
use std::process::ExitCode;

/// Runs the command line `words` of the program that was called as `program`.
pub(crate) fn main(program: &str, words: &[String]) -> ExitCode {
    let role = Role::of_environment();
    if role == Some(Role::Probe) {
        return print(&succession::introduction());
    }
    let messages = Messages::new();
    let arguments = match Arguments::parse(words.iter().map(String::as_str)) {
        Ok(arguments) => arguments,
        Err(Stop::Version { long }) => return print(&if long { version::long() } else { version::short() }),
        Err(Stop::Refused(text)) => {
            messages.alert(text);
            return ExitCode::FAILURE;
        }
        Err(Stop::Usage(alerts)) => {
            for text in alerts {
                messages.alert(text);
            }
            return usage(program);
        }
    };
    if arguments.quiet && !arguments.verbose {
        messages.silence();
    }
    // Executed from /proc/self/exe, a worker is named after that; scripts look for the name they know.
    let _ = process::set_name(if program == "haproxy" { "haproxy" } else { "evenkeel" });
    match role {
        Some(Role::Worker) => return worker::run(&arguments),
        Some(Role::Successor(state)) => return master::resume(&arguments, messages, state),
        Some(Role::Probe) | None => {}
    }
    let here = Program::find();
    if let Some(directory) = &arguments.directory
        && let Err(error) = std::env::set_current_dir(directory)
    {
        messages.alert(format_args!(
            "Could not change to directory {} : {}",
            directory.display(),
            reason(&error)
        ));
        return ExitCode::FAILURE;
    }
    if let Some(condition) = &arguments.condition {
        return evaluate(condition, &arguments, &messages);
    }
    if arguments.inputs.is_empty() {
        return usage(program);
    }
    let Some(loaded) = startup::load(&arguments, &messages) else { return ExitCode::FAILURE };
    if loaded.config.global.quiet {
        messages.silence();
    }
    if arguments.check {
        return check(&arguments, &loaded);
    }
    if !loaded.listens() {
        messages.alert("[haproxy.main()] No enabled listener found (check for 'bind' directives) ! Exiting.");
        return ExitCode::FAILURE;
    }
    run(&arguments, loaded, messages, here)
}

fn run(arguments: &Arguments, loaded: Loaded, messages: Messages, program: Program) -> ExitCode {
    let global = &loaded.config.global;
    startup::warn_of_power(&loaded, &messages);
    let daemon = (arguments.daemon || global.daemon) && !arguments.foreground && !arguments.debug;
    let background = match daemon.then(process::daemonize).transpose() {
        Ok(background) => background,
        Err(error) => {
            messages.alert(format_args!("[haproxy.main()] Cannot fork: {}.", reason(&error)));
            return ExitCode::FAILURE;
        }
    };
    if arguments.master || global.master_worker {
        return master::run(arguments, loaded, messages, background, program);
    }
    alone(arguments, loaded, messages, background)
}

/// One process that is its own worker.
fn alone(
    arguments: &Arguments,
    loaded: Loaded,
    messages: Messages,
    background: Option<Background>,
) -> ExitCode {
    // Before binding, which takes descriptors.
    if let Err(text) = limits::room(&loaded.config, loaded.threads()) {
        messages.alert(text);
        return ExitCode::FAILURE;
    }
    let Some(plan) = handover::bind(arguments, &loaded, &messages) else { return ExitCode::FAILURE };
    let pidfile = match loaded.config.global.pidfile.as_deref().map(Pidfile::write).transpose() {
        Ok(pidfile) => pidfile,
        Err(text) => {
            messages.alert(text);
            return ExitCode::FAILURE;
        }
    };
    let ready = |messages: &Messages| {
        handover::release_old(arguments);
        if let Some(background) = background {
            let _ = process::detach_stdio();
            messages.silence();
            let _ = background.ready();
        }
    };
    let end = worker::serve(arguments, loaded, plan, messages, None, ready);
    drop(pidfile);
    end.exit()
}

/// `-cc`: 0 when the condition holds, 1 when not, 2 when it is none.
fn evaluate(condition: &str, arguments: &Arguments, messages: &Messages) -> ExitCode {
    match haproxy_cfg::evaluate_condition(condition, &startup::context(arguments, &[])) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            messages.alert(format_args!("config : Failed to evaluate condition: {}", error.message));
            ExitCode::from(2)
        }
    }
}

/// `-c` of a configuration without errors. Like HAProxy 3.5, it says so only with `-V`.
fn check(arguments: &Arguments, loaded: &Loaded) -> ExitCode {
    let say = |text: &str| {
        if arguments.verbose {
            let _ = print(text);
        }
    };
    if loaded.warnings > 0 {
        say("Warnings were found.\n");
    }
    if loaded.listens() {
        say("Configuration file is valid\n");
        return ExitCode::SUCCESS;
    }
    say("Configuration file has no error but will not start (no listener) => exit(2).\n");
    ExitCode::from(2)
}

fn usage(program: &str) -> ExitCode {
    let _ = print(&version::short());
    let _ = std::io::stderr().write_all(version::usage(program).as_bytes());
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
