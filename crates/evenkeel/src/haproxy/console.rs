//! The master's own command socket (`-S`).

use crate::haproxy::{channel, client};
use crate::message::{Messages, reason};
use crate::version;
use control::{Common, Ending, Forward, Session, Source, Target};
use ek_time::Instant;
use haproxy_cfg::address::{parse_bind, resolve};
use haproxy_cfg::model::{Address, Config, Place, SocketLevel, StatsSocket};
use proxyd::listeners::{Inherited, bind_stats};
use reactor::{Listener, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

/// How long a client may say nothing.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A bound socket and what its clients may do.
pub(crate) struct Bound {
    socket: OwnedFd,
    level: SocketLevel,
    pub(crate) address: Address,
}

impl Bound {
    /// A copy of the socket, for the program that follows.
    pub(crate) fn copy(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }
}

/// Makes the sockets listen; each is `ADDRESS[,OPTION…]`, with the options of a `bind` line that are of use here. Those
/// in `held` listen already, in the same order.
///
/// # Errors
/// One alert for each that cannot be understood or bound.
pub(crate) fn bind(sockets: &[String], held: Vec<OwnedFd>) -> Result<Vec<Bound>, Vec<String>> {
    let (mut bound, mut errors) = (Vec::new(), Vec::new());
    let mut held = held.into_iter();
    for text in sockets {
        match parse(text).and_then(|socket| listen(socket, held.next())) {
            Ok(one) => bound.push(one),
            Err(error) => errors.push(format!("Can't create the master's CLI: {error}")),
        }
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

fn parse(text: &str) -> Result<StatsSocket, String> {
    let mut words = text.split(',');
    let address = words.next().unwrap_or_default();
    let mut found =
        parse_bind(address, &resolve).map_err(|error| format!("'{address}': {}", error.message))?;
    let (Some(address), true) = (found.pop(), found.is_empty()) else {
        return Err(format!("'{address}' is not one address"));
    };
    let nowhere = diag::Sources::default().add("-S", "");
    let place = Place { file: "-S".into(), line: 1, span: diag::Span { file: nowhere, start: 0, end: 0 } };
    let mut socket = StatsSocket {
        address,
        level: SocketLevel::Operator,
        mode: None,
        uid: None,
        gid: None,
        expose_listeners: false,
        place,
    };
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(|| format!("'{option}' expects a value"))?;
        let wrong = || format!("'{option}' does not take '{value}'");
        match option {
            "level" => {
                socket.level = match value {
                    "user" => SocketLevel::User,
                    "operator" => SocketLevel::Operator,
                    "admin" => SocketLevel::Admin,
                    _ => return Err(wrong()),
                }
            }
            "mode" => socket.mode = Some(u32::from_str_radix(value, 8).map_err(|_| wrong())?),
            "uid" => socket.uid = Some(value.parse().map_err(|_| wrong())?),
            "gid" => socket.gid = Some(value.parse().map_err(|_| wrong())?),
            "user" => {
                let user = nix::unistd::User::from_name(value).ok().flatten();
                socket.uid = Some(user.ok_or_else(wrong)?.uid.as_raw());
            }
            "group" => {
                let group = nix::unistd::Group::from_name(value).ok().flatten();
                socket.gid = Some(group.ok_or_else(wrong)?.gid.as_raw());
            }
            _ => return Err(format!("the option '{option}' is not served here")),
        }
    }
    Ok(socket)
}

fn listen(socket: StatsSocket, held: Option<OwnedFd>) -> Result<Bound, String> {
    let (level, address) = (socket.level, socket.address.clone());
    if let Some(socket) = held {
        return Ok(Bound { socket, level, address });
    }
    let mut config = Config::default();
    config.global.stats_sockets.push(socket);
    let bound = bind_stats(&config, &Inherited::new());
    let bound =
        bound.map_err(|errors| errors.into_iter().map(|e| e.message).collect::<Vec<_>>().join("; "))?;
    let one = bound.into_iter().next().ok_or("nothing was bound")?;
    Ok(Bound { socket: one.socket, level, address })
}

/// One line of `show proc`.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) pid: u32,
    /// Reloads since it was started.
    pub(crate) reloads: u32,
    pub(crate) started: Instant,
    /// Lets its last clients finish.
    pub(crate) old: bool,
    /// Of the program that it runs.
    pub(crate) version: String,
    /// Takes clients.
    pub(crate) channel: Rc<Stream>,
}

/// What the master shows of itself.
pub(crate) struct Board {
    pub(crate) messages: Rc<Messages>,
    pub(crate) started: Cell<Instant>,
    pub(crate) reloads: Cell<u32>,
    pub(crate) failed: Cell<u32>,
    pub(crate) workers: RefCell<Vec<Listed>>,
    pub(crate) environment: RefCell<Vec<String>>,
}

impl Common for Board {
    fn environment(&self) -> Vec<String> {
        self.environment.borrow().clone()
    }

    fn version(&self) -> String {
        version::compound()
    }

    fn startup_logs(&self) -> String {
        self.messages.kept()
    }
}

impl control::Master for Board {
    fn processes(&self) -> String {
        let now = reactor::now();
        let mut text = format!(
            "{:<15} {:<15} {:<15} {:<15} {:<15}\n",
            "#<PID>", "<type>", "<reloads>", "<uptime>", "<version>"
        );
        let line = |pid: u32, kind: &str, reloads: String, since: Instant, version: &str| {
            let seconds = now.since(since).as_secs();
            let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
            let uptime = format!("{days}d{hours:02}h{minutes:02}m{:02}s", seconds % 60);
            format!("{pid:<15} {kind:<15} {reloads:<15} {uptime:<15} {version:<15}\n")
        };
        let reloads = format!("{} [failed: {}]", self.reloads.get(), self.failed.get());
        text += &line(std::process::id(), "master", reloads, self.started.get(), &version::compound());
        let workers = self.workers.borrow();
        for (title, old) in [("# workers\n", false), ("# old workers\n", true)] {
            let listed: Vec<&Listed> = workers.iter().filter(|worker| worker.old == old).collect();
            if !old || !listed.is_empty() {
                text += title;
            }
            for worker in listed {
                text +=
                    &line(worker.pid, "worker", worker.reloads.to_string(), worker.started, &worker.version);
            }
        }
        text + "# programs\n"
    }

    fn worker(&self, target: Target) -> Option<u32> {
        let workers = self.workers.borrow();
        let found = match target {
            Target::Nth(1) => workers.iter().find(|worker| !worker.old),
            Target::Nth(_) => None,
            Target::Pid(pid) => workers.iter().find(|worker| worker.pid == pid),
        };
        found.map(|worker| worker.pid)
    }
}

/// Tells a client how the reload went that it asked for, with the messages of it.
pub(crate) async fn tell(client: Stream, success: bool, said: String) {
    let text = format!("Success={}\n--\n{said}\n", u8::from(success));
    // A client that goes away or is too slow is its own loss.
    let _ = client::write(&client, text.as_bytes(), TIMEOUT).await;
    let _ = client.shutdown_write();
}

/// Serves the sockets; `reload` is called for each `reload`, with the client who waits to be told how it went.
pub(crate) fn start(sockets: Vec<Bound>, board: &Rc<Board>, reload: impl Fn(Stream) + Clone + 'static) {
    for bound in sockets {
        match Listener::from_fd(bound.socket) {
            Ok(listener) => {
                reactor::spawn(accept(listener, bound.level, Rc::clone(board), reload.clone()));
            }
            Err(error) => board.messages.alert(format_args!("master's CLI: {}", reason(&error))),
        }
    }
}

async fn accept(
    listener: Listener,
    level: SocketLevel,
    board: Rc<Board>,
    reload: impl Fn(Stream) + Clone + 'static,
) {
    loop {
        // An error has been waited out by the listener itself.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (board, reload) = (Rc::clone(&board), reload.clone());
        reactor::spawn(async move {
            // A client that goes away or is too slow is its own loss.
            let _ = serve(stream, level, &board, reload).await;
        });
    }
}

async fn serve(stream: Stream, level: SocketLevel, board: &Board, reload: impl Fn(Stream)) -> io::Result<()> {
    let mut session = Session::new(level);
    loop {
        match client::converse(&stream, &mut session, Source::Master(board), TIMEOUT).await? {
            Ending::Reload => {
                reload(stream);
                return Ok(());
            }
            Ending::Forward(forward) => match connect(board, &forward) {
                Some(worker) => relay(&stream, &worker, &forward.command).await?,
                None => {
                    client::write(&stream, b"Can't connect to the target CLI!\n", TIMEOUT).await?;
                    return stream.shutdown_write();
                }
            },
            _ => return stream.shutdown_write(),
        }
    }
}

/// A connection to a worker, as one of its clients.
fn connect(board: &Board, Forward { pid, level, .. }: &Forward) -> Option<Stream> {
    let workers = board.workers.borrow();
    let worker = workers.iter().find(|worker| worker.pid == *pid)?;
    let (ours, theirs) = Stream::pair().ok()?;
    channel::pass_client(&worker.channel, theirs.as_fd(), *level).ok()?;
    Some(ours)
}

/// Has a worker answer a command; its answer ends with the connection.
async fn relay(client: &Stream, worker: &Stream, command: &str) -> io::Result<()> {
    let asked = client::write(worker, format!("{command}\n").as_bytes(), TIMEOUT).await;
    if asked.and_then(|()| worker.shutdown_write()).is_err() {
        // It ends: what it could say was read or is lost.
        return Ok(());
    }
    let mut buffer = vec![0; 16_384];
    loop {
        let read = client::read(worker, &mut buffer, TIMEOUT).await.unwrap_or(0);
        match buffer.get(..read) {
            None | Some([]) => return Ok(()),
            Some(answer) => client::write(client, answer, TIMEOUT).await?,
        }
    }
}
