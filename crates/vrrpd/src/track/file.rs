//! `track_file`: a number in a file.

use super::{Reports, TrackReport};
use keepalived_conf::model::TrackFile;
use notice::log::Log;
use reactor::inotify::{Change, Inotify, Watch};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;
use vrrp::TrackState;

/// Writes the initial value of `init_file`, when there is no file yet, or over it when it says so and this is no reload.
pub fn init_file(file: &TrackFile, reload: bool, log: &Log) {
    let Some(init) = file.init else { return };
    match fs::metadata(&file.path) {
        Ok(existing) if !existing.is_file() => {
            log.info(format_args!(
                "Cannot initialise track file {} - it is not a regular file",
                file.name.text
            ));
            return;
        }
        Ok(_) if reload || !init.overwrite => return,
        _ => {}
    }
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(&file.path);
    if open.and_then(|mut open| writeln!(open, "{}", init.value)).is_err() {
        log.info(format_args!("Unable to initialise track file {}", file.name.text));
    }
}

/// The number in a file: 0 when there is no file, `None` when there is no number.
pub fn read_value(path: &Path) -> Option<i64> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(0),
        Err(_) => return None,
    };
    let mut text = String::new();
    file.take(128).read_to_string(&mut text).ok()?;
    parse_value(&text)
}

/// As `strtol`: white space, a sign, digits; the rest must be white space.
fn parse_value(text: &str) -> Option<i64> {
    let word = text.trim();
    let value: i64 = word.strip_prefix('+').unwrap_or(word).parse().ok()?;
    // Beyond this no weight makes a difference, and products stay far from overflow.
    Some(value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)))
}

/// One watched file.
struct Entry<K> {
    which: K,
    name: String,
    directory: Watch,
    file: OsString,
    path: std::path::PathBuf,
    last: i64,
}

/// Watches files for ever; dropping the future ends it. What they hold at first must have been read before
/// ([`read_value`]) and is given here.
pub async fn watch_files<K: Copy + 'static>(
    files: Vec<(K, TrackFile, i64)>,
    reports: Reports<K>,
    log: Rc<Log>,
) {
    let mut inotify = match Inotify::new() {
        Ok(inotify) => inotify,
        Err(error) => {
            log.info(format_args!("Unable to watch track files - {error}"));
            return;
        }
    };
    let mut entries = Vec::new();
    for (which, file, last) in files {
        let directory = match file.path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => Path::new("/"),
        };
        match inotify.watch(directory) {
            Ok(watch) => entries.push(Entry {
                which,
                name: file.name.text.clone(),
                directory: watch,
                file: file.path.file_name().map(OsStr::to_owned).unwrap_or_default(),
                path: file.path.clone(),
                last,
            }),
            Err(error) => log.info(format_args!(
                "Unable to monitor directory {} of track file {} - {error}",
                directory.display(),
                file.name.text
            )),
        }
    }
    let mut changes = Vec::new();
    let update = |entry: &mut Entry<K>| {
        let Some(value) = read_value(&entry.path) else {
            log.info(format_args!("Invalid number read from track file {} - ignoring", entry.name));
            return;
        };
        if value != entry.last {
            entry.last = value;
            reports.put(TrackReport { which: entry.which, state: TrackState::Value(value) });
        }
    };
    // Between the first read and the watch it may have changed.
    entries.iter_mut().for_each(&update);
    loop {
        inotify.readable().await;
        changes.clear();
        if let Err(error) = inotify.try_read(&mut changes)
            && error.kind() != io::ErrorKind::WouldBlock
        {
            log.info(format_args!("Unable to read changes of track files - {error}"));
            return;
        }
        for change in changes.drain(..) {
            for entry in &mut entries {
                let concerned = match &change {
                    Change::Written(watch, name) | Change::Removed(watch, name) => {
                        entry.directory == *watch && entry.file == *name
                    }
                    Change::Overflow => true,
                    Change::Gone(watch) => entry.directory == *watch,
                };
                if concerned {
                    update(entry);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_alone() {
        assert_eq!(parse_value("5\n"), Some(5));
        assert_eq!(parse_value(" -254 "), Some(-254));
        assert_eq!(parse_value("+7"), Some(7));
        assert_eq!(parse_value("99999999999"), Some(i64::from(i32::MAX)));
        for text in ["", "x", "5x", "1 2", "--1"] {
            assert_eq!(parse_value(text), None, "{text:?}");
        }
        assert_eq!(read_value(Path::new("/nonexistent/file")), Some(0));
    }

    #[test]
    fn changes_are_reported_as_they_come() {
        let directory = std::env::temp_dir().join(format!("evenkeel-track-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("value");
        let name = keepalived_conf::model::Name { text: "f".to_owned(), place: None };
        let file = TrackFile { name, path: path.clone(), ..TrackFile::default() };
        let log = Rc::new(Log::new(notice::log::LogOptions { facility: None, ..Default::default() }));
        fs::write(&path, "3\n").unwrap();
        let got = reactor::run(reactor::Settings::default(), async {
            let reports = Reports::default();
            let _task = reactor::spawn_task(watch_files(vec![(7_u32, file, 0)], reports.clone(), log));
            let mut got = Vec::new();
            for step in 0..4 {
                match step {
                    0 => {}
                    1 => fs::write(&path, "-4").unwrap(),
                    2 => fs::remove_file(&path).unwrap(),
                    _ => {
                        fs::write(directory.join("new"), "9").unwrap();
                        fs::rename(directory.join("new"), &path).unwrap();
                    }
                }
                std::future::poll_fn(|cx| reports.poll_ready(cx)).await;
                got.push(reports.take().unwrap());
            }
            got
        })
        .unwrap();
        let values: Vec<_> = got.iter().map(|report| report.state).collect();
        assert_eq!(values, [3, -4, 0, 9].map(TrackState::Value));
        assert!(got.iter().all(|report| report.which == 7));
        fs::remove_dir_all(&directory).unwrap();
    }
}
