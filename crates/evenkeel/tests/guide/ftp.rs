//! A tiny FTP server and a client: what a load balancer sees of FTP (RFC 959, and RFC 2428 for the extended commands).

use crate::town::{PATIENCE, connected};
use nix::sys::socket::sockopt::{ReceiveTimeout, ReuseAddr};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike as _};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Mutex};
use std::thread;
use testkit::lab::Host;

/// Where a server listens for data connections, the guide's `pasv_min_port` and `pasv_max_port`.
const PASSIVE: std::ops::RangeInclusive<u16> = 10_000..=20_000;

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// How the two agree on a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Active: the server connects from port 20.
    Port,
    /// The same by the extended command.
    Eprt,
    /// Passive: the client connects to where the server says.
    Pasv,
    /// The same by the extended command: the server says a port only.
    Epsv,
}

/// Serves on port 21 of a host, under a name, until the test ends.
pub(crate) fn serve(host: &Host, name: &str) {
    let listener = host.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 21)).unwrap());
    let (host, name, files) = (host.clone(), name.to_owned(), Files::default());
    thread::spawn(move || {
        // The threads that start here are in the host, too.
        host.inside(|| {
            while let Ok((control, _)) = listener.accept() {
                let (name, files) = (name.clone(), Arc::clone(&files));
                thread::spawn(move || session(&control, &name, &files));
            }
        });
    });
}

/// What the server does when a transfer begins.
enum Plan {
    Connect(SocketAddrV4),
    Accept(TcpListener),
}

impl Plan {
    fn carry_out(self, own: Ipv4Addr) -> Option<TcpStream> {
        match self {
            Self::Connect(to) => {
                let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).ok()?;
                setsockopt(&fd, ReuseAddr, &true).ok()?;
                let stream = TcpStream::from(fd);
                stream.set_write_timeout(Some(PATIENCE)).ok()?;
                bind(stream.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(own, 20))).ok()?;
                connect(stream.as_raw_fd(), &SockaddrIn::from(to)).ok()?;
                Some(stream)
            }
            Self::Accept(listener) => accept(&listener),
        }
    }
}

/// The next connection, if it comes in time.
fn accept(listener: &TcpListener) -> Option<TcpStream> {
    setsockopt(listener, ReceiveTimeout, &TimeVal::milliseconds(PATIENCE.as_millis().try_into().unwrap()))
        .unwrap();
    Some(listener.accept().ok()?.0)
}

/// A line in one segment: the kernel's module reads commands and answers a packet at a time.
fn say(mut control: &TcpStream, line: &str) -> Option<()> {
    control.write_all(format!("{line}\r\n").as_bytes()).ok()
}

fn session(control: &TcpStream, name: &str, files: &Files) -> Option<()> {
    let SocketAddr::V4(own) = control.local_addr().ok()? else { return None };
    let own = *own.ip();
    let mut plan = None;
    say(control, &format!("220 {name}"))?;
    for line in BufReader::new(control).lines() {
        let line = line.ok()?;
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match command {
            "PORT" | "EPRT" => {
                plan = Some(Plan::Connect(address(argument)?));
                say(control, "200 ok")?;
            }
            "PASV" | "EPSV" => {
                let listener = PASSIVE.into_iter().find_map(|port| TcpListener::bind((own, port)).ok())?;
                let port = listener.local_addr().ok()?.port();
                plan = Some(Plan::Accept(listener));
                let answer = match command {
                    "PASV" => format!("227 Entering Passive Mode ({})", commas(SocketAddrV4::new(own, port))),
                    _ => format!("229 Entering Extended Passive Mode (|||{port}|)"),
                };
                say(control, &answer)?;
            }
            "RETR" | "STOR" => {
                say(control, "150 here it comes")?;
                let done = plan.take().and_then(|plan| plan.carry_out(own)).and_then(|mut data| {
                    if command == "RETR" {
                        let file = files.lock().unwrap().get(argument).cloned()?;
                        return data.write_all(&file).ok();
                    }
                    let mut file = Vec::new();
                    data.read_to_end(&mut file).ok()?;
                    files.lock().unwrap().insert(argument.to_owned(), file);
                    Some(())
                });
                say(control, if done.is_some() { "226 done" } else { "425 no data connection" })?;
            }
            _ => say(control, "502 not here")?,
        }
    }
    Some(())
}

/// `h1,h2,h3,h4,p1,p2`.
fn commas(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// [`commas`] read, or `|1|ADDRESS|PORT|`.
fn address(text: &str) -> Option<SocketAddrV4> {
    if let Some(text) = text.strip_prefix("|1|") {
        let (address, port) = text.strip_suffix('|')?.split_once('|')?;
        return Some(SocketAddrV4::new(address.parse().ok()?, port.parse().ok()?));
    }
    let numbers: Vec<u8> = text.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [a, b, c, d, high, low] = numbers[..] else { return None };
    Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
}

/// A client with its control connection.
pub(crate) struct Client<'a> {
    host: &'a Host,
    /// Its address.
    own: Ipv4Addr,
    control: BufReader<TcpStream>,
    /// Whom it connected to.
    service: Ipv4Addr,
    /// Who answered.
    pub(crate) server: String,
}

impl<'a> Client<'a> {
    pub(crate) fn open(host: &'a Host, own: Ipv4Addr, to: SocketAddrV4) -> Option<Self> {
        let stream = host.inside(|| connected(own, to))?;
        stream.set_read_timeout(Some(2 * PATIENCE)).unwrap();
        let mut client =
            Self { host, own, control: BufReader::new(stream), service: *to.ip(), server: String::new() };
        client.server = client.answer()?.strip_prefix("220 ")?.to_owned();
        Some(client)
    }

    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        self.control.read_line(&mut line).ok()?;
        (!line.is_empty()).then(|| line.trim().to_owned())
    }

    /// Says a line; its answer, if it begins with this code.
    fn ask(&mut self, line: &str, code: &str) -> Option<String> {
        say(self.control.get_ref(), line)?;
        self.answer().filter(|answer| answer.starts_with(code))
    }

    /// Where the server says that it listens.
    pub(crate) fn passive(&mut self, way: Way) -> Option<SocketAddrV4> {
        let inner = |text: &str| Some(text.split_once('(')?.1.split_once(')')?.0.to_owned());
        if way == Way::Pasv {
            return address(&inner(&self.ask("PASV", "227")?)?);
        }
        let port = inner(&self.ask("EPSV", "229")?)?;
        Some(SocketAddrV4::new(self.service, port.trim_matches('|').parse().ok()?))
    }

    /// A data connection and the transfer begun.
    fn begin(&mut self, way: Way, command: &str) -> Option<TcpStream> {
        let own = self.own;
        if let Way::Pasv | Way::Epsv = way {
            let to = self.passive(way)?;
            let stream = self.host.inside(|| connected(own, to));
            self.ask(command, "150")?;
            return stream.or_else(|| {
                self.answer();
                None
            });
        }
        let listener = self.host.inside(|| TcpListener::bind((own, 0)).unwrap());
        let SocketAddr::V4(here) = listener.local_addr().unwrap() else { return None };
        let line = match way {
            Way::Port => format!("PORT {}", commas(here)),
            _ => format!("EPRT |1|{}|{}|", here.ip(), here.port()),
        };
        self.ask(&line, "200")?;
        self.ask(command, "150")?;
        accept(&listener).or_else(|| {
            self.answer();
            None
        })
    }

    /// Fetches a file: who the data connection was with, and its content.
    pub(crate) fn fetch(&mut self, way: Way, name: &str) -> Option<(SocketAddrV4, Vec<u8>)> {
        let mut data = self.begin(way, &format!("RETR {name}"))?;
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut file = Vec::new();
        data.read_to_end(&mut file).ok()?;
        self.answer().filter(|answer| answer.starts_with("226"))?;
        Some((peer(&data)?, file))
    }

    /// Stores a file: who the data connection was with.
    pub(crate) fn store(&mut self, way: Way, name: &str, file: &[u8]) -> Option<SocketAddrV4> {
        let mut data = self.begin(way, &format!("STOR {name}"))?;
        data.write_all(file).ok()?;
        let peer = peer(&data);
        drop(data);
        self.answer().filter(|answer| answer.starts_with("226"))?;
        peer
    }
}

fn peer(data: &TcpStream) -> Option<SocketAddrV4> {
    let peer = data.peer_addr().ok()?;
    match peer.ip() {
        IpAddr::V4(address) => Some(SocketAddrV4::new(address, peer.port())),
        IpAddr::V6(_) => None,
    }
}
