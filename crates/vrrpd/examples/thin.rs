//! One virtual router on e0, without a configuration file.
//! `thin VERSION PRIORITY INTERVAL_MS VIP/LEN…`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]
use keepalived_conf::model::{Address, Config, Family, Garp, InitialState, Instance, Name, UnicastChecksum, Version};
use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let name = |text: &str| Name { text: text.to_owned(), place: None };
    let count: usize = std::env::var("COUNT").map_or(1, |count| count.parse().unwrap());
    let mut config = Config::default();
    for number in 0..count {
        let addresses: Vec<_> = args[4..]
            .iter()
            .map(|arg| {
                let (address, length) = arg.split_once('/').unwrap();
                let address: std::net::IpAddr = address.parse().unwrap();
                let address = match address {
                    std::net::IpAddr::V4(v4) => std::net::IpAddr::V4((v4.to_bits() + number as u32).into()),
                    v6 => v6,
                };
                Address::new(address, length.parse().unwrap())
            })
            .collect();
        let family = addresses[0].family();
        let instance = Instance {
            name: name(&format!("VI_{}", number + 1)),
            interface: Some(name("e0")),
            vrf: None,
            family,
            virtual_router_id: ((50 + number) % 255 + 1) as u8,
            priority: args[2].parse().unwrap(),
            state: InitialState::Backup,
            version: if args[1] == "3" { Version::V3 } else { Version::V2 },
            advert_interval: Duration::from_millis(args[3].parse().unwrap()),
            authentication: None,
            addresses,
            excluded_addresses: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            no_virtual_addresses: false,
            nopreempt: false,
            preempt_delay: Duration::ZERO,
            timer_expired_backup: false,
            vmac: std::env::var_os("VMAC").map(|_| Default::default()),
            vmac_addr: false,
            vmac_xmit_base: false,
            ipvlan: None,
            unicast_peers: Vec::new(),
            unicast_fault_no_peer: false,
            source_address: None,
            source_place: None,
            track_source_address: false,
            multicast_group: match family {
                Family::V4 => "224.0.0.18".parse().unwrap(),
                Family::V6 => "ff02::12".parse().unwrap(),
            },
            unicast_ttl: None,
            check_unicast_source: false,
            unicast_checksum: UnicastChecksum::Auto,
            v3_checksum_as_v2: false,
            accept: true,
            strict: false,
            skip_check_advert_addresses: false,
            lower_priority_no_advert: false,
            higher_priority_send_advert: false,
            owner_ignore_adverts: false,
            down_timer_adverts: 3,
            garp: Garp::default(),
            dont_track_primary: false,
            promote_secondaries: false,
            linkbeat_polling: false,
            track: Default::default(),
            notify: Default::default(),
            lvs_sync_interface: None,
            receive_buffer: 0,
            debug: 0,
        };
        config.instances.push(instance);
    }
    let log = vrrpd::log::LogOptions { facility: None, console: true, detail: true, ..Default::default() };
    let options = vrrpd::Options { log, parent: None, reload: None, keep_privileges: false };
    println!("{:?}", vrrpd::run(config, options));
}
