//! Servers and scripts that mean no good: others are checked all the same, and nothing is left behind.

use super::{Lab, on_reactor, read_until, serve, servers, silent, write};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// A script that only root may change, in a directory of its own.
pub(super) fn script(name: &str, body: &str) -> (PathBuf, PathBuf) {
    let directory = PathBuf::from(format!("/run/evenkeel-probe-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("check.sh");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, path)
}

/// Waits for something that must come.
pub(super) async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        reactor::sleep_until(reactor::now() + Duration::from_millis(2)).await;
    }
}

fn is_alive(pid: &str) -> bool {
    // A zombie runs no more.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

#[test]
fn none_keeps_another_from_being_checked() {
    let (directory, hanging) = script("hang", "trap '' TERM\nwhile :; do sleep 1000; done");
    let (noisy_directory, noisy) = script("noise", "yes 'all work and no play' & yes >&2");
    on_reactor(async || {
        let trickling = serve(async |stream| {
            read_until(&stream, b"\r\n\r\n").await;
            write(&stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
            loop {
                write(&stream, b"x").await;
                reactor::sleep_until(reactor::now() + Duration::from_millis(1)).await;
                if stream.peer_closed() {
                    return;
                }
            }
        });
        let flooding = serve(async |stream| {
            let page = vec![b'x'; 64 * 1024];
            write(&stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.take_error().is_none() && !stream.peer_closed() {
                write(&stream, &page).await;
                reactor::yield_now().await;
            }
        });
        let checked = Rc::new(Cell::new(0));
        let count = checked.clone();
        let good = serve(async move |_| count.set(count.get() + 1));
        let get = "HTTP_GET {\n connect_timeout 60\n url {\n path /\n digest 5d41402abc4b2a76b9719d911017c592\n }\n}";
        let run = |path: &Path| format!("MISC_CHECK {{\n misc_path {}\n misc_timeout 60\n}}", path.display());
        let mut lab = Lab::start(&servers(&[
            (good, "TCP_CHECK { }"),
            (trickling, get),
            (flooding, get),
            (silent(), get),
            (silent(), "SMTP_CHECK {\n connect_timeout 60\n}"),
            (1, &run(&hanging)),
            (1, &run(&noisy)),
        ]));
        assert_eq!(lab.next().await, lab_up(0));
        // Twenty rounds of the good one, while all others are still at their first.
        until(|| checked.get() >= 20).await;
        assert_eq!(lab.already(), None);
        assert!(lab.prober.counters().running >= 6, "{:?}", lab.prober.counters());
        // Given up, they leave nothing.
        for number in 1..7 {
            lab.prober.suspend(crate::plan::CheckerId(number));
        }
        until(|| lab.prober.counters().running <= 1).await;
        let (again, rounds) = (checked.clone(), checked.get() + 5);
        until(move || again.get() >= rounds).await;
        assert_eq!(lab.already(), None);
    });
    fs::remove_dir_all(directory).unwrap();
    fs::remove_dir_all(noisy_directory).unwrap();
}

fn lab_up(number: u32) -> (u32, super::Verdict) {
    let verdict =
        super::Verdict { up: true, changed: false, weight: None, mail: None, reason: "passed".to_owned() };
    (number, verdict)
}

#[test]
fn a_script_that_takes_too_long_is_ended_with_all_it_started() {
    let (directory, path) = script("slow", "echo $$ > \"$0.pid\"; sleep 1000 & echo $! >> \"$0.pid\"; wait");
    on_reactor(async || {
        let lab = Lab::start(&servers(&[(
            1,
            &format!("MISC_CHECK {{\n misc_path {}\n misc_timeout 1\n}}", path.display()),
        )]));
        let verdict = &lab.first(1).await[0];
        assert!(!verdict.up && verdict.reason.contains("in time"), "{verdict:?}");
        let pids = fs::read_to_string(directory.join("check.sh.pid")).unwrap();
        let first: Vec<_> = pids.lines().collect();
        assert!(first.len() >= 2, "{pids}");
        until(|| !first.iter().any(|pid| is_alive(pid))).await;
        drop(lab);
    });
    let pids = fs::read_to_string(directory.join("check.sh.pid")).unwrap_or_default();
    on_reactor(async || until(|| !pids.lines().any(is_alive)).await);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_end_of_a_script_is_what_counts() {
    let (directory, path) = script("ends", "kill -0 $$; case $1 in k) kill -9 $$;; *) exit $1;; esac");
    on_reactor(async || {
        let run = |argument: &str, more: &str| {
            format!("MISC_CHECK {{\n misc_path \"{} {argument}\"\n {more}\n}}", path.display())
        };
        let lab = Lab::start(&servers(&[
            (1, &run("0", "")),
            (2, &run("3", "")),
            (3, &run("3", "misc_dynamic")),
            (4, &run("k", "")),
            (5, "MISC_CHECK {\n misc_path /nonexistent/script\n}"),
        ]));
        let found = lab.first(5).await;
        let up: Vec<_> = found.iter().map(|verdict| verdict.up).collect();
        assert_eq!(up, [true, false, true, false, true], "{found:?}");
        assert_eq!(found[1].reason, "exited with status 3");
        assert_eq!(
            found[2].weight,
            Some(super::super::WeightChange::Script(super::super::Weight::Absolute(1)))
        );
        assert_eq!(found[3].reason, "ended by signal 9");
    });
    fs::remove_dir_all(directory).unwrap();
}
