//! Where the processes log, by the command line.

use super::arguments::Arguments;
use super::part::Part;
use diag::{Report, Sources};
use keepalived_conf::KeepalivedLines;
use notice::log::{Log, LogOptions};
use std::path::{Path, PathBuf};

/// How a process logs: the parent (`Keepalived`) or that of a part (`Keepalived_vrrp`).
pub(super) fn options(arguments: &Arguments, part: Option<Part>, suffix: &str) -> LogOptions {
    let role = part.map(Part::ident);
    LogOptions {
        ident: role.map_or_else(|| "Keepalived".to_owned(), |role| format!("Keepalived_{role}")),
        facility: (!arguments.no_syslog).then(|| arguments.facility.number()),
        // In the background there is no console.
        console: arguments.console && arguments.foreground,
        file: arguments.log_file.as_deref().map(|file| of_role(file, role, suffix)),
        detail: arguments.detail,
    }
}

/// `/tmp/keepalived.log` → `/tmp/keepalived_vrrp_INSTANCE.log`
fn of_role(file: &Path, role: Option<&str>, suffix: &str) -> PathBuf {
    let role = role.map_or_else(String::new, |role| format!("_{role}"));
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
    file.with_file_name(format!("{stem}{role}{suffix}{extension}"))
}

/// What a report says, a line each.
pub(super) fn lines(sources: &Sources, report: &Report) -> Vec<String> {
    KeepalivedLines { hints: false }.render(sources, report).lines().map(str::to_owned).collect()
}

/// Writes them.
pub(super) fn write(log: &Log, lines: &[String]) {
    lines.iter().for_each(|line| log.info(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_a_file_of_its_own() {
        let file = Path::new("/tmp/keepalived.log");
        assert_eq!(of_role(file, None, ""), file);
        assert_eq!(of_role(file, Some("vrrp"), "_one"), Path::new("/tmp/keepalived_vrrp_one.log"));
        assert_eq!(of_role(Path::new("/var/log/k"), Some("vrrp"), ""), Path::new("/var/log/k_vrrp"));
    }
}
