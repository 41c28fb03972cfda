//! `evenkeel demo` shows what it promises, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn demo(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.arg("demo").args(words).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What follows `mark` in `text`, up to a blank or a full stop and a line end.
fn word_after<'a>(text: &'a str, mark: &str) -> &'a str {
    let rest = text.split_once(mark).unwrap_or_else(|| panic!("{mark:?} is missing in:\n{text}")).1;
    rest.split([' ', '\n']).next().unwrap().trim_end_matches('.')
}

/// The bars of each table: the numbers of app1 to app4.
fn tables(text: &str) -> Vec<[u32; 4]> {
    let mut numbers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|name| ["app1", "app2", "app3", "app4"].contains(&name)) {
            numbers.extend(words.find_map(|word| word.parse::<u32>().ok()));
        }
    }
    numbers.chunks_exact(4).map(|four| four.try_into().unwrap()).collect()
}

fn is_running(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

#[test]
fn it_shows_servers_leaving_and_returning() {
    let text = text(&demo(&[]).env_remove("NO_COLOR").output().unwrap());
    assert!(!text.contains('\x1b'), "colours in a pipe:\n{text}");
    for line in text.lines() {
        // A command has the length that it has.
        assert!(line.chars().count() <= 100 || line.ends_with(" demo --keep"), "too long: {line}");
    }
    assert!(text.contains("server app3 \"${APP3}\" check inter 500ms rise 4 fall 3"), "{text}");
    // Quoted lines are wrapped: they are looked for unwrapped.
    let flat = text.replace("\n   |   ", " ");
    for said in [
        "Server app/app2 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\"",
        "Server app/app2 is UP, reason: Layer4 check passed",
        "0 active and 1 backup servers left. Running on backup.",
        "200 76 - - ---- ",
        "\"GET / HTTP/1.1\"",
        "none failed",
    ] {
        assert!(flat.contains(said), "{said:?} is missing in:\n{text}");
    }
    let tables = tables(&text);
    assert_eq!(tables.len(), 4, "{text}");
    assert_eq!(tables[0].iter().sum::<u32>(), 60);
    assert!(tables[0][..3].iter().all(|share| share.abs_diff(20) <= 2));
    assert_eq!((tables[1][1], tables[1][3]), (0, 0), "app2 is away");
    assert!(tables[2][1] > 0 && tables[2][3] == 0, "app2 is back");
    assert_eq!(tables[3], [0, 0, 0, 20], "the backup serves alone");
    assert!(
        !is_running(word_after(&text, "The proxy runs as process ")),
        "the proxy outlives the demonstration"
    );
}

/// A demonstration in a folder of its own, read line by line.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Running {
    fn start(name: &str, words: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("ek-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut child = demo(words).env("TMPDIR", &folder).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines, folder }
    }

    /// Reads to the line in which `mark` stands.
    fn until(&mut self, mark: &str) -> String {
        let mut all = String::new();
        while !all.lines().last().is_some_and(|line| line.contains(mark)) {
            let read = self.lines.read_line(&mut all).unwrap();
            assert_ne!(read, 0, "{mark:?} is missing in:\n{all}");
        }
        all
    }

    /// Sends the signal; the exit code. Nothing of the demonstration's may be left.
    fn end(mut self, signal: nix::sys::signal::Signal, proxy: &str) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(!is_running(proxy), "the proxy outlives the demonstration");
        let left: Vec<_> = std::fs::read_dir(&self.folder).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        std::fs::remove_dir(&self.folder).unwrap();
        status.code()
    }
}

#[test]
fn kept_it_serves_until_it_is_interrupted() {
    let mut running = Running::start("keep", &["--keep"]);
    let text = running.until("What the proxy logs:");
    let address = word_after(&text, "curl -i http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /looked HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\n\r\napp"), "{answer}");
    running.until("\"GET /looked HTTP/1.0\"");

    let socket = word_after(&text, "echo 'show stat' | socat - ");
    let mut api = UnixStream::connect(socket).unwrap();
    api.write_all(b"show stat\n").unwrap();
    let mut answer = String::new();
    api.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.lines().filter(|line| line.contains(",UP,")).count(), 4, "{answer}");

    let proxy = word_after(&text, "The proxy runs as process ");
    assert_eq!(running.end(nix::sys::signal::Signal::SIGINT, proxy), Some(0));
}

#[test]
fn interrupted_it_leaves_nothing_behind() {
    let mut running = Running::start("end", &[]);
    let text = running.until("The proxy runs as process ");
    let proxy = word_after(&text, "The proxy runs as process ");
    assert_eq!(running.end(nix::sys::signal::Signal::SIGTERM, proxy), Some(128 + 15));
}

#[test]
fn killed_it_takes_the_proxy_along() {
    let mut running = Running::start("kill", &["--keep"]);
    let text = running.until("What the proxy logs:");
    let proxy = word_after(&text, "The proxy runs as process ").to_owned();
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    // Where nobody waits for it, it may stay as a name without a program.
    while std::fs::read_link(format!("/proc/{proxy}/exe")).is_ok() {
        assert!(std::time::Instant::now() < end, "the proxy outlives the demonstration");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::fs::remove_dir_all(&running.folder).unwrap();
}

#[test]
fn what_hinders_it_is_said() {
    let output = demo(&[]).env("TMPDIR", "/nonexistent").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("The demonstration failed: the folder /nonexistent/evenkeel-demo-"), "{said}");
    let output = demo(&["--what"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: evenkeel demo [--keep]"));
}
