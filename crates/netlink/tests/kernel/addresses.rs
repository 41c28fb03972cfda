use crate::{index, pair, run};
use netlink::address::{self, Address, AddressFlags, Scope};
use netlink::{Family, Prefix};
use serde_json::{Value, json};
use testkit::lab::Host;

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap())
}

/// What `ip` shows of an address of `e0`, without what time changes.
fn shown(host: &Host, local: &str) -> Value {
    let links = host.ip_json("addr show dev e0");
    let infos = links[0]["addr_info"].as_array().unwrap();
    let mut info = infos.iter().find(|info| info["local"] == local).cloned().unwrap_or(Value::Null);
    if let Some(info) = info.as_object_mut() {
        info.remove("tentative");
        for life in ["valid_life_time", "preferred_life_time"] {
            // A second may pass between adding and showing.
            if let Some(seconds) = info.get(life).and_then(Value::as_u64) {
                info.insert(life.to_owned(), json!(seconds.div_ceil(10) * 10));
            }
        }
    }
    info
}

/// Adds the address in two hosts that are alike, once by us and once by `ip`, and compares what `ip` shows. Then what we
/// list of `ip`'s with what we list of ours, and last that we can remove both.
fn alike(ours: impl Fn(u32) -> Address, ips: &str) {
    let (_lab, a) = pair();
    let (_other_lab, b) = pair();
    let ours = ours(index(&a, "e0"));
    run(&a, address::add(&ours)).unwrap_or_else(|e| panic!("{ips}: {e}"));
    b.ip(&format!("addr add {ips} dev e0"));
    let local = ours.local.address.to_string();
    let expected = shown(&b, &local);
    assert_ne!(expected, Value::Null);
    assert_eq!(shown(&a, &local), expected, "{ips}");

    let find = |host: &Host| {
        let mut all = run(host, address::list(None)).unwrap();
        all.retain(|address| address.local.address == ours.local.address);
        let mut found = all.pop().unwrap();
        found.link = 0;
        found.flags.0 &= !AddressFlags::TENTATIVE.0;
        for life in [&mut found.preferred, &mut found.valid] {
            *life = life.map(|seconds| seconds.div_ceil(10) * 10);
        }
        found
    };
    assert_eq!(find(&a), find(&b), "{ips}");
    for host in [&a, &b] {
        run(host, address::delete(&Address { link: index(host, "e0"), ..ours.clone() })).unwrap();
        assert_eq!(shown(host, &local), Value::Null, "{ips}");
    }
}

fn on(link: u32, text: &str) -> Address {
    Address::new(link, prefix(text))
}

#[test]
fn ipv4_addresses_are_as_ip_makes_them() {
    alike(|e0| on(e0, "192.0.2.10/24"), "192.0.2.10/24");
    alike(|e0| on(e0, "192.0.2.10/32"), "192.0.2.10/32");
    alike(
        |e0| {
            let mut address = on(e0, "192.0.2.10/24");
            address.broadcast = address.derived_broadcast();
            address.label = Some("e0:vip".to_owned());
            address
        },
        "192.0.2.10/24 brd + label e0:vip",
    );
    alike(
        |e0| Address { broadcast: Some([192, 0, 2, 99].into()), ..on(e0, "192.0.2.10/24") },
        "192.0.2.10/24 brd 192.0.2.99",
    );
    for (scope, name) in
        [(Scope::LINK, "link"), (Scope::HOST, "host"), (Scope(200), "site"), (Scope(100), "100")]
    {
        alike(|e0| Address { scope, ..on(e0, "192.0.2.10/24") }, &format!("192.0.2.10/24 scope {name}"));
    }
    alike(
        |e0| Address { peer: Some([198, 51, 100, 1].into()), ..on(e0, "192.0.2.10/24") },
        "192.0.2.10 peer 198.51.100.1/24",
    );
    alike(
        |e0| Address { preferred: Some(500), valid: Some(1000), ..on(e0, "192.0.2.10/24") },
        "192.0.2.10/24 preferred_lft 500 valid_lft 1000",
    );
    alike(
        |e0| Address { flags: AddressFlags::NO_PREFIX_ROUTE, metric: None, ..on(e0, "192.0.2.10/24") },
        "192.0.2.10/24 noprefixroute",
    );
    alike(|e0| Address { metric: Some(77), ..on(e0, "192.0.2.10/24") }, "192.0.2.10/24 metric 77");
    alike(|e0| Address { flags: AddressFlags::AUTO_JOIN, ..on(e0, "239.1.2.3/32") }, "239.1.2.3/32 autojoin");
}

#[test]
fn ipv6_addresses_are_as_ip_makes_them() {
    alike(|e0| on(e0, "2001:db8::10/64"), "2001:db8::10/64");
    alike(|e0| Address { flags: AddressFlags::NO_DAD, ..on(e0, "2001:db8::10/64") }, "2001:db8::10/64 nodad");
    alike(
        |e0| Address { flags: AddressFlags::HOME | AddressFlags::NO_DAD, ..on(e0, "2001:db8::10/64") },
        "2001:db8::10/64 home nodad",
    );
    alike(
        |e0| Address {
            flags: AddressFlags::MANAGE_TEMPORARY | AddressFlags::NO_DAD,
            ..on(e0, "2001:db8::10/64")
        },
        "2001:db8::10/64 mngtmpaddr nodad",
    );
    alike(
        |e0| Address {
            flags: AddressFlags::NO_PREFIX_ROUTE | AddressFlags::NO_DAD,
            ..on(e0, "2001:db8::10/64")
        },
        "2001:db8::10/64 noprefixroute nodad",
    );
    alike(
        |e0| Address { preferred: Some(0), flags: AddressFlags::NO_DAD, ..on(e0, "2001:db8::10/128") },
        "2001:db8::10/128 preferred_lft 0 nodad",
    );
    alike(
        |e0| Address {
            peer: Some("2001:db8::99".parse().unwrap()),
            flags: AddressFlags::NO_DAD,
            ..on(e0, "2001:db8::10/64")
        },
        "2001:db8::10 peer 2001:db8::99/64 nodad",
    );
    alike(|e0| Address { flags: AddressFlags::NO_DAD, ..on(e0, "fe80::77/64") }, "fe80::77/64 nodad");
}

#[test]
fn the_kernel_refuses_in_words_and_tells_what_is_what() {
    let (_lab, a) = pair();
    let e0 = index(&a, "e0");
    let vip = on(e0, "192.0.2.10/24");
    run(&a, address::add(&vip)).unwrap();
    let again = run(&a, address::add(&vip)).unwrap_err();
    assert!(again.is_present(), "{again}");
    run(&a, address::replace(&Address { preferred: Some(50), valid: Some(60), ..vip.clone() })).unwrap();
    assert_eq!(shown(&a, "192.0.2.10")["valid_life_time"], 60);
    run(&a, address::delete(&vip)).unwrap();
    let gone = run(&a, address::delete(&vip)).unwrap_err();
    assert!(gone.is_missing(), "{gone}");
    let nowhere = run(&a, address::add(&on(9999, "192.0.2.10/24"))).unwrap_err();
    assert!(nowhere.is_missing(), "{nowhere}");
    let long = run(&a, address::add(&on(e0, "192.0.2.10/33"))).unwrap_err();
    assert_eq!(long.to_string(), "192.0.2.10/33: the prefix is longer than the address");
    // The kernel's own words.
    let wrong = Address { preferred: Some(60), valid: Some(50), ..vip };
    let refused = run(&a, address::add(&wrong)).unwrap_err();
    assert!(refused.to_string().starts_with("adding an address: "), "{refused}");
}

#[test]
fn who_made_an_address_is_kept() {
    // Younger than the `ip` that we compare with, and than some kernels.
    let (_lab, a) = pair();
    let vip = Address { protocol: Some(18), ..on(index(&a, "e0"), "192.0.2.10/24") };
    run(&a, address::add(&vip)).unwrap();
    let listed = run(&a, address::list(Some(Family::V4))).unwrap();
    let listed = listed.into_iter().find(|address| address.local == vip.local).unwrap();
    match listed.protocol {
        Some(protocol) => assert_eq!(protocol, 18),
        None => eprintln!("MISSING CAPABILITY: this kernel does not keep who made an address; not tested"),
    }
}

#[test]
fn many_addresses_are_added_at_once_each_by_itself() {
    let (_lab, a) = pair();
    let e0 = index(&a, "e0");
    let address = |n: u32| on(e0, &format!("10.99.{}.{}/32", n / 250, n % 250 + 1));
    let results = a.inside(|| {
        let mut client = netlink::Client::open(netlink::Protocol::Route).unwrap();
        client.run(address::add(&address(77))).unwrap();
        let mut operations: Vec<_> = (0..500).map(|n| address::add(&address(n))).collect();
        operations[9] = address::add(&on(e0, "10.0.0.1/40"));
        client.run_all(operations)
    });
    assert_eq!(results.len(), 500);
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), n == 77 || n == 9, "{n}: {result:?}");
    }
    assert!(results[77].as_ref().unwrap_err().is_present());
    let there = run(&a, address::list(Some(Family::V4))).unwrap();
    assert_eq!(there.iter().filter(|a| a.local.length == 32).count(), 499);
}
