//! One router of a pair: a host, and the program that runs on it.

use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::lab::{Host, Lab, Process};

/// Nothing takes as long; what does is stuck.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so; looks seldom enough not to be a burden itself.
pub(crate) fn until(what: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "did not happen in time: {}", what());
        std::thread::park_timeout(Duration::from_millis(25));
    }
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `evenkeel vrrp`.
    Evenkeel,
    /// Ours, called as `keepalived`.
    CalledKeepalived,
    /// Debian's.
    Keepalived,
}

/// One router.
pub(crate) struct Node {
    process: Option<Process>,
    pub(crate) host: Host,
    pub(crate) program: Program,
    /// `a` or `b`: what `-i` is given, for lines of the configuration that are only for one.
    name: &'static str,
    pub(crate) directory: PathBuf,
    fifo: File,
    logs: Vec<PathBuf>,
}

impl Node {
    pub(crate) fn new(lab: &Lab, host: &Host, name: &'static str, program: Program) -> Self {
        let directory = lab.directory().join(name);
        std::fs::create_dir(&directory).unwrap();
        let fifo = directory.join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        // Held open for reading and writing: there is always a reader, and never an end.
        let flags = OFlag::O_NONBLOCK.bits();
        let fifo = File::options().read(true).write(true).custom_flags(flags).open(fifo).unwrap();
        for script in ["notify", "master", "backup", "fault", "stop", "group"] {
            let text = format!("#!/bin/sh\necho \"{script} $@\" >> {}/{script}.told\n", directory.display());
            write_script(&directory.join(script), &text);
        }
        Self { process: None, host: host.clone(), program, name, directory, fifo, logs: Vec::new() }
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.program != Program::Keepalived
    }

    /// Writes the configuration that is read next; `{DIR}` becomes the node's directory.
    pub(crate) fn configure(&self, config: &str) {
        let text = config.replace("{DIR}", &self.directory.display().to_string());
        std::fs::write(self.directory.join("conf"), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    pub(crate) fn start(&mut self, lab: &Lab) {
        assert!(self.process.is_none(), "it runs");
        let ours = Path::new(env!("CARGO_BIN_EXE_evenkeel"));
        let (program, words): (PathBuf, &[&str]) = match self.program {
            Program::Evenkeel => (ours.to_owned(), &["vrrp"]),
            Program::CalledKeepalived => {
                let link = self.directory.join("keepalived");
                let _ = std::fs::remove_file(&link);
                std::os::unix::fs::symlink(ours, &link).unwrap();
                (link, &[])
            }
            Program::Keepalived => ("/usr/sbin/keepalived".into(), &[]),
        };
        let (conf, main, vrrp) = (self.path("conf"), self.path("main.pid"), self.path("vrrp.pid"));
        // Pid files that stay from a killed process may name any process by now.
        let _ = std::fs::remove_file(&main);
        let _ = std::fs::remove_file(&vrrp);
        let mut command = self.host.command(program);
        command.args(words).args(["-n", "-l", "-D", "-i", self.name, "-f", &conf, "-p", &main, "-r", &vrrp]);
        command.env("TMPDIR", &self.directory);
        let log = format!("{}/{}.log", self.name, self.logs.len());
        let process = self.host.start_with(lab, &log, &mut command);
        self.logs.push(process.output.clone());
        self.process = Some(process);
    }

    /// Ends it in all order.
    pub(crate) fn stop(&mut self) {
        let status = self.process.take().expect("a running program").stop();
        assert!(status.success(), "{:?} {}: {status}: {}", self.program, self.name, self.log());
    }

    /// The program reads its configuration again.
    pub(crate) fn reload(&self, config: &str) {
        self.configure(config);
        self.signal(Signal::SIGHUP);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("a running program").signal(signal);
    }

    /// What it logged, in all its lives.
    pub(crate) fn log(&self) -> String {
        self.logs
            .iter()
            .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned())
            .collect()
    }

    /// How often a line with these words was logged.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.log().lines().filter(|line| line.contains(words)).count()
    }

    /// Waits for the `times`th line with these words.
    pub(crate) fn logs(&self, words: &str, times: usize) {
        let what =
            || format!("{} ({:?}) logs {words:?} {times} times: {}", self.name, self.program, self.log());
        until(what, || self.count(words) >= times);
    }

    /// The states an instance entered, in order.
    pub(crate) fn states(&self, instance: &str) -> Vec<String> {
        let words = format!("({instance}) Entering ");
        let log = self.log();
        let states = log.lines().filter_map(|line| line.split_once(&words)?.1.split(' ').next());
        states.map(str::to_owned).collect()
    }

    pub(crate) fn is_in(&self, instance: &str, state: &str) -> bool {
        self.states(instance).last().is_some_and(|last| last == state)
    }

    /// The lines that the FIFO was given since the last call.
    pub(crate) fn fifo(&self) -> Vec<String> {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count) = (&self.fifo).read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }

    /// With which words each notify script was called, in order.
    pub(crate) fn scripts(&self) -> Vec<String> {
        let told = |name: &&str| {
            std::fs::read_to_string(self.directory.join(format!("{name}.told"))).unwrap_or_default()
        };
        let text: String =
            ["notify", "master", "backup", "fault", "stop", "group"].iter().map(told).collect();
        text.lines().map(str::to_owned).collect()
    }

    /// The statistics of its only instance, as SIGUSR2 makes it write them, by section and name.
    pub(crate) fn statistics(&self) -> BTreeMap<String, u64> {
        let path = self.directory.join("keepalived.stats");
        let _ = std::fs::remove_file(&path);
        let mut found = BTreeMap::new();
        let mut looks = 0;
        until(
            || format!("{} ({:?}) writes statistics", self.name, self.program),
            || {
                // Again each so often: keepalived forgets signals while it reloads.
                if looks % 20 == 0 {
                    self.signal(Signal::SIGUSR2);
                }
                looks += 1;
                found = parse(&std::fs::read_to_string(&path).unwrap_or_default());
                found.contains_key("Priority Zero: Sent")
            },
        );
        found
    }
}

/// Writes an executable file. Through a process: one that is written here could be open for writing in a child that
/// another thread has just forked, and then nobody may execute it.
pub(crate) fn write_script(path: &Path, text: &str) {
    let temporary = path.with_extension("text");
    std::fs::write(&temporary, text).unwrap();
    let status = std::process::Command::new("install").args(["-m", "755"]).arg(&temporary).arg(path).status();
    assert!(status.unwrap().success());
}

fn parse(text: &str) -> BTreeMap<String, u64> {
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(':') else { continue };
        match value.trim().parse() {
            Ok(number) if line.starts_with("    ") => found.insert(format!("{section}: {name}"), number),
            Ok(number) => found.insert(name.to_owned(), number),
            Err(_) => {
                section = name;
                None
            }
        };
    }
    found
}
