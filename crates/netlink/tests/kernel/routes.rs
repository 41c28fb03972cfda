use crate::{index, pair, run};
use netlink::address::Scope;
use netlink::route::{self, Encapsulation, Metric, NextHop, Placement, Preference, Route, RouteKind};
use netlink::{Family, Prefix};
use serde_json::Value;
use testkit::lab::Host;

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap())
}

fn via(link: u32, router: &str) -> NextHop {
    NextHop::new(Some(link), Some(router.parse().unwrap()))
}

/// What `ip` shows of all routes to a destination, in all tables, but for when they end.
fn shown(host: &Host, destination: &str) -> Value {
    let family = if destination.contains(':') { "-6" } else { "-4" };
    let mut routes = host.ip_json(&format!("{family} route show table all exact {destination}"));
    for route in routes.as_array_mut().unwrap() {
        let route = route.as_object_mut().unwrap();
        route
            .remove("expires")
            .map(|seconds| route.insert("expires".to_owned(), Value::Bool(seconds.as_u64() > Some(900))));
    }
    routes
}

/// Adds a route in two hosts that are alike, once by us and once by `ip`, and compares what `ip` shows, what we list, and
/// that we can remove both.
fn alike(ours: impl Fn(u32, &mut Route), ips: &str) {
    let (_lab, a) = pair();
    let (_other_lab, b) = pair();
    for host in [&a, &b] {
        host.ip("link set lo up");
    }
    let words: Vec<&str> = ips.split(' ').collect();
    let destination = words.iter().find(|word| word.contains('/')).unwrap();
    let make = |host: &Host| {
        let mut route = Route::new(prefix(destination));
        ours(index(host, "e0"), &mut route);
        route
    };
    let mine = make(&a);
    run(&a, route::add(&mine, Placement::Alone)).unwrap_or_else(|e| panic!("{ips}: {e}"));
    let family = if destination.contains(':') { "-6" } else { "-4" };
    b.ip(&format!("{family} route add {ips}"));
    let expected = shown(&b, destination);
    assert_eq!(expected.as_array().unwrap().len(), 1, "{ips}: {expected}");
    assert_eq!(shown(&a, destination), expected, "{ips}");

    let find = |host: &Host| {
        let e0 = index(host, "e0");
        let mut all = run(host, route::list(mine.destination.family())).unwrap();
        all.retain(|route| route.destination == mine.destination);
        assert_eq!(all.len(), 1);
        let mut route = all.pop().unwrap();
        assert!(make(host).is_same(&route), "{ips}: {route:?}");
        route.expires = route.expires.map(|seconds| u32::from(seconds > 900));
        for hop in &mut route.next_hops {
            hop.link = hop.link.map(|link| if link == e0 { 1000 } else { link });
        }
        route
    };
    assert_eq!(find(&a), find(&b), "{ips}");
    for host in [&a, &b] {
        run(host, route::delete(&make(host))).unwrap_or_else(|e| panic!("removing {ips}: {e}"));
        assert_eq!(shown(host, destination), serde_json::json!([]), "{ips}");
    }
}

#[test]
fn ipv4_routes_are_as_ip_makes_them() {
    alike(|e0, r| r.next_hops = vec![NextHop::new(Some(e0), None)], "192.0.2.0/24 dev e0");
    alike(|e0, r| r.next_hops = vec![via(e0, "10.20.0.2")], "192.0.2.0/24 via 10.20.0.2 dev e0");
    alike(
        |_, r| r.next_hops = vec![NextHop::new(None, Some([10, 20, 0, 2].into()))],
        "192.0.2.0/24 via 10.20.0.2",
    );
    alike(
        |e0, r| {
            r.next_hops = vec![via(e0, "10.20.0.2")];
            r.table = 6909;
            r.tos = 4;
            r.protocol = 12;
            r.metric = Some(12);
            r.preferred_source = Some([10, 20, 0, 1].into());
        },
        "192.0.2.0/24 via 10.20.0.2 dev e0 table 6909 tos 0x04 protocol 12 metric 12 src 10.20.0.1",
    );
    alike(
        |e0, r| {
            r.next_hops = vec![NextHop::new(Some(e0), None)];
            r.scope = Some(Scope::HOST);
        },
        "192.0.2.1/32 dev e0 scope host",
    );
    alike(
        |e0, r| r.next_hops = vec![NextHop { on_link: true, ..via(e0, "203.0.113.1") }],
        "192.0.2.0/24 via 203.0.113.1 dev e0 onlink",
    );
    for (kind, name) in [
        (RouteKind::Blackhole, "blackhole"),
        (RouteKind::Unreachable, "unreachable"),
        (RouteKind::Prohibit, "prohibit"),
        (RouteKind::Throw, "throw"),
    ] {
        alike(|_, r| r.kind = kind, &format!("{name} 192.0.2.0/24"));
        alike(
            |_, r| {
                r.kind = kind;
                r.metric = Some(100);
            },
            &format!("{name} 2001:db8:5::/64 metric 100"),
        );
    }
    alike(
        |e0, r| {
            r.kind = RouteKind::Local;
            r.table = 255;
            r.next_hops = vec![NextHop::new(Some(e0), None)];
        },
        "local 192.0.2.1/32 dev e0 table local",
    );
    alike(
        |e0, r| {
            r.next_hops = vec![via(e0, "10.20.0.2")];
            r.realms = Some(0x0003_0014);
        },
        "192.0.2.0/24 via 10.20.0.2 dev e0 realms 3/20",
    );
    // By way of an IPv6 router.
    alike(|e0, r| r.next_hops = vec![via(e0, "fe80::2")], "192.0.2.0/24 via inet6 fe80::2 dev e0");
}

#[test]
fn the_parameters_of_connections_are_as_ip_sets_them() {
    alike(
        |e0, r| {
            r.next_hops = vec![via(e0, "10.20.0.2")];
            r.metrics
                .lock(Metric::Mtu, 1000)
                .set(Metric::HopLimit, 100)
                .lock(Metric::AdvertisedMss, 101)
                .set(Metric::Rtt, 102 * 8)
                .set(Metric::RttVar, 103 * 4)
                .set(Metric::Reordering, 104)
                .set(Metric::Window, 105)
                .lock(Metric::CongestionWindow, 106)
                .set(Metric::SlowStartThreshold, 107)
                // `ip` locks it, too.
                .lock(Metric::MinimumTimeout, 108)
                .set(Metric::InitialWindow, 9)
                .set(Metric::InitialReceiveWindow, 10)
                .set(Metric::Features, 1)
                .set(Metric::QuickAck, 1)
                .set(Metric::FastOpenNoCookie, 1)
                .set_congestion("reno", true);
        },
        "192.0.2.0/24 via 10.20.0.2 dev e0 mtu lock 1000 hoplimit 100 advmss lock 101 rtt 102ms rttvar 103ms \
         reordering 104 window 105 cwnd lock 106 ssthresh 107 rto_min 108ms initcwnd 9 initrwnd 10 features ecn quickack 1 \
         fastopen_no_cookie 1 congctl lock reno",
    );
}

#[test]
fn multipath_routes_are_as_ip_makes_them() {
    alike(
        |e0, r| {
            let first = NextHop { weight: 1, ..via(e0, "10.20.0.2") };
            let second = NextHop { weight: 200, on_link: true, realms: Some(7), ..via(e0, "203.0.113.3") };
            r.next_hops = vec![first, second];
        },
        "192.0.2.0/24 nexthop via 10.20.0.2 dev e0 weight 1 nexthop via 203.0.113.3 dev e0 weight 200 onlink realms 7",
    );
    alike(
        |e0, r| {
            r.next_hops = vec![
                NextHop { weight: 3, ..via(e0, "fe80::2") },
                NextHop { weight: 256, ..via(e0, "fe80::3") },
            ];
            r.metric = Some(10);
        },
        "2001:db8:5::/64 metric 10 nexthop via fe80::2 dev e0 weight 3 nexthop via fe80::3 dev e0 weight 256",
    );
}

#[test]
fn ipv6_routes_are_as_ip_makes_them() {
    alike(|e0, r| r.next_hops = vec![NextHop::new(Some(e0), None)], "2001:db8:5::/64 dev e0");
    alike(
        |e0, r| {
            r.next_hops = vec![via(e0, "fd20::2")];
            r.preference = Some(Preference::High);
            r.expires = Some(1000);
            r.preferred_source = Some("fd20::1".parse().unwrap());
            r.table = 77;
        },
        "2001:db8:5::/64 via fd20::2 dev e0 pref high expires 1000 src fd20::1 table 77",
    );
    alike(
        |e0, r| {
            r.next_hops = vec![via(e0, "fd20::2")];
            r.source = Some(prefix("2001:db8:7::/64"));
            r.preference = Some(Preference::Low);
        },
        "2001:db8:5::/64 from 2001:db8:7::/64 via fd20::2 dev e0 pref low",
    );
}

#[test]
fn encapsulations_are_as_ip_makes_them_where_the_kernel_has_them() {
    let cases: [(Encapsulation, &str); 3] = [
        (Encapsulation::Mpls { labels: vec![100, 200], ttl: Some(9) }, "mpls 100/200 ttl 9"),
        (
            Encapsulation::Ip {
                id: 77,
                destination: [192, 0, 2, 9].into(),
                source: None,
                ttl: 8,
                tos: 4,
                flags: 0,
            },
            "ip id 77 dst 192.0.2.9 ttl 8 tos 4",
        ),
        (
            Encapsulation::Ip6 {
                id: 78,
                destination: "2001:db8::9".parse().unwrap(),
                source: Some("2001:db8::8".parse().unwrap()),
                hop_limit: 7,
                traffic_class: 0,
                flags: 0,
            },
            "ip6 id 78 dst 2001:db8::9 src 2001:db8::8 hoplimit 7",
        ),
    ];
    for (encapsulation, words) in cases {
        let (_lab, probe) = pair();
        let words = format!("192.0.2.0/24 encap {words} via 10.20.0.2 dev e0");
        let (possible, said) = probe.try_ip(&format!("route add {words}"));
        if !possible {
            eprintln!("MISSING CAPABILITY: {words}: {said}; not tested");
            let mut route = Route::new(prefix("192.0.2.0/24"));
            route.next_hops =
                vec![NextHop { encapsulation: Some(encapsulation), ..via(index(&probe, "e0"), "10.20.0.2") }];
            assert!(run(&probe, route::add(&route, Placement::Alone)).is_err());
            continue;
        }
        alike(
            |e0, r| {
                r.next_hops =
                    vec![NextHop { encapsulation: Some(encapsulation.clone()), ..via(e0, "10.20.0.2") }]
            },
            &words,
        );
    }
}

#[test]
fn a_new_route_goes_before_behind_or_in_place_of_its_like() {
    let (_lab, a) = pair();
    let e0 = index(&a, "e0");
    let to = |router: &str| {
        let mut route = Route::new(prefix("192.0.2.0/24"));
        route.next_hops = vec![via(e0, router)];
        route
    };
    let order = || -> Vec<String> {
        let routes = shown(&a, "192.0.2.0/24");
        routes.as_array().unwrap().iter().map(|r| r["gateway"].as_str().unwrap().to_owned()).collect()
    };
    run(&a, route::add(&to("10.20.0.2"), Placement::First)).unwrap();
    let again = run(&a, route::add(&to("10.20.0.3"), Placement::Alone)).unwrap_err();
    assert!(again.is_present(), "{again}");
    run(&a, route::add(&to("10.20.0.3"), Placement::First)).unwrap();
    run(&a, route::add(&to("10.20.0.4"), Placement::Last)).unwrap();
    assert_eq!(order(), ["10.20.0.3", "10.20.0.2", "10.20.0.4"]);
    run(&a, route::add(&to("10.20.0.5"), Placement::Replacing)).unwrap();
    assert_eq!(order(), ["10.20.0.5", "10.20.0.2", "10.20.0.4"]);
    run(&a, route::delete(&to("10.20.0.2"))).unwrap();
    assert_eq!(order(), ["10.20.0.5", "10.20.0.4"]);
    assert!(run(&a, route::delete(&to("10.20.0.2"))).unwrap_err().is_missing());
}

#[test]
fn the_kernel_says_in_words_why_it_refuses_a_route() {
    let (_lab, a) = pair();
    let mut route = Route::new(prefix("192.0.2.0/24"));
    route.next_hops = vec![via(index(&a, "e0"), "203.0.113.1")];
    let refused = run(&a, route::add(&route, Placement::Alone)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "adding a route: Network is unreachable (os error 101): Nexthop has invalid gateway"
    );
    route.destination = prefix("192.0.2.1/24");
    route.next_hops = vec![via(index(&a, "e0"), "10.20.0.2")];
    let refused = run(&a, route::add(&route, Placement::Alone)).unwrap_err();
    assert!(refused.to_string().contains("Invalid prefix for given prefix length"), "{refused}");
}

#[test]
fn a_table_is_listed_by_itself() {
    let (_lab, a) = pair();
    a.ip("route add 192.0.2.0/24 dev e0 table 77");
    a.ip("route add 198.51.100.0/24 dev e0 table 78");
    let of = |table| -> Vec<Prefix> {
        run(&a, route::list_table(Family::V4, table)).unwrap().into_iter().map(|r| r.destination).collect()
    };
    assert_eq!(of(77), [prefix("192.0.2.0/24")]);
    assert_eq!(of(78), [prefix("198.51.100.0/24")]);
}

#[test]
fn long_listings_are_whole() {
    let (lab, a) = pair();
    let lines: String = (0..5000)
        .map(|n| format!("route add 172.16.{}.{}/32 dev e0 metric {n}\n", n / 250, n % 250))
        .collect();
    let file = lab.file("routes", &lines);
    a.ip(&format!("-batch {}", file.display()));
    let routes = run(&a, route::list_table(Family::V4, 254)).unwrap();
    assert_eq!(routes.iter().filter(|r| r.metric.is_some()).count(), 4999, "metric 0 is none");
    assert_eq!(routes.iter().filter(|r| r.destination.length == 32).count(), 5000);
}
