//! One running proxy with servers, a log sink and whatever else its configuration names: cases run over it one by one.

use crate::case::{Case, Step};
use crate::peer::Peer;
use crate::program::{Program, Running};
use crate::server::{RecordingServer, Signals, perform};
use crate::sink::Sink;
use crate::transcript::{ClientSeen, Transcript};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Servers that a configuration may name as `{server1}` and so on.
const SERVERS: usize = 3;

/// A proxy under test with its surroundings.
#[derive(Debug)]
pub struct Lane {
    running: Running,
    frontend: SocketAddr,
    marker: SocketAddr,
    markers: u32,
    /// Descriptors that the proxy has open when it is idle.
    idle: usize,
    sink: Sink,
    servers: Vec<RecordingServer>,
    _refused: OwnedFd,
    _stuck: Option<(OwnedFd, Vec<TcpStream>)>,
}

impl Lane {
    /// Starts `program` on a configuration in which `{frontend}`, `{log}`, `{server1}`…`{server3}`, `{refused}` (nobody
    /// listens) and `{stuck}` (connections never complete) stand for loopback addresses.
    ///
    /// A second frontend is added that only writes a marker into the log, so that it is known when all lines of a case have come.
    ///
    /// # Errors
    /// What the program wrote, when it does not start.
    pub fn start(program: &Program, template: &str) -> Result<Self, String> {
        let sink = Sink::start();
        let servers: Vec<_> = (0..SERVERS).map(|_| RecordingServer::start()).collect();
        let (refused, refused_address) = bound();
        let stuck = template.contains("{stuck}").then(full_queue);
        let mut failure = String::new();
        // A port found free can be taken before the program binds it: then try others.
        for _ in 0..5 {
            let (frontend, marker) = (free_address(), free_address());
            let mut config = template.to_owned();
            config.push_str(
                "\nfrontend marker\n    bind {marker}\n    mode http\n    option dontlognull\n    no option dontlog-normal\n    no log\n    log {log} local0\n    \
                 log-format \"marker %HU\"\n    timeout client 30s\n",
            );
            let mut set = |name: &str, address: SocketAddr| {
                config = config.replace(&format!("{{{name}}}"), &address.to_string());
            };
            set("frontend", frontend);
            set("marker", marker);
            set("log", sink.address());
            set("refused", refused_address);
            if let Some((_, _, address)) = &stuck {
                set("stuck", *address);
            }
            for (i, server) in servers.iter().enumerate() {
                set(&format!("server{}", i + 1), server.address());
            }
            match program.start(&config, marker) {
                Ok(running) => {
                    let _stuck = stuck.map(|(fd, streams, _)| (fd, streams));
                    let mut lane = Self {
                        running,
                        frontend,
                        marker,
                        markers: 0,
                        idle: usize::MAX,
                        sink,
                        servers,
                        _refused: refused,
                        _stuck,
                    };
                    lane.mark(0)?;
                    lane.settle();
                    return Ok(lane);
                }
                Err(why) => failure = why,
            }
            if !failure.contains("bind") && !failure.contains("in use") {
                break;
            }
        }
        Err(failure)
    }

    /// Runs a case.
    pub fn run(&mut self, case: &Case) -> Transcript {
        let mut transcript = Transcript::default();
        let from = self.sink.len();
        let signals = Arc::new(Signals::default());
        for (i, server) in self.servers.iter().enumerate() {
            let scripts: Vec<_> =
                case.servers.iter().filter(|(n, _)| *n == i + 1).map(|(_, s)| Arc::clone(s)).collect();
            server.begin(scripts, Arc::clone(&signals));
        }
        thread::scope(|scope| {
            let frontend = self.frontend;
            let clients: Vec<_> = case
                .clients
                .iter()
                .map(|steps| {
                    let signals = &signals;
                    scope.spawn(move || client(frontend, steps, signals))
                })
                .collect();
            for (i, client) in clients.into_iter().enumerate() {
                match client.join() {
                    Ok((seen, stuck)) => {
                        transcript.clients.push(seen);
                        transcript.stuck.extend(stuck.map(|s| format!("client {}: {s}", i + 1)));
                    }
                    Err(_) => transcript.stuck.push(format!("client {} failed", i + 1)),
                }
            }
        });
        signals.end();
        for server in &self.servers {
            server.settle();
        }
        match self.mark(from) {
            Ok(to) => transcript.logs = self.sink.lines(from, to),
            Err(why) => {
                transcript.stuck.push(why);
                transcript.logs = self.sink.lines(from, usize::MAX);
            }
        }
        for (i, server) in self.servers.iter().enumerate() {
            server.fence();
            for record in server.recorded() {
                transcript.stuck.extend(record.stuck.iter().map(|s| format!("server {}: {s}", i + 1)));
                transcript.servers.push((i + 1, record));
            }
        }
        self.settle();
        if let Some(end) = self.running.ended() {
            transcript.stuck.push(format!("the proxy ended with {end}:\n{}", self.running.errors()));
        }
        transcript
    }

    /// The process id of the proxy.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Where clients connect.
    pub fn frontend(&self) -> SocketAddr {
        self.frontend
    }

    /// The servers.
    pub fn servers(&self) -> &[RecordingServer] {
        &self.servers
    }

    /// The log.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Waits until the proxy has closed what it had opened for connections, so that its counters stand as they stood
    /// before. What it keeps for later use (a log socket, pipes) becomes part of what is idle.
    fn settle(&mut self) {
        let count = || crate::proc::descriptors(self.running.pid()).unwrap_or(0);
        let deadline = Instant::now() + Duration::from_millis(if self.idle == usize::MAX { 50 } else { 500 });
        let mut turns = 0_u32;
        while count() > self.idle || (self.idle == usize::MAX && turns < 50) {
            if Instant::now() > deadline {
                break;
            }
            turns += 1;
            thread::park_timeout(Duration::from_micros(if turns < 20 { 100 } else { 1000 }));
        }
        self.idle = count();
    }

    /// Has the proxy write a marker into its log, and gives the marker's place: lines of streams that ended before stand before it.
    fn mark(&mut self, from: usize) -> Result<usize, String> {
        self.markers += 1;
        let name = format!("/marker-{}-", self.markers);
        let peer = Peer::connect(self.marker).map_err(|e| format!("marker: {e}"))?;
        let request = format!("GET {name} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
        peer.send(request.as_bytes()).map_err(|e| format!("marker: {e}"))?;
        if !peer.wait(crate::DEADLINE, |h| h.end.is_some()) {
            return Err("the proxy did not answer the marker request".to_owned());
        }
        let place = self.sink.wait(from, crate::DEADLINE, |l| l.contains(&name));
        place.ok_or_else(|| "the marker did not come to the log".to_owned())
    }
}

fn client(frontend: SocketAddr, steps: &[Step], signals: &Signals) -> (ClientSeen, Option<String>) {
    // A client that begins by waiting for a signal connects only then.
    let (waits, rest): (Vec<_>, _) = match steps.iter().position(|s| !matches!(s, Step::Await(_))) {
        Some(at) => (steps[..at].to_vec(), &steps[at..]),
        None => (Vec::new(), steps),
    };
    for wait in waits {
        if let Step::Await(name) = wait
            && !signals.wait(&name)
        {
            return (ClientSeen::default(), Some(format!("waited in vain for signal {name}")));
        }
    }
    let connect = if rest.first() == Some(&Step::Deaf) { Peer::connect_deaf } else { Peer::connect };
    let peer = match connect(frontend) {
        Ok(peer) => peer,
        Err(error) => return (ClientSeen::default(), Some(format!("cannot connect: {error}"))),
    };
    let mut bodyless = Vec::new();
    let stuck = perform(&peer, rest, signals, &mut bodyless).err();
    let seen = ClientSeen { bytes: peer.heard().bytes, bodyless };
    peer.close();
    (seen, stuck)
}

/// A loopback address for a proxy to listen on, free a moment ago and not given out before.
///
/// Its port is tried by binding it, but is not one that the kernel picks by itself: between the trial and the proxy's own bind,
/// a client or server of another test would get it, and be taken for the proxy. Nor is one given out twice: proxies listen with
/// SO_REUSEPORT, and two on one port would share its connections.
///
/// # Panics
/// When the whole range is taken.
pub fn free_address() -> SocketAddr {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let offset = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + offset % COUNT).expect("a port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port from {FIRST} on");
}

fn raw_socket() -> (OwnedFd, SocketAddr) {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
    use std::os::fd::AsRawFd;
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a TCP port on loopback");
    let name: SockaddrIn = getsockname(fd.as_raw_fd()).expect("its address");
    (fd, SocketAddr::from(([127, 0, 0, 1], name.port())))
}

/// An address that is taken, but on which nobody listens: connections are refused.
pub fn bound() -> (OwnedFd, SocketAddr) {
    raw_socket()
}

/// An address whose accept queue is full: the kernel drops further SYNs, so that connections neither complete nor fail.
pub fn full_queue() -> (OwnedFd, Vec<TcpStream>, SocketAddr) {
    use nix::sys::socket::{Backlog, listen};
    let (fd, address) = raw_socket();
    listen(&fd, Backlog::new(0).expect("a backlog")).expect("a listening socket");
    let mut fill = Vec::new();
    for _ in 0..8 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            Ok(stream) => fill.push(stream),
            Err(_) => return (fd, fill, address),
        }
    }
    panic!("the accept queue of {address} does not fill");
}
