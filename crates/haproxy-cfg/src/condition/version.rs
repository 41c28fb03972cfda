//! Versions of HAProxy and OpenSSL in order.

use core::cmp::Ordering;

/// Compares two versions as `haproxy -v` shows them: `2.4`, `2.4.1`, `2.4-dev19`, `2.4.1-24`. What is missing is zero;
/// `-dev` comes before `-rc`, both before the release.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    key(left).cmp(&key(right))
}

/// Major, minor and patch number, the stage (0 dev, 1 rc, 2 release), and the number in the stage.
fn key(version: &str) -> ([u64; 3], u8, u64) {
    let (numbers, suffix) = version.trim().split_once('-').unwrap_or((version.trim(), ""));
    let mut parts = numbers.split('.').map(number);
    let numbers = [(); 3].map(|()| parts.next().unwrap_or(0));
    match (suffix.strip_prefix("dev"), suffix.strip_prefix("rc")) {
        (Some(count), _) => (numbers, 0, number(count)),
        (_, Some(count)) => (numbers, 1, number(count)),
        _ => (numbers, 2, number(suffix)),
    }
}

/// The digits at the beginning.
fn number(text: &str) -> u64 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Compares OpenSSL versions such as `1.1.1k` or `3.0.11`: a letter counts like one more number.
pub(super) fn compare_openssl(left: &str, right: &str) -> Ordering {
    openssl_key(left).cmp(&openssl_key(right))
}

fn openssl_key(version: &str) -> ([u64; 3], Option<char>) {
    let version = version.trim();
    let mut parts = version.split('.').map(number);
    let letter = version.rsplit('.').next().and_then(|last| last.chars().find(char::is_ascii_alphabetic));
    ([(); 3].map(|()| parts.next().unwrap_or(0)), letter)
}
