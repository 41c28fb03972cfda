//! The proxy in a process of its own, the folder with its configuration, and their end.

use reactor::child;
use reactor::signal::SIGTERM;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The guide's configuration, its addresses left to the environment.
pub(super) const CONFIGURATION: &str = include_str!("haproxy.cfg");
/// How long the proxy may take to start and to answer its runtime API.
const PATIENCE: Duration = Duration::from_secs(10);
/// The room that the address of a unix socket has, less what binding it anew appends.
const MAX_SOCKET_PATH: usize = 90;

/// The running proxy; dropping it ends it and removes its folder. It ends when the thread does that started it, too.
pub(super) struct Stage {
    proxy: Child,
    folder: PathBuf,
}

impl Stage {
    /// Writes the configuration into a new folder and starts the proxy with it. `variables` are those it names, except
    /// `FOLDER`.
    pub(super) fn start(variables: &[(&str, SocketAddr)]) -> Result<Self, String> {
        let folder = new_folder()?;
        let started =
            Self::spawn(&folder, variables).map_err(|error| format!("the proxy cannot be started: {error}"));
        match started {
            Ok(proxy) => Ok(Self { proxy, folder }),
            Err(text) => {
                let _ = fs::remove_dir_all(&folder);
                Err(text)
            }
        }
    }

    fn spawn(folder: &Path, variables: &[(&str, SocketAddr)]) -> io::Result<Child> {
        fs::write(folder.join("haproxy.cfg"), CONFIGURATION)?;
        let mut environment = format!("FOLDER='{}'\n", folder.display());
        for (name, address) in variables {
            environment.push_str(&format!("{name}={address}\n"));
        }
        fs::write(folder.join("environment"), environment)?;
        let said = File::create(folder.join("proxy.err"))?;
        let mut command = Command::new(std::env::current_exe()?);
        // A demonstration that is killed cannot end it.
        child::end_with_starter(&mut command, SIGTERM);
        command
            .args(["proxy", "-db", "-f"])
            .arg(folder.join("haproxy.cfg"))
            .env("FOLDER", folder)
            .envs(variables.iter().map(|(name, address)| (name, address.to_string())))
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            // The terminal's Ctrl-C is for the demonstration, which ends the proxy in its turn.
            .process_group(0)
            .spawn()
    }

    /// Waits until it accepts connections at `address`.
    pub(super) fn wait_until_it_serves(&mut self, address: SocketAddr) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    return Err(format!("the proxy does not accept connections at {address}: {error}"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// How the proxy ended, and what it said, when it has ended.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.proxy.try_wait().ok().flatten()?;
        let said = fs::read_to_string(self.folder.join("proxy.err")).unwrap_or_default();
        Some(format!("the proxy ended ({status}). It said:\n{}", said.trim_end()))
    }

    pub(super) fn pid(&self) -> u32 {
        self.proxy.id()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket of the runtime API.
    pub(super) fn runtime_socket(&self) -> PathBuf {
        self.folder.join("runtime.sock")
    }

    /// What the runtime API answers to one command.
    pub(super) fn ask(&self, command: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.runtime_socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder that nobody else can look into, for files and a socket.
fn new_folder() -> Result<PathBuf, String> {
    let mut parent = std::env::temp_dir();
    if parent.as_os_str().len() > MAX_SOCKET_PATH - 50 {
        parent = PathBuf::from("/tmp");
    }
    for attempt in 0..100 {
        let folder = parent.join(format!("evenkeel-demo-{}-{attempt}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("the folder {} cannot be made: {error}", folder.display())),
        }
    }
    Err(format!("no folder of a new name can be made in {}", parent.display()))
}

/// A port of the loopback address that nobody listens on now.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
