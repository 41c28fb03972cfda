//! What each kind of checker finds.

use super::{Lab, answering, nobody, on_reactor, read_until, serve, servers, silent, write};
use reactor::SockAddr;
use std::net::UdpSocket;

/// Runs the checkers and compares their first verdicts: up or down, and words of the reason.
async fn expect(cases: &[(u16, &str, bool, &str)]) {
    let text: Vec<_> = cases.iter().map(|(port, checker, ..)| (*port, *checker)).collect();
    let lab = Lab::start(&servers(&text));
    let found = lab.first(cases.len()).await;
    for ((port, checker, up, reason), verdict) in cases.iter().zip(&found) {
        assert_eq!(verdict.up, *up, "{port} {checker}: {verdict:?}");
        assert!(verdict.reason.contains(reason), "{port} {checker}: {verdict:?}");
    }
}

#[test]
fn tcp() {
    on_reactor(async || {
        let open = silent();
        let cases = [
            (open, "TCP_CHECK { }", true, "passed"),
            (nobody(), "TCP_CHECK { }", false, "refused"),
            (1, &*format!("TCP_CHECK {{\n connect_port {open}\n}}"), true, "passed"),
            (open, "TCP_CHECK {\n connect_ip 127.0.0.2\n}", false, "refused"),
            (open, "TCP_CHECK {\n bindto 127.0.0.3\n bind_if lo\n fwmark 7\n}", true, "passed"),
        ];
        expect(&cases).await;
    });
}

#[test]
fn the_address_to_come_from_is_kept() {
    on_reactor(async || {
        let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let (peers, free) = (seen.clone(), nobody());
        let port = serve(async move |stream| peers.borrow_mut().extend(stream.peer_addr().ok()));
        let lab = Lab::start(&servers(&[
            (port, "TCP_CHECK {\n bindto 127.0.0.3\n}"),
            (port, &format!("TCP_CHECK {{\n bind_port {free}\n}}")),
        ]));
        lab.first(2).await;
        while seen.borrow().len() < 2 {
            reactor::yield_now().await;
        }
        let seen: Vec<_> = seen.borrow().iter().filter_map(SockAddr::ip).collect();
        assert!(seen.iter().any(|peer| peer.ip().to_string() == "127.0.0.3"), "{seen:?}");
        assert!(seen.iter().any(|peer| peer.port() == free), "{seen:?}");
    });
}

#[test]
fn by_ipv6() {
    on_reactor(async || {
        let any = SockAddr::Ip("[::1]:0".parse().unwrap());
        let listener = reactor::Listener::bind(&any, &reactor::ListenOptions::default()).unwrap();
        let port = listener.local_addr().unwrap().ip().unwrap().port();
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        let echo = udp.local_addr().unwrap().port();
        let lab = Lab::start(&format!(
            "virtual_server 2001:db8::1 80 {{\n protocol TCP\n delay_loop 1\n warmup 0\n retry 0\n lb_algo rr\n lb_kind NAT\n\
             real_server ::1 {port} {{\n TCP_CHECK {{ }}\n}}\n\
             real_server ::1 {echo} {{\n UDP_CHECK {{\n connect_timeout 0.2\n }}\n}}\n\
             real_server ::1 1 {{\n PING_CHECK {{ }}\n}}\n}}\n"
        ));
        for verdict in lab.first(3).await {
            assert!(verdict.up, "{verdict:?}");
        }
    });
}

#[test]
fn what_says_nothing_of_the_server_is_no_verdict() {
    on_reactor(async || {
        let open = silent();
        let lab = Lab::start(&servers(&[
            (open, "TCP_CHECK {\n bindto 192.0.2.77\n}"),
            (open, "TCP_CHECK {\n bind_if no-such-if\n}"),
            (open, "TCP_CHECK { }"),
        ]));
        assert_eq!(lab.next().await.0, 2);
        // Some rounds of those that cannot begin.
        while lab.prober.counters().attempts < 12 {
            reactor::sleep_until(reactor::now() + std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(lab.already(), None);
    });
}

#[test]
fn http() {
    on_reactor(async || {
        let ok = answering("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        let get = "HTTP_GET {\n connect_timeout 0.3\n url {\n  path /\n }\n}";
        let reset = serve(async |stream| {
            read_until(&stream, b"\r\n\r\n").await;
            let _ = stream.set_linger_zero();
        });
        let cases = [
            (ok, get, true, "passed"),
            (answering("HTTP/1.1 503 No\r\n\r\n"), get, false, "status 503"),
            (ok, "HTTP_GET {\n url {\n path /\n status_code 404\n }\n}", false, "status 200"),
            // echo -n hello | md5sum
            (
                ok,
                "HTTP_GET {\n url {\n path /\n digest 5d41402abc4b2a76b9719d911017c592\n }\n}",
                true,
                "passed",
            ),
            (
                ok,
                "HTTP_GET {\n url {\n path /\n digest 00000000000000000000000000000000\n }\n}",
                false,
                "digest",
            ),
            (answering("HTTP/1.0 200 OK\r\nContent-"), get, false, "no HTTP answer"),
            (answering("gibberish\r\n\r\n"), get, false, "status"),
            (answering(""), get, false, "no HTTP answer"),
            (silent(), get, false, "no answer in time"),
            (nobody(), get, false, "refused"),
            (reset, get, false, "reset"),
            (answering(vec![b'x'; 100_000]), get, false, "no HTTP answer"),
        ];
        expect(&cases).await;
    });
}

#[test]
fn every_url_is_asked_with_its_host() {
    on_reactor(async || {
        let asked = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let heard = asked.clone();
        let port = serve(async move |stream| {
            let request = read_until(&stream, b"\r\n\r\n").await;
            heard.borrow_mut().push(String::from_utf8_lossy(&request).into_owned());
            write(&stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
        });
        let lab = Lab::start(&servers(&[(
            port,
            "HTTP_GET {\n http_protocol 1.1\n virtualhost a.example\n url {\n path /one\n }\n url {\n path /two\n virtualhost \
             b.example\n }\n}",
        )]));
        assert!(lab.first(1).await[0].up);
        let asked = asked.borrow();
        assert!(
            asked[0].starts_with("GET /one HTTP/1.1\r\n") && asked[0].contains("Host: a.example\r\n"),
            "{asked:?}"
        );
        assert!(
            asked[1].starts_with("GET /two HTTP/1.1\r\n") && asked[1].contains("Host: b.example\r\n"),
            "{asked:?}"
        );
    });
}

#[test]
fn smtp() {
    on_reactor(async || {
        let talk = |greeting: &'static str, helo: &'static str| {
            serve(async move |stream| {
                write(&stream, greeting.as_bytes()).await;
                if read_until(&stream, b"\r\n").await.starts_with(b"HELO me.example") {
                    write(&stream, helo.as_bytes()).await;
                    read_until(&stream, b"QUIT\r\n").await;
                    write(&stream, b"221 bye\r\n").await;
                }
            })
        };
        let check = "SMTP_CHECK {\n helo_name me.example\n connect_timeout 0.3\n retry 0\n}";
        let cases = [
            (talk("220 hi\r\n", "250 yes\r\n"), check, true, "passed"),
            (talk("220-hi\r\n220 there\r\n", "250-a\r\n250 yes\r\n"), check, true, "passed"),
            (talk("554 no\r\n", ""), check, false, "greeting"),
            (talk("220 hi\r\n", "550 no\r\n"), check, false, "HELO"),
            (talk("220 hi", ""), check, false, "in time"),
            (silent(), check, false, "in time"),
            (serve(async |_| {}), check, false, "closed"),
            (nobody(), check, false, "refused"),
        ];
        expect(&cases).await;
    });
}

/// A server of datagrams that answers each with what `answer` makes of it; its port.
fn datagrams(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            if &buffer[..len] == b"stop" {
                return;
            }
            for datagram in answer(&buffer[..len]) {
                let _ = socket.send_to(&datagram, from);
            }
        }
    });
    port
}

fn stop(ports: &[u16]) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for port in ports {
        let _ = socket.send_to(b"stop", ("127.0.0.1", *port));
    }
}

#[test]
fn dns() {
    on_reactor(async || {
        let reply = |code: u8| {
            move |query: &[u8]| {
                let mut answer = query.to_vec();
                answer[2] |= 0x80;
                answer[3] = code;
                let mut other = answer.clone();
                other[0] ^= 0xff;
                // A stray, garbage, then the answer.
                vec![other, b"x".to_vec(), answer]
            }
        };
        let check = "DNS_CHECK {\n name example.com\n type A\n connect_timeout 0.3\n retry 0\n}";
        let ports = [datagrams(reply(0)), datagrams(reply(2)), datagrams(|query| vec![query.to_vec(); 200])];
        let cases = [
            (ports[0], check, true, "passed"),
            (ports[1], check, false, "DNS error 2"),
            (ports[2], check, false, "in time"),
            (nobody(), check, false, "refused"),
        ];
        expect(&cases).await;
        stop(&ports);
    });
}

#[test]
fn udp() {
    on_reactor(async || {
        let ports = [
            datagrams(|query| vec![query.iter().rev().copied().collect()]),
            datagrams(|_| Vec::new()),
            datagrams(|_| vec![vec![0; 1500]; 50]),
        ];
        let payload =
            "UDP_CHECK {\n payload 0102\n require_reply 02X1\n min_reply_length 2\n connect_timeout 0.3\n}";
        let wrong = "UDP_CHECK {\n payload 0102\n require_reply 0202\n connect_timeout 0.3\n}";
        let quiet = "UDP_CHECK {\n connect_timeout 0.3\n}";
        let cases = [
            (ports[0], payload, true, "passed"),
            (ports[0], wrong, false, "unexpected reply"),
            (ports[1], payload, false, "in time"),
            (ports[1], quiet, true, "passed"),
            (ports[2], payload, false, "unexpected reply"),
            (nobody(), quiet, false, "refused"),
        ];
        expect(&cases).await;
        stop(&ports);
    });
}

#[test]
fn ping() {
    on_reactor(async || {
        expect(&[(1, "PING_CHECK {\n connect_timeout 2\n}", true, "passed")]).await;
    });
}
