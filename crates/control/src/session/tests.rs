//! Conversations, as HAProxy has them.

use super::*;
use crate::{Common, Info, Kind, Master, Row, Worker};

struct Fake;

const FAKE: Source<'_> = Source::Worker(&Fake);
const MASTER: Source<'_> = Source::Master(&Fake);

impl Master for Fake {
    fn processes(&self) -> String {
        "table\n".to_owned()
    }

    fn worker(&self, target: Target) -> Option<u32> {
        matches!(target, Target::Nth(1) | Target::Pid(77)).then_some(77)
    }
}

impl Worker for Fake {
    fn info(&self) -> Info {
        let mut info = Info::default();
        info.set("Name", "HAProxy");
        info.set("Pid", 7);
        info
    }

    fn rows(&self) -> Vec<Row> {
        vec![Row::new(Kind::Frontend, "fe", "FRONTEND", 2, 0)]
    }
}

impl Common for Fake {
    fn environment(&self) -> Vec<String> {
        vec!["HOME=/root".to_owned(), "A=b=c".to_owned()]
    }

    fn version(&self) -> String {
        "3.5.0-evenkeel".to_owned()
    }

    fn startup_logs(&self) -> String {
        String::new()
    }
}

fn ask(level: SocketLevel, text: &str) -> (String, Ending) {
    let reply = Session::new(level).feed(text.as_bytes(), FAKE);
    (reply.text, reply.ending)
}

fn answer(text: &str) -> String {
    ask(SocketLevel::Admin, text).0
}

#[test]
fn one_line_is_answered_and_the_connection_closed() {
    assert_eq!(
        ask(SocketLevel::User, "show info\n"),
        ("Name: HAProxy\nPid: 7\n\n".to_owned(), Ending::Close)
    );
    assert_eq!(ask(SocketLevel::User, "show inf"), (String::new(), Ending::Stay));
    assert_eq!(ask(SocketLevel::User, "quit\n"), (String::new(), Ending::Close));
}

#[test]
fn every_split_of_a_line_is_the_same_line() {
    let whole = "  show \t version ;show info;\r\n";
    let expected = answer(whole);
    assert_eq!(expected, "3.5.0-evenkeel\n\nName: HAProxy\nPid: 7\n\n");
    for at in 1..whole.len() {
        let mut session = Session::new(SocketLevel::User);
        let (first, second) = whole.split_at(at);
        let mut text = session.feed(first.as_bytes(), FAKE).text;
        text += &session.feed(second.as_bytes(), FAKE).text;
        assert_eq!(text, expected, "{at}");
    }
}

#[test]
fn a_prompt_keeps_the_connection() {
    let mut session = Session::new(SocketLevel::User);
    assert_eq!(session.feed(b"prompt\n", FAKE), Reply { text: "\n> ".into(), ending: Ending::Stay });
    assert_eq!(
        session.feed(b"show version\n", FAKE),
        Reply { text: "3.5.0-evenkeel\n\n> ".into(), ending: Ending::Stay }
    );
    assert_eq!(session.feed(b"quit\n", FAKE).ending, Ending::Close);
}

#[test]
fn lines_sent_together_are_all_answered() {
    assert_eq!(answer("show version\nshow version\n"), "3.5.0-evenkeel\n\n3.5.0-evenkeel\n\n");
}

#[test]
fn a_level_limits_and_can_only_be_lowered() {
    assert_eq!(ask(SocketLevel::User, "show env\n").0, "Permission denied\n\n");
    assert_eq!(ask(SocketLevel::User, "operator\n").0, "Permission denied\n\n");
    assert_eq!(answer("user;show cli level;operator\n"), "\nuser\n\nPermission denied\n\n");
    assert_eq!(ask(SocketLevel::Operator, "show env A\n").0, "A=b=c\n\n");
    assert_eq!(ask(SocketLevel::Operator, "show env NONE\n").0, "Variable not found\n\n");
}

#[test]
fn what_is_known_but_not_served_is_refused_by_name() {
    for name in crate::keywords::NOT_SERVED {
        let text = answer(&format!("{name} with arguments\n"));
        assert!(text.ends_with("is known but not served yet.\n\n"), "{name}: {text}");
    }
    assert_eq!(
        answer("show stat domain resolvers\n"),
        "'show stat domain resolvers' is known but not served yet.\n\n"
    );
}

#[test]
fn what_is_unknown_gets_the_nearest_commands() {
    let text = answer("show bogus\n");
    assert!(text.starts_with("Unknown command, but maybe one of the following ones is a better match:\n"));
    assert!(text.contains("  show info [") && text.contains("  quit  ") && !text.contains("  operator"));
    let text = answer("\n");
    assert!(text.starts_with("Unknown command. Please enter one of the following commands only:\n"));
    assert!(text.contains("  operator"));
    assert!(answer("help\n").starts_with("The following commands are valid at this level:\n"));
}

#[test]
fn a_client_cannot_fill_the_memory() {
    let mut session = Session::new(SocketLevel::User);
    assert_eq!(session.feed(&vec![b'a'; MAX_LINE + 1], FAKE).ending, Ending::Close);
}

#[test]
fn the_last_line_may_lack_its_end() {
    let mut session = Session::new(SocketLevel::User);
    assert_eq!(session.feed(b"show version", FAKE).ending, Ending::Stay);
    assert_eq!(session.end(FAKE), Reply { text: "3.5.0-evenkeel\n\n".into(), ending: Ending::Close });
}

#[test]
fn a_master_has_commands_of_its_own() {
    let ask = |text: &str| Session::new(SocketLevel::Admin).feed(text.as_bytes(), MASTER);
    assert_eq!(ask("show proc\n").text, "table\n\n");
    assert_eq!(ask("reload\n").ending, Ending::Reload);
    assert!(ask("show info\n").text.starts_with("Unknown command, but maybe"));
    assert!(ask("hard-reload\n").text.ends_with("is known but not served yet.\n\n"));
    assert_eq!(ask("prompt\n").text, "master> ");
    assert!(ask("help\n").text.contains("  @<relative pid>  "));
    assert!(answer("reload\n").starts_with("Unknown command"));
    assert!(answer("show proc\n").starts_with("Unknown command"));
}

/// What a client of a master sees when each worker answers with its own number, the level and the command.
fn through_master(text: &str) -> String {
    let mut session = Session::new(SocketLevel::Admin);
    let mut seen = String::new();
    let mut reply = session.feed(text.as_bytes(), MASTER);
    for _ in 0..50 {
        seen += &reply.text;
        match reply.ending {
            Ending::Forward(Forward { pid, level, command }) => {
                seen += &format!("[{pid} {level:?} {command}]");
                reply = session.go_on(MASTER);
            }
            Ending::Stay => reply = session.end(MASTER),
            _ => return seen,
        }
    }
    panic!("no end: {seen}");
}

/// The conversations of haproxy 2.6.
#[test]
fn a_master_passes_commands_on() {
    let lost = |prefix| format!("Can't find the target PID matching the prefix '{prefix}'\n");
    for (text, expected) in [
        ("@1 show info\n", "[77 Admin show info]".to_owned()),
        ("@!77 show info", "[77 Admin show info]".to_owned()),
        ("@2 show info\n", lost("@2")),
        ("@!999 show info\n", lost("@!999")),
        ("@!99x show info\n", lost("@!99x")),
        ("@foo show info\n", lost("@foo")),
        ("@-1 show info\n", lost("@-1")),
        ("@master show proc\n", "table\n\n".to_owned()),
        ("@0 show proc\n", "table\n\n".to_owned()),
        ("@ show proc\n", "table\n\n".to_owned()),
        ("@1\n", String::new()),
        ("@1;show info\n", "[77 Admin show info]".to_owned()),
        ("@1\nshow info\n", "[77 Admin show info]".to_owned()),
        ("@1 a;show proc\n", "[77 Admin a]table\n\n".to_owned()),
        ("@1 a\nshow proc\n", "[77 Admin a]table\n\n".to_owned()),
        ("show proc;@1 a\n", "table\n\n[77 Admin a]".to_owned()),
        ("@1 a;@master show proc;show proc\n", "[77 Admin a]table\n\ntable\n\n".to_owned()),
        ("@1 user;show cli level\n", "[77 Admin user]admin\n\n".to_owned()),
        ("operator\n@1 a\n", "[77 Operator a]".to_owned()),
        (
            "prompt\n@1\na\n@1 b\n@master\nshow proc\nquit\n",
            "master> 77> [77 Admin a]77> [77 Admin b]77> master> table\n\nmaster> ".to_owned(),
        ),
        ("prompt\n@1 a\nshow proc\n", "master> [77 Admin a]master> table\n\nmaster> ".to_owned()),
        ("prompt\n@1\nprompt\na\n", "master> 77> [77 Admin a]".to_owned()),
        ("prompt\n@2\nshow proc\n", "master> ".to_owned() + &lost("@2")),
        ("prompt\n@1\n\n", "master> 77> [77 Admin ]77> ".to_owned()),
        (
            "prompt\n@1\nuser\na\noperator\nb\n",
            "master> 77> 77> [77 User a]77> Permission denied!\n".to_owned(),
        ),
    ] {
        assert_eq!(through_master(text), expected, "{text:?}");
    }
}

#[test]
fn a_worker_knows_no_prefix() {
    assert!(answer("@1 show info\n").starts_with("Unknown command"));
}
