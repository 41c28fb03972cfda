//! `keepalived`'s command line and `evenkeel vrrp`: the process that reads the configuration and watches, and the VRRP
//! process that it starts.

mod arguments;
mod config_test;
mod facility;
mod help;
mod journal;
mod parent;
mod pids;
mod reading;
mod role;
mod snapshot;
mod status;

use crate::haproxy::startup::ROLE;
use arguments::{Arguments, Stop};
use std::io::Write as _;
use std::process::ExitCode;

/// How processes end, in keepalived's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// All is well, or another instance runs already.
    Done = 0,
    /// It could not go on.
    Failed = 1,
    /// The configuration cannot be run; trying again does not help.
    Configuration = 2,
    /// `--config-test`: the configuration cannot be read.
    Unreadable = 4,
    /// The configuration is not there; of a test, its scripts are insecure.
    Missing = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The value of [`ROLE`] for the VRRP process.
const VRRP: &str = "vrrp";

/// Called as `keepalived`.
pub(crate) fn main(words: &[String]) -> ExitCode {
    start("keepalived", words, false)
}

/// `evenkeel vrrp`: the same, without the director; and its tools.
pub(crate) fn subcommand(words: &[String]) -> ExitCode {
    match words.split_first() {
        Some((first, rest)) if first == "status" => status::main(rest),
        _ => start("evenkeel vrrp", words, true),
    }
}

fn start(program: &str, words: &[String], vrrp_alone: bool) -> ExitCode {
    let mut arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(stop) => return ended(program, stop),
    };
    arguments.roles.vrrp |= vrrp_alone;
    if std::env::var_os(ROLE).is_some_and(|role| role == VRRP) {
        return role::main(&arguments).into();
    }
    // A directory that is gone leaves the root.
    arguments.start_in(&std::env::current_dir().unwrap_or_else(|_| "/".into()));
    for line in &arguments.complaints {
        eprintln!("{line}");
    }
    if !arguments.extra.is_empty() {
        let _ = writeln!(std::io::stdout(), "Unexpected argument(s): {} ", arguments.extra.join(" "));
    }
    if arguments.test.is_some() {
        return config_test::run(&arguments);
    }
    parent::run(program, arguments).into()
}

/// What a command line asked for that starts nothing.
fn ended(program: &str, stop: Stop) -> ExitCode {
    let (text, code) = match stop {
        Stop::Version => (help::version(), 0),
        Stop::Help => (help::usage(program), 0),
        Stop::SignalNumber(Ok(number)) => return crate::print(&format!("{number}\n")),
        Stop::SignalNumber(Err(name)) => (format!("Unknown sigfunc {name}\n"), 1),
        Stop::Genhash(_) => {
            ("The option --genhash (digests of web pages) is known but not served yet.\n".to_owned(), 1)
        }
        Stop::Usage(line) => (format!("{line}\n"), 1),
    };
    // A reader that went away is no failure.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
