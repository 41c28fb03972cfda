use super::*;
use crate::{Pipe, spawn_task};

/// FNV-1a, enough to notice a lost, doubled or moved byte.
fn digest(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

async fn relay(from: &Stream, to: &Stream) -> io::Result<u64> {
    let mut pipe = Pipe::take(1 << 20)?;
    let mut total = 0;
    loop {
        match from.splice_to(&mut pipe, usize::MAX) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                from.readable().await;
                continue;
            }
            Err(error) => return Err(error),
        }
        while !pipe.is_empty() {
            match to.splice_from(&mut pipe, false) {
                Ok(n) => total += n as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => to.writable().await,
                Err(error) => return Err(error),
            }
        }
    }
    pipe.give_back();
    to.shutdown_write()?;
    Ok(total)
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn sixty_four_mebibytes_arrive_as_they_were() {
    const TOTAL: usize = 64 << 20;
    on_reactor(async {
        let (client, front) = tcp_pair().await;
        let (back, server) = tcp_pair().await;
        let sending = spawn_task(async move {
            let (mut sum, mut sent, mut state) = (0, 0, 1_u32);
            while sent < TOTAL {
                // Odd pieces, so that pages are filled in every way.
                let len = (state as usize % 90_000 + 1).min(TOTAL - sent);
                let piece: Vec<u8> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 24) as u8
                    })
                    .collect();
                sum = digest(sum, &piece);
                sent += len;
                write_all(&client, &piece).await.unwrap();
            }
            client.shutdown_write().unwrap();
            (sum, client)
        });
        let relaying = spawn_task(async move { relay(&front, &back).await });
        let (mut sum, mut got, mut buf) = (0, 0, vec![0; 50_000]);
        loop {
            match read(&server, &mut buf).await.unwrap() {
                0 => break,
                n => {
                    sum = digest(sum, &buf[..n]);
                    got += n;
                }
            }
        }
        assert_eq!(relaying.await.unwrap(), TOTAL as u64);
        assert_eq!((got, sum), (TOTAL, sending.await.0));
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn pipes_are_used_again_only_when_empty() {
    on_reactor(async {
        let (one, other) = tcp_pair().await;
        write_all(&one, b"abcdef").await.unwrap();
        other.readable().await;
        let mut pipe = Pipe::take(1 << 20).unwrap();
        assert!(pipe.capacity() >= 4_096);
        let moved = loop {
            match other.splice_to(&mut pipe, 4) {
                Ok(moved) => break moved,
                Err(_) => other.readable().await,
            }
        };
        assert_eq!((moved, pipe.len()), (4, 4));
        pipe.give_back();
        let mut pipe = Pipe::take(1 << 20).unwrap();
        assert!(pipe.is_empty());
        assert_eq!(other.splice_to(&mut pipe, 100).unwrap(), 2, "the dropped bytes do not turn up");
        // Nothing is there, but something is in the pipe: that is no proof that the socket is empty.
        assert_eq!(other.splice_to(&mut pipe, 100).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(timeout_at(now(), other.readable()).await.is_ok());
        assert_eq!(other.splice_from(&mut pipe, true).unwrap(), 2);
        assert_eq!(other.splice_from(&mut pipe, true).unwrap(), 0);
        assert_eq!(other.splice_to(&mut pipe, 100).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(timeout_at(now(), other.readable()).await.is_err());
        pipe.give_back();
        drop(other);
        assert_eq!(read(&one, &mut [0; 8]).await.unwrap(), 2);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_socket_whose_peer_is_gone_fails_without_a_signal() {
    on_reactor(async {
        let (one, other) = Stream::pair().unwrap();
        let (source, sink) = Stream::pair().unwrap();
        write_all(&source, b"abc").await.unwrap();
        let mut pipe = Pipe::take(1 << 20).unwrap();
        assert_eq!(sink.splice_to(&mut pipe, 10).unwrap(), 3);
        drop(other);
        assert_eq!(one.splice_from(&mut pipe, false).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(pipe.len(), 3);
    });
}
