use crate::{pair, run};
use netlink::rule::{self, Action, Rule};
use netlink::{Family, Prefix};
use serde_json::{Value, json};
use testkit::lab::Host;

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap())
}

/// What `ip` shows of the rules that are not there from the start.
fn shown(host: &Host, family: Family) -> Value {
    let family = if family == Family::V6 { "-6" } else { "-4" };
    let mut rules = host.ip_json(&format!("{family} rule show"));
    rules
        .as_array_mut()
        .unwrap()
        .retain(|rule| !matches!(rule["priority"].as_u64(), Some(0 | 32766 | 32767)));
    rules
}

/// Adds a rule in two hosts that are alike, once by us and once by `ip`, and compares.
fn alike(family: Family, action: Action, ours: impl Fn(&mut Rule), ips: &str) {
    let (_lab, a) = pair();
    let (_other_lab, b) = pair();
    let mut mine = Rule::new(family, action);
    mine.priority = Some(100);
    ours(&mut mine);
    run(&a, rule::add(&mine)).unwrap_or_else(|e| panic!("{ips}: {e}"));
    let flag = if family == Family::V6 { "-6" } else { "-4" };
    b.ip(&format!("{flag} rule add pref 100 {ips}"));
    let expected = shown(&b, family);
    assert_eq!(expected.as_array().unwrap().len(), 1, "{ips}");
    assert_eq!(shown(&a, family), expected, "{ips}");
    assert!(run(&a, rule::add(&mine)).unwrap_err().is_present(), "{ips}");
    let find = |host: &Host| {
        let mut all = run(host, rule::list(family)).unwrap();
        all.retain(|rule| rule.priority == Some(100));
        all.pop().unwrap()
    };
    let mut listed = find(&a);
    assert_eq!(listed, find(&b), "{ips}");
    // What was not asked for is filled in by the kernel.
    if mine.protocol.is_none() {
        listed.protocol = None;
    }
    if mine.mask.is_none() {
        listed.mask = None;
    }
    assert_eq!(listed, mine, "{ips}");
    for host in [&a, &b] {
        run(host, rule::delete(&mine)).unwrap_or_else(|e| panic!("removing {ips}: {e}"));
        assert_eq!(shown(host, family), json!([]), "{ips}");
        assert!(run(host, rule::delete(&mine)).unwrap_err().is_missing());
    }
}

#[test]
fn rules_are_as_ip_makes_them() {
    let v4 = Family::V4;
    let table = Action::Table(77);
    alike(
        v4,
        table,
        |r| {
            r.from = Some(prefix("192.0.2.0/24"));
        },
        "from 192.0.2.0/24 table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.to = Some(prefix("192.0.2.7/32"));
        },
        "to 192.0.2.7 table 77",
    );
    alike(
        v4,
        Action::Table(6909),
        |r| {
            r.tos = 0x10;
        },
        "tos 0x10 table 6909",
    );
    alike(
        v4,
        table,
        |r| {
            r.mark = Some(24);
            r.mask = Some(0x3f);
        },
        "fwmark 24/0x3f table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.mark = Some(24);
        },
        "fwmark 24 table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.input = Some("e0".to_owned());
            r.output = Some("later".to_owned());
        },
        "iif e0 oif later table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.realms = Some(0x0003_0014);
        },
        "realms 3/20 table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.users = Some(10000..=19999);
        },
        "uidrange 10000-19999 table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.ip_protocol = Some(17);
            r.source_ports = Some(10..=20);
            r.destination_ports = Some(53..=53);
        },
        "ipproto udp sport 10-20 dport 53 table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.suppress_prefix_length = Some(0);
            r.suppress_group = Some(4);
        },
        "table 77 suppress_prefixlength 0 suppress_ifgroup 4",
    );
    alike(
        v4,
        table,
        |r| {
            r.tunnel = Some(0x1_0000_0001);
        },
        "tun_id 4294967297 table 77",
    );
    alike(
        v4,
        table,
        |r| {
            r.protocol = Some(12);
        },
        "table 77 protocol 12",
    );
    alike(
        v4,
        Action::Table(77),
        |r| {
            r.invert = true;
            r.from = Some(prefix("192.0.2.0/24"));
        },
        "not from 192.0.2.0/24 table 77",
    );
    alike(v4, Action::Goto(32766), |_| {}, "goto 32766");
    alike(v4, Action::Goto(500), |_| {}, "goto 500");
    alike(v4, Action::Nop, |_| {}, "nop");
    alike(
        v4,
        Action::Blackhole,
        |r| {
            r.from = Some(prefix("192.0.2.0/24"));
        },
        "blackhole from 192.0.2.0/24",
    );
    alike(v4, Action::Unreachable, |_| {}, "unreachable");
    alike(v4, Action::Prohibit, |_| {}, "prohibit");
    let v6 = Family::V6;
    alike(
        v6,
        table,
        |r| {
            r.from = Some(prefix("2001:db8::/32"));
            r.to = Some(prefix("2001:db8:7::1/128"));
            r.users = Some(0..=5);
        },
        "from 2001:db8::/32 to 2001:db8:7::1 uidrange 0-5 table 77",
    );
    alike(
        v6,
        Action::Table(6908),
        |r| {
            r.suppress_prefix_length = Some(64);
        },
        "table 6908 suppress_prefixlength 64",
    );
}

#[test]
fn l3mdev_rules_are_made_or_the_kernel_says_that_it_cannot() {
    let (_lab, probe) = pair();
    let (possible, said) = probe.try_ip("rule add pref 100 l3mdev");
    if possible {
        alike(Family::V4, Action::L3mdev, |_| {}, "l3mdev");
    } else {
        eprintln!("MISSING CAPABILITY: this kernel has no rules for VRFs: {said}; not tested");
        assert!(run(&probe, rule::add(&Rule::new(Family::V4, Action::L3mdev))).is_err());
    }
}

#[test]
fn the_rules_of_a_fresh_host_are_read() {
    let (_lab, a) = pair();
    let rules = run(&a, rule::list(Family::V4)).unwrap();
    let short: Vec<_> = rules.iter().map(|r| (r.priority, r.action)).collect();
    assert_eq!(
        short,
        [(Some(0), Action::Table(255)), (Some(32766), Action::Table(254)), (Some(32767), Action::Table(253))]
    );
}
