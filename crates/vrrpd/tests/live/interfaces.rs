//! Interfaces that lose their carrier, come and go.

use crate::*;

#[test]
fn a_change_counts_when_it_has_lasted() {
    let (lab, a, _) = pair();
    let config = "interface_up_down_delays {\n e0 2 1\n}\n".to_owned() + &instance("");
    let role = start(&lab, &a, &config);
    says(&role, MASTER);
    lab.unplug("lan", 1);
    eventually("the carrier goes", || a.ip_json("link show dev e0")[0]["operstate"] != "UP");
    lab.plug("lan", 1);
    eventually("the carrier returns", || a.ip_json("link show dev e0")[0]["operstate"] == "UP");
    // The delay of the first would be over by the time of the second's.
    let off = std::time::Instant::now();
    lab.unplug("lan", 1);
    says(&role, FAULT);
    assert!(off.elapsed() >= std::time::Duration::from_secs(2), "{}", role.text());
    assert_eq!(role.text().matches(FAULT).count(), 1, "{}", role.text());
    let on = std::time::Instant::now();
    lab.plug("lan", 1);
    says_times(&role, MASTER, 2);
    assert!(on.elapsed() >= std::time::Duration::from_secs(1), "{}", role.text());
}

fn make(host: &Host, name: &str, number: u8) {
    host.ip(&format!("link add {name} type veth peer name {name}p"));
    host.ip(&format!("addr add 10.9.{number}.1/24 dev {name}"));
    host.ip(&format!("link set {name} up"));
    host.ip(&format!("link set {name}p up"));
}

#[test]
fn dynamic_interfaces_come_go_and_come_back_as_others() {
    let (lab, a, _) = pair();
    let config = "global_defs {\n dynamic_interfaces\n}\nvrrp_instance VI_1 {\n interface d0\n virtual_router_id 51\n \
                  advert_int 0.2\n version 3\n track_interface {\n d1\n }\n virtual_ipaddress {\n 10.9.0.100/24\n 10.9.2.100/24 dev d2\n }\n}\n";
    let mut role = start(&lab, &a, config);
    says(&role, "Startup complete");
    assert!(!role.text().contains(MASTER));
    for (number, name) in ["d0", "d1", "d2"].into_iter().enumerate() {
        make(&a, name, number as u8);
    }
    says(&role, MASTER);
    has(&a, "10.9.2.100", true);
    let index = |name: &str| a.ip_json(&format!("link show dev {name}"))[0]["ifindex"].as_u64();
    let mut masters = 1;
    for (number, name) in ["d0", "d1"].into_iter().enumerate() {
        let before = index(name);
        a.ip(&format!("link del {name}"));
        // The first is that of the start.
        says_times(&role, FAULT, masters + 1);
        has(&a, "10.9.2.100", false);
        make(&a, name, number as u8);
        assert_ne!(index(name), before);
        masters += 1;
        says_times(&role, MASTER, masters);
        has(&a, "10.9.0.100", true);
        has(&a, "10.9.2.100", true);
    }
    // That of an address: the router goes on, and the address comes with the interface.
    a.ip("link del d2");
    has(&a, "10.9.2.100", false);
    make(&a, "d2", 2);
    has(&a, "10.9.2.100", true);
    assert!(role.stop().success());
    assert!(!a.has_address("10.9.2.100") && !a.has_address("10.9.0.100"));
}

/// With and without `allow_if_changes`.
#[test]
fn an_interface_may_come_back_as_another_kind() {
    for option in ["", "allow_if_changes"] {
        let (lab, a, _) = pair();
        let config = format!(
            "global_defs {{\n dynamic_interfaces {option}\n}}\nvrrp_instance VI_1 {{\n interface d0\n \
             virtual_router_id 51\n advert_int 0.2\n version 3\n virtual_ipaddress {{\n 10.9.0.100/24\n }}\n}}\n"
        );
        make(&a, "d0", 0);
        let mut role = start(&lab, &a, &config);
        says(&role, MASTER);
        a.ip("link del d0");
        says_times(&role, FAULT, 1);
        a.ip("link add d0 link e0 type macvlan mode bridge");
        a.ip("addr add 10.9.0.1/24 dev d0");
        a.ip("link set d0 up");
        says_times(&role, MASTER, 2);
        has(&a, "10.9.0.100", true);
        assert!(role.stop().success());
        assert!(!a.has_address("10.9.0.100"));
    }
}

#[test]
fn the_role_runs_in_another_namespace() {
    let (lab, a, b) = pair();
    let config = format!("net_namespace {}\n{}", a.namespace, instance(""));
    let mut role = start(&lab, &b, &config);
    says(&role, MASTER);
    has(&a, VIP, true);
    assert!(!b.has_address(VIP));
    assert!(role.stop().success());
    assert!(!a.has_address(VIP));
}
