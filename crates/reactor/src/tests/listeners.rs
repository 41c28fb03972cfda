use super::*;
use crate::{ConnectOptions, spawn_task, yield_now};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::task::Poll;

/// A directory of its own for every test.
pub(super) fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("evenkeel-reactor-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn sockets_of_one_address_share_its_connections() {
    on_reactor(async {
        let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        let one = Listener::bind(&loopback(), &options).unwrap();
        let addr = one.local_addr().unwrap();
        assert!(Listener::bind(&addr, &ListenOptions::default()).is_err());
        let other = Listener::bind(&addr, &options).unwrap();
        for _ in 0..20 {
            let client = connect(addr.ip().unwrap()).await;
            let got = poll_fn(|cx| {
                [&one, &other]
                    .into_iter()
                    .find_map(|listener| match listener.poll_accept(cx) {
                        Poll::Ready(result) => Some(Poll::Ready(result)),
                        Poll::Pending => None,
                    })
                    .unwrap_or(Poll::Pending)
            })
            .await
            .unwrap()
            .0;
            assert_eq!(got.peer_addr().unwrap(), client.local_addr().unwrap());
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_closed_listener_refuses_although_a_copy_lives_and_the_copy_goes_on() {
    on_reactor(async {
        let (listener, addr) = listener();
        assert!(timeout_at(now(), listener.accept()).await.is_err());
        let copy = listener.duplicate().unwrap();
        let client = connect(addr).await;
        drop(listener);
        assert_eq!(held().0, 0);
        // As another process would take it over.
        let adopted = Listener::from_fd(copy).unwrap();
        let (server, _) = adopted.accept().await.unwrap();
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        let waiting = spawn_task(async move { adopted.accept().await.map(drop) });
        yield_now().await;
        let _client = connect(addr).await;
        waiting.await.unwrap();
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn only_listening_sockets_are_taken() {
    on_reactor(async {
        let unconnected = crate::syscall::socket(libc::AF_INET, libc::SOCK_STREAM).unwrap();
        assert!(Listener::from_fd(unconnected).is_err());
        assert!(Listener::from_fd(OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap())).is_err());
        let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = Listener::from_fd(OwnedFd::from(std)).unwrap();
        assert_eq!(listener.try_accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn accepting_leaves_other_tasks_their_turns() {
    on_reactor(async {
        let (listener, addr) = listener();
        let mut clients = Vec::new();
        for _ in 0..200 {
            clients.push(connect(addr).await);
        }
        let first = crate::turn();
        let mut accepted = Vec::new();
        while accepted.len() < 200 {
            accepted.push(listener.accept().await.unwrap());
        }
        assert!(crate::turn() >= first + 3);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn unix_sockets_replace_their_file_at_once() {
    let path = directory("listener").join("socket");
    on_reactor(async {
        let addr = SockAddr::Path(path.clone());
        let options = ListenOptions { mode: Some(0o600), ..ListenOptions::default() };
        let old = Listener::bind(&addr, &options).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let first = Stream::connect(&addr, &ConnectOptions::default()).unwrap();
        let new = Listener::bind(&addr, &options).unwrap();
        let second = Stream::connect(&addr, &ConnectOptions::default()).unwrap();
        second.connected().await.unwrap();
        let (got, peer) = old.accept().await.unwrap();
        assert_eq!(peer, SockAddr::Unnamed);
        write_all(&first, b"1").await.unwrap();
        write_all(&second, b"2").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!((read(&got, &mut buf).await.unwrap(), buf[0]), (1, b'1'));
        let (got, _) = new.accept().await.unwrap();
        assert_eq!((read(&got, &mut buf).await.unwrap(), buf[0]), (1, b'2'));
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");

        let missing = SockAddr::Path(path.join("below/a/file"));
        assert!(Listener::bind(&missing, &options).is_err());
    });
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn abstract_names_and_ipv6() {
    on_reactor(async {
        let name = format!("evenkeel-reactor-{}", std::process::id());
        let addr = SockAddr::Abstract(name.into_bytes());
        let listener = Listener::bind(&addr, &ListenOptions::default()).unwrap();
        assert_eq!(listener.local_addr().unwrap(), addr);
        let client = Stream::connect(&addr, &ConnectOptions::default()).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), addr);
        write_all(&server, b"x").await.unwrap();
        assert_eq!(read(&client, &mut [0; 4]).await.unwrap(), 1);

        let options = ListenOptions { v6only: Some(false), free_bind: true, ..ListenOptions::default() };
        let any = SockAddr::Ip("[::]:0".parse().unwrap());
        let listener = Listener::bind(&any, &options).unwrap();
        let port = listener.local_addr().unwrap().ip().unwrap().port();
        let client = connect(SocketAddr::new("127.0.0.1".parse().unwrap(), port)).await;
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip().unwrap().ip().to_string(), "::ffff:127.0.0.1");
        assert_eq!(peer.ip().unwrap().port(), client.local_addr().unwrap().ip().unwrap().port());
        let only = crate::syscall::option(listener.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY).unwrap();
        assert_eq!(only, 0);
    });
}
