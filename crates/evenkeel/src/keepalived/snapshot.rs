//! The files of a configuration as the parent read them, so that each role parses the same bytes whatever has become of
//! the files since.

use crate::haproxy::plan::{Reader as Decoder, Writer};
use keepalived_conf::{FileKind, Options, Reader};
use reactor::process;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// First bytes; the number rises when the layout changes.
const MAGIC: &[u8] = b"evenkeel snapshot 1\n";
/// The byte that a snapshot's descriptor travels with.
const PASSED: &[u8] = b"S";

type Listing = Option<Vec<(String, bool)>>;

/// Every answer that reading a configuration got from the machine. As a [`Reader`] it gives the same answers again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// How it was read.
    pub(crate) options: Options,
    kinds: BTreeMap<PathBuf, u8>,
    files: BTreeMap<PathBuf, Option<Vec<u8>>>,
    listings: BTreeMap<PathBuf, Listing>,
    /// What relative names start from.
    pub(crate) directory: PathBuf,
    variables: BTreeMap<String, Option<String>>,
    users: BTreeMap<String, bool>,
    groups: BTreeMap<String, bool>,
}

/// A snapshot in a file of memory that nobody can change.
#[derive(Debug)]
pub(crate) struct Sealed(File);

impl Sealed {
    /// Sends it to a role.
    ///
    /// # Errors
    /// Those of the socket.
    pub(crate) fn send(&self, socket: impl AsFd) -> io::Result<()> {
        process::send_descriptors(socket, PASSED, &[self.0.as_fd()]).map(drop)
    }
}

/// A reader that remembers what it was told.
pub(crate) struct Recorder<R> {
    reader: R,
    heard: RefCell<Snapshot>,
}

impl<R: Reader> Recorder<R> {
    /// Nothing was asked yet. Relative names start from `directory`.
    pub(crate) fn new(reader: R, directory: PathBuf) -> Self {
        let heard = Snapshot { directory, ..Snapshot::default() };
        Self { reader, heard: RefCell::new(heard) }
    }

    /// What was heard while it was read like this.
    pub(crate) fn finish(self, options: Options) -> Snapshot {
        Snapshot { options, ..self.heard.into_inner() }
    }
}

impl<R: Reader> Reader for Recorder<R> {
    fn kind(&self, path: &Path) -> FileKind {
        let kind = self.reader.kind(path);
        self.heard.borrow_mut().kinds.insert(path.to_owned(), number(kind));
        kind
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.reader.read(path);
        self.heard.borrow_mut().files.insert(path.to_owned(), bytes.as_ref().ok().cloned());
        bytes
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(String, bool)>> {
        let names = self.reader.list(directory);
        self.heard.borrow_mut().listings.insert(directory.to_owned(), names.as_ref().ok().cloned());
        names
    }

    fn working_directory(&self) -> PathBuf {
        self.heard.borrow().directory.clone()
    }

    fn environment(&self, name: &str) -> Option<String> {
        let value = self.reader.environment(name);
        self.heard.borrow_mut().variables.insert(name.to_owned(), value.clone());
        value
    }

    fn user_exists(&self, name: &str) -> bool {
        let exists = self.reader.user_exists(name);
        self.heard.borrow_mut().users.insert(name.to_owned(), exists);
        exists
    }

    fn group_exists(&self, name: &str) -> bool {
        let exists = self.reader.group_exists(name);
        self.heard.borrow_mut().groups.insert(name.to_owned(), exists);
        exists
    }
}

impl Reader for Snapshot {
    fn kind(&self, path: &Path) -> FileKind {
        self.kinds.get(path).map_or(FileKind::Missing, |number| kind(*number))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().flatten().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<(String, bool)>> {
        self.listings.get(directory).cloned().flatten().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn working_directory(&self) -> PathBuf {
        self.directory.clone()
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().flatten()
    }

    fn user_exists(&self, name: &str) -> bool {
        self.users.get(name).copied().unwrap_or(false)
    }

    fn group_exists(&self, name: &str) -> bool {
        self.groups.get(name).copied().unwrap_or(false)
    }
}

fn number(kind: FileKind) -> u8 {
    match kind {
        FileKind::Missing => 0,
        FileKind::Regular => 1,
        FileKind::Executable => 2,
        FileKind::Directory => 3,
        FileKind::Other => 4,
    }
}

fn kind(number: u8) -> FileKind {
    match number {
        1 => FileKind::Regular,
        2 => FileKind::Executable,
        3 => FileKind::Directory,
        4 => FileKind::Other,
        _ => FileKind::Missing,
    }
}

impl Snapshot {
    /// Puts it where it can be sent from.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn seal(&self) -> io::Result<Sealed> {
        process::memory_file("evenkeel-snapshot", &self.encode()).map(Sealed)
    }

    /// Receives what [`send`](Self::send) sent; waits for it, unless the socket does not.
    ///
    /// # Errors
    /// Those of the socket, and what is no snapshot.
    pub(crate) fn receive(socket: impl AsFd) -> io::Result<Self> {
        let (_, fds) = process::receive_descriptors(socket, &mut [0])?;
        let [file] = <[OwnedFd; 1]>::try_from(fds).map_err(|_| malformed())?;
        let (mut text, mut file) = (Vec::new(), File::from(file));
        file.rewind()?;
        file.read_to_end(&mut text)?;
        Self::decode(&text).ok_or_else(malformed)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.bytes(self.options.path.as_os_str().as_bytes());
        out.bytes(self.options.config_id.as_bytes());
        out.bytes(&self.options.seed.to_le_bytes());
        out.number(usize::from(self.options.check_includes));
        out.bytes(&self.options.mtu.to_le_bytes());
        out.bytes(self.directory.as_os_str().as_bytes());
        out.number(self.kinds.len());
        for (path, kind) in &self.kinds {
            out.bytes(path.as_os_str().as_bytes());
            out.number(usize::from(*kind));
        }
        out.number(self.files.len());
        for (path, bytes) in &self.files {
            out.bytes(path.as_os_str().as_bytes());
            out.number(usize::from(bytes.is_some()));
            out.bytes(bytes.as_deref().unwrap_or_default());
        }
        out.number(self.listings.len());
        for (path, names) in &self.listings {
            out.bytes(path.as_os_str().as_bytes());
            out.number(usize::from(names.is_some()));
            let names = names.as_deref().unwrap_or_default();
            out.number(names.len());
            for (name, directory) in names {
                out.bytes(name.as_bytes());
                out.number(usize::from(*directory));
            }
        }
        out.number(self.variables.len());
        for (name, value) in &self.variables {
            out.bytes(name.as_bytes());
            out.number(usize::from(value.is_some()));
            out.bytes(value.as_deref().unwrap_or_default().as_bytes());
        }
        for accounts in [&self.users, &self.groups] {
            out.number(accounts.len());
            for (name, exists) in accounts {
                out.bytes(name.as_bytes());
                out.number(usize::from(*exists));
            }
        }
        out.0
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let mut from = Decoder(text.strip_prefix(MAGIC)?);
        let options = Options {
            path: path(&mut from)?,
            config_id: from.text()?,
            seed: u64::from_le_bytes(from.bytes()?.try_into().ok()?),
            check_includes: flag(&mut from)?,
            mtu: u32::from_le_bytes(from.bytes()?.try_into().ok()?),
            ..Options::default()
        };
        let mut this = Self { options, directory: path(&mut from)?, ..Self::default() };
        for _ in 0..from.number()? {
            this.kinds.insert(path(&mut from)?, u8::try_from(from.number()?).ok()?);
        }
        for _ in 0..from.number()? {
            let path = path(&mut from)?;
            let there = flag(&mut from)?;
            let bytes = from.bytes()?;
            this.files.insert(path, there.then(|| bytes.to_vec()));
        }
        for _ in 0..from.number()? {
            let path = path(&mut from)?;
            let there = flag(&mut from)?;
            let mut names = Vec::new();
            for _ in 0..from.number()? {
                names.push((from.text()?, flag(&mut from)?));
            }
            this.listings.insert(path, there.then_some(names));
        }
        for _ in 0..from.number()? {
            let name = from.text()?;
            let there = flag(&mut from)?;
            let value = from.text()?;
            this.variables.insert(name, there.then_some(value));
        }
        for accounts in [&mut this.users, &mut this.groups] {
            for _ in 0..from.number()? {
                accounts.insert(from.text()?, flag(&mut from)?);
            }
        }
        from.0.is_empty().then_some(this)
    }
}

fn path(from: &mut Decoder<'_>) -> Option<PathBuf> {
    Some(std::ffi::OsString::from_vec(from.bytes()?.to_vec()).into())
}

fn flag(from: &mut Decoder<'_>) -> Option<bool> {
    from.number().map(|number| number == 1)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the parent's snapshot cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepalived_conf::Memory;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_snapshot_answers_as_the_machine_did() {
        let mut memory = Memory::of("/etc/a.conf", "global_defs {\n}\n");
        memory.variables.insert("X".into(), "1".into());
        let recorder = Recorder::new(memory, "/home".into());
        let ask = |reader: &dyn Reader| {
            (
                reader.read(Path::new("/etc/a.conf")).ok(),
                reader.read(Path::new("/etc/none")).ok(),
                reader.kind(Path::new("/etc")),
                reader.list(Path::new("/etc")).ok(),
                reader.environment("X"),
                reader.environment("Y"),
                reader.user_exists("root"),
                reader.group_exists("nobody"),
                reader.working_directory(),
            )
        };
        let live = ask(&recorder);
        let options = Options { config_id: "one".into(), seed: u64::MAX, mtu: 9000, ..Options::default() };
        let snapshot = recorder.finish(options);
        let (ours, theirs) = UnixStream::pair().unwrap();
        snapshot.seal().unwrap().send(&ours).unwrap();
        let arrived = Snapshot::receive(&theirs).unwrap();
        assert_eq!(arrived.encode(), snapshot.encode());
        assert_eq!((arrived.options.seed, arrived.options.mtu), (u64::MAX, 9000));
        assert_eq!(arrived.options.config_id, "one");
        assert_eq!(ask(&arrived), live);
    }

    #[test]
    fn a_snapshot_cut_short_is_refused() {
        let recorder = Recorder::new(Memory::of("/a", "x"), "/".into());
        let _ = recorder.read(Path::new("/a"));
        let _ = recorder.list(Path::new("/"));
        let whole = recorder.finish(Options::default()).encode();
        assert!(Snapshot::decode(&whole).is_some());
        for end in 0..whole.len() {
            assert!(Snapshot::decode(&whole[..end]).is_none(), "{end}");
        }
    }
}
