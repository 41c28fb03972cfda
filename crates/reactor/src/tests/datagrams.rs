use super::listeners::directory;
use super::*;
use crate::Datagram;
use std::io::{ErrorKind, IoSlice};

async fn receive(socket: &Datagram) -> Vec<u8> {
    let mut buf = [0; 2_000];
    loop {
        match socket.try_recv(&mut buf) {
            Ok(n) => return buf[..n].to_vec(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        socket.readable().await;
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn lines_go_out_in_batches_and_in_order() {
    on_reactor(async {
        let sink = Datagram::bind(&loopback()).unwrap();
        let source = Datagram::connect(&sink.local_addr().unwrap()).unwrap();
        let lines: Vec<String> = (0..150).map(|n| format!("line {n}")).collect();
        let slices: Vec<IoSlice<'_>> = lines.iter().map(|line| IoSlice::new(line.as_bytes())).collect();
        assert_eq!(source.try_send_many(&slices).unwrap(), 150);
        for line in &lines {
            assert_eq!(receive(&sink).await, line.as_bytes());
        }
        assert_eq!(source.try_send_many(&[]).unwrap(), 0);
        assert_eq!(source.try_send(&[0; 70_000]).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn neighbours_of_one_length_stay_datagrams_of_their_own() {
    on_reactor(async {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let sink = Datagram::bind(&SockAddr::Ip(addr.parse().unwrap())).unwrap();
            let source = Datagram::connect(&sink.local_addr().unwrap()).unwrap();
            let lens = [7, 7, 7, 5, 5, 6, 6, 0, 0, 1, 1, 1_200, 1_200, 1_199, 1_201, 1_201, 3, 2, 1, 0];
            let lens: Vec<usize> = lens.into_iter().chain([900; 50]).collect();
            let lines: Vec<Vec<u8>> = lens.iter().zip(0_u8..).map(|(len, n)| vec![n; *len]).collect();
            let slices: Vec<IoSlice<'_>> = lines.iter().map(|line| IoSlice::new(line)).collect();
            for _ in 0..2 {
                assert_eq!(source.try_send_many(&slices).unwrap(), lines.len());
                for line in &lines {
                    assert_eq!(receive(&sink).await, *line);
                }
                // What is too long alone says nothing about the others.
                assert_eq!(source.try_send(&[0; 70_000]).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
            }
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_refusal_of_an_earlier_datagram_does_not_fail_the_next() {
    on_reactor(async {
        // An address of its own, so that nobody else takes the port meanwhile.
        let sink = Datagram::bind(&SockAddr::Ip("127.71.82.93:0".parse().unwrap())).unwrap();
        let addr = sink.local_addr().unwrap();
        drop(sink);
        let source = Datagram::connect(&addr).unwrap();
        for _ in 0..10 {
            source.try_send(b"nobody hears this").unwrap();
        }
        let sink = Datagram::bind(&addr).unwrap();
        source.try_send(b"heard").unwrap();
        assert_eq!(receive(&sink).await, b"heard");
    });
}

/// As when the log daemon restarts.
#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_unix_target_may_vanish_and_return() {
    let path = directory("datagram").join("log");
    on_reactor(async {
        let addr = SockAddr::Path(path.clone());
        let source = Datagram::connect(&addr).unwrap();
        assert_eq!(source.try_send(b"too early").unwrap_err().kind(), ErrorKind::NotFound);
        for _ in 0..3 {
            let sink = Datagram::bind(&addr).unwrap();
            source.try_send(b"heard").unwrap();
            assert_eq!(receive(&sink).await, b"heard");
            drop(sink);
            assert_eq!(source.try_send(b"nobody").unwrap_err().kind(), ErrorKind::ConnectionRefused);
            std::fs::remove_file(&path).unwrap();
            assert_eq!(source.try_send(b"nobody").unwrap_err().kind(), ErrorKind::NotFound);
        }
    });
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a system call or option of it")]
fn a_reader_that_does_not_read_costs_lines_and_no_wait() {
    let path = directory("full").join("log");
    on_reactor(async {
        let addr = SockAddr::Path(path.clone());
        let sink = Datagram::bind(&addr).unwrap();
        let source = Datagram::connect(&addr).unwrap();
        let lines = [IoSlice::new(b"line"); 64];
        let mut sent = 0;
        let error = loop {
            match source.try_send_many(&lines) {
                Ok(count) => sent += count,
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(error, ErrorKind::WouldBlock);
        for _ in 0..sent {
            assert_eq!(receive(&sink).await, b"line");
        }
        source.try_send(b"line").unwrap();
    });
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
