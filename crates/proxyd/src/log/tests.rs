use super::outputs::Sampler;
use super::writer::Writer;
use super::*;
use diag::{Sources, Span};
use haproxy_cfg::model::{Address, LogTarget, Place};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

fn logger(target: LogTarget) -> Logger {
    let file = Sources::default().add("t.cfg", "");
    Logger {
        target,
        max_len: 1024,
        format: LoggerFormat::Priority,
        sample: None,
        facility: 16,
        max_level: 7,
        min_level: 0,
        place: Place { file: "t.cfg".into(), line: 1, span: Span { file, start: 0, end: 0 } },
    }
}

fn udp() -> (UdpSocket, Logger) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let target = LogTarget::Datagram(Address::Ip(socket.local_addr().unwrap()));
    (socket, logger(target))
}

fn received(socket: &UdpSocket) -> String {
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("evenkeel-log-{}-{name}", std::process::id()))
}

/// Runs `test` on a reactor; the sinks it makes die with it.
fn on_reactor<T>(test: impl AsyncFnOnce(Arc<Outputs>) -> T) -> T {
    reactor::run(reactor::Settings::default(), async { test(Arc::default()).await }).unwrap()
}

/// Lets the loop go round a few times.
async fn turns() {
    for _ in 0..4 {
        reactor::yield_now().await;
    }
}

/// Until lines that follow others have gone, too.
async fn gathered() {
    reactor::sleep_until(reactor::now() + GATHER * 2).await;
    turns().await;
}

#[test]
fn a_turns_lines_go_in_one_batch() {
    let (socket, logger) = udp();
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger], &outputs, None, "tag", 7);
        turns().await;
        for n in 0..10 {
            sinks.send(6, format!("line {n}").as_bytes());
        }
        assert_eq!(outputs.sent(), 0, "nothing is sent within the turn");
        turns().await;
        assert_eq!((outputs.sent(), outputs.dropped(), outputs.batches()), (10, 0, 1));
    });
    for n in 0..10 {
        assert_eq!(received(&socket), format!("<134>line {n}\n"));
    }
}

#[test]
fn a_line_does_not_overtake_those_of_another_list() {
    let (socket, logger) = udp();
    on_reactor(async |outputs| {
        let lists = [(); 3].map(|()| Sinks::open(std::slice::from_ref(&logger), &outputs, None, "tag", 7));
        for (n, list) in [0, 0, 1, 2, 0, 2, 1].into_iter().enumerate() {
            lists[list].send(6, n.to_string().as_bytes());
            turns().await;
        }
    });
    let lines: Vec<_> = (0..7).map(|_| received(&socket)).collect();
    let at = |n: usize| lines.iter().position(|line| *line == format!("<134>{n}\n")).unwrap();
    assert!(at(0) < at(1) && at(1) < at(2) && at(2) < at(3), "{lines:?}");
}

#[test]
fn lines_of_several_turns_are_gathered() {
    let (socket, logger) = udp();
    let (lines, batches) = on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger], &outputs, None, "tag", 7);
        let mut lines = 0;
        let end = reactor::now() + GATHER * 20;
        while reactor::now() < end {
            sinks.send(6, lines.to_string().as_bytes());
            lines += 1;
            turns().await;
        }
        while outputs.sent() < lines {
            reactor::sleep_until(reactor::now() + GATHER).await;
        }
        (lines, outputs.batches())
    });
    // One for the first line, then one for each millisecond or for a full batch; late timers make it fewer.
    let most = 22 + lines / 64;
    assert!(batches <= most, "{lines} lines in {batches} batches");
    for n in 0..lines.min(100) {
        assert_eq!(received(&socket), format!("<134>{n}\n"));
    }
}

#[test]
fn many_lines_do_not_wait_for_the_turns_end() {
    let (socket, logger) = udp();
    let reader = std::thread::spawn(move || (0..200).map(|_| received(&socket)).collect::<Vec<_>>());
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger], &outputs, None, "tag", 7);
        (0..200).for_each(|n| sinks.send(3, n.to_string().as_bytes()));
        assert_eq!((outputs.sent(), outputs.batches()), (192, 3));
        turns().await;
        assert_eq!((outputs.sent(), outputs.batches()), (200, 4));
    });
    let lines = reader.join().unwrap();
    assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("<131>{n}\n")));
}

#[test]
fn what_waits_is_sent_at_the_end() {
    let (socket, logger) = udp();
    on_reactor(async |outputs| Sinks::open(&[logger], &outputs, None, "tag", 7).send(6, b"last words"));
    assert_eq!(received(&socket), "<134>last words\n");
}

#[test]
fn each_log_line_has_its_levels_frame_and_sample() {
    let (first, one) = udp();
    let (second, two) = udp();
    let one = Logger { max_level: 5, min_level: 4, format: LoggerFormat::Short, ..one };
    let two = Logger { sample: Some((vec![(2, 3), (5, 5)], 5)), format: LoggerFormat::Raw, ..two };
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[one.clone(), two], &outputs, None, "tag", 7);
        assert!(!sinks.is_empty() && sinks.wants(7));
        (0..8).for_each(|level| sinks.send(level, &[b'0' + level]));
        turns().await;
        assert_eq!(outputs.sent(), 6 + 5);
        let quiet = Sinks::open(&[one], &outputs, None, "tag", 7);
        assert!(quiet.wants(5) && !quiet.wants(6));
        assert!(Sinks::open(&[], &outputs, None, "tag", 7).is_empty());
    });
    let lines: Vec<_> = (0..6).map(|_| received(&first)).collect();
    assert_eq!(lines, ["<4>0\n", "<4>1\n", "<4>2\n", "<4>3\n", "<4>4\n", "<5>5\n"]);
    let lines: Vec<_> = (0..5).map(|_| received(&second)).collect();
    assert_eq!(lines, ["1\n", "2\n", "4\n", "6\n", "7\n"]);
}

#[test]
fn workers_take_turns_in_a_sample() {
    let sampler = Sampler::new(&[(1, 1)], 3);
    let taken: Vec<_> = (0..9).map(|_| sampler.take()).collect();
    assert_eq!(taken, [true, false, false].repeat(3));
    let (_socket, logger) = udp();
    let logger = Logger { sample: Some((vec![(1, 1)], 2)), ..logger };
    on_reactor(async |outputs| {
        let workers = [0, 1].map(|_| Sinks::open(std::slice::from_ref(&logger), &outputs, None, "tag", 7));
        workers.iter().cycle().take(6).for_each(|sinks| sinks.send(6, b"x"));
        turns().await;
        assert_eq!(outputs.sent(), 3);
    });
}

#[test]
fn a_path_that_vanishes_and_returns() {
    let path = path("path");
    let _ = std::fs::remove_file(&path);
    let target = LogTarget::Datagram(Address::Unix(path.clone()));
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger(target)], &outputs, None, "tag", 7);
        sinks.send(6, b"nobody yet");
        turns().await;
        assert_eq!((outputs.sent(), outputs.dropped()), (0, 1));
        for round in 1..=2 {
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            sinks.send(6, b"here");
            gathered().await;
            let mut buffer = [0; 100];
            let length = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"<134>here\n");
            drop(socket);
            std::fs::remove_file(&path).unwrap();
            sinks.send(6, b"gone");
            gathered().await;
            assert_eq!((outputs.sent(), outputs.dropped()), (round, 1 + round));
        }
    });
}

/// A log daemon that reads slowly loses nothing as long as the backlog has room.
#[test]
fn a_full_socket_is_tried_again() {
    let path = path("full");
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let target = LogTarget::Datagram(Address::Unix(path.clone()));
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger(target)], &outputs, None, "tag", 7);
        let total = 2_000;
        (0..total).for_each(|n| sinks.send(6, n.to_string().as_bytes()));
        turns().await;
        assert!(outputs.sent() < total, "the queue of a Unix socket is short");
        let deadline = reactor::now() + Duration::from_secs(10);
        let (mut buffer, mut next) = ([0; 100], 0);
        while next < total && reactor::now() < deadline {
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    assert_eq!(buffer[..length], *format!("<134>{next}\n").as_bytes());
                    next += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    reactor::sleep_until(reactor::now() + Duration::from_millis(1)).await;
                }
            }
        }
        assert_eq!((next, outputs.sent(), outputs.dropped()), (total, total, 0));
    });
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_socket_that_stays_full_loses_lines_but_not_memory() {
    let path = path("stuck");
    let _ = std::fs::remove_file(&path);
    let _socket = UnixDatagram::bind(&path).unwrap();
    let target = LogTarget::Datagram(Address::Unix(path.clone()));
    let outputs = on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger(target)], &outputs, None, "tag", 7);
        (0..2_000).for_each(|_| sinks.send(6, &[b'x'; 900]));
        turns().await;
        assert!(outputs.dropped() > 1_000);
        drop(sinks);
        outputs
    });
    assert_eq!(outputs.sent() + outputs.dropped(), 2_000);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn targets_that_cannot_work_are_counted() {
    let targets = [LogTarget::Fd(9_999), LogTarget::Datagram(Address::SockPair(3))];
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&targets.map(logger), &outputs, None, "tag", 7);
        sinks.send(6, b"x");
        turns().await;
        assert_eq!((outputs.sent(), outputs.dropped()), (0, 2));
    });
}

#[test]
fn udp_without_listener_does_not_stop() {
    let (socket, logger) = udp();
    drop(socket);
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger], &outputs, None, "tag", 7);
        for _ in 0..5 {
            sinks.send(6, b"x");
            gathered().await;
        }
        assert_eq!(outputs.sent() + outputs.dropped(), 5);
    });
}

#[test]
fn a_line_too_long_for_the_socket_is_lost_alone() {
    let (socket, logger) = udp();
    let logger = Logger { max_len: 100_000, ..logger };
    on_reactor(async |outputs| {
        let sinks = Sinks::open(&[logger], &outputs, None, "tag", 7);
        for message in [&b"a"[..], &[b'x'; 70_000], b"b"] {
            sinks.send(6, message);
        }
        turns().await;
        assert_eq!((outputs.sent(), outputs.dropped()), (2, 1));
    });
    assert_eq!(received(&socket), "<134>a\n");
    assert_eq!(received(&socket), "<134>b\n");
}

#[test]
fn descriptors_are_written_by_their_thread() {
    let (mut reader, write) = UnixStream::pair().unwrap();
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    let outputs = Arc::new(Outputs::default());
    let writer = Writer::over(File::from(OwnedFd::from(write)), Arc::downgrade(&outputs)).unwrap();
    assert!(writer.offer(b"one\ntwo\n", 2));
    let mut buffer = [0; 8];
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"one\ntwo\n");
    writer.drain(PATIENCE);
    assert_eq!((outputs.sent(), outputs.dropped()), (2, 0));
    // The reader stands still: the queue fills, then lines are refused, and nobody waits.
    let lines = vec![b'\n'; 64 * 1024];
    let refused = (0..100).filter(|_| !writer.offer(&lines, lines.len())).count();
    assert!((1..100).contains(&refused), "{refused}");
    drop(reader);
    writer.drain(PATIENCE);
    assert_eq!(outputs.sent() + outputs.dropped(), 2 + ((100 - refused) * lines.len()) as u64);
}
