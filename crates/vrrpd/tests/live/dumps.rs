//! Dumps beside keepalived's for the same configuration, and how they are written.

use crate::*;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::path::Path;

fn config(directory: &Path) -> String {
    let dump = |kind: &str| format!(" {kind}_dump_file {}\n", directory.join(kind).display());
    format!(
        "global_defs {{\n router_id here\n script_user root\n{}{}{}}}\n\
         vrrp_script ok {{\n script /bin/true\n interval 1\n}}\n\
         track_file f {{\n file {}\n weight 1\n}}\n\
         vrrp_sync_group G {{\n group {{\n VI_1\n }}\n}}\n{}",
        dump("state"),
        dump("stats"),
        dump("json"),
        directory.join("tracked").display(),
        instance(
            "virtual_ipaddress_excluded {\n 10.20.0.101/24\n }\n virtual_routes {\n 10.79.0.0/24 via 10.20.0.2 dev e0 table 79\n }\n \
             virtual_rules {\n to 10.79.0.0/24 table 79 preference 790\n }\n track_script {\n ok\n }\n track_file {\n f\n }\n \
             track_interface {\n e0\n }\n notify /bin/true"
        )
    )
}

/// Runs one of the two until it is Master, and takes its three dumps.
fn dumps(ours: bool) -> (String, String, serde_json::Value) {
    let (lab, a, _) = pair();
    let directory = lab.directory().to_owned();
    lab.file("tracked", "0");
    let config = config(&directory);
    // keepalived 2.2.7 does not know where JSON goes otherwise.
    let (process, pid) = if ours {
        let role = start(&lab, &a, &config);
        let pid = role.pid();
        (role, pid)
    } else {
        let config: String = config
            .lines()
            .filter(|line| !line.contains("_dump_file"))
            .fold(String::new(), |all, line| all + line + "\n");
        // Its files have fixed names; the mount namespace of the test keeps /tmp its own.
        let file = lab.file("keepalived.conf", &config);
        let words = format!(
            "mount --bind {0} /tmp && exec keepalived -n -l -D -f {1} -p /tmp/k.pid -r /tmp/kv.pid",
            directory.display(),
            file.display()
        );
        // The configuration must stay reachable below the new /tmp.
        let words = words.replace(&format!("-f {}", file.display()), "-f /tmp/keepalived.conf");
        let words = words.replace(
            "/tmp && exec",
            "/tmp && sed -i s,/.*/tracked,/tmp/tracked, /tmp/keepalived.conf && exec",
        );
        let process = a.start(&lab, "keepalived.log", "sh", &["-c", &words]);
        says(&process, MASTER);
        let pid = std::fs::read_to_string(directory.join("kv.pid")).unwrap().trim().parse().unwrap();
        (process, pid)
    };
    says(&process, MASTER);
    has(&a, VIP, true);
    let names = if ours {
        ["state", "stats", "json"]
    } else {
        ["keepalived.data", "keepalived.stats", "keepalived.json"]
    };
    let signals = [Signal::SIGUSR1 as i32, Signal::SIGUSR2 as i32, 36];
    let mut texts = Vec::new();
    for (name, signal) in names.into_iter().zip(signals) {
        let status =
            std::process::Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
        assert!(status.unwrap().success());
        let path = directory.join(name);
        let ended = |text: &str| text.ends_with(['\n', ']', '}']);
        eventually(&format!("{name} is written"), || {
            std::fs::read_to_string(&path).is_ok_and(|text| ended(&text))
        });
        texts.push(std::fs::read_to_string(&path).unwrap());
    }
    let json = serde_json::from_str(&texts[2]).unwrap_or_else(|error| panic!("{error}: {}", texts[2]));
    (texts[0].clone(), texts[1].clone(), json)
}

fn keys(value: &serde_json::Value, at: &str, all: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                all.insert(format!("{at}.{key}"));
                keys(value, &format!("{at}.{key}"), all);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| keys(value, at, all)),
        _ => {}
    }
}

/// Names before the values, with how far they are indented.
fn fields(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(|line| line.split_once(['=', ':']).map_or(line, |(name, _)| name).trim_end().to_owned())
        .filter(|line| !line.trim().is_empty())
        .collect()
}

#[test]
fn the_same_configuration_gives_keepaliveds_fields() {
    let (our_data, our_stats, our_json) = dumps(true);
    let (their_data, their_stats, their_json) = dumps(false);
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    keys(&our_json, "", &mut ours);
    keys(&their_json, "", &mut theirs);
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let more: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty(), "of keepalived's JSON: {missing:?}");
    assert!(
        more.iter().all(|key| key.starts_with(".data.cause") || key.starts_with(".data.transitions")),
        "not keepalived's: {more:?}"
    );
    assert_eq!(fields(&our_stats), fields(&their_stats));
    let (ours, theirs) = (fields(&our_data), fields(&their_data));
    let headings = |fields: &BTreeSet<String>| -> BTreeSet<String> {
        fields.iter().filter(|line| line.contains("---<")).cloned().collect()
    };
    let missing: Vec<_> = headings(&theirs).difference(&headings(&ours)).cloned().collect();
    assert!(missing.is_empty(), "headings: {missing:?}\n{their_data}\n\n{our_data}");
    // What the data of keepalived has and ours cannot: its descriptors and libraries, services that are not here, how far its
    // script runner and its changes of interfaces are, and of interfaces that the configuration does not name.
    let without = [
        " fd_in",
        "   fd_in",
        " libnftnl version",
        " Network namespace ipvs",
        " SNMP socket",
        " DBus service name",
        "   Result",
        "   Insecure",
        "   Init state",
        "   State",
        "   Seen up",
        "   Delayed state change running",
        "   Reset ARP config counter",
        "   Original ",
        "   Reset promote_secondaries counter",
        "     fe80",
        "   VRRP instances",
    ];
    let missing: Vec<_> = theirs
        .difference(&ours)
        .filter(|line| !without.iter().any(|start| line.starts_with(start)))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "fields of the data: {missing:#?}\n{their_data}\n\n{our_data}");
}

#[test]
fn a_link_planted_where_a_dump_goes_is_not_followed() {
    let (lab, a, _) = pair();
    let directory = lab.directory().to_owned();
    lab.file("tracked", "0");
    let victim = lab.file("victim", "precious");
    for name in ["state", "stats", "json"] {
        std::os::unix::fs::symlink(&victim, directory.join(name)).unwrap();
    }
    let role = start(&lab, &a, &config(&directory));
    says(&role, MASTER);
    for (name, signal) in [("state", 10), ("stats", 12), ("json", 36)] {
        let status =
            std::process::Command::new("kill").args([format!("-{signal}"), role.pid().to_string()]).status();
        assert!(status.unwrap().success());
        let path = directory.join(name);
        eventually(&format!("{name} is a file of its own"), || {
            std::fs::symlink_metadata(&path).is_ok_and(|entry| entry.is_file())
        });
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    let left = std::fs::read_dir(&directory).unwrap().flatten();
    assert_eq!(left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count(), 0);
}
