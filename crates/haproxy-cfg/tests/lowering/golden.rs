//! Whole configurations and the models they give.

use crate::machine;
use haproxy_cfg::model::{
    Address, Balance, Check, Config, HttpConnectionMode, LogLine, LoggerFormat, LoggerRef, Mode, ProxyKind,
};
use std::time::Duration;

fn config(text: &str) -> Config {
    let parsed = machine::parse("t.cfg", text);
    let said: Vec<_> = parsed.report.iter().map(|d| (d.code.0, d.message.clone())).collect();
    parsed.config.unwrap_or_else(|| panic!("{said:?}"))
}

/// The model as text: blocks on one line where they fit, without places and the insides of log formats, which change
/// with every edit elsewhere.
fn shown(config: &Config) -> String {
    let dump = format!("{config:#?}");
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    for line in dump.lines() {
        let text = line.trim();
        if text.ends_with(['{', '(', '[']) {
            open.push(vec![line.to_owned()]);
        } else if text.starts_with(['}', ')', ']']) {
            let block = open.pop().unwrap();
            let (head, inner) = block.split_first().unwrap();
            let name = head.trim();
            let outer = open.last_mut().unwrap();
            if name.ends_with("Place {") {
                continue;
            }
            if name.ends_with("Format {") {
                outer.push(format!("{head} .. {text}"));
                continue;
            }
            let words: Vec<&str> = inner.iter().map(|line| line.trim()).collect();
            let joined = format!("{head}{}{text}", words.join(" ").trim_end_matches(','));
            if joined.len() <= 110 && inner.iter().all(|line| !line.contains('\n')) {
                outer.push(joined);
            } else {
                outer.push([block.join("\n"), line.to_owned()].join("\n"));
            }
        } else {
            open.last_mut().unwrap().push(line.to_owned());
        }
    }
    open.concat().join("\n")
}

#[test]
fn the_guides_configuration() {
    let parsed = machine::parse("haproxy-basic.cfg", include_str!("../data/haproxy-basic.cfg"));
    assert_eq!(machine::codes(&parsed), "-");
    insta::assert_snapshot!(shown(&parsed.config.unwrap()));
}

#[test]
fn the_guides_gateways_but_for_tls() {
    let text = include_str!("../data/haproxy-ceph.cfg");
    let parsed = machine::parse("haproxy-ceph.cfg", text);
    assert_eq!(machine::codes(&parsed), "H0117@20 H0101@25 H0101@25");
    let plain = text.replace(" ssl crt /etc/ssl/private/example.com.pem", "");
    let parsed = machine::parse("haproxy-ceph.cfg", &plain);
    assert_eq!(machine::codes(&parsed), "H0117@20");
    let warning = parsed.report.iter().next().unwrap();
    assert!(warning.message.ends_with("write 'bind *:80' on a line of its own"), "{}", warning.message);
    let config = parsed.config.unwrap();
    let addresses: Vec<_> = config.proxies.iter().flat_map(|p| &p.binds).map(|b| &b.address).collect();
    assert_eq!(
        addresses,
        [&Address::Ip("0.0.0.0:80".parse().unwrap()), &Address::Ip("192.168.0.100:443".parse().unwrap())]
    );
    assert_eq!(config.proxies[0].default_backend, Some(2));
}

#[test]
fn a_name_that_was_broken_is_explained() {
    let parsed = machine::parse("t.cfg", "frontend rgw -https\n bind :443\n");
    let error = parsed.report.iter().find(|d| d.code.0 == "H0118").unwrap();
    assert_eq!(error.message, "please use the 'bind' keyword for listening addresses.");
    assert_eq!(error.notes, ["'-https' is no address; was the name meant to be 'rgw-https'?"]);
}

#[test]
fn everything_that_is_served_at_once() {
    insta::assert_snapshot!(shown(&config(include_str!("../data/everything.cfg"))));
}

#[test]
fn defaults_of_the_newest_manual() {
    let config = config("listen l\n mode http\n bind :80\n server s 127.0.0.1:80 check\n");
    let proxy = &config.proxies[0];
    assert_eq!(proxy.kind, ProxyKind::Listen);
    assert_eq!(proxy.id, 2);
    assert_eq!(proxy.balance, Balance::Random(2));
    assert_eq!(proxy.retries, 3);
    assert_eq!(proxy.options.connection_mode, HttpConnectionMode::KeepAlive);
    assert_eq!(proxy.check, Check::Connect);
    assert!(matches!(proxy.log_line, LogLine::Connect));
    let server = &proxy.servers[0];
    assert_eq!((server.id, server.weight, server.maxconn, server.pool_max_conn), (1, 1, 0, -1));
    assert_eq!(server.pool_purge_delay, Duration::from_secs(5));
    let check = server.check.as_ref().unwrap();
    assert_eq!((check.inter, check.rise, check.fall, check.port), (Duration::from_secs(2), 2, 3, Some(80)));
    assert_eq!(config.global.tune.bufsize, 16_384);
}

#[test]
fn later_sections_inherit_from_the_last_defaults_before_them_or_from_the_named() {
    let text = "defaults a\n mode http\n retries 5\ndefaults b from a\n retries 7\n option httpclose\n\
                backend x from a\nbackend y from b\nbackend z from a\n mode tcp\n";
    let config = config(text);
    let seen: Vec<_> =
        config.proxies.iter().map(|p| (p.mode, p.retries, p.options.connection_mode)).collect();
    assert_eq!(
        seen,
        [
            (Mode::Http, 5, HttpConnectionMode::KeepAlive),
            (Mode::Http, 7, HttpConnectionMode::Close),
            (Mode::Tcp, 5, HttpConnectionMode::KeepAlive),
        ]
    );
}

#[test]
fn a_defaults_section_does_not_inherit_from_the_one_before() {
    let config = config("defaults\n retries 5\ndefaults\n timeout connect 1s\nbackend b\n");
    assert_eq!(config.proxies[0].retries, 3);
}

#[test]
fn queues_wait_as_long_as_connecting_unless_said() {
    let config = config("defaults\n timeout connect 4s\nbackend a\nbackend b\n timeout queue 9s\n");
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
    let seen: Vec<_> = config.proxies.iter().map(|p| seconds(p.timeouts.queue)).collect();
    assert_eq!(seen, [Some(4), Some(9)]);
}

#[test]
fn ids_count_up_past_those_given() {
    let text = "backend a\n id 2\n server s 127.0.0.1:1\n server t 127.0.0.1:2 id 1\n server u 127.0.0.1:3\n\
                listen b\n bind :1,:2 id 2\n bind :3\n timeout client 1s\n";
    let config = config(text);
    let ids: Vec<_> = config.proxies.iter().map(|proxy| proxy.id).collect();
    assert_eq!(ids, [2, 3]);
    let servers: Vec<_> = config.proxies[0].servers.iter().map(|server| server.id).collect();
    assert_eq!(servers, [2, 1, 3]);
    let binds: Vec<_> = config.proxies[1].binds.iter().map(|bind| bind.id).collect();
    assert_eq!(binds, [2, 1, 3]);
}

#[test]
fn log_lines_are_local_unless_the_host_name_is_sent() {
    let formats = |text: &str| {
        let config = config(text);
        let own = config.proxies.iter().flat_map(|proxy| &proxy.loggers).filter_map(|logger| match logger {
            LoggerRef::Own(logger) => Some(logger.format),
            LoggerRef::Global => None,
        });
        config.global.loggers.iter().map(|logger| logger.format).chain(own).collect::<Vec<_>>()
    };
    let rest = "log stdout format short daemon\nbackend b\n log 127.0.0.1 format local local0\n";
    let without = format!("global\n log 127.0.0.1 local0\n {rest}");
    assert_eq!(formats(&without), [LoggerFormat::Local, LoggerFormat::Short, LoggerFormat::Local]);
    let with = format!("global\n log-send-hostname\n log 127.0.0.1 local0\n {rest}");
    assert_eq!(formats(&with), [LoggerFormat::Rfc3164, LoggerFormat::Short, LoggerFormat::Local]);
}

#[test]
fn error_files_are_read_when_the_configuration_is() {
    let config = config("backend b\n mode http\n errorfile 503 /errors/503.http\n errorfile 408 /dev/null\n");
    let files = &config.proxies[0].error_files;
    assert_eq!(files.get(&503).map(|bytes| &bytes[..]), Some(machine::ERROR_FILE));
    assert_eq!(files.get(&408).map(|bytes| bytes.len()), Some(0));
}

#[test]
fn errors_of_all_sections_are_reported_at_once() {
    let text = "global\n maxcon 3\ndefaults\n retry 3\nfrontend f\n bind 1.2.3:80\n mode htp\nbackend b\n blance first\n";
    let parsed = machine::parse("t.cfg", text);
    let errors = parsed.report.iter().filter(|d| d.severity == diag::Severity::Error).count();
    assert_eq!(errors, 5, "{}", machine::codes(&parsed));
}
