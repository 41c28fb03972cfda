//! Checkers against servers of every kind, all on the loopback interface. Nothing here measures time: what matters is what is
//! found, and what comes before what.

mod files;
mod hostile;
mod kinds;
mod pace;
mod secure;

use super::{Prober, Shared, Verdict};
use crate::plan::{CheckerId, CheckerPlan};
use keepalived_conf::{Memory, Options, Unknown, load, model};
use notice::log::{Log, LogOptions};
use notice::mailbox::Mailbox;
use reactor::{ListenOptions, Listener, SockAddr, Stream};
use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;

/// Checkers at work, and what they say.
pub(super) struct Lab {
    pub(super) prober: Prober,
    verdicts: Mailbox<(CheckerId, Verdict)>,
    pub(super) config: model::Config,
}

/// Runs a test on a reactor.
pub(super) fn on_reactor<T>(test: impl AsyncFnOnce() -> T) -> T {
    reactor::run(reactor::Settings::default(), test()).unwrap()
}

/// A configuration of one virtual server that holds `servers`; its checks are fast.
pub(super) fn configuration(servers: &str) -> model::Config {
    let text = format!(
        "global_defs {{\n script_user root\n enable_script_security\n}}\n{}",
        match servers.contains("virtual_server") {
            true => servers.to_owned(),
            false => format!(
                "virtual_server 192.0.2.1 80 {{\n delay_loop 0.05\n protocol TCP\n lb_algo rr\n lb_kind NAT\n retry 0\n \
                 warmup 0\n delay_before_retry 0.05\n{servers}\n}}\n"
            ),
        }
    );
    let options = Options { path: "/k.conf".into(), ..Options::default() };
    let loaded = load(&options, &Memory::of("/k.conf", text), &Unknown);
    loaded.config
}

/// The plans of a configuration.
pub(super) fn plans(config: &model::Config) -> Vec<CheckerPlan> {
    let mut plans = Vec::new();
    for service in &config.virtual_servers {
        for server in &service.real_servers {
            for checker in &server.checkers {
                plans.push(CheckerPlan {
                    id: CheckerId(plans.len() as u32),
                    checker: Rc::new(checker.clone()),
                    real: format!("[{}]:tcp:{}", server.address, server.port).into(),
                    service: "[192.0.2.1]:tcp:80".into(),
                    log_all_failures: false,
                    up: !checker.alpha,
                });
            }
        }
    }
    plans
}

impl Lab {
    /// Starts the checkers of [`configuration`].
    pub(super) fn start(servers: &str) -> Self {
        let config = configuration(servers);
        let verdicts = Mailbox::default();
        let mut prober = Prober::new(shared(&config, &verdicts));
        for plan in plans(&config) {
            prober.start(plan);
        }
        Self { prober, verdicts, config }
    }

    /// Another configuration, whose checkers have those numbers of before.
    pub(super) fn reload(&mut self, servers: &str, before: &[Option<u32>]) {
        self.config = configuration(servers);
        let plans = plans(&self.config);
        assert_eq!(plans.len(), before.len());
        let plans = plans.into_iter().zip(before.iter().map(|number| number.map(CheckerId))).collect();
        self.prober.reload(shared(&self.config, &self.verdicts), plans);
    }

    /// The next verdict.
    pub(super) async fn next(&self) -> (u32, Verdict) {
        poll_fn(|cx| self.verdicts.poll_ready(cx)).await;
        let (id, verdict) = self.verdicts.take().unwrap();
        (id.0, verdict)
    }

    /// The next verdict, if there is one already.
    pub(super) fn already(&self) -> Option<(u32, Verdict)> {
        self.verdicts.take().map(|(id, verdict)| (id.0, verdict))
    }

    /// The first verdict of each of `count` checkers, by number.
    pub(super) async fn first(&self, count: usize) -> Vec<Verdict> {
        let mut found: Vec<Option<Verdict>> = vec![None; count];
        while found.iter().any(Option::is_none) {
            let (id, verdict) = self.next().await;
            found[id as usize].get_or_insert(verdict);
        }
        found.into_iter().flatten().collect()
    }
}

fn shared(config: &model::Config, verdicts: &Mailbox<(CheckerId, Verdict)>) -> Shared {
    let log = LogOptions { facility: None, ..LogOptions::default() };
    Shared {
        log: Rc::new(Log::new(log)),
        global: Rc::new(config.global.clone()),
        ssl: config.ssl.clone(),
        files: config.files.clone(),
        seed: 1,
        verdicts: verdicts.clone(),
    }
}

/// A TCP server that does `serve` with each connection; its port.
pub(super) fn serve(serve: impl AsyncFn(Stream) + 'static) -> u16 {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&SockAddr::Ip(any), &ListenOptions::default()).unwrap();
    let port = listener.local_addr().unwrap().ip().unwrap().port();
    let serve = Rc::new(serve);
    reactor::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let serve = serve.clone();
            reactor::spawn(async move { serve(stream).await });
        }
    });
    port
}

/// A port where nobody listens.
pub(super) fn nobody() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads until the bytes end with `end`; empty at the end of the stream.
pub(super) async fn read_until(stream: &Stream, end: &[u8]) -> Vec<u8> {
    let mut got = Vec::new();
    let mut buffer = [0; 2048];
    while !got.ends_with(end) {
        match stream.try_read(&mut buffer) {
            Ok(0) => return Vec::new(),
            Ok(len) => got.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => stream.readable().await,
            Err(_) => return Vec::new(),
        }
    }
    got
}

/// Writes all of it, or as much as the other side takes.
pub(super) async fn write(stream: &Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => stream.writable().await,
            Err(_) => return,
        }
    }
}

/// An HTTP server that answers every request with these bytes and closes.
pub(super) fn answering(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    serve(async move |stream| {
        read_until(&stream, b"\r\n\r\n").await;
        write(&stream, &answer).await;
    })
}

/// Holds connections open without a word.
pub(super) fn silent() -> u16 {
    let held = RefCell::new(Vec::new());
    serve(async move |stream| held.borrow_mut().push(stream))
}

/// `real_server`s with their checkers. keepalived drops a server that is there twice, so each has a port of its own.
pub(super) fn servers(checkers: &[(u16, &str)]) -> String {
    let mut text = String::new();
    for (number, (port, checker)) in (1..).zip(checkers) {
        let connects = !checker.starts_with("MISC_CHECK") && !checker.contains("connect_port");
        let checker = match connects {
            true => checker.replacen('{', &format!("{{\n connect_port {port}\n"), 1),
            false => (*checker).to_owned(),
        };
        text += &format!("real_server 127.0.0.1 {number} {{\n{checker}\n}}\n");
    }
    text
}
