//! Tests that need a running reactor, by noun.

mod datagrams;
mod listeners;
mod pipes;
mod streams;
mod tasks;
mod timers;

use crate::{ListenOptions, Listener, Settings, SockAddr, Stream, now, reactor, run, timeout_at};
use ek_time::Duration;
use std::io;
use std::net::SocketAddr;

/// Runs `future` on a new reactor; a test that hangs ends after a minute.
fn on_reactor<T>(future: impl Future<Output = T>) -> T {
    run(Settings::default(), async { timeout_at(now() + Duration::from_secs(60), future).await })
        .expect("a reactor")
        .expect("an end within a minute")
}

/// How many descriptors, timers and tasks the reactor of this thread holds.
fn held() -> (usize, usize, usize) {
    reactor::with(|reactor| {
        (reactor.sources.borrow().len(), reactor.wheel.borrow().len(), reactor.living.borrow().len())
    })
    .expect("a reactor")
}

fn loopback() -> SockAddr {
    SockAddr::Ip("127.0.0.1:0".parse().unwrap())
}

fn listener() -> (Listener, SocketAddr) {
    // Miri knows the option for connected sockets only.
    let options = ListenOptions { nodelay: !cfg!(miri), ..ListenOptions::default() };
    let listener = Listener::bind(&loopback(), &options).unwrap();
    let addr = listener.local_addr().unwrap().ip().unwrap();
    (listener, addr)
}

async fn connect(addr: SocketAddr) -> Stream {
    let stream = Stream::connect(&addr.into(), &crate::ConnectOptions::default()).unwrap();
    stream.connected().await.unwrap();
    stream
}

/// Two ends of a TCP connection.
async fn tcp_pair() -> (Stream, Stream) {
    let (listener, addr) = listener();
    let client = connect(addr).await;
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

async fn read(stream: &Stream, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.try_read(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await,
            result => return result,
        }
    }
}

async fn read_exact(stream: &Stream, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        match read(stream, &mut buf[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
    }
    Ok(())
}

async fn write_all(stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
