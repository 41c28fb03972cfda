//! `SSL_GET`, against openssl's server.

use super::{Lab, on_reactor, serve, servers};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `openssl s_server`, ended when dropped.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let (key, certificate) = (directory.join("key.pem"), directory.join("cert.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=www.example", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    (key, certificate)
}

impl Server {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-key"])
            .arg(directory.join("key.pem"))
            .arg("-cert")
            .arg(directory.join("cert.pem"))
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ACCEPT"))).unwrap().unwrap();
        let port = line.rsplit(':').next().unwrap().parse().unwrap();
        // What else it says must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, port)
    }
}

#[test]
fn ssl_get() {
    let directory = std::env::temp_dir().join(format!("evenkeel-ssl-get-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    certificate(&directory);
    let good = Server::start(&directory, &[]);
    let old = Server::start(&directory, &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    let poor = Server::start(&directory, &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"]);
    let strict = [
        "-servername",
        "www.example",
        "-servername_fatal",
        "-cert2",
        directory.join("cert.pem").to_str().unwrap(),
        "-key2",
        directory.join("key.pem").to_str().unwrap(),
    ]
    .map(str::to_owned);
    let strict: Vec<&str> = strict.iter().map(String::as_str).collect();
    let named = Server::start(&directory, &strict);
    on_reactor(async || {
        let plain = serve(async |stream| super::write(&stream, b"HTTP/1.0 200 OK\r\n\r\nin the clear").await);
        let get = |more: &str| format!("SSL_GET {{\n connect_timeout 3\n {more}\n url {{\n path /\n }}\n}}");
        let other =
            "SSL_GET {\n connect_timeout 3\n enable_sni\n url {\n path /\n virtualhost other.example\n }\n}";
        let cases = [
            (good.1, get(""), true, "passed"),
            (good.1, get("tls_compliant"), true, "passed"),
            (old.1, get(""), false, "no TLS 1.2 or 1.3"),
            (poor.1, get(""), false, "no cipher suite in common"),
            (plain, get(""), false, "not TLS"),
            (named.1, get("enable_sni\n virtualhost www.example"), true, "passed"),
            (named.1, get("enable_sni\n sni_name www.example\n virtualhost other.example"), true, "passed"),
            (named.1, other.to_owned(), false, "UnrecognisedName"),
            (named.1, get("virtualhost other.example"), true, "passed"),
        ];
        let text: Vec<_> = cases.iter().map(|(port, checker, ..)| (*port, checker.as_str())).collect();
        let lab = Lab::start(&servers(&text));
        for ((port, checker, up, reason), verdict) in cases.iter().zip(lab.first(cases.len()).await) {
            assert_eq!(verdict.up, *up, "{port} {checker}: {verdict:?}");
            assert!(verdict.reason.contains(reason), "{port} {checker}: {verdict:?}");
        }
    });
    fs::remove_dir_all(&directory).unwrap();
}
