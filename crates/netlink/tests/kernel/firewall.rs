use crate::{index, pair, run, run_by};
use netlink::link::{self, HardwareAddress, MacvlanMode, NewLink, Upper};
use netlink::{Family, Firewall, Installed, OnLink, Protocol, nftables};
use testkit::lab::{Host, eventually};

fn ruleset(host: &Host) -> String {
    host.run("nft", &["list", "ruleset"])
}

fn vmac(host: &Host, name: &str, family: Family) -> u32 {
    let new = NewLink {
        name: name.to_owned(),
        lower: index(host, "e0"),
        upper: Upper::Macvlan(MacvlanMode::Private),
        address: Some(HardwareAddress::of_virtual_router(family, 51)),
        master: None,
    };
    run(host, link::create(&new)).unwrap();
    index(host, name)
}

fn ok(host: &Host, operation: netlink::Operation<()>) {
    run_by(host, Protocol::Netfilter, operation).unwrap();
}

/// keepalived's rules for the same configuration, in a host that is alike; `settled` says when it is done.
fn of_keepalived(globals: &str, instances: &str, settled: impl Fn(&Host, &str) -> bool) -> String {
    let (lab, b) = pair();
    let config = format!("global_defs {{\n router_id X\n {globals}\n}}\n{instances}");
    let mut keepalived = b.keepalived(&lab, &config);
    let mut rules = String::new();
    eventually("keepalived's rules", || {
        assert!(keepalived.ended().is_none(), "{}", keepalived.text());
        rules = ruleset(&b);
        settled(&b, &rules)
    });
    keepalived.stop();
    rules
}

fn instance(name: &str, vmac: bool, addresses: &str) -> String {
    let vmac = if vmac { "use_vmac" } else { "" };
    format!(
        "vrrp_instance {name} {{\n interface e0\n virtual_router_id 51\n state MASTER\n priority 100\n version 3\n advert_int 0.1\n \
         no_accept\n {vmac}\n virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
    )
}

#[test]
fn no_accept_and_virtual_macs_make_keepalived_s_rules() {
    let expected = of_keepalived(
        "nftables keepalived",
        &(instance("V4", true, "10.20.0.100/24\n 10.20.0.101/24")
            + &instance("V6", true, "fe80::1234/64\n fd20::100/64")),
        |b, rules| {
            b.has_address("10.20.0.100") && rules.contains("fd20::100") && rules.contains("fe80::1234")
        },
    );
    let (_lab, a) = pair();
    let firewall = Firewall::default();
    let v4 = vmac(&a, "vrrp.51", Family::V4);
    let v6 = vmac(&a, "vrrp6.51", Family::V6);
    let e0 = index(&a, "e0");
    let (mut four, mut six) = (Installed::default(), Installed::default());
    ok(&a, firewall.add_vmac(Family::V4, &mut four, v4, e0));
    ok(&a, firewall.add_vmac(Family::V6, &mut six, v6, e0));
    let on = OnLink { index: v6, name: "vrrp6.51".to_owned() };
    let addresses6 = [("fe80::1234".parse().unwrap(), Some(on)), ("fd20::100".parse().unwrap(), None)];
    ok(&a, firewall.block(Family::V6, &mut six, &addresses6));
    let addresses4 = [([10, 20, 0, 100].into(), None), ([10, 20, 0, 101].into(), None)];
    ok(&a, firewall.block(Family::V4, &mut four, &addresses4));
    assert_eq!(ruleset(&a), expected);

    ok(&a, firewall.unblock(Family::V4, &addresses4));
    ok(&a, firewall.unblock(Family::V6, &addresses6));
    ok(&a, firewall.remove_vmac(Family::V4, v4, e0));
    ok(&a, firewall.remove_vmac(Family::V6, v6, e0));
    assert!(!ruleset(&a).contains("elements = { 10.20") && !ruleset(&a).contains("\"vrrp"));
    for family in [Family::V4, Family::V6] {
        assert_eq!(run_by(&a, Protocol::Netfilter, nftables::tables(family)).unwrap(), ["keepalived"]);
        ok(&a, firewall.remove(family));
        let gone = run_by(&a, Protocol::Netfilter, firewall.remove(family)).unwrap_err();
        assert!(gone.is_missing(), "{gone}");
    }
    assert_eq!(ruleset(&a), "");
}

#[test]
fn no_accept_alone_makes_keepalived_s_rules_with_counters_and_another_priority() {
    let done = |b: &Host, rules: &str| {
        b.has_address("10.20.0.100") && rules.contains("fd20::100") && rules.contains("fe80::1234")
    };
    let expected = of_keepalived(
        "nftables mine\n nftables_priority -7\n nftables_counters",
        &(instance("V4", false, "10.20.0.100/24") + &instance("V6", false, "fe80::1234/64\n fd20::100/64")),
        done,
    );
    let (_lab, a) = pair();
    let firewall = Firewall { table: "mine".to_owned(), priority: -7, counters: true, by_index: true };
    let on = OnLink { index: index(&a, "e0"), name: "e0".to_owned() };
    ok(&a, firewall.block(Family::V4, &mut Installed::default(), &[([10, 20, 0, 100].into(), None)]));
    let addresses6 = [("fe80::1234".parse().unwrap(), Some(on)), ("fd20::100".parse().unwrap(), None)];
    ok(&a, firewall.block(Family::V6, &mut Installed::default(), &addresses6));
    let uncounted = |rules: &str| -> Vec<String> {
        let mut tables: Vec<String> = rules
            .split("table ")
            .map(|table| {
                let words: Vec<&str> = table.split(' ').collect();
                // Numbers behind `packets` and `bytes` depend on traffic.
                let number = |i: usize| i > 0 && matches!(words[i - 1], "packets" | "bytes");
                let kept = words.iter().enumerate().map(|(i, word)| if number(i) { "N" } else { word });
                kept.collect::<Vec<_>>().join(" ")
            })
            .collect();
        tables.sort();
        tables
    };
    assert_eq!(uncounted(&ruleset(&a)), uncounted(&expected));
}

#[test]
fn a_blocked_address_answers_to_nobody_until_it_is_unblocked() {
    let (_lab, hosts) = testkit::lab::Lab::with_segment(&["a", "b"]);
    let (a, b) = (&hosts[0], &hosts[1]);
    let listener = a.inside(|| std::net::TcpListener::bind("10.20.0.1:0").unwrap());
    let target = listener.local_addr().unwrap();
    let reach = |patience| b.inside(|| std::net::TcpStream::connect_timeout(&target, patience).is_ok());
    assert!(reach(std::time::Duration::from_secs(8)));
    let firewall = Firewall::default();
    let address = [(target.ip(), None)];
    ok(a, firewall.block(Family::V4, &mut Installed::default(), &address));
    assert!(!reach(std::time::Duration::from_millis(300)));
    ok(a, firewall.unblock(Family::V4, &address));
    assert!(reach(std::time::Duration::from_secs(8)));
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let (_lab, a) = pair();
    let batch = nftables::Batch::new(Family::V4, "t")
        .add_table()
        .delete_elements("none", &[nftables::Element::new([1, 2, 3, 4])]);
    let refused = run_by(&a, Protocol::Netfilter, batch.finish()).unwrap_err();
    assert!(refused.is_missing(), "{refused}");
    assert_eq!(run_by(&a, Protocol::Netfilter, nftables::tables(Family::V4)).unwrap(), Vec::<String>::new());
}
