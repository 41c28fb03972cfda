//! Processes, files and scripts that are tracked.

use crate::*;

fn executable(lab: &Lab, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = lab.file(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Other users look for it, too.
    std::fs::set_permissions(lab.directory(), std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

const OPEN: &str = "global_defs {\n script_user root\n}\n";

#[test]
fn processes_count() {
    let (lab, a, _) = pair();
    let name = format!("ek{}", std::process::id());
    let path = lab.directory().join(&name);
    std::fs::copy("/bin/sleep", &path).unwrap();
    let config = format!(
        "vrrp_track_process weighted {{\n process {name}\n weight 20\n}}\nvrrp_track_process needed {{\n process {name}\n \
         quorum 2\n}}\n{}",
        instance("track_process {\n needed weight 0\n weighted\n }")
    );
    let role = start(&lab, &a, &config);
    says(&role, FAULT);
    let mut first = a.start(&lab, "first", &path, &["1000"]);
    says(&role, "from 100 to 120");
    assert!(!role.text().contains(MASTER));
    let mut second = a.start(&lab, "second", &path, &["1000"]);
    says(&role, MASTER);
    first.stop();
    says_times(&role, FAULT, 2);
    has(&a, VIP, false);
    second.stop();
    says(&role, "from 120 to 100");
}

#[test]
fn numbers_in_files_are_weighed() {
    let (lab, a, _) = pair();
    let (made, other) = (lab.directory().join("made"), lab.directory().join("other"));
    std::fs::write(&other, "0").unwrap();
    let config = format!(
        "track_file made {{\n file {}\n weight 2\n init_file 5\n}}\ntrack_file other {{\n file {}\n}}\n{}",
        made.display(),
        other.display(),
        instance("track_file {\n made\n other weight 0\n }")
    );
    let role = start(&lab, &a, &config);
    says(&role, MASTER);
    assert_eq!(std::fs::read_to_string(&made).unwrap().trim(), "5");
    std::fs::write(&made, "-10\n").unwrap();
    says(&role, "to 80");
    std::fs::write(&made, "20\n").unwrap();
    says(&role, "to 140");
    // Replaced, not written: as tools do.
    let new = lab.file("new", "1");
    std::fs::rename(&new, &made).unwrap();
    says(&role, "to 102");
    std::fs::remove_file(&made).unwrap();
    says(&role, "to 100");
    std::fs::write(&other, "1").unwrap();
    says(&role, FAULT);
    std::fs::write(&other, "0").unwrap();
    says_times(&role, MASTER, 2);
    std::fs::write(&made, "-200").unwrap();
    says_times(&role, FAULT, 2);
}

#[test]
fn scripts_rise_and_fall() {
    let (lab, a, _) = pair();
    let (bad, runs) = (lab.directory().join("bad"), lab.directory().join("runs"));
    let script = executable(
        &lab,
        "check",
        &format!("#!/bin/sh\necho x >> {}\n! [ -e {} ]\n", runs.display(), bad.display()),
    );
    let config = format!(
        "{OPEN}vrrp_script needed {{\n script {script}\n interval 1\n rise 2\n fall 2\n init_fail\n}}\nvrrp_script weighed {{\n \
         script {script}\n interval 1\n weight -30\n}}\nvrrp_script reversed {{\n script {script}\n interval 1\n weight 10 reverse\n}}\n{}",
        instance("track_script {\n needed\n weighed\n reversed\n }")
    );
    let role = start(&lab, &a, &config);
    says(&role, FAULT);
    // init_fail: only after two good runs.
    says(&role, MASTER);
    assert!(std::fs::read_to_string(&runs).unwrap().lines().count() >= 4, "{}", role.text());
    says(&role, "to 90");
    std::fs::write(&bad, "").unwrap();
    says(&role, "VRRP_Script(needed) failed (exited with status 1)");
    says_times(&role, FAULT, 2);
    says(&role, "to 70");
    std::fs::remove_file(&bad).unwrap();
    says_times(&role, MASTER, 2);
}

#[test]
fn a_script_that_hangs_has_failed_and_one_runs_as_its_user() {
    let (lab, a, _) = pair();
    let who = lab.directory().join("who");
    std::fs::write(&who, "").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&who, std::fs::Permissions::from_mode(0o666)).unwrap();
    // A time of its own, so that no other sleeper on the machine is taken for this one.
    let nap = 1_000_000 + u64::from(std::process::id());
    let hangs = executable(&lab, "hangs", &format!("#!/bin/sh\nsleep {nap} &\nwait\n"));
    let tells = executable(&lab, "tells", &format!("#!/bin/sh\nid -un > {}\n", who.display()));
    let config = format!(
        "{OPEN}vrrp_script hangs {{\n script {hangs}\n interval 10\n timeout 1\n}}\nvrrp_script tells {{\n \
         script {tells}\n interval 1\n user nobody\n}}\n{}",
        instance("track_script {\n hangs\n tells\n }")
    );
    let role = start(&lab, &a, &config);
    says(&role, "VRRP_Script(hangs) timed_out");
    says(&role, FAULT);
    eventually("it ran as nobody", || std::fs::read_to_string(&who).unwrap().trim() == "nobody");
    // What it started is gone with it.
    eventually("nothing of it is left", || {
        !std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| line.starts_with(format!("sleep\0{nap}\0").as_bytes()))
        })
    });
}
