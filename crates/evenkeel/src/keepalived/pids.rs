//! Files that hold process numbers, in keepalived's places.

use super::arguments::Arguments;
use keepalived_conf::model::Global;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where the numbers of the parent and of the VRRP process are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// `-p`, or `/run/keepalived.pid`.
    pub(crate) parent: PathBuf,
    /// `-r`, or `/run/vrrp.pid`.
    pub(crate) vrrp: PathBuf,
}

impl Places {
    /// By command line and configuration: `instance` and `net_namespace` go into the names, `use_pid_dir` (and either of
    /// them) moves the files to `/run/keepalived`.
    pub(crate) fn of(arguments: &Arguments, global: &Global) -> Self {
        let own = global.instance.is_some() || global.net_namespace.is_some() || arguments.namespace.is_some();
        let directory = Path::new(if global.use_pid_dir || own { "/run/keepalived" } else { "/run" });
        let suffix: String = [&global.instance, &global.net_namespace]
            .into_iter()
            .flatten()
            .map(|name| format!("_{}", name.text))
            .collect();
        let place = |given: &Option<PathBuf>, name: &str| {
            given.clone().unwrap_or_else(|| directory.join(format!("{name}{suffix}.pid")))
        };
        Self {
            parent: place(&arguments.pid_file, "keepalived"),
            vrrp: place(&arguments.vrrp_pid_file, "vrrp"),
        }
    }
}

/// A file with a process's number; removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes a number, making the directory if need be. An earlier file, or a link in its place, is replaced and not
    /// followed.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(path: &Path, pid: u32) -> io::Result<Self> {
        if let Some(directory) = path.parent()
            && directory == Path::new("/run/keepalived")
        {
            fs::create_dir_all(directory)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o644).open(path)?;
        writeln!(file, "{pid}")?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The live process that a file names, if it is one of this program's kind: a number alone may long be another's.
pub(crate) fn running(path: &Path) -> Option<Pid> {
    let pid: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let process = Pid::from_raw(pid);
    if pid <= 1 || process == Pid::this() || kill(process, None).is_err() {
        return None;
    }
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = words.split(|byte| *byte == 0).next()?;
    let name = Path::new(std::str::from_utf8(first).ok()?).file_name()?.to_str()?;
    matches!(name, "keepalived" | "evenkeel").then_some(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_instance_and_namespace() {
        let global = Global::default();
        let plain = Places::of(&Arguments::default(), &global);
        assert_eq!(plain.parent, Path::new("/run/keepalived.pid"));
        assert_eq!(plain.vrrp, Path::new("/run/vrrp.pid"));
        let arguments = Arguments { pid_file: Some("/x".into()), ..Arguments::default() };
        let directory = Places::of(&arguments, &Global { use_pid_dir: true, ..global });
        assert_eq!(directory.parent, Path::new("/x"));
        assert_eq!(directory.vrrp, Path::new("/run/keepalived/vrrp.pid"));
    }

    #[test]
    fn a_number_of_another_program_is_not_running() {
        let path = std::env::temp_dir().join(format!("evenkeel-pid-{}", std::process::id()));
        let file = PidFile::write(&path, 1).unwrap();
        assert_eq!(running(&path), None);
        drop(file);
        assert!(!path.exists());
    }
}
