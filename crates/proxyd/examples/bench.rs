//! scratch: listens on argv[1], forwards to argv[2]
use haproxy_cfg::model::*;
use std::sync::Arc;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let place = {
        let mut s = diag::Sources::default();
        let f = s.add("x", "x");
        Place { file: "x".into(), line: 1, span: diag::Span { file: f, start: 0, end: 0 } }
    };
    let listen: std::net::SocketAddr = format!("127.0.0.1:{}", a[1]).parse().unwrap();
    let to: std::net::SocketAddr = format!("127.0.0.1:{}", a[2]).parse().unwrap();
    let t = Some(std::time::Duration::from_secs(60));
    let px = Proxy {
        kind: ProxyKind::Listen,
        name: "l".into(),
        id: 2,
        place: place.clone(),
        mode: if a.get(3).is_some_and(|m| m == "tcp") { Mode::Tcp } else { Mode::Http },
        disabled: false,
        description: None,
        binds: vec![Bind {
            address: Address::Ip(listen),
            id: 1,
            name: None,
            maxconn: None,
            backlog: None,
            interface: None,
            transparent: false,
            v6only: None,
            unix_mode: None,
            unix_uid: None,
            unix_gid: None,
            defer_accept: false,
            mss: None,
            tfo: false,
            nice: 0,
            place: place.clone(),
        }],
        maxconn: None,
        backlog: None,
        fullconn: None,
        default_backend: None,
        timeouts: Timeouts { client: t, server: t, connect: t, ..Default::default() },
        options: ProxyOptions { ..Default::default() },
        retries: 3,
        loggers: vec![],
        log_line: LogLine::Connect,
        error_log_format: None,
        log_tag: None,
        unique_id_format: None,
        unique_id_header: None,
        error_files: Default::default(),
        balance: Balance::RoundRobin,
        http_reuse: HttpReuse::Always,
        servers: vec![Server {
            name: "s1".into(),
            id: 1,
            address: Address::Ip(to),
            weight: 1,
            backup: false,
            disabled: false,
            maxconn: 0,
            maxqueue: 0,
            pool_max_conn: -1,
            pool_purge_delay: std::time::Duration::from_secs(5),
            check: None,
            place,
        }],
        check: Check::Connect,
    };
    let config = Arc::new(Config { global: Global::default(), proxies: vec![px] });
    let l = std::net::TcpListener::bind(listen).unwrap();
    let running = proxyd::start(proxyd::Setup {
        config,
        threads: 1,
        maxconn: 10000,
        listeners: vec![proxyd::Bound { proxy: 0, bind: 0, sockets: vec![l.into()] }],
        seed: 1,
    })
    .unwrap();
    running.join();
}
