//! From the files to a configuration that can run, in the parent and, of the same bytes, in a role.

use super::arguments::Arguments;
use super::journal;
use super::snapshot::{Recorder, Sealed, Snapshot};
use diag::Severity;
use keepalived_conf::model::{Config, Name};
use keepalived_conf::{
    Disk, InterfaceFacts, InterfaceTable, Loaded, Options, Reader, Unknown, Verdict, code, load, verdict,
};
use netlink::{Client, Namespace, Protocol, link};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;

/// A configuration as it was read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The files.
    pub(super) snapshot: Snapshot,
    /// What they say, with what the command line overrides.
    pub(super) config: Config,
    /// What there is to say about it, a line each.
    pub(super) lines: Vec<String>,
    /// What `--config-test` would make of those lines.
    pub(super) verdict: Verdict,
    /// Whether it must not run. `lines` say why.
    pub(super) refused: bool,
}

/// What is left of a reading when the roles have it.
#[derive(Debug)]
pub(super) struct Kept {
    /// The files, for the next process.
    pub(super) snapshot: Sealed,
    /// What they say; after [`forget`](Self::forget), of that `global_defs` alone.
    pub(super) config: Config,
}

impl Kept {
    /// Forgets what only the processes of the parts need.
    pub(super) fn forget(&mut self) {
        let global = std::mem::take(&mut self.config.global);
        self.config = Config { global, ..Config::default() };
    }
}

impl Reading {
    /// Reads the files, in the network namespace that they name; this thread is in it afterwards.
    ///
    /// # Errors
    /// When that namespace cannot be entered; the text is for the log.
    pub(super) fn of_files(arguments: &Arguments) -> Result<Self, String> {
        let first = Self::of_disk(arguments);
        // Which interfaces there are is a matter of the namespace, and that one of the files.
        match &first.config.global.net_namespace {
            None => Ok(first),
            Some(name) => {
                enter(&name.text)?;
                Ok(Self::of_disk(arguments))
            }
        }
    }

    /// Reads the files in the namespace that this thread is in.
    pub(super) fn of_disk(arguments: &Arguments) -> Self {
        let interfaces = Interfaces::now();
        let options = Options {
            path: arguments.file.clone(),
            config_id: arguments.config_id.clone().unwrap_or_else(short_host_name),
            seed: RandomState::new().hash_one(std::process::id()),
            check_includes: arguments.all_files,
            mtu: interfaces.as_ref().map_or(1500, |interfaces| interfaces.mtu),
            ..Options::default()
        };
        let recorder = Recorder::new(Disk, arguments.directory.clone());
        let loaded = load_with(&options, &recorder, interfaces.as_ref());
        Self::new(arguments, loaded, recorder.finish(options))
    }

    /// Reads what another process has read, in the namespace that this thread is in.
    pub(super) fn of_snapshot(arguments: &Arguments, snapshot: Snapshot) -> Self {
        let loaded = load_with(&snapshot.options, &snapshot, Interfaces::now().as_ref());
        Self::new(arguments, loaded, snapshot)
    }

    fn new(arguments: &Arguments, loaded: Loaded, snapshot: Snapshot) -> Self {
        let Loaded { mut config, sources, report } = loaded;
        if let Some(name) = &arguments.namespace {
            config.global.net_namespace = Some(Name { text: name.clone(), place: None });
        }
        config.global.umask = arguments.umask.or(config.global.umask);
        let lines = journal::lines(&sources, &report);
        let verdict = verdict(&report);
        // A file that is not there leaves nothing to run, whatever keepalived makes of that.
        let refused = report.iter().any(|d| d.severity == Severity::Error || d.code == code::UNREADABLE);
        Self { snapshot, config, lines, verdict, refused }
    }

    /// What the parent needs of it from now on.
    ///
    /// # Errors
    /// When there is no memory for the files.
    pub(super) fn keep(self) -> io::Result<Kept> {
        Ok(Kept { snapshot: self.snapshot.seal()?, config: self.config })
    }

    /// The configuration alone, for a role that keeps it.
    ///
    /// It is a copy made on a thread of its own: threads have heaps of their own, so it does not lie scattered among what
    /// reading it needed for a moment. It is not the other way around because the allocator gives back the whole of a heap
    /// that is free for the first thread alone.
    pub(super) fn settle(self) -> Config {
        let copied = std::thread::scope(|scope| scope.spawn(|| self.config.clone()).join());
        drop(self);
        reactor::process::trim_heap();
        copied.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Whether there was no file to read.
    pub(super) fn is_missing(&self) -> bool {
        self.verdict == Verdict::NoConfiguration
    }
}

fn load_with(options: &Options, reader: &dyn Reader, interfaces: Option<&Interfaces>) -> Loaded {
    match interfaces {
        Some(table) => load(options, reader, table),
        None => load(options, reader, &Unknown),
    }
}

/// Moves this thread into a network namespace.
fn enter(name: &str) -> Result<(), String> {
    Namespace::named(name).and_then(|namespace| namespace.enter()).map_err(|error| {
        format!("Unable to enter network namespace {name} - {}", crate::message::reason(&error))
    })
}

/// The first part of the host's name.
fn short_host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The machine's interfaces, as far as a configuration depends on them.
struct Interfaces {
    facts: BTreeMap<String, InterfaceFacts>,
    mtu: u32,
}

impl Interfaces {
    fn now() -> Option<Self> {
        let links = Client::open(Protocol::Route).ok()?.run(link::list()).ok()?;
        let mtus = links.iter().filter(|link| !link.flags.loopback()).map(|link| link.mtu);
        let mtu = mtus.max().unwrap_or(1500);
        let facts = links.into_iter().map(|link| {
            let facts = InterfaceFacts { loopback: link.flags.loopback() };
            (link.name, facts)
        });
        Some(Self { facts: facts.collect(), mtu })
    }
}

impl InterfaceTable for Interfaces {
    fn find(&self, name: &str) -> Option<InterfaceFacts> {
        self.facts.get(name).copied()
    }
}
