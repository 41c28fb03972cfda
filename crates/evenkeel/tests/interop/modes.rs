//! Each mode of sending and checking adverts.

use super::pair::{ADDRESS, Case, VIP, config, fast, stop_and_part, stop_and_return};

fn second(instance: &str) -> String {
    config("vrrp_version 2", &format!("advert_int 1\n{instance}\n{ADDRESS}"))
}

#[test]
fn version_2() {
    Case { name: "v2", config: second(""), vips: &[VIP], play: stop_and_part }.run();
}

#[test]
fn version_2_with_a_password() {
    let config = second("authentication {\n auth_type PASS\n auth_pass passw123\n}");
    Case { name: "v2-pass", config, vips: &[VIP], play: stop_and_return }.run();
}

#[test]
fn version_2_with_an_authentication_header() {
    let config = second("authentication {\n auth_type AH\n auth_pass passw123\n}");
    Case { name: "v2-ah", config, vips: &[VIP], play: stop_and_part }.run();
}

#[test]
fn version_2_unicast() {
    let config = second("unicast_src_ip {OWN}\nunicast_peer {\n{OTHER}\n}")
        .replace("unicast_src_ip {OWN}", "@a unicast_src_ip 10.20.0.1\n@b unicast_src_ip 10.20.0.2")
        .replace("{OTHER}", "@a 10.20.0.2\n@b 10.20.0.1");
    Case { name: "v2-unicast", config, vips: &[VIP], play: stop_and_return }.run();
}

#[test]
fn version_2_unicast_with_an_authentication_header() {
    let config = second(
        "authentication {\n auth_type AH\n auth_pass passw123\n}\n@a unicast_src_ip 10.20.0.1\n@b unicast_src_ip 10.20.0.2\n\
         unicast_peer {\n@a 10.20.0.2\n@b 10.20.0.1\n}",
    );
    Case { name: "v2-ah-unicast", config, vips: &[VIP], play: stop_and_return }.run();
}

#[test]
fn version_3() {
    Case { name: "v3", config: fast(ADDRESS), vips: &[VIP], play: stop_and_part }.run();
}

#[test]
fn version_3_over_ipv6() {
    let config = fast("virtual_ipaddress {\n fe80::64/64\n fd20::64/64\n}");
    Case { name: "v3-ipv6", config, vips: &["fe80::64", "fd20::64"], play: stop_and_part }.run();
}

#[test]
fn version_3_unicast_with_ttls_and_checked_sources() {
    let config = fast(&format!(
        "@a unicast_src_ip 10.20.0.1\n@b unicast_src_ip 10.20.0.2\nunicast_ttl 64\ncheck_unicast_src\n\
         unicast_peer {{\n@a 10.20.0.2 min_ttl 64 max_ttl 64\n@b 10.20.0.1 min_ttl 60 max_ttl 65\n}}\n{ADDRESS}"
    ));
    Case { name: "v3-unicast", config, vips: &[VIP], play: stop_and_part }.run();
}

#[test]
fn version_3_unicast_over_ipv6() {
    let config = fast(
        "@a unicast_src_ip fd20::1\n@b unicast_src_ip fd20::2\ncheck_unicast_src\n\
         unicast_peer {\n@a fd20::2\n@b fd20::1\n}\nvirtual_ipaddress {\n fe80::64/64\n fd20::64/64\n}",
    );
    Case { name: "v3-unicast-ipv6", config, vips: &["fe80::64", "fd20::64"], play: stop_and_return }.run();
}

#[test]
fn virtual_macs() {
    let config = fast(&format!("use_vmac\n{ADDRESS}"));
    Case { name: "vmac", config, vips: &[VIP], play: stop_and_part }.run();
}

#[test]
fn virtual_macs_with_adverts_from_the_base() {
    let config = fast(&format!("use_vmac\nvmac_xmit_base\n{ADDRESS}"));
    Case { name: "vmac-xmit-base", config, vips: &[VIP], play: stop_and_return }.run();
}

#[test]
fn virtual_macs_over_ipv6() {
    let config = fast("use_vmac\nvirtual_ipaddress {\n fe80::64/64\n fd20::64/64\n}");
    Case { name: "vmac-ipv6", config, vips: &["fe80::64", "fd20::64"], play: stop_and_return }
        .run_except(&[("name-of-virtual-macs", " VMAC interface ")]);
}

#[test]
fn many_addresses_and_excluded_ones() {
    let config = fast(
        "virtual_ipaddress {\n 10.20.0.100/24\n 10.20.0.101/24 label e0:1\n 10.20.0.102/32 scope link\n 10.99.0.1/16 dev e0\n}\n\
         virtual_ipaddress_excluded {\n 10.20.0.110/24\n fd20::110/64\n}",
    );
    let vips: &[&str] =
        &["10.20.0.100", "10.20.0.101", "10.20.0.102", "10.99.0.1", "10.20.0.110", "fd20::110"];
    Case { name: "addresses", config, vips, play: stop_and_part }.run();
}

#[test]
fn another_group_and_interval() {
    let config =
        config("vrrp_version 3\nvrrp_mcast_group4 224.0.0.99", &format!("advert_int 0.37\n{ADDRESS}"));
    Case { name: "group-and-interval", config, vips: &[VIP], play: stop_and_return }.run();
}
