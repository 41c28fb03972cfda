//! `-t`: keepalived's lines and exit codes.

use crate::node::{ORACLE, keepalived, router};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use testkit::lab::{Host, Lab};

fn run(host: &Host, program: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let output = host.command(program).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const SERVER: &str = "virtual_server 10.20.0.100 80 {\n  delay_loop 6\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n  \
                      real_server 10.20.0.7 80 {\n    TCP_CHECK {\n    }\n  }\n}\n";

#[test]
fn verdicts_and_lines_are_keepaliveds() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let (host, ours) = (&hosts[0], keepalived(&lab));
    let good = router(100, "10.20.0.100");
    let safe = "global_defs {\n  enable_script_security\n  script_user root\n}\n";
    let notify = good.replace("  priority", "  notify /bin/true\n  priority");
    for (name, text) in [
        ("good", good.clone()),
        ("unknown", good.replace("priority", "prority")),
        ("no-id", good.replace("virtual_router_id 51", "")),
        ("no-interface", good.replace("e0", "e7")),
        ("brace", good.replace("}\n}", "}\n")),
        ("range", good.replace("priority 100", "priority 300")),
        ("script", format!("global_defs {{\n  script_user root\n}}\n{notify}")),
        ("safe-script", format!("{safe}{notify}")),
        ("servers", format!("{good}{SERVER}")),
        ("servers-alone", SERVER.to_owned()),
        ("no-protocol", SERVER.replace("  protocol TCP\n", "")),
        ("server-keyword", format!("{good}{}", SERVER.replace("lb_algo", "lb_algorithm"))),
        ("algorithm", SERVER.replace("lb_algo rr", "lb_algo round")),
        ("no-servers", SERVER.replace("real_server 10.20.0.7 80 {\n    TCP_CHECK {\n    }\n  }\n", "")),
        ("check-script", SERVER.replace("TCP_CHECK {", "MISC_CHECK {\n misc_path /bin/true")),
        (
            "both-scripts",
            format!("{notify}{}", SERVER.replace("TCP_CHECK {", "MISC_CHECK {\n misc_path /bin/true")),
        ),
        (
            "safe-check",
            format!("{safe}{}", SERVER.replace("TCP_CHECK {", "MISC_CHECK {\n misc_path /bin/true")),
        ),
        ("check-keyword", SERVER.replace("TCP_CHECK {", "TCP_CHECK {\n conect_timeout 3")),
        ("quorum", SERVER.replace("lb_algo rr", "lb_algo rr\n  quorum 0\n  hysteresis 7")),
        ("no-path", SERVER.replace("TCP_CHECK {", "MISC_CHECK {")),
        ("address", SERVER.replace("10.20.0.7", "10.20.0.777")),
    ] {
        let file = lab.file(&format!("{name}.conf"), &text);
        let file = file.to_str().unwrap();
        for words in [
            &["-t", "-f", file][..],
            &["-t", "-P", "-f", file],
            &["-t", "-C", "-f", file],
            &["-nt", "-PB", "--use-file", file],
        ] {
            let (code, out, err) = run(host, Path::new(ORACLE), words);
            assert_eq!(run(host, &ours, words), (code, out, once(&err)), "{name}: {words:?}");
        }
    }
}

/// Each line once: keepalived reads the file for each of its processes, and may say the same each time.
fn once(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.dedup();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn faults_of_the_command_line_count() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let (host, ours) = (&hosts[0], keepalived(&lab));
    let file = lab.file("good.conf", &router(100, "10.20.0.100"));
    let file = file.to_str().unwrap();
    for words in
        [&["-t", "extra", "-f", file][..], &["-t", "-u", "077", "-f", file], &["-t", "-S", "3", "-f", file]]
    {
        assert_eq!(run(host, &ours, words), run(host, Path::new(ORACLE), words), "{words:?}");
    }
    let words = ["-t", "-S", "mail", "-f", file];
    let (code, ..) = run(host, Path::new(ORACLE), &words);
    let (our_code, _, err) = run(host, &ours, &words);
    assert_eq!(our_code, code);
    assert!(err.contains("Invalid log facility 'mail'"), "{err}");
}

#[test]
fn messages_go_to_the_file_that_is_named() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let (host, ours) = (&hosts[0], keepalived(&lab));
    let file = lab.file("bad.conf", &router(100, "10.20.0.100").replace("priority", "prority"));
    let mut logs = Vec::new();
    for (program, log) in [(ours.as_path(), "ours.log"), (Path::new(ORACLE), "theirs.log")] {
        let log = lab.directory().join(log);
        let words = [format!("-t{}", log.display()), "-f".to_owned(), file.display().to_string()];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(run(host, program, &words), (Some(5), String::new(), String::new()));
        logs.push(std::fs::read_to_string(log).unwrap());
    }
    assert_eq!(logs[0], logs[1]);
}

/// Where this program means to be better: what cannot run does not pass.
#[test]
fn what_keepalived_lets_pass_does_not() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let (host, ours) = (&hosts[0], keepalived(&lab));
    let (code, _, err) = run(host, &ours, &["-t", "-f", "/no/such/file"]);
    assert_eq!(code, Some(4));
    assert!(err.contains("/no/such/file"), "{err}");
    let missing = router(100, "10.20.0.100").replace("  priority", "  notify /bin/no-such-thing\n  priority");
    let missing = lab.file(
        "script.conf",
        &format!("global_defs {{\n  enable_script_security\n  script_user root\n}}\n{missing}"),
    );
    let (code, _, err) = run(host, &ours, &["-t", "-f", missing.to_str().unwrap()]);
    assert_eq!(err, "Script /bin/no-such-thing cannot be accessed - No such file or directory\n");
    assert_eq!(code, Some(0), "it may yet come");
    let good = lab.file("good.conf", &router(100, "10.20.0.100"));
    let (code, _, err) = run(host, &ours, &["-t", "-s", "no-such-namespace", "-f", good.to_str().unwrap()]);
    assert_eq!(code, Some(5));
    assert!(err.contains("no-such-namespace"), "{err}");
}

#[test]
fn a_script_that_others_may_change_is_insecure() {
    let (lab, hosts) = Lab::with_segment(&["a"]);
    let (host, ours) = (&hosts[0], keepalived(&lab));
    let script = lab.file("script", "#!/bin/sh\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o777)).unwrap();
    let good = router(100, "10.20.0.100");
    let notify = good.replace("  priority", &format!("  notify {}\n  priority", script.display()));
    let file = lab.file("c.conf", &format!("global_defs {{\n  script_user root\n}}\n{notify}"));
    let words = ["-t", "-f", file.to_str().unwrap()];
    let (code, _, err) = run(host, Path::new(ORACLE), &words);
    let (our_code, _, our_err) = run(host, &ours, &words);
    assert_eq!((code, our_code), (Some(6), Some(6)));
    // And which one it is, which keepalived does not say.
    assert_eq!(our_err, format!("{err}Unsafe permissions found for script '{}'.\n", script.display()));
}
