//! A reload executes the program's file anew; workers whose master is gone end.

use super::*;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

/// A copy of the program, in place of what is there.
fn install(path: &Path) {
    let new = path.with_extension("new");
    std::fs::copy(env!("CARGO_BIN_EXE_evenkeel"), &new).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A script in place of the program.
fn install_script(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A master that was started from a copy of the program, `haproxy` in the test's directory.
fn start_copy(name: &str, flags: &[&str]) -> (Proxy, PathBuf) {
    let dir = directory(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let program = dir.join("haproxy");
    install(&program);
    let (address, server) = (free(), server());
    std::fs::write(dir.join("proxy.cfg"), config(&dir, address, server.address, "")).unwrap();
    // `./haproxy`: found from where it was started.
    let child = spawn(&program, &dir, flags, |command| _ = command.arg0("./haproxy"));
    let proxy = Proxy { dir, address, server, child };
    until("the proxy answers", || proxy.get().is_ok());
    until("the start is announced", || proxy.said_times("Loading success.") == 1);
    (proxy, program)
}

/// The file that a process runs, as its place on the disk.
fn runs(pid: u32) -> (u64, u64) {
    let file = std::fs::metadata(format!("/proc/{pid}/exe")).unwrap();
    (file.dev(), file.ino())
}

fn place(path: &Path) -> (u64, u64) {
    let file = std::fs::metadata(path).unwrap();
    (file.dev(), file.ino())
}

/// How many descriptors a process has.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn a_reload_brings_a_new_program_into_service() {
    let socket = directory("upgrade").join("m.sock");
    let (mut proxy, program) =
        start_copy("upgrade", &["-W", "-db", "-p", "pid", "-S", &format!("{},mode,600", socket.display())]);
    let master = proxy.child.id();
    let load = Load::on(proxy.address);
    let mut open = 0;
    for reload in 1..=5 {
        load.more(30);
        install(&program);
        let new = place(&program);
        assert_ne!(runs(master), new);
        if reload % 2 == 0 {
            // A client of the master's socket is answered by the program that follows.
            let answer = ask(&socket, "reload").unwrap();
            assert!(
                answer.starts_with("Success=1\n--\n") && answer.contains("Reloading HAProxy"),
                "{answer}"
            );
        } else {
            proxy.signal(Signal::SIGUSR2);
        }
        until("the new worker serves", || proxy.said_times("Loading success.") > reload);
        until("the old worker is gone", || proxy.workers().len() == 1);
        assert_eq!(runs(master), new, "the master runs the new file");
        assert_eq!(runs(proxy.workers()[0]), new, "and so does its worker");
        assert_eq!(std::fs::read_to_string(proxy.dir.join("pid")).unwrap(), format!("{master}\n"));
        // Nothing is left open on the way.
        if reload == 1 {
            until("the master has settled", || {
                let before = std::mem::replace(&mut open, descriptors(master));
                open == before
            });
        }
        until("no descriptor is left behind", || descriptors(master) == open);
    }
    load.more(30);
    assert_eq!(load.end(), Vec::<String>::new());
    let listed = ask(&socket, "show proc").unwrap();
    assert!(listed.contains(" 5 [failed: 0] "), "{listed}");
    assert_eq!(proxy.said_times("exited with code 0 (Exit)"), 5);
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(!proxy.dir.join("pid").exists(), "the last program removes the first one's file");
}

#[test]
fn a_program_that_cannot_take_over_changes_nothing() {
    let (proxy, program) = start_copy("unfit", &["-W", "-db"]);
    let (master, workers) = (proxy.child.id(), proxy.workers());
    let old = runs(master);
    let load = Load::on(proxy.address);
    let refused = |times: usize, why: &str| {
        proxy.signal(Signal::SIGUSR2);
        until("the failure is reported", || proxy.said_times("Reload failed: ") == times);
        assert!(proxy.said().contains(why), "{why:?} is missing");
        assert_eq!((runs(master), proxy.workers()), (old, workers.clone()));
        load.more(10);
    };
    std::fs::remove_file(&program).unwrap();
    refused(1, "haproxy: No such file or directory");
    // Another program, and some that are broken.
    install_script(&program, "#!/bin/sh\necho HAProxy version 2.6.12\n");
    refused(2, "it answers 'HAProxy version 2.6.12'");
    install_script(&program, "#!/nowhere\n");
    refused(3, "Reload failed: cannot execute ");
    install_script(&program, "#!/bin/sh\nexit 127\n");
    refused(4, "it answers ''");
    // One that could, and then is not there any more.
    let path = program.display();
    install_script(&program, &format!("#!/bin/sh\nrm '{path}'\necho evenkeel master 1\n"));
    refused(5, "No such file or directory");
    // Then a good one.
    install(&program);
    let served = proxy.said_times("Loading success.");
    proxy.signal(Signal::SIGUSR2);
    until("the new worker serves", || proxy.said_times("Loading success.") > served);
    assert_eq!(runs(master), place(&program));
    load.more(10);
    assert_eq!(load.end(), Vec::<String>::new());
}

#[test]
fn a_new_program_that_refuses_the_configuration_keeps_the_old_worker() {
    let (mut proxy, program) = start_copy("wait", &["-W", "-db"]);
    let (master, workers) = (proxy.child.id(), proxy.workers());
    let good = std::fs::read_to_string(proxy.dir.join("proxy.cfg")).unwrap();
    let load = Load::on(proxy.address);
    std::fs::write(proxy.dir.join("proxy.cfg"), "nonsense here\n").unwrap();
    for times in 1..=2 {
        install(&program);
        proxy.signal(Signal::SIGUSR2);
        until("the failure is reported", || proxy.said_times("Reload failed: ") == times);
        assert_eq!(runs(master), place(&program));
        assert_eq!(proxy.workers(), workers, "the old worker goes on under the new master");
        load.more(20);
    }
    // It is still the master's: its end is seen, and the text it served lives on.
    kill(Pid::from_raw(workers[0] as i32), Signal::SIGKILL).unwrap();
    until("the end is seen", || proxy.said().contains("exited with code 137 (Killed)"));
    until("the next worker serves", || proxy.said_times("Loading success.") == 2);
    proxy.get().unwrap();
    std::fs::write(proxy.dir.join("proxy.cfg"), good).unwrap();
    proxy.signal(Signal::SIGUSR2);
    until("the file is served again", || proxy.said_times("Loading success.") == 3);
    until("the old worker is gone", || proxy.workers().len() == 1);
    // Connections that the killed worker had taken are lost; none is refused.
    let failures = load.end();
    assert!(failures.iter().all(|text| !text.contains("refused")), "{failures:?}");
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.wait().code(), Some(0));
}

#[test]
fn signals_that_come_while_programs_change_are_not_lost() {
    let (mut proxy, _) = start_copy("signals", &["-W", "-db"]);
    for _ in 0..20 {
        proxy.signal(Signal::SIGUSR2);
        proxy.signal(Signal::SIGHUP);
    }
    until("a reload is under way", || proxy.said().contains("Reloading HAProxy"));
    proxy.signal(Signal::SIGTERM);
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(proxy.said().contains("All workers exited. Exiting... (0)"));
}

#[test]
fn without_a_master_a_worker_ends_softly() {
    let (mut proxy, program) = start_copy("orphan", &["-W", "-db", "-p", "pid"]);
    let [orphan] = proxy.workers()[..] else { panic!("one worker") };
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the request is on its way", || proxy.server.waiting.load(SeqCst) == 1);
    proxy.signal(Signal::SIGKILL);
    proxy.wait();
    // The next master starts whatever the orphan is about, and serves.
    let started = proxy.said_times("Loading success.");
    proxy.child = spawn(&program, &proxy.dir, &["-W", "-db", "-p", "pid"], |_| {});
    until("the next master serves", || proxy.said_times("Loading success.") > started);
    until("the orphan knows", || proxy.said().contains("The master process is gone"));
    until("the orphan accepts nobody", || proxy.said_times(" : Proxy web stopped") == 1);
    for _ in 0..20 {
        proxy.get().unwrap();
    }
    assert!(Path::new(&format!("/proc/{orphan}/exe")).exists(), "it has a client");
    proxy.server.go.store(true, SeqCst);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    until("the orphan ends", || std::fs::read_link(format!("/proc/{orphan}/exe")).is_err());
    assert_eq!(proxy.workers().len(), 1);
    let pid = std::fs::read_to_string(proxy.dir.join("pid")).unwrap();
    assert_eq!(pid, format!("{}\n", proxy.child.id()));
}

#[test]
fn a_draining_process_sleeps() {
    let mut proxy = Proxy::start("asleep", &["-db"], "  nbthread 1\n");
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the request is on its way", || proxy.server.waiting.load(SeqCst) == 1);
    proxy.signal(Signal::SIGUSR1);
    until("nobody listens", || TcpStream::connect(proxy.address).is_err());
    let pid = proxy.child.id();
    let sleeps = || -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/status")).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse().unwrap()
    };
    // The main thread goes to sleep once. Were it to look again and again, it would fall asleep as often.
    let mut before = sleeps();
    until("it has nothing more to do", || {
        std::thread::sleep(Duration::from_millis(50));
        std::mem::replace(&mut before, sleeps()) == before
    });
    proxy.server.go.store(true, SeqCst);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(proxy.wait().code(), Some(0), "the end of the last thread wakes it");
}
