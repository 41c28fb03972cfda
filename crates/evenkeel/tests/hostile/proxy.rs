//! The program under test, what it says of itself and what it holds.

use crate::{DEADLINE, until};
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use testkit::lane::free_address;
use testkit::proc;
use testkit::program::Directory;
use testkit::sink::Sink;

/// A running proxy and its log.
pub(crate) struct Proxy {
    child: Child,
    /// Its standard output, when it was asked for.
    pub(crate) stdout: Option<std::process::ChildStdout>,
    /// Where `{web}` is.
    pub(crate) web: SocketAddr,
    /// Where `{other}` is.
    pub(crate) other: SocketAddr,
    /// What `{log}` received.
    pub(crate) log: Sink,
    directory: Directory,
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Kibibytes of resident memory.
    pub(crate) memory: u64,
}

/// Descriptors that a worker keeps for later: 32 pipes each of two threads.
const KEPT: usize = 2 * 2 * 32;

/// What every configuration begins with.
const GLOBAL: &str = "\
global
    stats socket {dir}/stats.sock level admin
    stats timeout 60s
    nbthread 2
    log {log} local0
";

impl Proxy {
    /// Starts it with a configuration that follows the lines of `global` (which `config` may go on with) and in which
    /// `{web}`, `{other}`, `{log}` and `{dir}` are replaced.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(&["-db"], config, Stdio::null())
    }

    pub(crate) fn start_with(flags: &[&str], config: &str, stdout: Stdio) -> Self {
        let directory = Directory::new().unwrap();
        let (web, other, log) = (free_address(), free_address(), Sink::start());
        let text = format!("{GLOBAL}{config}")
            .replace("{web}", &web.to_string())
            .replace("{other}", &other.to_string())
            .replace("{log}", &log.address().to_string())
            .replace("{dir}", &directory.path.display().to_string());
        std::fs::write(directory.path.join("proxy.cfg"), text).unwrap();
        // `EVENKEEL_TEST_SUBJECT=haproxy` shows how haproxy fares; what only we promise then fails.
        let haproxy = std::env::var_os("EVENKEEL_TEST_SUBJECT").is_some_and(|subject| subject == "haproxy");
        let mut command = Command::new(if haproxy { "haproxy" } else { env!("CARGO_BIN_EXE_evenkeel") });
        let mut child = command
            .args((!haproxy).then_some("proxy"))
            .args(flags)
            .args(["-f", "proxy.cfg"])
            .current_dir(&directory.path)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(File::create(directory.path.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take();
        let mut proxy = Self { child, stdout, web, other, log, directory };
        let end = Instant::now() + DEADLINE;
        while proxy.try_ask("show info").is_err() {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "it does not start: {ended:?} {}", proxy.said());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        proxy
    }

    /// What it wrote to standard error.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.file("stderr")).unwrap_or_default()
    }

    /// A file in its directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path.join(name)
    }

    /// The process that was started: the master under `-W`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processes it has started.
    pub(crate) fn children(&self) -> Vec<u32> {
        let pid = self.pid();
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The answer of the runtime API.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut answer = None;
        until("the runtime API answers", || {
            answer = self.try_ask(command).ok().filter(|text| !text.is_empty());
            answer.is_some()
        });
        answer.unwrap()
    }

    fn try_ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(self.file("stats.sock"))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        writeln!(stream, "{command}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A figure of `show info`.
    pub(crate) fn info(&self, name: &str) -> u64 {
        let answer = self.ask("show info");
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {answer}")).parse().unwrap()
    }

    /// A column of `show stat`, by the names of section and server (or `FRONTEND`, `BACKEND`).
    pub(crate) fn stat(&self, section: &str, server: &str, field: &str) -> String {
        let answer = self.ask("show stat");
        let mut lines = answer.lines();
        let header = lines.next().unwrap().trim_start_matches("# ");
        let place = header.split(',').position(|name| name == field).unwrap();
        let row = lines.find(|line| line.starts_with(&format!("{section},{server},")));
        row.unwrap_or_else(|| panic!("no {section}/{server} in {answer}"))
            .split(',')
            .nth(place)
            .unwrap()
            .to_owned()
    }

    /// All that is counted as present: connections, streams on servers, streams that wait.
    pub(crate) fn present(&self) -> Vec<String> {
        let mut present = Vec::new();
        let connections = self.info("CurrConns");
        if connections != 0 {
            present.push(format!("CurrConns {connections}"));
        }
        let answer = self.ask("show stat");
        let mut lines = answer.lines();
        let header: Vec<&str> = lines.next().unwrap().trim_start_matches("# ").split(',').collect();
        for line in lines.filter(|line| !line.is_empty()) {
            for (name, value) in header.iter().zip(line.split(',')) {
                if ["scur", "qcur"].contains(name) && !["0", ""].contains(&value) {
                    let row: Vec<&str> = line.split(',').take(2).collect();
                    present.push(format!("{} {name} {value}", row.join("/")));
                }
            }
        }
        present
    }

    /// What the process holds now.
    pub(crate) fn held(&self) -> Held {
        Held {
            descriptors: proc::descriptors(self.pid()).unwrap(),
            memory: proc::resident_kib(self.pid()).unwrap(),
        }
    }

    /// Waits until nothing is counted as present and all descriptors are given back but those kept for later.
    pub(crate) fn settles(&self, before: Held) -> Held {
        let mut present = self.present();
        let end = Instant::now() + DEADLINE;
        loop {
            let held = self.held();
            if present.is_empty() && held.descriptors <= before.descriptors + KEPT {
                return held;
            }
            assert!(
                Instant::now() < end,
                "it does not settle: {present:?}, {held:?} after {before:?}\n{}",
                self.said()
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
            present = self.present();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- said:\n{}", self.said());
            let count = self.log.len();
            eprintln!("--- logged:\n{}", self.log.lines(count.saturating_sub(20), count).join("\n"));
        }
        for child in self.children() {
            proc::signal(child, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The termination state of a log line: its first word of four characters of which two are causes.
pub(crate) fn state(line: &str) -> &str {
    let mut words = line.split(' ');
    words
        .find(|word| word.len() == 4 && word.ends_with("--") && !word.starts_with("0"))
        .unwrap_or_else(|| panic!("no termination state: {line}"))
}
