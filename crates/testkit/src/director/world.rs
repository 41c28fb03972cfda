//! A world: a namespace with fake servers, and the program that directs to them.
//!
//! Every address of 10.1.0.0/16 and fd00:1::/64 is its own. The mail server is 10.1.0.250:25.

use super::case::{Action, Case};
use super::server::{self, Running, Seen};
use crate::lab::{Host, Process};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where mails go.
const MAIL: &str = "10.1.0.250:25";
/// When nothing new was to be seen for so long, things have settled. Every interval of a case has to be shorter.
const QUIET: Duration = Duration::from_millis(2_000);
/// Settling that takes longer is none.
const RESTLESS: Duration = Duration::from_secs(25);
/// How often one looks.
const LOOK: Duration = Duration::from_millis(100);

/// What was to be seen of one step, as it was: see [`compare`](super::compare) for what may differ.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// The step.
    pub step: String,
    /// `ipvsadm -Sn`.
    pub table: Vec<String>,
    /// Lines logged.
    pub log: Vec<String>,
    /// Lines of the FIFO.
    pub fifo: Vec<String>,
    /// Calls of scripts.
    pub scripts: Vec<String>,
    /// Mails.
    pub mails: Vec<String>,
    /// Requests to servers.
    pub requests: Vec<String>,
    /// Of `-t`.
    pub verdict: Vec<String>,
    /// What did not happen in time.
    pub stuck: Option<String>,
}

/// A namespace, its servers and its program.
pub struct World<'a> {
    case: &'a Case,
    /// The program; called `keepalived` whatever it is.
    program: &'a Path,
    directory: PathBuf,
    servers: BTreeMap<SocketAddr, (String, Arc<Mutex<String>>)>,
    listening: BTreeMap<SocketAddr, Running>,
    nginx: BTreeMap<SocketAddr, Child>,
    seen: Arc<Seen>,
    fifo: File,
    generation: usize,
    process: Option<Process>,
    /// How much of the log and of the scripts' calls was looked at before this step.
    read: (usize, usize),
    fifo_lines: Vec<String>,
    _mail: Running,
}

/// Plays a case in a host, in the program's name; returns what was to be seen of each step.
///
/// # Panics
/// When the world cannot be made.
pub fn play(case: &Case, host: &Host, program: &Path, directory: &Path) -> Vec<Sight> {
    prepare(host);
    host.inside(|| {
        let mut world = World::new(case, program, directory);
        case.steps.iter().map(|step| world.step(&step.text, &step.action)).collect()
    })
}

fn prepare(host: &Host) {
    for words in [
        "link add lan type dummy",
        "addr add 10.0.0.254/24 dev lan",
        "addr add fd00::254/64 dev lan nodad",
        "link set lan up",
        "route add local 10.1.0.0/16 dev lo",
        "route add local fd00:1::/64 dev lo",
    ] {
        host.ip(words);
    }
}

impl<'a> World<'a> {
    /// In the namespace of the calling thread.
    fn new(case: &'a Case, program: &'a Path, directory: &Path) -> Self {
        std::fs::create_dir_all(directory).expect("a directory");
        let directory = directory.to_owned();
        // Servers bind addresses of a route.
        std::fs::write("/proc/sys/net/ipv6/ip_nonlocal_bind", "1").expect("a setting");
        let seen = Arc::new(Seen::default());
        let fifo = directory.join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
        // Held open for reading and writing: there is always a reader, and never an end.
        let fifo = File::options().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(fifo);
        let at = directory.display();
        // No other program is called: a fork takes its time.
        script(&directory.join("notify"), &format!("#!/bin/sh\necho \"$*\" >> {at}/told\n"));
        script(
            &directory.join("check"),
            &format!("#!/bin/sh\nread code < {at}/$1.exit\n[ $code = hang ] && exec sleep 60\nexit $code\n"),
        );
        let mail = server::start(
            MAIL.parse().expect("an address"),
            "mail",
            Arc::new(Mutex::new(String::new())),
            Arc::clone(&seen),
        );
        let mut world = Self {
            case,
            program,
            directory,
            servers: BTreeMap::new(),
            listening: BTreeMap::new(),
            nginx: BTreeMap::new(),
            seen,
            fifo: fifo.expect("a FIFO"),
            generation: 1,
            process: None,
            read: (0, 0),
            fifo_lines: Vec::new(),
            _mail: mail,
        };
        for (name, code) in &case.scripts {
            world.act(&Action::Script(name.clone(), code.clone()));
        }
        for (name, value) in &case.files {
            world.act(&Action::File(name.clone(), value.clone()));
        }
        for server in &case.servers {
            let answer = Arc::new(Mutex::new(server.answer.clone()));
            world.servers.insert(server.address, (server.kind.clone(), answer));
            world.serve(server.address);
        }
        for command in &case.before {
            let words: Vec<&str> = command.split(' ').collect();
            let output = Command::new(words[0]).args(&words[1..]).output().expect("a command");
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn step(&mut self, text: &str, action: &Action) -> Sight {
        let mut sight = Sight { step: text.to_owned(), ..Sight::default() };
        self.read = (self.logged().len(), self.told().len());
        self.seen.mails.lock().unwrap().clear();
        match action {
            Action::Reload => self.generation += 1,
            Action::Start => {}
            _ => self.act(action),
        }
        if matches!(action, Action::Start | Action::Reload) {
            let config =
                self.case.config(self.generation).replace("{DIR}", &self.directory.display().to_string());
            std::fs::write(self.path("new"), config).expect("a configuration");
            std::fs::rename(self.path("new"), self.path("conf")).expect("a configuration");
            sight.verdict = self.verdict();
            self.act(action);
        }
        match action {
            Action::Start => self.wait_for("Startup complete"),
            Action::Reload => self.wait_for("Reload complete"),
            _ => {}
        }
        sight.stuck = if *action == Action::Stop { self.ended() } else { self.settle() };
        sight.table = ipvsadm(&["-Sn"]);
        let config = self.case.config(self.generation);
        for (keyword, option) in [("lvs_timeouts", "--timeout"), ("lvs_sync_daemon", "--daemon")] {
            if config.contains(keyword) {
                sight.table.extend(ipvsadm(&["-ln", option]));
            }
        }
        sight.log = self.lines(&self.logged()[self.read.0..]);
        sight.scripts = self.lines(&self.told()[self.read.1..]);
        self.read_fifo();
        sight.fifo = std::mem::take(&mut self.fifo_lines);
        sight.mails = self.seen.mails.lock().unwrap().clone();
        // A request may be under way while the step begins: all of them are looked at together.
        if *action == Action::Stop {
            sight.requests = self.seen.requests.lock().unwrap().iter().cloned().collect();
        }
        sight
    }

    fn lines(&self, text: &str) -> Vec<String> {
        let directory = self.directory.display().to_string();
        text.lines().map(|line| line.replace(&directory, "DIR")).collect()
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Start => self.start(),
            Action::Reload => self.signal(Signal::SIGHUP as i32),
            Action::Stop => self.signal(Signal::SIGTERM as i32),
            Action::Signal(number) => self.signal(*number),
            Action::Kill(address) => {
                if let Some(mut nginx) = self.nginx.remove(address) {
                    let _ = nginx.kill();
                    let _ = nginx.wait();
                }
                self.listening.remove(address);
            }
            Action::Return(address) => self.serve(*address),
            Action::Answer(address, answer) => {
                let (kind, now) = self.servers.get(address).expect("a server");
                now.lock().unwrap().clone_from(answer);
                if kind == "https" {
                    self.publish(*address, answer);
                }
            }
            Action::Script(name, code) => self.write(&format!("{name}.exit"), &format!("{code}\n")),
            Action::File(name, value) => self.write(name, &format!("{value}\n")),
            Action::Ip(words) => {
                let output = Command::new("ip").args(words.split(' ')).output().expect("ip");
                assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }

    /// In one piece: whoever reads sees the old text or the new.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).expect("a file");
        std::fs::rename(self.path("new"), self.path(name)).expect("a file");
    }

    fn words(&self) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        let mut words = self.case.flags.clone();
        words.extend(["-n", "-l", "-D", "-f"].map(str::to_owned));
        words.push(path("conf"));
        for (option, name) in [("-p", "main.pid"), ("-r", "vrrp.pid"), ("-c", "check.pid")] {
            words.extend([option.to_owned(), path(name)]);
        }
        words
    }

    fn command(&self) -> Command {
        let link = self.path("keepalived");
        if !link.exists() {
            std::os::unix::fs::symlink(self.program, &link).expect("a link");
        }
        let mut command = Command::new(link);
        command.env("TMPDIR", &self.directory).stdin(Stdio::null());
        command
    }

    fn verdict(&self) -> Vec<String> {
        let output =
            self.command().arg("-t").args(["-f"]).arg(self.path("conf")).output().expect("the program");
        vec![output.status.to_string()]
    }

    fn start(&mut self) {
        let output = self.path("log");
        let file = File::create(&output).expect("a log");
        let mut command = self.command();
        command
            .args(self.words())
            .process_group(0)
            .stdout(file.try_clone().expect("a descriptor"))
            .stderr(file);
        self.process = Some(Process::start(&mut command, output));
    }

    fn signal(&mut self, number: i32) {
        let Some(process) = &mut self.process else { return };
        if process.ended().is_none() {
            process.signal(Signal::try_from(number).expect("a signal"));
        }
    }

    fn serve(&mut self, address: SocketAddr) {
        let (kind, answer) = self.servers.get(&address).expect("a server of the case").clone();
        if kind == "https" {
            let now = answer.lock().unwrap().clone();
            self.publish(address, &now);
            let nginx = self.start_nginx(address);
            self.nginx.insert(address, nginx);
        } else {
            let running = server::start(address, &kind, answer, Arc::clone(&self.seen));
            self.listening.insert(address, running);
        }
    }

    fn publish(&self, address: SocketAddr, answer: &str) {
        let root = self.path(&format!("www-{}", address.port()));
        std::fs::create_dir_all(&root).expect("a directory");
        let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
        if status == "200" {
            std::fs::write(root.join("index.html"), body).expect("a page");
        } else {
            let _ = std::fs::remove_file(root.join("index.html"));
        }
    }

    /// One server for `b.example`, which answers `b`, and one for all other names.
    fn start_nginx(&self, address: SocketAddr) -> Child {
        let at = self.directory.display();
        let port = address.port();
        if !self.path("key.pem").exists() {
            let mut openssl = Command::new("openssl");
            openssl.args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ]);
            openssl.args(["-subj", "/CN=a.example", "-days", "3000", "-keyout"]).arg(self.path("key.pem"));
            let output = openssl.arg("-out").arg(self.path("cert.pem")).output().expect("openssl");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let tls = format!("ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;");
        let config = format!(
            "daemon off; master_process off; user root; pid {at}/nginx-{port}.pid; error_log stderr emerg;\nevents {{}}\nhttp {{ \
             access_log off; client_body_temp_path {at}; proxy_temp_path {at}; fastcgi_temp_path {at}; uwsgi_temp_path {at}; \
             scgi_temp_path {at};\nserver {{ listen {address} ssl default_server; {tls} root {at}/www-{port}; }}\n\
             server {{ listen {address} ssl; server_name b.example; {tls} location / {{ return 200 b; }} }}\n}}\n"
        );
        let file = self.path(&format!("nginx-{port}.conf"));
        std::fs::write(&file, config).expect("a configuration");
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-e", "stderr", "-c"]).arg(file).stdin(Stdio::null());
        let child = command.spawn().expect("nginx: apt-get install nginx-light");
        let end = Instant::now() + crate::DEADLINE;
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "nginx does not listen on {address}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        child
    }

    fn logged(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path("log")).unwrap_or_default()).into_owned()
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.path("told")).unwrap_or_default()
    }

    fn read_fifo(&mut self) {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = (&self.fifo).read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        self.fifo_lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }

    /// All that changes, without what is merely repeated.
    fn state(&mut self) -> (String, Vec<String>, usize, usize, usize) {
        self.read_fifo();
        let table = std::fs::read_to_string("/proc/thread-self/net/ip_vs").unwrap_or_default();
        // Connection counters are no change.
        let table: String = table
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let kept = if words.first() == Some(&"->") { words.len().min(4) } else { words.len() };
                words[..kept].join(" ") + "\n"
            })
            .collect();
        let logged = self.logged();
        let mut lines: Vec<String> = logged[self.read.0.min(logged.len())..]
            .lines()
            .filter_map(|l| l.get(26..))
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines.dedup();
        let mails = self.seen.mails.lock().unwrap().len();
        (table, lines, self.fifo_lines.len(), self.told().len(), mails)
    }

    /// Waits for words in the log, but not for ever: what is not said is found when all is compared.
    fn wait_for(&mut self, words: &str) {
        let end = Instant::now() + RESTLESS;
        while !self.logged()[self.read.0..].contains(words) && Instant::now() < end {
            if self.process.as_mut().is_none_or(|process| process.ended().is_some()) {
                return;
            }
            std::thread::park_timeout(LOOK);
        }
    }

    fn settle(&mut self) -> Option<String> {
        let start = Instant::now();
        let mut last = self.state();
        let mut since = start;
        loop {
            std::thread::park_timeout(LOOK);
            let now = self.state();
            let at = Instant::now();
            if now != last {
                (last, since) = (now, at);
            } else if at.duration_since(since) >= QUIET {
                return None;
            }
            if at.duration_since(start) >= RESTLESS {
                return Some("does not settle".to_owned());
            }
        }
    }

    fn ended(&mut self) -> Option<String> {
        let process = self.process.as_mut()?;
        let end = Instant::now() + RESTLESS;
        loop {
            if let Some(status) = process.ended() {
                // Scripts and mails may outlive it.
                let stuck = self.settle();
                return (!status.success()).then(|| status.to_string()).or(stuck);
            }
            if Instant::now() >= end {
                return Some("does not stop".to_owned());
            }
            std::thread::park_timeout(LOOK);
        }
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        for nginx in self.nginx.values_mut() {
            let _ = nginx.kill();
            let _ = nginx.wait();
        }
    }
}

fn ipvsadm(words: &[&str]) -> Vec<String> {
    let output = Command::new("/usr/sbin/ipvsadm").args(words).output().expect("ipvsadm");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Written by this process, which forks: another thread's child may hold it open for writing for a moment, and then it
/// cannot be run. So it is written by `install`.
fn script(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).expect("a script");
    let status = Command::new("install").args(["-m", "755"]).arg(&draft).arg(path).status().expect("install");
    assert!(status.success(), "install {}", path.display());
    let mode = std::fs::metadata(path).expect("a script").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}
