//! `genhash`: the digest of a page, printed.

use super::attempt::Failure;
use super::http::{content_length, find_head};
use super::line::web;
use super::settings::Kind;
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

/// What is printed instead, as a line on standard output, when there is no answer to be had.
pub fn words(failure: Failure, tls: bool) -> &'static str {
    web(if tls { Kind::Ssl } else { Kind::Http }, failure)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(verbose: bool, reads: &[&[u8]]) -> (String, Option<&'static str>) {
        let mut genhash = Genhash::new(verbose);
        let mut out: String = reads.iter().filter_map(|read| genhash.feed(read)).collect();
        let ending = genhash.end();
        out += &ending.printed;
        (out, ending.complaint)
    }

    const NO_DATA: Option<&str> = Some("no data received from remote webserver\n");

    /// As keepalived 2.2.7's genhash printed it.
    #[test]
    fn digests() {
        let digest = |reads: &[&[u8]]| run(false, reads);
        let of = |digest: &str| (format!("{digest}\n"), None);
        let hello = of("6f5902ac237024bdd0c176cb93063dc4");
        assert_eq!(digest(&[b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello world\n"]), hello);
        let reads: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 12\r\n\r", b"\nhello world\n"];
        assert_eq!(digest(reads), hello);
        let short: &[u8] = b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello world\n";
        assert_eq!(digest(&[short]), of("5d41402abc4b2a76b9719d911017c592"));
        let empty = of("d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(digest(&[b"HTTP/1.1 204 No\r\n\r\n"]), empty);
        assert_eq!(digest(&[b"HTTP/1.1 200 No\r\nContent-Length: 0\r\n\r\n", b"zz"]), empty);
        assert_eq!(digest(&[b"hello"]), (String::new(), NO_DATA));
        assert_eq!(digest(&[]), (String::new(), NO_DATA));
    }

    /// As keepalived 2.2.7's `genhash -v` printed it, but for the time it took.
    #[test]
    fn verbosely() {
        let reads: &[&[u8]] =
            &[b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello ", b"world\n\x00\xffrest of the page is here"];
        let expected = "\
-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 53 65 72 76 65 72 3a - 20 78 0d 0a 0d 0a         .Server: x....  \n\
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK\r\nServer: x\r\n\r\n
-----------------------[        HTML Buffer        ]-----------------------
0000  68 65 6c 6c 6f 20       -                           hello           \n\
0000  77 6f 72 6c 64 0a 00 ff - 72 65 73 74 20 6f 66 20   world...rest of \n\
0016  74 68 65 20 70 61 67 65 - 20 69 73 20 68 65 72 65   the page is here

-----------------------[    HTML hash resulting    ]-----------------------
0000  c0 4d b4 e4 70 b9 b5 3e - 89 6b 09 a1 b4 17 c0 71   .M..p..>.k.....q
-----------------------[ HTML hash final resulting ]-----------------------
c04db4e470b9b53e896b09a1b417c071
";
        assert_eq!(run(true, reads), (expected.to_owned(), None));
        let reads: &[&[u8]] = &[b"HTTP/1.1 200 No\r\nContent-Length: 0\r\n\r\n", b"zz"];
        let (printed, _) = run(true, reads);
        let title = |title: &str| printed.matches(title).count();
        assert_eq!((title("HTTP Header Buffer"), title("HTML Buffer"), title("0000  7a")), (1, 0, 0));
        let (printed, complaint) = run(true, &[b"hello"]);
        assert_eq!((printed.lines().count(), complaint), (5, NO_DATA), "{printed}");
    }

    #[test]
    fn an_answer_without_end_is_not_kept() {
        let mut genhash = Genhash::new(false);
        let line = [b'x'; 1000];
        assert!((0..100).any(|_| genhash.feed(&line).is_none()));
        assert_eq!(genhash.end().complaint, NO_DATA);
    }

    #[test]
    fn failures() {
        assert_eq!(words(Failure::Refused, false), "Connection failed");
        assert_eq!(words(Failure::SilenceTimeout, false), "Timeout WEB read");
        assert_eq!(words(Failure::ReadTimeout, true), "Timeout SSL read");
    }

    proptest! {
        #[test]
        fn the_digest_is_the_same_however_it_comes(
            answer in proptest::collection::vec(any::<u8>(), 0..60), cut in 0usize..100, whole: bool,
        ) {
            let mut answer = answer;
            if whole {
                answer.splice(0..0, *b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n");
            }
            let (first, rest) = answer.split_at(cut.min(answer.len()));
            prop_assert_eq!(run(false, &[first, rest]), run(false, &[&answer]));
        }
    }
}
