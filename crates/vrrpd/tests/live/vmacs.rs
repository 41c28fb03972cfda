//! Virtual MAC addresses, and ipvlans.

use crate::*;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, recv, socket};
use nix::sys::socket::{MsgFlags, setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::AsRawFd;

/// The Ethernet and IP source of the next advert that a host hears from a virtual router.
fn advert(host: &Host, vrid: u8) -> (String, String) {
    host.inside(|| {
        let socket =
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), SockProtocol::EthAll).unwrap();
        setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(1)).unwrap();
        let until = std::time::Instant::now() + 2 * testkit::DEADLINE;
        let mut frame = [0; 2048];
        while std::time::Instant::now() < until {
            let Ok(length) = recv(socket.as_raw_fd(), &mut frame, MsgFlags::empty()) else { continue };
            let frame = &frame[..length];
            let mac = frame[6..12].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
            match frame.get(12..14) {
                Some([0x08, 0x00]) if frame[23] == 112 && frame[35] == vrid => {
                    let source = std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&frame[26..30]).unwrap());
                    return (mac, source.to_string());
                }
                Some([0x86, 0xdd]) if frame[20] == 112 && frame[55] == vrid => {
                    let source = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(&frame[22..38]).unwrap());
                    return (mac, source.to_string());
                }
                _ => {}
            }
        }
        panic!("no advert of {vrid}");
    })
}

fn mac(host: &Host, link: &str) -> String {
    host.ip_json(&format!("link show dev {link}"))[0]["address"].as_str().unwrap().to_owned()
}

#[test]
fn adverts_leave_by_the_virtual_mac_or_by_the_interface_below() {
    let (lab, a, b) = pair();
    for (more, expected) in
        [("use_vmac", "00:00:5e:00:01:33".to_owned()), ("use_vmac\n vmac_xmit_base", mac(&a, "e0"))]
    {
        let mut role = start(&lab, &a, &instance(more));
        says(&role, MASTER);
        eventually("the address is on the virtual interface", || {
            a.try_ip("addr show dev vrrp.51").1.contains(VIP)
        });
        assert_eq!(mac(&a, "vrrp.51"), "00:00:5e:00:01:33");
        assert_eq!(advert(&b, 51), (expected, "10.20.0.1".to_owned()), "{more}");
        assert!(role.stop().success());
        assert!(!a.has_link("vrrp.51"), "{}", role.text());
    }
}

#[test]
fn virtual_macs_of_ipv6() {
    let (lab, a, b) = pair();
    let config = |priority: u8| {
        format!(
            "vrrp_instance VI_1 {{\n interface e0\n use_vmac\n virtual_router_id 51\n priority {priority}\n \
             advert_int 0.2\n virtual_ipaddress {{\n fe80::100/64\n fd20::100/64\n }}\n}}\n"
        )
    };
    let first = start(&lab, &a, &config(200));
    says(&first, MASTER);
    let link = a.ip_json("link show");
    let link = link.as_array().unwrap().iter().find(|link| link["address"] == "00:00:5e:00:02:33");
    let link = link.unwrap_or_else(|| panic!("no virtual MAC: {}", a.ip("link"))).clone();
    let name = link["ifname"].as_str().unwrap().to_owned();
    eventually("the address is on it", || a.try_ip(&format!("addr show dev {name}")).1.contains("fd20::100"));
    let sent = |to: &Host, from: &Host| {
        let (mac, source) = advert(to, 51);
        assert_eq!(mac, "00:00:5e:00:02:33");
        assert!(source.starts_with("fe80::") && source != "fe80::100", "{source}");
        assert!(from.ip("addr show dev e0").contains(&source), "{source}");
    };
    sent(&b, &a);
    let second = start(&lab, &b, &config(100));
    says(&second, "Startup complete");
    // The second hears the first, and takes over when it is gone.
    eventually("the second is Backup", || second.text().contains("(VI_1) Entering BACKUP STATE"));
    assert!(!b.has_address("fd20::100"));
    drop(first);
    says(&second, MASTER);
    has(&b, "fd20::100", true);
    sent(&a, &b);
}

#[test]
fn addresses_on_other_interfaces_get_virtual_macs_too() {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    lab.segment("dmz", 30, &hosts);
    let a = &hosts[0];
    let config =
        instance("use_vmac\n use_vmac_addr\n virtual_ipaddress_excluded {\n 10.30.0.100/24 dev e1\n }");
    let mut role = start(&lab, a, &config);
    says(&role, MASTER);
    has(a, "10.30.0.100", true);
    let links = a.ip_json("addr show");
    let on =
        links.as_array().unwrap().iter().find(|link| {
            link["addr_info"].as_array().unwrap().iter().any(|info| info["local"] == "10.30.0.100")
        });
    let on = on.unwrap();
    assert_eq!(on["address"], "00:00:5e:00:01:33");
    assert_eq!(on["link"], "e1");
    assert!(role.stop().success());
    assert_eq!(
        a.ip_json("link show type macvlan")
            .as_array()
            .unwrap()
            .iter()
            .filter(|l| !l["ifname"].is_null())
            .count(),
        0
    );
}

#[test]
fn virtual_macs_follow_interfaces_that_are_made_anew() {
    let (lab, a, _) = pair();
    let make = || {
        a.ip("link add d0 type veth peer name d0p");
        a.ip("addr add 10.9.0.1/24 dev d0");
        a.ip("link set d0 up");
        a.ip("link set d0p up");
    };
    make();
    let config = "global_defs {\n dynamic_interfaces\n}\n".to_owned()
        + &instance("use_vmac").replace("e0", "d0").replace("10.20.0", "10.9.0");
    let role = start(&lab, &a, &config);
    says(&role, MASTER);
    has(&a, "10.9.0.100", true);
    a.ip("link del d0");
    says(&role, FAULT);
    assert!(!a.has_link("vrrp.51"));
    make();
    says_times(&role, MASTER, 2);
    has(&a, "10.9.0.100", true);
    assert_eq!(mac(&a, "vrrp.51"), "00:00:5e:00:01:33");
}

/// A kernel without ipvlan is said so, and the instance does not pretend.
#[test]
fn ipvlans_are_made_or_their_want_is_reported() {
    let (lab, a, _) = pair();
    let (there, why) = a.try_ip("link add probe link e0 type ipvlan");
    if there {
        a.ip("link del probe");
    }
    let role = start(&lab, &a, &instance("use_ipvlan ipv0 10.20.0.9/24"));
    if there {
        says(&role, MASTER);
        eventually("the address is on it", || a.try_ip("addr show dev ipv0").1.contains(VIP));
    } else {
        eprintln!("this kernel has no ipvlan ({}): only the report of that is tested", why.trim());
        says(&role, "Unable to create VMAC interface ipv0");
        says(&role, FAULT);
        assert!(!a.has_address(VIP));
    }
}
