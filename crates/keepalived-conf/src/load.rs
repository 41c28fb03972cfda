//! The entry point: files in, model and diagnostics out.

use crate::interfaces::InterfaceTable;
use crate::model::Config;
use crate::reader::Reader;
use crate::source::LineSource;
use crate::tree::Builder;
use crate::{checks, lower};
use diag::{Report, Sources};
use std::path::PathBuf;

/// How a configuration is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file that `-f` names.
    pub path: PathBuf,
    /// What `@id` lines are compared with, and `${_INSTANCE}`: the first part of the host's name, or `-i`.
    pub config_id: String,
    /// What `${_RANDOM}` comes of, unless `random_seed` says.
    pub seed: u64,
    /// `-e`: every include must find its files.
    pub check_includes: bool,
    /// Lines at most, sequences repeated; more is an error.
    pub most_lines: usize,
    /// Bytes that the largest frame of an interface may have, for the number of addresses in an advertisement.
    pub mtu: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/etc/keepalived/keepalived.conf"),
            config_id: String::new(),
            seed: 0,
            check_includes: false,
            most_lines: 4_000_000,
            mtu: 1500,
        }
    }
}

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration: what keepalived would go on with, whatever the report says.
    pub config: Config,
    /// The texts that the report points into.
    pub sources: Sources,
    /// Everything there is to say about it. Errors mean that it must not be started.
    pub report: Report,
}

/// Reads a configuration. Everything wrong in all of its files is reported.
pub fn load(options: &Options, reader: &dyn Reader, interfaces: &dyn InterfaceTable) -> Loaded {
    let mut sources = Sources::default();
    let mut report = Report::default();
    let mut source = LineSource::new(reader, options, &mut sources, &mut report);
    let nodes = if source.open_main(&options.path) { Builder::new(&mut source).build() } else { Vec::new() };
    let mut draft = lower::lower(&nodes, reader, interfaces, &mut report);
    // keepalived complains as it reads; here words are read before keywords.
    report.order_by_place();
    checks::run(&mut draft, options, &mut report);
    Loaded { config: lower::finish(draft), sources, report }
}
