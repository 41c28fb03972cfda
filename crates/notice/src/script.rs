//! Programs that are run: their start, their time limit, their end.

use crate::account::{Accounts, RunAs};
use crate::log::Log;
use crate::security;
use ek_time::Duration;
use keepalived_conf::model;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use reactor::child::{self, Child, SpawnOptions};
use reactor::{now, timeout_at};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// A program ready to be run: found, allowed, its user looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file.
    path: PathBuf,
    /// The arguments as configured, the program's name first.
    argv: Vec<String>,
    user: RunAs,
    /// Bits that its new files do not get.
    file_mask: u32,
}

/// Makes programs of a configuration's scripts.
#[derive(Debug)]
pub struct Programs<'a> {
    accounts: Accounts,
    security: bool,
    use_symlink_paths: bool,
    file_mask: u32,
    log: &'a Log,
}

impl<'a> Programs<'a> {
    /// By the configuration's `script_user`, `enable_script_security` and so on.
    pub fn new(global: &model::Global, log: &'a Log) -> Self {
        Self {
            accounts: Accounts::new(global),
            security: global.script_security,
            use_symlink_paths: global.use_symlink_paths,
            // keepalived's own mask, which its scripts inherit.
            file_mask: global.umask.unwrap_or(0o177),
            log,
        }
    }

    /// Whom new files of a FIFO and the like belong to.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Looks a script over; `None`, with the reason in the log, when it must not run. `what` is what it is called there:
    /// `notify script /x`.
    pub fn prepare(&self, script: &model::Script, what: &str) -> Option<Program> {
        let Some(user) = self.accounts.of(script) else {
            self.log.info(format_args!("Unable to set default user for {what} - ignoring"));
            return None;
        };
        let verdict = security::inspect(script, &user, self.use_symlink_paths);
        for line in &verdict.lines {
            self.log.info(line);
        }
        if verdict.insecure && self.security {
            self.log.info(format_args!("Disabling {what} due to insecure"));
            return None;
        }
        let Some(path) = verdict.program else {
            self.log.info(format_args!("Disabling {what} since not found/accessible"));
            return None;
        };
        if !verdict.executable {
            return None;
        }
        Some(Program { path, argv: script.command.clone(), user, file_mask: self.file_mask })
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this exit status.
    Exited(i32),
    /// By a signal that it was not sent from here.
    Killed(i32),
    /// It took too long and was ended.
    TimedOut,
}

impl Outcome {
    /// The exit status was 0.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// Variables between this process, its parent and the service manager: a script that starts this program, or one that
/// notifies the manager, must not be taken for one of them.
const PRIVATE: [&str; 2] = ["EVENKEEL_ROLE", "NOTIFY_SOCKET"];

/// How long a program may take to end after SIGTERM, and after SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

impl Program {
    /// Its arguments as keepalived shows them: each in single quotes.
    pub fn shown(&self) -> String {
        let words: Vec<_> = self.argv.iter().map(|word| format!("'{word}'")).collect();
        words.join(" ")
    }

    /// The file that is executed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whom it runs as.
    pub fn user(&self) -> &RunAs {
        &self.user
    }

    /// Starts it, with `more` arguments, in a process group of its own: no input, output or descriptor of ours, nor our
    /// scheduling; its environment is ours, but for what concerns this program alone.
    ///
    /// # Errors
    /// Those of starting it.
    pub fn start(&self, more: &[&str]) -> io::Result<Run> {
        self.start_as(more, None)
    }

    /// The same, for a program that has nothing to do without this process: it gets SIGTERM when this process ends, even by
    /// surprise.
    ///
    /// # Errors
    /// Those of starting it.
    pub fn start_attached(&self, more: &[&str]) -> io::Result<Run> {
        self.start_as(more, Some(Signal::SIGTERM as i32))
    }

    fn start_as(&self, more: &[&str], death_signal: Option<i32>) -> io::Result<Run> {
        let mut command = Command::new(&self.path);
        if let Some((name, arguments)) = self.argv.split_first() {
            command.arg0(name).args(arguments);
        }
        for name in PRIVATE {
            command.env_remove(name);
        }
        command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let options = SpawnOptions {
            own_group: true,
            death_signal,
            file_mask: Some(self.file_mask),
            user: Some(child::RunAs { uid: self.user.uid, gid: self.user.gid, groups: &self.user.groups }),
            ..SpawnOptions::default()
        };
        Ok(Run(child::spawn(&mut command, &options)?))
    }
}

/// A program that runs. Dropping it lets it run on, and it is reaped all the same.
#[derive(Debug)]
pub struct Run(Child);

impl Run {
    /// Its process id, which is also that of its group.
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Signals it and all it has started. (It has not been reaped, so the number is still its.)
    pub fn signal(&self, signal: Signal) {
        Self::signal_group(self.pid(), signal);
    }

    /// Signals a run by its process id, which must not have been reaped.
    pub fn signal_group(pid: u32, signal: Signal) {
        // It may have ended; then there is nobody to signal.
        let _ = killpg(Pid::from_raw(pid as i32), signal);
    }

    /// Waits for its end; after `limit` it gets SIGTERM, and if that does not help SIGKILL, with all it has started.
    /// `late` is called when the limit is reached.
    pub async fn ended(mut self, limit: Duration, late: impl FnOnce()) -> Outcome {
        if let Ok(status) = timeout_at(now() + limit, self.0.exited()).await {
            return outcome(status);
        }
        late();
        self.signal(Signal::SIGTERM);
        if timeout_at(now() + GRACE, self.0.exited()).await.is_err() {
            self.signal(Signal::SIGKILL);
            // What cannot be killed (it waits for a dead disk) is left to the reactor, which reaps it when it ends.
            let _ = timeout_at(now() + GRACE, self.0.exited()).await;
        }
        Outcome::TimedOut
    }

    /// Waits for its end, however long it takes.
    pub async fn wait(mut self) -> Outcome {
        outcome(self.0.exited().await)
    }
}

fn outcome(status: io::Result<ExitStatus>) -> Outcome {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Outcome::Exited(code),
            (None, Some(signal)) => Outcome::Killed(signal),
            (None, None) => Outcome::Exited(1),
        },
        Err(_) => Outcome::Exited(1),
    }
}
