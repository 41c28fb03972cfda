//! The command line, beside the real haproxy where it decides: exit codes, and which stream says what.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const GOOD: &str = "\
defaults
  mode http
  timeout client 1s
  timeout server 1s
  timeout connect 1s
frontend fe
  bind 127.0.0.1:8080
  default_backend be
backend be
  server s1 127.0.0.1:1
";

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evenkeel-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let dir = Self(path);
        dir.write("good.cfg", GOOD);
        dir.write("warns.cfg", &GOOD.replace("  timeout client 1s\n", ""));
        dir.write("bad.cfg", &GOOD.replace("  mode http\n", "  modus http\n"));
        dir.write("nolf.cfg", GOOD.trim_end());
        dir.write("silent.cfg", &GOOD.replace("  bind 127.0.0.1:8080\n", ""));
        std::fs::create_dir_all(dir.0.join("d")).unwrap();
        dir.write("d/a.cfg", GOOD);
        dir
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn run(&self, program: &Path, words: &str) -> Output {
        let mut command = Command::new(program);
        command.arg0("haproxy").args(split(words)).current_dir(&self.0).stdin(Stdio::null());
        command.output().unwrap()
    }

    fn ours(&self, words: &str) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_evenkeel")), words)
    }

    fn theirs(&self, words: &str) -> Output {
        self.run(Path::new("haproxy"), words)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Words separated by blanks; `_` stands for a blank inside one.
fn split(words: &str) -> Vec<String> {
    words.split_whitespace().map(|word| word.replace('_', " ")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The usage text is told by its first word.
fn shows_usage(output: &Output) -> bool {
    text(&output.stderr).contains("\nUsage : haproxy ")
        || text(&output.stderr).starts_with("Usage : haproxy ")
}

#[test]
fn exit_codes_are_haproxys() {
    let dir = Dir::new("codes");
    for words in [
        "-c -f good.cfg",
        "-f good.cfg -c",
        "-cxyz -f good.cfg",
        "-f good.cfg -c -q",
        "-f good.cfg -c -V",
        "-c -- good.cfg",
        "-c -D -W -f good.cfg",
        "-c -Ws -f good.cfg -p /nowhere/pid",
        "-c -f d",
        "-c -f good.cfg good.cfg",
        "good.cfg",
        "",
        "-zz",
        "-c",
        "-c -f good.cfg -Z",
        "-c -f good.cfg -",
        "-h",
        "--help",
        "--version",
        "-c -f missing.cfg",
        "-c -f bad.cfg",
        "-c -f nolf.cfg",
        "-c -f warns.cfg",
        "-c -dW -f warns.cfg",
        "-c -q -dW -f warns.cfg",
        "-c -dW -f good.cfg",
        "-c -f good.cfg -f good.cfg",
        "-c -f bad.cfg -f good.cfg",
        "-c -f good.cfg -n 100 -N 50 -m 100 -L foo -p x.pid",
        "-c -f good.cfg -n 100 -N50 -m 100",
        "-c -f good.cfg -n nonsense -m nonsense",
        "-c -f good.cfg -L host_name",
        "-c -f good.cfg -C /",
        "-c -f good.cfg -C /nowhere",
        "-C d -c -f a.cfg",
        "-c -f good.cfg -sf",
        "-c -f good.cfg -sf 1 2 3",
        "-c -f good.cfg -st 1 2 3",
        "-sf 1 -c -f good.cfg",
        "-sf x -c -f good.cfg",
        "-sf 12x -c -f good.cfg",
        "-sf 0 -c -f good.cfg",
        "-sf 99999999999999999999 -c -f good.cfg",
        "-x",
        "-x /nowhere -c -f good.cfg",
        "-c -f good.cfg -S /nowhere/master.sock,level,admin",
        "-c -f good.cfg -db -d -dr -dS -dR -dp -dG -dM",
        "-cc",
        "-cc 1",
        "-cc 0",
        "-cc version_atleast(2.6)",
        "-cc version_atleast(9.6)",
        "-cc feature(THREAD)",
        "-cc feature(NO-SUCH)",
        "-cc defined(PATH)",
        "-cc !defined(NO_SUCH)",
        "-cc bogus(",
        "-cc streq(a,a)&&!streq(a,b) -f missing.cfg",
    ] {
        let (ours, theirs) = (dir.ours(words), dir.theirs(words));
        assert_eq!(ours.status.code(), theirs.status.code(), "`haproxy {words}`: {}", text(&ours.stderr));
        assert_eq!(shows_usage(&ours), shows_usage(&theirs), "`haproxy {words}`: {}", text(&ours.stderr));
        let empty = |output: &Output| output.stderr.is_empty();
        assert_eq!(empty(&ours), empty(&theirs), "`haproxy {words}`: {}", text(&ours.stderr));
    }
}

/// The alerts, without what differs between programs and runs: the version, the path, the number.
fn alerts(output: &Output) -> Vec<String> {
    let lines = text(&output.stderr);
    let alert =
        |line: &str| line.starts_with("[ALERT]").then(|| line.split_once(") : ").unwrap().1.to_owned());
    lines.lines().filter_map(alert).collect()
}

#[test]
fn alerts_are_in_haproxys_words() {
    let dir = Dir::new("words");
    for words in [
        "-sf x -c -f good.cfg",
        "-sf 12x -c -f good.cfg",
        "-sf 99999999999999999999 -c -f good.cfg",
        "-st 99999999999999999999 -c -f good.cfg",
        "-x",
        "-c -f missing.cfg",
        "-c -f good.cfg -C /nowhere",
        "-cc bogus(",
        "-c -f nolf.cfg",
    ] {
        assert_eq!(alerts(&dir.ours(words)), alerts(&dir.theirs(words)), "`haproxy {words}`");
    }
}

/// A name too long for any resolver to be asked about it.
#[test]
fn dr_goes_on_without_the_address_of_a_server() {
    let dir = Dir::new("names");
    let name = "x".repeat(70);
    let servers = format!("  server s1 {name}:80 check\n  server s2 ipv6@{name}\n  server s3 127.0.0.1:1\n");
    dir.write("names.cfg", &(GOOD.to_owned() + &servers.replace("s1", "s0")));
    dir.write("check.cfg", &format!("{GOOD}  server s2 {name}:80 addr {name}\n"));
    let warnings = |output: &Output| {
        let lines = text(&output.stderr);
        let warned = lines.lines().filter(|line| line.starts_with("[WARNING]"));
        warned.map(|line| line.split_once(") : ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    for words in ["-c -f names.cfg", "-c -dr -f names.cfg", "-c -dr -dW -f names.cfg", "-c -dr -f check.cfg"]
    {
        let (ours, theirs) = (dir.ours(words), dir.theirs(words));
        assert_eq!(ours.status.code(), theirs.status.code(), "`haproxy {words}`: {}", text(&ours.stderr));
        // Of two names on a line HAProxy never comes to the first when the second is an error.
        if !words.ends_with("check.cfg") {
            assert_eq!(warnings(&ours), warnings(&theirs), "`haproxy {words}`");
        }
    }
    assert_eq!(warnings(&dir.ours("-c -dr -f names.cfg")).len(), 2);
}

/// 3.5 says that a file is valid only with `-V`; 2.6 says so unless `-q` is given.
#[test]
fn a_valid_file_is_announced_with_v_only() {
    let dir = Dir::new("valid");
    assert_eq!(text(&dir.ours("-c -f good.cfg").stdout), "");
    assert_eq!(text(&dir.ours("-c -V -f good.cfg").stdout), "Configuration file is valid\n");
    assert_eq!(text(&dir.ours("-c -V -q -f good.cfg").stdout), "Configuration file is valid\n");
    assert_eq!(text(&dir.ours("-c -q -f good.cfg").stdout), "");
    let warned = dir.ours("-c -V -f warns.cfg");
    assert_eq!(text(&warned.stdout), "Warnings were found.\nConfiguration file is valid\n");
    assert!(text(&warned.stderr).contains("[WARNING]"));
    assert_eq!(dir.ours("-c -f silent.cfg").status.code(), Some(2));
}

#[test]
fn scripts_find_a_version_and_people_the_program() {
    let dir = Dir::new("version");
    for words in ["-v", "-vv", "-v -f missing.cfg", "-q -v"] {
        let output = dir.ours(words);
        assert_eq!(output.status.code(), Some(0));
        let first = text(&output.stdout).lines().next().unwrap().to_owned();
        let mut parts = first.split(' ');
        assert_eq!(parts.by_ref().take(2).collect::<Vec<_>>(), ["HAProxy", "version"]);
        let numbers = parts.next().unwrap();
        assert!(numbers.starts_with("3.5.0-evenkeel"), "{first}");
        assert!(first.contains(&format!("Evenkeel {}", env!("CARGO_PKG_VERSION"))), "{first}");
    }
    let long = text(&dir.ours("-vv").stdout);
    assert!(long.contains("\nFeature list : ") && long.contains(" +THREAD") && long.contains(" -OPENSSL"));
    assert_eq!(text(&dir.ours("-zz").stdout), text(&dir.ours("-v").stdout));
}

/// What `-vv` shows with a plus is what `feature()` answers yes to.
#[test]
fn features_shown_are_features_answered() {
    let dir = Dir::new("features");
    let long = text(&dir.ours("-vv").stdout);
    let list = long.lines().find_map(|line| line.strip_prefix("Feature list : ")).unwrap().to_owned();
    for word in list.split(' ') {
        let (sign, name) = word.split_at(1);
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        let status = command.arg0("haproxy").args(["-cc", &format!("feature({name})")]).status().unwrap();
        assert_eq!(status.code(), Some(i32::from(sign == "-")), "{word}");
    }
}

#[test]
fn flags_not_served_are_refused_by_name() {
    let dir = Dir::new("refused");
    for flag in ["-de", "-dV", "-dK", "-dKall", "-dL", "-dC", "-dt", "-4"] {
        let output = dir.ours(&format!("{flag} -c -f good.cfg"));
        assert_eq!(output.status.code(), Some(1), "{flag}");
        assert!(
            text(&output.stderr).contains("known but not served yet"),
            "{flag}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn the_program_by_its_own_name() {
    let run = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(words).stdin(Stdio::null()).output().unwrap()
    };
    let version = run(&["--version"]);
    assert_eq!(text(&version.stdout), format!("evenkeel {}\n", env!("CARGO_PKG_VERSION")));
    let bare = run(&[]);
    assert_eq!(bare.status.code(), Some(2));
    assert!(text(&bare.stderr).starts_with("Usage: evenkeel"));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    let usage = run(&["proxy"]);
    assert_eq!(usage.status.code(), Some(1));
    assert!(text(&usage.stderr).starts_with("Usage : evenkeel proxy "));
    assert_eq!(run(&["proxy", "-cc", "1"]).status.code(), Some(0));
}

/// What a program writes to standard error from its start until the second of its two servers is down.
fn said_at_start(program: &Path, words: &str, quiet: bool) -> String {
    let dir = Dir::new("quiet");
    let (address, stats) = (testkit::lane::free_address(), dir.0.join("s.sock"));
    let dead = testkit::lane::free_address();
    dir.write(
        "quiet.cfg",
        &format!(
            "global\n  stats socket {}\n{}defaults\n  mode http\n  timeout client 5s\n  timeout connect 5s\n  \
             timeout server 5s\nlisten web\n  bind {address}\n  server a {dead} check inter 50ms\nfrontend f\n  \
             bind {}\n  timeout server 3s\n  default_backend web\n",
            stats.display(),
            if quiet { "  quiet\n" } else { "" },
            testkit::lane::free_address(),
        ),
    );
    let errors = std::fs::File::create(dir.0.join("errors")).unwrap();
    let mut command = Command::new(program);
    command.current_dir(&dir.0).args(split(words)).args(["-f", "quiet.cfg"]).stderr(errors);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let down = || -> Option<bool> {
        let mut stream = UnixStream::connect(&stats).ok()?;
        stream.write_all(b"show stat web 4 -1\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer.contains(",DOWN,"))
    };
    let end = Instant::now() + Duration::from_secs(20);
    while down() != Some(true) {
        assert!(Instant::now() < end, "the server never went down");
        std::thread::sleep(Duration::from_millis(10));
    }
    // A master takes its worker with it.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    std::fs::read_to_string(dir.0.join("errors")).unwrap()
}

#[test]
fn q_silences_the_start_and_the_servers_states() {
    let ours = Path::new(env!("CARGO_BIN_EXE_evenkeel"));
    let theirs = Path::new("/usr/sbin/haproxy");
    for (words, quiet) in
        [("-db", false), ("-db -q", false), ("-db -q -V", false), ("-W -db -q", false), ("-db", true)]
    {
        let shown = |text: &str| {
            [
                "haproxy version is",
                "timeout server' will be ignored",
                "Server web/a is DOWN",
                "has no server available",
            ]
            .map(|part| text.contains(part))
        };
        let (theirs, ours) =
            (said_at_start(theirs, words, quiet), said_at_start(ours, &format!("proxy {words}"), quiet));
        // Started by root, the program has more to say, and says who it is before.
        if !(quiet && nix::unistd::geteuid().is_root()) {
            assert_eq!(shown(&theirs), shown(&ours), "{words}:\n{theirs}\n{ours}");
        }
        assert_eq!(shown(&theirs)[1..], shown(&ours)[1..], "{words}:\n{theirs}\n{ours}");
        if words.ends_with("-q") {
            assert_eq!((theirs.as_str(), ours.as_str()), ("", ""), "{words}");
        }
    }
}
