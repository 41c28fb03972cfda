//! Listening sockets: binding them, and taking over those that another process holds.
//!
//! Every TCP address gets one socket per worker thread (`SO_REUSEPORT`), so that each thread has its own accept queue
//! and the kernel spreads connections. Unix sockets, abstract ones and inherited descriptors (`fd@N`) have a single
//! socket that all threads share.
//!
//! A socket that is inherited is used as it is, with the connections that wait in it: that is how a reload loses none.

use crate::run::Bound;
use diag::{Code, Diagnostic, Form};
use haproxy_cfg::model::{Address, Bind, Config, Global, Place, Proxy, ProxyKind, StatsSocket, Tune};
use reactor::{ListenOptions, Listener, SockAddr, process};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// A listening socket could not be made.
const CANNOT_BIND: Code = Code("H0901");
/// Connections that wait for `accept` when nothing else is said (`listen`'s argument).
const BACKLOG: u32 = 1_024;
/// Bytes of the name of an `abns@` address, which HAProxy pads with zeros to the whole `sun_path`.
const ABSTRACT_NAME: usize = 107;

/// The listening socket of one `stats socket` line.
#[derive(Debug)]
pub struct BoundStats {
    /// Index into [`haproxy_cfg::model::Global::stats_sockets`].
    pub index: usize,
    /// By which the next configuration finds it.
    pub key: Key,
    /// The socket.
    pub socket: OwnedFd,
}

/// What makes an inherited socket the one a `bind` line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The address as the configuration has it.
    pub address: Address,
    /// `interface`.
    pub interface: Option<String>,
}

impl Key {
    /// That of a `bind` address.
    pub fn of_bind(bind: &Bind) -> Self {
        Self { address: bind.address.clone(), interface: bind.interface.clone() }
    }

    /// That of a `stats socket`.
    pub fn of_stats(socket: &StatsSocket) -> Self {
        Self { address: socket.address.clone(), interface: None }
    }

    /// That of a socket of another process, by what the kernel says.
    ///
    /// # Errors
    /// When it is not a listening stream socket.
    pub fn of_socket(socket: BorrowedFd<'_>, interface: Option<String>) -> io::Result<Self> {
        let address = match Listener::from_fd(socket.try_clone_to_owned()?)?.local_addr()? {
            SockAddr::Ip(addr) => Address::Ip(addr),
            SockAddr::Path(path) => Address::Unix(path),
            SockAddr::Abstract(name) => {
                let end = name.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
                let padded = name.len() == ABSTRACT_NAME;
                Address::Abstract(name.get(..end).unwrap_or_default().to_vec(), !padded)
            }
            SockAddr::Unnamed => return Err(io::Error::other("the socket has no address")),
        };
        Ok(Self { address, interface })
    }
}

/// Listening sockets that exist already and may be used again: those of the master, or of an old process (`-x`).
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<(Key, OwnedFd)>,
}

impl Inherited {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a socket.
    pub fn add(&mut self, key: Key, socket: OwnedFd) {
        self.sockets.push((key, socket));
    }

    /// Duplicates of those that `key` names.
    fn find(&self, key: &Key) -> io::Result<Vec<OwnedFd>> {
        self.sockets.iter().filter(|(k, _)| k == key).map(|(_, fd)| fd.try_clone()).collect()
    }
}

/// Makes every address of `config` listen, using what `inherited` holds first.
///
/// # Errors
/// One diagnostic, in HAProxy's words, for every address that cannot be bound; then nothing new stays bound.
pub fn bind_all(
    config: &Config,
    threads: usize,
    inherited: &Inherited,
) -> Result<Vec<Bound>, Vec<Diagnostic>> {
    let (mut bound, mut errors) = (Vec::new(), Vec::new());
    let reuse = !config.global.noreuseport;
    let threads = if reuse { threads.max(1) } else { 1 };
    for (proxy_index, proxy) in config.proxies.iter().enumerate().filter(|(_, proxy)| !proxy.disabled) {
        for (bind_index, bind) in proxy.binds.iter().enumerate() {
            match bind_one(proxy, bind, &config.global, threads, inherited) {
                Ok(sockets) => {
                    bound.push(Bound {
                        proxy: proxy_index,
                        bind: bind_index,
                        key: Key::of_bind(bind),
                        sockets,
                    });
                }
                Err(error) => errors.push(failure(proxy, &bind.place, &bind.address, &error)),
            }
        }
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

/// Makes every `stats socket` of `config` listen, using what `inherited` holds first.
///
/// # Errors
/// As [`bind_all`].
pub fn bind_stats(config: &Config, inherited: &Inherited) -> Result<Vec<BoundStats>, Vec<Diagnostic>> {
    let (mut bound, mut errors) = (Vec::new(), Vec::new());
    for (index, stats) in config.global.stats_sockets.iter().enumerate() {
        let options =
            ListenOptions { mode: stats.mode, uid: stats.uid, gid: stats.gid, ..ListenOptions::default() };
        let held = inherited.find(&Key::of_stats(stats)).map(|held| held.into_iter().next());
        match held.and_then(|held| held.map_or_else(|| listen(&stats.address, &options), Ok)) {
            Ok(socket) => bound.push(BoundStats { index, key: Key::of_stats(stats), socket }),
            Err(error) => {
                errors.push(worded(&stats.place, "frontend GLOBAL", &stats.address, &error));
            }
        }
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

fn bind_one(
    proxy: &Proxy,
    bind: &Bind,
    global: &Global,
    threads: usize,
    inherited: &Inherited,
) -> io::Result<Vec<OwnedFd>> {
    let mut sockets = inherited.find(&Key::of_bind(bind))?;
    if let Address::Fd(number) = bind.address {
        if sockets.is_empty() {
            let listener = Listener::from_fd(process::inherited(number)?)?;
            sockets.push(listener.duplicate()?);
        }
        return Ok(sockets);
    }
    let Address::Ip(wanted) = bind.address else {
        if sockets.is_empty() {
            sockets.push(listen(&bind.address, &options_of(proxy, bind, &global.tune))?);
        }
        return Ok(sockets);
    };
    // Set for one thread too: a successor of this process must be able to bind beside it (`-sf`).
    let options = ListenOptions { reuse_port: !global.noreuseport, ..options_of(proxy, bind, &global.tune) };
    // Port 0 is chosen by the kernel for the first socket; the others are to share it.
    let mut addr = SockAddr::Ip(wanted);
    if wanted.port() == 0
        && let Some(first) = sockets.first()
    {
        addr = Listener::from_fd(first.try_clone()?)?.local_addr()?;
    }
    while sockets.len() < threads {
        let listener = Listener::bind(&addr, &options)?;
        addr = listener.local_addr()?;
        sockets.push(listener.duplicate()?);
    }
    Ok(sockets)
}

fn options_of(proxy: &Proxy, bind: &Bind, tune: &Tune) -> ListenOptions {
    let backlog = [bind.backlog, proxy.backlog, bind.maxconn, proxy.maxconn];
    let backlog = backlog.into_iter().flatten().find(|&n| n > 0).unwrap_or(BACKLOG);
    ListenOptions {
        backlog,
        v6only: bind.v6only,
        transparent: bind.transparent,
        free_bind: bind.transparent,
        interface: bind.interface.clone(),
        // The kernel rounds up to the next retransmission of its SYN-ACK: one second means "until data comes or once".
        defer_accept: bind.defer_accept.then_some(Duration::from_secs(1)),
        mss: bind.mss,
        fast_open: bind.tfo.then_some(backlog),
        mode: bind.unix_mode,
        uid: bind.unix_uid,
        gid: bind.unix_gid,
        receive_buffer: tune.rcvbuf_client,
        send_buffer: tune.sndbuf_client,
        ..ListenOptions::default()
    }
}

fn listen(address: &Address, options: &ListenOptions) -> io::Result<OwnedFd> {
    let addr = match address {
        Address::Ip(addr) => SockAddr::Ip(*addr),
        Address::Unix(path) => SockAddr::Path(path.clone()),
        Address::Abstract(name, cut) => {
            let mut name = name.clone();
            if !cut {
                name.resize(ABSTRACT_NAME.max(name.len()), 0);
            }
            SockAddr::Abstract(name)
        }
        Address::Fd(number) => return Listener::from_fd(process::inherited(*number)?)?.duplicate(),
        Address::SockPair(_) | Address::IpRelative(..) => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "known, not served yet"));
        }
    };
    Listener::bind(&addr, options)?.duplicate()
}

fn failure(proxy: &Proxy, place: &Place, address: &Address, error: &io::Error) -> Diagnostic {
    let kind = match proxy.kind {
        ProxyKind::Frontend => "frontend",
        ProxyKind::Listen => "proxy",
        ProxyKind::Backend => "backend",
    };
    worded(place, &format!("{kind} {}", proxy.name), address, error)
}

fn worded(place: &Place, whose: &str, address: &Address, error: &io::Error) -> Diagnostic {
    let reason = reason(error);
    let what = match address {
        Address::Unix(path) => format!("cannot bind UNIX socket ({reason}) [{}]", path.display()),
        Address::Abstract(name, _) => {
            format!("cannot bind UNIX socket ({reason}) [abns@{}]", String::from_utf8_lossy(name))
        }
        Address::Ip(addr) => format!("cannot bind socket ({reason}) for [{addr}]"),
        Address::IpRelative(addr, _) => format!("cannot bind socket ({reason}) for [{addr}]"),
        Address::Fd(number) => format!("cannot use file descriptor '{number}' : {reason}"),
        Address::SockPair(number) => format!("cannot use socket pair '{number}' : {reason}"),
    };
    let message = format!("Binding [{}:{}] for {whose}: {what}", place.file, place.line);
    Diagnostic::error(CANNOT_BIND, message).at(place.span).form(Form::Bare)
}

/// The error in `strerror()`'s words, which scripts know, without the number that the standard library adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}

/// Copies of all sockets of `bound` with the keys a later [`bind_all`] finds them by.
///
/// # Errors
/// When there are no descriptors left.
pub fn hand_on(bound: &[Bound], stats: &[BoundStats]) -> io::Result<Inherited> {
    let mut inherited = Inherited::new();
    for one in bound {
        for socket in &one.sockets {
            inherited.add(one.key.clone(), socket.try_clone()?);
        }
    }
    for one in stats {
        inherited.add(one.key.clone(), one.socket.try_clone()?);
    }
    Ok(inherited)
}
