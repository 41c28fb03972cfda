//! Drafts into the model: ids counted, formats compiled, defaults filled in.

use super::draft::{Draft, ProxyDraft, Said, ServerDraft, Settings};
use super::{LogChoice, code, place};
use crate::model::{
    Address, Balance, Bind, Check, Config, LogLine, Mode, Proxy, ProxyKind, Server, ServerCheck,
};
use diag::{Diagnostic, Report, Sources, Span};
use logformat::Format;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first number given to proxies that have no `id`, as HAProxy counts.
const FIRST_PROXY_ID: u32 = 2;

/// The model of `draft`. What is found wrong on the way (log formats) goes into `report`.
pub(crate) fn finish(mut draft: Draft, sources: &Sources, report: &mut Report) -> Config {
    let tune = &mut draft.global.tune;
    if tune.maxrewrite >= tune.bufsize / 2 {
        tune.maxrewrite = tune.bufsize / 2;
    }
    let mut ids = Ids::new(FIRST_PROXY_ID, draft.proxies.iter().filter_map(|proxy| proxy.id.as_ref()));
    let targets: Vec<Option<usize>> = draft
        .proxies
        .iter()
        .map(|proxy| Some(draft.backend(&proxy.settings.default_backend.as_ref()?.value)?.0))
        .collect();
    let mut proxies = Vec::with_capacity(draft.proxies.len());
    for (proxy, default_backend) in std::mem::take(&mut draft.proxies).into_iter().zip(targets) {
        let id = ids.take(proxy.id.as_ref());
        let Some(kind) = proxy.kind.model() else { continue };
        let mut compiler = Compiler { report, mode: proxy.settings.mode };
        proxies.push(compiler.proxy(proxy, kind, id, default_backend, sources));
    }
    Config { global: draft.global, proxies }
}

/// Numbers that count up past those taken.
struct Ids {
    next: u32,
    taken: BTreeSet<u32>,
}

impl Ids {
    fn new<'a>(first: u32, said: impl Iterator<Item = &'a Said<u32>>) -> Self {
        Self { next: first, taken: said.map(|id| id.value).collect() }
    }

    fn take(&mut self, said: Option<&Said<u32>>) -> u32 {
        if let Some(said) = said {
            return said.value;
        }
        while self.taken.contains(&self.next) {
            self.next = self.next.saturating_add(1);
        }
        let id = self.next;
        self.next = self.next.saturating_add(1);
        id
    }
}

struct Compiler<'a> {
    report: &'a mut Report,
    mode: Mode,
}

impl Compiler<'_> {
    fn proxy(
        &mut self,
        mut draft: ProxyDraft,
        kind: ProxyKind,
        id: u32,
        default_backend: Option<usize>,
        sources: &Sources,
    ) -> Proxy {
        let settings = &mut draft.settings;
        let (log_line, error_log_format, log_format_sd) = if kind.is_frontend() {
            let line = self.log_line(settings.log.take());
            let errors = self.format("error-log-format", settings.error_log_format.take());
            (line, errors, self.format("log-format-sd", settings.log_format_sd.take()))
        } else {
            (LogLine::Connect, None, None)
        };
        let unique_id_format = self.format("unique-id-format", settings.unique_id_format.take());
        let mut timeouts = settings.timeouts.clone();
        if kind.is_backend() {
            timeouts.queue = timeouts.queue.or(timeouts.connect);
        }
        let check = check(settings);
        let mut bind_ids = Ids::new(1, draft.binds.iter().filter_map(|bind| bind.id.as_ref()));
        let binds = draft.binds.into_iter();
        let binds = binds.map(|bind| Bind { id: bind_ids.take(bind.id.as_ref()), ..bind.bind }).collect();
        let mut server_ids = Ids::new(1, draft.servers.iter().filter_map(|server| server.id.as_ref()));
        let servers = draft.servers.into_iter().map(|draft| {
            let id = server_ids.take(draft.id.as_ref());
            server(draft, id)
        });
        let servers = servers.collect();
        let settings = draft.settings;
        Proxy {
            kind,
            name: Arc::from(draft.name),
            id,
            place: place(sources, draft.span),
            mode: settings.mode,
            disabled: settings.disabled,
            description: draft.description,
            binds,
            maxconn: settings.maxconn.filter(|&most| most > 0),
            backlog: settings.backlog.filter(|&most| most > 0),
            fullconn: settings.fullconn.filter(|&most| most > 0),
            default_backend: default_backend.filter(|_| kind.is_frontend()),
            timeouts,
            options: settings.options,
            retries: settings.retries.unwrap_or(3),
            loggers: settings.loggers,
            log_line,
            error_log_format,
            log_format_sd,
            log_tag: settings.log_tag,
            unique_id_format,
            unique_id_header: settings.unique_id_header,
            error_files: settings.error_files,
            balance: settings.balance.unwrap_or(Balance::Random(2)),
            http_reuse: settings.http_reuse,
            servers,
            check,
        }
    }

    fn log_line(&mut self, choice: Option<Said<LogChoice>>) -> LogLine {
        let Some(choice) = choice else { return LogLine::Connect };
        let http = self.mode == Mode::Http;
        let text = match choice.value {
            LogChoice::Http(false) if http => logformat::HTTP_LOG.to_owned(),
            LogChoice::Http(true) if http => logformat::HTTP_CLF_LOG.to_owned(),
            LogChoice::Http(false) | LogChoice::Tcp(false) => logformat::TCP_LOG.to_owned(),
            LogChoice::Http(true) | LogChoice::Tcp(true) => logformat::TCP_CLF_LOG.to_owned(),
            LogChoice::Format(text) => text,
        };
        match self.format("log-format", Some(Said::new(text, choice.span))) {
            Some(format) => LogLine::Format(format),
            None => LogLine::Connect,
        }
    }

    fn format(&mut self, keyword: &str, text: Option<Said<String>>) -> Option<Arc<Format>> {
        let text = text?;
        let mode = match self.mode {
            Mode::Tcp => logformat::Mode::Tcp,
            Mode::Http => logformat::Mode::Http,
        };
        match Format::compile(&text.value, mode) {
            Ok(format) => {
                for warning in format.warnings() {
                    self.say(Diagnostic::warning(code::LOG_FORMAT_HINT, warning.message.clone()), text.span);
                }
                Some(Arc::new(format))
            }
            Err(error) => {
                let message = format!("failed to parse {keyword} : {}", error.message);
                self.say(Diagnostic::error(code::LOG_FORMAT, message), text.span);
                None
            }
        }
    }

    /// Once for each place: many proxies may share a format of a defaults section.
    fn say(&mut self, diagnostic: Diagnostic, span: Span) {
        let diagnostic = diagnostic.at(span);
        if !self.report.iter().any(|before| *before == diagnostic) {
            self.report.push(diagnostic);
        }
    }
}

/// What a health check of this backend says.
fn check(settings: &mut Settings) -> Check {
    let Some(line) = settings.httpchk.take() else { return Check::Connect };
    let send = settings.http_check_send.take().map(|send| send.value).unwrap_or_default();
    let host = line.host.map(|host| ("Host".to_owned(), host));
    Check::Http {
        method: send.method.or(line.method).unwrap_or_else(|| "OPTIONS".to_owned()),
        uri: send.uri.or(line.uri).unwrap_or_else(|| "/".to_owned()),
        version: send.version.or(line.version).unwrap_or_else(|| "HTTP/1.0".to_owned()),
        headers: host.into_iter().chain(send.headers).collect(),
        body: send.body,
    }
}

fn server(draft: ServerDraft, id: u32) -> Server {
    let settings = draft.settings;
    let check = settings.check.then(|| ServerCheck {
        inter: settings.inter,
        fastinter: settings.fastinter,
        downinter: settings.downinter,
        rise: settings.rise,
        fall: settings.fall,
        port: settings.check_port.or(match &draft.address {
            Address::Ip(address) => Some(address.port()).filter(|&port| port > 0),
            _ => None,
        }),
        addr: settings.check_addr,
    });
    Server {
        name: Arc::from(draft.name),
        id,
        address: draft.address,
        weight: settings.weight,
        backup: settings.backup,
        disabled: settings.disabled,
        maxconn: settings.maxconn,
        maxqueue: settings.maxqueue,
        pool_max_conn: settings.pool_max_conn,
        pool_purge_delay: settings.pool_purge_delay,
        check,
        place: draft.place,
    }
}
