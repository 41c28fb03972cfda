//! Named pipes that get a line for each event (`notify_fifo`, `vrrp_notify_fifo`).

use crate::log::Log;
use crate::script::{Program, Programs, Run};
use keepalived_conf::model;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chown, mkfifo};
use reactor::scheduling::set_file_mask;
use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;
use std::rc::Rc;

/// A pipe, open for writing.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    file: File,
    /// It was made here, and is removed at the end.
    ours: bool,
    /// The script as it was configured.
    wanted: Option<model::Script>,
    /// The last line could not be written: the next failure is not news.
    full: Cell<bool>,
    lost: Cell<u64>,
    script: Option<Program>,
    run: RefCell<Option<reactor::Task<()>>>,
    pid: Rc<Cell<u32>>,
    log: Rc<Log>,
    /// `vrrp notify fifo`, for the log.
    what: &'static str,
}

impl Fifo {
    /// Opens the pipe, making it when it is not there, and starts its script. `None`, with the reason in the log, when
    /// that is impossible.
    pub fn open(
        settings: &model::Fifo,
        what: &'static str,
        programs: &Programs<'_>,
        log: &Rc<Log>,
    ) -> Option<Self> {
        let path = settings.path.clone()?;
        let account = settings.account.as_ref().and_then(|account| programs.accounts().look_up(account));
        // As keepalived's under its file mask: only its owner can read it.
        let old = set_file_mask(0o177);
        let made = mkfifo(&path, Mode::from_bits_truncate(0o644));
        set_file_mask(old);
        let ours = match made {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => {
                log.info(format_args!("Unable to create {what} {} - {}", path.display(), error.desc()));
                return None;
            }
        };
        if let (true, Some(account)) = (ours, account) {
            let owner = (Some(Uid::from_raw(account.uid)), Some(Gid::from_raw(account.gid)));
            if let Err(error) = chown(&path, owner.0, owner.1) {
                log.info(format_args!("Failed to set uid:gid for {what} - {}", error.desc()));
            }
        }
        // Open for both directions: a reader that is not there yet, or restarts, is no error, and finds the lines.
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path);
        let file = file.and_then(|file| {
            let is_fifo = file.metadata()?.file_type().is_fifo();
            if is_fifo { Ok(file) } else { Err(std::io::Error::other("it is no FIFO")) }
        });
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                log.info(format_args!("Unable to open {what} {} - {error}", path.display()));
                return None;
            }
        };
        let fifo = Self {
            path,
            file,
            ours,
            wanted: settings.script.clone(),
            full: Cell::new(false),
            lost: Cell::new(0),
            script: prepare(settings, programs),
            run: RefCell::new(None),
            pid: Rc::new(Cell::new(0)),
            log: log.clone(),
            what,
        };
        fifo.start_script();
        Some(fifo)
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Goes on with other settings for the same pipe: a script that is no longer wanted is ended, another one started.
    pub fn follow(&mut self, settings: &model::Fifo, programs: &Programs<'_>) {
        if words(&self.wanted) == words(&settings.script) {
            return;
        }
        self.end_script();
        self.wanted.clone_from(&settings.script);
        self.script = prepare(settings, programs);
        self.start_script();
    }

    /// What its script does is nothing to wait for any more.
    fn end_script(&self) {
        if self.pid.get() != 0 {
            Run::signal_group(self.pid.get(), nix::sys::signal::Signal::SIGTERM);
        }
    }

    fn start_script(&self) {
        let Some(script) = &self.script else { return };
        let run = match script.start_attached(&[&self.path.to_string_lossy()]) {
            Ok(run) => run,
            Err(error) => {
                self.log.info(format_args!("Unable to run {} script: {error}", self.what));
                return;
            }
        };
        let own = run.pid();
        self.pid.set(own);
        let (log, what, pid) = (self.log.clone(), self.what, self.pid.clone());
        *self.run.borrow_mut() = Some(reactor::spawn_task(async move {
            run.wait().await;
            if pid.get() == own {
                pid.set(0);
            }
            log.info(format_args!("{what} script terminated"));
        }));
    }

    /// Writes a line, which ends with a line feed. When the pipe is full because nobody reads, the line is lost, and the
    /// log says so once.
    pub fn write(&self, line: &str) {
        // At most PIPE_BUF bytes: all of it or nothing.
        match (&self.file).write_all(line.as_bytes()) {
            Ok(()) => {
                if self.full.replace(false) {
                    let lost = self.lost.take();
                    self.log.info(format_args!("{} is read again, {lost} lines were lost", self.what));
                }
            }
            Err(error) => {
                self.lost.set(self.lost.get() + 1);
                if !self.full.replace(true) {
                    self.log.warning(format_args!("Failed to write to {} - {error}", self.what));
                }
            }
        }
    }

    /// Removes the pipe, and lets its script read what is in it before it is ended.
    pub async fn finish(mut self, deadline: ek_time::Instant) {
        if self.ours {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(&self.path);
            self.ours = false;
        }
        let Some(run) = self.run.take() else { return };
        // Readers see the end when nobody can write any more.
        drop(self.file);
        if self.pid.get() != 0 && reactor::timeout_at(deadline, run).await.is_err() && self.pid.get() != 0 {
            Run::signal_group(self.pid.get(), nix::sys::signal::Signal::SIGTERM);
        }
    }

    /// Ends the script and removes the pipe, if it was made here.
    pub fn close(self) {
        self.end_script();
        if self.ours {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The script that is to read the pipe, if it may.
fn prepare(settings: &model::Fifo, programs: &Programs<'_>) -> Option<Program> {
    let script = settings.script.as_ref()?;
    let shown = script.command.first().map_or("", String::as_str);
    programs.prepare(script, &format!("notify fifo script {shown}"))
}

/// What is the same although it may stand elsewhere in the file.
fn words(script: &Option<model::Script>) -> Vec<&str> {
    let Some(script) = script else { return Vec::new() };
    let account = script.account.iter();
    let account = account.flat_map(|account| std::iter::once(&account.user).chain(&account.group));
    script.command.iter().chain(account.map(|name| &name.text)).map(String::as_str).collect()
}
