//! Files that hold process numbers, in keepalived's places.

use super::arguments::Arguments;
use super::part::Part;
use crate::haproxy::startup::ROLE;
use keepalived_conf::model::Global;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Where things are that tell of the running processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// The parent's number: `-p`, or `/run/keepalived.pid`.
    pub(crate) parent: PathBuf,
    /// The VRRP process's number: `-r`, or `/run/vrrp.pid`.
    vrrp: PathBuf,
    /// The checker process's number: `-c`, or `/run/checkers.pid`.
    checkers: PathBuf,
    /// The sockets on which the processes tell their status: beside the file of `-p`, or in `/run/evenkeel`.
    control: Control,
    /// What `reload_file` means without a path.
    pub(crate) reload: PathBuf,
}

/// `_INSTANCE_NAMESPACE`, what names of files get when several instances run on one machine.
pub(crate) fn suffix(global: &Global) -> String {
    [&global.instance, &global.net_namespace]
        .into_iter()
        .flatten()
        .map(|name| format!("_{}", name.text))
        .collect()
}

/// Which sockets belong to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Control {
    /// Beside its parent's file.
    Beside(PathBuf),
    /// Those of an instance that was given no file; with this in their names.
    Named(String),
}

/// The control socket of a part that goes with a parent's file.
pub(crate) fn control_beside(part: Part, pid_file: &Path) -> PathBuf {
    pid_file.with_extension(match part {
        Part::Vrrp => "sock",
        Part::Director => "director.sock",
    })
}

/// The control socket of a part, of an instance that was given no file.
pub(crate) fn control(part: Part, suffix: &str) -> PathBuf {
    Path::new("/run/evenkeel").join(format!("{}{suffix}.sock", part.name()))
}

impl Places {
    /// By command line and configuration: `instance` and `net_namespace` go into the names, `use_pid_dir` (and either of
    /// them) moves the files to `/run/keepalived`.
    pub(crate) fn of(arguments: &Arguments, global: &Global) -> Self {
        let suffix = suffix(global);
        let own_directory = global.use_pid_dir || !suffix.is_empty();
        let directory = Path::new(if own_directory { "/run/keepalived" } else { "/run" });
        let place = |given: &Option<PathBuf>, name: &str| {
            given.clone().unwrap_or_else(|| directory.join(format!("{name}{suffix}.pid")))
        };
        Self {
            parent: place(&arguments.pid_file, "keepalived"),
            vrrp: place(&arguments.vrrp_pid_file, Part::Vrrp.pid_name()),
            checkers: place(&arguments.checkers_pid_file, Part::Director.pid_name()),
            reload: directory.join("keepalived.reload"),
            control: match &arguments.pid_file {
                Some(path) => Control::Beside(path.clone()),
                None => Control::Named(suffix),
            },
        }
    }

    /// The file with the number of a part's process.
    pub(crate) fn of_part(&self, part: Part) -> &Path {
        match part {
            Part::Vrrp => &self.vrrp,
            Part::Director => &self.checkers,
        }
    }

    /// The socket of a part's process.
    pub(crate) fn control(&self, part: Part) -> PathBuf {
        match &self.control {
            Control::Beside(path) => control_beside(part, path),
            Control::Named(suffix) => control(part, suffix),
        }
    }
}

/// A file with a process's number; removed when dropped, if the number is still in it.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    pid: u32,
}

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
        Ok(Self { path: path.to_owned(), pid })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if number_in(&self.path) == Some(self.pid) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn number_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What a live process is, by what it was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// keepalived, or this program in its place.
    Parent,
    /// The process of a part, of this program.
    Child(Part),
    /// Anything else.
    Other,
}

fn kind(pid: u32) -> Option<Kind> {
    let process = Pid::from_raw(i32::try_from(pid).ok()?);
    if pid <= 1 || process == Pid::this() || kill(process, None).is_err() {
        return None;
    }
    let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).ok();
    let command = read("cmdline")?;
    let mut words = command.split(|byte| *byte == 0);
    let first = words.next().and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
    let name = Path::new(first).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ours = match name {
        "keepalived" => true,
        "evenkeel" => matches!(words.next(), Some(b"vrrp" | b"director")),
        _ => false,
    };
    if !ours {
        return Some(Kind::Other);
    }
    let environment = read("environ").unwrap_or_default();
    let role = environment.split(|byte| *byte == 0).find_map(|variable| {
        std::str::from_utf8(variable).ok()?.strip_prefix(ROLE)?.strip_prefix('=').and_then(Part::of_role)
    });
    Some(role.map_or(Kind::Parent, Kind::Child))
}

/// The live parent that a file names. A number alone may long be another's.
pub(crate) fn running_parent(path: &Path) -> Option<u32> {
    number_in(path).filter(|pid| kind(*pid) == Some(Kind::Parent))
}

/// The live process of a part that a file names; without a parent's, it is one whose parent has died.
pub(crate) fn running_child(part: Part, path: &Path) -> Option<u32> {
    number_in(path).filter(|pid| kind(*pid) == Some(Kind::Child(part)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepalived_conf::model::Name;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    #[test]
    fn names_follow_instance_and_namespace() {
        let global = Global::default();
        let plain = Places::of(&Arguments::default(), &global);
        assert_eq!(plain.parent, Path::new("/run/keepalived.pid"));
        assert_eq!(plain.vrrp, Path::new("/run/vrrp.pid"));
        assert_eq!(plain.of_part(Part::Director), Path::new("/run/checkers.pid"));
        assert_eq!(plain.control(Part::Vrrp), Path::new("/run/evenkeel/vrrp.sock"));
        assert_eq!(plain.control(Part::Director), Path::new("/run/evenkeel/director.sock"));
        let arguments = Arguments { pid_file: Some("/x/a.pid".into()), ..Arguments::default() };
        let directory = Places::of(&arguments, &Global { use_pid_dir: true, ..global.clone() });
        assert_eq!(directory.parent, Path::new("/x/a.pid"));
        assert_eq!(directory.vrrp, Path::new("/run/keepalived/vrrp.pid"));
        assert_eq!(directory.of_part(Part::Director), Path::new("/run/keepalived/checkers.pid"));
        assert_eq!(directory.control(Part::Vrrp), Path::new("/x/a.sock"));
        assert_eq!(directory.control(Part::Director), Path::new("/x/a.director.sock"));
        let name = |text: &str| Some(Name { text: text.to_owned(), place: None });
        let global = Global { instance: name("one"), net_namespace: name("two"), ..global };
        let named = Places::of(&Arguments::default(), &global);
        assert_eq!(named.parent, Path::new("/run/keepalived/keepalived_one_two.pid"));
        assert_eq!(named.control(Part::Vrrp), Path::new("/run/evenkeel/vrrp_one_two.sock"));
        assert_eq!(named.of_part(Part::Director), Path::new("/run/keepalived/checkers_one_two.pid"));
    }

    #[test]
    fn a_number_counts_only_with_the_right_process_behind_it() {
        let path = std::env::temp_dir().join(format!("evenkeel-pid-{}", std::process::id()));
        let is = |name: &str, role: Option<&str>| {
            let mut command = Command::new("/bin/sleep");
            command.arg0(name).arg("60").stdin(Stdio::null()).env_remove(ROLE);
            if let Some(role) = role {
                command.env(ROLE, role);
            }
            let mut child = command.spawn().unwrap();
            // A process has its words a moment after its program.
            while fs::read(format!("/proc/{}/cmdline", child.id())).unwrap().is_empty() {
                std::thread::yield_now();
            }
            let file = PidFile::write(&path, child.id()).unwrap();
            let part = Part::ALL.into_iter().find(|part| running_child(*part, &path).is_some());
            let found = (running_parent(&path).is_some(), part);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(running_parent(&path), None, "a dead process");
            assert!(Part::ALL.iter().all(|part| running_child(*part, &path).is_none()), "a dead process");
            drop(file);
            assert!(!path.exists());
            found
        };
        assert_eq!(is("/usr/sbin/keepalived", None), (true, None));
        assert_eq!(is("keepalived", Some("vrrp")), (false, Some(Part::Vrrp)));
        assert_eq!(is("keepalived", Some("director")), (false, Some(Part::Director)));
        assert_eq!(is("keepalived", Some("worker")), (true, None));
        assert_eq!(is("sleep", None), (false, None));
        assert_eq!(is("sleep", Some("vrrp")), (false, None));
        assert_eq!(is("evenkeel", None), (false, None), "evenkeel, but not VRRP");
    }

    #[test]
    fn a_file_that_another_process_took_over_stays() {
        let path = std::env::temp_dir().join(format!("evenkeel-pid-other-{}", std::process::id()));
        let file = PidFile::write(&path, 4_000_000).unwrap();
        fs::write(&path, "4000001\n").unwrap();
        drop(file);
        assert!(path.exists());
        fs::remove_file(&path).unwrap();
    }
}
