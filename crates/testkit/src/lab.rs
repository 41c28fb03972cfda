//! Network laboratories: hosts are network namespaces, segments are bridges, all gone when the test ends.
//!
//! Needs root and iproute2: a machine without either fails the test, for passing would claim what was not seen.

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Some hosts and the segments between them. Dropping it ends the processes in them and removes them, also in a panic.
#[derive(Debug)]
pub struct Lab {
    /// What the names of its namespaces begin with.
    prefix: String,
    hosts: Vec<String>,
    directory: crate::program::Directory,
}

/// A host of a lab: a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The namespace's name, under `/run/netns`.
    pub namespace: String,
}

/// A process in a host; ended when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where its standard output and error went.
    pub output: PathBuf,
}

impl Lab {
    /// An empty lab.
    ///
    /// # Panics
    /// Without root, or without `ip`: nothing would be tested.
    #[allow(clippy::new_without_default, reason = "it touches the machine")]
    pub fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "network namespaces need root: run these tests as root, they are not to be skipped"
        );
        let prefix = format!("ek{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = crate::program::Directory::new().expect("a directory for the lab");
        let mut lab = Self { prefix, hosts: Vec::new(), directory };
        // The bridges live in a namespace of their own.
        lab.host("sw");
        lab
    }

    /// Hosts on one segment, as `segment` makes them, in a lab of their own.
    pub fn with_segment(names: &[&str]) -> (Self, Vec<Host>) {
        let mut lab = Self::new();
        let hosts = names.iter().map(|name| lab.host(name)).collect::<Vec<_>>();
        lab.segment("lan", 20, &hosts);
        (lab, hosts)
    }

    /// A directory for files, removed with the lab.
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// Writes a file into the lab's directory; returns its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path.join(name);
        std::fs::write(&path, text).expect("a file of the lab");
        path
    }

    /// Makes a host: a namespace with its loopback up and nothing else.
    pub fn host(&mut self, name: &str) -> Host {
        let namespace = format!("{}-{name}", self.prefix);
        run(Command::new("ip").args(["netns", "add", &namespace]));
        self.hosts.push(namespace.clone());
        let host = Host { namespace };
        host.ip("link set lo up");
        host
    }

    fn switch(&self) -> Host {
        Host { namespace: format!("{}-sw", self.prefix) }
    }

    /// Joins hosts by a bridge. The host at place N (from 1) gets `eM` — the first number free there — with the addresses
    /// 10.NET.0.N/24, fdNET::N/64 (NET written in decimal in both) and fe80::N/64.
    pub fn segment(&self, name: &str, net: u8, hosts: &[Host]) {
        let switch = self.switch();
        // Without a querier, snooping would stop the flooding of multicast advertisements.
        switch.ip(&format!("link add {name} type bridge mcast_snooping 0 forward_delay 0"));
        switch.ip(&format!("link set {name} up"));
        for (number, host) in hosts.iter().enumerate() {
            let number = number + 1;
            let link = (0..).map(|n| format!("e{n}")).find(|link| !host.has_link(link)).unwrap();
            let port = port(name, number);
            let (here, there) = (&host.namespace, &switch.namespace);
            run(Command::new("ip")
                .args(["link", "add", &link, "netns", here, "type", "veth", "peer", "name", &port])
                .args(["netns", there]));
            switch.ip(&format!("link set {port} master {name} up"));
            host.ip(&format!("addr add 10.{net}.0.{number}/24 dev {link}"));
            host.ip(&format!("addr add fd{net}::{number}/64 dev {link} nodad"));
            host.ip(&format!("addr add fe80::{number}/64 dev {link} nodad"));
            host.ip(&format!("link set {link} up"));
        }
    }

    /// Pulls the cable of the host at this place (from 1) of a segment: the host's link loses its carrier.
    pub fn unplug(&self, segment: &str, number: usize) {
        self.switch().ip(&format!("link set {} down", port(segment, number)));
    }

    /// Puts it back.
    pub fn plug(&self, segment: &str, number: usize) {
        self.switch().ip(&format!("link set {} up", port(segment, number)));
    }

    /// Takes the host at this place out of a segment without its noticing: its carrier stays, its packets go nowhere.
    pub fn isolate(&self, segment: &str, number: usize) {
        self.switch().ip(&format!("link set {} nomaster", port(segment, number)));
    }

    /// Puts it back.
    pub fn rejoin(&self, segment: &str, number: usize) {
        self.switch().ip(&format!("link set {} master {segment}", port(segment, number)));
    }
}

fn port(segment: &str, number: usize) -> String {
    format!("{segment}{number}")
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in &self.hosts {
            end_all(namespace);
            // Nothing may panic here; what stays is told.
            let removed = Command::new("ip").args(["netns", "del", namespace]).status();
            if !removed.is_ok_and(|status| status.success()) {
                eprintln!("namespace {namespace} could not be removed");
            }
        }
    }
}

/// The processes that are in a namespace now.
fn pids(namespace: &str) -> Vec<Pid> {
    let Ok(output) = Command::new("ip").args(["netns", "pids", namespace]).output() else {
        return Vec::new();
    };
    let own = std::process::id().to_string();
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter(|pid| *pid != own)
        .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
        .collect()
}

/// Ends what still runs in a namespace: politely for a second, then not.
fn end_all(namespace: &str) {
    for (signal, patience) in [(Signal::SIGTERM, 1_000), (Signal::SIGKILL, 3_000)] {
        let until = Instant::now() + Duration::from_millis(patience);
        let left = pids(namespace);
        for pid in &left {
            let _ = kill(*pid, signal);
            let _ = kill(*pid, Signal::SIGCONT);
        }
        while !left.is_empty() && !pids(namespace).is_empty() && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// Runs a command that must succeed; returns what it wrote.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Host {
    /// A command that will run in this host. Like `ip netns exec`, but without mounts: `/proc/sys/net` and sockets are the
    /// host's, `/sys` is not.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs `ip WORDS` in this host; it must succeed.
    pub fn ip(&self, words: &str) -> String {
        run(Command::new("ip").args(["-n", &self.namespace]).args(words.split_whitespace()))
    }

    /// Runs `ip WORDS` and returns whether it succeeded, and what it said.
    pub fn try_ip(&self, words: &str) -> (bool, String) {
        let mut command = Command::new("ip");
        let output =
            command.args(["-n", &self.namespace]).args(words.split_whitespace()).output().expect("ip");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text.into_owned())
    }

    /// What `ip -j -d WORDS` prints.
    pub fn ip_json(&self, words: &str) -> serde_json::Value {
        let text = self.ip(&format!("-j -d {words}"));
        let text = if text.trim().is_empty() { "[]" } else { text.trim() };
        serde_json::from_str(text).unwrap_or_else(|e| panic!("ip -j {words}: {e}: {text}"))
    }

    /// Runs a program in this host to its end; it must succeed. Returns its output.
    pub fn run(&self, program: &str, words: &[&str]) -> String {
        run(self.command(program).args(words))
    }

    /// Whether it has a link of this name.
    pub fn has_link(&self, name: &str) -> bool {
        self.try_ip(&format!("link show dev {name}")).0
    }

    /// Whether one of its links has this address (without prefix length).
    pub fn has_address(&self, address: &str) -> bool {
        let links = self.ip_json("addr show");
        let infos = links.as_array().into_iter().flatten().filter_map(|link| link["addr_info"].as_array());
        infos.flatten().any(|info| info["local"] == address)
    }

    /// A setting of `/proc/sys/net`, by its path below it with slashes.
    pub fn setting(&self, path: &str) -> String {
        self.run("cat", &[&format!("/proc/sys/net/{path}")]).trim().to_owned()
    }

    /// Writes a setting of `/proc/sys/net`.
    pub fn set(&self, path: &str, value: &str) {
        self.run("sh", &["-c", &format!("echo {value} > /proc/sys/net/{path}")]);
    }

    /// Starts a program in this host, its output in a file of the lab called `log`.
    pub fn start(
        &self,
        lab: &Lab,
        log: &str,
        program: impl AsRef<std::ffi::OsStr>,
        words: &[&str],
    ) -> Process {
        self.start_with(lab, log, self.command(program).args(words))
    }

    /// The same with a command of [`command`](Self::command).
    pub fn start_with(&self, lab: &Lab, log: &str, command: &mut Command) -> Process {
        let output = lab.directory().join(log);
        let file = File::create(&output).expect("a log file");
        command.stdout(file.try_clone().expect("a descriptor")).stderr(file);
        Process::start(command, output)
    }

    /// Calls `f` on a thread that is in this host. (A thread: the test's own stays where it is.)
    ///
    /// # Panics
    /// When `f` does.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.namespace);
        thread::scope(|scope| {
            let handle = scope.spawn(move || {
                let file = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
                setns(file, CloneFlags::CLONE_NEWNET).expect("entering a network namespace");
                f()
            });
            match handle.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Starts `keepalived` with this configuration, in the foreground, logging to its output. Its files are its own.
    ///
    /// # Panics
    /// When it is not installed.
    pub fn keepalived(&self, lab: &Lab, config: &str) -> Process {
        let name = &self.namespace;
        let file = lab.file(&format!("{name}.conf"), config);
        let pid = |role: &str| lab.directory().join(format!("{name}.{role}.pid")).display().to_string();
        let words =
            ["-n", "-l", "-D", "-f", &file.display().to_string(), "-p", &pid("main"), "-r", &pid("vrrp")]
                .map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.start(lab, &format!("{name}.log"), "/usr/sbin/keepalived", &words)
    }
}

impl Process {
    /// Starts a command, of which `output` tells where its output goes.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command, output: PathBuf) -> Self {
        // Signals of the terminal are not for it.
        command.process_group(0);
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { child, output }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        crate::proc::signal(self.pid(), signal);
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Ends it politely and waits for it.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(status) = self.ended() {
            return status;
        }
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("a process ends", || {
            status = self.ended();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group: a supervisor's children die with it.
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            let _ = nix::sys::signal::killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Waits until something is so.
///
/// # Panics
/// When it is not in time; `what` names it.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + 2 * crate::DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "did not happen in time: {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_a_segment_reach_each_other_and_leave_nothing() {
        let (lab, hosts) = Lab::with_segment(&["a", "b"]);
        for address in ["10.20.0.2", "fd20::2"] {
            let address: std::net::IpAddr = address.parse().unwrap();
            let listener = hosts[1].inside(|| std::net::TcpListener::bind((address, 0)).unwrap());
            let target = listener.local_addr().unwrap();
            hosts[0].inside(|| std::net::TcpStream::connect_timeout(&target, crate::DEADLINE).unwrap());
        }
        let mut sleeper = hosts[1].start(&lab, "sleep", "sleep", &["1000"]);
        assert_eq!(sleeper.ended(), None);
        lab.unplug("lan", 1);
        eventually("the carrier goes", || hosts[0].ip_json("link show dev e0")[0]["operstate"] != "UP");
        let names: Vec<_> = hosts.iter().map(|host| host.namespace.clone()).collect();
        drop(lab);
        eventually("a process in a removed host ends", || sleeper.ended().is_some());
        for name in names {
            assert!(!Path::new("/run/netns").join(name).exists());
        }
    }
}
