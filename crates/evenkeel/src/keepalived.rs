//! `keepalived`'s command line, `evenkeel vrrp` and `evenkeel director`: the process that reads the configuration and
//! watches, and the processes of its parts that it starts.

mod arguments;
mod config_test;
mod facility;
mod help;
mod journal;
mod parent;
mod part;
mod pids;
mod reading;
mod role;
mod snapshot;
mod status;

use crate::haproxy::startup::ROLE;
use arguments::{Arguments, Stop};
use part::Part;
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

/// Called as `keepalived`.
pub(crate) fn main(words: &[String]) -> ExitCode {
    start("keepalived", words, |_| {})
}

/// `evenkeel vrrp`: the same, without the director; and its tools.
pub(crate) fn vrrp(words: &[String]) -> ExitCode {
    match words.split_first() {
        Some((first, rest)) if first == "status" => status::vrrp(rest),
        _ => start("evenkeel vrrp", words, |arguments| arguments.roles.vrrp = true),
    }
}

/// `evenkeel director`: the same, without VRRP; and its tools.
pub(crate) fn director(words: &[String]) -> ExitCode {
    const PROGRAM: &str = "evenkeel director";
    match words.split_first() {
        Some((first, rest)) if first == "status" => return status::director(rest),
        Some((first, rest)) if first == "explain" => return status::explain(rest),
        _ => {}
    }
    let mut dry_run = false;
    let mut words = words.to_vec();
    words.retain(|word| {
        let is = word == "--dry-run";
        dry_run |= is;
        !is
    });
    if !dry_run {
        return start(PROGRAM, &words, |arguments| arguments.roles.checkers = true);
    }
    let mut arguments = match Arguments::parse(&words) {
        Ok(arguments) => arguments,
        Err(stop) => return ended(PROGRAM, stop),
    };
    arguments.start_in(&current_directory());
    arguments.foreground = true;
    arguments.complaints.iter().for_each(|line| eprintln!("{line}"));
    role::dry_run(PROGRAM, &arguments).into()
}

fn start(program: &str, words: &[String], change: impl FnOnce(&mut Arguments)) -> ExitCode {
    let mut arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(stop) => return ended(program, stop),
    };
    change(&mut arguments);
    if let Some(part) = std::env::var(ROLE).ok().and_then(|role| Part::of_role(&role)) {
        return role::main(part, &arguments).into();
    }
    arguments.start_in(&current_directory());
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

/// Where the program was started; the root, if that is gone.
fn current_directory() -> std::path::PathBuf {
    std::env::current_dir().unwrap_or_else(|_| "/".into())
}

/// What a command line asked for that starts nothing.
fn ended(program: &str, stop: Stop) -> ExitCode {
    let (text, code) = match stop {
        Stop::Version => (help::version(), 0),
        Stop::Help => (help::usage(program), 0),
        Stop::SignalNumber(Ok(number)) => return crate::print(&format!("{number}\n")),
        Stop::SignalNumber(Err(name)) => (format!("Unknown sigfunc {name}\n"), 1),
        Stop::Genhash { words, first } => {
            if !first {
                eprintln!("Warning -- `genhash` not used as first option, previous options ignored");
            }
            return crate::genhash::main(&format!("{program} --genhash"), &words);
        }
        Stop::Usage(line) => (format!("{line}\n"), 1),
    };
    // A reader that went away is no failure.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
