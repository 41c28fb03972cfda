//! Checkers in `keepalived_check.data`.

use super::data::{line, seconds, yes};
use crate::driver::World;
use crate::plan::CheckerPlan;
use keepalived_conf::model;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn put(out: &mut String, world: &World, plan: &CheckerPlan) {
    let Some(status) = world.director.checker(plan.id) else { return };
    let checker = &*plan.checker;
    line!(out, " {} -> {}", plan.service, plan.real);
    line!(out, "   Enabled = {}", yes(status.enabled));
    line!(out, "   Up = {}", yes(status.up));
    line!(out, "   Has run = {}", yes(status.has_run));
    line!(out, "   Current weight = {}", status.plus);
    if !matches!(checker.kind, model::CheckerKind::File { .. }) {
        line!(out, "   Alpha = {}", yes(checker.alpha));
        line!(out, "   Delay loop = {} us", checker.delay_loop.as_micros());
        line!(out, "   Warmup = {} us", checker.warmup.as_micros());
        line!(out, "   Retries = {}", checker.retry);
        if checker.retry > 0 {
            line!(out, "   Delay before retry = {} us", checker.delay_before_retry.as_micros());
            // One failure is enough for a checker that has not run yet.
            let smtp = matches!(checker.kind, model::CheckerKind::Smtp { .. });
            let tried = if status.has_run || smtp { 0 } else { checker.retry };
            line!(out, "   Retries iterations = {tried}");
        }
        let default = match &checker.kind {
            model::CheckerKind::Dns { .. } => 0,
            model::CheckerKind::Http(_) => 3_000_000,
            _ => 1_000_000,
        };
        line!(out, "   Default delay before retry = {default} us");
    }
    line!(out, "   Log all failures = {}", yes(plan.log_all_failures));
    if let Some(connection) = &checker.connection {
        put_connection(out, connection);
    }
    let inherited = world.plan.real_server(status.server);
    let inherited = inherited
        .and_then(|(service, server)| server.virtual_host.as_ref().or(service.virtual_host.as_ref()));
    put_kind(out, &checker.kind, inherited.map(String::as_str));
}

fn put_connection(out: &mut String, connection: &model::Connection) {
    line!(out, "   Connection");
    line!(out, "     Dest = [{}]:{}", connection.address, connection.port);
    if connection.bind_address.is_some() || connection.bind_port.is_some() {
        let any = match connection.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let address = connection.bind_address.unwrap_or(any);
        line!(out, "     Bind to = [{address}]:{}", connection.bind_port.unwrap_or(0));
    }
    if let Some(interface) = &connection.bind_interface {
        line!(out, "     Bind i/f = {}", interface.text);
    }
    if connection.mark != 0 {
        line!(out, "     Mark = {}", connection.mark);
    }
    line!(out, "     Timeout = {}", seconds(connection.timeout));
}

fn put_kind(out: &mut String, kind: &model::CheckerKind, inherited: Option<&str>) {
    let method = crate::lower::kind_name(kind);
    match kind {
        model::CheckerKind::Tcp | model::CheckerKind::Ping => {
            line!(out, "   Keepalive method = {method}");
        }
        model::CheckerKind::Http(http) => put_http(out, method, http, inherited),
        model::CheckerKind::Smtp { helo_name } => {
            line!(out, "   Keepalive method = {method}");
            line!(out, "   helo = {}", helo_name.as_deref().unwrap_or("(null)"));
        }
        model::CheckerKind::Dns { query, name } => {
            line!(out, "   Keepalive method = {method}");
            let kind = match query {
                1 => "A",
                2 => "NS",
                5 => "CNAME",
                6 => "SOA",
                15 => "MX",
                16 => "TXT",
                28 => "AAAA",
                46 => "RRSIG",
                48 => "DNSKEY",
                _ => "(unknown)",
            };
            line!(out, "   Type = {kind}");
            line!(out, "   Name = {}", name.trim_end_matches('.'));
        }
        model::CheckerKind::Misc { script, timeout, dynamic } => {
            line!(out, "   Keepalive method = {method}");
            let words: Vec<_> = script.command.iter().map(|word| format!("'{word}'")).collect();
            line!(out, "   script = {}", words.join(" "));
            line!(out, "   timeout = {}", timeout.as_secs());
            line!(out, "   dynamic = {}", if *dynamic { "YES" } else { "NO" });
        }
        model::CheckerKind::Udp(udp) => {
            line!(out, "   Keepalive method = {method}");
            match &udp.payload {
                Some(payload) => {
                    line!(out, "   Payload len = {}", payload.len());
                }
                None => {
                    line!(out, "   Payload specified = no");
                }
            }
            line!(out, "   Require reply = {}", yes(udp.require_reply));
            if udp.require_reply {
                line!(out, "     Min reply length = {}", udp.min_length);
                line!(out, "     Max reply length = {}", udp.max_length);
                line!(out, "     Reply data len = {}", udp.reply.len());
                if !udp.reply.is_empty() {
                    let masked = udp.reply.iter().any(|(_, mask)| *mask != 0xff);
                    line!(out, "     Reply data mask = {}", yes(masked));
                }
            }
        }
        model::CheckerKind::File { file, .. } => {
            line!(out, "   Keepalive method = {method}");
            line!(out, "     Tracked file = {}", file.text);
            line!(out, "     Reloaded = No");
        }
    }
}

fn put_http(out: &mut String, method: &str, http: &model::HttpCheck, inherited: Option<&str>) {
    let protocol = match http.protocol {
        model::HttpProtocol::V1_0 => "1.0",
        model::HttpProtocol::V1_0Close => "1.0C",
        model::HttpProtocol::V1_1 => "1.1",
    };
    let set = |value: bool| if value { "set" } else { "unset" };
    line!(out, "   Keepalive method = {method}, http protocol {protocol}");
    if let Some(host) = http.virtual_host.as_deref().filter(|host| Some(*host) != inherited) {
        line!(out, "   Virtualhost = {host}");
    }
    line!(out, "   Enable SNI {}", set(http.sni));
    line!(out, "   Fast recovery {}", set(http.fast_recovery));
    for url in &http.urls {
        line!(out, "   Checked url = {}", url.path);
        for digest in &url.digests {
            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            line!(out, "     digest = {digits}");
        }
        line!(out, "     HTTP Status Code(s)");
        let all = [200..=299];
        let ranges = if url.status.is_empty() { all.as_slice() } else { url.status.as_slice() };
        for range in ranges {
            if range.start() == range.end() {
                line!(out, "       {}", range.start());
            } else {
                line!(out, "       {}-{}", range.start(), range.end());
            }
        }
        if let Some(host) = &url.virtual_host {
            line!(out, "     Virtual host = {host}");
        }
        if let Some(regex) = &url.regex {
            put_regex(out, regex);
        }
    }
}

fn put_regex(out: &mut String, regex: &model::Regex) {
    line!(out, "     Regex = \"{}\"", regex.pattern);
    if regex.no_match {
        line!(out, "     Regex no match");
    }
    match (regex.min_offset, regex.max_offset) {
        (0, 0) => {}
        (least, 0) => {
            line!(out, "     Regex min offset = {least}");
        }
        (least, most) => {
            line!(out, "     Regex min offset = {least}, max_offset = {}", most.saturating_sub(1));
        }
    }
    let options: String = regex.options.iter().map(|option| format!(" {option}")).collect();
    line!(out, "     Regex options:{options}");
}
