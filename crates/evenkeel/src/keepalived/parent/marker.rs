//! `reload_file`: a file that is there, and empty, while the configuration is read.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Such a file; removed when dropped. Who changes the configuration makes the file with something in it, asks for a reload,
/// sees it become empty when reading begins, and gone when it is over.
#[derive(Debug)]
pub(super) struct Marker(PathBuf);

impl Marker {
    /// Makes the file, or empties it. A link in its place is not followed.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn make(path: PathBuf) -> io::Result<Self> {
        let nofollow = nix::fcntl::OFlag::O_NOFOLLOW.bits();
        File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            .custom_flags(nofollow)
            .open(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        // Who waits for its end may have removed it.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_empties_a_file_and_takes_it_away() {
        let path = std::env::temp_dir().join(format!("evenkeel-marker-{}", std::process::id()));
        fs::write(&path, "wanted").unwrap();
        let marker = Marker::make(path.clone()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        drop(marker);
        assert!(!path.exists());
    }
}
