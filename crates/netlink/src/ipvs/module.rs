//! The kernel's module of IPVS.

use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What loads modules, as the kernel was told.
const LOADER: &str = "/proc/sys/kernel/modprobe";
/// What it is when that cannot be read.
const USUAL_LOADER: &str = "/sbin/modprobe";
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the module `ip_vs` loaded, by the program that the kernel itself would call, and waits until that is done.
///
/// # Errors
/// When the program cannot be run, does not end in 10 s (then it is killed), or says that it failed.
pub fn load() -> io::Result<()> {
    let named = fs::read_to_string(LOADER).unwrap_or_default();
    let program = Some(named.trim()).filter(|name| !name.is_empty()).unwrap_or(USUAL_LOADER);
    let mut child = Command::new(program)
        .args(["-s", "--", "ip_vs"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    wait(&mut child, program)
}

fn wait(child: &mut Child, program: &str) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(io::Error::other(format!("{program} failed ({status})"))),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                child.kill()?;
                child.wait()?;
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{program} did not end")));
            }
            // Somebody else reaps all children of this process: the look-up that follows tells whether it worked.
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
