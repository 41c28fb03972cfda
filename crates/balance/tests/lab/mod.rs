//! A real `haproxy` in front of servers that say their number and wait: everything over unix sockets, so that no port
//! is taken.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before the test is called broken.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Lab {
    child: Child,
    dir: PathBuf,
    servers: usize,
}

/// One `server` line: what follows the address, and whether anybody listens there.
pub(crate) struct Server {
    pub(crate) options: String,
    pub(crate) listens: bool,
}

fn serve(listener: UnixListener, number: usize) {
    for client in listener.incoming() {
        let Ok(mut client) = client else { return };
        if client.write_all(format!("{number}\n").as_bytes()).is_err() {
            continue;
        }
        std::thread::spawn(move || {
            // Until the other side is done.
            let _ = client.read(&mut [0; 16]);
        });
    }
}

impl Lab {
    /// Starts `haproxy` with one backend of these servers.
    pub(crate) fn start(backend_lines: &str, servers: &[Server]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("balance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let at = |name: &str| dir.join(name).display().to_string();
        let mut config = format!(
            "global\n nbthread 1\n stats socket {} level admin\ndefaults\n mode tcp\n timeout connect 5s\n \
             timeout client 1m\n timeout server 1m\n timeout queue 1m\nlisten lb\n bind unix@{}\n{backend_lines}\n",
            at("stats"),
            at("front"),
        );
        for (number, server) in servers.iter().enumerate() {
            let path = dir.join(format!("s{number}"));
            config += &format!(" server s{number} unix@{} {}\n", path.display(), server.options);
            if server.listens {
                let listener = UnixListener::bind(&path).unwrap();
                std::thread::spawn(move || serve(listener, number));
            }
        }
        let file = dir.join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("haproxy")
            .args(["-db", "-q", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test compares with the `haproxy` program: install it (apt-get install haproxy)");
        let lab = Self { child, dir, servers: servers.len() };
        let until = Instant::now() + PATIENCE;
        while UnixStream::connect(lab.dir.join("stats")).is_err() {
            assert!(Instant::now() < until, "haproxy did not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        lab.settle(&vec![0; servers.len()]);
        lab
    }

    fn connect(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.dir.join(name)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A command of the runtime API.
    pub(crate) fn tell(&self, command: &str) -> String {
        let mut stream = self.connect("stats");
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Connects; the server chosen, and the connection, which is held until dropped.
    pub(crate) fn choose(&self) -> (usize, UnixStream) {
        let mut stream = self.connect("front");
        let mut name = Vec::new();
        let mut byte = [0];
        while name.last() != Some(&b'\n') {
            assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed without a server");
            name.push(byte[0]);
        }
        (String::from_utf8(name).unwrap().trim().parse().unwrap(), stream)
    }

    /// Waits until haproxy counts as many sessions on each server as are held.
    pub(crate) fn settle(&self, held: &[u32]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let stat = self.tell("show stat lb 4 -1");
            let scur: Vec<u32> = stat
                .lines()
                .filter(|line| line.starts_with("lb,s"))
                .map(|line| line.split(',').nth(4).unwrap().parse().unwrap())
                .collect();
            assert_eq!(scur.len(), self.servers);
            if scur == held {
                return;
            }
            assert!(Instant::now() < until, "sessions {scur:?}, expected {held:?}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(self.path());
    }
}
