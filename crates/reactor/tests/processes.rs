//! Signals, children, forks: what needs a process with one thread. Run without the test harness, which has several.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test, without the harness's mark"
)]

use ek_time::Duration;
use reactor::child::{self, Child, Process, SpawnOptions};
use reactor::process::{self, Fork, Groups, Privileges};
use reactor::signal::{SIGCHLD, SIGHUP, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2, Signals};
use reactor::{Settings, now, spawn_task, timeout_at, yield_now};
use std::fs::File;
use std::future::Future;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio, exit};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, how] = arguments.as_slice()
        && role == "background"
    {
        background(how);
    }
    let tests: [(&str, fn()); 13] = [
        ("signals_come_in_place_of_their_handlers", signals_come),
        ("children_exit_and_are_reaped", children_exit),
        ("children_have_no_signal_blocked_and_inherit_what_they_shall", children_inherit),
        ("a_dropped_child_is_reaped", a_dropped_child),
        ("a_child_is_adopted_by_its_number", a_child_is_adopted),
        ("a_process_is_watched_by_its_descriptor", a_process_is_watched),
        ("the_starter_of_a_background_process_waits_for_its_word", daemonizing),
        ("descriptors_are_passed_over_a_socket", descriptors_are_passed),
        ("descriptors_lost_on_the_way_are_told_of", descriptors_lost),
        ("inherited_descriptors_are_taken_once", inherited_once),
        ("a_memory_file_cannot_be_changed", memory_file),
        ("privileges_are_given_up_for_good", privileges),
        ("names_limits_and_clocks", names_limits_and_clocks),
    ];
    for (name, test) in tests {
        print!("{name} ... ");
        let _ = std::io::stdout().flush();
        // A panic ends the process with a status that is no success.
        test();
        println!("ok");
    }
    ExitCode::SUCCESS
}

fn on_reactor<T>(future: impl Future<Output = T>) -> T {
    reactor::run(Settings::default(), async { timeout_at(now() + Duration::from_secs(60), future).await })
        .unwrap()
        .expect("an end within a minute")
}

fn signals_come() {
    on_reactor(async {
        let signals = Signals::new(&[SIGUSR1, SIGUSR2, SIGHUP]).unwrap();
        assert!(signals.try_next().is_err());
        let me = Process::open(std::process::id()).unwrap();
        let waiting = spawn_task(async move { (signals.next().await.unwrap(), signals) });
        yield_now().await;
        yield_now().await;
        me.kill(SIGUSR1).unwrap();
        let (received, signals) = waiting.await;
        assert_eq!((received.number, received.pid), (SIGUSR1, std::process::id()));
        (0..3).for_each(|_| me.kill(SIGUSR2).unwrap());
        me.kill(SIGHUP).unwrap();
        let mut got = [signals.next().await.unwrap().number, signals.next().await.unwrap().number];
        got.sort_unstable();
        assert_eq!(got, [SIGHUP, SIGUSR2]);
        assert!(signals.try_next().is_err(), "three of a kind were one");
        assert!(Signals::new(&[1_000]).is_err());
    });
}

fn children_exit() {
    on_reactor(async {
        let mut quick =
            child::spawn(Command::new("sh").args(["-c", "exit 7"]), &SpawnOptions::default()).unwrap();
        assert_eq!(quick.exited().await.unwrap().code(), Some(7));
        assert!(quick.exited().await.is_err() && quick.inner().is_none());
        assert!(quick.kill(SIGTERM).is_err(), "it is gone, and its number may be another's");

        let mut slow = child::spawn(Command::new("sleep").arg("1000"), &SpawnOptions::default()).unwrap();
        assert!(timeout_at(now() + Duration::from_millis(1), slow.exited()).await.is_err());
        assert!(slow.pidfd().is_some() && slow.pid() > 0);
        slow.kill(SIGTERM).unwrap();
        assert_eq!(slow.exited().await.unwrap().signal(), Some(SIGTERM));
        assert!(child::spawn(&mut Command::new("/nonexistent"), &SpawnOptions::default()).is_err());
    });
}

fn children_inherit() {
    on_reactor(async {
        // Held back here; the child must not be.
        let _signals = Signals::new(&[SIGUSR1, SIGTERM, SIGCHLD]).unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let number = theirs.as_raw_fd();
        let script =
            format!("grep SigBlk /proc/self/status >&{number}; kill -TERM $$; echo still here >&{number}");
        let options = SpawnOptions {
            inherit: &[theirs.as_fd()],
            death_signal: Some(SIGKILL),
            ..SpawnOptions::default()
        };
        let mut child = child::spawn(Command::new("sh").args(["-c", &script]), &options).unwrap();
        assert_eq!(child.exited().await.unwrap().signal(), Some(SIGTERM));
        drop(theirs);
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["SigBlk:", "0000000000000000"]);
    });
}

#[expect(clippy::zombie_processes, reason = "they are waited for by their numbers")]
fn a_child_is_adopted() {
    on_reactor(async {
        let started =
            Command::new("sh").args(["-c", "read line; exit 9"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut child = Child::adopt(started.id()).unwrap();
        assert!(child.inner().is_none());
        assert!(timeout_at(now() + Duration::from_millis(1), child.exited()).await.is_err());
        drop(started);
        assert_eq!(child.exited().await.unwrap().code(), Some(9));
        assert!(child.exited().await.is_err());
        // One that has ended already is found as well.
        let started = Command::new("true").spawn().unwrap();
        let ended = Process::open(started.id()).unwrap();
        ended.exited().await.unwrap();
        assert_eq!(Child::adopt(started.id()).unwrap().exited().await.unwrap().code(), Some(0));
        assert!(Child::adopt(std::process::id()).is_err(), "this process is not its own child");
    });
}

fn a_dropped_child() {
    on_reactor(async {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let options = SpawnOptions { inherit: &[theirs.as_fd()], ..SpawnOptions::default() };
        let child = child::spawn(Command::new("cat").stdin(Stdio::piped()), &options).unwrap();
        drop(theirs);
        let watch = Process::open(child.pid()).unwrap();
        let status = format!("/proc/{}/status", child.pid());
        // Its standard input is closed with it, so that it ends.
        drop(child);
        watch.exited().await.unwrap();
        assert_eq!(ours.read(&mut [0; 1]).unwrap(), 0);
        while Path::new(&status).exists() {
            yield_now().await;
        }
    });
}

fn a_process_is_watched() {
    on_reactor(async {
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        let watch = Process::open(other.id()).unwrap();
        assert!(timeout_at(now() + Duration::from_millis(1), watch.exited()).await.is_err());
        watch.kill(SIGKILL).unwrap();
        watch.exited().await.unwrap();
        other.wait().unwrap();
        watch.exited().await.unwrap();
        assert!(watch.kill(SIGKILL).is_err());
    });
}

/// This program again, as one that goes into the background.
fn background(how: &str) -> ! {
    let background = process::daemonize().unwrap();
    process::detach_stdio().unwrap();
    match how {
        "ready" => background.ready().unwrap(),
        "failed" => background.failed(3).unwrap(),
        "dropped" => drop(background),
        _ => exit(9),
    }
    exit(0)
}

fn daemonizing() {
    let program = std::env::current_exe().unwrap();
    for (how, expected) in [("ready", 0), ("failed", 3), ("dropped", 1)] {
        let status = Command::new(&program).args(["background", how]).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{how}");
    }
    std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || receive.recv().unwrap_err());
        assert!(process::fork().is_err(), "not with two threads");
        drop(send);
    });
}

fn descriptors_are_passed() {
    let (one, other) = UnixStream::pair().unwrap();
    let file = process::memory_file("passed", b"content").unwrap();
    let fds: Vec<_> = (0..process::MAX_PASSED).map(|_| file.as_fd()).collect();
    assert_eq!(process::send_descriptors(&one, b"hello", &fds).unwrap(), 5);
    let mut bytes = [0; 16];
    let (len, got) = process::receive_descriptors(&other, &mut bytes).unwrap();
    assert_eq!((&bytes[..len], got.len()), (&b"hello"[..], fds.len()));
    let mut text = String::new();
    File::from(got.into_iter().next_back().unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");

    process::send_descriptors(&one, b"none", &[]).unwrap();
    assert!(process::receive_descriptors(&other, &mut bytes).unwrap().1.is_empty());
    assert!(process::send_descriptors(&one, b"", &[one.as_fd()]).is_err());
    let many: Vec<_> = (0..=process::MAX_PASSED).map(|_| one.as_fd()).collect();
    assert!(process::send_descriptors(&one, b"x", &many).is_err());
    drop(one);
    assert_eq!(process::receive_descriptors(&other, &mut bytes).unwrap().0, 0);
}

fn open_count() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn descriptors_lost() {
    let (one, other) = UnixStream::pair().unwrap();
    let (soft, hard) = process::open_files().unwrap();
    let fds: Vec<_> = (0..20).map(|_| one.as_fd()).collect();
    process::send_descriptors(&one, b"x", &fds).unwrap();
    let before = open_count();
    process::set_open_files(before as u64 + 5, hard).unwrap();
    let error = process::receive_descriptors(&other, &mut [0; 8]).unwrap_err();
    process::set_open_files(soft, hard).unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(open_count(), before, "those that came are closed");
}

fn inherited_once() {
    let file = File::open("/dev/null").unwrap();
    let number = file.as_raw_fd();
    assert!(process::inherited(number).is_err(), "opened here, not inherited");
    // As exec leaves it.
    process::set_inheritable(file.as_fd(), true).unwrap();
    std::mem::forget(file);
    let taken = process::inherited(number).unwrap();
    assert!(process::inherited(number).is_err());
    drop(taken);
    assert!(process::inherited(number).is_err());
    assert!(process::inherited(-1).is_err());
    assert!(process::inherited(1).unwrap().as_raw_fd() > 2);
}

fn memory_file() {
    let mut file = process::memory_file("snapshot", b"abc").unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abc");
    file.rewind().unwrap();
    assert!(file.write(b"x").is_err() && file.set_len(0).is_err());
}

/// Runs `test` in a copy of this process, which it may spoil.
fn in_a_copy(test: fn()) {
    if std::fs::read_dir("/proc/self/task").unwrap().count() > 1 {
        print!("NOT RUN: a sanitizer's thread forbids copies of the process ... ");
        return;
    }
    match process::fork().unwrap() {
        Fork::Child => {
            test();
            // Without what is done at an exit: a leak sanitizer looks in /proc, which a new root may not have.
            let _ = Process::open(std::process::id()).and_then(|this| this.kill(SIGKILL));
            exit(1)
        }
        Fork::Parent(pid) => {
            let watch = Process::open(pid).unwrap();
            on_reactor(async { watch.exited().await }).unwrap();
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            let killed = SIGKILL.to_string();
            assert_eq!(status.split_whitespace().last(), Some(killed.as_str()), "{status}");
        }
    }
}

fn privileges() {
    if process::effective_uid() != 0 {
        println!("NOT RUN: only root can give up privileges");
        return;
    }
    in_a_copy(|| {
        let root = std::env::temp_dir().join(format!("evenkeel-root-{}", std::process::id()));
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("inside"), "").unwrap();
        let groups = Groups::Set(vec![54_321]);
        process::drop_privileges(&Privileges {
            groups: &groups,
            chroot: Some(&root),
            gid: Some(12_345),
            uid: Some(23_456),
        })
        .unwrap();
        assert_eq!(process::effective_uid(), 23_456);
        assert!(Path::new("/inside").exists() && !Path::new("/etc").exists());
        let again = Privileges { groups: &Groups::Keep, chroot: None, gid: None, uid: Some(0) };
        assert!(process::drop_privileges(&again).unwrap_err().to_string().starts_with("setuid: "));
    });
    in_a_copy(|| {
        process::set_no_new_privileges().unwrap();
        process::set_death_signal(SIGTERM).unwrap();
        process::set_dumpable(false).unwrap();
        let groups = Groups::OfUser("root".to_owned(), 7);
        process::drop_privileges(&Privileges { groups: &groups, chroot: None, gid: Some(8), uid: Some(9) })
            .unwrap();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        assert_eq!(line("Uid:"), ["9"; 4]);
        assert_eq!(line("Gid:"), ["8"; 4]);
        assert!(line("Groups:").contains(&"7"));
        assert_eq!(line("NoNewPrivs:"), ["1"]);
    });
}

fn names_limits_and_clocks() {
    in_a_copy(|| {
        process::set_name("a-rather-long-name").unwrap();
        assert_eq!(std::fs::read_to_string("/proc/self/comm").unwrap(), "a-rather-long-n\n");
    });
    let (soft, hard) = process::open_files().unwrap();
    process::set_open_files(100, hard).unwrap();
    assert_eq!(process::raise_open_files(200).unwrap(), 200);
    process::set_open_files(soft, hard).unwrap();
    assert!(process::cpu_time() >= process::thread_cpu_time());
}
