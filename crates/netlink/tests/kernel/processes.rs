use ek_time::Duration;
use netlink::{ProcessEvent, ProcessEvents, ProcessInterests};
use std::process::Command;

#[test]
fn processes_are_told_from_their_beginning_to_their_end() {
    let events = reactor::run(reactor::Settings::default(), async {
        let until = reactor::now() + Duration::from_secs(20);
        let mut stream = match ProcessEvents::open(ProcessInterests::ALL) {
            Ok(stream) => stream,
            Err(error) => panic!("MISSING CAPABILITY: the process connector: {error}"),
        };
        let mut child = Command::new("sh").args(["-c", "exec sleep 0.01"]).spawn().unwrap();
        let pid = child.id();
        let mut events = Vec::new();
        loop {
            let event =
                reactor::timeout_at(until, stream.next()).await.expect("nothing more was told").unwrap();
            let of_child = match &event {
                ProcessEvent::Fork { child, .. } => *child == pid,
                ProcessEvent::Exec { pid: of }
                | ProcessEvent::Comm { pid: of, .. }
                | ProcessEvent::Exit { pid: of, .. } => *of == pid,
                ProcessEvent::Resync => panic!("lost"),
            };
            if of_child {
                let last = matches!(event, ProcessEvent::Exit { .. });
                events.push(event);
                if last {
                    break;
                }
            }
        }
        child.wait().unwrap();
        (pid, events)
    })
    .unwrap();
    let (pid, events) = events;
    assert!(
        matches!(events.first(), Some(ProcessEvent::Fork { parent, .. }) if *parent == std::process::id()),
        "{events:?}"
    );
    assert_eq!(events.iter().filter(|e| matches!(e, ProcessEvent::Exec { .. })).count(), 2, "{events:?}");
    assert_eq!(events.last(), Some(&ProcessEvent::Exit { pid, status: 0 }));
}
