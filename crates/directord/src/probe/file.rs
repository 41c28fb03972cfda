//! `FILE_CHECK`.

use super::plan::Context;
use super::{Verdict, WeightChange};
use crate::plan::CheckerId;
use check::checker::file::{FileStatus, number, status};
use keepalived_conf::model::TrackFile;
use reactor::inotify::{Change, Inotify, Watch};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A checker of a file, and what it last found.
#[derive(Debug)]
pub(super) struct FileCheck {
    id: CheckerId,
    /// The server and the file, as log lines name them.
    real: Rc<str>,
    called: String,
    path: PathBuf,
    weight: i32,
    reverse: bool,
    found: Option<FileStatus>,
    directory: Option<Watch>,
    name: OsString,
}

impl FileCheck {
    pub(super) fn new(id: CheckerId, file: &TrackFile, weight: i32, reverse: bool, real: Rc<str>) -> Self {
        let name = file.path.file_name().map(OsStr::to_owned).unwrap_or_default();
        let called = file.name.text.clone();
        Self {
            id,
            real,
            called,
            path: file.path.clone(),
            weight,
            reverse,
            found: None,
            directory: None,
            name,
        }
    }

    /// Looks at the file, and reports what is new.
    fn look(&mut self, context: &Context) {
        let number = match read(&self.path) {
            Ok(content) => number(&content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
            Err(error) => {
                context
                    .shared
                    .log
                    .info(format_args!("Unable to read track file {} - {error}", self.path.display()));
                None
            }
        };
        let Some(number) = number else { return };
        let found = status(number, self.weight, self.reverse);
        let before = self.found.replace(found);
        if before == Some(found) {
            return;
        }
        let up = found != FileStatus::Fault;
        let was_up = before.is_none_or(|before| before != FileStatus::Fault);
        if up != was_up {
            let change = if up { "leaving" } else { "now" };
            let (real, called) = (&self.real, &self.called);
            context.shared.log.info(format_args!("({real}): tracked file {called} {change} FAULT state"));
        }
        let weight = match found {
            FileStatus::Well(sum) => Some(WeightChange::Sum(sum)),
            FileStatus::Fault => None,
        };
        let reason = format!("the number in {} is {number}", self.path.display());
        context
            .shared
            .verdicts
            .put((self.id, Verdict { up, changed: up != was_up, weight, mail: None, reason }));
    }
}

/// The beginning of a file, as much as counts.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(128).read_to_end(&mut content)?;
    Ok(content)
}

/// Watches the files, for ever.
pub(super) async fn watch(context: Rc<Context>, mut checks: Vec<FileCheck>) {
    let log = &context.shared.log;
    let mut inotify = match Inotify::new() {
        Ok(inotify) => Some(inotify),
        Err(error) => {
            log.info(format_args!("Unable to watch track files - {error}"));
            None
        }
    };
    for check in &mut checks {
        let directory = match check.path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => Path::new("/"),
        };
        check.directory = inotify.as_ref().and_then(|inotify| match inotify.watch(directory) {
            Ok(watch) => Some(watch),
            Err(error) => {
                let directory = directory.display();
                log.info(format_args!("Unable to monitor directory {directory} of a track file - {error}"));
                None
            }
        });
        // After the watch began: what changes from now on is reported.
        check.look(&context);
    }
    let Some(inotify) = &mut inotify else { return };
    let mut changes = Vec::new();
    loop {
        inotify.readable().await;
        changes.clear();
        if let Err(error) = inotify.try_read(&mut changes)
            && error.kind() != io::ErrorKind::WouldBlock
        {
            log.info(format_args!("Unable to read changes of track files - {error}"));
            return;
        }
        for change in &changes {
            let (watch, name) = match change {
                Change::Written(watch, name) | Change::Removed(watch, name) => (Some(*watch), Some(name)),
                Change::Gone(watch) => (Some(*watch), None),
                Change::Overflow => (None, None),
            };
            for check in &mut checks {
                let here = watch.is_none_or(|watch| check.directory == Some(watch));
                if here && name.is_none_or(|name| check.name == *name) {
                    check.look(&context);
                }
            }
        }
    }
}
