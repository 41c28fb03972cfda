//! Addresses, routes and rules: there while Master, guarded, gone afterwards.

use crate::*;

fn routes(host: &Host, table: u32) -> String {
    host.try_ip(&format!("route show table {table}")).1
}

#[test]
fn routes_and_rules_come_and_go_with_the_state_and_static_ones_with_the_process() {
    let (lab, a, _) = pair();
    let config = "static_ipaddress {\n 10.77.0.1/24 dev e0\n}\nstatic_routes {\n 10.78.0.0/24 via 10.20.0.2 dev e0 table 77\n}\n\
         static_rules {\n from 10.78.0.0/24 table 77 preference 770\n}\n"
        .to_owned()
        + &instance(
            "virtual_routes {\n 10.79.0.0/24 via 10.20.0.2 dev e0 table 79\n blackhole 10.80.0.0/24 table 79\n }\n \
             virtual_rules {\n to 10.79.0.0/24 table 79 preference 790\n }",
        );
    let mut role = start(&lab, &a, &config);
    says(&role, MASTER);
    has(&a, VIP, true);
    assert!(a.has_address("10.77.0.1"));
    eventually("virtual routes", || routes(&a, 79).lines().count() == 2);
    assert!(routes(&a, 79).contains("10.79.0.0/24 via 10.20.0.2 dev e0"), "{}", routes(&a, 79));
    assert!(routes(&a, 79).contains("blackhole 10.80.0.0/24"));
    assert!(routes(&a, 77).contains("10.78.0.0/24 via 10.20.0.2 dev e0"));
    let rules = a.ip("rule show");
    assert!(rules.contains("770:\tfrom 10.78.0.0/24 lookup 77"), "{rules}");
    assert!(rules.contains("790:\tfrom all to 10.79.0.0/24 lookup 79"), "{rules}");

    // In Fault the virtual ones are gone, the static ones stay.
    lab.unplug("lan", 1);
    says(&role, FAULT);
    eventually("virtual rules go", || !a.ip("rule show").contains("790:"));
    assert!(!routes(&a, 79).contains("10.80.0.0/24"));
    assert!(a.ip("rule show").contains("770:"));
    assert!(a.has_address("10.77.0.1"));
    lab.plug("lan", 1);
    says_times(&role, MASTER, 2);
    eventually("virtual routes return", || routes(&a, 79).lines().count() == 2);
    eventually("static routes return", || routes(&a, 77).contains("10.78.0.0/24"));

    assert!(role.stop().success());
    assert!(!a.has_address(VIP) && !a.has_address("10.77.0.1"), "{}", role.text());
    assert!(!a.ip("rule show").contains("770:") && !a.ip("rule show").contains("790:"));
    assert!(!routes(&a, 77).contains("10.") && !routes(&a, 79).contains("10."));
}

#[test]
fn what_another_program_takes_away_is_put_back_and_reported() {
    let (lab, a, _) = pair();
    let config = instance(
        "virtual_ipaddress_excluded {\n 10.20.0.101/24\n 10.20.9.102/32 no_track\n }\n \
         virtual_routes {\n 10.79.0.0/24 via 10.20.0.2 dev e0 table 79\n 10.80.0.0/24 via 10.20.0.2 dev e0 table 79 no_track\n }\n \
         virtual_rules {\n to 10.79.0.0/24 table 79 preference 790\n }",
    );
    let role = start(&lab, &a, &config);
    has(&a, VIP, true);
    eventually("rules", || a.ip("rule show").contains("790:"));
    for address in [VIP, "10.20.0.101"] {
        a.ip(&format!("addr del {address}/24 dev e0"));
        has(&a, address, true);
        says(&role, &format!("{address} "));
    }
    a.ip("route del 10.79.0.0/24 table 79");
    says(&role, "(VI_1) route 10.79.0.0/24 was removed by another program, put back");
    eventually("the route", || routes(&a, 79).contains("10.79.0.0/24"));
    a.ip("rule del preference 790");
    says(&role, "(VI_1) rule 790 was removed by another program, put back");
    eventually("the rule", || a.ip("rule show").contains("790:"));
    // Once more: not at once, but it comes back.
    a.ip("rule del preference 790");
    says_times(&role, "(VI_1) rule 790 was removed by another program, put back", 2);
    // What is not to be tracked stays away.
    a.ip("addr del 10.20.9.102/32 dev e0");
    a.ip("route del 10.80.0.0/24 table 79");
    a.ip("addr del 10.20.0.101/24 dev e0");
    has(&a, "10.20.0.101", true);
    assert!(!a.has_address("10.20.9.102"));
    assert!(!routes(&a, 79).contains("10.80.0.0/24"));
    assert!(!role.text().contains("MASTER to "), "{}", role.text());
}

#[test]
fn a_strangers_address_is_left_alone_and_a_predecessors_is_cleared() {
    let (lab, a, b) = pair();
    // As a router that was killed would leave it; and the administrator's own on another interface.
    b.ip("addr add 10.20.0.100/24 dev e0");
    b.ip("addr add 10.20.0.100/32 dev lo");
    let first = start(&lab, &a, &instance("").replace("priority 100", "priority 200"));
    says(&first, MASTER);
    let mut second = start(&lab, &b, &instance(""));
    eventually("the stale address goes", || !b.ip("addr show dev e0").contains("10.20.0.100"));
    says(&second, "Startup complete");
    assert!(b.ip("addr show dev lo").contains("10.20.0.100"));
    assert!(!second.text().contains("MASTER"), "{}", second.text());
    drop(first);
    says(&second, MASTER);
    assert!(second.stop().success());
    assert!(
        b.ip("addr show dev lo").contains("10.20.0.100"),
        "the administrator's address is not ours to remove"
    );
    assert!(!b.ip("addr show dev e0").contains("10.20.0.100"));
}

#[test]
fn static_things_are_put_back_and_hold_their_track_group_when_their_interface_is_down() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    lab.segment("dmz", 30, &hosts);
    let a = &hosts[0];
    let config =
        "track_group G {\n group {\n VI_1\n }\n}\nstatic_ipaddress {\n 10.77.0.1/24 dev e1 track_group G\n}\n\
         static_routes {\n 10.78.0.0/24 via 10.30.0.2 dev e1 table 77 track_group G\n}\n\
         static_rules {\n from 10.78.0.0/24 table 77 preference 770\n}\n"
            .to_owned() + &instance("");
    let role = start(&lab, a, &config);
    says(&role, MASTER);
    a.ip("addr del 10.77.0.1/24 dev e1");
    // As keepalived says it.
    says(&role, "Restoring deleted static address 10.77.0.1/24 dev e1 scope global");
    has(a, "10.77.0.1", true);
    a.ip("route del 10.78.0.0/24 table 77");
    says(
        &role,
        "Restoring deleted static route prepend 10.78.0.0/24 via inet 10.30.0.2 dev e1 table 77 proto 18",
    );
    eventually("the route", || routes(a, 77).contains("10.78.0.0/24"));
    a.ip("rule del preference 770");
    says(&role, "Restoring deleted static rule from 10.78.0.0/24 priority 770 tos 0x0 protocol 18 lookup 77");
    eventually("the rule", || a.ip("rule show").contains("770:"));
    assert!(!role.text().contains(FAULT), "{}", role.text());
    lab.unplug("dmz", 1);
    says(&role, FAULT);
    has(a, VIP, false);
    lab.plug("dmz", 1);
    says_times(&role, MASTER, 2);
    has(a, VIP, true);
    eventually("the route", || routes(a, 77).contains("10.78.0.0/24"));
}

#[test]
fn a_tracked_source_address_is_needed() {
    let (lab, a, _) = pair();
    a.ip("addr add 10.20.0.51/24 dev e0");
    let role = start(&lab, &a, &instance("mcast_src_ip 10.20.0.51\n track_src_ip"));
    says(&role, MASTER);
    a.ip("addr del 10.20.0.51/24 dev e0");
    says(&role, FAULT);
    a.ip("addr add 10.20.0.51/24 dev e0");
    says_times(&role, MASTER, 2);
    // Not there at the start.
    drop(role);
    a.ip("addr del 10.20.0.51/24 dev e0");
    let role = start(&lab, &a, &instance("mcast_src_ip 10.20.0.51\n track_src_ip"));
    says(&role, FAULT);
    a.ip("addr add 10.20.0.51/24 dev e0");
    says(&role, MASTER);
}

#[test]
fn settings_of_the_kernel_are_set_back() {
    let (lab, a, _) = pair();
    let (one, two) = ("ipv4/conf/e0/promote_secondaries", "ipv4/igmp_link_local_mcast_reports");
    a.set(one, "0");
    assert_eq!(a.setting(two), "1");
    let config = "global_defs {\n disable_local_igmp\n}\n".to_owned() + &instance("promote_secondaries");
    let mut role = start(&lab, &a, &config);
    says(&role, MASTER);
    assert_eq!((a.setting(one).as_str(), a.setting(two).as_str()), ("1", "0"));
    assert!(role.stop().success());
    assert_eq!((a.setting(one).as_str(), a.setting(two).as_str()), ("0", "1"));
}

/// Whether a TCP connection to a closed port of an address is answered.
fn answers(from: &Host, address: &str) -> bool {
    let target = std::net::SocketAddr::new(address.parse().unwrap(), 9);
    let wait = std::time::Duration::from_millis(700);
    from.inside(|| match std::net::TcpStream::connect_timeout(&target, wait) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    })
}

#[test]
fn packets_to_addresses_are_accepted_or_not() {
    let (lab, a, b) = pair();
    let six = "vrrp_instance VI_6 {\n interface e0\n virtual_router_id 52\n advert_int 0.2\n virtual_ipaddress {\n \
               fe80::100/64\n fd20::100/64\n }\n MODE\n}\n";
    for (mode, expected) in [("accept", true), ("no_accept", false)] {
        let config = instance(mode) + &six.replace("MODE", mode);
        let mut role = start(&lab, &a, &config);
        has(&a, VIP, true);
        has(&a, "fd20::100", true);
        eventually("the neighbour answers as itself", || answers(&b, "10.20.0.1") && answers(&b, "fd20::1"));
        assert_eq!(answers(&b, VIP), expected, "{mode}: {}", role.text());
        assert_eq!(answers(&b, "fd20::100"), expected, "{mode}: {}", role.text());
        assert!(role.stop().success());
        let tables = a.run("nft", &["list", "ruleset"]);
        assert_eq!(tables.trim(), "", "nothing stays");
    }
}

#[test]
fn what_a_reload_brings_is_guarded_too() {
    let (lab, a, _) = pair();
    let role = start(&lab, &a, &instance(""));
    says(&role, MASTER);
    has(&a, VIP, true);
    let more = "virtual_ipaddress_excluded {\n 10.20.0.101/24\n }\n virtual_routes {\n 10.79.0.0/24 via 10.20.0.2 dev e0 table 79\n }\n \
                virtual_rules {\n to 10.79.0.0/24 table 79 preference 790\n }";
    reload(&lab, &a, &role, &instance(more));
    has(&a, "10.20.0.101", true);
    eventually("the rule", || a.ip("rule show").contains("790:"));
    a.ip("route del 10.79.0.0/24 table 79");
    a.ip("rule del preference 790");
    a.ip("addr del 10.20.0.101/24 dev e0");
    says(&role, "(VI_1) route 10.79.0.0/24 was removed by another program, put back");
    says(&role, "(VI_1) rule 790 was removed by another program, put back");
    has(&a, "10.20.0.101", true);
    // And taken away again by the next.
    reload(&lab, &a, &role, &instance(""));
    has(&a, "10.20.0.101", false);
    eventually("no rule", || !a.ip("rule show").contains("790:"));
    assert!(!routes(&a, 79).contains("10.79.0.0"));
    assert!(a.has_address(VIP) && !role.text().contains("MASTER to "), "{}", role.text());
}
