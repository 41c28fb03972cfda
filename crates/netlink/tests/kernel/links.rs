use crate::{index, pair, run};
use netlink::devconf::Ipv4;
use netlink::link::{
    self, AddressGeneration, HardwareAddress, IpvlanMode, LinkKind, MacvlanMode, NewLink, OperState, Upper,
};
use netlink::setting::{Changed, Setting};
use netlink::{Family, Namespace, generic, vmac};
use testkit::lab::eventually;

#[test]
fn a_virtual_mac_is_as_ip_shows_it_and_goes_again() {
    let (_lab, a) = pair();
    let e0 = index(&a, "e0");
    let new = NewLink {
        name: "vrrp.51".to_owned(),
        lower: e0,
        upper: Upper::Macvlan(MacvlanMode::Private),
        address: Some(HardwareAddress::of_virtual_router(Family::V4, 51)),
        master: None,
    };
    run(&a, link::create(&new)).unwrap();
    assert!(run(&a, link::create(&new)).unwrap_err().is_present());
    let made = run(&a, link::by_name("vrrp.51")).unwrap().unwrap();
    assert_eq!(made.kind, Some(LinkKind::Macvlan(Some(MacvlanMode::Private))));
    assert_eq!(made.lower, Some(e0));
    assert_eq!(made.address.to_string(), "00:00:5e:00:01:33");
    assert_eq!(made.address_generation, Some(AddressGeneration::Eui64));
    run(&a, link::set_address_generation(made.index, AddressGeneration::None)).unwrap();
    assert!(!made.flags.up());
    let shown = a.ip_json("link show dev vrrp.51");
    let shown = &shown[0];
    assert_eq!(shown["address"], "00:00:5e:00:01:33");
    assert_eq!(shown["link"], "e0");
    assert_eq!(shown["linkinfo"]["info_kind"], "macvlan");
    assert_eq!(shown["linkinfo"]["info_data"]["mode"], "private");
    assert_eq!(shown["inet6_addr_gen_mode"], "none");

    run(
        &a,
        link::set_ipv4(
            made.index,
            &[
                (Ipv4::ArpIgnore, 1),
                (Ipv4::AcceptLocal, 1),
                (Ipv4::RpFilter, 0),
                (Ipv4::PromoteSecondaries, 1),
            ],
        ),
    )
    .unwrap();
    for (name, value) in
        [("arp_ignore", "1"), ("accept_local", "1"), ("rp_filter", "0"), ("promote_secondaries", "1")]
    {
        assert_eq!(a.setting(&format!("ipv4/conf/vrrp.51/{name}")), value, "{name}");
    }
    let told = run(&a, link::by_index(made.index)).unwrap().unwrap();
    assert_eq!(told.address_generation, Some(AddressGeneration::None));
    assert_eq!(told.ipv4.get(Ipv4::ArpIgnore), Some(1));
    assert_eq!(told.ipv4.get(Ipv4::ArpFilter), Some(0));

    run(&a, link::set_up(made.index, true)).unwrap();
    let up = run(&a, link::by_index(made.index)).unwrap().unwrap();
    assert!(up.is_usable());
    assert_eq!(up.state, OperState::Up);
    // No link-local address of its own.
    assert_eq!(
        a.ip_json("-6 addr show dev vrrp.51")
            .as_array()
            .unwrap()
            .iter()
            .filter(|l| l["addr_info"][0].is_object())
            .count(),
        0
    );

    run(&a, link::delete(made.index)).unwrap();
    assert!(!a.has_link("vrrp.51"));
    assert!(run(&a, link::by_name("vrrp.51")).unwrap_err().is_missing());
    assert!(run(&a, link::delete(made.index)).unwrap_err().is_missing());
}

#[test]
fn an_ipvlan_is_made_or_the_kernel_says_that_it_cannot() {
    let (_lab, a) = pair();
    let new = NewLink {
        name: "ipv0".to_owned(),
        lower: index(&a, "e0"),
        upper: Upper::Ipvlan { mode: IpvlanMode::L2, private: false },
        address: None,
        master: None,
    };
    let possible = a.try_ip("link add probe link e0 type ipvlan mode l2");
    match run(&a, link::create(&new)) {
        Ok(()) => {
            let made = run(&a, link::by_name("ipv0")).unwrap().unwrap();
            assert_eq!(made.kind, Some(LinkKind::Ipvlan(Some(IpvlanMode::L2))));
        }
        Err(error) => {
            assert!(error.is_unsupported() && !possible.0, "{error}; ip: {possible:?}");
            eprintln!("MISSING CAPABILITY: this kernel has no ipvlan ({error}); making one was not tested");
        }
    }
}

#[test]
fn links_are_listed_as_ip_lists_them() {
    let (lab, a) = pair();
    a.ip("link add br7 type bridge");
    a.ip("link add v7 type veth peer name v8");
    a.ip("link set v7 master br7 mtu 1400 alias seventh up");
    a.ip("link add mv7 link e0 type macvlan mode bridge");
    let links = run(&a, link::list()).unwrap();
    let shown = a.ip_json("link show");
    let shown = shown.as_array().unwrap();
    assert_eq!(links.len(), shown.len());
    for (ours, theirs) in links.iter().zip(shown) {
        assert_eq!(theirs["ifindex"], ours.index);
        assert_eq!(theirs["ifname"], ours.name.as_str());
        assert_eq!(theirs["mtu"], ours.mtu);
        assert_eq!(theirs["address"], ours.address.to_string());
        let flags: Vec<_> = theirs["flags"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        assert_eq!(flags.contains(&"UP"), ours.flags.up(), "{}", ours.name);
        assert_eq!(flags.contains(&"LOWER_UP"), ours.flags.lower_up(), "{}", ours.name);
        assert_eq!(flags.contains(&"LOOPBACK"), ours.flags.loopback(), "{}", ours.name);
        assert_eq!(flags.contains(&"MULTICAST"), ours.flags.multicast(), "{}", ours.name);
        assert_eq!(theirs["operstate"].as_str().unwrap(), format!("{:?}", ours.state).to_uppercase());
        let kind = theirs["linkinfo"]["info_kind"].as_str();
        assert_eq!(kind, ours.kind.as_ref().map(LinkKind::name), "{}", ours.name);
    }
    let of = |name: &str| links.iter().find(|link| link.name == name).unwrap();
    assert_eq!(of("v7").master, Some(of("br7").index));
    assert_eq!(of("v7").master_kind.as_deref(), Some("bridge"));
    assert_eq!(of("v7").alias.as_deref(), Some("seventh"));
    assert_eq!(of("v7").lower, Some(of("v8").index));
    assert_eq!(of("v7").lower_namespace, None);
    // The other end of e0 is in the namespace of the bridges.
    assert!(of("e0").lower_namespace.is_some());
    assert_eq!(of("mv7").lower, Some(of("e0").index));
    assert_eq!(of("e0").carrier, Some(true));
    lab.unplug("lan", 1);
    eventually("the carrier goes", || {
        let e0 = run(&a, link::by_name("e0")).unwrap().unwrap();
        e0.carrier == Some(false) && !e0.is_usable() && e0.flags.up()
    });
    run(&a, link::set_master(of("v7").index, None)).unwrap();
    assert_eq!(run(&a, link::by_name("v7")).unwrap().unwrap().master, None);
    run(&a, link::set_mtu(of("v7").index, 1300)).unwrap();
    run(&a, link::set_address(of("v7").index, &HardwareAddress(vec![2, 0, 0, 0, 0, 7]))).unwrap();
    let v7 = run(&a, link::by_name("v7")).unwrap().unwrap();
    assert_eq!((v7.mtu, v7.address.to_string().as_str()), (1300, "02:00:00:00:00:07"));
}

#[test]
fn a_wrong_name_is_refused_without_asking() {
    let (_lab, a) = pair();
    for name in ["", "sixteen-letters-", "a/b", "a b", ".."] {
        assert!(matches!(run(&a, link::by_name(name)), Err(netlink::Error::Invalid(_))), "{name}");
    }
}

#[test]
fn a_namespace_is_entered_by_name_and_left_again() {
    let (_lab, a) = pair();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let names = |links: Vec<link::Link>| links.into_iter().map(|l| l.name).collect::<Vec<_>>();
            let list =
                || names(netlink::Client::open(netlink::Protocol::Route).unwrap().run(link::list()).unwrap());
            let outside = list();
            let namespace = Namespace::named(&a.namespace).unwrap();
            assert_eq!(namespace.within(list).unwrap(), ["lo", "e0"]);
            assert_eq!(list(), outside);
            namespace.enter().unwrap();
            assert_eq!(list(), ["lo", "e0"]);
        });
    });
    assert_eq!(Namespace::named("no-such-namespace").unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(Namespace::named("../x").unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn the_link_below_virtual_macs_is_set_once_and_put_back_at_the_end() {
    let (_lab, a) = pair();
    a.set("ipv4/conf/e0/arp_filter", "0");
    a.set("ipv4/conf/e0/arp_ignore", "2");
    let values = || (a.setting("ipv4/conf/e0/arp_ignore"), a.setting("ipv4/conf/e0/arp_filter"));
    let pair_of = |ignore: &str, filter: &str| (ignore.to_owned(), filter.to_owned());
    let e0 = run(&a, link::by_name("e0")).unwrap().unwrap();
    let mut below = vmac::Below::default();
    run(&a, below.acquire(&e0).unwrap()).unwrap();
    assert_eq!(values(), pair_of("1", "1"));
    let changed = run(&a, link::by_name("e0")).unwrap().unwrap();
    assert!(below.acquire(&changed).is_none());
    assert!(below.release(e0.index).is_none());
    assert_eq!(below.before(), [(Ipv4::ArpIgnore, 2), (Ipv4::ArpFilter, 0)]);
    run(&a, below.release(e0.index).unwrap()).unwrap();
    assert_eq!(values(), pair_of("2", "0"));
    assert!(below.release(e0.index).is_none());
}

#[test]
fn settings_are_changed_in_the_namespace_and_put_back() {
    let (_lab, a) = pair();
    let setting = |link: &str| Setting::of_link("ipv6", link, "accept_dad").unwrap();
    a.ip("link add gone.1 type veth peer name gone2");
    let before = a.setting("ipv6/conf/e0/accept_dad");
    a.inside(|| {
        let mut changed = Changed::default();
        changed.set(&setting("e0"), &before).unwrap();
        assert!(changed.is_empty());
        changed.set(&setting("e0"), "0").unwrap();
        changed.set(&setting("e0"), "2").unwrap();
        changed.set(&setting("gone.1"), "0").unwrap();
        assert_eq!(a.setting("ipv6/conf/e0/accept_dad"), "2");
        let missing = changed.set(&setting("none"), "0").unwrap_err();
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
        a.ip("link del gone.1");
        changed.restore().unwrap();
        assert!(changed.is_empty());
    });
    assert_eq!(a.setting("ipv6/conf/e0/accept_dad"), before);
    assert!(Setting::of_link("ipv6", "../../kernel", "x").is_err());
}

#[test]
fn generic_families_are_found_by_name() {
    let mut client = netlink::Client::open(netlink::Protocol::Generic).unwrap();
    let control = client.run(generic::family("nlctrl")).unwrap();
    assert_eq!((control.name.as_str(), control.id), ("nlctrl", 0x10));
    assert!(control.groups.iter().any(|(name, _)| name == "notify"));
    // By the general way: the same question again, and all families.
    let answers = client
        .run(generic::request(&control, 3, |body| {
            body.text(2, "nlctrl");
        }))
        .unwrap();
    assert_eq!(answers.len(), 1);
    let name = answers[0].attributes().filter_map(Result::ok).find(|a| a.kind == 2).unwrap().text();
    assert_eq!(name, "nlctrl");
    assert!(client.run(generic::listing(&control, 3, |_| {})).unwrap().len() > 1);
    let missing = client.run(generic::family("NO_SUCH_FAMILY")).unwrap_err();
    assert!(missing.is_missing(), "{missing}");
    match client.run(generic::family("IPVS")) {
        Ok(ipvs) => assert_eq!(ipvs.name, "IPVS"),
        Err(error) => assert!(error.is_missing(), "{error}"),
    }
}

#[test]
fn the_reverse_path_filter_is_freed_for_virtual_macs_only_and_put_back() {
    let (_lab, a) = pair();
    a.ip("link add v7 type veth peer name v8");
    let names = ["all", "default", "e0", "v7", "v8"];
    let values = || names.map(|name| a.setting(&format!("ipv4/conf/{name}/rp_filter")));
    for (name, value) in names.iter().zip(["1", "0", "0", "2", "1"]) {
        a.set(&format!("ipv4/conf/{name}/rp_filter"), value);
    }
    let before = values();
    a.inside(|| {
        let mut changed = Changed::default();
        let freed = vmac::free_reverse_path(&mut changed, &["e0", "v7", "v8", "gone"]).unwrap();
        assert_eq!(freed, Some(1));
        assert_eq!(values(), ["0", "1", "1", "2", "1"]);
        assert_eq!(vmac::free_reverse_path(&mut changed, &["e0"]).unwrap(), None);
        changed.restore().unwrap();
    });
    assert_eq!(values(), before);
}
