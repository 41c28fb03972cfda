use super::*;
use crate::log::LogOptions;
use reactor::{ListenOptions, Listener};

fn settings(server: SocketAddr) -> Settings {
    Settings {
        server,
        helo: "hello.example".to_owned(),
        sender: "noreply@example.com".to_owned(),
        recipients: vec!["admin@example.com".to_owned(), "other@example.com".to_owned()],
        timeout: Duration::from_secs(5),
        router_id: "nt-a".to_owned(),
    }
}

/// What keepalived 2.2.7 sent with the same configuration, line by line.
const KEEPALIVED: &str = "HELO hello.example\r\n\
    MAIL FROM:<noreply@example.com>\r\n\
    RCPT TO:<admin@example.com>\r\n\
    RCPT TO:<other@example.com>\r\n\
    DATA\r\n\
    Date: Fri, 20 Nov 2026 18:57:37 +0000\r\n\
    From: noreply@example.com\r\n\
    Subject: [nt-a] VRRP Instance VI_1 - Entering FAULT state\r\n\
    X-Mailer: Keepalived\r\n\
    To: admin@example.com, other@example.com\r\n\
    \r\n\
    => VRRP Instance is no longer owning VRRP VIPs <=\r\n\
    \r\n\
    .\r\n\
    QUIT\r\n";

const SUBJECT: &str = "[nt-a] VRRP Instance VI_1 - Entering FAULT state";
const BODY: &str = "=> VRRP Instance is no longer owning VRRP VIPs <=";

fn converse(replies: &[u8], size: usize) -> (String, Step, bool) {
    let settings = settings("127.0.0.1:25".parse().unwrap());
    let date = rfc5322_date(WallTime { unix_micros: 1_795_201_057_000_000, local_offset: 0 });
    let mut conversation = Conversation::new(&settings, SUBJECT, BODY, &date);
    let mut out = Vec::new();
    let mut step = Step::Continue;
    for piece in replies.chunks(size) {
        step = conversation.receive(piece, &mut out);
        if step != Step::Continue {
            break;
        }
    }
    (String::from_utf8(out).unwrap(), step, conversation.is_over())
}

#[test]
fn the_bytes_are_keepaliveds_however_the_replies_are_cut() {
    let replies = b"220-hi\r\n220 there ESMTP\r\n250 ok\r\n250 ok\r\n250 ok\r\n251 ok\r\n354 go\r\n250 ok\r\n221 bye\r\n";
    for size in 1..replies.len() {
        assert_eq!(converse(replies, size), (KEEPALIVED.to_owned(), Step::Continue, true));
    }
}

#[test]
fn refusals_name_the_command() {
    let step = |replies: &[u8]| converse(replies, 1024).1;
    assert_eq!(step(b"554 no\r\n"), Step::Refused { command: "connect", code: 554 });
    assert_eq!(step(b"220 a\r\n501 no\r\n"), Step::Refused { command: "HELO", code: 501 });
    assert_eq!(step(b"220 a\r\n250 a\r\n450-x\r\n450 no\r\n"), Step::Refused { command: "MAIL", code: 450 });
    assert_eq!(
        step(b"220 a\r\n250 a\r\n250 a\r\n550 no\r\n550 no\r\n"),
        Step::Refused { command: "RCPT", code: 550 }
    );
    assert_eq!(step(b"220 a\r\n250 a\r\n250 a\r\n550 no\r\n250 a\r\n354 go\r\n"), Step::Continue);
    assert_eq!(
        step(b"220 a\r\n250 a\r\n250 a\r\n250 a\r\n250 a\r\n250 a\r\n"),
        Step::Refused { command: "DATA", code: 250 }
    );
    assert_eq!(step(b"HTTP/1.0 400 Bad\r\n"), Step::Nonsense);
    assert_eq!(step(&[b'2'; 10_000]), Step::Nonsense);
}

#[test]
fn lines_that_begin_with_a_dot_do_not_end_the_mail() {
    let settings = settings("127.0.0.1:25".parse().unwrap());
    let mut conversation = Conversation::new(&settings, "a\r\nBcc: b", ".\n..\nx", "now");
    let mut out = Vec::new();
    conversation.receive(b"220 a\r\n250 a\r\n250 a\r\n250 a\r\n250 a\r\n354 a\r\n", &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("\r\nSubject: a  Bcc: b\r\n"), "{out}");
    assert!(out.ends_with("\r\n\r\n..\r\n...\r\nx\r\n\r\n.\r\n"), "{out}");
}

#[test]
fn mails_arrive_in_order_over_a_real_connection() {
    let log = Rc::new(Log::new(LogOptions { facility: None, ..LogOptions::default() }));
    let received = reactor::run(reactor::Settings::default(), async {
        let any = SockAddr::Ip("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&any, &ListenOptions::default()).unwrap();
        let server = listener.local_addr().unwrap().ip().unwrap();
        let mailer = Mailer::new(settings(server), log);
        mailer.send("VRRP Instance VI_1", "Entering FAULT state", BODY);
        mailer.send("VRRP Instance VI_1", "Entering BACKUP state", BODY);
        let mut all = String::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let mut got = String::new();
            let mut replies = [
                "220 a\r\n",
                "250 a\r\n",
                "250 a\r\n",
                "250 a\r\n",
                "250 a\r\n",
                "354 a\r\n",
                "250 a\r\n",
                "221 a\r\n",
            ]
            .into_iter();
            stream.try_write(replies.next().unwrap().as_bytes()).unwrap();
            let ends = ["\r\n", "\r\n", "\r\n", "\r\n", "DATA\r\n", "\r\n.\r\n", "QUIT\r\n"];
            for (end, reply) in ends.into_iter().zip(replies) {
                let start = got.len();
                let mut buffer = [0; 1024];
                while !got[start..].ends_with(end) {
                    match stream.try_read(&mut buffer) {
                        Ok(count) => got.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
                        Err(_) => stream.readable().await,
                    }
                }
                stream.try_write(reply.as_bytes()).unwrap();
            }
            all.push_str(&got);
        }
        while !mailer.is_idle() {
            reactor::yield_now().await;
        }
        all
    })
    .unwrap();
    let fault = received.find("VI_1 - Entering FAULT state\r\n").unwrap();
    assert!(received.find("VI_1 - Entering BACKUP state\r\n").unwrap() > fault);
}
