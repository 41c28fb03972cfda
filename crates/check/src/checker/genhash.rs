//! `genhash`: the digest of a page, printed.

use super::http::{content_length, find_head};
use core::fmt::Write as _;
use md5::{Digest, Md5};

/// The digest of an answer as it comes in, and what is printed of it.
#[derive(Clone, Debug)]
pub struct Genhash {
    verbose: bool,
    head: Vec<u8>,
    /// The rest of `Content-Length`, once the head is there; `None` within: not said.
    left: Option<Option<u64>>,
    digest: Md5,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// For standard output.
    pub printed: String,
    /// For standard error, when there was no page.
    pub complaint: Option<&'static str>,
}

impl Genhash {
    /// `verbose`: `-v`.
    pub fn new(verbose: bool) -> Self {
        Self { verbose, head: Vec::new(), left: None, digest: Md5::new() }
    }

    /// Takes in what one read brought; returns what to print of it (nothing unless verbose). At `None` the head is longer
    /// than is taken: the answer has ended.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<String> {
        let mut out = String::new();
        let Some(left) = self.left else {
            self.head.extend_from_slice(bytes);
            if self.verbose {
                out += &title("    HTTP Header Buffer    ");
            }
            match find_head(&self.head) {
                Some(end) => {
                    let body = self.head.split_off(end);
                    let left = content_length(&self.head);
                    if self.verbose {
                        out += &dump(&self.head);
                        out += &title(" HTTP Header Ascii Buffer ");
                        out += &String::from_utf8_lossy(&self.head);
                        out.push('\n');
                    }
                    if !body.is_empty() && left != Some(0) && self.verbose {
                        out += &title("        HTML Buffer        ");
                    }
                    self.body(left, &body, &mut out);
                }
                None if self.head.len() >= super::http::HttpGet::HEAD_MAX => return None,
                None => {}
            }
            return Some(out);
        };
        self.body(left, bytes, &mut out);
        Some(out)
    }

    fn body(&mut self, left: Option<u64>, bytes: &[u8], out: &mut String) {
        let take = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let part = bytes.get(..take).unwrap_or(bytes);
        self.digest.update(part);
        if self.verbose {
            *out += &dump(part);
        }
        self.left = Some(left.map(|left| left.saturating_sub(bytes.len() as u64)));
    }

    /// The answer has ended.
    pub fn end(self) -> Ending {
        let digest: [u8; 16] = self.digest.finalize().into();
        let mut printed = String::new();
        if self.verbose {
            printed.push('\n');
            printed += &title("    HTML hash resulting    ");
            printed += &dump(&digest);
            printed += &title(" HTML hash final resulting ");
        }
        if self.left.is_none() {
            return Ending { printed, complaint: Some("no data received from remote webserver\n") };
        }
        for byte in digest {
            let _ = write!(printed, "{byte:02x}");
        }
        printed.push('\n');
        Ending { printed, complaint: None }
    }
}

fn title(text: &str) -> String {
    format!("-----------------------[{text}]-----------------------\n")
}

/// Bytes as keepalived dumps them: offset, sixteen bytes in hexadecimal, and as text.
fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:04} ", (line * 16) & 0xffff);
        for column in 0..16 {
            match chunk.get(column) {
                Some(byte) => drop(write!(out, " {byte:02x}")),
                None => out += "   ",
            }
            if column == 7 {
                out += " -";
            }
        }
        out += "   ";
        for column in 0..16 {
            out.push(match chunk.get(column) {
                Some(byte @ 0x20..=0x7e) => char::from(*byte),
                Some(_) => '.',
                None => ' ',
            });
        }
        out.push('\n');
    }
    out
}
