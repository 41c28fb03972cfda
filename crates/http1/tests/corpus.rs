//! Every file under `tests/data` is what its name says: `valid-…` or `invalid-…`, whole and byte by byte. The files
//! are also the seeds of the fuzz targets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use http1::{ChunkDecoder, ChunkStep, Limits, Method, Progress, RequestHead, ResponseHead, Strictness};
use std::path::Path;

/// Runs `accepts` over a folder; it is called with the bytes and says whether they are accepted.
fn check(kind: &str, at_least: usize, accepts: impl Fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(kind);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let want = name.starts_with("valid-");
        assert!(want || name.starts_with("invalid-"), "{name}");
        assert_eq!(accepts(&std::fs::read(&path).unwrap()), want, "{kind}/{name}");
        count += 1;
    }
    assert!(count >= at_least, "only {count} files in {}", folder.display());
}

/// Feeds `bytes` one more each time until something is decided.
fn grow(bytes: &[u8], mut parse: impl FnMut(&mut [u8]) -> Option<bool>) -> bool {
    let mut buf = Vec::new();
    for byte in bytes {
        buf.push(*byte);
        if let Some(verdict) = parse(&mut buf) {
            return verdict;
        }
    }
    panic!("undecided: {}", bytes.escape_ascii());
}

fn verdict<E>(result: Result<Progress, E>) -> Option<bool> {
    match result {
        Ok(Progress::Partial) => None,
        Ok(Progress::Complete { .. }) => Some(true),
        Err(_) => Some(false),
    }
}

#[test]
fn requests() {
    let (limits, strict) = (Limits::default(), Strictness::default());
    check("request", 80, |bytes| {
        let whole = verdict(RequestHead::new().parse(&mut bytes.to_vec(), &limits, &strict));
        let mut head = RequestHead::new();
        let grown = grow(bytes, |buf| verdict(head.parse(buf, &limits, &strict)));
        assert_eq!(whole, Some(grown), "{}", bytes.escape_ascii());
        grown
    });
}

#[test]
fn responses() {
    let (limits, strict) = (Limits::default(), Strictness::default());
    check("response", 25, |bytes| {
        let whole = verdict(ResponseHead::new().parse(&mut bytes.to_vec(), Method::Get, &limits, &strict));
        let mut head = ResponseHead::new();
        let grown = grow(bytes, |buf| verdict(head.parse(buf, Method::Get, &limits, &strict)));
        assert_eq!(whole, Some(grown), "{}", bytes.escape_ascii());
        grown
    });
}

#[test]
fn chunked_bodies() {
    let limits = Limits::default();
    check("chunked", 25, |bytes| {
        let mut decoder = ChunkDecoder::new();
        let mut buf = Vec::new();
        for byte in bytes {
            buf.push(*byte);
            loop {
                match decoder.feed(&mut buf, &limits) {
                    Ok(ChunkStep::Data { consumed, .. }) => drop(buf.drain(..consumed)),
                    Ok(ChunkStep::NeedMore { consumed }) => {
                        buf.drain(..consumed);
                        break;
                    }
                    Ok(ChunkStep::End { .. }) => return true,
                    Err(_) => return false,
                }
            }
        }
        panic!("undecided: {}", bytes.escape_ascii());
    });
}
