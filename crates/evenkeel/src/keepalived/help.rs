//! What the program says about itself when it is called as `keepalived`.

use crate::version::VERSION;
use std::fmt::Write as _;

/// The version of keepalived whose language is spoken.
const LANGUAGE: &str = "2.4.3";

/// `Keepalived v2.4.3 (Evenkeel 0.1.0)`: programs that compare versions read the number in front, people and programs that
/// want to know find the name behind it.
pub(super) fn name() -> String {
    format!("Keepalived v{LANGUAGE} (Evenkeel {VERSION})")
}

/// `Linux 6.1.0 #1 SMP`
pub(super) fn system() -> String {
    let kernel = |name: &str| {
        std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default().trim().to_owned()
    };
    format!("{} {} {}", kernel("ostype"), kernel("osrelease"), kernel("version"))
}

/// The answer to `-v`.
pub(super) fn version() -> String {
    let mut text = format!("{}\n\n", name());
    text += "This is Evenkeel, which speaks the language of keepalived; it is not supported by keepalived's authors.\n\n";
    let _ = writeln!(text, "Running on {}\n", system());
    // What monitoring programs look for is there or not as it is served or not.
    text += "configure options: --enable-json --with-init=systemd\n\n";
    text += "Config options:  NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON INIT=systemd SYSTEMD_NOTIFY\n";
    text
}

/// The answer to `-h`.
pub(super) fn usage(program: &str) -> String {
    let mut text = format!("Usage: {program} [OPTION...]\n");
    for (option, what) in OPTIONS {
        for (number, line) in what.lines().enumerate() {
            let option = if number == 0 { *option } else { "" };
            let _ = writeln!(text, "  {option:<28} {line}");
        }
    }
    text
}

const OPTIONS: &[(&str, &str)] = &[
    ("-f, --use-file=FILE", "Use this configuration file\n(default: /etc/keepalived/keepalived.conf)"),
    ("-P, --vrrp", "Run VRRP alone, whatever virtual servers the file has"),
    ("-C, --check", "Run the director alone, whatever virtual routers the file has"),
    ("    --all", "Run both, whatever the file has"),
    ("-B, --no_bfd", "Run without BFD (always so)"),
    ("-l, --log-console", "Write log lines to standard error, too"),
    ("-D, --log-detail", "Write more log lines"),
    ("-S, --log-facility=NAME", "The syslog facility: 0-7, local0-local7, user, daemon (default)"),
    ("-g, --log-file[=FILE]", "Write log lines to a file, too (default: /tmp/keepalived.log)"),
    ("    --flush-log-file", "Write each line to the log file at once (always so)"),
    ("-G, --no-syslog", "Do not write to syslog"),
    ("-u, --umask=MASK", "Permission bits that files are made without"),
    ("-X, --release-vips", "Remove addresses left behind by an earlier process (always so)"),
    ("-V, --dont-release-vrrp", "Leave virtual addresses and routes in place at the end"),
    ("-I, --dont-release-ipvs", "Leave the IPVS table in place at the end"),
    ("-R, --dont-respawn", "End when a process dies, do not start it again"),
    ("-n, --dont-fork", "Stay in the foreground"),
    ("-d, --dump-conf", "Write the configuration to the log"),
    ("-p, --pid=FILE", "The file with this process's number"),
    ("-r, --vrrp_pid=FILE", "The file with the VRRP process's number"),
    ("-c, --checkers_pid=FILE", "The file with the checker process's number"),
    ("-b, --bfd_pid=FILE", "The file with the BFD process's number (none is started)"),
    ("-a, --address-monitoring", "Write a log line for each address that comes or goes"),
    ("-s, --namespace=NAME", "Run in this network namespace"),
    ("-m, --core-dump", "Leave a core file when it crashes"),
    ("-e, --all-config", "Every included file must be there"),
    ("-i, --config-id=ID", "What lines beginning with @ are compared with\n(default: the host's name)"),
    (
        "    --signum=NAME",
        "Show the number of the signal for STOP, RELOAD, DATA,\nSTATS, STATS_CLEAR or JSON",
    ),
    (
        "-t, --config-test[=FILE]",
        "Only check the configuration; messages go to standard error\nor to the file",
    ),
    ("-T, --genhash", "What follows is for genhash"),
    ("-v, --version", "Show the version"),
    ("-h, --help", "Show this text"),
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_found_where_scripts_look() {
        let text = super::version();
        let words: Vec<_> = text.lines().next().unwrap().split(' ').collect();
        assert_eq!(words[..2], ["Keepalived", "v2.4.3"]);
        assert!(text.lines().any(|line| line.starts_with("Config options: ") && line.contains(" JSON ")));
    }
}
