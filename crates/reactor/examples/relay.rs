//! A TCP relay: every connection to the first address is joined to a new one to the second.
//!
//! `relay 127.0.0.1:8000 127.0.0.1:80`. With `strace -fc` it shows what the reactor costs in system calls: in the steady
//! state a `recvfrom` and a `sendto` per direction and message, and shared `epoll_wait`s. When interrupted it tells the CPU time
//! it used.

use reactor::signal::{SIGINT, SIGTERM, Signals};
use reactor::{Buffer, ConnectOptions, ListenOptions, Listener, SockAddr, Stream};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// One direction: a buffer only while there is something in it.
struct Half<'s> {
    from: &'s Stream,
    to: &'s Stream,
    buffer: Option<Buffer>,
    ended: bool,
}

impl Half<'_> {
    /// Moves bytes until one of the two would block; ready at the end of the stream.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.ended {
            let buffer = self.buffer.get_or_insert_with(|| Buffer::take(16_384));
            if buffer.is_empty() {
                match self.from.try_read(buffer.spare_mut()) {
                    Ok(0) => {
                        self.ended = true;
                        self.buffer = None;
                        let _ = self.to.shutdown_write();
                        break;
                    }
                    Ok(n) => buffer.advance(n),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.buffer = None;
                        std::task::ready!(self.from.poll_readable(cx));
                        continue;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            match self.to.try_write(buffer.data()) {
                Ok(n) => buffer.consume(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::task::ready!(self.to.poll_writable(cx))
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

async fn relay(client: Stream, target: SockAddr) -> io::Result<()> {
    let server = Stream::connect(&target, &ConnectOptions { nodelay: true, ..ConnectOptions::default() })?;
    let mut there = Half { from: &client, to: &server, buffer: None, ended: false };
    let mut back = Half { from: &server, to: &client, buffer: None, ended: false };
    poll_fn(|cx| match (there.poll(cx)?, back.poll(cx)?) {
        (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(Ok(())),
        _ => Poll::Pending,
    })
    .await
}

async fn serve(listen: SocketAddr, target: SocketAddr) -> io::Result<()> {
    let listener = Listener::bind(&listen.into(), &ListenOptions::default())?;
    let signals = Signals::new(&[SIGINT, SIGTERM])?;
    reactor::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((client, _)) => reactor::spawn(async move {
                    let _ = relay(client, target.into()).await;
                }),
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    });
    signals.next().await?;
    Ok(())
}

fn main() -> io::Result<()> {
    let mut addresses = std::env::args().skip(1).map(|text| text.parse::<SocketAddr>());
    let (Some(Ok(listen)), Some(Ok(target))) = (addresses.next(), addresses.next()) else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "usage: relay LISTEN:PORT TARGET:PORT"));
    };
    reactor::run(reactor::Settings::default(), serve(listen, target))??;
    println!("{:?} of CPU time", reactor::process::cpu_time());
    Ok(())
}
