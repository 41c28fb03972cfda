//! `HTTP_GET` and `SSL_GET`.

use super::engine::Ended;
use super::link::Link;
use super::plan::whole;
use super::stream::{Read, Talk};
use check::checker::http::{End, HttpGet, Protocol, Url, request};
use check::checker::{Attempt, Failure};
use reactor::{now, timeout_at};
use std::net::SocketAddr;

/// What it asks, and how.
#[derive(Debug)]
pub(super) struct WebCheck {
    pub(super) protocol: Protocol,
    /// `virtualhost` of the checker or the server; a url's own goes before it.
    pub(super) host: Option<String>,
    pub(super) urls: Vec<Url>,
    /// By TLS.
    pub(super) tls: Option<tls::Client>,
    /// `enable_sni`.
    pub(super) sni: bool,
    /// `sni_name`.
    pub(super) sni_name: Option<String>,
    /// `tls_compliant`.
    pub(super) must_say_end: bool,
}

impl WebCheck {
    /// The name that the server is asked for in the handshake: `sni_name`, else what `Host` says.
    fn server_name<'a>(&'a self, url: &'a Url) -> Option<&'a str> {
        let name = self.sni_name.as_deref().or(url.virtual_host.as_deref()).or(self.host.as_deref());
        name.filter(|_| self.sni)
    }
}

/// Asks for one url.
pub(super) async fn check(link: &Link, to: SocketAddr, web: &WebCheck, url: usize) -> Ended {
    let Some(url) = web.urls.get(url).or(web.urls.first()) else { return Ended::passed() };
    match timeout_at(now() + whole(link.timeout), ask(link, to, web, url)).await {
        Ok(ended) => ended,
        Err(_) => Ended::because(Failure::ReadTimeout, "the answer takes too long".to_owned()),
    }
}

async fn ask(link: &Link, to: SocketAddr, web: &WebCheck, url: &Url) -> Ended {
    let connected = match &web.tls {
        None => Talk::plain(link, to).await,
        Some(client) => Talk::tls(link, to, client, web.server_name(url)).await,
    };
    let mut talk = match connected {
        Ok(talk) => talk,
        Err(ended) => return ended,
    };
    if let Err(ended) = talk.send(&request(web.protocol, url, web.host.as_deref(), to)).await {
        return ended;
    }
    let mut answer = HttpGet::new(url);
    loop {
        let mut early: Option<Attempt> = None;
        match talk.receive(|bytes| early = answer.feed(url, bytes)).await {
            Err(_) => return Ended::failed(answer.timeout()),
            Ok(Read::Data) => {}
            Ok(Read::End(End::TlsCut)) if web.must_say_end => {
                return Ended::because(Failure::TlsRead, "TLS ended without close_notify".to_owned());
            }
            // As OpenSSL is told to, an end without close_notify is taken for one.
            Ok(Read::End(End::TlsCut)) => return Ended::Attempt(answer.end(url, End::TlsClosed), None),
            Ok(Read::End(end)) => return Ended::Attempt(answer.end(url, end), None),
            Ok(Read::Failed(failure, detail)) => return Ended::because(failure, detail),
        }
        if let Some(attempt) = early {
            return Ended::Attempt(attempt, None);
        }
    }
}
