//! The file that holds the process's number.

use crate::message::reason;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A written pidfile; removed when dropped, if it still holds this process's number.
#[derive(Debug)]
pub(crate) struct Pidfile(PathBuf, u32);

impl Pidfile {
    /// Writes this process's number. An earlier file, or a link in its place, is replaced and not followed.
    ///
    /// # Errors
    /// In HAProxy's words.
    pub(crate) fn write(path: &Path) -> Result<Self, String> {
        let pid = std::process::id();
        let failed = |error: std::io::Error| {
            format!("[haproxy.main()] Cannot create pidfile {} : {}", path.display(), reason(&error))
        };
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o644).open(path).map_err(failed)?;
        writeln!(file, "{pid}").map_err(failed)?;
        Ok(Self(path.to_owned(), pid))
    }
}

impl Pidfile {
    /// The file that this process has written before it executed the present program.
    pub(crate) fn adopt(path: PathBuf) -> Self {
        Self(path, std::process::id())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        let ours = fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == self.1.to_string());
        if ours && std::process::id() == self.1 {
            let _ = fs::remove_file(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = std::env::temp_dir().join(format!("evenkeel-pidfile-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (target, path) = (dir.join("target"), dir.join("pid"));
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let pidfile = Pidfile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(pidfile);
        assert!(!path.exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
