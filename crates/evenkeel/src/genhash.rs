//! `genhash`: fetches a page and prints the digest that `HTTP_GET` and `SSL_GET` compare.

mod arguments;

use arguments::Arguments;
use check::checker::genhash::Genhash;
use check::checker::http::{Url, request};
use ek_time::Instant;
use reactor::{ConnectOptions, SockAddr, Stream, timeout_at};
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use tls::{Connection, Received};

/// Runs it under this name. The page may be what it wants, and the exit code is 0: only words that are not understood give
/// another.
pub(crate) fn main(program: &str, words: &[String]) -> ExitCode {
    let arguments = match Arguments::parse(words) {
        Ok(arguments) => arguments,
        Err(lines) => {
            let text = lines + &arguments::usage(program);
            // A reader that went away is no failure.
            let _ = std::io::stderr().write_all(text.as_bytes());
            return ExitCode::FAILURE;
        }
    };
    match reactor::run(reactor::Settings::default(), fetch(&arguments)) {
        Ok(Ok(complaint)) => {
            let _ = std::io::stderr().write_all(complaint.as_bytes());
        }
        Ok(Err(line)) => return crate::print(&format!("{line}\n")),
        Err(error) => {
            eprintln!("{program}: {}", crate::message::reason(&error));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// A connection, in clear or not.
enum Peer {
    Clear(Stream),
    Tls(Box<Connection>),
}

/// What went wrong with the server, in genhash's words.
type Failure = &'static str;

const CONNECT: Failure = "Connection failed";
const CONNECT_LATE: Failure = "Timeout connecting";
const HANDSHAKE: Failure = "SSL handshake/communication error connecting to";
const WRITE: Failure = "Write error with";
const WRITE_LATE: Failure = "Timeout WEB write";
const READ: Failure = "Read error with";
const READ_LATE: Failure = "Timeout WEB read";

/// Fetches the page and prints what is asked for; returns what there is to complain.
async fn fetch(arguments: &Arguments) -> Result<&'static str, Failure> {
    let started = reactor::now();
    // For the connection, and for each wait after it.
    let deadline = || -> Instant { reactor::now() + arguments.timeout };
    let options = ConnectOptions { mark: arguments.mark, ..ConnectOptions::default() };
    let stream = Stream::connect(&SockAddr::Ip(arguments.server), &options).map_err(|_| CONNECT)?;
    let connected = timeout_at(deadline(), stream.connected()).await;
    connected.map_err(|_| CONNECT_LATE)?.map_err(|_| CONNECT)?;
    let mut peer = match arguments.tls {
        false => Peer::Clear(stream),
        true => {
            let client = tls::Client::new(&tls::Trust::default(), None).map_err(|_| HANDSHAKE)?;
            let name = arguments.virtual_host.as_deref().filter(|_| arguments.name_server);
            let connection = Connection::client(stream, &client, arguments.server.ip(), name);
            let mut connection = connection.map_err(|_| HANDSHAKE)?;
            let shaken = timeout_at(deadline(), connection.handshake()).await;
            shaken.map_err(|_| CONNECT_LATE)?.map_err(|_| HANDSHAKE)?;
            Peer::Tls(Box::new(connection))
        }
    };
    let url = Url { path: arguments.path.clone(), ..Url::default() };
    let asked = request(arguments.protocol, &url, arguments.virtual_host.as_deref(), arguments.server);
    timeout_at(deadline(), peer.write_all(&asked)).await.map_err(|_| WRITE_LATE)??;
    let mut page = Genhash::new(arguments.verbose);
    let mut room = [0; 16_384];
    loop {
        let count = timeout_at(deadline(), peer.read(&mut room)).await.map_err(|_| READ_LATE)??;
        if count == 0 {
            break;
        }
        match page.feed(room.get(..count).unwrap_or_default()) {
            Some(text) => _ = crate::print(&text),
            None => break,
        }
    }
    let ending = page.end();
    crate::print(&ending.printed);
    if arguments.verbose && ending.complaint.is_none() {
        let micros = reactor::now().since(started).as_micros();
        crate::print(&format!("\nGlobal response time for [{}] = {micros} usecs\n", arguments.path));
    }
    Ok(ending.complaint.unwrap_or_default())
}

impl Peer {
    async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        let stream = match self {
            Self::Tls(connection) => return connection.write_all(bytes).await.map_err(|_| WRITE),
            Self::Clear(stream) => stream,
        };
        while !bytes.is_empty() {
            match stream.try_write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await,
                Err(_) => return Err(WRITE),
            }
        }
        Ok(())
    }

    /// 0: the answer is over.
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, Failure> {
        let stream = match self {
            Self::Tls(connection) => {
                return match connection.read(room).await {
                    Ok(Received::Data(count)) => Ok(count),
                    Ok(Received::Closed | Received::CutOff) => Ok(0),
                    Err(_) => Err(READ),
                };
            }
            Self::Clear(stream) => stream,
        };
        loop {
            match stream.try_read(room) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => stream.readable().await,
                Err(_) => return Err(READ),
            }
        }
    }
}
