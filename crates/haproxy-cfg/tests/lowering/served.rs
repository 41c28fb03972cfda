//! The keyword tables and the code that serves them say the same.

use crate::machine;
use haproxy_cfg::keywords::{self, Family, Keyword, Places, Status};

const TIMEOUTS: &str = "timeout client 1s\n timeout server 1s\n timeout connect 1s\n";

/// A configuration with `keyword` alone, in a section where it may stand.
fn with(keyword: &Keyword) -> Option<String> {
    // What has no effect must still be written right.
    let valued = keyword.status == Status::NoEffect && !keyword.arguments.is_empty();
    let name = if valued { format!("{} 1", keyword.name) } else { keyword.name.to_owned() };
    let line = match keyword.family {
        Family::Global => return Some(format!("global\n {name}\n")),
        Family::Proxy => name,
        Family::Option => format!("option {name}"),
        Family::Timeout => format!("timeout {name}"),
        Family::Bind => format!("bind :80 {name}"),
        Family::Server => format!("server s 127.0.0.1:80 {name}"),
        _ => return None,
    };
    let section = [
        (Places::LISTEN, "listen l"),
        (Places::FRONTEND, "frontend f"),
        (Places::BACKEND, "backend b"),
        (Places::DEFAULTS, "defaults"),
    ];
    let (_, header) = section.into_iter().find(|(place, _)| keyword.places.has(*place))?;
    Some(format!("{header}\n {TIMEOUTS} {line}\n"))
}

#[test]
fn refused_keywords_are_refused_by_name_and_served_ones_are_not() {
    for keyword in keywords::all() {
        let Some(text) = with(keyword) else { continue };
        let parsed = machine::parse("t.cfg", &text);
        let not_yet = parsed.report.iter().find(|diagnostic| diagnostic.code.0 == "H0101");
        let stats_socket_only =
            keyword.family == Family::Bind && matches!(keyword.name, "level" | "expose-fd");
        match keyword.status {
            Status::NotYet => {
                let refusal = not_yet.unwrap_or_else(|| panic!("{keyword:?} is not refused"));
                assert!(refusal.message.contains(keyword.name), "{keyword:?}: {}", refusal.message);
                assert!(
                    refusal.message.ends_with("is known, not served yet"),
                    "{keyword:?}: {}",
                    refusal.message
                );
                assert!(refusal.span.is_some(), "{keyword:?}");
            }
            Status::Served => assert!(not_yet.is_none() || stats_socket_only, "{keyword:?}: {not_yet:?}"),
            Status::NoEffect => {
                let hint = parsed.report.iter().find(|diagnostic| diagnostic.code.0 == "H0103");
                let hint = hint.unwrap_or_else(|| panic!("{keyword:?} says nothing"));
                assert!(hint.message.contains(keyword.name) && !hint.notes.is_empty(), "{hint:?}");
                assert!(!parsed.report.has_errors(), "{keyword:?}");
            }
            Status::Removed => {
                let refusal = parsed.report.iter().find(|diagnostic| diagnostic.code.0 == "H0102");
                assert_eq!(refusal.map(|refusal| refusal.message.as_str()), Some(keyword.doc), "{keyword:?}");
            }
        }
    }
}

#[test]
fn every_rule_is_refused_with_its_action() {
    for keyword in keywords::all().filter(|keyword| keyword.family == Family::Action) {
        let rule = keyword.name.trim_end_matches('*');
        let header = if rule.starts_with("tcp-response") { "backend b" } else { "frontend f" };
        let parsed = machine::parse("t.cfg", &format!("{header}\n {rule}\n"));
        let refused = parsed.report.iter().any(|d| d.code.0 == "H0101" && d.message.contains(rule));
        assert!(refused, "{rule}: {:?}", parsed.report.iter().collect::<Vec<_>>());
    }
}
