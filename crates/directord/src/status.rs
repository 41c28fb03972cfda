//! Answers to who asks how things stand, on a Unix socket that only its owner may open.
//!
//! Both sides write lines of JSON. Requests are `{"version":1,"command":"status"}` and
//! `{"version":1,"command":"explain","client":"192.0.2.1:40000","service":"10.0.0.1:80"}`; the answer has the same version
//! and what is asked for, or an `error`. Fields may be added; what a field means changes only with the version.

use crate::driver::World;
pub use notice::answer::{VERSION, listen};
use reactor::Listener;
use serde_json::Value;
use std::cell::RefCell;
use std::rc::Weak;

/// Serves the socket as long as the role runs.
pub async fn serve(listener: Listener, world: Weak<RefCell<World>>) {
    let answer = move |command: &str, _request: &Value| {
        let _world = world.upgrade()?;
        Some(Err(notice::answer::unknown(command)))
    };
    notice::answer::serve(listener, answer).await;
}

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
