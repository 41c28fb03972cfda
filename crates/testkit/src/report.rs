//! Differences, side by side.

use std::fmt::Write as _;

const WIDTH: usize = 76;
/// Lines shown from the first that differs on.
const SHOWN: usize = 16;

/// Two lists of lines beside each other; lines that differ carry a `!`.
pub fn side_by_side(left: (&str, &[String]), right: (&str, &[String])) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "    {:<WIDTH$} | {}", left.0, right.0);
    let count = left.1.len().max(right.1.len());
    let first = (0..count).find(|&i| left.1.get(i) != right.1.get(i)).unwrap_or(0);
    for i in 0..count {
        if i >= first + SHOWN {
            let _ = writeln!(out, "    … {} lines more", count - i);
            break;
        }
        let (l, r) = (left.1.get(i), right.1.get(i));
        let mark = if l == r { ' ' } else { '!' };
        let text = |line: Option<&String>| line.map_or("~", String::as_str).to_owned();
        let (l, r) = (pieces(&text(l)), pieces(&text(r)));
        for row in 0..l.len().max(r.len()) {
            let cell = |list: &[String]| list.get(row).cloned().unwrap_or_default();
            let _ = writeln!(out, "  {mark} {:<WIDTH$} | {}", cell(&l), cell(&r));
        }
    }
    out
}

fn pieces(line: &str) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    chars.chunks(WIDTH).map(|c| c.iter().collect()).collect()
}
