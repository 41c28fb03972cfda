//! Lines of any known words in any order: no panic, every diagnostic points somewhere, and no model beside errors.

use crate::machine;
use haproxy_cfg::keywords;
use proptest::prelude::*;

fn word() -> impl Strategy<Value = String> {
    let names: Vec<String> = keywords::all().map(|keyword| keyword.name.to_owned()).collect();
    let values = [
        "0",
        "1",
        "-1",
        "257",
        "99999999999",
        "10s",
        "1.5s",
        "100d",
        "4k",
        "127.0.0.1:80",
        ":80",
        "*:8000-8003",
        "a",
        "b",
        "from",
        "no",
        "default",
        "check",
        "http",
        "tcp",
        "global",
        "local0",
        "info",
        "%ci",
        "%[src]",
        "/dev/null",
        "unix@/s",
        "fd@3",
        "random(2)",
        "except",
        "10.0.0.0/33",
        "é",
        "clf",
        "len",
        "sample",
        "1,2:3",
        "é(",
    ];
    prop_oneof![
        2 => proptest::sample::select(names),
        3 => proptest::sample::select(values.to_vec()).prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let first = prop_oneof![
        Just(String::new()),
        Just("server s 127.0.0.1:80 ".to_owned()),
        Just("bind :80 ".to_owned()),
        Just("stats socket /s ".to_owned()),
        Just("option ".to_owned()),
        Just("no option ".to_owned()),
        Just("timeout ".to_owned()),
        Just("log 127.0.0.1 ".to_owned()),
        Just("http-check send ".to_owned()),
    ];
    (first, proptest::collection::vec(word(), 1..6))
        .prop_map(|(first, words)| format!("{first}{}\n", words.join(" ")))
}

fn section() -> impl Strategy<Value = String> {
    let headers = [
        "global\n",
        "defaults\n",
        "defaults d\n",
        "frontend f\n",
        "backend b\n",
        "listen l from d\n",
        "listen l :80\n",
    ];
    (proptest::sample::select(headers.to_vec()), proptest::collection::vec(line(), 0..8))
        .prop_map(|(header, lines)| format!("{header}{}", lines.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn give_a_model_or_errors_that_point_somewhere(sections in proptest::collection::vec(section(), 1..5)) {
        let parsed = machine::parse("t.cfg", &sections.concat());
        prop_assert_eq!(parsed.config.is_some(), !parsed.report.has_errors());
        for diagnostic in parsed.report.iter() {
            prop_assert!(diagnostic.span.is_some_and(|span| parsed.sources.position(span).is_some()), "{:?}", diagnostic);
            prop_assert!(!diagnostic.message.is_empty());
        }
    }
}
