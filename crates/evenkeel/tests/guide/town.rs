//! What a load balancer stands between: real servers that say their name, and clients that ask for it.

use nix::sys::signal::{Signal, killpg};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, bind, connect, socket};
use nix::sys::socket::{Shutdown, SockaddrIn, shutdown};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};
use testkit::lab::{Host, Lab, Process};

/// Debian's.
const KEEPALIVED: &str = "/usr/sbin/keepalived";
/// How long a client waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// What a router runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Ours,
    Keepalived,
}

/// A router with its program.
pub(crate) struct Router<'a> {
    pub(crate) host: &'a Host,
    pub(crate) process: Process,
}

impl<'a> Router<'a> {
    /// Starts a program called as `keepalived` with a configuration.
    pub(crate) fn start(lab: &Lab, host: &'a Host, program: Program, config: &str) -> Self {
        let name = &host.namespace;
        let path = |what: &str| lab.directory().join(format!("{name}.{what}")).display().to_string();
        let file = lab.file(&format!("{name}.conf"), config).display().to_string();
        let link = lab.directory().join("keepalived");
        if !link.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_evenkeel"), &link).unwrap();
        }
        let program = match program {
            Program::Ours => link.display().to_string(),
            Program::Keepalived => KEEPALIVED.to_owned(),
        };
        let pids = ["pid", "vrrp.pid", "check.pid"].map(path);
        let words = ["-n", "-l", "-D", "-f", &file, "-p", &pids[0], "-r", &pids[1], "-c", &pids[2]];
        Self { process: host.start(lab, &format!("{name}.log"), program, &words), host }
    }

    /// The kernel's table as `ipvsadm -Sn` prints it, a line each.
    pub(crate) fn table(&self) -> Vec<String> {
        let text = self.host.run("ipvsadm", &["-Sn"]);
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    /// The addresses of the real servers in its table.
    pub(crate) fn servers(&self) -> Vec<String> {
        let table = self.table();
        let mut servers: Vec<_> = table
            .iter()
            .filter_map(|line| line.split_once(" -r ")?.1.split_once(':'))
            .map(|(address, _)| address.to_owned())
            .collect();
        servers.sort();
        servers
    }

    pub(crate) fn log(&self) -> String {
        self.process.text()
    }

    /// The power goes: nothing of it is said to anybody.
    pub(crate) fn dies(&mut self) {
        let pid = i32::try_from(self.process.pid()).unwrap();
        // The children are in groups of their own; `ip netns pids` finds them all.
        let pids = std::process::Command::new("ip")
            .args(["netns", "pids", &self.host.namespace])
            .output()
            .unwrap()
            .stdout;
        for pid in String::from_utf8_lossy(&pids).split_whitespace().filter_map(|pid| pid.parse().ok()) {
            if pid != i32::try_from(std::process::id()).unwrap() {
                let _ = nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        self.process.wait();
    }
}

/// A real server: says its name to whoever connects, then repeats each line.
pub(crate) struct Server {
    listener: TcpListener,
}

impl Server {
    pub(crate) fn start(host: &Host, name: &str, port: u16) -> Self {
        let listener = host.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        let (copy, name) = (listener.try_clone().unwrap(), name.to_owned());
        thread::spawn(move || {
            while let Ok((stream, _)) = copy.accept() {
                let name = name.clone();
                thread::spawn(move || serve(&stream, &name));
            }
        });
        Self { listener }
    }

    /// Its port refuses from now on.
    pub(crate) fn stop(self) {
        // The thread that accepts holds the socket, too: closing it here would change nothing.
        shutdown(self.listener.as_raw_fd(), Shutdown::Both).unwrap();
    }
}

fn serve(mut stream: &TcpStream, name: &str) -> Option<()> {
    writeln!(stream, "{name}").ok()?;
    for line in BufReader::new(stream).lines() {
        writeln!(stream, "{} {name}", line.ok()?).ok()?;
    }
    Some(())
}

/// A connection of a client.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// Who answered.
    pub(crate) server: String,
}

impl Connection {
    /// Connects from one of the host's addresses (unspecified: any).
    pub(crate) fn open(host: &Host, from: Ipv4Addr, to: SocketAddrV4) -> Option<Self> {
        let stream = host.inside(|| connected(from, to))?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = BufReader::new(stream);
        let mut server = String::new();
        stream.read_line(&mut server).ok()?;
        let server = server.trim().to_owned();
        (!server.is_empty()).then_some(Self { stream, server })
    }

    /// Says a line; whether it comes back from the same server, within `patience`.
    pub(crate) fn says(&mut self, line: &str, patience: Duration) -> bool {
        self.stream.get_ref().set_read_timeout(Some(patience)).unwrap();
        let mut answer = String::new();
        writeln!(self.stream.get_ref(), "{line}").is_ok()
            && self.stream.read_line(&mut answer).is_ok()
            && answer.trim() == format!("{line} {}", self.server)
    }
}

/// A connection from an address, from within a host, if it comes about in time.
pub(crate) fn connected(from: Ipv4Addr, to: SocketAddrV4) -> Option<TcpStream> {
    let fd: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let stream = TcpStream::from(fd);
    // Bounds the connect, too.
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    bind(stream.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(from, 0))).unwrap();
    connect(stream.as_raw_fd(), &SockaddrIn::from(to)).ok()?;
    Some(stream)
}

/// Who answers how often, of one connection from each address.
pub(crate) fn answers(
    host: &Host,
    from: impl IntoIterator<Item = Ipv4Addr>,
    to: SocketAddrV4,
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for from in from {
        let server = Connection::open(host, from, to).map_or_else(|| "nobody".to_owned(), |it| it.server);
        *counts.entry(server).or_default() += 1;
    }
    counts
}

/// The same from any address, `count` times.
pub(crate) fn spread(host: &Host, count: usize, to: SocketAddrV4) -> BTreeMap<String, usize> {
    answers(host, std::iter::repeat_n(Ipv4Addr::UNSPECIFIED, count), to)
}

/// `counts` as [`answers`] gives it.
pub(crate) fn each<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// Waits for what the guide's checks take their time for.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "did not happen in time: {what}");
        thread::park_timeout(Duration::from_millis(100));
    }
}
