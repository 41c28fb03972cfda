//! A listener when the process has no descriptors left. Alone in its process, for the limit is the process's.

use ek_time::Duration;
use reactor::{
    ConnectOptions, ListenOptions, Listener, Settings, SockAddr, Stream, now, process, sleep_until,
    timeout_at,
};
use std::cell::Cell;
use std::fs::File;

#[test]
fn accepting_rests_while_there_are_no_descriptors_and_then_goes_on() {
    reactor::run(Settings::default(), async {
        let listener =
            Listener::bind(&SockAddr::Ip("127.0.0.1:0".parse().unwrap()), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = Stream::connect(&addr, &ConnectOptions::default()).unwrap();
        client.connected().await.unwrap();

        let (_, hard) = process::open_files().unwrap();
        process::set_open_files(64, hard).unwrap();
        assert_eq!(process::raise_open_files(10).unwrap(), 64, "never lowered");
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }

        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(24), "EMFILE");
        // While it rests it is not polled and nothing is accepted, although a connection waits.
        let start = reactor::turn();
        let polls = Cell::new(0_u64);
        let rested = timeout_at(now() + Duration::from_millis(50), async {
            std::future::poll_fn(|cx| {
                polls.set(polls.get() + 1);
                listener.poll_acceptable(cx)
            })
            .await;
        });
        assert!(rested.await.is_err());
        assert!(polls.get() < 10 && reactor::turn() - start < 20, "it spins");
        hoard.clear();
        let (stream, peer) =
            timeout_at(now() + Duration::from_secs(30), listener.accept()).await.unwrap().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        drop(stream);

        // And a second time, with the descriptors returning while it rests.
        let _second = Stream::connect(&addr, &ConnectOptions::default()).unwrap();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        assert!(listener.accept().await.is_err());
        hoard.clear();
        assert!(listener.try_accept().is_err(), "it rests");
        sleep_until(now() + Duration::from_millis(100)).await;
        assert!(listener.try_accept().is_ok());
        process::set_open_files(hard.min(1_024), hard).unwrap();
    })
    .unwrap();
}
