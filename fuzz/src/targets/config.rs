//! The configuration language: texts, conditions, addresses.

use diag::{HaproxyLines, Human, json_lines};
use haproxy_cfg::address::{parse_bind, parse_ip, parse_ip_port, parse_log, parse_server};
use haproxy_cfg::model::Address;
use haproxy_cfg::{Context, Environment, Input, Machine, evaluate_argument, evaluate_condition, parse_on};
use std::io::ErrorKind::NotFound;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Between the texts of two files in one input.
pub const NEXT_FILE: u8 = 0x1C;
/// Files in one input at most.
const MAX_FILES: usize = 4;

fn context() -> Context {
    Context {
        env: Environment::from_iter([("HOME", "/home/a b"), ("B", "one two"), ("EMPTY", "")]),
        features: ["THREAD".to_owned()].into(),
        enabled: ["EPOLL".to_owned()].into(),
        ..Context::default()
    }
}

fn resolve(host: &str) -> Vec<IpAddr> {
    if host == "localhost" { vec![Ipv4Addr::LOCALHOST.into()] } else { Vec::new() }
}

/// A machine that is the same everywhere, and where nothing can be touched.
const MACHINE: Machine<'static> = Machine {
    resolve: &resolve,
    user: &|name| (name == "haproxy").then_some(990),
    group: &|name| (name == "haproxy").then_some(990),
    read: &|path: &Path| match path.to_str() {
        Some("/dev/null") => Ok(Vec::new()),
        Some("/503.http") => Ok(b"HTTP/1.0 503 No\r\n\r\nsorry\n".to_vec()),
        _ => Err(NotFound.into()),
    },
};

/// One or more files read as a configuration: there is a model exactly when there is no error, everything said points
/// into the text, and every renderer can say it.
pub fn config(data: &[u8]) {
    let inputs: Vec<Input> = data
        .splitn(MAX_FILES, |byte| *byte == NEXT_FILE)
        .enumerate()
        .map(|(number, text)| Input { name: format!("{number}.cfg"), text: text.to_vec() })
        .collect();
    let parsed = parse_on(&inputs, &mut context(), MACHINE);
    assert_eq!(
        parsed.config.is_some(),
        !parsed.report.has_errors(),
        "a model although there are errors, or none"
    );
    for diagnostic in parsed.report.iter() {
        assert!(!diagnostic.message.is_empty(), "{} says nothing", diagnostic.code.0);
        if let Some(span) = diagnostic.span {
            let source = parsed.sources.get(span.file).expect("a span in a known file");
            assert!(
                span.start <= span.end && span.end as usize <= source.text.len(),
                "{span:?} of {}",
                diagnostic.message
            );
            let (name, line) = parsed.sources.position(span).expect("a span with a position");
            assert!(!name.is_empty() && line >= 1);
        }
    }
    let said = parsed.report.len();
    let lines = HaproxyLines { pid: 1, program: None, hints: true }.render(&parsed.sources, &parsed.report);
    assert!(said == 0 || !lines.is_empty());
    let json = json_lines(&parsed.sources, &parsed.report);
    assert_eq!(json.lines().count(), said, "one line of JSON each");
    if said < 20 {
        let human = Human { color: false, hints: true }.render(&parsed.sources, &parsed.report);
        assert!(said == 0 || !human.is_empty());
    }
}

/// A condition: parentheses and two `!` change nothing, one turns it round; an error points into it.
pub fn condition(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let context = context();
    let outcome = evaluate_condition(&text, &context);
    let _ = evaluate_argument(&text, &context);
    // As deep as conditions may be within conditions, one more would be too deep.
    let deep = text.bytes().filter(|byte| *byte == b'(').count() > 250;
    // As in HAProxy, a predicate without arguments is one only at the end or before a space.
    let plain_end = text.trim_end_matches([' ', '\t']).ends_with([')', '0', '1']);
    match outcome {
        Ok(holds) if plain_end && !deep => {
            for (around, expected) in [("(", holds), ("!(", !holds), ("!!(", holds)] {
                let wrapped = format!("{around}{text})");
                assert_eq!(evaluate_condition(&wrapped, &context), Ok(expected), "{wrapped:?}");
            }
        }
        Ok(_) => {}
        Err(error) => {
            assert!(!error.message.is_empty());
            assert!(text.is_char_boundary(error.offset), "{} of {text:?}", error.offset);
        }
    }
}

/// An address in every place where one may stand.
pub fn address(data: &[u8]) {
    // Ranges multiply; a text that is longer than any address only takes memory.
    let text = String::from_utf8_lossy(data.get(..200).unwrap_or(data));
    let says = |message: &str| assert!(!message.is_empty(), "no reason");
    match parse_bind(&text, &resolve) {
        Ok(found) => {
            assert!(!found.is_empty(), "{text:?} binds nothing");
            for address in found {
                assert!(
                    !matches!(address, Address::IpRelative(..)),
                    "{text:?} listens on no port of its own"
                );
            }
        }
        Err(error) => says(&error.message),
    }
    match parse_server(&text, &resolve) {
        Ok(Address::Ip(ip)) => assert_ne!(ip.port(), 0),
        Ok(Address::Fd(_)) => panic!("a descriptor is no server"),
        Ok(_) => {}
        Err(error) => says(&error.message),
    }
    if let Err(error) = parse_log(&text, &resolve) {
        says(&error.message);
    }
    let (ip, with_port) = (parse_ip(&text, &resolve), parse_ip_port(&text, &resolve));
    match (ip, with_port) {
        (Ok(ip), with_port) => assert_eq!(with_port, Ok((ip, None))),
        (Err(error), Ok((_, port))) => {
            says(&error.message);
            assert!(port.is_some(), "{text:?} has no port, but is no address without one");
        }
        (Err(error), Err(_)) => says(&error.message),
    }
}
