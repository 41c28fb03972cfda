use super::*;
use crate::{ConnectOptions, KeepAlive, sleep_until, spawn, spawn_task, yield_now};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

#[test]
fn many_connections_echo_at_once() {
    const CONNECTIONS: usize = if cfg!(miri) { 3 } else { 300 };
    on_reactor(async {
        let (listener, addr) = listener();
        let server = spawn_task(async move {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                assert_eq!(stream.peer_addr().unwrap(), peer);
                spawn(async move {
                    let mut buf = [0; 1_000];
                    loop {
                        match read(&stream, &mut buf).await.unwrap() {
                            0 => return,
                            n => write_all(&stream, &buf[..n]).await.unwrap(),
                        }
                    }
                });
            }
        });
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|n| {
                spawn_task(async move {
                    let stream = connect(addr).await;
                    for round in 0..10 {
                        // Longer than the server's buffer, so that it reads in pieces.
                        let sent: Vec<u8> = (0..2_500).map(|i| (i * 7 + n + round) as u8).collect();
                        write_all(&stream, &sent).await.unwrap();
                        let mut got = vec![0; sent.len()];
                        read_exact(&stream, &mut got).await.unwrap();
                        assert!(got == sent);
                    }
                    stream.shutdown_write().unwrap();
                    assert_eq!(read(&stream, &mut [0; 1]).await.unwrap(), 0);
                })
            })
            .collect();
        for client in clients {
            client.await;
        }
        drop(server);
        while held().2 > 0 {
            yield_now().await;
        }
        assert_eq!((held().0, held().1), (0, 1), "nothing is left but the test's own timer");
    });
}

/// The end of the stream comes although the read before it was short.
#[test]
fn a_fin_that_comes_with_data_is_seen() {
    on_reactor(async {
        for registered in [false, true] {
            let peer = TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = connect(peer.local_addr().unwrap()).await;
            let (mut other, _) = peer.accept().unwrap();
            if registered {
                assert!(timeout_at(now(), stream.readable()).await.is_ok(), "assumed readable at first");
                assert_eq!(stream.try_read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock);
                assert!(timeout_at(now(), stream.readable()).await.is_err());
            }
            other.write_all(b"last words").unwrap();
            drop(other);
            if registered {
                stream.readable().await;
            } else {
                // Both are there before the first read.
                sleep_until(now() + Duration::from_millis(2)).await;
            }
            let mut buf = [0; 100];
            assert_eq!(read(&stream, &mut buf).await.unwrap(), 10);
            assert_eq!(read(&stream, &mut buf).await.unwrap(), 0);
            assert!(!registered || stream.peer_closed());
        }
    });
}

#[test]
fn no_call_is_made_after_a_short_read() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        write_all(&one, b"abc").await.unwrap();
        other.readable().await;
        assert_eq!(read(&other, &mut [0; 3]).await.unwrap(), 3);
        // A full read: more may be there, so the next call is made and finds nothing.
        assert_eq!(other.try_read(&mut [0; 3]).unwrap_err().kind(), ErrorKind::WouldBlock);
        write_all(&one, b"abc").await.unwrap();
        assert_eq!(read(&other, &mut [0; 100]).await.unwrap(), 3);
        write_all(&one, b"def").await.unwrap();
        // It is there, but the short read said that nothing is; epoll has not been looked at since.
        assert_eq!(other.try_read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock);
        other.readable().await;
        assert_eq!(other.try_read(&mut [0; 100]).unwrap(), 3);
    });
}

/// Registered for reading alone, changed when the first write must wait.
#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_stream_that_is_watched_for_reading_can_wait_to_write() {
    on_reactor(async {
        let (listener, addr) = listener();
        let client = connect(addr).await;
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(server.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(timeout_at(now(), server.readable()).await.is_err());
        for _ in 0..3 {
            let mut sent = 0;
            loop {
                match server.try_write(&[b'x'; 1 << 16]) {
                    Ok(n) => sent += n,
                    // Full at both ends, when it stays so.
                    Err(_)
                        if timeout_at(now() + Duration::from_millis(3), server.writable()).await.is_err() =>
                    {
                        break;
                    }
                    Err(_) => {}
                }
            }
            let mut buf = vec![0; sent];
            read_exact(&client, &mut buf).await.unwrap();
            server.writable().await;
            write_all(&client, b"ok").await.unwrap();
            assert_eq!(read(&server, &mut [0; 8]).await.unwrap(), 2);
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn urgent_data_does_not_stop_the_stream() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        assert_eq!(other.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(timeout_at(now(), other.readable()).await.is_err());
        let total = 3 + 5;
        write_all(&one, b"abc").await.unwrap();
        crate::syscall::send(one.as_fd(), b"!", libc::MSG_OOB).unwrap();
        write_all(&one, b"defgh").await.unwrap();
        let (mut got, mut buf) = (0, [0; 100]);
        while got < total {
            got += read(&other, &mut buf).await.unwrap();
        }
        assert_eq!(got, total);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_reset_wakes_readers_and_writers_with_the_error() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        let filled = loop {
            match one.try_write(&[0; 65_536]) {
                Ok(_) => {}
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(filled, ErrorKind::WouldBlock);
        let one = std::rc::Rc::new(one);
        let writer = spawn_task({
            let one = one.clone();
            async move { write_all(&one, b"x").await.unwrap_err().kind() }
        });
        let reader = spawn_task({
            let one = one.clone();
            async move { read(&one, &mut [0; 10]).await }
        });
        yield_now().await;
        yield_now().await;
        other.set_linger_zero().unwrap();
        drop(other);
        assert!(matches!(writer.await, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
        // Whoever asks first gets the error, the other the end.
        assert!(matches!(
            reader.await.map_err(|error| error.kind()),
            Ok(0) | Err(ErrorKind::ConnectionReset)
        ));
        assert!(one.peer_closed());
        assert_eq!(one.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(one.take_error().is_none());
    });
}

#[test]
fn a_half_closed_connection_goes_on_the_other_way() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        write_all(&one, b"question").await.unwrap();
        one.shutdown_write().unwrap();
        let mut buf = [0; 100];
        assert_eq!(read(&other, &mut buf).await.unwrap(), 8);
        assert_eq!(read(&other, &mut buf).await.unwrap(), 0);
        const LENGTH: usize = if cfg!(miri) { 30_000 } else { 3_000_000 };
        let answer = vec![7; LENGTH];
        let writer = spawn_task(async move {
            write_all(&other, &answer).await.unwrap();
            drop(other);
        });
        let mut got = vec![0; LENGTH];
        read_exact(&one, &mut got).await.unwrap();
        assert!(got.iter().all(|byte| *byte == 7));
        assert_eq!(read(&one, &mut buf).await.unwrap(), 0);
        writer.await;
    });
}

#[test]
fn the_peers_close_is_noticed_with_data_unread() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        write_all(&one, b"unread").await.unwrap();
        let waiting = spawn_task(async move {
            while !other.peer_closed() {
                std::future::poll_fn(|cx| other.poll_peer_closed(cx)).await;
            }
            other
        });
        yield_now().await;
        yield_now().await;
        assert!(!waiting.is_finished());
        drop(one);
        let other = waiting.await;
        assert_eq!(read(&other, &mut [0; 100]).await.unwrap(), 6);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn connecting_fails_with_the_reason() {
    on_reactor(async {
        // Bound, so that nobody else takes the port, and not listening.
        let bound = crate::syscall::socket(libc::AF_INET, libc::SOCK_STREAM).unwrap();
        crate::syscall::bind(bound.as_fd(), &crate::address::RawAddr::encode(&loopback()).unwrap()).unwrap();
        let addr = crate::syscall::local_addr(bound.as_fd()).unwrap();
        for write_first in [false, true] {
            let error = match Stream::connect(&addr, &ConnectOptions::default()) {
                Ok(stream) if write_first => write_all(&stream, b"x").await.unwrap_err(),
                Ok(stream) => stream.connected().await.unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        let missing = SockAddr::Path("/nonexistent/socket".into());
        let error = Stream::connect(&missing, &ConnectOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn options_reach_the_connection() {
    on_reactor(async {
        let (listener, addr) = listener();
        let options = ConnectOptions {
            source: Some("127.0.0.77:0".parse().unwrap()),
            nodelay: true,
            mss: Some(1_000),
            user_timeout: Some(Duration::from_secs(9)),
            keep_alive: Some(KeepAlive {
                idle: Some(Duration::from_secs(11)),
                interval: None,
                count: Some(3),
            }),
            interface: Some("lo".into()),
            ..ConnectOptions::default()
        };
        let client = Stream::connect(&addr.into(), &options).unwrap();
        client.connected().await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip().unwrap().ip().to_string(), "127.0.0.77");
        assert_eq!(client.local_addr().unwrap(), peer);
        let tcp =
            |stream: &Stream, name| crate::syscall::option(stream.as_fd(), libc::IPPROTO_TCP, name).unwrap();
        assert_ne!(tcp(&client, libc::TCP_NODELAY), 0);
        assert_eq!(tcp(&client, libc::TCP_USER_TIMEOUT), 9_000);
        assert_eq!((tcp(&client, libc::TCP_KEEPIDLE), tcp(&client, libc::TCP_KEEPCNT)), (11, 3));
        assert_ne!(tcp(&server, libc::TCP_NODELAY), 0, "inherited from the listener");
        server.set_nodelay(false).unwrap();
        server.set_quickack(true).unwrap();
        server.set_keepalive(KeepAlive::default()).unwrap();
        assert_eq!(tcp(&server, libc::TCP_NODELAY), 0);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn parts_and_uninitialised_memory() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        let parts = [IoSlice::new(b"head "), IoSlice::new(b""), IoSlice::new(b"body")];
        assert_eq!(one.try_write_vectored(&parts, true).unwrap(), 9);
        assert_eq!(one.try_write_vectored(&[IoSlice::new(b"!")], false).unwrap(), 1);
        other.readable().await;
        let mut peeked = [0; 4];
        while other.try_peek(&mut peeked).is_err() {
            other.readable().await;
        }
        assert_eq!(&peeked, b"head");
        let mut room = [MaybeUninit::uninit(); 32];
        let mut got = Vec::new();
        while got.len() < 10 {
            match other.try_read_uninit(&mut room) {
                Ok(read) => got.extend_from_slice(read),
                Err(_) => other.readable().await,
            }
        }
        assert_eq!(got, b"head body!");
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn waiting_can_be_given_up_in_every_state() {
    on_reactor(async {
        let soon = || now() + Duration::from_millis(1);
        for _ in 0..3 {
            let (one, other) = tcp_pair().await;
            while one.try_write(&[0; 65_536]).is_ok() {}
            assert!(timeout_at(soon(), one.writable()).await.is_err());
            assert!(timeout_at(soon(), read(&one, &mut [0; 10])).await.is_err());
            drop(one);
            drop(other);

            let (listener, addr) = listener();
            assert!(timeout_at(soon(), listener.accept()).await.is_err());
            let client = Stream::connect(&addr.into(), &ConnectOptions::default()).unwrap();
            let _ = timeout_at(now(), client.connected()).await;
            drop(client);

            let (one, _other) = Stream::pair().unwrap();
            let reader = spawn_task(async move { read(&one, &mut [0; 10]).await.is_ok() });
            yield_now().await;
            yield_now().await;
            drop(reader);
            yield_now().await;
            assert_eq!(held(), (1, 1, 0), "the listener and the test's own timer");
        }
        // A backlog that is full leaves a connect waiting.
        let full = TcpListener::bind("127.0.0.1:0").unwrap();
        crate::syscall::listen(full.as_fd(), 0).unwrap();
        let addr = full.local_addr().unwrap();
        let streams: Vec<Stream> =
            (0..4).map(|_| Stream::connect(&addr.into(), &ConnectOptions::default()).unwrap()).collect();
        let mut waiting = 0;
        for stream in &streams {
            waiting += usize::from(timeout_at(soon(), stream.connected()).await.is_err());
        }
        assert!(waiting > 0);
    });
}

/// Events of a closed descriptor, whose open file lives on elsewhere, must not reach the one that took its slot.
#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_stale_event_reaches_nobody() {
    on_reactor(async {
        let (mut peer, old) = std::os::unix::net::UnixStream::pair().unwrap();
        let copy = old.try_clone().unwrap();
        let old = Stream::from_fd(OwnedFd::from(old)).unwrap();
        assert!(old.try_read(&mut [0; 1]).is_err());
        assert!(timeout_at(now(), old.readable()).await.is_err());
        drop(old);
        let (new, _other) = Stream::pair().unwrap();
        assert!(new.try_read(&mut [0; 1]).is_err());
        assert!(timeout_at(now(), new.readable()).await.is_err());
        assert_eq!(held().0, 1, "the same slot");
        // epoll still reports on the copy's open file.
        peer.write_all(b"x").unwrap();
        assert!(timeout_at(now() + Duration::from_millis(3), new.readable()).await.is_err());
        assert_eq!((&copy).read(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn descriptors_of_others_are_checked_and_given_away_unwatched() {
    on_reactor(async {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listening.local_addr().unwrap();
        assert!(Stream::from_fd(OwnedFd::from(listening.try_clone().unwrap())).is_err());
        assert!(Stream::from_fd(OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap())).is_err());
        assert!(Stream::from_fd(OwnedFd::from(std::fs::File::open("/dev/null").unwrap())).is_err());

        let mut client = TcpStream::connect(addr).unwrap();
        let server = Stream::from_fd(OwnedFd::from(listening.accept().unwrap().0)).unwrap();
        // It was a blocking one.
        assert_eq!(server.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(timeout_at(now(), server.readable()).await.is_err());
        let fd = server.into_fd().unwrap();
        assert_eq!(held().0, 0);
        let again = Stream::from_fd(fd).unwrap();
        client.write_all(b"abc").unwrap();
        assert_eq!(read(&again, &mut [0; 8]).await.unwrap(), 3);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn unix_streams_do_not_trust_short_reads() {
    on_reactor(async {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let stream = Stream::from_fd(OwnedFd::from(other)).unwrap();
        assert!(stream.try_read(&mut [0; 1]).is_err());
        assert!(timeout_at(now(), stream.readable()).await.is_err());
        // A message with descriptors ends a read, with more behind it.
        crate::process::send_descriptors(&one, b"first", &[one.as_fd()]).unwrap();
        (&one).write_all(b"second").unwrap();
        let mut got = Vec::new();
        let mut buf = [0; 100];
        while got.len() < 11 {
            let n = read(&stream, &mut buf).await.unwrap();
            got.extend_from_slice(&buf[..n]);
        }
        assert_eq!(got, b"firstsecond");
    });
}
