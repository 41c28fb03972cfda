//! `genhash` beside Debian's, on the same server: what is printed where, and exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use testkit::lab::Lab;

/// Answers by the path; tells what was asked.
fn server() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, asked) = channel();
    // Ends with the test's process.
    thread::spawn(move || {
        // Connections that are never answered.
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = head(&mut stream);
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            // Nobody may want to know.
            let _ = tell.send(request);
            let answer: &[u8] = match path.as_str() {
                "/length" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
                "/longer" => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello",
                "/missing" => b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc",
                "/plain" => b"HTTP/1.0 200 OK\r\n\r\nhello, world \x01\x80\xff, and more than a line\n",
                "/no-body" => b"HTTP/1.0 200 OK\r\n\r\n",
                "/no-head" => b"HTTP/1.0 200 OK\r\nX: y\r\n",
                "/silent" => {
                    silent.push(stream);
                    continue;
                }
                _ => b"",
            };
            // Who asked may have heard enough.
            let _ = stream.write_all(answer);
        }
    });
    (port, asked)
}

fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut room = [0; 1024];
    // A TLS handshake is not answered.
    while !text.ends_with(b"\r\n\r\n") && text.first() != Some(&0x16) {
        match stream.read(&mut room) {
            Ok(count) if count > 0 => text.extend(&room[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn run(program: &Path, name: &str, words: &[String]) -> (Option<i32>, String, String) {
    let output = Command::new(program).arg0(name).args(words).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    // How long it took is said, and differs.
    let out: String = text(output.stdout)
        .lines()
        .map(|line| match line.strip_prefix("Global response time") {
            Some(rest) => format!("Global response time{} N usecs\n", rest.split(" = ").next().unwrap()),
            None => format!("{line}\n"),
        })
        .collect();
    (output.status.code(), out, text(output.stderr))
}

fn both(words: &[&str]) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let theirs = run(Path::new("/usr/bin/genhash"), "genhash", &words);
    let ours = run(Path::new(env!("CARGO_BIN_EXE_evenkeel")), "genhash", &words);
    assert_eq!(ours, theirs, "{words:?}");
}

#[test]
fn digests_and_dumps_are_keepaliveds() {
    let (port, _asked) = server();
    let port = port.to_string();
    for path in ["/length", "/longer", "/missing", "/plain", "/no-body", "/no-head", "/empty"] {
        both(&["-s", "127.0.0.1", "-p", &port, "-u", path]);
    }
    for path in ["/length", "/missing", "/plain"] {
        both(&["-v", "-s", "127.0.0.1", "-p", &port, "-u", path]);
    }
    both(&["-s", "127.0.0.1", "-p", &port, "-u", "/silent", "-t", "1"]);
    both(&["-S", "-s", "127.0.0.1", "-p", &port, "-u", "/length"]);
}

#[test]
fn requests_are_keepaliveds() {
    let (port, asked) = server();
    let port = port.to_string();
    for more in [
        &[][..],
        &["-P", "1.0"],
        &["-P", "1.0C"],
        &["-P", "1.1"],
        &["-V", "www.example.org"],
        &["-I", "-V", "www.example.org", "--protocol=1.0c"],
    ] {
        both(&[&["-s", "127.0.0.1", "-p", &port, "-u", "/length"], more].concat());
        let (theirs, ours) = (asked.recv().unwrap(), asked.recv().unwrap());
        assert_eq!(ours, theirs, "{more:?}");
        assert!(ours.starts_with("GET /length HTTP/1."), "{ours}");
    }
}

#[test]
fn words_are_understood_as_there() {
    let (port, _asked) = server();
    let port = port.to_string();
    let good = ["-s", "127.0.0.1", "-p", port.as_str(), "-u", "/length"];
    for more in [
        &["--verb"][..],
        &["-vh"],
        &["-z"],
        &["-zy", "extra", "more"],
        &["--foo"],
        &["--use"],
        &["--use-sni=3"],
        &["-t"],
        &["-t", "x"],
        &["-t", "0.5"],
        &["-m", "x"],
        &["-m", "0"],
        &["-P", "1.2"],
        &["-p", "0"],
        &["-p", "99999"],
        &["-p", "x", "-t", "x"],
        &["-s", "localhost"],
        &["--", "extra"],
    ] {
        both(&[&good, more].concat());
    }
    for words in [&[][..], &["-h"], &["-s", "127.0.0.1", "-p", &port], &["-p", &port, "-u", "/"]] {
        both(words);
    }
    let joined = format!("-p{port}");
    both(&["-s127.0.0.1", &joined, "-u/length"]);
    let joined = format!("--port={port}");
    both(&["--server", "127.0.0.1", &joined, "--url=/length"]);
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    both(&["-s", "127.0.0.1", "-p", &port, "-u", "/"]);
}

#[test]
fn keepalived_has_it_built_in() {
    let (port, _asked) = server();
    let port = port.to_string();
    let good = ["-s", "127.0.0.1", "-p", port.as_str(), "-u", "/length"];
    for first in [&["-T"][..], &["--genhash"], &["-l", "--genhash"]] {
        let words: Vec<String> = first.iter().chain(&good).map(|word| (*word).to_owned()).collect();
        let theirs = run(Path::new("/usr/sbin/keepalived"), "keepalived", &words);
        let ours = run(Path::new(env!("CARGO_BIN_EXE_evenkeel")), "keepalived", &words);
        assert_eq!(ours, theirs, "{words:?}");
        assert_eq!(ours.1, "5d41402abc4b2a76b9719d911017c592\n");
    }
    let words = ["-T".to_owned(), "-z".to_owned()];
    let theirs = run(Path::new("/usr/sbin/keepalived"), "keepalived", &words);
    assert_eq!(run(Path::new(env!("CARGO_BIN_EXE_evenkeel")), "keepalived", &words), theirs);
}

/// Ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn pages_over_tls_have_the_same_digests() {
    let lab = Lab::new();
    let directory = lab.directory();
    lab.file("page.html", "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem", "-days", "2", "-subj", "/CN=test"])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut server = Running(
        Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "certificate.pem",
                "-key",
                "key.pem",
                "-HTTP",
            ])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT 127.0.0.1:")?.to_owned()));
    let port = port.expect("openssl says where it listens");
    // What else it says is read, so that it can go on.
    thread::spawn(move || lines.map_while(Result::ok).count());
    for more in [&[][..], &["-v"], &["-I", "-V", "www.example.org"]] {
        both(&[&["-S", "-s", "127.0.0.1", "-p", &port, "-u", "/page.html"], more].concat());
    }
    let words = ["-S", "-s", "127.0.0.1", "-p", &port, "-u", "/page.html"].map(str::to_owned);
    let (code, digest, _) = run(Path::new(env!("CARGO_BIN_EXE_evenkeel")), "genhash", &words);
    assert_eq!((code, digest.as_str()), (Some(0), "5ebe2294ecd0e0f08eab7690d2a6ee69\n"));
}
