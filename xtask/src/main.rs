//! Chores of the project: `cargo xtask test | bench | fuzz | tidy | docs`.

mod bench;
mod codes;
mod docs;
mod fuzz;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test           all tests; installs the programs they need with apt when they are missing
  bench proxy    CPU per request beside haproxy, and memory per idle connection
  bench hostile  failures and floods in their long variants: slow clients, killed servers, no descriptors left
  bench vrrp     takeover times in network namespaces beside keepalived: host, process, stop (root)
  bench vrrp-scale  500 virtual routers in one process beside keepalived: processor time and memory (root)
  fuzz [SECONDS] each fuzz target for so many seconds (default 20) with a nightly toolchain and cargo-fuzz;
                 without them, its seeds and mutations of them
  tidy           floors, file sizes, keyword docs, links and paths in the documentation
  docs           writes docs/keywords.md and docs/keywords-keepalived.md from the keyword tables
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test", rest @ ..] => test::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["tidy"] => tidy::run(),
        ["docs"] => docs::run(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
