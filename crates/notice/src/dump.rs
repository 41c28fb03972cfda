//! What processes show of themselves in files: the part that all have, and how such a file comes to be.

use crate::account::Accounts;
use keepalived_conf::model;
use nix::fcntl::OFlag;
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where a dump goes: what the configuration says, else below `TMPDIR` or /tmp; with `data_use_instance` the instance and the
/// namespace are in the name. `process` is in the names of all but the VRRP process: `_check`, `_parent`.
pub fn place(global: &model::Global, wanted: Option<&Path>, process: &str, kind: &str) -> PathBuf {
    if let Some(path) = wanted {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let extension = path.extension().map_or_else(String::new, |e| format!(".{}", e.to_string_lossy()));
        return path.with_file_name(format!("{stem}{process}{extension}"));
    }
    let mut name = format!("keepalived{process}");
    if global.data_use_instance {
        for part in [&global.instance, &global.net_namespace].into_iter().flatten() {
            name.push('_');
            name.push_str(&part.text);
        }
    }
    let directory = std::env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
    directory.unwrap_or_else(|| "/tmp".into()).join(format!("{name}.{kind}"))
}

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Writes a whole file, readable by its owner only. The directory may be one where everybody can make names: nothing that
/// is there is opened, and readers see the old file or the new one.
///
/// # Errors
/// Those of the file system.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..16 {
        let number = NUMBER.get();
        NUMBER.set(number.wrapping_add(1));
        let temporary = directory.join(format!(".{name}.{}.{number}", std::process::id()));
        let open = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&temporary);
        let mut file = match open {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                last = error;
                continue;
            }
            Err(error) => return Err(error),
        };
        let result = file.write_all(content).and_then(|()| fs::rename(&temporary, path));
        if result.is_err() {
            // The failure is what matters.
            let _ = fs::remove_file(&temporary);
        }
        return result;
    }
    Err(last)
}

/// Writes a line; to a string that does not fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {
        let _ = writeln!($out, $($text)*);
    };
}

fn on(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// `lvs_sync_daemon`.
fn sync_daemon(out: &mut String, sync: &model::LvsSync) {
    if let Some(instance) = &sync.instance {
        line!(out, " LVS syncd vrrp instance = {}", instance.text);
    }
    line!(out, " LVS syncd interface = {}", sync.interface.text);
    line!(out, " LVS syncd syncid = {}", sync.id.unwrap_or(0));
    if let Some(bytes) = sync.max_length {
        line!(out, " LVS syncd maxlen = {bytes}");
    }
    if let Some(group) = sync.group {
        line!(out, " LVS mcast group {group}");
    }
    if let Some(port) = sync.port {
        line!(out, " LVS syncd mcast port = {port}");
    }
    if let Some(ttl) = sync.ttl {
        line!(out, " LVS syncd mcast ttl = {ttl}");
    }
}

/// `Global definitions`, which every process's dump begins with.
pub fn global_definitions(global: &model::Global) -> String {
    let mut out = String::new();
    let name = |name: &Option<model::Name>, none: &str| {
        name.as_ref().map_or(none.to_owned(), |name| name.text.clone())
    };
    line!(out, "------< Global definitions >------");
    line!(out, " Network namespace = {}", name(&global.net_namespace, "(default)"));
    line!(out, " Network namespace ipvs = {}", name(&global.net_namespace_ipvs, "(main namespace)"));
    for (who, process, default) in [
        ("VRRP", &global.vrrp_process, "keepalived_vrrp"),
        ("LVS", &global.checker_process, "keepalived_lvs"),
    ] {
        let default = global.process_names.then_some(default);
        if let Some(name) = process.process_name.as_deref().or(default) {
            line!(out, " {who} process name = {name}");
        }
    }
    if let Some(id) = &global.router_id {
        line!(out, " Router ID = {id}");
    }
    let mail = &global.mail;
    if let Some(server) = &mail.server {
        line!(out, " Smtp server = {}", server.host.text);
        line!(out, " Smtp server port = {}", server.port);
    }
    if let Some(helo) = &mail.helo_name {
        line!(out, " Smtp HELO name = {helo}");
    }
    if mail.server.is_some() {
        line!(out, " Smtp server connection timeout = {}", mail.connect_timeout.as_secs());
    }
    if let Some(sender) = &mail.sender {
        line!(out, " Email notification from = {sender}");
    }
    if !mail.recipients.is_empty() {
        line!(out, " Email notification to:");
        for recipient in &mail.recipients {
            line!(out, "   {}", recipient.text);
        }
    }
    let unset = |value: Option<bool>| value.map_or("unset", |value| if value { "on" } else { "off" });
    line!(out, " Default smtp_alert = {}", unset(mail.alert));
    line!(out, " Default smtp_alert_vrrp = {}", unset(mail.alert_vrrp));
    line!(out, " Default smtp_alert_checker = {}", unset(mail.alert_checker));
    line!(out, " Checkers log all failures = {}", on(global.checker_log_all_failures));
    let check = if global.reload.check { "Test" } else { "No test" };
    line!(out, " {check} config before reload");
    line!(out, " Dynamic interfaces = {}", on(global.dynamic_interfaces));
    line!(out, " Default interface = {}", name(&global.default_interface, "eth0"));
    let timeouts = global.lvs_timeouts;
    // The third is of UDP; keepalived calls it so.
    for (what, timeout) in [("TCP", timeouts.tcp), ("TCP FIN", timeouts.tcp_fin), ("TCP", timeouts.udp)] {
        if let Some(timeout) = timeout {
            line!(out, " LVS {what} timeout = {}", timeout.as_secs());
        }
    }
    line!(out, " Disable local IGMP = {}", if global.disable_local_igmp { "yes" } else { "no" });
    if let Some(sync) = &global.lvs_sync {
        sync_daemon(&mut out, sync);
    }
    line!(out, " LVS flush = {}", on(global.lvs_flush));
    let flush = match global.lvs_flush_on_stop {
        model::FlushOnStop::No => "disabled",
        model::FlushOnStop::VirtualServers => "VS",
        model::FlushOnStop::All => "full",
    };
    line!(out, " LVS flush on stop = {flush}");
    for (what, fifo) in [
        ("Global notify", &global.notify_fifo),
        ("VRRP notify", &global.vrrp_notify_fifo),
        ("LVS notify", &global.lvs_notify_fifo),
    ] {
        if let Some(path) = fifo.as_ref().and_then(|fifo| fifo.path.as_ref()) {
            line!(out, " {what} fifo = {}", path.display());
        }
    }
    let vrrp = &global.vrrp;
    line!(out, " FIFO write vrrp states on reload = {}", on(global.fifo_write_states_on_reload));
    line!(out, " VRRP notify priority changes = {}", on(vrrp.notify_priority_changes));
    line!(out, " VRRP IPv4 mcast group = {}", vrrp.multicast_group4);
    line!(out, " VRRP IPv6 mcast group = {}", vrrp.multicast_group6);
    line!(out, " Gratuitous ARP delay = {}", vrrp.garp.master_delay.as_secs());
    line!(out, " Gratuitous ARP repeat = {}", vrrp.garp.master_repeat);
    line!(out, " Gratuitous ARP refresh timer = {}", vrrp.garp.master_refresh.as_secs());
    line!(out, " Gratuitous ARP refresh repeat = {}", vrrp.garp.master_refresh_repeat);
    line!(out, " Gratuitous ARP lower priority delay = {}", vrrp.garp.lower_prio_delay.as_secs());
    line!(out, " Gratuitous ARP lower priority repeat = {}", vrrp.garp.lower_prio_repeat);
    line!(out, " Num adverts before down = {}", vrrp.down_timer_adverts);
    line!(out, " Gratuitous ARP for each secondary VMAC = {}s", vrrp.garp.extra_interval.as_secs());
    line!(out, " Send advert after receive lower priority advert = {}", on(!vrrp.lower_priority_no_advert));
    line!(
        out,
        " Send advert after receive higher priority advert = {}",
        on(vrrp.higher_priority_send_advert)
    );
    line!(out, " Gratuitous ARP interval = {:.6}", vrrp.garp_interval.as_secs_f64());
    line!(out, " Gratuitous NA interval = {:.6}", vrrp.gna_interval.as_secs_f64());
    let version = if vrrp.version == model::Version::V3 { 3 } else { 2 };
    line!(out, " VRRP default protocol version = {version}");
    let counters = global.nftables.as_ref().is_some_and(|settings| settings.counters);
    line!(out, " nftables {} counters", if counters { "with" } else { "without" });
    line!(out, " VRRP check unicast_src = {}", on(vrrp.check_unicast_source));
    line!(out, " VRRP skip check advert addresses = {}", on(vrrp.skip_check_advert_addresses));
    line!(out, " VRRP strict mode = {}", on(vrrp.strict));
    line!(out, " Max auto priority = {}", global.max_auto_priority);
    line!(out, " Min auto priority delay = {} usecs", global.min_auto_priority_delay.as_micros());
    for (who, process) in
        [("VRRP", &global.vrrp_process), ("Checker", &global.checker_process), ("BFD", &global.bfd_process)]
    {
        line!(out, " {who} process priority = {}", process.nice.unwrap_or(0));
        line!(out, " {who} don't swap = {}", on(process.no_swap));
        line!(out, " {who} realtime priority = {}", process.realtime.unwrap_or(0));
        let limit = process.realtime_limit.map_or(10_000, |limit| limit.as_micros());
        line!(out, " {who} realtime limit = {limit}");
    }
    // None of them is served.
    for what in ["SNMP vrrp", "SNMP checker", "SNMP RFCv2", "SNMP RFCv3", "SNMP traps", "DBus"] {
        line!(out, " {what} disabled");
    }
    line!(out, " Script security {}", if global.script_security { "enabled" } else { "disabled" });
    if let Some(user) = Accounts::new(global).default_user() {
        line!(out, " Default script uid:gid {}:{}", user.uid, user.gid);
    }
    for (what, buffer) in [
        ("vrrp_netlink_cmd", global.vrrp_netlink_command),
        ("vrrp_netlink_monitor", global.vrrp_netlink_monitor),
        ("process_monitor", global.process_monitor),
        ("lvs_netlink_cmd", global.lvs_netlink_command),
        ("lvs_netlink_monitor", global.lvs_netlink_monitor),
    ] {
        line!(out, " {what}_rcv_bufs = {}", buffer.bytes.unwrap_or(0));
        line!(out, " {what}_rcv_bufs_force = {}", u8::from(buffer.force));
    }
    line!(out, " rs_init_notifies = {}", u8::from(global.rs_init_notifies));
    line!(out, " no_checker_emails = {}", u8::from(mail.no_checker_emails));
    line!(out, " rx_bufs_multiples = {}", vrrp.receive_buffers_multiplier);
    line!(out, " umask = 0{:o}", global.umask.unwrap_or(0o177));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn links_in_the_way_are_replaced_not_followed() {
        let directory = std::env::temp_dir().join(format!("evenkeel-dump-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (victim, path) = (directory.join("victim"), directory.join("keepalived.data"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &path).unwrap();
        write(&path, b"dump").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "dump");
        let entry = fs::symlink_metadata(&path).unwrap();
        assert!(entry.is_file());
        assert_eq!(entry.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2, "no temporary file is left");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn each_process_has_a_file_of_its_own() {
        let mut global = model::Global::default();
        let name = |process| place(&global, None, process, "data").file_name().unwrap().to_owned();
        assert_eq!((name(""), name("_check")), ("keepalived.data".into(), "keepalived_check.data".into()));
        let wanted = Some(Path::new("/x/state.data"));
        assert_eq!(place(&global, wanted, "", "data"), Path::new("/x/state.data"));
        assert_eq!(place(&global, wanted, "_parent", "data"), Path::new("/x/state_parent.data"));
        global.data_use_instance = true;
        global.instance = Some(model::Name { text: "one".into(), place: None });
        assert!(place(&global, None, "_parent", "data").ends_with("keepalived_parent_one.data"));
    }

    /// As keepalived 2.2.7 wrote it of `lvs_sync_daemon d0 A id 5 maxlen 1000 port 9000 ttl 3 group 224.0.0.82`.
    #[test]
    fn the_sync_daemon_as_keepalived_writes_it() {
        let name = |text: &str| model::Name { text: text.to_owned(), place: None };
        let global = model::Global {
            lvs_sync: Some(model::LvsSync {
                interface: name("d0"),
                instance: Some(name("A")),
                id: Some(5),
                max_length: Some(1000),
                port: Some(9000),
                ttl: Some(3),
                group: Some([224, 0, 0, 82].into()),
            }),
            ..model::Global::default()
        };
        let text = global_definitions(&global);
        let lines = " Disable local IGMP = no\n LVS syncd vrrp instance = A\n LVS syncd interface = d0\n \
                     LVS syncd syncid = 5\n LVS syncd maxlen = 1000\n LVS mcast group 224.0.0.82\n \
                     LVS syncd mcast port = 9000\n LVS syncd mcast ttl = 3\n LVS flush = false\n";
        assert!(text.contains(lines), "{text}");
    }
}
