//! Settings under `/proc/sys/net` that netlink does not carry, changed so that they can be put back.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Where they are.
const ROOT: &str = "/proc/sys/net";

/// One setting, in the namespace of the thread that reads or writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Setting {
    path: PathBuf,
}

impl Setting {
    /// One of a link, for instance `of_link("ipv6", "eth0", "disable_ipv6")`. `all` and `default` are links here.
    ///
    /// # Errors
    /// `InvalidInput` for what cannot be part of a path below `/proc/sys/net`.
    pub fn of_link(family: &str, link: &str, name: &str) -> io::Result<Self> {
        Self::new(&[family, "conf", link, name])
    }

    /// Any one, by the parts of its path: `new(&["ipv4", "igmp_link_local_mcast_reports"])`. A dot in a part is a dot.
    ///
    /// # Errors
    /// `InvalidInput` for what cannot be part of a path below `/proc/sys/net`.
    pub fn new(parts: &[&str]) -> io::Result<Self> {
        let mut path = PathBuf::from(ROOT);
        for part in parts {
            if part.is_empty() || *part == "." || *part == ".." || part.contains(['/', '\0']) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("'{}' cannot be part of a setting's name", part.escape_debug()),
                ));
            }
            path.push(part);
        }
        Ok(Self { path })
    }

    /// Its value.
    ///
    /// # Errors
    /// `NotFound` when this kernel does not have it, or the link is gone.
    pub fn read(&self) -> io::Result<String> {
        Ok(fs::read_to_string(&self.path)?.trim_end().to_owned())
    }

    /// Changes it.
    ///
    /// # Errors
    /// `NotFound` as above; `PermissionDenied`, or a read-only file system, as in many containers.
    pub fn write(&self, value: &str) -> io::Result<()> {
        // Not created: what is not there is not a setting.
        let mut file = fs::OpenOptions::new().write(true).open(&self.path)?;
        io::Write::write_all(&mut file, value.as_bytes())
    }
}

/// Settings that were changed, with their former values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    before: Vec<(Setting, String)>,
}

impl Changed {
    /// Changes a setting, and remembers what it was when it is changed for the first time. One that has the value already
    /// is left alone.
    ///
    /// # Errors
    /// Those of reading and writing it.
    pub fn set(&mut self, setting: &Setting, value: &str) -> io::Result<()> {
        let now = setting.read()?;
        if now == value {
            return Ok(());
        }
        setting.write(value)?;
        if !self.before.iter().any(|(known, _)| known == setting) {
            self.before.push((setting.clone(), now));
        }
        Ok(())
    }

    /// Puts everything back, the last changed first; settings of links that are gone are passed over.
    ///
    /// # Errors
    /// The first that occurred; the others are put back all the same.
    pub fn restore(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for (setting, value) in self.before.drain(..).rev() {
            match setting.write(&value) {
                Err(error) if error.kind() != io::ErrorKind::NotFound && result.is_ok() => {
                    result = Err(error)
                }
                _ => {}
            }
        }
        result
    }

    /// Whether nothing is to be put back.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }
}
