//! What one program did in one run of a case.

use crate::case::{Part, Want};
use crate::message::{self, Body, Found, Side};
use crate::server::Recorded;
use crate::{escape, normal};

/// What a client received.
#[derive(Clone, Debug, Default)]
pub struct ClientSeen {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// Which of its responses (counted from 0, final ones only) answer HEAD.
    pub bodyless: Vec<usize>,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// By client.
    pub clients: Vec<ClientSeen>,
    /// By server (from 1) and connection.
    pub servers: Vec<(usize, Recorded)>,
    /// The log, line by line.
    pub logs: Vec<String>,
    /// What somebody waited for in vain.
    pub stuck: Vec<String>,
}

impl Transcript {
    /// One part as normalised lines.
    pub fn part(&self, part: Part) -> Vec<String> {
        match part {
            Part::Client => self
                .clients
                .iter()
                .enumerate()
                .flat_map(|(i, c)| {
                    let title = (i > 0).then(|| format!("[client {}]", i + 1));
                    let text = normal::responses(&c.bytes, &c.bodyless);
                    title.into_iter().chain(escape::lines(&text)).collect::<Vec<_>>()
                })
                .collect(),
            Part::Server => self
                .servers
                .iter()
                .flat_map(|(server, r)| {
                    let mut lines = vec![format!("[connection to server {server}]")];
                    lines.extend(escape::lines(&normal::requests(&r.bytes)));
                    lines
                })
                .collect(),
            Part::Log => {
                let chunks = self.clients.iter().any(|c| normal::has_chunks(&c.bytes));
                let line = |l: &String| {
                    let line = normal::log_line(l);
                    if chunks { normal::without_size(&line) } else { line }
                };
                self.logs.iter().map(line).collect()
            }
        }
    }

    /// The final statuses that the first client got.
    pub fn statuses(&self) -> Vec<u16> {
        let Some(client) = self.clients.first() else { return Vec::new() };
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            let bodyless = client.bodyless.contains(&out.len());
            match message::find(&client.bytes, at, Side::Response { bodyless }) {
                Found::Message(m) => {
                    match message::status(&client.bytes[m.head.clone()]) {
                        Some(100 | 102..=199) | None => {}
                        Some(status) => out.push(status),
                    }
                    if matches!(m.body, Body::UntilClose(_)) {
                        return out;
                    }
                    at = m.end;
                }
                Found::Partial => {
                    out.extend(client.bytes.get(at..).and_then(message::status));
                    return out;
                }
                Found::Other => return out,
            }
        }
    }

    /// How many requests reached servers.
    pub fn requests(&self) -> usize {
        self.servers.iter().map(|(_, r)| normal::count_requests(&r.bytes)).sum()
    }

    fn raw(&self, part: Part) -> Vec<u8> {
        match part {
            Part::Client => self.clients.iter().flat_map(|c| c.bytes.clone()).collect(),
            Part::Server => {
                let all: Vec<&[u8]> = self.servers.iter().map(|(_, r)| r.bytes.as_slice()).collect();
                all.join(&b"\n[next connection]\n"[..])
            }
            Part::Log => self.logs.join("\n").into_bytes(),
        }
    }

    /// Says what is missing of `want`, if anything.
    pub fn misses(&self, want: &Want) -> Option<String> {
        match want {
            Want::Status(list) => {
                let seen = self.statuses();
                (seen != *list).then(|| format!("wanted statuses {list:?}, saw {seen:?}"))
            }
            Want::Requests(n) => {
                let seen = self.requests();
                (seen != *n).then(|| format!("wanted {n} requests to servers, saw {seen}"))
            }
            Want::Connections(n) => {
                let seen = self.servers.len();
                (seen != *n).then(|| format!("wanted {n} connections to servers, saw {seen}"))
            }
            Want::Text(part, there, text) => {
                let (raw, text) = (self.raw(*part).to_ascii_lowercase(), text.to_ascii_lowercase());
                let seen = raw.windows(text.len()).any(|w| w == text);
                let word = if *there { "lacks" } else { "has" };
                (seen != *there).then(|| format!("{part:?} {word} \"{}\"", escape::escape(&text)))
            }
            Want::Nothing(part) => {
                let raw = self.raw(*part);
                (!raw.is_empty()).then(|| format!("wanted nothing in {part:?}, saw {} bytes", raw.len()))
            }
        }
    }
}
