//! A master makes the file that it was started from its own program again, so that a new version serves after a reload.
//!
//! The process stays the same: its number, its children, its descriptors. What the program knew goes with the
//! descriptors, in a memory file whose number stands in the environment. Before that, the new file is asked what it is:
//! one that cannot run here, or is another program, must not take the place of a master that works.

use crate::haproxy::plan::{Plan, Reader, Writer};
use crate::haproxy::startup::{ROLE, STARTED_AS};
use crate::message::reason;
use crate::version;
use ek_time::Instant;
use reactor::Stream;
use reactor::child::{self, SpawnOptions};
use reactor::process;
use std::env;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// First bytes of what is handed on, and what a program answers that can take it; the number rises with the layout.
const MAGIC: &str = "evenkeel master 1\n";
/// How long a program may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of its answer that are looked at.
const ANSWER: usize = 256;

/// What this process was executed as, by another of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To serve.
    Worker,
    /// To say what it is.
    Probe,
    /// To be the master that it was before; the number of the memory file.
    Successor(RawFd),
}

impl Role {
    /// That of this process; `None` when a user started it.
    pub(crate) fn of_environment() -> Option<Self> {
        Self::parse(env::var_os(ROLE)?.to_str()?)
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "worker" => Some(Self::Worker),
            "probe" => Some(Self::Probe),
            _ => text.strip_prefix("successor ")?.parse().ok().map(Self::Successor),
        }
    }
}

/// The answer of a [`Role::Probe`].
pub(crate) fn introduction() -> String {
    format!("{MAGIC}{}\n", version::compound())
}

/// Where the program is found that this process was started from.
#[derive(Clone, Debug)]
pub(crate) struct Program(PathBuf);

impl Program {
    /// As the shell found it, if that is what runs; otherwise as the kernel names it. To be asked before the working
    /// directory changes.
    pub(crate) fn find() -> Self {
        let this = fs::metadata("/proc/self/exe").ok().map(|file| (file.dev(), file.ino()));
        let runs = |path: &PathBuf| {
            this.is_some() && fs::metadata(path).ok().map(|file| (file.dev(), file.ino())) == this
        };
        let called = env::args_os().next().unwrap_or_default();
        let here = env::current_dir().unwrap_or_default();
        let found = if called.as_bytes().contains(&b'/') {
            Some(here.join(&called)).filter(runs)
        } else {
            let path = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&path).map(|folder| here.join(folder).join(&called)).find(runs)
        };
        Self(found.or_else(|| env::current_exe().ok()).unwrap_or_else(|| "/proc/self/exe".into()))
    }

    /// Runs it to hear what it is, so that it would take over.
    ///
    /// # Errors
    /// In words that can be shown.
    pub(crate) async fn probe(&self) -> Result<(), String> {
        let path = self.0.display();
        let failed = |error: io::Error| format!("cannot execute {path}: {}", reason(&error));
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut words = env::args_os();
        let mut command = Command::new(&self.0);
        command.arg0(words.next().unwrap_or_default());
        // A program that does not know the question answers another, and does nothing else.
        command.args(words.next().filter(|word| word == "proxy")).arg("-v");
        command.env(ROLE, "probe").stdin(Stdio::null()).stdout(Stdio::from(OwnedFd::from(theirs)));
        let mut child = child::spawn(&mut command, &SpawnOptions::default()).map_err(failed)?;
        drop(command);
        ours.set_nonblocking(true).map_err(failed)?;
        let answers = Stream::from_fd(OwnedFd::from(ours)).map_err(failed)?;
        let answer = reactor::timeout_at(reactor::now() + PATIENCE, read(&answers)).await;
        let answer = answer.unwrap_or_default();
        // It has said what was to be said. It is waited for, so that the program that follows has no child it does not know.
        let _ = child.kill(reactor::signal::SIGKILL);
        let _ = child.exited().await;
        if answer.starts_with(MAGIC.as_bytes()) {
            return Ok(());
        }
        let first = String::from_utf8_lossy(&answer);
        let first = first.lines().next().unwrap_or_default();
        Err(format!("{path} cannot take over from this version; it answers '{first}'"))
    }

    /// Executes it in the place of this program, which hands on `held`; returns only when that fails.
    pub(crate) fn execute(&self, held: &Held<'_>) -> String {
        let failed = |error: io::Error| format!("cannot execute {}: {}", self.0.display(), reason(&error));
        let file = match process::memory_file("evenkeel-master", &held.encode(&self.0)) {
            Ok(file) => file,
            Err(error) => return failed(error),
        };
        let passed: Vec<BorrowedFd<'_>> = held.descriptors().chain([file.as_fd()]).collect();
        let opened = passed.iter().try_for_each(|fd| process::set_inheritable(*fd, true));
        let error = opened.err().unwrap_or_else(|| self.replace(file.as_raw_fd()));
        for fd in passed {
            // What is passed on by mistake later is no harm: programs take what they are told of only.
            let _ = process::set_inheritable(fd, false);
        }
        failed(error)
    }

    fn replace(&self, file: RawFd) -> io::Error {
        let ours = |name: &OsString| name == ROLE || name == STARTED_AS;
        let mut variables: Vec<OsString> = env::vars_os()
            .filter(|(name, _)| !ours(name))
            .map(|(mut name, value)| {
                name.push("=");
                name.push(value);
                name
            })
            .collect();
        variables.push(format!("{ROLE}=successor {file}").into());
        variables.push(format!("{STARTED_AS}={}", crate::haproxy::startup::started_as()).into());
        let words = |list: Vec<OsString>| -> Result<Vec<CString>, std::ffi::NulError> {
            list.into_iter().map(|word| CString::new(word.into_vec())).collect()
        };
        let path = CString::new(self.0.as_os_str().as_bytes());
        match (path, words(env::args_os().collect()), words(variables)) {
            // Not through `Command`, which would let blocked signals through on the way.
            (Ok(path), Ok(arguments), Ok(variables)) => {
                match nix::unistd::execve(&path, &arguments, &variables) {
                    Ok(never) => match never {},
                    Err(errno) => errno.into(),
                }
            }
            _ => io::ErrorKind::InvalidInput.into(),
        }
    }
}

async fn read(stream: &Stream) -> Vec<u8> {
    let (mut text, mut buffer) = (Vec::new(), [0; ANSWER]);
    while text.len() < ANSWER {
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => text.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await,
            Err(_) => break,
        }
    }
    text
}

/// A worker process, as one master knows it and the next is told.
#[derive(Debug)]
pub(crate) struct HeldWorker<C> {
    pub(crate) pid: u32,
    pub(crate) started: Instant,
    /// Reloads there had been when it was started.
    pub(crate) reloads: u32,
    /// Of the program that it runs.
    pub(crate) version: String,
    /// The socket on which it hears that its master lives.
    pub(crate) channel: C,
}

/// What a master holds, lent for handing it on.
pub(crate) struct Held<'a> {
    pub(crate) plan: &'a Plan,
    /// The master's own sockets, one for each `-S`.
    pub(crate) consoles: Vec<BorrowedFd<'a>>,
    pub(crate) current: Option<HeldWorker<BorrowedFd<'a>>>,
    pub(crate) old: Vec<HeldWorker<BorrowedFd<'a>>>,
    /// Clients who wait to hear how the reload goes.
    pub(crate) asked: Vec<BorrowedFd<'a>>,
    pub(crate) pidfile: Option<&'a Path>,
    pub(crate) started: Instant,
    pub(crate) reloads: u32,
    pub(crate) failed: u32,
    /// The messages of this reload.
    pub(crate) said: String,
}

/// The same, taken by the program that follows.
pub(crate) struct Taken {
    pub(crate) program: Program,
    pub(crate) plan: Plan,
    pub(crate) consoles: Vec<OwnedFd>,
    pub(crate) current: Option<HeldWorker<OwnedFd>>,
    pub(crate) old: Vec<HeldWorker<OwnedFd>>,
    pub(crate) asked: Vec<OwnedFd>,
    pub(crate) pidfile: Option<PathBuf>,
    pub(crate) started: Instant,
    pub(crate) reloads: u32,
    pub(crate) failed: u32,
    pub(crate) said: String,
}

impl<'a> Held<'a> {
    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let workers = self.current.iter().chain(&self.old).map(|worker| worker.channel);
        let clients = self.consoles.iter().chain(&self.asked).copied();
        self.plan.sockets().chain(workers).chain(clients)
    }

    fn encode(&self, program: &Path) -> Vec<u8> {
        let mut out = Writer(MAGIC.into());
        out.bytes(program.as_os_str().as_bytes());
        out.bytes(&self.plan.encode());
        out.descriptors(self.plan.sockets());
        out.descriptors(self.consoles.iter().copied());
        out.descriptors(self.asked.iter().copied());
        for workers in [self.current.as_slice(), &self.old] {
            out.number(workers.len());
            for worker in workers {
                out.number(worker.pid as usize);
                out.instant(worker.started);
                out.number(worker.reloads as usize);
                out.bytes(worker.version.as_bytes());
                out.descriptors([worker.channel].into_iter());
            }
        }
        out.bytes(self.pidfile.map_or(b"".as_slice(), |path| path.as_os_str().as_bytes()));
        out.instant(self.started);
        out.number(self.reloads as usize);
        out.number(self.failed as usize);
        out.bytes(self.said.as_bytes());
        out.0
    }
}

impl Writer {
    fn descriptors<'a>(&mut self, fds: impl Iterator<Item = BorrowedFd<'a>>) {
        let numbers: Vec<RawFd> = fds.map(|fd| fd.as_raw_fd()).collect();
        self.number(numbers.len());
        for number in numbers {
            self.number(usize::try_from(number).unwrap_or(usize::MAX));
        }
    }

    fn instant(&mut self, at: Instant) {
        self.0.extend(at.as_nanos().to_le_bytes());
    }
}

impl Reader<'_> {
    /// The descriptors whose numbers follow; each is inherited, and taken once.
    fn descriptors(&mut self) -> Option<Vec<OwnedFd>> {
        (0..self.number()?).map(|_| process::inherited(RawFd::try_from(self.number()?).ok()?).ok()).collect()
    }

    fn instant(&mut self) -> Option<Instant> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(Instant::from_nanos(u64::from_le_bytes(*bytes)))
    }

    fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn path(&mut self) -> Option<PathBuf> {
        Some(OsString::from_vec(self.bytes()?.to_vec()).into())
    }

    fn workers(&mut self) -> Option<Vec<HeldWorker<OwnedFd>>> {
        let mut workers = Vec::new();
        for _ in 0..self.number()? {
            let (pid, started, reloads, version) =
                (self.small()?, self.instant()?, self.small()?, self.text()?);
            let channel = self.descriptors()?.pop()?;
            workers.push(HeldWorker { pid, started, reloads, version, channel });
        }
        Some(workers)
    }
}

impl Taken {
    /// Takes what the program before this one handed on in the memory file of that number.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn take(number: RawFd) -> io::Result<Self> {
        let mut text = Vec::new();
        File::from(process::inherited(number)?).read_to_end(&mut text)?;
        Self::decode(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let mut from = Reader(text.strip_prefix(MAGIC.as_bytes())?);
        let program = Program(from.path()?);
        let plan = Plan::decode(from.bytes()?)?;
        let sockets = from.descriptors()?;
        if sockets.len() != plan.wanted() {
            return None;
        }
        Some(Self {
            program,
            plan: plan.with(sockets),
            consoles: from.descriptors()?,
            asked: from.descriptors()?,
            current: from.workers()?.pop(),
            old: from.workers()?,
            pidfile: Some(from.path()?).filter(|path| !path.as_os_str().is_empty()),
            started: from.instant()?,
            reloads: from.small()?,
            failed: from.small()?,
            said: from.text()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_on_arrives() {
        let socket = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let (console, channel, asked) = (socket(), socket(), socket());
        let plan = Plan { threads: 3, ..Plan::default() };
        let worker = HeldWorker {
            pid: 7,
            started: Instant::from_nanos(u64::MAX - 1),
            reloads: 2,
            version: "1".to_owned(),
            channel: channel.as_fd(),
        };
        let held = Held {
            plan: &plan,
            consoles: vec![console.as_fd()],
            current: None,
            old: vec![worker],
            asked: vec![asked.as_fd()],
            pidfile: Some(Path::new("/p")),
            started: Instant::from_nanos(1),
            reloads: 5,
            failed: 4,
            said: "said\n".to_owned(),
        };
        let text = held.encode(Path::new("/bin/it"));
        // Nothing is taken that was not meant to be inherited.
        assert!(Taken::decode(&text).is_none());
        let numbers: Vec<RawFd> = held.descriptors().map(|fd| fd.as_raw_fd()).collect();
        assert_eq!(numbers.len(), 3);
        for fd in held.descriptors() {
            process::set_inheritable(fd, true).unwrap();
        }
        drop(held);
        // From here on they are the taker's.
        for fd in [console, channel, asked] {
            let _ = std::os::fd::IntoRawFd::into_raw_fd(fd);
        }
        let taken = Taken::decode(&text).unwrap();
        assert_eq!(taken.program.0, Path::new("/bin/it"));
        assert_eq!((taken.plan.threads, taken.current.is_none(), taken.old.len()), (3, true, 1));
        let old = &taken.old[0];
        assert_eq!((old.pid, old.started, old.reloads), (7, Instant::from_nanos(u64::MAX - 1), 2));
        assert_eq!((taken.reloads, taken.failed, taken.said.as_str()), (5, 4, "said\n"));
        assert_eq!(taken.pidfile.as_deref(), Some(Path::new("/p")));
        assert_eq!(
            numbers,
            [old.channel.as_raw_fd(), taken.consoles[0].as_raw_fd(), taken.asked[0].as_raw_fd()]
        );
    }

    #[test]
    fn roles_are_read() {
        assert_eq!(Role::parse("successor 12"), Some(Role::Successor(12)));
        assert_eq!(Role::parse("worker"), Some(Role::Worker));
        assert_eq!(Role::parse("successor"), None);
    }
}
