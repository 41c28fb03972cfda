//! Answers to who asks how things stand, on a Unix socket that only its owner may open.
//!
//! Both sides write lines of JSON. A request has a `version` and a `command`; the answer has the same version and what was
//! asked for, or an `error`.

use reactor::{ListenOptions, Listener, SockAddr, Stream};
use serde_json::{Value, json};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// The version of requests and answers.
pub const VERSION: u64 = 1;

/// The longest request, bytes.
const LONGEST: usize = 4_096;
/// How long a client may take for a request or to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the socket, in the place of an earlier one; its directory too, when that is the program's own.
///
/// # Errors
/// Those of the file system.
pub fn listen(path: &Path) -> io::Result<Listener> {
    if let Some(directory) = path.parent()
        && directory == Path::new("/run/evenkeel")
    {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    Listener::bind(
        &SockAddr::Path(path.to_owned()),
        &ListenOptions { mode: Some(0o600), ..ListenOptions::default() },
    )
}

/// Serves the socket until `answer`, which gets the command and the whole request, has no more answers.
pub async fn serve(
    listener: Listener,
    answer: impl Fn(&str, &Value) -> Option<Result<Value, String>> + 'static,
) {
    let answer = Rc::new(answer);
    loop {
        // An error has been waited out by the listener itself.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let answer = answer.clone();
        reactor::spawn(async move {
            // A client that goes away or is too slow is its own loss.
            let _ = converse(&stream, &*answer).await;
        });
    }
}

async fn converse(
    stream: &Stream,
    answer: &impl Fn(&str, &Value) -> Option<Result<Value, String>>,
) -> io::Result<()> {
    let mut waiting = Vec::new();
    loop {
        let until = reactor::now() + PATIENCE;
        let request = reactor::timeout_at(until, read_line(stream, &mut waiting)).await;
        let Some(request) = request.map_err(|_| io::ErrorKind::TimedOut)?? else { return Ok(()) };
        let answered = match understood(&request) {
            Ok((command, request)) => match answer(&command, &request) {
                Some(answered) => answered,
                None => return Ok(()),
            },
            Err(why) => Err(why),
        };
        let mut answer = answered.unwrap_or_else(|why| json!({"version": VERSION, "error": why})).to_string();
        answer.push('\n');
        let until = reactor::now() + PATIENCE;
        reactor::timeout_at(until, write_all(stream, answer.as_bytes()))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
    }
}

async fn read_line(stream: &Stream, waiting: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            return Ok(Some(waiting.drain(..=end).collect()));
        }
        if waiting.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut piece = [0; 512];
        match stream.try_read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(count) => waiting.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await,
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(stream: &Stream, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The command of a request.
fn understood(request: &[u8]) -> Result<(String, Value), String> {
    let request: Value = serde_json::from_slice(request).map_err(|error| format!("not JSON: {error}"))?;
    match request.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        _ => return Err(format!("the version served is {VERSION}")),
    }
    match request.get("command").and_then(Value::as_str) {
        Some(command) => Ok((command.to_owned(), request)),
        None => Err("the command is missing".to_owned()),
    }
}

/// What is said of a command that there is not.
pub fn unknown(command: &str) -> String {
    format!("the command '{command}' is not known")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_another_kind_are_told_what_is_served() {
        let (command, _) = understood(br#"{"version":1,"command":"status","more":2}"#).unwrap();
        assert_eq!(command, "status");
        let why = |request: &str| understood(request.as_bytes()).unwrap_err();
        assert_eq!(why(r#"{"version":2,"command":"status"}"#), "the version served is 1");
        assert_eq!(why(r#"{"command":"status"}"#), "the version served is 1");
        assert_eq!(why(r#"{"version":1}"#), "the command is missing");
        assert!(why("status").starts_with("not JSON"));
    }
}
