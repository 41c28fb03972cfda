//! Script security: what a privileged user runs must not be writable by others.

use crate::account::{Accounts, RunAs};
use keepalived_conf::model::{CheckerKind, Config, Script};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// What was found of one script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Lines for the log, keepalived's own.
    pub lines: Vec<String>,
    /// The program, its path searched for and its links resolved; `None`: there is none.
    pub program: Option<PathBuf>,
    /// It may be executed by its user.
    pub executable: bool,
    /// It runs as root (or as root's group, or set-id) and others could change it.
    pub insecure: bool,
}

/// What was found of all scripts of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Lines for the log.
    pub lines: Vec<String>,
    /// There are scripts, and `enable_script_security` was not said, or some could be changed by others: `-t` exits
    /// with 6.
    pub violation: bool,
}

/// Where programs without a slash are looked for.
fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into())
}

/// Whether a user may execute a file of these permissions.
fn may_execute(file: &fs::Metadata, user: &RunAs) -> bool {
    let mode = file.permissions().mode();
    if user.uid == 0 {
        return mode & 0o111 != 0;
    }
    if user.uid == file.uid() {
        return mode & 0o100 != 0;
    }
    if user.gid == file.gid() || user.groups.contains(&file.gid()) {
        return mode & 0o010 != 0;
    }
    mode & 0o001 != 0
}

/// Looks at a script, which is to run as `user`.
pub fn inspect(script: &Script, user: &RunAs, use_symlink_paths: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(name) = script.command.first() else { return verdict };
    let written = if name.contains('/') {
        PathBuf::from(name)
    } else {
        let found = std::env::split_paths(&search_path())
            .map(|directory| directory.join(name))
            .find(|path| fs::metadata(path).is_ok_and(|file| file.is_file() && may_execute(&file, user)));
        let Some(found) = found else {
            verdict.lines.push(format!("Cannot find script {name} in path"));
            return verdict;
        };
        verdict.lines.push(format!(
            "WARNING - script `{name}` resolved by path search to `{}`. Please specify full path.",
            found.display()
        ));
        found
    };
    let file = match fs::metadata(&written) {
        Ok(file) => file,
        Err(error) => {
            verdict.lines.push(format!("Script {name} cannot be accessed - {}", reason(&error)));
            return verdict;
        }
    };
    // With links in the path, every name on the way counts: who can write one directory can lead elsewhere.
    let resolved = fs::canonicalize(&written).unwrap_or_else(|_| written.clone());
    let root = user.uid == 0
        || user.gid == 0
        || (file.uid() == 0 && file.mode() & 0o4100 == 0o4100)
        || (file.gid() == 0 && file.mode() & 0o2010 == 0o2010);
    if file.is_file() && may_execute(&file, user) {
        verdict.executable = true;
    } else {
        verdict.lines.push(format!(
            "WARNING - script '{name}' is not executable for uid:gid {}:{} - disabling.",
            user.uid, user.gid
        ));
    }
    if root && verdict.executable && (others_can_change(&resolved) || others_can_change(&written)) {
        verdict.lines.push(format!("Unsafe permissions found for script '{name}'."));
        verdict.insecure = true;
    }
    verdict.program = Some(if use_symlink_paths { written } else { resolved });
    verdict
}

/// An error in the C library's words, without Rust's addition.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Whether somebody but root can change the file, or a directory on the way to it.
fn others_can_change(path: &Path) -> bool {
    let mut so_far = PathBuf::new();
    for component in path.components() {
        so_far.push(component);
        if matches!(component, Component::CurDir) {
            continue;
        }
        let Ok(entry) = fs::metadata(&so_far) else { return true };
        let mode = entry.permissions().mode();
        let writable = (entry.gid() != 0 && mode & 0o020 != 0) || mode & 0o002 != 0;
        // In a sticky directory nobody can replace what is another's.
        let sticky = entry.is_dir() && mode & 0o1000 != 0;
        if entry.uid() != 0 || (writable && !sticky) {
            return true;
        }
    }
    false
}

/// The scripts of a configuration's VRRP part.
fn scripts(config: &Config) -> Vec<&Script> {
    let fifos = [&config.global.notify_fifo, &config.global.vrrp_notify_fifo].into_iter().flatten();
    let tracked = config.scripts.iter().map(|script| &script.script);
    let notifies = config
        .instances
        .iter()
        .map(|instance| &instance.notify)
        .chain(config.sync_groups.iter().map(|group| &group.notify))
        .flat_map(|notify| {
            [
                &notify.master,
                &notify.backup,
                &notify.fault,
                &notify.stop,
                &notify.master_rx_lower_priority,
                &notify.deleted,
                &notify.any,
            ]
        });
    fifos
        .filter_map(|fifo| fifo.script.as_ref())
        .chain(tracked)
        .chain(notifies.flatten().map(Box::as_ref))
        .collect()
}

/// Those of its director.
fn check_scripts(config: &Config) -> Vec<&Script> {
    if config.virtual_servers.is_empty() {
        return Vec::new();
    }
    let fifos = [&config.global.notify_fifo, &config.global.lvs_notify_fifo].into_iter().flatten();
    let mut scripts: Vec<_> = fifos.filter_map(|fifo| fifo.script.as_ref()).collect();
    for service in &config.virtual_servers {
        scripts.extend(service.quorum_up.iter().chain(&service.quorum_down));
        for real in &service.real_servers {
            scripts.extend(real.notify_up.iter().chain(&real.notify_down));
            scripts.extend(real.checkers.iter().filter_map(|checker| match &checker.kind {
                CheckerKind::Misc { script, .. } => Some(script),
                _ => None,
            }));
        }
    }
    scripts
}

/// Looks at all scripts of a configuration, as `-t` does.
pub fn audit(config: &Config) -> Audit {
    let accounts = Accounts::new(&config.global);
    let mut audit = Audit::default();
    let once = [&config.global.startup_script, &config.global.shutdown_script];
    let once = once.into_iter().flatten().map(|once| &once.script).collect();
    let halves = [
        ("check scripts", check_scripts(config)),
        ("scripts", scripts(config)),
        ("start/shutdown scripts", once),
    ];
    for (what, scripts) in halves {
        let (mut any, mut insecure) = (false, false);
        for script in scripts {
            let Some(user) = accounts.of(script) else { continue };
            let verdict = inspect(script, &user, config.global.use_symlink_paths);
            audit.lines.extend(verdict.lines);
            any |= verdict.program.is_some();
            insecure |= verdict.insecure;
        }
        if any && !config.global.script_security {
            let more = if insecure { " There are insecure scripts." } else { "" };
            audit.lines.push(format!(
                "SECURITY VIOLATION - {what} are being executed but script_security not enabled.{more}"
            ));
            audit.violation = true;
        }
    }
    audit
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    fn script(command: &str) -> Script {
        Script { command: vec![command.to_owned()], account: None, place: None }
    }

    const ROOT: fn() -> RunAs = || RunAs { uid: 0, gid: 0, groups: vec![0] };

    #[test]
    fn what_others_can_write_is_insecure_for_root_only() {
        let directory = std::env::temp_dir().join(format!("evenkeel-security-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("script");
        fs::write(&path, "#!/bin/sh\n").unwrap();
        let text = path.to_str().unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        let owner = fs::metadata(&path).unwrap().uid();
        assert_eq!(inspect(&script(text), &ROOT(), false).insecure, owner != 0);
        fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        let verdict = inspect(&script(text), &ROOT(), false);
        assert!(verdict.insecure);
        assert_eq!(verdict.lines, [format!("Unsafe permissions found for script '{text}'.")]);
        let nobody = RunAs { uid: 65534, gid: 65534, groups: vec![65534] };
        assert!(!inspect(&script(text), &nobody, false).insecure);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(!inspect(&script(text), &ROOT(), false).executable);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let verdict = inspect(&script("/bin/no-such-thing"), &ROOT(), false);
        assert_eq!(
            verdict.lines,
            ["Script /bin/no-such-thing cannot be accessed - No such file or directory"]
        );
        assert_eq!(verdict.program, None);
        let verdict = inspect(&script("no-such-thing"), &ROOT(), false);
        assert_eq!(verdict.lines, ["Cannot find script no-such-thing in path"]);
    }
}
