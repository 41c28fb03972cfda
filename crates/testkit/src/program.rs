//! The programs under test and the peer they are compared with.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A program that reads a `haproxy.cfg`.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// Words before HAProxy's own options.
    words: &'static [&'static str],
    /// What reports call it.
    pub name: &'static str,
}

/// What `-c` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The line of the first error that names one.
    pub line: Option<u32>,
    /// All it wrote.
    pub output: String,
}

impl Program {
    /// Debian's haproxy.
    ///
    /// # Panics
    /// When it is not installed: a comparison with nothing would prove nothing.
    pub fn haproxy() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
        places.push("/usr/sbin".into());
        let found = places.iter().map(|p| p.join("haproxy")).find(|p| p.is_file());
        let path = found
            .expect("haproxy is not installed, and these tests compare with it: apt-get install haproxy");
        Self { path, words: &[], name: "haproxy" }
    }

    /// Our program, with its `proxy` subcommand.
    pub fn evenkeel(path: &Path) -> Self {
        Self { path: path.to_owned(), words: &["proxy"], name: "evenkeel" }
    }

    /// The program that a test is about: `evenkeel` at `path`, unless `EVENKEEL_TEST_SUBJECT=haproxy` asks for the peer in
    /// its place, which shows what the cases themselves are worth.
    pub fn subject(path: &Path) -> Self {
        match std::env::var("EVENKEEL_TEST_SUBJECT") {
            Ok(name) if name == "haproxy" => Self::haproxy(),
            Ok(other) => panic!("EVENKEEL_TEST_SUBJECT={other} is not known"),
            Err(_) => Self::evenkeel(path),
        }
    }

    /// A command for it, with words of our own before HAProxy's options.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(self.words).stdin(Stdio::null());
        command
    }

    /// Checks configuration files (`-c`), ours called as `haproxy`, so that errors come in HAProxy's form.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn check(&self, files: &[&Path]) -> Verdict {
        let mut command = Command::new(&self.path);
        command.arg0("haproxy").arg("-c").stdin(Stdio::null());
        for file in files {
            command.arg("-f").arg(file);
        }
        let output = command.output().unwrap_or_else(|e| panic!("{}: {e}", self.path.display()));
        let text =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Verdict { code: output.status.code(), line: first_error_line(&text), output: text }
    }

    /// Starts it on a configuration and waits until `ready` accepts connections.
    ///
    /// # Errors
    /// What it wrote to stderr, when it ends or does not listen in time.
    pub fn start(&self, config: &str, ready: SocketAddr) -> Result<Running, String> {
        let directory = Directory::new().map_err(|e| e.to_string())?;
        let file = directory.path.join("haproxy.cfg");
        std::fs::write(&file, config).map_err(|e| e.to_string())?;
        let mut child = self
            .command()
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{}: {e}", self.path.display()))?;
        let errors = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&errors);
        let mut pipe = child.stderr.take().expect("stderr is a pipe");
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = pipe.read(&mut buffer) {
                theirs.lock().unwrap().extend_from_slice(&buffer[..len]);
            }
        });
        let mut running = Running { child, errors, _directory: directory };
        let deadline = Instant::now() + crate::DEADLINE;
        loop {
            if TcpStream::connect_timeout(&ready, Duration::from_secs(1)).is_ok() {
                return Ok(running);
            }
            if let Ok(Some(status)) = running.child.try_wait() {
                let _ = reader.join();
                return Err(format!("{} ended with {status}:\n{}", self.name, running.errors()));
            }
            if Instant::now() > deadline {
                return Err(format!("{} does not listen on {ready}:\n{}", self.name, running.errors()));
            }
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// The line in the first `[ALERT] … [FILE:LINE]` of what HAProxy (or we, in its form) wrote.
fn first_error_line(text: &str) -> Option<u32> {
    text.lines().filter(|l| l.starts_with("[ALERT]")).find_map(|l| {
        l.match_indices('[').skip(1).find_map(|(at, _)| {
            let inside = l[at + 1..].split(']').next()?;
            inside.rsplit_once(':')?.1.parse().ok()
        })
    })
}

/// A running proxy; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    errors: Arc<Mutex<Vec<u8>>>,
    _directory: Directory,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.errors.lock().unwrap()).into_owned()
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory of its own under the system's temporary one, removed when dropped.
#[derive(Debug)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
}

impl Directory {
    /// Makes one.
    ///
    /// # Errors
    /// Those of making a directory.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("evenkeel-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_line_is_found() {
        let text = "[NOTICE]   (1) : haproxy version is 2.6\n[ALERT]    (1) : config : parsing [/tmp/x.cfg:7] : unknown keyword\n\
                    [ALERT]    (1) : config : Fatal errors found in configuration.\n";
        assert_eq!(first_error_line(text), Some(7));
        assert_eq!(first_error_line("[ALERT]    (1) : config : Fatal\n"), None);
    }
}
