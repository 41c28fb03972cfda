//! The process model: master and worker, reload, restart, hand-over, signals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[path = "process/console.rs"]
mod console;
#[path = "process/succession.rs"]
mod succession;

/// Nothing here takes long; what does is stuck.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A server that answers every request, and `/wait` only once it may.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    /// Requests for `/wait` that came.
    waiting: Arc<AtomicU64>,
    /// They may be answered.
    go: Arc<AtomicBool>,
}

fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server =
        Server { address: listener.local_addr().unwrap(), waiting: Arc::default(), go: Arc::default() };
    let this = server.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), this) = (stream, this.clone()) else { continue };
            std::thread::spawn(move || this.answer(stream));
        }
    });
    server
}

impl Server {
    fn answer(&self, mut stream: TcpStream) {
        let (mut buffer, mut seen) = ([0; 4_096], Vec::new());
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..read]);
            while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                if seen.starts_with(b"GET /wait ") {
                    self.waiting.fetch_add(1, SeqCst);
                    until("the request may be answered", || self.go.load(SeqCst));
                }
                seen.drain(..end + 4);
                if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                    return;
                }
            }
        }
    }
}

/// An address nobody listens on now.
fn free() -> SocketAddr {
    testkit::lane::free_address()
}

/// A proxy under test, its directory and its files.
struct Proxy {
    dir: PathBuf,
    address: SocketAddr,
    server: Server,
    child: Child,
}

impl Proxy {
    /// Starts `program` as haproxy with `flags`; `global` are lines of that section.
    fn start(name: &str, flags: &[&str], global: &str) -> Self {
        Self::start_with(name, flags, global, |_| {})
    }

    fn start_with(name: &str, flags: &[&str], global: &str, more: impl FnOnce(&mut Command)) -> Self {
        let dir = directory(name);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let (address, server) = (free(), server());
        let text = config(&dir, address, server.address, global);
        std::fs::write(dir.join("proxy.cfg"), text).unwrap();
        let child = spawn(Path::new(env!("CARGO_BIN_EXE_evenkeel")), &dir, flags, more);
        let proxy = Self { dir, address, server, child };
        until("the proxy answers", || proxy.get().is_ok());
        proxy
    }

    fn get(&self) -> std::io::Result<()> {
        get(self.address)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// How often the log says `text`.
    fn said_times(&self, text: &str) -> usize {
        self.said().matches(text).count()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn workers(&self) -> Vec<u32> {
        children(self.child.id())
    }

    fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child, &self.dir)
    }
}

fn wait(child: &mut Child, dir: &Path) -> ExitStatus {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        let said = || std::fs::read_to_string(dir.join("stderr")).unwrap_or_default();
        assert!(Instant::now() < end, "the process does not end: {}", said());
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for worker in self.workers() {
            let _ = kill(Pid::from_raw(worker as i32), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- said:\n{}", self.said());
        } else {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// A test's own directory.
fn directory(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("evenkeel-process-{name}-{}", std::process::id()))
}

fn config(dir: &Path, address: SocketAddr, server: SocketAddr, global: &str) -> String {
    format!(
        "global\n  stats socket {}/stats.sock level admin expose-fd listeners\n{global}\
         defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n\
         listen web\n  bind {address}\n  server s1 {server}\n",
        dir.display()
    )
}

fn spawn(program: &Path, dir: &Path, flags: &[&str], more: impl FnOnce(&mut Command)) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(dir.join("stderr")).unwrap();
    let mut command = Command::new(program);
    command.arg0("haproxy").args(["-f", "proxy.cfg"]).args(flags).current_dir(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).env_remove("NOTIFY_SOCKET");
    more(&mut command);
    command.spawn().unwrap()
}

fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// One request on a new connection. An error says that it was refused or that no whole answer came.
fn get(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let whole = answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"ok");
    if whole { Ok(()) } else { Err(std::io::Error::other(String::from_utf8_lossy(&answer).into_owned())) }
}

fn ask(socket: &Path, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    writeln!(stream, "{command}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Clients that connect, ask and close, over and over.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(address: SocketAddr) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = || {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                while !stop.load(SeqCst) {
                    match get(address) {
                        Ok(()) => _ = done.fetch_add(1, SeqCst),
                        Err(error) => failures.push(format!("{:?} {error}", error.kind())),
                    }
                }
                failures
            })
        };
        let threads = std::iter::repeat_with(client).take(4).collect();
        Self { stop, done, threads }
    }

    /// Waits for so many further answers.
    fn more(&self, answers: u64) {
        let wanted = self.done.load(SeqCst) + answers;
        until("clients are answered", || self.done.load(SeqCst) >= wanted);
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, SeqCst);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

#[test]
fn a_single_process_ends_by_its_signal_and_drains_on_usr1() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut proxy = Proxy::start(&format!("single-{signal}"), &["-db"], "");
        proxy.signal(signal);
        assert_eq!(proxy.wait().signal(), Some(signal as i32));
    }
    // So starts a shell a background command.
    let mut proxy = Proxy::start("ignored", &["-db"], "");
    proxy.signal(Signal::SIGTERM);
    proxy.wait();
    let ignoring = "trap '' INT; exec \"$0\" proxy -db -f proxy.cfg";
    let mut command = Command::new("sh");
    command.args(["-c", ignoring, env!("CARGO_BIN_EXE_evenkeel")]).current_dir(&proxy.dir);
    proxy.child = command.stderr(Stdio::null()).spawn().unwrap();
    until("the proxy answers", || proxy.get().is_ok());
    proxy.signal(Signal::SIGINT);
    assert_eq!(proxy.wait().signal(), Some(Signal::SIGINT as i32));
    let mut proxy = Proxy::start("drain", &["-db"], "");
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the request is on its way", || proxy.server.waiting.load(SeqCst) == 1);
    proxy.signal(Signal::SIGUSR1);
    until("nobody listens", || TcpStream::connect(proxy.address).is_err());
    assert!(proxy.child.try_wait().unwrap().is_none(), "it waits for its client");
    proxy.server.go.store(true, SeqCst);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(proxy.said().contains("Proxy web stopped (cumulated conns: FE: "));
}

#[test]
fn signals_pause_resume_and_ask_and_the_logs_are_told() {
    let dir = directory("pause");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let sink = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.set_read_timeout(Some(DEADLINE)).unwrap();
    let (address, server) = (free(), server());
    let text = config(&dir, address, server.address, "");
    let log = format!("  log {} local0\n", sink.local_addr().unwrap());
    // One section with a target and one without.
    let other = format!("frontend quiet\n  bind {}\n  default_backend web\n", free());
    std::fs::write(dir.join("proxy.cfg"), text + &log + &other).unwrap();
    let child = spawn(Path::new(env!("CARGO_BIN_EXE_evenkeel")), &dir, &["-db"], |_| {});
    let mut proxy = Proxy { dir, address, server, child };
    until("the proxy answers", || proxy.get().is_ok());
    let next = || {
        let mut line = [0; 4_096];
        // The lines of requests are not of interest here.
        loop {
            let length = sink.recv(&mut line).unwrap();
            let line = String::from_utf8_lossy(&line[..length]).into_owned();
            let (head, text) = line.trim_end().split_once("]: ").unwrap();
            if !text.starts_with("127.0.0.1:") && !text.starts_with("Connect from") {
                return format!("{} {text}", head.split('>').next().unwrap());
            }
        }
    };
    let accepted = |proxy: &Proxy| {
        let info = ask(&proxy.dir.join("stats.sock"), "show info").unwrap();
        info.lines().find_map(|line| line.strip_prefix("CumConns: ")).unwrap().to_owned()
    };

    proxy.signal(Signal::SIGTTOU);
    until("it pauses", || proxy.said().contains("Paused frontend quiet."));
    assert!(proxy.said().contains("Paused proxy web."), "{}", proxy.said());
    assert_eq!(next(), "<132 Paused proxy web.");
    let before = accepted(&proxy);
    let client = std::thread::spawn(move || get(address));
    // The client cannot be seen to wait; it can be seen that nobody accepts it while other work is done.
    for _ in 0..50 {
        assert_eq!(accepted(&proxy), before);
    }
    proxy.signal(Signal::SIGTTIN);
    client.join().unwrap().unwrap();
    assert_eq!(next(), "<132 Resumed proxy web.");
    until("it says so", || proxy.said().contains("Resumed frontend quiet."));

    proxy.signal(Signal::SIGHUP);
    assert_eq!(next(), "<133 SIGHUP received, dumping servers states for proxy web.");
    assert_eq!(next(), "<133 SIGHUP: Server web/s1 is UP. Conn: 0 act, 0 pend, 2 tot.");
    let line = next();
    let start =
        "<133 SIGHUP: Proxy web has 1 active servers and 0 backup servers available. Conn: act(FE+BE): ";
    assert!(line.starts_with(start), "{line}");
    until("it says so", || proxy.said().contains("SIGHUP: Proxy quiet has no servers."));
    assert_eq!(proxy.said_times("SIGHUP received, dumping servers states.\n"), 1);

    proxy.signal(Signal::SIGTTOU);
    assert_eq!(next(), "<132 Paused proxy web.");
    proxy.signal(Signal::SIGUSR1);
    assert!(next().starts_with("<132 Proxy web stopped (cumulated conns: FE: "));
    assert_eq!(proxy.wait().code(), Some(0), "a pause does not keep it from ending");
}

#[test]
fn hard_stop_after_ends_what_does_not_drain() {
    let mut proxy = Proxy::start("hard-stop", &["-db"], "  hard-stop-after 50ms\n");
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("the request is on its way", || proxy.server.waiting.load(SeqCst) == 1);
    proxy.signal(Signal::SIGUSR1);
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(proxy.said().contains("soft-stop running for too long, performing a hard-stop."));
    proxy.server.go.store(true, SeqCst);
}

#[test]
fn background_when_the_starter_returns_it_serves() {
    let dir = directory("background");
    std::fs::create_dir_all(&dir).unwrap();
    let (address, server) = (free(), server());
    std::fs::write(dir.join("proxy.cfg"), config(&dir, address, server.address, "")).unwrap();
    for flags in [&["-D", "-p", "pid"][..], &["-D", "-W", "-p", "pid"]] {
        let mut starter = spawn(Path::new(env!("CARGO_BIN_EXE_evenkeel")), &dir, flags, |_| {});
        assert_eq!(wait(&mut starter, &dir).code(), Some(0));
        get(address).unwrap();
        let pid: i32 = std::fs::read_to_string(dir.join("pid")).unwrap().trim().parse().unwrap();
        assert_ne!(pid as u32, starter.id());
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        assert_eq!(comm, "haproxy\n");
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        until("the process is gone", || !Path::new(&format!("/proc/{pid}/comm")).exists());
    }
    // A starter whose copy cannot start says so.
    let taken = TcpListener::bind(address).unwrap();
    let mut starter = spawn(Path::new(env!("CARGO_BIN_EXE_evenkeel")), &dir, &["-D"], |_| {});
    assert_eq!(wait(&mut starter, &dir).code(), Some(1));
    let said = std::fs::read_to_string(dir.join("stderr")).unwrap();
    let line = format!(
        "Binding [proxy.cfg:9] for proxy web: cannot bind socket (Address already in use) for [{address}]"
    );
    assert!(said.contains(&line), "{said}");
    drop(taken);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_master_stops_as_haproxys() {
    for (signal, code) in [(Signal::SIGTERM, 0), (Signal::SIGINT, 130), (Signal::SIGUSR1, 0)] {
        let mut proxy = Proxy::start(&format!("master-{signal}"), &["-W", "-db", "-p", "pid"], "");
        let pid = std::fs::read_to_string(proxy.dir.join("pid")).unwrap();
        assert_eq!(pid, format!("{}\n", proxy.child.id()));
        let workers = proxy.workers();
        assert_eq!(workers.len(), 1);
        let comm = std::fs::read_to_string(format!("/proc/{}/comm", workers[0])).unwrap();
        assert_eq!(comm, "haproxy\n");
        assert!(proxy.said().contains(&format!("New worker ({}) forked\n", workers[0])));
        until("the start is announced", || proxy.said().contains(" : Loading success.\n"));
        proxy.signal(signal);
        assert_eq!(proxy.wait().code(), Some(code), "{signal}");
        assert!(!Path::new(&format!("/proc/{}", workers[0])).exists());
        assert!(proxy.said().contains(&format!("All workers exited. Exiting... ({code})\n")));
    }
}

#[test]
fn reloads_under_load_refuse_and_lose_nothing() {
    let proxy = Proxy::start("reload", &["-W", "-db"], "");
    let load = Load::on(proxy.address);
    load.more(50);
    for reload in 1..=10 {
        proxy.signal(Signal::SIGUSR2);
        until("the new worker serves", || proxy.said_times("Loading success.") > reload);
        load.more(50);
    }
    until("old workers are gone", || proxy.workers().len() == 1);
    assert_eq!(load.end(), Vec::<String>::new());
    assert_eq!(proxy.said_times("exited with code 0 (Exit)"), 10);
}

#[test]
fn a_bad_file_changes_nothing() {
    let proxy = Proxy::start("bad", &["-W", "-db"], "");
    let workers = proxy.workers();
    std::fs::write(proxy.dir.join("proxy.cfg"), "nonsense here\n").unwrap();
    proxy.signal(Signal::SIGUSR2);
    until("the failure is reported", || proxy.said().contains("Reload failed: "));
    assert!(proxy.said().contains("parsing [proxy.cfg:1]"), "{}", proxy.said());
    proxy.get().unwrap();
    assert_eq!(proxy.workers(), workers);
    // An address that is taken is refused as late as binding, and the worker stays too.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = config(&proxy.dir, proxy.address, proxy.server.address, "")
        .replace("  bind ", &format!("  bind {address}\n  bind "));
    std::fs::write(proxy.dir.join("proxy.cfg"), text).unwrap();
    proxy.signal(Signal::SIGUSR2);
    until("the failure is reported", || proxy.said_times("Reload failed: ") == 2);
    assert_eq!(proxy.workers(), workers);
    // When it is free, the same file is taken.
    drop(taken);
    proxy.signal(Signal::SIGUSR2);
    until("the new address is served", || get(address).is_ok());
    proxy.get().unwrap();
}

#[test]
fn a_reload_takes_what_the_file_says_and_drops_the_rest() {
    let proxy = Proxy::start("changed", &["-W", "-db"], "  nbthread 4\n");
    let other = free();
    let text = config(&proxy.dir, other, proxy.server.address, "  nbthread 1\n");
    std::fs::write(proxy.dir.join("proxy.cfg"), text).unwrap();
    proxy.signal(Signal::SIGUSR2);
    until("the new address is served", || get(other).is_ok());
    until("the old address is closed", || TcpStream::connect(proxy.address).is_err());
    // Fewer threads than sockets: every queue is still served.
    let text = config(&proxy.dir, other, proxy.server.address, "  nbthread 4\n");
    std::fs::write(proxy.dir.join("proxy.cfg"), text.clone()).unwrap();
    let loaded = proxy.said_times("Loading success.");
    proxy.signal(Signal::SIGUSR2);
    until("four threads serve", || proxy.said_times("Loading success.") > loaded);
    std::fs::write(proxy.dir.join("proxy.cfg"), text.replace("nbthread 4", "nbthread 1")).unwrap();
    proxy.signal(Signal::SIGUSR2);
    until("one thread serves", || proxy.said_times("Loading success.") > loaded + 1);
    until("the old worker is gone", || proxy.workers().len() == 1);
    for _ in 0..40 {
        get(other).unwrap();
    }
}

#[test]
fn a_killed_worker_is_replaced_and_no_connection_refused() {
    let proxy = Proxy::start("killed", &["-W", "-db"], "");
    until("the master knows that it serves", || proxy.said_times("Loading success.") == 1);
    for round in 1..=5 {
        let [worker] = proxy.workers()[..] else { panic!("one worker: {:?}", proxy.workers()) };
        kill(Pid::from_raw(worker as i32), Signal::SIGKILL).unwrap();
        // Until the last of its threads is dead it may still accept, and take the connection with it.
        until("it is dead", || !Path::new(&format!("/proc/{worker}")).exists());
        // Connections made meanwhile wait in the sockets' queues.
        for _ in 0..4 {
            proxy.get().unwrap();
        }
        until("the next worker is known", || proxy.said_times("Loading success.") > round);
    }
    assert_eq!(proxy.said_times("exited with code 137 (Killed)"), 5);
}

#[test]
fn a_worker_that_cannot_start_ends_the_master() {
    let dir = directory("fails");
    std::fs::create_dir_all(&dir).unwrap();
    let text = config(&dir, free(), server().address, "  chroot /nowhere/at/all\n");
    std::fs::write(dir.join("proxy.cfg"), text).unwrap();
    for flags in [&["-W", "-db"][..], &["-db"], &["-D"], &["-D", "-W"]] {
        let mut child = spawn(Path::new(env!("CARGO_BIN_EXE_evenkeel")), &dir, flags, |_| {});
        assert_eq!(wait(&mut child, &dir).code(), Some(1), "{flags:?}");
    }
    let said = std::fs::read_to_string(dir.join("stderr")).unwrap();
    assert!(said.contains("[haproxy.main()] Cannot chroot(/nowhere/at/all)."), "{said}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_service_manager_is_told() {
    let path = std::env::temp_dir().join(format!("evenkeel-notify-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let told = || {
        let mut buffer = [0; 1_024];
        let read = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    };
    let mut proxy = Proxy::start_with("notify", &["-Ws"], "", |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_eq!(told(), format!("READY=1\nMAINPID={}\nSTATUS=Ready.\n", proxy.child.id()));
    proxy.signal(Signal::SIGUSR2);
    assert!(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(told().starts_with("READY=1\n"));
    std::fs::write(proxy.dir.join("proxy.cfg"), "nonsense\n").unwrap();
    proxy.signal(Signal::SIGUSR2);
    assert!(told().starts_with("RELOADING=1\n"));
    assert!(told().ends_with("STATUS=Reload failed!\n"));
    proxy.signal(Signal::SIGTERM);
    assert!(told().starts_with("STOPPING=1\n"));
    assert_eq!(proxy.wait().code(), Some(0));
    std::fs::remove_file(&path).unwrap();
}

/// The old process keeps its listeners until the new one has them (`-x`), then ends (`-sf`).
fn hand_over(name: &str, old: &str, new: &str, global: &str) {
    let ours = Path::new(env!("CARGO_BIN_EXE_evenkeel"));
    let program =
        |name: &str| if name == "haproxy" { Path::new("haproxy").to_owned() } else { ours.to_owned() };
    let mut proxy = Proxy::start(name, &["-db"], global);
    if old == "haproxy" {
        proxy.signal(Signal::SIGTERM);
        proxy.wait();
        proxy.child = spawn(&program(old), &proxy.dir, &["-db"], |_| {});
        until("the old process answers", || proxy.get().is_ok());
    }
    let load = Load::on(proxy.address);
    load.more(20);
    let pid = proxy.child.id().to_string();
    let mut next = spawn(&program(new), &proxy.dir, &["-db", "-x", "stats.sock", "-sf", &pid], |_| {});
    assert_eq!(proxy.wait().code(), Some(0));
    load.more(50);
    let failures = load.end();
    kill(Pid::from_raw(next.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(wait(&mut next, &proxy.dir).signal(), Some(15));
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn sockets_pass_from_process_to_process() {
    hand_over("hand-over", "evenkeel", "evenkeel", "");
}

#[test]
fn sockets_pass_to_haproxy() {
    // One thread, hence one socket: haproxy 2.6 keeps one for an address and closes the others with what waits in them.
    hand_over("to-haproxy", "evenkeel", "haproxy", "  nbthread 1\n");
}

#[test]
fn sockets_pass_from_haproxy() {
    hand_over("from-haproxy", "haproxy", "evenkeel", "");
}

#[test]
fn the_runtime_api_answers() {
    let proxy = Proxy::start("api", &["-db"], "");
    let socket = proxy.dir.join("stats.sock");
    let answer = ask(&socket, "show stat").unwrap();
    let header = answer.lines().next().unwrap();
    assert!(
        header.starts_with("# pxname,svname,qcur,") && header.ends_with(",cache_hint_hits,-,"),
        "{header}"
    );
    let place = |field: &str| header[2..].split(',').position(|name| name == field).unwrap();
    let row = |name: &str| -> Vec<String> {
        let line = answer.lines().find(|line| line.starts_with(&format!("web,{name},"))).unwrap();
        line.split(',').map(str::to_owned).collect()
    };
    for name in ["FRONTEND", "s1", "BACKEND"] {
        assert_eq!(row(name).len(), header.split(',').count(), "{name}");
        assert_eq!(row(name)[place("hrsp_2xx")], "1", "{name}");
    }
    assert_eq!(row("s1")[place("addr")], proxy.server.address.to_string());
    assert_eq!(row("s1")[place("status")], "no check");
    let info = ask(&socket, "show info").unwrap();
    assert!(info.contains(&format!("\nPid: {}\n", proxy.child.id())), "{info}");
    let refused = ask(&socket, "shutdown session 0x1").unwrap();
    assert_eq!(refused, "The command 'shutdown session' is known but not served yet.\n\n");
}

#[test]
fn status_goes_to_standard_error_on_hup() {
    let proxy = Proxy::start("hup", &["-db"], "");
    proxy.signal(Signal::SIGHUP);
    let line = "SIGHUP: Server web/s1 is UP. Conn: 0 act, 0 pend, 1 tot.\n";
    until("the server's line is there", || proxy.said().contains(line));
    let line = "SIGHUP: Proxy web has 1 active servers and 0 backup servers available. Conn: ";
    until("the section's line is there", || proxy.said().contains(line));
}

#[test]
fn the_masters_socket_shows_and_reloads() {
    let proxy = Proxy::start(
        "console",
        &["-W", "-db", "-S", &format!("{}/m.sock,level,admin,mode,600", directory("console").display())],
        "",
    );
    let socket = proxy.dir.join("m.sock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let listed = |answer: &str, kind: &str| -> Vec<u32> {
        let lines = answer.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        lines.filter(|words| words.get(1) == Some(&kind)).map(|words| words[0].parse().unwrap()).collect()
    };
    let answer = ask(&socket, "show proc").unwrap();
    assert_eq!(listed(&answer, "master"), [proxy.child.id()]);
    assert_eq!(listed(&answer, "worker"), proxy.workers());
    // The answer comes when the new worker serves.
    let answer = ask(&socket, "reload").unwrap();
    assert!(answer.starts_with("Success=1\n--\n") && answer.contains("Loading success."), "{answer}");
    until("the old worker is gone", || proxy.workers().len() == 1);
    let answer = ask(&socket, "show proc").unwrap();
    assert!(answer.contains("1 [failed: 0]"), "{answer}");
    assert_eq!(listed(&answer, "worker"), proxy.workers());
    std::fs::write(proxy.dir.join("proxy.cfg"), "nonsense\n").unwrap();
    let answer = ask(&socket, "reload").unwrap();
    assert!(answer.starts_with("Success=0\n--\n") && answer.contains("parsing [proxy.cfg:1]"), "{answer}");
}

#[test]
fn the_configuration_and_the_sockets_know_the_variables() {
    let dir = directory("variables");
    let master = format!("{}/m.sock", dir.display());
    let tcp = free();
    let global = "  .if streq(\"$HAPROXY_LOCALPEER\",here) && streq(\"$HAPROXY_CFGFILES\",proxy.cfg)\n\
                  stats socket ipv4@{tcp} level operator\n  .endif\n"
        .replace("{tcp}", &tcp.to_string());
    let more = "  log-format \"${HAPROXY_HTTP_LOG_FMT} %ID\"\n";
    let proxy = Proxy::start("variables", &["-W", "-db", "-L", "here", "-S", &master], &global);
    let text = config(&dir, proxy.address, proxy.server.address, &global);
    std::fs::write(dir.join("proxy.cfg"), text + more).unwrap();
    assert!(ask(Path::new(&master), "reload").unwrap().starts_with("Success=1\n"));
    let wants = |answer: &str, lines: &[String]| {
        for line in lines {
            assert!(answer.lines().any(|found| found == line), "{line} is missing in {answer}");
        }
        assert!(!answer.contains("_LOG_FMT="), "{answer}");
    };
    let ours = [
        "HAPROXY_BRANCH=3.5",
        "HAPROXY_STARTUP_VERSION=3.5.0",
        "HAPROXY_MWORKER=1",
        "HAPROXY_CFGFILES=proxy.cfg",
    ]
    .map(str::to_owned);
    let answer = ask(Path::new(&master), "show env").unwrap();
    wants(&answer, &ours);
    wants(&answer, &[format!("HAPROXY_MASTER_CLI=unix@{master}")]);
    let answer = ask(&proxy.dir.join("stats.sock"), "show env").unwrap();
    wants(&answer, &ours);
    let sockets = format!("HAPROXY_CLI=unix@{}/stats.sock;ipv4@{tcp}", dir.display());
    wants(&answer, &["HAPROXY_LOCALPEER=here".to_owned(), sockets]);
}

#[test]
fn an_inherited_socket_is_served_and_survives() {
    use std::os::fd::AsRawFd as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let dir = directory("inherited");
    std::fs::create_dir_all(&dir).unwrap();
    let text = config(&dir, address, server().address, "")
        .replace(&format!("bind {address}"), "bind \"fd@${LISTEN}\"");
    std::fs::write(dir.join("proxy.cfg"), text).unwrap();
    let mut child = spawn(Path::new(env!("CARGO_BIN_EXE_evenkeel")), &dir, &["-W", "-db"], |command| {
        command.env("LISTEN", listener.as_raw_fd().to_string());
    });
    drop(listener);
    let said = || std::fs::read_to_string(dir.join("stderr")).unwrap();
    until("it serves", || said().contains("Loading success."));
    get(address).unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGUSR2).unwrap();
    until("it serves again", || said().matches("Loading success.").count() == 2);
    until("the old worker is gone", || children(child.id()).len() == 1);
    get(address).unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(wait(&mut child, &dir).code(), Some(0));
    assert!(TcpStream::connect(address).is_err());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn privileges_are_given_up_by_the_worker_only() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: nothing to give up, only the refusal is tested");
        return;
    }
    let jail = directory("jail");
    std::fs::create_dir_all(&jail).unwrap();
    let global = format!("  chroot {}\n  user nobody\n  group nogroup\n", jail.display());
    let proxy = Proxy::start("privileges", &["-W", "-db"], &global);
    let status = |pid: u32, field: &str| -> String {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        text.lines().find_map(|line| line.strip_prefix(field)).unwrap().trim().to_owned()
    };
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid;
    let [worker] = proxy.workers()[..] else { panic!("one worker") };
    assert_eq!(status(worker, "Uid:"), [nobody.to_string().as_str(); 4].join("\t"));
    assert_eq!(status(worker, "Groups:"), "");
    assert_eq!(status(worker, "NoNewPrivs:"), "1");
    assert_eq!(proxy.said_times("started as root without"), 0);
    assert_eq!(std::fs::read_link(format!("/proc/{worker}/root")).unwrap(), jail);
    assert_eq!(status(proxy.child.id(), "Uid:"), "0\t0\t0\t0");
    // A worker without privileges can be replaced, for the master has kept its own.
    proxy.signal(Signal::SIGUSR2);
    until("the new worker serves", || proxy.said_times("Loading success.") == 2);
    proxy.get().unwrap();
    std::fs::remove_dir_all(&jail).unwrap();
    for (global, missing) in [("", ["'chroot'", "'user'"].as_slice()), ("  user nobody\n", &["'chroot'"])] {
        let proxy = Proxy::start("power", &["-db"], global);
        assert_eq!(proxy.said_times("started as root without"), missing.len(), "{}", proxy.said());
        for keyword in missing {
            assert_eq!(
                proxy.said_times(&format!("started as root without {keyword}")),
                1,
                "{}",
                proxy.said()
            );
        }
    }
}
