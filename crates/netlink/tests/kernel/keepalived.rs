//! The same addresses, routes and rules by real keepalived's configuration and by ours.

use crate::{index, pair, run};
use netlink::address::{self, Address, AddressFlags, Scope};
use netlink::route::{self, Metric, NextHop, Placement, Preference, Route, RouteKind};
use netlink::rule::{self, Action, Rule};
use netlink::{Family, Prefix};
use serde_json::Value;
use testkit::lab::{Host, eventually};

/// `/etc/iproute2/rt_protos`.
const KEEPALIVED: u8 = 18;

const CONFIG: &str = "
global_defs {
  router_id X
}
vrrp_instance VI {
  interface e0
  virtual_router_id 51
  state MASTER
  priority 100
  version 3
  advert_int 0.1
  virtual_ipaddress {
    10.20.0.100/24 brd + label e0:1
    10.20.0.101
    10.20.0.102 noprefixroute dev e0 peer 10.9.9.9
    10.20.0.103/16 scope link brd 10.20.255.1
  }
  virtual_ipaddress_excluded {
    fd20::100/64 home mngtmpaddr -nodad
    fd20::101
    fd20::102/64 preferred_lft 1000
  }
  virtual_routes {
    192.0.2.0/24 table 6909 nexthop via 192.168.101.1 dev e0 onlink weight 1 nexthop via 192.168.101.2 dev e0 onlink weight 2
    192.0.3.0/24 dev e0 table 6909 tos 0x04 scope link metric 12 mtu 1000 hoplimit 100 advmss 101 rtt 200 rttvar 200 reordering 104 window 105 cwnd 106 ssthresh lock 107 realms 20/0x14 rto_min 208 initcwnd 109 initrwnd 110 features ecn quickack 1 fastopen_no_cookie 1 congctl reno
    192.0.4.0/24 dev e0
    192.0.5.0/24 via 10.20.0.9 dev e0 src 10.20.0.1
    blackhole 192.0.6.0/24
    2001:db8:5::/64 via fd20::2 dev e0 pref high metric 12
  }
  virtual_rules {
    from 10.20.0.100 table 55 preference 100
    from 192.0.2.0/24 to 192.0.3.0/26 iif e0 tos 16 fwmark 24/12 preference 101 goto 200
    from 2001:db8::/96 ipproto udp sport 10-20 dport 20-30 uidrange 5-9 suppress_prefixlength 3 preference 102 table 7
  }
}
";

/// Everything that is not there before, as `ip` shows it.
fn everything(host: &Host) -> Vec<Value> {
    let mut all = Vec::new();
    for info in host.ip_json("addr show dev e0")[0]["addr_info"].as_array().unwrap() {
        // Made from a hardware address, which is random.
        if !info["local"].as_str().unwrap().contains("ff:fe") {
            all.push(info.clone());
        }
    }
    for family in ["-4", "-6"] {
        for what in ["route show table all", "rule show"] {
            let listed = host.ip_json(&format!("{family} {what}"));
            all.extend(listed.as_array().unwrap().iter().filter(|r| r["protocol"] == "keepalived").cloned());
        }
    }
    for info in &mut all {
        let info = info.as_object_mut().unwrap();
        info.remove("tentative");
        // A second may pass before it is shown.
        if let Some(seconds) = info.get("preferred_life_time").and_then(Value::as_u64) {
            info.insert("preferred_life_time".to_owned(), Value::from(seconds.div_ceil(100) * 100));
        }
    }
    all.sort_by_key(Value::to_string);
    all
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap())
}

fn addresses(e0: u32) -> Vec<Address> {
    let on = |text: &str| Address::new(e0, prefix(text));
    // keepalived has IPv6 addresses without detection of duplicates unless told otherwise, and deprecates single ones.
    let v6 = |text: &str| Address { flags: AddressFlags::NO_DAD, ..on(text) };
    vec![
        Address {
            broadcast: on("10.20.0.100/24").derived_broadcast(),
            label: Some("e0:1".to_owned()),
            ..on("10.20.0.100/24")
        },
        on("10.20.0.101/32"),
        Address {
            flags: AddressFlags::NO_PREFIX_ROUTE,
            peer: Some([10, 9, 9, 9].into()),
            ..on("10.20.0.102/32")
        },
        Address { scope: Scope::LINK, broadcast: Some([10, 20, 255, 1].into()), ..on("10.20.0.103/16") },
        Address { flags: AddressFlags::HOME | AddressFlags::MANAGE_TEMPORARY, ..on("fd20::100/64") },
        Address { preferred: Some(0), ..v6("fd20::101/128") },
        Address { preferred: Some(1000), ..v6("fd20::102/64") },
    ]
}

fn routes(e0: u32) -> Vec<Route> {
    // keepalived's routes are global unless they say so, also without a router.
    let to = |text: &str| {
        let mut route = Route::new(prefix(text));
        route.protocol = KEEPALIVED;
        route.scope = Some(Scope::GLOBAL);
        route
    };
    let hop = |via: Option<&str>| NextHop::new(Some(e0), via.map(|via| via.parse().unwrap()));
    let far = |via, weight| NextHop { on_link: true, weight, ..hop(Some(via)) };
    let mut tuned = Route {
        table: 6909,
        tos: 4,
        scope: Some(Scope::LINK),
        metric: Some(12),
        realms: Some(0x0014_0014),
        next_hops: vec![hop(None)],
        ..to("192.0.3.0/24")
    };
    tuned
        .metrics
        .set(Metric::Mtu, 1000)
        .set(Metric::HopLimit, 100)
        .set(Metric::AdvertisedMss, 101)
        .set(Metric::Rtt, 200 * 8)
        .set(Metric::RttVar, 200 * 4)
        .set(Metric::Reordering, 104)
        .set(Metric::Window, 105)
        .set(Metric::CongestionWindow, 106)
        .lock(Metric::SlowStartThreshold, 107)
        .set(Metric::MinimumTimeout, 208)
        .set(Metric::InitialWindow, 109)
        .set(Metric::InitialReceiveWindow, 110)
        .set(Metric::Features, 1)
        .set(Metric::QuickAck, 1)
        .set(Metric::FastOpenNoCookie, 1)
        .set_congestion("reno", false);
    vec![
        Route {
            table: 6909,
            next_hops: vec![far("192.168.101.1", 1), far("192.168.101.2", 2)],
            ..to("192.0.2.0/24")
        },
        tuned,
        Route { next_hops: vec![hop(None)], ..to("192.0.4.0/24") },
        Route {
            next_hops: vec![hop(Some("10.20.0.9"))],
            preferred_source: Some([10, 20, 0, 1].into()),
            ..to("192.0.5.0/24")
        },
        Route { kind: RouteKind::Blackhole, ..to("192.0.6.0/24") },
        Route {
            next_hops: vec![hop(Some("fd20::2"))],
            preference: Some(Preference::High),
            metric: Some(12),
            ..to("2001:db8:5::/64")
        },
    ]
}

fn rules() -> Vec<Rule> {
    let rule = |family, action, priority| Rule {
        priority: Some(priority),
        protocol: Some(KEEPALIVED),
        ..Rule::new(family, action)
    };
    vec![
        Rule { from: Some(prefix("10.20.0.100/32")), ..rule(Family::V4, Action::Table(55), 100) },
        Rule {
            from: Some(prefix("192.0.2.0/24")),
            to: Some(prefix("192.0.3.0/26")),
            input: Some("e0".to_owned()),
            tos: 0x10,
            mark: Some(24),
            mask: Some(12),
            ..rule(Family::V4, Action::Goto(200), 101)
        },
        Rule {
            from: Some(prefix("2001:db8::/96")),
            ip_protocol: Some(17),
            source_ports: Some(10..=20),
            destination_ports: Some(20..=30),
            users: Some(5..=9),
            suppress_prefix_length: Some(3),
            ..rule(Family::V6, Action::Table(7), 102)
        },
    ]
}

#[test]
fn what_keepalived_makes_is_what_we_make() {
    let (lab, b) = pair();
    let mut keepalived = b.keepalived(&lab, CONFIG);
    let (_our_lab, a) = pair();
    let e0 = index(&a, "e0");
    for address in addresses(e0) {
        run(&a, address::add(&address)).unwrap_or_else(|e| panic!("{address:?}: {e}"));
    }
    for route in routes(e0) {
        run(&a, route::add(&route, Placement::First)).unwrap_or_else(|e| panic!("{route:?}: {e}"));
    }
    for rule in rules() {
        run(&a, rule::add(&rule)).unwrap_or_else(|e| panic!("{rule:?}: {e}"));
    }
    let ours = everything(&a);
    let show = |all: &[Value]| all.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    // The rules are what it makes last.
    let last = |host: &Host| host.ip("-6 rule show").contains("lookup 7");
    eventually("keepalived is Master with all it has", || {
        assert!(keepalived.ended().is_none(), "{}", keepalived.text());
        last(&b)
    });
    assert_eq!(show(&ours), show(&everything(&b)), "\nkeepalived said:\n{}", keepalived.text());
    // It removes what it made; so do we.
    keepalived.stop();
    for rule in rules() {
        run(&a, rule::delete(&rule)).unwrap();
    }
    for route in routes(e0) {
        run(&a, route::delete(&route)).unwrap_or_else(|e| panic!("{route:?}: {e}"));
    }
    for address in addresses(e0) {
        run(&a, address::delete(&address)).unwrap_or_else(|e| panic!("{address:?}: {e}"));
    }
    // keepalived 2.2.7 leaves the address with a peer behind.
    let mut left = everything(&b);
    left.retain(|info| info["address"] != "10.9.9.9");
    assert_eq!(show(&everything(&a)), show(&left));
}
