//! The client against openssl's server, and against servers that are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use reactor::{ConnectOptions, ListenOptions, Listener, SockAddr, Stream};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tls::{Client, Connection, Error, Identity, Received, SetupError, Trust};

/// A directory with keys and certificates, removed at the end.
struct Keys(PathBuf);

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Keys {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("evenkeel-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let keys = Self(directory);
        for (key, subject) in [("own", "/CN=www.example"), ("other", "/CN=other.example")] {
            keys.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj {subject} -addext subjectAltName=DNS:{} -keyout {key}.key \
                 -out {key}.pem",
                subject.trim_start_matches("/CN="),
            ));
        }
        keys
    }

    fn openssl(&self, words: &str) {
        let run = Command::new("openssl").args(words.split(' ')).current_dir(&self.0).output().unwrap();
        assert!(run.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&run.stderr));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }
}

/// `openssl s_server`, ended when dropped.
struct Server(Child, SocketAddr);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(keys: &Keys, more: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-key", "own.key", "-cert", "own.pem"])
            .args(more.split_whitespace())
            .current_dir(&keys.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ACCEPT"))).unwrap().unwrap();
        let port: u16 = line.rsplit(':').next().unwrap().parse().unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, SocketAddr::from(([127, 0, 0, 1], port)))
    }
}

/// Asks for a page: what came, and how it ended.
async fn get(to: SocketAddr, client: &Client, name: Option<&str>) -> Result<(String, Received), Error> {
    let stream = Stream::connect(&SockAddr::Ip(to), &ConnectOptions::default())?;
    stream.connected().await?;
    let mut connection = Connection::client(stream, client, to.ip(), name)?;
    connection.handshake().await?;
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let (mut page, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match connection.read(&mut buffer).await? {
            Received::Data(len) => page.extend_from_slice(&buffer[..len]),
            end => {
                connection.close();
                return Ok((String::from_utf8_lossy(&page).into_owned(), end));
            }
        }
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    reactor::run(reactor::Settings::default(), test).unwrap()
}

fn anyone() -> Client {
    Client::new(&Trust::Anyone, None).unwrap()
}

#[test]
fn who_is_trusted() {
    let keys = Keys::new("trust");
    keys.openssl("x509 -in own.pem -signkey own.key -days -1 -out expired.pem");
    let server = Server::start(&keys, "");
    let to = server.1;
    let trusting = |authority: &str| Client::new(&Trust::Authorities(keys.read(authority)), None).unwrap();
    run(async {
        for version in ["", "-tls1_2", "-tls1_3"] {
            let server = Server::start(&keys, version);
            let (page, end) = get(server.1, &anyone(), None).await.unwrap();
            assert!(page.starts_with("HTTP/1.0 200") && end == Received::Closed, "{version}: {end:?} {page}");
        }
        for (authority, name) in [("other.pem", "www.example"), ("own.pem", "wrong.example")] {
            let error = get(to, &trusting(authority), Some(name)).await.unwrap_err();
            assert!(matches!(error, Error::Certificate(_)), "{authority} {name}: {error}");
        }
        let old = Server::start(&keys, "-cert expired.pem");
        assert!(get(old.1, &anyone(), None).await.is_ok(), "nothing is looked at");
        let error = get(old.1, &trusting("expired.pem"), Some("www.example")).await.unwrap_err();
        assert!(matches!(error, Error::Certificate(_)), "{error}");
    });
}

#[test]
fn what_openssl_would_take() {
    let keys = Keys::new("old");
    type IsIt = fn(&Error) -> bool;
    let cases: [(&str, IsIt); 4] = [
        ("-tls1_1 -cipher DEFAULT@SECLEVEL=0", |error| matches!(error, Error::OldProtocol)),
        ("-tls1 -cipher DEFAULT@SECLEVEL=0", |error| matches!(error, Error::OldProtocol)),
        ("-tls1_2 -cipher AES128-SHA", |error| matches!(error, Error::NoCommonSuite)),
        ("-tls1_2 -cipher ECDHE-RSA-AES128-SHA", |error| matches!(error, Error::NoCommonSuite)),
    ];
    run(async {
        for (options, expected) in cases {
            let server = Server::start(&keys, options);
            let error = get(server.1, &anyone(), None).await.unwrap_err();
            assert!(expected(&error), "{options}: {error:?}");
        }
    });
}

#[test]
fn the_name_is_said_when_it_is_one() {
    let keys = Keys::new("name");
    let server =
        Server::start(&keys, "-servername www.example -servername_fatal -cert2 own.pem -key2 own.key");
    run(async {
        assert!(get(server.1, &anyone(), Some("www.example")).await.is_ok());
        assert!(get(server.1, &anyone(), None).await.is_ok(), "without a name there is nothing to refuse");
        assert!(get(server.1, &anyone(), Some("192.0.2.1")).await.is_ok(), "an address is no name");
        let error = get(server.1, &anyone(), Some("other.example")).await.unwrap_err();
        assert!(matches!(&error, Error::Refused(alert) if alert == "UnrecognisedName"), "{error:?}");
    });
}

#[test]
fn a_client_presents_itself() {
    let keys = Keys::new("client");
    let commands = [
        "rsa -in own.key -aes256 -passout pass:secret -out new.key",
        "pkcs8 -topk8 -in own.key -v2 aes-128-cbc -v2prf hmacWithSHA1 -passout pass:secret -out sha1.key",
        "rsa -in own.key -aes128 -traditional -passout pass:secret -out old.key",
        "pkcs8 -topk8 -in own.key -scrypt -passout pass:secret -out scrypt.key",
    ];
    for command in commands {
        keys.openssl(command);
    }
    let identity = |key: &str, password: Option<&str>| Identity {
        certificate: keys.read("own.pem"),
        key: keys.read(key),
        password: password.map(str::to_owned),
    };
    let refused = |key: &str, password| match Client::new(&Trust::Anyone, Some(&identity(key, password))) {
        Err(SetupError::Key(reason)) => reason,
        other => panic!("{key}: {other:?}"),
    };
    assert!(refused("new.key", None).contains("no password"));
    assert!(refused("new.key", Some("wrong")).contains("password is wrong"));
    assert!(refused("old.key", Some("wrong")).contains("password is wrong"));
    assert!(refused("scrypt.key", Some("secret")).contains("not served"));
    assert!(refused("other.key", None).len() > 3, "the key of another certificate");
    assert!(matches!(
        Client::new(&Trust::Anyone, Some(&Identity { certificate: b"x".to_vec(), ..Identity::default() })),
        Err(SetupError::Certificate(_))
    ));
    assert!(matches!(Client::new(&Trust::Authorities(b"x".to_vec()), None), Err(SetupError::Authorities(_))));
    run(async {
        for version in ["-tls1_2", "-tls1_3"] {
            let server = Server::start(&keys, &format!("{version} -Verify 1 -CAfile own.pem"));
            for (key, password) in [
                ("own.key", None),
                ("new.key", Some("secret")),
                ("sha1.key", Some("secret")),
                ("old.key", Some("secret")),
            ] {
                let client = Client::new(&Trust::Anyone, Some(&identity(key, password))).unwrap();
                assert!(get(server.1, &client, None).await.is_ok(), "{version} {key}");
            }
            let error = get(server.1, &anyone(), None).await.unwrap_err();
            assert!(
                matches!(error, Error::Refused(_) | Error::NoCommonSuite | Error::Io(_)),
                "{version}: {error:?}"
            );
        }
    });
}

/// A server that does this with its connections.
fn serve(serve: impl AsyncFn(Stream) + 'static) -> SocketAddr {
    let any = SockAddr::Ip(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = Listener::bind(&any, &ListenOptions::default()).unwrap();
    let to = listener.local_addr().unwrap().ip().unwrap();
    reactor::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    to
}

#[test]
fn servers_that_are_none() {
    run(async {
        let plain = serve(async |stream| drop(stream.try_write(b"HTTP/1.0 400 Bad request\r\n\r\n")));
        let error = get(plain, &anyone(), None).await.unwrap_err();
        assert!(matches!(error, Error::NotTls), "{error:?}");
        let closing = serve(async |stream| {
            stream.readable().await;
            let _ = stream.try_read(&mut [0; 4096]);
        });
        let error = get(closing, &anyone(), None).await.unwrap_err();
        assert!(matches!(error, Error::ClosedInHandshake), "{error:?}");
        let resetting = serve(async |stream| drop(stream.set_linger_zero()));
        let error = get(resetting, &anyone(), None).await.unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{error:?}");
    });
}

/// A server in the middle passes everything on but the end: the last record, which is close_notify, is missing.
#[test]
fn an_end_that_is_not_said() {
    let keys = Keys::new("end");
    let server = Server::start(&keys, "-tls1_2");
    run(async {
        let behind = server.1;
        let middle = serve(async move |client| {
            let server = Stream::connect(&SockAddr::Ip(behind), &ConnectOptions::default()).unwrap();
            server.connected().await.unwrap();
            let (mut buffer, mut kept) = (vec![0; 64 * 1024], Vec::new());
            loop {
                match client.try_read(&mut buffer) {
                    Ok(0) => return,
                    Ok(len) => assert_eq!(server.try_write(&buffer[..len]).unwrap(), len),
                    Err(_) => {}
                }
                match server.try_read(&mut buffer) {
                    Ok(0) => return,
                    Ok(len) => kept.extend_from_slice(&buffer[..len]),
                    Err(_) => {
                        std::future::poll_fn(|cx| {
                            let ready =
                                client.poll_readable(cx).is_ready() | server.poll_readable(cx).is_ready();
                            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                        })
                        .await
                    }
                }
                // Whole records; the first alert is the end.
                while let [kind, _, _, high, low, ..] = kept[..] {
                    let len = 5 + usize::from(high) * 256 + usize::from(low);
                    if kept.len() < len {
                        break;
                    }
                    let record: Vec<u8> = kept.drain(..len).collect();
                    if kind == 21 {
                        return;
                    }
                    assert_eq!(client.try_write(&record).unwrap(), len);
                }
            }
        });
        let (page, end) = get(middle, &anyone(), None).await.unwrap();
        assert!(page.starts_with("HTTP/1.0 200") && end == Received::CutOff, "{end:?}");
    });
}
