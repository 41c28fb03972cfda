use super::*;

fn context() -> Context {
    Context {
        env: [("HOME", "/root"), ("EMPTY", "")].into_iter().collect(),
        features: ["THREAD".to_owned()].into(),
        enabled: ["EPOLL".to_owned()].into(),
        ..Context::default()
    }
}

#[test]
fn conditions_hold_as_in_haproxy() {
    let context = context();
    for text in [
        "1",
        "-1",
        "+1",
        "0x10",
        "010",
        "99999999999999999999",
        "!0",
        "! ! 1",
        "(1)",
        "!(0)",
        "1&&1||0",
        "0 && 0 || 1",
        "1 || 0 && 0",
        "defined(HOME)",
        "defined(EMPTY)",
        "!defined(NOPE)",
        "streq(a,a)",
        "streq(\"a\",'a')",
        "streq(,)",
        "streq(a\\ b,\"a b\")",
        "streq(a\\nb,\"a\\nb\")",
        "streq(\"a\\\"b\",a\\\"b)",
        "streq(\"a\\qb\",a\\qb)",
        "streq(\" a\", a)",
        "strneq(a,b)",
        "strstr(abc,bc)",
        "feature(THREAD)",
        "enabled(EPOLL)",
        "version_atleast(2.4)",
        "version_atleast(3.5)",
        "version_atleast(3.5-dev5)",
        "version_atleast()",
        "version_atleast(foo)",
        "version_before(3.6)",
        "version_before(3.5.1)",
        "version_before(3.5.0-1)",
        " defined(HOME) && ! defined(XYZZY) || 0",
        "!fips_mode",
    ] {
        assert_eq!(evaluate_condition(text, &context), Ok(true), "{text}");
    }
    for text in [
        "",
        "0",
        "((0))",
        "1 && 0",
        "defined",
        "defined()",
        "defined( HOME )",
        "streq( a , a)",
        "streq( a, \" a\")",
        "streq(\"a\\(b\",\"a(b\")",
        "streq(\"a\\x41\",aA)",
        "feature(thread)",
        "feature(THREA)",
        "enabled(KQUEUE)",
        "version_atleast(3.5.1)",
        "version_before(3.5)",
        "openssl_version_atleast(1.0)",
        "openssl_version_before(9.0)",
        "ssllib_name_startswith(OpenSSL)",
        "awslc_api_atleast(1)",
        "awslc_api_before(99)",
        "fips_mode",
        "fips_mode()",
    ] {
        assert_eq!(evaluate_condition(text, &context), Ok(false), "{text}");
    }
}

#[test]
fn libraries_are_compared_by_their_versions() {
    let context = Context {
        openssl_version: Some("1.1.1k".to_owned()),
        ssl_library: "OpenSSL 1.1.1k".to_owned(),
        awslc_api: Some(32),
        ..context()
    };
    for text in [
        "openssl_version_atleast(1.1.1)",
        "openssl_version_atleast(1.1.1k)",
        "openssl_version_before(1.1.1l)",
        "openssl_version_before(3.0.0)",
        "ssllib_name_startswith(OpenSSL)",
        "awslc_api_atleast(32)",
        "awslc_api_before(33)",
    ] {
        assert_eq!(evaluate_condition(text, &context), Ok(true), "{text}");
    }
}

/// Texts and 1-based positions as haproxy 2.6 prints them.
#[test]
fn errors_are_worded_and_placed_as_in_haproxy() {
    let used = "used in conditional expression";
    for (text, position, message) in [
        ("foo", 1, "unparsable conditional expression 'foo'".to_owned()),
        ("08", 2, "unexpected character '8' at the end of conditional expression '08'".to_owned()),
        ("0x", 2, "unexpected character 'x' at the end of conditional expression '0x'".to_owned()),
        ("1 x", 3, "unexpected character 'x' at the end of conditional expression '1 x'".to_owned()),
        ("(1", 1, "expected ')' after conditional expression '(1'".to_owned()),
        ("1 &&", 3, "unparsable conditional expression '&&'".to_owned()),
        ("1 || ", 3, "unparsable conditional expression '1 || '".to_owned()),
        ("&& 1", 1, "unparsable conditional expression '&& 1'".to_owned()),
        ("1 & 1", 3, "unexpected character '&' at the end of conditional expression '1 & 1'".to_owned()),
        ("!", 1, "unparsable conditional expression '!'".to_owned()),
        ("()", 2, "unparsable conditional expression ')'".to_owned()),
        ("0 && foo", 6, "unparsable conditional expression 'foo'".to_owned()),
        ("( 1 ) x", 7, "unexpected character 'x' at the end of conditional expression '( 1 ) x'".to_owned()),
        (
            "defined HOME",
            9,
            "unexpected character 'H' at the end of conditional expression 'defined HOME'".to_owned(),
        ),
        (
            "defined(a,b)",
            10,
            format!("expected ')' before ',b)' in argument 1 of predicate 'defined' {used}"),
        ),
        ("streq(a,b,c)", 10, format!("expected ')' before ',c)' in argument 1 of predicate 'streq' {used}")),
        (
            "streq(a\\,b,\"a,b\")",
            11,
            format!("expected ')' before ',\"a,b\")' in argument 1 of predicate 'streq' {used}"),
        ),
        ("defined(HOME", 13, format!("expected ')' in argument 1 of predicate 'defined' {used}")),
        ("defined(", 9, format!("expected ')' in argument 1 of predicate 'defined' {used}")),
        ("streq(a,b", 10, format!("expected ')' in argument 1 of predicate 'streq' {used}")),
        ("streq(a,", 9, format!("expected ')' in argument 1 of predicate 'streq' {used}")),
        (
            "streq(a)",
            8,
            format!(
                "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' {used}"
            ),
        ),
        (
            "streq",
            6,
            format!(
                "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' {used}"
            ),
        ),
        (
            "streq(",
            7,
            format!(
                "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' {used}"
            ),
        ),
        (
            "streq(\"ab,x)",
            13,
            format!(
                "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' {used}"
            ),
        ),
        (
            "streq(a\\)b,x)",
            9,
            format!(
                "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' {used}"
            ),
        ),
    ] {
        assert_eq!(
            evaluate_condition(text, &context()),
            Err(ConditionError { message, offset: position - 1 }),
            "{text}"
        );
    }
}

#[test]
fn depth_is_limited() {
    let nested = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(evaluate_condition(&nested(200), &context()), Ok(true));
    assert!(evaluate_condition(&nested(100_000), &context()).is_err());
    assert_eq!(evaluate_condition(&format!("1{}", "&&1".repeat(100_000)), &context()), Ok(true));
}

#[test]
fn the_command_line_may_quote_and_use_variables() {
    for (text, value) in [
        ("1", true),
        ("", false),
        ("streq(\"a b\",a b)", true),
        ("streq(\"$HOME\",/root)", true),
        ("\"$EMPTY\"", false),
        ("  defined(HOME)", true),
    ] {
        assert_eq!(evaluate_argument(text, &context()), Ok(value), "{text}");
    }
    for (text, message) in [
        ("\"$HOME\"", "unparsable conditional expression '/root'"),
        ("1 # x", "unexpected character '#' at the end of conditional expression '1 # x'"),
        ("\"1", "unmatched quote at position 1"),
    ] {
        assert_eq!(
            evaluate_argument(text, &context()).map_err(|error| error.message),
            Err(message.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn startup_variables_are_seen_by_conditions() {
    let mut context = context();
    let inputs = ["a.cfg", "b.cfg"].map(|name| Input { name: name.to_owned(), text: Vec::new() });
    context.set_startup_variables(&inputs, "peer", true);
    for text in [
        "streq(\"$HAPROXY_CFGFILES\",a.cfg;b.cfg)",
        "streq(\"$HAPROXY_LOCALPEER\",peer)",
        "streq(\"$HAPROXY_BRANCH\",3.5)",
        "defined(HAPROXY_MWORKER)",
        "strstr(\"$HAPROXY_TCP_LOG_FMT\",%ci:%cp)",
        "defined(HAPROXY_KEYLOG_BC_LOG_FMT)",
    ] {
        assert_eq!(evaluate_argument(text, &context), Ok(true), "{text}");
    }
}
