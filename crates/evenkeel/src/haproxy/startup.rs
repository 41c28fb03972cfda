//! From a command line to a configuration that can run.

use crate::haproxy::arguments::Arguments;
use crate::haproxy::succession::Role;
use crate::message::Messages;
use crate::version;
use diag::Severity;
use haproxy_cfg::model::{Address, Config, Global};
use haproxy_cfg::{Context, Environment, Input, Parsed};
use std::net::SocketAddr;
use std::sync::Arc;

/// The variable by which this program tells itself what it is to be.
pub(crate) const ROLE: &str = "EVENKEEL_ROLE";
/// The version that the master was started with, whatever has replaced it since.
pub(crate) const STARTED_AS: &str = "HAPROXY_STARTUP_VERSION";

/// A configuration and the text it was read from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The files, as they were read.
    pub(crate) inputs: Vec<Input>,
    /// What they say, with what the command line overrides.
    pub(crate) config: Arc<Config>,
    /// How many things there were to warn of.
    pub(crate) warnings: u64,
    /// The variables as the configuration left them.
    pub(crate) environment: Vec<String>,
}

/// The value of [`STARTED_AS`].
pub(crate) fn started_as() -> String {
    let told = Role::of_environment().and_then(|_| std::env::var(STARTED_AS).ok());
    told.unwrap_or_else(|| version::LANGUAGE.to_owned())
}

/// The context in which the files are read and conditions hold.
pub(crate) fn context(arguments: &Arguments, inputs: &[Input]) -> Context {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name != ROLE)?;
        Some((name, value.into_encoded_bytes()))
    });
    let env: Environment = variables.collect();
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let local_peer = arguments.local_peer.clone().unwrap_or_else(host);
    let mut enabled = vec!["EPOLL", "GETADDRINFO"];
    enabled.extend((!arguments.no_reuse_port).then_some("REUSEPORT"));
    enabled.extend((!arguments.no_splice).then_some("SPLICE"));
    let mut context = Context {
        env,
        version: version::LANGUAGE.to_owned(),
        features: version::features().map(str::to_owned).collect(),
        enabled: enabled.into_iter().map(str::to_owned).collect(),
        diagnostics: arguments.diagnostics,
        unresolved_servers: arguments.resolve_dont_fail,
        ..Context::default()
    };
    context.set_startup_variables(inputs, &local_peer, arguments.master);
    context.env.set(STARTED_AS, started_as());
    context
}

/// What `show env` lists in a master.
pub(crate) fn masters_environment(
    arguments: &Arguments,
    inputs: &[Input],
    sockets: &[Address],
) -> Vec<String> {
    let mut env = context(arguments, inputs).env;
    env.set("HAPROXY_MWORKER", "1");
    if !sockets.is_empty() {
        env.set("HAPROXY_MASTER_CLI", written(sockets.iter()));
    }
    // A worker's matter.
    env.unset("HAPROXY_LOCALPEER");
    listed(&env)
}

/// Variables as `show env` lists them; without the formats, which are there for the configuration only.
fn listed(env: &Environment) -> Vec<String> {
    let is_format = |name: &str| name.starts_with("HAPROXY_") && name.ends_with("_LOG_FMT");
    env.iter()
        .filter(|(name, _)| !is_format(name))
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
        .collect()
}

/// Addresses as they stand in `HAPROXY_CLI` and `HAPROXY_MASTER_CLI`.
fn written<'a>(addresses: impl Iterator<Item = &'a Address>) -> String {
    let one = |address: &Address| match address {
        Address::Ip(addr @ SocketAddr::V4(_)) => format!("ipv4@{addr}"),
        Address::Ip(addr @ SocketAddr::V6(_)) => format!("ipv6@{addr}"),
        Address::Unix(path) => format!("unix@{}", path.display()),
        Address::Abstract(name, cut) => {
            format!("abns{}@{}", if *cut { "z" } else { "" }, String::from_utf8_lossy(name))
        }
        Address::Fd(number) => format!("fd@{number}"),
        Address::SockPair(number) => format!("sockpair@{number}"),
        Address::IpRelative(addr, _) => addr.to_string(),
    };
    addresses.map(one).collect::<Vec<_>>().join(";")
}

/// Reads the files of the command line and everything in them; says what is wrong.
pub(crate) fn load(arguments: &Arguments, messages: &Messages) -> Option<Loaded> {
    let mut report = diag::Report::default();
    let inputs = haproxy_cfg::load::read_paths(&arguments.inputs, &mut report);
    if report.has_errors() {
        for diagnostic in report.iter() {
            messages.alert(format_args!("config : {}", diagnostic.message));
        }
        return None;
    }
    let mut context = context(arguments, &inputs);
    let parsed = haproxy_cfg::parse(&inputs, &mut context);
    let quiet = !arguments.verbose && parsed.config.as_ref().is_some_and(|config| config.global.quiet);
    messages.report(&parsed.sources, &parsed.report, arguments.diagnostics, quiet);
    let mut loaded = finish(arguments, inputs, parsed, context)?;
    if !arguments.master_sockets.is_empty() && !arguments.master && !loaded.config.global.master_worker {
        messages
            .warning("config : a master CLI socket was defined, but master-worker mode (-W) is not enabled.");
        loaded.warnings += 1;
    }
    if loaded.warnings > 0 && (arguments.zero_warning || loaded.config.global.zero_warning) {
        messages.alert("config : Some warnings were found and 'zero-warning' is set. Aborting.");
        return None;
    }
    Some(loaded)
}

/// The same for text that a master has read, and found fault with, before.
pub(crate) fn reload(arguments: &Arguments, inputs: Vec<Input>) -> Option<Loaded> {
    let mut context = context(arguments, &inputs);
    let parsed = haproxy_cfg::parse(&inputs, &mut context);
    finish(arguments, inputs, parsed, context)
}

fn finish(arguments: &Arguments, inputs: Vec<Input>, parsed: Parsed, mut context: Context) -> Option<Loaded> {
    let mut config = parsed.config?;
    let global = &mut config.global;
    if arguments.maxconn > 0 {
        global.maxconn = Some(arguments.maxconn);
    }
    if arguments.pidfile.is_some() {
        global.pidfile.clone_from(&arguments.pidfile);
    }
    // As with HAProxy, a process that is to stay in the foreground speaks, whatever the configuration says.
    let told = global.quiet && !arguments.foreground && !arguments.debug;
    global.quiet = (arguments.quiet || told) && !arguments.verbose;
    global.noreuseport |= arguments.no_reuse_port;
    global.nosplice |= arguments.no_splice;
    if arguments.proxy_maxconn > 0 {
        for proxy in config.proxies.iter_mut().filter(|proxy| proxy.kind.is_frontend()) {
            proxy.maxconn.get_or_insert(arguments.proxy_maxconn);
        }
    }
    if !config.global.stats_sockets.is_empty() {
        let sockets = config.global.stats_sockets.iter().map(|socket| &socket.address);
        context.env.set("HAPROXY_CLI", written(sockets));
    }
    if config.global.master_worker {
        context.env.set("HAPROXY_MWORKER", "1");
    }
    let environment = listed(&context.env);
    let warnings = parsed.report.count(Severity::Warning) as u64;
    Some(Loaded { inputs, config: Arc::new(config), warnings, environment })
}

/// Says what a process that is started by root keeps of root's power because the configuration does not give it up.
pub(crate) fn warn_of_power(loaded: &Loaded, messages: &Messages) {
    if reactor::process::effective_uid() != 0 {
        return;
    }
    for text in kept_power(&loaded.config.global) {
        messages.warning(text);
    }
}

/// The warnings of [`warn_of_power`] for a start by root.
fn kept_power(global: &Global) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    if global.chroot.is_none() {
        warnings.push(
            "[haproxy.main()] started as root without 'chroot' in the 'global' section: a worker that is broken into \
             reaches all files. Consider 'chroot' with the path of an empty directory.",
        );
    }
    if global.user.is_none() && global.uid.is_none() {
        warnings.push(
            "[haproxy.main()] started as root without 'user' nor 'uid' in the 'global' section: the worker keeps running as \
             root. Consider 'user' with the name of a user for it alone.",
        );
    }
    warnings
}

impl Loaded {
    /// Worker threads.
    pub(crate) fn threads(&self) -> usize {
        let said = self.config.global.nbthread.and_then(|n| usize::try_from(n).ok());
        said.filter(|&n| n > 0).unwrap_or_else(version::threads)
    }

    /// Whether anything listens.
    pub(crate) fn listens(&self) -> bool {
        let binds = |proxy: &haproxy_cfg::model::Proxy| !proxy.disabled && !proxy.binds.is_empty();
        self.config.proxies.iter().any(binds) || !self.config.global.stats_sockets.is_empty()
    }
}
