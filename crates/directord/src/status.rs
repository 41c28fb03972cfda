//! Answers to who asks how things stand, on a Unix socket that only its owner may open.
//!
//! Both sides write lines of JSON. Requests are `{"version":1,"command":"status"}` and
//! `{"version":1,"command":"explain","client":"192.0.2.1:40000","service":"10.0.0.1:80"}`; the answer has the same version
//! and what is asked for, or an `error`. Fields may be added; what a field means changes only with the version.

use serde_json::Value;

/// The version of requests and answers.
pub const VERSION: u64 = 1;

/// Where the role's socket is when nothing else is said.
pub const SOCKET: &str = "/run/evenkeel/director.sock";

/// The request for all there is, with its line end.
pub fn status_request() -> String {
    "{\"version\":1,\"command\":\"status\"}\n".to_owned()
}

/// The request for what becomes of a client (an address, or `address:port`) of a service (`address:port`, or `fwmark N`).
pub fn explain_request(client: &str, service: &str) -> String {
    let mut line = serde_json::json!({
        "version": VERSION, "command": "explain", "client": client, "service": service,
    })
    .to_string();
    line.push('\n');
    line
}

/// The answer to [`status_request`] as tables for people.
pub fn render_status(answer: &Value) -> String {
    answer.to_string()
}

/// The answer to [`explain_request`] for people.
pub fn render_explain(answer: &Value) -> String {
    answer.to_string()
}
