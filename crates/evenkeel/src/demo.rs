//! `evenkeel demo`: the proxy at work in front of small web servers on this machine. Everything it says it has measured.

mod client;
mod interrupt;
mod journal;
mod screen;
mod server;
mod stage;
mod tally;

use client::Client;
use interrupt::Shared;
use journal::Journal;
use screen::Screen;
use server::Server;
use stage::Stage;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tally::{Tally, redispatched};

const USAGE: &str = "\
Usage: evenkeel demo [--keep]

Starts four small web servers and the proxy on the loopback address, sends requests, and shows how
they are spread, what is logged, and what happens when servers stop and return. Then it ends, unless:

  --keep    leave everything running until Ctrl-C
";

/// The servers of the configuration, the backup last.
const NAMES: [&str; 4] = ["app1", "app2", "app3", "app4"];
/// How long the proxy may take to notice something.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs the demonstration; `program` is how this program was called.
pub(crate) fn main(program: &str, words: &[String]) -> ExitCode {
    let keep = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--keep"] => true,
        ["--help" | "-h"] => return crate::print(USAGE),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let screen = Screen::new();
    let shared = Shared::default();
    let outcome = interrupt::end_on_signal(&shared).and_then(|()| {
        let mut demo = Demo::start(screen, program, &shared)?;
        demo.story()?;
        if keep { demo.keep() } else { demo.farewell() }
    });
    // When a signal is ending the process, this waits for it instead of complaining about what is gone.
    let ended = shared.stage().take().map(|mut stage| stage.ended());
    match (outcome, ended) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(text), ended) => {
            let ended = ended.flatten().filter(|ended| *ended != text);
            eprintln!(
                "\nThe demonstration failed: {text}{}",
                ended.map_or(String::new(), |e| format!("\nAnd {e}"))
            );
            ExitCode::FAILURE
        }
    }
}

/// Everything on the stage, and what was counted so far.
struct Demo<'a> {
    screen: Screen,
    program: &'a str,
    shared: &'a Shared,
    servers: Vec<Server>,
    journal: Journal,
    frontend: SocketAddr,
    /// A client that stays on one connection all the time.
    client: Client,
    started: Instant,
    sent: usize,
}

impl<'a> Demo<'a> {
    /// Raises the curtain: servers, journal, proxy, and what they are.
    fn start(screen: Screen, program: &'a str, shared: &'a Shared) -> Result<Self, String> {
        let started = Instant::now();
        let unable = |what: &str, error: std::io::Error| format!("{what} cannot be started: {error}");
        let servers: Result<Vec<Server>, _> = NAMES.into_iter().map(Server::start).collect();
        let servers = servers.map_err(|error| unable("a web server", error))?;
        let journal = Journal::start().map_err(|error| unable("the receiver of log lines", error))?;
        let frontend = stage::free_address().map_err(|error| unable("the frontend", error))?;
        let mut variables = vec![("FRONTEND", frontend), ("LOG", journal.address)];
        variables.extend(["APP1", "APP2", "APP3", "APP4"].into_iter().zip(servers.iter().map(|s| s.address)));

        screen.line(format_args!(
            "Evenkeel {}: four small web servers, and the proxy in front of them.",
            crate::version::VERSION
        ));
        screen.heading("1. The configuration");
        for line in stage::CONFIGURATION.lines() {
            screen.quote(line);
        }
        screen.say(
            "It is the administration guide's, but for the addresses, more frequent checks, a socket to ask \
             questions, and `option redispatch 1`: whoever meets a closed port is sent to another server at once. \
             The addresses come from the environment:",
        );
        screen.pause(2_500);
        for pair in variables.chunks(3) {
            let pair: Vec<String> = pair.iter().map(|(name, address)| format!("{name}={address}")).collect();
            screen.quote(&pair.join("  "));
        }

        let mut guard = shared.stage();
        let stage = guard.insert(Stage::start(&variables)?);
        stage.wait_until_it_serves(frontend)?;
        screen.say(format_args!("The proxy runs as process {}.", stage.pid()));
        drop(guard);
        let client =
            Client::connect(frontend).map_err(|error| format!("the proxy cannot be reached: {error}"))?;
        Ok(Self { screen, program, shared, servers, journal, frontend, client, started, sent: 0 })
    }

    fn story(&mut self) -> Result<(), String> {
        self.spread()?;
        self.leave()?;
        self.come_back()?;
        self.fall_back()?;
        self.statistics()
    }

    /// One request; every other one on the connection that stays open.
    fn request(&mut self, tally: &mut Tally) {
        self.sent += 1;
        let kept = self.sent.is_multiple_of(2);
        tally.add(if kept { self.client.get() } else { client::get_once(self.frontend) });
        self.screen.pause(30);
    }

    /// So many requests, all of which must be answered.
    fn requests(&mut self, count: usize) -> Result<Tally, String> {
        let mut tally = Tally::default();
        for _ in 0..count {
            self.request(&mut tally);
        }
        tally.all_answered()?;
        Ok(tally)
    }

    /// Requests, one after the other, until `wanted` stands in a line behind line `from` of the journal.
    fn requests_until(&mut self, from: usize, wanted: &str) -> Result<(Tally, String), String> {
        let mut tally = Tally::default();
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.request(&mut tally);
            tally.all_answered()?;
            // The wait is what keeps this from being a flood.
            if let Some(line) = self.journal.wait(from, wanted, Duration::from_millis(10)) {
                return Ok((tally, line));
            }
            if Instant::now() >= deadline {
                return Err(format!("the proxy has not logged {wanted:?} for {} s", PATIENCE.as_secs()));
            }
        }
    }

    fn bars(&self, tally: &Tally) {
        for name in NAMES {
            let note = if name == "app4" { "  (backup)" } else { "" };
            self.screen.bar(name, tally.of(name), tally.total(), note);
        }
    }

    /// The log lines of `count` requests behind line `from`, all of which must come.
    fn logged(&self, from: usize, count: usize) -> Result<Vec<String>, String> {
        let lines = self.journal.wait_many(from, "\"GET / HTTP/1.1\"", count, PATIENCE);
        if lines.len() < count {
            return Err(format!("of {count} requests only {} were logged", lines.len()));
        }
        Ok(lines)
    }

    fn spread(&mut self) -> Result<(), String> {
        const COUNT: usize = 60;
        self.screen.heading(
            "2. Requests, in turn on one connection that stays open and on connections of their own",
        );
        let from = self.journal.len();
        let tally = self.requests(COUNT)?;
        self.bars(&tally);
        let fair = NAMES.iter().take(3).all(|name| tally.of(name).abs_diff(COUNT / 3) <= 2);
        if !fair || tally.of("app4") > 0 {
            return Err(
                "`balance roundrobin` did not spread the requests evenly over app1, app2 and app3".to_owned()
            );
        }
        let lines = self.logged(from, COUNT)?;
        for name in NAMES {
            let logged = lines.iter().filter(|line| line.contains(&format!(" app/{name} "))).count();
            if logged != tally.of(name) {
                return Err(format!("{name} answered {} requests, but {logged} were logged", tally.of(name)));
            }
        }
        self.screen.say(format_args!(
            "All {COUNT} were answered, and logged to {}; the last three:",
            self.journal.address
        ));
        for line in lines.iter().skip(COUNT - 3) {
            self.screen.quote(line);
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), String> {
        self.until_trusted("app2")?;
        self.screen.heading("3. app2 stops, while requests go on");
        let from = self.journal.len();
        self.stop("app2");
        let stopped = Instant::now();
        let (meanwhile, line) = self.requests_until(from, "Server app/app2 is DOWN, reason: ")?;
        let took = stopped.elapsed();
        self.screen.quote(&line);
        self.screen.say(format_args!("That was {} ms after its port was closed.", took.as_millis()));
        let lines = self.logged(from, meanwhile.total())?;
        let sent_on: Vec<&String> = lines.iter().filter(|line| redispatched(line)).collect();
        self.screen.say(format_args!("Of {} requests in that time none failed.", meanwhile.total()));
        if !sent_on.is_empty() {
            self.screen.say(format_args!(
                "Those that met the closed port and were sent to another server (+1 in the log): {}, such as",
                sent_on.len()
            ));
        }
        if let Some(line) = sent_on.first() {
            self.screen.quote(line);
        }
        let after = self.requests(30)?;
        self.screen.say("The next 30:");
        self.bars(&after);
        if meanwhile.of("app2") + after.of("app2") > 0 {
            return Err("a server that is stopped has answered".to_owned());
        }
        Ok(())
    }

    fn come_back(&mut self) -> Result<(), String> {
        self.screen.heading("4. app2 starts again");
        let from = self.journal.len();
        self.start_again("app2")?;
        let (_, line) = self.requests_until(from, "Server app/app2 is UP, reason: ")?;
        self.screen.quote(&line);
        let after = self.requests(30)?;
        self.screen.say("The next 30:");
        self.bars(&after);
        if after.of("app2") == 0 {
            return Err("app2 is up again but gets no requests".to_owned());
        }
        Ok(())
    }

    fn fall_back(&mut self) -> Result<(), String> {
        self.screen.heading("5. app1, app2 and app3 stop");
        let from = self.journal.len();
        for name in ["app1", "app2", "app3"] {
            self.stop(name);
        }
        let line = self.journal.wait(from, "Running on backup.", PATIENCE);
        let line = line.ok_or("the proxy has not logged that it runs on the backup")?;
        self.screen.quote(&line);
        let tally = self.requests(20)?;
        self.screen.say("The next 20:");
        self.bars(&tally);
        if tally.of("app4") != tally.total() {
            return Err("not every request went to the backup".to_owned());
        }
        Ok(())
    }

    /// What the proxy itself counted.
    fn statistics(&mut self) -> Result<(), String> {
        self.screen.heading("6. What the proxy says when it is asked: `show stat`");
        let table = self.statistics_of(&["pxname", "svname", "status", "stot", "chkdown", "req_tot"])?;
        let row = |[proxy, name, status, sessions, downs]: [&str; 5]| {
            let text = format!("{proxy:<6} {name:<9} {status:<10} {sessions:>8} {downs:>11}");
            self.screen.say(text);
        };
        row(["proxy", "name", "status", "sessions", "times down"]);
        let mut counted = None;
        for [proxy, name, status, sessions, downs, requests] in &table {
            row([proxy, name, status, sessions, downs]);
            // The frontend also counts the connection that found out whether it listens, and that asked for nothing.
            if name == "BACKEND" {
                counted = requests.parse::<usize>().ok();
            }
        }
        if counted != Some(self.sent) {
            return Err(format!("{} requests were sent, but the proxy counted {counted:?}", self.sent));
        }
        self.screen.say(format_args!("The backend counted {} requests, as many as were sent.", self.sent));
        self.screen.line(format_args!(
            "\n{} requests in {:.1} s: all were answered, half of them on one connection.",
            self.sent,
            self.started.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// These columns of `show stat`.
    fn statistics_of<const N: usize>(&self, columns: &[&str; N]) -> Result<Vec<[String; N]>, String> {
        let guard = self.shared.stage();
        let stage = guard.as_ref().ok_or("the proxy is gone")?;
        let answer =
            stage.ask("show stat").map_err(|error| format!("the runtime API does not answer: {error}"))?;
        tally::statistics(&answer, columns)
    }

    /// Waits until so many checks of a server have passed that one that fails is not enough: a server starts with the
    /// trust that a single failure takes away.
    fn until_trusted(&self, name: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for [server, health, rise, fall] in
                self.statistics_of(&["svname", "check_health", "check_rise", "check_fall"])?
            {
                let number = |text: String| text.parse::<u32>().unwrap_or(0);
                if server == name && number(health) + 1 >= number(rise) + number(fall) {
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                return Err(format!("the checks of {name} do not pass"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self, name: &str) {
        if let Some(server) = self.servers.iter_mut().find(|server| server.name == name) {
            server.stop();
        }
    }

    fn start_again(&mut self, name: &str) -> Result<(), String> {
        let server = self.servers.iter_mut().find(|server| server.name == name);
        server
            .map_or(Ok(()), Server::resume)
            .map_err(|error| format!("{name} cannot be started again: {error}"))
    }

    fn farewell(&self) -> Result<(), String> {
        self.screen.line(format_args!(
            "\nTo look further, keep it running and try what it then shows:\n\n   {} demo --keep",
            self.program
        ));
        Ok(())
    }

    /// Leaves everything running, and shows the log, until a signal or the proxy's own end.
    fn keep(&mut self) -> Result<(), String> {
        let from = self.journal.len();
        for name in ["app1", "app2", "app3"] {
            self.start_again(name)?;
        }
        for name in ["app1", "app2", "app3"] {
            let wanted = format!("Server app/{name} is UP, reason: ");
            self.journal.wait(from, &wanted, PATIENCE).ok_or(format!("{name} has not come back"))?;
        }
        let mut seen = self.journal.len();
        let folder = match self.shared.stage().as_ref() {
            Some(stage) => stage.folder().to_owned(),
            None => return Err("the proxy is gone".to_owned()),
        };
        let folder = folder.display();
        self.screen
            .line("\nAll servers run again, and so they stay until Ctrl-C. In another terminal, try:\n");
        let program = self.program;
        for line in [
            format!("curl -i http://{}/", self.frontend),
            format!("echo 'show stat' | socat - {folder}/runtime.sock"),
            format!("echo 'show info' | socat - {folder}/runtime.sock"),
            format!("cat {folder}/haproxy.cfg {folder}/environment"),
            format!("(set -a; . {folder}/environment; {program} proxy -c -V -f {folder}/haproxy.cfg)"),
        ] {
            self.screen.line(format_args!("   {line}"));
        }
        self.screen.line("\nWhat the proxy logs:");
        self.shared.keep();
        loop {
            let lines = self.journal.wait_many(seen, "", 1, Duration::from_millis(500));
            seen += lines.len();
            for line in lines {
                self.screen.quote(&line);
            }
            if let Some(ended) = self.shared.stage().as_mut().and_then(Stage::ended) {
                return Err(ended);
            }
        }
    }
}
