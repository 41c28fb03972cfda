//! What the program says about itself.

use std::fmt::Write as _;

/// Evenkeel's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of HAProxy whose language is spoken; what `version_atleast()` compares with.
pub(crate) const LANGUAGE: &str = "3.5.0";
/// Its branch.
pub(crate) const BRANCH: &str = "3.5";

/// The version as it stands where HAProxy writes its own, such as `3.5.0-evenkeel0.1.0`: programs that compare
/// versions read the numbers in front, people and programs that want to know find the name behind them.
pub(crate) fn compound() -> String {
    format!("{LANGUAGE}-evenkeel{VERSION}")
}

/// The answer to `-v`.
///
/// The first line begins as HAProxy's does, `HAProxy version X`, because scripts take the third word of it or what a
/// pattern such as `version ([0-9.]+)` finds; what program this really is follows on the same line.
pub(crate) fn short() -> String {
    let mut text = format!(
        "HAProxy version {} - Evenkeel {VERSION}, which speaks the language of HAProxy {BRANCH}\n",
        compound()
    );
    text += "Status: development version of Evenkeel; not HAProxy, and not supported by its authors.\n";
    let _ = writeln!(text, "Running on: {}", running_on());
    text
}

/// The answer to `-vv`.
pub(crate) fn long() -> String {
    let mut text = short();
    let _ =
        writeln!(text, "Build options :\n  TARGET  = {}-{}\n", std::env::consts::OS, std::env::consts::ARCH);
    let _ = writeln!(text, "Feature list : {}\n", feature_list());
    text += "Default settings :\n  bufsize = 16384, maxrewrite = 1024\n\n";
    let _ = writeln!(text, "Built with multi-threading support (default={}).", threads());
    text += "Built with transparent proxy support using: IP_TRANSPARENT IPV6_TRANSPARENT IP_FREEBIND\n\n";
    text += "Available polling systems :\n      epoll : pref=300,  test result OK\n";
    text += "Total: 1 (1 usable), will use epoll.\n\n";
    text += "Available multiplexer protocols :\n";
    text += "(protocols marked as <default> cannot be specified using 'proto' keyword)\n";
    text += "  <default> : mode=HTTP  side=FE|BE  mux=H1\n  <default> : mode=TCP   side=FE|BE  mux=PASS\n";
    text
}

/// Features as `feature()` names them, with what is served and what is not.
const FEATURES: &[(&str, bool)] = &[
    ("ACCEPT4", true),
    ("CPU_AFFINITY", false),
    ("EPOLL", true),
    ("GETADDRINFO", true),
    ("LINUX_SPLICE", true),
    ("LINUX_TPROXY", true),
    ("LUA", false),
    ("NETFILTER", false),
    ("NS", false),
    ("OPENSSL", false),
    ("PCRE2", false),
    ("PRCTL", true),
    ("PROMEX", false),
    ("QUIC", false),
    ("SYSTEMD", true),
    ("TFO", true),
    ("THREAD", true),
    ("ZLIB", false),
];

/// The names that `feature()` answers yes to.
pub(crate) fn features() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().filter(|(_, served)| *served).map(|(name, _)| *name)
}

fn feature_list() -> String {
    let signed = |(name, served): &(&str, bool)| format!("{}{name}", if *served { '+' } else { '-' });
    FEATURES.iter().map(signed).collect::<Vec<_>>().join(" ")
}

/// Worker threads when the configuration does not say: the processors this process may use.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn running_on() -> String {
    let kernel = |name| {
        std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default().trim().to_owned()
    };
    format!("{} {} {} {}", kernel("ostype"), kernel("osrelease"), kernel("version"), std::env::consts::ARCH)
}

/// The usage text, which `haproxy` writes to standard error, with exit code 1, when it does not understand its command
/// line; the version goes to standard output before it.
pub(crate) fn usage(program: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Usage : {program} [-f <cfgfile|cfgdir>]* [ -vdVD ] [ -n <maxconn> ] [ -N <maxpconn> ]\n        \
         [ -p <pidfile> ] [ -m <max megs> ] [ -C <dir> ] [-- <cfgfile>*]"
    );
    for line in OPTIONS {
        let _ = writeln!(text, "        {line}");
    }
    text.push('\n');
    text
}

const OPTIONS: &[&str] = &[
    "-v displays version ; -vv shows known build options.",
    "-d stays in the foreground ; -db only disables background mode.",
    "-V enters verbose mode (disables quiet mode)",
    "-D goes daemon ; -C changes to <dir> before loading files.",
    "-W master-worker mode.",
    "-Ws master-worker mode with systemd notify support.",
    "-q quiet mode : don't display messages",
    "-c check mode : only check config files and exit",
    "-cc check condition : evaluate a condition and exit",
    "-n sets the maximum total # of connections (uses ulimit -n)",
    "-m limits the usable amount of memory (in MB)",
    "-N sets the default, per-proxy maximum # of connections (0)",
    "-L set local peer name (default to hostname)",
    "-p writes pids of all children to this file",
    "-dS disables splice usage (broken on old kernels)",
    "-dR disables SO_REUSEPORT usage",
    "-dr ignores server address resolution failures",
    "-dW fails if any warning is emitted",
    "-dD diagnostic mode : warn about suspicious configuration statements",
    "-sf/-st [pid ]* finishes/terminates old pids.",
    "-x <unix_socket> get listening sockets from a unix socket",
    "-S <bind>[,<bind options>...] new master CLI",
];
