//! From a configuration's checkers to what an attempt needs.

use super::Shared;
use super::link::Link;
use super::script::ScriptCheck;
use super::web::WebCheck;
use crate::plan::CheckerPlan;
use check::checker::dns::DnsQuery;
use check::checker::http::{Protocol, Url};
use check::checker::regex::{Conditions, Pattern};
use check::checker::udp::UdpPattern;
use check::checker::{Kind, Names, Settings, http};
use ek_time::Duration;
use keepalived_conf::model::{self, CheckerKind, HttpProtocol};
use notice::log::Log;
use notice::script::Programs;
use std::cell::{Cell, OnceCell};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;

/// What attempts share beside the configuration.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) shared: Shared,
    /// Made when the first `SSL_GET` is there; `None`: it cannot be.
    tls: OnceCell<Option<tls::Client>>,
    random: RandomState,
    drawn: Cell<u64>,
    sequence: Cell<u16>,
}

impl Context {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared,
            tls: OnceCell::new(),
            random: RandomState::new(),
            drawn: Cell::new(0),
            sequence: Cell::new(0),
        }
    }

    /// A number that nobody outside can guess: a keyed hash of a counter.
    pub(super) fn draw(&self) -> u64 {
        let drawn = self.drawn.get();
        self.drawn.set(drawn.wrapping_add(1));
        self.random.hash_one(drawn)
    }

    /// The next number of an echo request.
    pub(super) fn sequence(&self) -> u16 {
        let sequence = self.sequence.get();
        self.sequence.set(sequence.wrapping_add(1));
        sequence
    }

    fn tls(&self) -> Option<tls::Client> {
        self.tls.get_or_init(|| tls_client(self.shared.ssl.as_ref(), &self.shared.log)).clone()
    }
}

/// The TLS client of a configuration's `SSL` block. As with keepalived no server's certificate is ever verified: `ca` is read,
/// and must be readable, but nothing is compared with it. `None`, with the reason in the log, when a file cannot be used; the
/// role should not start then.
pub fn tls_client(ssl: Option<&model::Ssl>, log: &Log) -> Option<tls::Client> {
    let made = client_of(ssl);
    match made {
        Ok(client) => Some(client),
        Err((what, reason)) => {
            log.info(format_args!("SSL error : Cant load {what} file..."));
            log.info(format_args!("Error Initialize SSL, ctx Instance"));
            let shown =
                |path: Option<&Path>| path.map_or("(null)".to_owned(), |path| path.display().to_string());
            log.info(format_args!("  SSL  keyfile:{}", shown(ssl.and_then(|ssl| ssl.key.as_deref()))));
            log.info(format_args!("  SSL   cafile:{}", shown(ssl.and_then(|ssl| ssl.ca.as_deref()))));
            log.info(format_args!("  {reason}"));
            None
        }
    }
}

fn client_of(ssl: Option<&model::Ssl>) -> Result<tls::Client, (&'static str, String)> {
    let read = |what: &'static str, path: Option<&Path>| match path {
        None => Ok(None),
        Some(path) => match fs::read(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err((what, format!("{}: {error}", path.display()))),
        },
    };
    let named = |error: tls::SetupError| {
        let what = match error {
            tls::SetupError::Certificate(_) => "certificate",
            tls::SetupError::Key(_) => "key",
            tls::SetupError::Authorities(_) => "CA",
        };
        (what, error.to_string())
    };
    let Some(ssl) = ssl else { return tls::Client::new(&tls::Trust::Anyone, None).map_err(named) };
    let certificate = read("certificate", ssl.certificate.as_deref())?;
    let key = read("key", ssl.key.as_deref())?;
    if let Some(ca) = read("CA", ssl.ca.as_deref())? {
        tls::Client::new(&tls::Trust::Authorities(ca), None).map_err(named)?;
    }
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(tls::Identity { certificate, key, password: ssl.password.clone() })
        }
        // One without the other presents nothing.
        _ => None,
    };
    tls::Client::new(&tls::Trust::Anyone, identity.as_ref()).map_err(named)
}

/// What an attempt does. Checkers of one kind differ in little else than whom they ask, so the most of it is shared.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// `TCP_CHECK`.
    Tcp(Rc<Link>),
    /// `HTTP_GET`, `SSL_GET`.
    Web(Rc<Link>, Rc<WebCheck>),
    /// `SMTP_CHECK`, and what HELO says.
    Mail(Rc<Link>, Rc<str>),
    /// `DNS_CHECK`.
    Dns(Rc<Link>, Rc<DnsQuery>),
    /// `UDP_CHECK`.
    Udp(Rc<Link>, Rc<UdpPattern>),
    /// `PING_CHECK`.
    Ping(Rc<Link>),
    /// `MISC_CHECK`.
    Script(Rc<ScriptCheck>),
    /// `FILE_CHECK`, which has no attempts: its file, the weight, whether it counts the other way round, and the server.
    File { name: Rc<str>, weight: i32, reverse: bool, real: Rc<str> },
    /// It cannot be run, and its server counts as well.
    Nothing,
}

/// A checker as it is kept.
#[derive(Debug)]
pub(super) struct Checker {
    pub(super) target: Target,
    pub(super) destination: SocketAddr,
    pub(super) settings: Rc<Settings>,
    real: Rc<str>,
    service: Rc<str>,
}

impl Checker {
    /// What stands in its lines.
    pub(super) fn names(&self) -> Names<'_> {
        let (script, urls): (&str, &[http::Url]) = match &self.target {
            Target::Script(script) => (script.shown(), &[]),
            Target::Web(_, web) => ("", &web.urls),
            _ => ("", &[]),
        };
        Names {
            real_server: &self.real,
            virtual_server: &self.service,
            address: address_of(&self.real).unwrap_or(self.destination),
            destination: self.destination,
            script,
            urls,
        }
    }
}

/// The address in `[192.0.2.1]:tcp:80`.
fn address_of(shown: &str) -> Option<SocketAddr> {
    let (address, rest) = shown.strip_prefix('[')?.split_once(']')?;
    let (_, port) = rest.rsplit_once(':')?;
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

/// Makes checkers of plans; what a plan has in common with the one before it is shared.
#[derive(Debug, Default)]
pub(super) struct Maker {
    settings: Option<Rc<Settings>>,
    link: Option<Rc<Link>>,
}

impl Maker {
    /// What runs for this plan. What cannot be served is said in the log.
    pub(super) fn make(&mut self, context: &Context, plan: &CheckerPlan) -> Checker {
        let checker = &plan.checker;
        let (target, destination) = self.target(context, plan);
        let settings = Settings {
            kind: kind_of(&checker.kind),
            delay_loop: checker.delay_loop,
            delay_before_retry: checker.delay_before_retry,
            warmup: checker.warmup,
            retry: checker.retry,
            urls: match &checker.kind {
                CheckerKind::Http(http) => u16::try_from(http.urls.len()).unwrap_or(u16::MAX),
                _ => 0,
            },
            alpha: checker.alpha,
            fast_recovery: matches!(&checker.kind, CheckerKind::Http(http) if http.fast_recovery),
            log_all_failures: plan.log_all_failures,
            dynamic: matches!(checker.kind, CheckerKind::Misc { dynamic: true, .. }),
        };
        let settings = share(&mut self.settings, settings);
        Checker { target, destination, settings, real: plan.real.clone(), service: plan.service.clone() }
    }

    fn target(&mut self, context: &Context, plan: &CheckerPlan) -> (Target, SocketAddr) {
        let checker = &plan.checker;
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let log = &context.shared.log;
        match &checker.kind {
            CheckerKind::Misc { script, timeout, .. } => {
                let limit = if timeout.is_zero() { checker.delay_loop } else { *timeout };
                let words: Vec<_> = script.command.iter().map(|word| format!("'{word}'")).collect();
                let what = format!("misc script {}", words.join(" "));
                let program = Programs::new(&context.shared.global, log).prepare(script, &what);
                let target = program.map_or(Target::Nothing, |program| {
                    Target::Script(Rc::new(ScriptCheck::new(program, limit)))
                });
                return (target, address_of(&plan.real).unwrap_or(nobody));
            }
            CheckerKind::File { file, weight, .. } => {
                let name = Rc::from(file.text.as_str());
                let (weight, reverse) = (weight.value, weight.reverse);
                return (Target::File { name, weight, reverse, real: plan.real.clone() }, nobody);
            }
            _ => {}
        }
        let Some(connection) = &checker.connection else { return (Target::Nothing, nobody) };
        let destination = SocketAddr::new(connection.address, connection.port);
        let link = share(&mut self.link, Link::new(connection));
        let target = match &checker.kind {
            CheckerKind::Tcp => Target::Tcp(link),
            CheckerKind::Ping => Target::Ping(link),
            CheckerKind::Http(http) => match web(context, http) {
                Some(web) => Target::Web(link, Rc::new(web)),
                None => Target::Nothing,
            },
            CheckerKind::Smtp { helo_name } => {
                let name = helo_name.as_deref().or(context.shared.global.mail.helo_name.as_deref());
                Target::Mail(link, name.map_or_else(host_name, Rc::from))
            }
            CheckerKind::Dns { query, name } => match DnsQuery::new(name, *query) {
                Ok(query) => Target::Dns(link, Rc::new(query)),
                Err(error) => {
                    log.info(format_args!("DNS_CHECK name {name} of {}: {error} - ignoring", plan.real));
                    Target::Nothing
                }
            },
            CheckerKind::Udp(udp) => Target::Udp(link, Rc::new(pattern(udp))),
            CheckerKind::Misc { .. } | CheckerKind::File { .. } => Target::Nothing,
        };
        (target, destination)
    }
}

/// The value before, if it is the same.
fn share<T: PartialEq>(last: &mut Option<Rc<T>>, value: T) -> Rc<T> {
    match last {
        Some(same) if **same == value => same.clone(),
        _ => last.insert(Rc::new(value)).clone(),
    }
}

fn kind_of(kind: &CheckerKind) -> Kind {
    match kind {
        // A file has no rounds; what is set for them is not looked at.
        CheckerKind::Tcp | CheckerKind::File { .. } => Kind::Tcp,
        CheckerKind::Http(http) if http.tls => Kind::Ssl,
        CheckerKind::Http(_) => Kind::Http,
        CheckerKind::Smtp { .. } => Kind::Smtp,
        CheckerKind::Dns { .. } => Kind::Dns,
        CheckerKind::Misc { .. } => Kind::Misc,
        CheckerKind::Udp(_) => Kind::Udp,
        CheckerKind::Ping => Kind::Ping,
    }
}

fn host_name() -> Rc<str> {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.map_or_else(|| Rc::from("localhost"), Rc::from)
}

fn pattern(udp: &model::UdpCheck) -> UdpPattern {
    UdpPattern {
        payload: udp.payload.clone(),
        require_reply: udp.require_reply,
        reply: udp.reply.clone(),
        min_length: udp.min_length,
        max_length: udp.max_length,
    }
}

fn web(context: &Context, http: &model::HttpCheck) -> Option<WebCheck> {
    let log = &context.shared.log;
    let mut urls = Vec::with_capacity(http.urls.len());
    for url in &http.urls {
        let regex = match &url.regex {
            None => None,
            Some(regex) => match compile(regex) {
                Ok(pattern) => Some(pattern),
                Err(error) => {
                    log.info(format_args!("Invalid regex: '{}' - {error}", regex.pattern));
                    return None;
                }
            },
        };
        urls.push(Url {
            path: url.path.clone(),
            virtual_host: url.virtual_host.clone(),
            digests: url.digests.clone(),
            status: url.status.clone(),
            regex,
        });
    }
    Some(WebCheck {
        protocol: match http.protocol {
            HttpProtocol::V1_0 => Protocol::V1_0,
            HttpProtocol::V1_0Close => Protocol::V1_0Close,
            HttpProtocol::V1_1 => Protocol::V1_1,
        },
        host: http.virtual_host.clone(),
        urls,
        tls: if http.tls { Some(context.tls()?) } else { None },
        sni: http.sni,
        sni_name: http.sni_name.clone(),
        must_say_end: http.tls_compliant,
    })
}

fn compile(regex: &model::Regex) -> Result<Pattern, check::checker::regex::RegexError> {
    let options: Vec<&str> = regex.options.iter().map(String::as_str).collect();
    let conditions =
        Conditions { no_match: regex.no_match, min_offset: regex.min_offset, max_offset: regex.max_offset };
    Pattern::compile(&regex.pattern, &options, conditions)
}

/// The longest that an attempt with several exchanges may take: a server that sends a byte now and then does not keep it for
/// ever, although each of its waits is short.
pub(super) fn whole(timeout: Duration) -> Duration {
    timeout.saturating_mul(20)
}
