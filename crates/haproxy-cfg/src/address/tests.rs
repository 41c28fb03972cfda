use super::*;
use proptest::prelude::*;

fn hosts(name: &str) -> Vec<IpAddr> {
    match name {
        "localhost" => vec![IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        _ => Vec::new(),
    }
}

fn bind(text: &str) -> Result<Vec<Address>, String> {
    parse_bind(text, &hosts).map_err(|error| error.message)
}

fn server(text: &str) -> Result<Address, String> {
    parse_server(text, &hosts).map_err(|error| error.message)
}

fn log(text: &str) -> Result<LogTarget, String> {
    parse_log(text, &hosts).map_err(|error| error.message)
}

fn ip(text: &str) -> Address {
    Address::Ip(text.parse().unwrap())
}

#[test]
fn bind_addresses_are_read_in_all_their_forms() {
    for (text, expected) in [
        (":80", vec!["0.0.0.0:80"]),
        ("*:80", vec!["0.0.0.0:80"]),
        ("127.0.0.1:00080", vec!["127.0.0.1:80"]),
        ("::1:80", vec!["[::1]:80"]),
        ("[::1]:80", vec!["[::1]:80"]),
        (":::80", vec!["[::]:80"]),
        ("ipv4@:80", vec!["0.0.0.0:80"]),
        ("ipv6@:80", vec!["[::]:80"]),
        ("ipv6@*:80", vec!["[::]:80"]),
        ("ip@:80", vec!["0.0.0.0:80"]),
        ("tcp6@:80", vec!["[::]:80"]),
        ("stream+ipv4@:80", vec!["0.0.0.0:80"]),
        ("stream+:80", vec!["0.0.0.0:80"]),
        ("localhost:80", vec!["[::1]:80"]),
        ("ipv4@localhost:80", vec!["127.0.0.1:80"]),
        ("[localhost]:80", vec!["[::1]:80"]),
        ("[127.0.0.1]:80", vec!["127.0.0.1:80"]),
        ("::ffff:1.2.3.4:80", vec!["[::ffff:1.2.3.4]:80"]),
        (":80-82", vec!["0.0.0.0:80", "0.0.0.0:81", "0.0.0.0:82"]),
        (":8000-8001,[::]:9000,", vec!["0.0.0.0:8000", "0.0.0.0:8001", "[::]:9000"]),
        (":65535", vec!["0.0.0.0:65535"]),
    ] {
        assert_eq!(bind(text), Ok(expected.into_iter().map(ip).collect()), "{text}");
    }
    assert_eq!(bind("/a,unix@b"), Ok(vec![Address::Unix("/a".into()), Address::Unix("b".into())]));
    assert_eq!(bind("uxst@/a"), Ok(vec![Address::Unix("/a".into())]));
    assert_eq!(bind("abns@x"), Ok(vec![Address::Abstract(b"x".to_vec(), false)]));
    assert_eq!(bind("abnsz@x"), Ok(vec![Address::Abstract(b"x".to_vec(), true)]));
    assert_eq!(bind("fd@3,sockpair@4"), Ok(vec![Address::Fd(3), Address::SockPair(4)]));
    assert_eq!(bind(":1-65535").map(|all| all.len()), Ok(65_535));
}

/// Texts as haproxy 2.6 prints them, except those about what it does not refuse.
#[test]
fn bind_errors_are_haproxys() {
    let long = format!("unix@/{}", "a".repeat(120));
    for (text, message) in [
        ("80", "missing port specification in '80'"),
        ("*", "missing port specification in '*'"),
        ("[::1]", "missing port specification in '[::1]'"),
        ("::", "missing port specification in '::'"),
        ("127.0.0.1:0", "invalid port '0'"),
        (":65536", "invalid port '65536'"),
        (":82-80", "invalid port range '82-80'"),
        (":80-", "invalid port ''"),
        (":-80", "port offset not permitted here in ':-80'"),
        (":+80", "port offset not permitted here in ':+80'"),
        ("[::1", "invalid address: '[:' in '[::1'"),
        ("::80", "invalid address: ':' in '::80'"),
        ("ipv6@127.0.0.1:80", "invalid address: '127.0.0.1' in 'ipv6@127.0.0.1:80'"),
        ("ipv4@::1:80", "invalid address: '::1' in 'ipv4@::1:80'"),
        (",:80", "'' resolves to an empty address (environment variable missing?)"),
        ("fd@x", "file descriptor 'x' is not a valid integer in 'fd@x'"),
        ("fd@", "file descriptor '' is not a valid integer in 'fd@'"),
        ("fd@-1", "file descriptor '-1' is not a valid integer in 'fd@-1'"),
        ("nosuch.invalid:80", "invalid address: 'nosuch.invalid' in 'nosuch.invalid:80'"),
        ("udp@:80", "dgram-type address not acceptable in 'udp@:80'"),
        ("uxdg@/a", "dgram-type address not acceptable in 'uxdg@/a'"),
        ("dgram+unix@/x", "dgram-type address not acceptable in 'dgram+unix@/x'"),
        ("foo@:80", "invalid address: 'foo@' in 'foo@:80'"),
        (":abc", "invalid character 'a' in port number 'abc' in ':abc'"),
        ("*:*", "invalid character '*' in port number '*' in '*:*'"),
        (":80:90", "invalid address: ':80' in ':80:90'"),
        ("[*]:80", "invalid address: '[*]' in '[*]:80'"),
        ("fe80::1%lo:80", "invalid address: 'fe80::1%lo' in 'fe80::1%lo:80'"),
        // Accepted by haproxy, which does not see what follows the number.
        (":80abc", "invalid character 'a' in port number '80abc' in ':80abc'"),
        (":80-81-82", "invalid character '-' in port number '81-82' in ':80-81-82'"),
        ("quic4@:80", "QUIC addresses are known, but not served yet in 'quic4@:80'"),
        ("rhttp@x", "reverse HTTP addresses are known, but not served yet in 'rhttp@x'"),
    ] {
        assert_eq!(bind(text), Err(message.to_owned()), "{text}");
    }
    assert_eq!(bind(&long), Err(format!("socket path '{long}' too long (max 97)")));
}

#[test]
fn server_addresses_keep_how_their_port_is_found() {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let relative = |offset| Address::IpRelative(v4, PortOffset::Relative(offset));
    for (text, expected) in [
        ("127.0.0.1:80", ip("127.0.0.1:80")),
        ("127.0.0.1", relative(0)),
        ("127.0.0.1:", relative(0)),
        ("127.0.0.1:0", relative(0)),
        ("127.0.0.1:+8", relative(8)),
        ("127.0.0.1:-8", relative(-8)),
        ("[::1]", Address::IpRelative(IpAddr::V6(Ipv6Addr::LOCALHOST), PortOffset::Relative(0))),
        ("ipv4@localhost:80", ip("127.0.0.1:80")),
        ("*:80", ip("0.0.0.0:80")),
        ("/a", Address::Unix("/a".into())),
        ("sockpair@4", Address::SockPair(4)),
    ] {
        assert_eq!(server(text), Ok(expected), "{text}");
    }
    for (text, message) in [
        ("127.0.0.1:80-81", "port range not permitted here in '127.0.0.1:80-81'"),
        ("127.0.0.1:65536", "invalid port '65536'"),
        ("127.0.0.1:x", "invalid character 'x' in port number 'x' in '127.0.0.1:x'"),
        ("::1", "could not resolve address ':'."),
        ("nosuch.invalid:80", "could not resolve address 'nosuch.invalid'."),
        ("foo@1.2.3.4:80", "could not resolve address 'foo@1.2.3.4'."),
        (":80,:81", "could not resolve address ':80,'."),
        ("+5", "could not resolve address '+5'."),
        ("fd@3", "a file descriptor is not acceptable here in 'fd@3'"),
        ("udp4@1.2.3.4:80", "dgram-type address not acceptable in 'udp4@1.2.3.4:80'"),
        ("127.0.0.1:+65536", "invalid port '+65536'"),
    ] {
        assert_eq!(server(text), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn log_targets_default_to_the_syslog_port() {
    for (text, expected) in [
        ("127.0.0.1", "127.0.0.1:514"),
        ("127.0.0.1:0", "127.0.0.1:514"),
        ("udp@127.0.0.1:5140", "127.0.0.1:5140"),
        ("[::1]", "[::1]:514"),
        ("dgram+ipv4@127.0.0.1", "127.0.0.1:514"),
        (":514", "0.0.0.0:514"),
    ] {
        assert_eq!(log(text), Ok(LogTarget::Datagram(ip(expected))), "{text}");
    }
    assert_eq!(log("/dev/log"), Ok(LogTarget::Datagram(Address::Unix("/dev/log".into()))));
    assert_eq!(log("stdout"), Ok(LogTarget::Fd(1)));
    assert_eq!(log("stderr"), Ok(LogTarget::Fd(2)));
    assert_eq!(log("fd@7"), Ok(LogTarget::Fd(7)));
    for (text, message) in [
        ("fd@x", "file descriptor 'x' is not a valid integer in 'fd@x'"),
        ("::1", "invalid address: ':' in '::1'"),
        ("127.0.0.1:+1", "port offset not permitted here in '127.0.0.1:+1'"),
        ("127.0.0.1:1-2", "port range not permitted here in '127.0.0.1:1-2'"),
        ("nosuch.invalid", "invalid address: 'nosuch.invalid' in 'nosuch.invalid'"),
        ("ring@x", "rings and log backends are known, but not served yet in 'ring@x'"),
        ("tcp@127.0.0.1:514", "logging over a stream is known, but not served yet in 'tcp@127.0.0.1:514'"),
    ] {
        assert_eq!(log(text), Err(message.to_owned()), "{text}");
    }
}

#[test]
fn addresses_for_checks_may_have_a_port_or_not() {
    assert_eq!(parse_ip_port("1.2.3.4:80", &hosts), Ok(("1.2.3.4".parse().unwrap(), Some(80))));
    assert_eq!(parse_ip("1.2.3.4", &hosts), Ok("1.2.3.4".parse().unwrap()));
    assert_eq!(
        parse_ip("1.2.3.4:80", &hosts).unwrap_err().message,
        "port not permitted here in '1.2.3.4:80'"
    );
    assert_eq!(parse_ip("nosuch", &hosts).unwrap_err().message, "invalid address: 'nosuch' in 'nosuch'");
    assert!(parse_ip("/a", &hosts).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}|([a-z0-9:.@/+-]|\\[|\\]){0,24}") {
        let _ = (bind(&text), server(&text), log(&text), parse_ip(&text, &hosts));
    }
}
