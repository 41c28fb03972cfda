//! The program: command lines to roles.

mod demo;
mod genhash;
mod haproxy;
mod keepalived;
mod message;
mod notify;
mod pidfile;
mod version;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: evenkeel <command> [arguments]

Commands:
  demo     show the proxy at work on this machine
  proxy    run an HAProxy configuration; takes the command line of haproxy
  vrrp     run the virtual routers of a keepalived configuration; takes the command line of keepalived
  vrrp status [--json]
           show how the virtual routers stand
  director run its virtual servers; takes the command line of keepalived, and --dry-run
  director status [--json]
           show how the virtual servers stand
  director explain CLIENT SERVICE [--json]
           say which real server a client would get, and why
  genhash  show the digest of a web page, for HTTP_GET and SSL_GET; takes the command line of genhash

Options:
  --version, -V    show the version
  --help, -h       show this text

Called as `haproxy`, `keepalived` or `genhash`, the program takes the command line of that program.
";

fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let name = Path::new(&program).file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let words: Vec<String> = words.collect();
    if name == "haproxy" {
        return haproxy::main("haproxy", &words);
    }
    if name == "keepalived" {
        return keepalived::main(&words);
    }
    if name == "genhash" {
        return genhash::main("genhash", &words);
    }
    match words.first().map(String::as_str) {
        Some("proxy") => haproxy::main("evenkeel proxy", words.get(1..).unwrap_or_default()),
        Some("vrrp") => keepalived::vrrp(words.get(1..).unwrap_or_default()),
        Some("director") => keepalived::director(words.get(1..).unwrap_or_default()),
        Some("genhash") => genhash::main("evenkeel genhash", words.get(1..).unwrap_or_default()),
        Some("demo") => demo::main(&program, words.get(1..).unwrap_or_default()),
        Some("--version" | "-V") => print(&format!("evenkeel {}\n", version::VERSION)),
        Some("--help" | "-h" | "help") => print(USAGE),
        _ => {
            let _ = std::io::stderr().write_all(USAGE.as_bytes());
            ExitCode::from(2)
        }
    }
}

/// Writes to standard output; a reader that went away is no failure.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
