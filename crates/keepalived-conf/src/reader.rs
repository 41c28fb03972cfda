//! Where files come from.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing.
    Missing,
    /// A regular file.
    Regular,
    /// A regular file that may be executed: no configuration.
    Executable,
    /// A directory.
    Directory,
    /// A device, a pipe, a socket.
    Other,
}

/// What the language asks of the machine. Tests bring their own.
pub trait Reader {
    /// What `path` leads to.
    fn kind(&self, path: &Path) -> FileKind;

    /// The bytes of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no regular file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Names in a directory, each with whether it is a directory itself; in any order.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list(&self, directory: &Path) -> io::Result<Vec<(String, bool)>>;

    /// The directory that relative paths start from.
    fn working_directory(&self) -> PathBuf;

    /// A variable of the environment, for `${_ENV NAME}`.
    fn environment(&self, name: &str) -> Option<String>;

    /// Whether there is a user of this name or number.
    fn user_exists(&self, name: &str) -> bool;

    /// Whether there is a group of this name or number.
    fn group_exists(&self, name: &str) -> bool;

    /// The number that a table of `/etc/iproute2` (`rt_tables`, `rt_protos`, `rt_realms`, `rt_scopes`, `rt_dsfield`)
    /// gives a name, for names that are not built in.
    fn route_name(&self, table: &str, name: &str) -> Option<u32> {
        let places = ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"];
        places.iter().find_map(|place| {
            let text = self.read(&Path::new(place).join(table)).ok()?;
            number_of(&String::from_utf8_lossy(&text), name)
        })
    }

    /// The number of a protocol of `/etc/protocols`.
    fn ip_protocol(&self, name: &str) -> Option<u8> {
        let text = self.read(Path::new("/etc/protocols")).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_ascii_whitespace();
            let (first, number) = (words.next()?, words.next()?);
            let found = first == name || words.any(|alias| alias == name);
            if found { number.parse().ok() } else { None }
        })
    }
}

/// The number before `name` in a table of iproute2.
fn number_of(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (number, found) = (words.next()?, words.next()?);
        if found != name {
            return None;
        }
        match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        }
    })
}

/// The files of the machine this runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Reader for Disk {
    fn kind(&self, path: &Path) -> FileKind {
        let Ok(metadata) = std::fs::metadata(path) else { return FileKind::Missing };
        if metadata.is_dir() {
            FileKind::Directory
        } else if !metadata.is_file() {
            FileKind::Other
        } else if metadata.permissions().mode() & 0o111 != 0 {
            FileKind::Executable
        } else {
            FileKind::Regular
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        std::fs::read(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push((name, entry.path().is_dir()));
        }
        Ok(names)
    }

    fn working_directory(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn user_exists(&self, name: &str) -> bool {
        in_account_table(self, "/etc/passwd", name)
            || nix::unistd::User::from_name(name).is_ok_and(|found| found.is_some())
    }

    fn group_exists(&self, name: &str) -> bool {
        in_account_table(self, "/etc/group", name)
            || nix::unistd::Group::from_name(name).is_ok_and(|found| found.is_some())
    }
}

/// Whether the first field of a line of the table, or its third, is `name`.
fn in_account_table(disk: &Disk, table: &str, name: &str) -> bool {
    let text = disk.read(Path::new(table)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().any(|line| {
        let mut fields = line.split(':');
        fields.next() == Some(name) || fields.nth(1) == Some(name)
    })
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Absolute paths and what is in the files.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// Users and groups that exist.
    pub accounts: Vec<String>,
}

impl Memory {
    /// One file, in a world where `root` is a user and a group.
    pub fn of(path: &str, text: impl Into<Vec<u8>>) -> Self {
        let mut memory = Self { accounts: vec!["root".to_owned()], ..Self::default() };
        memory.files.insert(PathBuf::from(path), text.into());
        memory
    }
}

impl Reader for Memory {
    fn kind(&self, path: &Path) -> FileKind {
        if self.files.contains_key(&tidy(path)) {
            FileKind::Regular
        } else if self.list(path).is_ok() {
            FileKind::Directory
        } else {
            FileKind::Missing
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(&tidy(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(String, bool)>> {
        let directory = tidy(directory);
        let mut names: BTreeMap<String, bool> = BTreeMap::new();
        for path in self.files.keys() {
            let Ok(rest) = path.strip_prefix(&directory) else { continue };
            let mut parts = rest.components();
            if let Some(first) = parts.next() {
                let name = first.as_os_str().to_string_lossy().into_owned();
                *names.entry(name).or_default() |= parts.next().is_some();
            }
        }
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names.into_iter().collect()) }
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn user_exists(&self, name: &str) -> bool {
        self.accounts.iter().any(|account| account == name)
    }

    fn group_exists(&self, name: &str) -> bool {
        self.user_exists(name)
    }
}

/// A path without `.` and `..`.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}
