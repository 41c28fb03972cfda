//! Scripts, FIFOs and mail.

use crate::*;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

const OPEN: &str = "global_defs {\n script_user root\n";

/// A program that appends its arguments to a file, or with `fifo` what it reads from its first argument.
fn recorder(lab: &Lab, name: &str, fifo: bool) -> (String, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let out = lab.directory().join(format!("{name}.out"));
    let body = if fifo { "exec cat \"$1\"" } else { "echo \"$0 $*\"" };
    let path = lab.file(name, &format!("#!/bin/sh\n{body} >> {}\n", out.display()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (path.display().to_string(), out)
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn written(path: &std::path::Path, line: &str) {
    let until = std::time::Instant::now() + 2 * testkit::DEADLINE;
    while !read(path).contains(line) {
        assert!(std::time::Instant::now() < until, "not written: {line}\nbut:\n{}", read(path));
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_fifo_and_its_script_get_every_state_and_again_on_reload() {
    let (lab, a, _) = pair();
    let (script, out) = recorder(&lab, "reader", true);
    let fifo = lab.directory().join("fifo");
    let config = |more: &str| {
        format!(
            "{OPEN} vrrp_notify_fifo {}\n vrrp_notify_fifo_script {script}\n {more}\n}}\nvrrp_sync_group G {{\n group {{\n \
             VI_1\n }}\n}}\n{}",
            fifo.display(),
            instance("")
        )
    };
    let mut role = start(&lab, &a, &config(""));
    written(&out, "INSTANCE \"VI_1\" MASTER 100\n");
    written(&out, "GROUP \"G\" MASTER 0\n");
    reload(&lab, &a, &role, &config("fifo_write_vrrp_states_on_reload"));
    eventually("states are written again", || {
        read(&out).matches("INSTANCE \"VI_1\" MASTER 100").count() == 2
    });
    eventually("of groups, too", || read(&out).matches("GROUP \"G\" MASTER 0").count() == 2);
    assert!(role.stop().success());
    written(&out, "INSTANCE \"VI_1\" STOP 100\n");
    assert!(!fifo.exists(), "the pipe is removed");
}

#[test]
fn a_master_says_that_it_heard_a_lower_priority() {
    let (lab, a, b) = pair();
    let (script, out) = recorder(&lab, "lower", false);
    let config = format!("{OPEN}}}\n{}", instance(&format!("notify_master_rx_lower_pri {script}")));
    let role = start(&lab, &a, &config.replace("priority 100", "priority 200"));
    says(&role, MASTER);
    // The other does not hear it for a while, becomes Master, and then is heard.
    lab.isolate("lan", 1);
    let other = start(&lab, &b, &instance(""));
    says(&other, MASTER);
    assert_eq!(read(&out), "");
    lab.rejoin("lan", 1);
    written(&out, "lower");
    says(&other, "(VI_1) Entering BACKUP STATE");
    assert!(!role.text().contains("MASTER to "), "{}", role.text());
}

#[test]
fn a_router_that_a_reload_drops_is_deleted() {
    let (lab, a, _) = pair();
    let (deleted, deleted_out) = recorder(&lab, "deleted", false);
    let (any, any_out) = recorder(&lab, "any", false);
    let other = "vrrp_instance VI_2 {\n interface e0\n virtual_router_id 52\n version 3\n advert_int 0.2\n virtual_ipaddress {\n 10.20.0.102/24\n }\n \
                 MORE\n}\n";
    let more = format!("notify_deleted {deleted}\n notify {any}");
    let role = start(&lab, &a, &format!("{OPEN}}}\n{}{}", instance(""), other.replace("MORE", &more)));
    has(&a, "10.20.0.102", true);
    written(&any_out, "INSTANCE VI_2 MASTER 100");
    reload(&lab, &a, &role, &format!("{OPEN}}}\n{}", instance("")));
    written(&deleted_out, "deleted");
    written(&any_out, "INSTANCE VI_2 DELETED 100");
    has(&a, "10.20.0.102", false);
    assert!(a.has_address(VIP));
}

/// A server that takes one conversation, with these replies; what it heard.
fn mail_server(host: &Host, replies: &'static [&'static str]) -> (u16, mpsc::Receiver<String>) {
    let listener = host.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut heard = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            for reply in replies {
                let _ = stream.write_all(reply.as_bytes());
                let mail = reply.starts_with("354");
                while let Some(Ok(line)) = lines.next() {
                    heard += &line;
                    heard.push('\n');
                    if !mail || line == "." {
                        break;
                    }
                }
            }
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

fn mail_config(port: u16) -> String {
    format!(
        "global_defs {{\n router_id here\n notification_email {{\n admin@example.com\n }}\n notification_email_from ek@example.com\n \
         smtp_server 127.0.0.1 {port}\n smtp_connect_timeout 2\n}}\n{}",
        instance("smtp_alert")
    )
}

#[test]
fn mail_goes_out_at_changes() {
    let (lab, a, _) = pair();
    let replies =
        &["220 hi\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n", "221 bye\r\n"];
    let (port, heard) = mail_server(&a, replies);
    let _role = start(&lab, &a, &mail_config(port));
    let until = std::time::Instant::now() + 2 * testkit::DEADLINE;
    let mut all = String::new();
    while !all.contains("Subject: [here] VRRP Instance VI_1 - Entering MASTER state") {
        let left = until.saturating_duration_since(std::time::Instant::now());
        all += &heard.recv_timeout(left).unwrap_or_else(|_| panic!("no such mail: {all}"));
    }
    assert!(
        all.contains("MAIL FROM:<ek@example.com>") && all.contains("RCPT TO:<admin@example.com>"),
        "{all}"
    );
}

#[test]
fn servers_that_fail_hold_nothing_up() {
    let refuses: &[&str] = &["554 no\r\n"];
    let nonsense: &[&str] = &["hello\r\n"];
    let half: &[&str] = &["220 hi\r\n", "250 ok\r\n", "451 later\r\n"];
    for replies in [refuses, nonsense, half] {
        let (lab, a, _) = pair();
        let (port, heard) = mail_server(&a, replies);
        let mut role = start(&lab, &a, &mail_config(port));
        says(&role, MASTER);
        heard.recv_timeout(2 * testkit::DEADLINE).expect("a conversation");
        has(&a, VIP, true);
        assert!(role.stop().success(), "{}", role.text());
        assert!(!a.has_address(VIP));
    }
    // Nobody there, and somebody who says nothing.
    for silent in [false, true] {
        let (lab, a, _) = pair();
        let listener = a.inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        let listener = silent.then_some(listener);
        let mut role = start(&lab, &a, &mail_config(port));
        says(&role, MASTER);
        has(&a, VIP, true);
        assert!(role.stop().success(), "{}", role.text());
        drop(listener);
    }
}
