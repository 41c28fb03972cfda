//! What comes out of a configuration.

use diag::Human;
use keepalived_conf::model::{
    AddressFlags, Authentication, CheckerKind, Family, Forwarding, InitialState, PreferredLifetime, Protocol,
    RuleAction, Scheduler, Scope, Service, Version,
};
use keepalived_conf::{
    KeepalivedLines, Loaded, Memory, Named, Options, Unknown, Verdict, keywords, load, verdict,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn read(text: &str) -> Loaded {
    let memory = Memory::of("/etc/keepalived/keepalived.conf", text);
    load(&Options::default(), &memory, &Unknown)
}

fn said(loaded: &Loaded) -> String {
    KeepalivedLines::default()
        .render(&loaded.sources, &loaded.report)
        .replace("/etc/keepalived/keepalived.conf: ", "")
}

fn instance(body: &str) -> Loaded {
    read(&format!(
        "vrrp_instance A {{\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {{\n 10.0.0.1\n }}\n{body}\n}}\n"
    ))
}

#[test]
fn defaults_are_keepaliveds() {
    let loaded = instance("");
    assert_eq!(said(&loaded), "");
    let one = &loaded.config.instances[0];
    assert_eq!((one.priority, one.state, one.version), (100, InitialState::Backup, Version::V2));
    assert_eq!(one.advert_interval, Duration::from_secs(1));
    assert_eq!((one.garp.master_delay, one.garp.master_repeat), (Duration::from_secs(5), 5));
    assert_eq!((one.garp.lower_prio_delay, one.garp.lower_prio_repeat), (Duration::from_secs(5), 5));
    assert!(one.accept && !one.nopreempt && !one.strict);
    assert_eq!(one.multicast_group, "224.0.0.18".parse::<std::net::IpAddr>().unwrap());
    let address = &one.addresses[0];
    assert_eq!((address.prefix.length, address.mask_written), (32, false));
}

#[test]
fn values_that_keepalived_changes_are_changed() {
    let loaded = instance(
        " state MASTER\n priority 256\n nopreempt\n advert_int 0.5\n authentication {\n auth_type PASS\n auth_pass 123456789\n }",
    );
    let one = &loaded.config.instances[0];
    assert_eq!((one.priority, one.nopreempt), (100, false));
    assert_eq!(one.advert_interval, Duration::from_secs(1));
    assert_eq!(one.authentication, Some(Authentication::Pass(*b"12345678")));
    assert_eq!(
        said(&loaded),
        "(Line 8) number '256' outside range [1, 255]\n\
         (Line 8) (A) Priority not valid! must be between 1 & 255. Using default 100\n\
         (Line 13) Truncating auth_pass to 8 characters\n\
         (A) Warning - nopreempt will not work with initial state MASTER - clearing\n\
         (A) VRRPv2 advertisement interval 0.500000s must be an integer. rounding\n"
    );
    assert_eq!(verdict(&loaded.report), Verdict::Bad);
    assert!(!loaded.report.has_errors(), "keepalived starts with it, and so do we");
}

#[test]
fn a_master_without_priority_owns_the_addresses() {
    assert_eq!(instance(" state MASTER").config.instances[0].priority, 255);
}

#[test]
fn ipv6_is_version_3_and_its_addresses_are_deprecated_without_mask() {
    let loaded = read(
        "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n fe80::1\n 2001:db8::1/64\n }\n}\n",
    );
    let one = &loaded.config.instances[0];
    assert_eq!((one.family, one.version), (Family::V6, Version::V3));
    assert_eq!(one.addresses[0].preferred_lifetime, Some(PreferredLifetime::Seconds(0)));
    assert_eq!(one.addresses[1].preferred_lifetime, None);
}

#[test]
fn addresses_routes_and_rules_keep_their_options() {
    let loaded = instance(
        " virtual_ipaddress_excluded {\n 10.0.0.2/24 brd + dev eth1 scope link label eth1:x home noprefixroute no_track\n }\n virtual_routes {\n 10.2.0.0/24 via 10.0.0.254 dev eth1 table 100 metric 7 mtu lock 1400 rtt 10ms onlink append\n blackhole 10.3.0.0/24 dev eth1\n }\n virtual_rules {\n from 10.2.0.0/24 fwmark 1/0xff table 100 preference 50\n }",
    );
    assert_eq!(said(&loaded), "");
    let one = &loaded.config.instances[0];
    let address = &one.excluded_addresses[0];
    assert_eq!(address.scope, Some(Scope::LINK));
    let flags = AddressFlags { home: true, noprefixroute: true, ..AddressFlags::default() };
    assert_eq!((address.flags, address.no_track), (flags, true));
    let route = &one.routes[0];
    assert_eq!((route.table, route.metric, route.append), (Some(100), Some(7), true));
    let metrics = route.metrics;
    assert_eq!(metrics.mtu.map(|metric| (metric.value, metric.locked)), Some((1400, true)));
    assert_eq!(metrics.rtt.map(|metric| metric.value), Some(80));
    let rule = &one.rules[0];
    assert_eq!((rule.action, rule.fwmark), (RuleAction::Table(100), Some((1, 0xff))));
}

#[test]
fn scripts_are_split_as_in_the_shell() {
    let loaded = read(
        "vrrp_script s {\n script \"/bin/sh -c 'exit 0' \\\"a b\\\"\"\n interval 2\n weight -5\n}\nvrrp_script t {\n script /bin/x \"a b\" c\n}\n",
    );
    let commands: Vec<_> =
        loaded.config.scripts.iter().map(|script| script.script.command.join("|")).collect();
    assert_eq!(commands[1], "/bin/x|a b|c");
    assert!(commands[0].starts_with("/bin/sh|-c|exit 0"), "{commands:?}");
}

#[test]
fn the_guides_director_is_modelled() {
    let text = std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/guide/keepalived-dr-active.conf"),
    )
    .unwrap();
    let memory = Memory::of("/k.conf", text);
    let options = Options { path: PathBuf::from("/k.conf"), ..Options::default() };
    let loaded = load(&options, &memory, &Named(vec!["eth0".to_owned()]));
    assert_eq!(said(&loaded), "");
    let server = &loaded.config.virtual_servers[0];
    assert_eq!(server.service, Service::Address { address: "172.31.0.1".parse().unwrap(), port: 80 });
    assert_eq!((server.protocol, server.scheduler), (Some(Protocol::Tcp), Scheduler::RoundRobin));
    assert_eq!(server.forwarding, Forwarding::DirectRouting);
    assert_eq!(server.persistence.as_ref().unwrap().timeout, Duration::from_secs(9600));
    assert_eq!(server.real_servers.len(), 3);
    let checker = &server.real_servers[2].checkers[0];
    assert_eq!(checker.kind, CheckerKind::Tcp);
    let connection = checker.connection.as_ref().unwrap();
    assert_eq!((connection.port, connection.timeout), (80, Duration::from_secs(10)));
    assert_eq!(checker.delay_loop, Duration::from_secs(10));
    let global = &loaded.config.global;
    assert_eq!(global.mail.recipients[0].text, "admin@example.com");
    assert_eq!(global.mail.connect_timeout, Duration::from_secs(60));
}

#[test]
fn what_is_not_served_is_refused_by_name() {
    let loaded = read(
        "bfd_instance b {\n neighbor_ip 10.0.0.9\n}\nglobal_defs {\n enable_snmp_vrrp\n enable_dbus\n router_id x\n}\n",
    );
    assert_eq!(
        said(&loaded),
        "(Line 1) 'bfd_instance' is known, not served yet\n\
         (Line 5) 'enable_snmp_vrrp' is known, not served yet\n\
         (Line 6) 'enable_dbus' is known, not served yet\n"
    );
    assert!(loaded.report.has_errors());
    assert_eq!(loaded.config.global.router_id.as_deref(), Some("x"));
}

#[test]
fn a_missing_file_is_an_error() {
    let loaded = load(&Options::default(), &Memory::default(), &Unknown);
    assert!(loaded.report.has_errors());
    assert_eq!(verdict(&loaded.report).code(), 4);
    assert_eq!(said(&loaded), "Unable to find configuration file /etc/keepalived/keepalived.conf\n");
}

#[test]
fn people_see_the_place_and_what_was_probably_meant() {
    let loaded = read("virtual_server 10.0.0.1 80 {\n  delay_lop 6\n}\n");
    let text = Human::default().render(&loaded.sources, &loaded.report);
    assert!(text.contains("delay_lop 6") && text.contains("did you mean 'delay_loop'?"), "{text}");
}

/// A served keyword that nothing reads would be ignored in silence. Each is named in the code that reads it, or opens
/// a block that is.
#[test]
fn every_served_keyword_is_read() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut code = String::new();
    for folder in [source.clone(), source.join("lower"), source.join("source")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                code += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    // Arms that stand for the only keyword left, and names that are put together.
    let implied = [
        "init_fail",
        "full_command",
        "init_file",
        "interface",
        "interfaces",
        "group",
        "key",
        "host",
        "helo_name",
        "name",
        "user",
        "dynamic",
        "auth_pass",
        "regex_max_offset",
        "max_reply_length",
    ];
    let composed = |name: &str| {
        ["vrrp_garp_", "vrrp_", "checker_"]
            .iter()
            .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| code.contains(&format!("{rest}\""))))
            || name.ends_with("_force")
    };
    let mut unread = Vec::new();
    for keyword in keywords::all().filter(|keyword| keyword.status == keywords::Status::Served) {
        let name = keyword.name;
        let known = code.contains(&format!("\"{name}\"")) || implied.contains(&name) || composed(name);
        if !known {
            unread.push(name);
        }
    }
    assert!(unread.is_empty(), "said to be served, and nothing reads them: {unread:?}");
}

#[test]
fn the_sync_daemon_follows_who_is_named() {
    let loaded = instance(" lvs_sync_daemon_interface eth1\n");
    let sync = loaded.config.global.lvs_sync.unwrap();
    assert_eq!((sync.interface.text.as_str(), sync.instance.unwrap().text.as_str()), ("eth1", "A"));
    assert_eq!(sync.id, Some(51));
    let both = read("global_defs {\n lvs_sync_daemon eth0\n}\n").config.global.lvs_sync.unwrap();
    assert_eq!((both.instance, both.id), (None, Some(0)));

    let nobody = read("global_defs {\n lvs_sync_daemon eth0 inst NOSUCH\n}\n");
    let told: Vec<_> = nobody.report.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(told, ["Unable to find vrrp instance NOSUCH for lvs_syncd - clearing lvs_syncd config"]);
    assert_eq!(verdict(&nobody.report), Verdict::Good);
}
