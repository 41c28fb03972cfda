//! Answers as tables for people.
#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value that is read gives null for what it does not have"
)]

use serde_json::Value;
use std::fmt::Write as _;

/// The answer to a status request as tables.
pub fn render_status(answer: &Value) -> String {
    let mut out = String::new();
    let now = answer["now"].as_f64().unwrap_or_default();
    if let Some(failing) = answer["table"]["failing"].as_str() {
        let _ = writeln!(out, "The kernel's table is not as it should be: {failing}\n");
    }
    for service in list(&answer["services"]) {
        put_service(&mut out, service, now);
        out.push('\n');
    }
    for draining in list(&answer["draining"]) {
        let left = (draining["until"].as_f64().unwrap_or_default() - now).max(0.0);
        let _ = writeln!(
            out,
            "{} of {} has left and ends its connections, for at most {} more",
            text(&draining["server"]),
            text(&draining["service"]),
            span(left)
        );
    }
    let table = &answer["table"];
    let _ = writeln!(
        out,
        "{} changes of the kernel's table, {} refused, {} to put right what others changed",
        number(&table["changes"]),
        number(&table["failures"]),
        number(&table["repairs"])
    );
    out
}

/// The answer to a question what becomes of a client.
pub fn render_explain(answer: &Value) -> String {
    let mut out = String::new();
    for line in list(&answer["lines"]) {
        let _ = writeln!(out, "{}", text(line));
    }
    out
}

const HEADS: [&str; 11] = [
    "SERVER", "STATE", "WEIGHT", "METHOD", "ACTIVE", "INACTIVE", "CONNS", "CONNS/S", "IN B/S", "OUT B/S",
    "FOR",
];

fn put_service(out: &mut String, service: &Value, now: f64) {
    let quorum = &service["quorum"];
    let state = if quorum["up"].as_bool().unwrap_or_default() { "up" } else { "DOWN" };
    let _ = writeln!(
        out,
        "{}  {}  quorum {state}: weight {}, needed {}; for {}: {}",
        text(&service["name"]),
        text(&service["scheduler"]),
        number(&quorum["weight"]),
        number(&quorum["needed"]),
        age(&service["since"], now),
        text(&service["cause"]),
    );
    if service["suspended"].as_bool().unwrap_or_default() {
        out.push_str("  its address is not on this host: its servers are not checked\n");
    }
    let mut rows = vec![(HEADS.map(str::to_owned), "LAST CHECK".to_owned())];
    rows.extend(list(&service["servers"]).map(|server| (server_row(server, now), last_check(server))));
    if !service["sorry_server"].is_null() {
        rows.push((sorry_row(&service["sorry_server"]), String::new()));
    }
    let mut widths = [0; HEADS.len()];
    for (row, _) in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for (row, check) in &rows {
        let mut line = String::from(" ");
        for (number, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Words to the left, numbers to the right.
            let _ = if number < 2 || number == 3 {
                write!(line, " {cell:<width$}")
            } else {
                write!(line, " {cell:>width$}")
            };
        }
        let _ = writeln!(out, "{}", format!("{line}  {check}").trim_end());
    }
}

fn server_row(server: &Value, now: f64) -> [String; HEADS.len()] {
    let state = match (server["up"].as_bool(), server["slow_start"].as_u64()) {
        (Some(true), Some(share)) => format!("up, starting {share}%"),
        (Some(true), None) => "up".to_owned(),
        _ => "DOWN".to_owned(),
    };
    let (weight, kernel) = (number(&server["weight"]), &server["weight_in_kernel"]);
    let weight = match kernel.as_u64() {
        Some(kernel) if kernel == weight => weight.to_string(),
        Some(kernel) => format!("{weight} ({kernel})"),
        None => format!("{weight} (out)"),
    };
    row(text(&server["name"]).to_owned(), state, weight, server, age(&server["since"], now))
}

fn sorry_row(sorry: &Value) -> [String; HEADS.len()] {
    let state = if sorry["standing_in"].as_bool().unwrap_or_default() { "stands in" } else { "waits" };
    row(format!("sorry {}", text(&sorry["name"])), state.to_owned(), String::new(), sorry, String::new())
}

fn row(name: String, state: String, weight: String, of: &Value, age: String) -> [String; HEADS.len()] {
    let show = |value: &Value| number(value).to_string();
    [
        name,
        state,
        weight,
        text(&of["forwarding"]).to_owned(),
        show(&of["active"]),
        show(&of["inactive"]),
        show(&of["counters"]["connections"]),
        show(&of["rates"]["connections"]),
        show(&of["rates"]["bytes_in"]),
        show(&of["rates"]["bytes_out"]),
        age,
    ]
}

/// What the checkers said last: of those that failed, else of the last to change its mind.
fn last_check(server: &Value) -> String {
    let checkers = || list(&server["checkers"]);
    let shown = |checker: &Value| {
        let reason = text(&checker["reason"]);
        let reason = match (checker["enabled"].as_bool(), checker["has_run"].as_bool()) {
            (Some(false), _) => "suspended",
            (_, Some(false)) => "not yet",
            _ => reason,
        };
        format!("{}: {reason}", text(&checker["kind"]))
    };
    let failed: Vec<String> =
        checkers().filter(|one| one["up"].as_bool() == Some(false)).map(shown).collect();
    if !failed.is_empty() {
        return failed.join("; ");
    }
    let since = |checker: &&Value| checker["since"].as_f64().unwrap_or_default();
    checkers().max_by(|a, b| since(a).total_cmp(&since(b))).map(shown).unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn age(since: &Value, now: f64) -> String {
    span((now - since.as_f64().unwrap_or(now)).max(0.0))
}

/// `12s`, `3m12s`, `5h3m`, `2d5h`.
fn span(seconds: f64) -> String {
    let seconds = seconds as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_says_who_is_up_and_why() {
        let counted = json!({"connections": 12, "bytes_in": 3, "bytes_out": 4});
        let server = |name: &str, up: bool, kernel: Option<u32>, reason: &str| {
            json!({
                "name": name, "up": up, "weight": 3, "weight_in_kernel": kernel, "forwarding": "NAT", "slow_start": null,
                "since": 940.0, "active": 1, "inactive": 2, "counters": counted, "rates": counted,
                "checkers": [{"kind": "TCP_CHECK", "up": up, "has_run": true, "enabled": true, "reason": reason, "since": 1.0}],
            })
        };
        let answer = json!({
            "now": 1000.0,
            "table": {"failing": null, "changes": 5, "failures": 1, "repairs": 0},
            "services": [{
                "name": "[10.0.0.1]:tcp:80", "scheduler": "rr", "since": 13.0, "cause": "start",
                "quorum": {"up": true, "weight": 3, "needed": 1, "hysteresis": 0},
                "servers": [
                    server("[10.0.0.2]:tcp:80", true, Some(3), "connected"),
                    server("[10.0.0.3]:tcp:8080", false, None, "connection refused"),
                ],
                "sorry_server": {"name": "[10.0.0.9]:tcp:80", "standing_in": false, "forwarding": "DR", "active": 0,
                    "inactive": 0, "counters": {}, "rates": {}},
            }],
            "draining": [{"server": "[10.0.0.4]:tcp:80", "service": "[10.0.0.1]:tcp:80", "until": 1030.0}],
        });
        assert_eq!(
            render_status(&answer),
            "\
[10.0.0.1]:tcp:80  rr  quorum up: weight 3, needed 1; for 16m27s: start
  SERVER                  STATE  WEIGHT METHOD ACTIVE INACTIVE CONNS CONNS/S IN B/S OUT B/S  FOR  LAST CHECK
  [10.0.0.2]:tcp:80       up          3 NAT         1        2    12      12      3       4 1m0s  TCP_CHECK: connected
  [10.0.0.3]:tcp:8080     DOWN  3 (out) NAT         1        2    12      12      3       4 1m0s  TCP_CHECK: connection refused
  sorry [10.0.0.9]:tcp:80 waits         DR          0        0     0       0      0       0

[10.0.0.4]:tcp:80 of [10.0.0.1]:tcp:80 has left and ends its connections, for at most 30s more
5 changes of the kernel's table, 1 refused, 0 to put right what others changed
"
        );
    }
}
