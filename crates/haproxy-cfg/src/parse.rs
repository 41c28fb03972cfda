//! The entry point: texts in, model and diagnostics out.

use crate::model::Config;
use crate::{Context, Input, checks, lower};
use diag::{Report, Sources};
use std::net::IpAddr;
use std::path::Path;

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration; `None` when there is an error in the report.
    pub config: Option<Config>,
    /// The texts that the report points into.
    pub sources: Sources,
    /// Everything there is to say about it.
    pub report: Report,
}

/// What reading a configuration asks of the machine.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// The addresses of a host name; none when it is unknown.
    pub resolve: &'a dyn Fn(&str) -> Vec<IpAddr>,
    /// The id of a user.
    pub user: &'a dyn Fn(&str) -> Option<u32>,
    /// The id of a group.
    pub group: &'a dyn Fn(&str) -> Option<u32>,
    /// The bytes of an error file.
    pub read: &'a dyn Fn(&Path) -> std::io::Result<Vec<u8>>,
}

impl std::fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Machine")
    }
}

impl Machine<'static> {
    /// The machine this runs on.
    pub fn here() -> Self {
        Self {
            resolve: &crate::address::resolve,
            user: &|name| Some(nix::unistd::User::from_name(name).ok()??.uid.as_raw()),
            group: &|name| Some(nix::unistd::Group::from_name(name).ok()??.gid.as_raw()),
            read: &|path| std::fs::read(path),
        }
    }
}

/// Reads `inputs` as one configuration on this machine.
pub fn parse(inputs: &[Input], context: &mut Context) -> Parsed {
    parse_on(inputs, context, Machine::here())
}

/// Reads `inputs` as one configuration of `machine`. Everything wrong in all of them is reported.
pub fn parse_on(inputs: &[Input], context: &mut Context, machine: Machine<'_>) -> Parsed {
    let mut sources = Sources::default();
    let mut report = Report::default();
    let document = crate::read(inputs, context, &mut sources, &mut report);
    let draft = lower::draft(&document, context, machine, &sources, &mut report);
    // HAProxy reads line by line and complains as it goes; so do we, though words were read before keywords.
    report.order_by_place();
    checks::run(&draft, &sources, &mut report);
    let config = lower::finish(draft, &sources, &mut report);
    let config = (!report.has_errors()).then_some(config);
    Parsed { config, sources, report }
}
