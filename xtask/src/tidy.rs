//! `cargo xtask tidy`: what the compiler does not check.

use crate::shell::root;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of one noun has no more lines than this.
const MAX_LINES: usize = 600;
/// The lowest floor that may know sockets, clocks, threads and randomness.
const FIRST_WITH_SOCKETS: u32 = 3;
/// The crates that may hold `unsafe`.
const MAY_BE_UNSAFE: [&str; 2] = ["reactor", "netlink"];

/// Checks everything and reports all that is wrong at once.
pub(crate) fn run() -> Result<(), String> {
    let mut wrong = Vec::new();
    floors(&mut wrong);
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "fuzz"] {
        rust_files(&root().join(folder), &mut files);
    }
    for file in &files {
        sources(file, &mut wrong);
    }
    keywords(&mut wrong);
    crate::docs::tidy(&mut wrong);
    crate::codes::tidy(&files, &mut wrong);
    if wrong.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        return Ok(());
    }
    Err(format!("tidy:\n  {}", wrong.join("\n  ")))
}

/// A crate's floor and the names of our crates that it depends on.
struct Manifest {
    floor: Option<u32>,
    /// Whether it has a clippy.toml of its own, and so not the bans of the one at the root.
    own_lints: bool,
    needs: Vec<String>,
}

/// No crate depends on one of a higher floor, and only test crates on test crates.
fn floors(wrong: &mut Vec<String>) {
    let mut manifests = BTreeMap::new();
    let mut folders: Vec<PathBuf> = list(&root().join("crates"));
    folders.push(root().join("xtask"));
    for folder in folders {
        let Ok(text) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let name =
            text.lines().find_map(|l| l.strip_prefix("name = ")).unwrap_or("?").trim_matches('"').to_owned();
        let floor = text.lines().find_map(|l| l.strip_prefix("floor = ")).and_then(|n| n.trim().parse().ok());
        let mut in_dependencies = false;
        let mut needs = Vec::new();
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.trim() == "[dependencies]";
            } else if in_dependencies {
                needs.extend(line.split(['.', ' ', '=']).next().filter(|w| !w.is_empty()).map(str::to_owned));
            }
        }
        let own_lints = ["clippy.toml", ".clippy.toml"].iter().any(|file| folder.join(file).exists());
        manifests.insert(name, Manifest { floor, own_lints, needs });
    }
    for (name, manifest) in &manifests {
        let Some(floor) = manifest.floor else {
            wrong.push(format!("crate {name} does not say its floor (package.metadata.evenkeel.floor)"));
            continue;
        };
        if floor < FIRST_WITH_SOCKETS && manifest.own_lints {
            wrong.push(format!(
                "crate {name} (floor {floor}) has a clippy.toml, which lifts the bans of floors 0-2"
            ));
        }
        for need in &manifest.needs {
            if let Some(below) = manifests.get(need).and_then(|m| m.floor)
                && below > floor
            {
                wrong.push(format!("crate {name} (floor {floor}) depends upward on {need} (floor {below})"));
            }
        }
    }
}

fn sources(file: &Path, wrong: &mut Vec<String>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    let shown = file.strip_prefix(root()).unwrap_or(file).display().to_string();
    let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
    let lines = text.lines().count();
    if lines > MAX_LINES && !is_test && !shown.contains("/keywords/") {
        wrong.push(format!("{shown}: {lines} lines; more than {MAX_LINES} hold more than one noun"));
    }
    let in_unsafe_crate = MAY_BE_UNSAFE.iter().any(|name| shown.starts_with(&format!("crates/{name}/")));
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        let code = line.split("//").next().unwrap_or_default();
        if !in_unsafe_crate
            && (opens_unsafe(code) || code.contains("allow(unsafe_code)"))
            && !shown.starts_with("xtask")
        {
            wrong.push(format!("{shown}:{at}: unsafe outside {}", MAY_BE_UNSAFE.join(", ")));
        }
        if line.ends_with([' ', '\t']) {
            wrong.push(format!("{shown}:{at}: trailing white space"));
        }
    }
    for module in ["utils.rs", "common.rs", "helpers.rs", "manager.rs"] {
        if shown.ends_with(&format!("/{module}")) && !shown.contains("/tests/") {
            wrong.push(format!("{shown}: name it after what it holds"));
        }
    }
}

/// Whether an `unsafe` block begins in this line; a name that ends in the word is none.
fn opens_unsafe(code: &str) -> bool {
    let named = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
    code.match_indices("unsafe {").any(|(at, _)| !code.get(..at).is_some_and(named))
}

/// Every entry of the keyword tables has its line of documentation.
fn keywords(wrong: &mut Vec<String>) {
    let haproxy = haproxy_cfg::keywords::all().map(|keyword| (keyword.name, keyword.doc));
    let keepalived = keepalived_conf::keywords::all().map(|keyword| (keyword.name, keyword.doc));
    for (name, doc) in haproxy.chain(keepalived) {
        if doc.trim().len() < 8 {
            wrong.push(format!("keyword {name} has no doc line"));
        }
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    paths
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in list(folder) {
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::opens_unsafe;

    #[test]
    fn blocks_are_told_from_names() {
        assert!(opens_unsafe("let n = unsafe { f() };") && opens_unsafe("unsafe {"));
        assert!(!opens_unsafe("if !strict.accept_unsafe {") && !opens_unsafe("if self.unsafe {"));
    }
}
