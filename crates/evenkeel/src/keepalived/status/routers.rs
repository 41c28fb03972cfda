//! How the virtual routers stand, for people.

use serde_json::Value;
use std::fmt::Write as _;

/// The VRRP process's answer: a line for each virtual router and group, what went wrong below it.
pub(super) fn table(answer: &Value) -> String {
    let mut text = String::new();
    let row = |text: &mut String, cells: [&str; 7]| {
        let [name, id, interface, state, priority, since, master] = cells;
        let line =
            format!("{name:<16} {id:>4} {interface:<15} {state:<7} {priority:>4} {since:<19} {master}");
        let _ = writeln!(text, "{}", line.trim_end());
    };
    row(&mut text, ["INSTANCE", "VRID", "INTERFACE", "STATE", "PRIO", "SINCE (UTC)", "MASTER"]);
    for instance in list(answer, "instances") {
        let master = match instance.get("master").filter(|master| !master.is_null()) {
            Some(master) => format!("{} ({})", word(master, "address"), word(master, "priority")),
            None => "-".to_owned(),
        };
        let since = date(instance);
        row(
            &mut text,
            [
                &word(instance, "name"),
                &word(instance, "virtual_router_id"),
                &word(instance, "interface"),
                &word(instance, "state"),
                &word(instance, "priority"),
                &since,
                &master,
            ],
        );
        let _ = writeln!(text, "    {}", word(instance, "cause"));
        let addresses: Vec<String> = list(instance, "addresses").map(plain).collect();
        if !addresses.is_empty() {
            let here =
                if instance.get("addresses_set") == Some(&Value::Bool(true)) { "" } else { " (not here)" };
            let _ = writeln!(text, "    addresses {}{here}", addresses.join(" "));
        }
        let counters = instance.get("counters").and_then(Value::as_object);
        let of = |name: &str| counters.and_then(|c| c.get(name)).map_or_else(|| "-".to_owned(), plain);
        let _ = writeln!(
            text,
            "    adverts {} received, {} sent; master {} times",
            of("adverts_received"),
            of("adverts_sent"),
            of("became_master")
        );
        let bad: Vec<String> = counters
            .into_iter()
            .flatten()
            .filter(|(name, value)| is_trouble(name) && value.as_u64() != Some(0))
            .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
            .collect();
        if !bad.is_empty() {
            let _ = writeln!(text, "    {}", bad.join(", "));
        }
    }
    for group in list(answer, "groups") {
        row(
            &mut text,
            [&word(group, "name"), "", "(sync group)", &word(group, "state"), "", &date(group), ""],
        );
        let _ = writeln!(text, "    {}", word(group, "cause"));
    }
    let count = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)?.as_u64()).unwrap_or(0);
    for (name, what) in
        [("truncated", "without whole headers"), ("unknown_vrid", "of a VRID that is not configured")]
    {
        match count(answer.get("strays"), name) {
            0 => {}
            packets => drop(writeln!(text, "{packets} packets {what}")),
        }
    }
    match count(Some(answer), "scripts_not_run") {
        0 => {}
        times => drop(writeln!(text, "{times} times a tracked script could not be run")),
    }
    text
}

/// Counters that are zero when all is well.
fn is_trouble(name: &str) -> bool {
    ["_errors", "_failures", "_mismatches", "split_brains", "_restored"].iter().any(|end| name.ends_with(end))
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn word(of: &Value, name: &str) -> String {
    of.get(name).filter(|value| !value.is_null()).map_or_else(|| "-".to_owned(), plain)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `2026-11-20 18:57:36`
fn date(of: &Value) -> String {
    let seconds = of.get("since").and_then(Value::as_f64).unwrap_or_default();
    let wall = ek_time::WallTime { unix_micros: (seconds * 1e6) as u64, local_offset: 0 };
    let civil = wall.local();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_says_what_is_and_why() {
        let answer = json!({
            "version": 1,
            "instances": [{
                "name": "VI_1", "virtual_router_id": 51, "interface": "eth0", "state": "MASTER", "priority": 150,
                "since": 1_795_201_056.97, "cause": "no Master was heard", "master": null,
                "addresses": ["10.9.0.100/24"], "addresses_set": true,
                "counters": {"adverts_received": 3, "adverts_sent": 40, "became_master": 1, "ttl_errors": 2,
                             "length_errors": 0},
            }, {
                "name": "VI_2", "virtual_router_id": 52, "interface": null, "state": "BACKUP", "priority": 100,
                "since": 0.0, "cause": "the process started", "master": {"address": "10.9.0.2", "priority": 200},
                "addresses": ["10.9.0.101/24"], "addresses_set": false,
                "counters": {},
            }],
            "groups": [{"name": "G", "state": "MASTER", "since": 1_795_201_056.0, "cause": "its members"}],
            "strays": {"truncated": 0, "unknown_vrid": 7, "idle": 2},
            "scripts_not_run": 3,
        });
        let expected = "\
INSTANCE         VRID INTERFACE       STATE   PRIO SINCE (UTC)         MASTER
VI_1               51 eth0            MASTER   150 2026-11-20 18:57:36 -
    no Master was heard
    addresses 10.9.0.100/24
    adverts 3 received, 40 sent; master 1 times
    ttl errors 2
VI_2               52 -               BACKUP   100 1970-01-01 00:00:00 10.9.0.2 (200)
    the process started
    addresses 10.9.0.101/24 (not here)
    adverts - received, - sent; master - times
G                     (sync group)    MASTER       2026-11-20 18:57:36
    its members
7 packets of a VRID that is not configured
3 times a tracked script could not be run
";
        assert_eq!(table(&answer), expected);
    }
}
