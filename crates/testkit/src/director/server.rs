//! The fake servers of a world. Each is a thread in the world's namespace that answers one connection after the other.
//!
//! What a server answers is a text that steps of a case change:
//!
//! | kind | answers |
//! |---|---|
//! | `tcp` | – |
//! | `http` | `STATUS BODY` (`{host}` in it: the request's Host), `close`, `garbage`, `slow` |
//! | `https` | the same of nginx: `STATUS BODY`, where BODY is what `/` holds and any status but 200 empties it |
//! | `smtp` | `ok`, `greeting LINE`, `helo LINE`, `slow` |
//! | `dns` | `ok`, `rcode N`, `silent`, `other-id` |
//! | `udp` | `TEXT` sent back, `silent` |

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a peer may be silent.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a server looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// What servers saw, shared by those of a world.
#[derive(Debug, Default)]
pub struct Seen {
    /// Different requests.
    pub requests: Mutex<BTreeSet<String>>,
    /// Mails, in order of their ends.
    pub mails: Mutex<Vec<String>>,
}

/// A fake server that listens.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts a server in the namespace of the calling thread.
///
/// # Panics
/// When the address cannot be had.
pub fn start(address: SocketAddr, kind: &str, answer: Arc<Mutex<String>>, seen: Arc<Seen>) -> Running {
    let stop = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&stop);
    let kind = kind.to_owned();
    let thread = if matches!(kind.as_str(), "dns" | "udp") {
        let socket = UdpSocket::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        socket.set_read_timeout(Some(LOOK)).expect("a timeout");
        std::thread::spawn(move || datagrams(&socket, &kind, &answer, &seen, &theirs))
    } else {
        let listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        listener.set_nonblocking(true).expect("not to block");
        std::thread::spawn(move || {
            let mut held = Vec::new();
            while !theirs.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let now = answer.lock().unwrap().clone();
                        if now == "slow" {
                            held.push(stream);
                        } else {
                            held.clear();
                            connection(stream, address, &kind, &now, &seen);
                        }
                    }
                    Err(_) => {
                        let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                        let _ = poll(&mut ready, PollTimeout::try_from(LOOK).expect("a timeout"));
                    }
                }
            }
        })
    };
    Running { stop, thread: Some(thread) }
}

fn connection(mut stream: TcpStream, address: SocketAddr, kind: &str, answer: &str, seen: &Seen) {
    // Whatever goes wrong is the peer's: it has gone.
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    match kind {
        "http" => http(&mut stream, address, answer, seen),
        "smtp" => smtp(&mut stream, Some(address), answer, seen),
        "mail" => smtp(&mut stream, None, answer, seen),
        _ => {}
    }
}

fn http(stream: &mut TcpStream, address: SocketAddr, answer: &str, seen: &Seen) {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) if head.len() < 16_384 => head.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.requests.lock().unwrap().insert(format!("{address} {}", head.escape_debug()));
    let host = head.lines().find_map(|line| line.strip_prefix("Host: ")).unwrap_or_default();
    let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
    let body = body.replace("{host}", host);
    let text = match status {
        "close" => return,
        "garbage" => "nothing that HTTP knows\r\n\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 {status} Some Reason\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
    };
    let _ = stream.write_all(text.as_bytes());
}

/// Without an address it is the mail server, and what it is told is a mail.
fn smtp(stream: &mut TcpStream, address: Option<SocketAddr>, answer: &str, seen: &Seen) {
    let (stage, reply) = answer.split_once(' ').unwrap_or((answer, ""));
    let greeting = if stage == "greeting" { reply } else { "220 mail.example ESMTP" };
    let say = |stream: &mut TcpStream, line: &str| stream.write_all(format!("{line}\r\n").as_bytes()).is_ok();
    if !say(stream, greeting) {
        return;
    }
    let mut told = String::new();
    let mut pending = Vec::new();
    let mut in_mail = false;
    let mut buffer = [0; 4096];
    'all: loop {
        while let Some(end) = pending.windows(2).position(|bytes| bytes == b"\r\n") {
            let line: Vec<u8> = pending.drain(..end + 2).take(end).collect();
            let line = String::from_utf8_lossy(&line).into_owned();
            if !line.starts_with("Date:") && !line.starts_with("Message-ID:") {
                told.push_str(&format!("{line}\n"));
            }
            let verb = line.get(..4).unwrap_or("").to_ascii_uppercase();
            let reply = match verb.as_str() {
                _ if in_mail && line == "." => {
                    in_mail = false;
                    "250 accepted"
                }
                _ if in_mail => continue,
                "HELO" | "EHLO" if stage == "helo" => reply,
                "DATA" => {
                    in_mail = true;
                    "354 go on"
                }
                "QUIT" => {
                    let _ = say(stream, "221 bye");
                    break 'all;
                }
                _ => "250 yes",
            };
            if !say(stream, reply) {
                break 'all;
            }
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) if pending.len() < 65_536 => pending.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    match address {
        Some(address) => {
            seen.requests.lock().unwrap().insert(format!("{address} {}", told.escape_debug()));
        }
        None if !told.is_empty() => seen.mails.lock().unwrap().push(told),
        None => {}
    }
}

fn datagrams(socket: &UdpSocket, kind: &str, answer: &Mutex<String>, seen: &Seen, stop: &AtomicBool) {
    let address = socket.local_addr().expect("an address");
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok((count, peer)) = socket.recv_from(&mut buffer) else { continue };
        let request = &buffer[..count];
        let answer = answer.lock().unwrap().clone();
        // The id of a DNS query is chance.
        let shown = if kind == "dns" { request.get(2..).unwrap_or_default() } else { request };
        let hex: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
        seen.requests.lock().unwrap().insert(format!("{address} {hex}"));
        let reply = match (kind, answer.as_str()) {
            (_, "silent") => continue,
            ("dns", _) => dns(request, &answer),
            _ => answer.into_bytes(),
        };
        let _ = socket.send_to(&reply, peer);
    }
}

/// The query as an answer: without records unless the answer is `ok`, for which the question's name gets one of its type.
fn dns(query: &[u8], answer: &str) -> Vec<u8> {
    let mut reply = query.to_vec();
    if reply.len() < 12 {
        return reply;
    }
    reply[2] |= 0x80;
    match answer.split_once(' ') {
        Some(("rcode", code)) => reply[3] = code.parse().expect("an rcode"),
        _ if answer == "other-id" => reply[0] ^= 0x55,
        _ => {
            // One answer: a pointer to the name, the type and class asked for, a time to live, four bytes of data.
            let asked: Vec<u8> = reply[reply.len() - 4..].to_vec();
            reply[7] = 1;
            reply.extend_from_slice(&[0xc0, 12]);
            reply.extend_from_slice(&asked);
            reply.extend_from_slice(&[0, 0, 0, 60, 0, 4, 10, 1, 0, 1]);
        }
    }
    reply
}
