//! `global_defs`, and the statements that stand beside the blocks.

use super::{Account, Fifo, Garp, Name, Script, Version};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `notification_email`.
    pub recipients: Vec<Name>,
    /// `notification_email_from`; `None`: `keepalived@HOST`.
    pub sender: Option<String>,
    /// `smtp_server`: an address or a name, and a port.
    pub server: Option<SmtpServer>,
    /// `smtp_helo_name`; `None`: the host's name.
    pub helo_name: Option<String>,
    /// `smtp_connect_timeout`; default 30 s.
    pub connect_timeout: Duration,
    /// `smtp_alert`.
    pub alert: Option<bool>,
    /// `smtp_alert_vrrp`.
    pub alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`.
    pub alert_checker: Option<bool>,
    /// `no_email_faults`.
    pub no_faults: bool,
    /// `no_checker_emails`: none for each checker, only for servers.
    pub no_checker_emails: bool,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            recipients: Vec::new(),
            sender: None,
            server: None,
            helo_name: None,
            connect_timeout: Duration::from_secs(30),
            alert: None,
            alert_vrrp: None,
            alert_checker: None,
            no_faults: false,
            no_checker_emails: false,
        }
    }
}

/// `smtp_server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// An address or a host name.
    pub host: Name,
    /// Its port; default 25.
    pub port: u16,
}

/// A program that runs once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceScript {
    /// What runs.
    pub script: Script,
    /// How long it may; default 10 s, 1–1000.
    pub timeout: Duration,
}

/// How a child process is scheduled. Of `vrrp_…`, `checker_…` or `bfd_…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// `…_process_name`.
    pub process_name: Option<String>,
    /// `…_priority`: nice value, −20 to 19.
    pub nice: Option<i8>,
    /// `…_rt_priority`: SCHED_RR, 1–99.
    pub realtime: Option<u8>,
    /// `…_rlimit_rttime`; default 10 ms.
    pub realtime_limit: Option<Duration>,
    /// `…_no_swap`.
    pub no_swap: bool,
    /// `…_cpu_affinity`.
    pub cpus: Vec<u16>,
}

/// `vrrp_rx_bufs_policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReceiveBuffers {
    /// Not said: the system's default.
    #[default]
    System,
    /// `MTU`.
    Mtu,
    /// `ADVERT`.
    Advert,
    /// That many bytes.
    Bytes(u32),
}

/// A netlink socket's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NetlinkBuffer {
    /// `…_rcv_bufs`, bytes.
    pub bytes: Option<u32>,
    /// `…_rcv_bufs_force`.
    pub force: bool,
}

/// `nftables [TABLE]` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nftables {
    /// The table; default `keepalived`.
    pub table: String,
    /// `nftables_priority`; default −1.
    pub priority: i32,
    /// `nftables_counters`.
    pub counters: bool,
    /// `nftables_ifindex`.
    pub ifindex: bool,
}

impl Default for Nftables {
    fn default() -> Self {
        Self { table: "keepalived".to_owned(), priority: -1, counters: false, ifindex: false }
    }
}

/// `nftables_ipvs [TABLE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftablesIpvs {
    /// The table; default `keepalived_ipvs`.
    pub table: String,
    /// `nftables_ipvs_priority`; default −1.
    pub priority: i32,
    /// `nftables_ipvs_start_fwmark`; default 1000.
    pub start_fwmark: u32,
}

impl Default for NftablesIpvs {
    fn default() -> Self {
        Self { table: "keepalived_ipvs".to_owned(), priority: -1, start_fwmark: 1000 }
    }
}

/// `vrrp_iptables [IN [OUT]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Iptables {
    /// Chain for what comes in; `None`: INPUT.
    pub input: Option<String>,
    /// Chain for what goes out; `None`: OUTPUT when no chain was named, else nothing.
    pub output: Option<String>,
    /// `vrrp_ipsets`: up to five names; `None`: the default ones.
    pub ipsets: Option<Vec<String>>,
}

/// `lvs_sync_daemon`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LvsSync {
    /// The interface.
    pub interface: Name,
    /// The instance whose state it follows; `None`: both daemons run always.
    pub instance: Option<Name>,
    /// `id`, 0–255; once checked, the instance's VRID, or 0, when it was not said.
    pub id: Option<u8>,
    /// `maxlen`, 1–65507.
    pub max_length: Option<u16>,
    /// `port`.
    pub port: Option<u16>,
    /// `ttl`.
    pub ttl: Option<u8>,
    /// `group`.
    pub group: Option<IpAddr>,
}

/// `lvs_timeouts`, of connections in IPVS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LvsTimeouts {
    /// `tcp`.
    pub tcp: Option<Duration>,
    /// `tcpfin`.
    pub tcp_fin: Option<Duration>,
    /// `udp`.
    pub udp: Option<Duration>,
}

/// `lvs_flush_on_stop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FlushOnStop {
    /// Not said: everything is taken out one by one.
    #[default]
    No,
    /// The whole table.
    All,
    /// `VS`: each virtual server with all that is in it.
    VirtualServers,
}

/// `reload_check_config`, `reload_time_file`, `reload_repeat`, `reload_file`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// `reload_check_config`: a reload is refused while the new files have errors.
    pub check: bool,
    /// Where the errors are written.
    pub check_log: Option<PathBuf>,
    /// `reload_time_file`.
    pub time_file: Option<PathBuf>,
    /// `reload_repeat`.
    pub repeat: bool,
    /// `reload_file`: there while files are read. `Some(None)`: at its default place.
    pub marker: Option<Option<PathBuf>>,
}

/// Defaults of VRRP, `vrrp_…` of `global_defs`. Instances have them applied already.
#[derive(Clone, Debug, PartialEq)]
pub struct VrrpDefaults {
    /// `vrrp_version`.
    pub version: Version,
    /// `vrrp_mcast_group4`.
    pub multicast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`.
    pub multicast_group6: Ipv6Addr,
    /// `vrrp_garp_master_delay` and its like.
    pub garp: Garp,
    /// `vrrp_garp_interval`; default zero.
    pub garp_interval: Duration,
    /// `vrrp_gna_interval`; default zero.
    pub gna_interval: Duration,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: u8,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_priority_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_priority_send_advert: bool,
    /// `vrrp_owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_source: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_advert_addresses: bool,
    /// `vrrp_strict`.
    pub strict: bool,
    /// `vrrp_notify_priority_changes`.
    pub notify_priority_changes: bool,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: bool,
    /// `vrrp_startup_delay`: until the state machines start.
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`: until they start, counted from the boot of the machine.
    pub delay_after_boot: Duration,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// `vrrp_rx_bufs_policy`.
    pub receive_buffers: ReceiveBuffers,
    /// `vrrp_rx_bufs_multiplier`; default 3.
    pub receive_buffers_multiplier: u32,
}

impl Default for VrrpDefaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            multicast_group4: Ipv4Addr::new(224, 0, 0, 18),
            multicast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            garp: Garp::default(),
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            down_timer_adverts: 3,
            lower_priority_no_advert: false,
            higher_priority_send_advert: false,
            owner_ignore_adverts: false,
            check_unicast_source: false,
            skip_check_advert_addresses: false,
            strict: false,
            notify_priority_changes: false,
            v3_checksum_as_v2: false,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            log_unknown_vrids: false,
            receive_buffers: ReceiveBuffers::System,
            receive_buffers_multiplier: 3,
        }
    }
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
            extra_interval: Duration::ZERO,
            extra_all: false,
        }
    }
}

/// `global_defs` and the statements beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Global {
    /// `router_id`; `None`: the host's name.
    pub router_id: Option<String>,
    /// Mail.
    pub mail: Mail,
    /// `script_user`; `None`: the user `keepalived_script` if there is one.
    pub script_user: Option<Account>,
    /// `enable_script_security`.
    pub script_security: bool,
    /// `set_supplementary_groups`.
    pub supplementary_groups: bool,
    /// `use_symlink_paths`.
    pub use_symlink_paths: bool,
    /// `startup_script`.
    pub startup_script: Option<OnceScript>,
    /// `shutdown_script`.
    pub shutdown_script: Option<OnceScript>,
    /// `notify_fifo`.
    pub notify_fifo: Option<Fifo>,
    /// `vrrp_notify_fifo`.
    pub vrrp_notify_fifo: Option<Fifo>,
    /// `lvs_notify_fifo`.
    pub lvs_notify_fifo: Option<Fifo>,
    /// `fifo_write_vrrp_states_on_reload`.
    pub fifo_write_states_on_reload: bool,
    /// `vrrp_…`.
    pub vrrp: VrrpDefaults,
    /// `dynamic_interfaces`: those that do not exist may come later.
    pub dynamic_interfaces: bool,
    /// `dynamic_interfaces allow_if_changes`.
    pub allow_interface_changes: bool,
    /// `default_interface`; `None`: eth0.
    pub default_interface: Option<Name>,
    /// `linkbeat_use_polling`: for all interfaces.
    pub linkbeat_polling: bool,
    /// `vmac_prefix`; default `vrrp`.
    pub vmac_prefix: String,
    /// `vmac_addr_prefix`; default `vmac_prefix`.
    pub vmac_addr_prefix: String,
    /// `nftables`; `None`: not said (keepalived then uses it where it must filter and iptables is not named).
    pub nftables: Option<Nftables>,
    /// `nftables_ipvs`.
    pub nftables_ipvs: Option<NftablesIpvs>,
    /// `vrrp_iptables`.
    pub iptables: Option<Iptables>,
    /// `disable_local_igmp`.
    pub disable_local_igmp: bool,
    /// `lvs_sync_daemon`.
    pub lvs_sync: Option<LvsSync>,
    /// `lvs_timeouts`.
    pub lvs_timeouts: LvsTimeouts,
    /// `lvs_flush`.
    pub lvs_flush: bool,
    /// `lvs_flush_on_stop`.
    pub lvs_flush_on_stop: FlushOnStop,
    /// `rs_init_notifies`.
    pub rs_init_notifies: bool,
    /// `checker_log_all_failures`.
    pub checker_log_all_failures: bool,
    /// `process_name`: of the parent.
    pub process_name: Option<String>,
    /// `process_names`: children are named `keepalived_vrrp` and so on.
    pub process_names: bool,
    /// The VRRP process.
    pub vrrp_process: Scheduling,
    /// The director.
    pub checker_process: Scheduling,
    /// The BFD process.
    pub bfd_process: Scheduling,
    /// `max_auto_priority`, −1 to 99; default 0.
    pub max_auto_priority: i8,
    /// `min_auto_priority_delay`; default 1 s.
    pub min_auto_priority_delay: Duration,
    /// `vrrp_netlink_cmd_rcv_bufs`.
    pub vrrp_netlink_command: NetlinkBuffer,
    /// `vrrp_netlink_monitor_rcv_bufs`.
    pub vrrp_netlink_monitor: NetlinkBuffer,
    /// `lvs_netlink_cmd_rcv_bufs`.
    pub lvs_netlink_command: NetlinkBuffer,
    /// `lvs_netlink_monitor_rcv_bufs`.
    pub lvs_netlink_monitor: NetlinkBuffer,
    /// `process_monitor_rcv_bufs`.
    pub process_monitor: NetlinkBuffer,
    /// `child_wait_time`: how long children may take to end; default 5 s.
    pub child_wait_time: Duration,
    /// `net_namespace`.
    pub net_namespace: Option<Name>,
    /// `net_namespace_ipvs`.
    pub net_namespace_ipvs: Option<Name>,
    /// `namespace_with_ipsets`.
    pub namespace_with_ipsets: bool,
    /// `instance`.
    pub instance: Option<Name>,
    /// `use_pid_dir`.
    pub use_pid_dir: bool,
    /// `umask`; `None`: 0177 for dumps as FEATURES says, the command line's, or the system's.
    pub umask: Option<u32>,
    /// `random_seed`.
    pub random_seed: Option<u32>,
    /// `config_save_dir`.
    pub config_save_dir: Option<PathBuf>,
    /// `tmp_config_directory`.
    pub tmp_config_directory: Option<PathBuf>,
    /// `data_use_instance`.
    pub data_use_instance: bool,
    /// `state_dump_file`; `None`: /tmp/keepalived.data.
    pub state_dump_file: Option<PathBuf>,
    /// `stats_dump_file`; `None`: /tmp/keepalived.stats.
    pub stats_dump_file: Option<PathBuf>,
    /// `json_dump_file`; `None`: /tmp/keepalived.json.
    pub json_dump_file: Option<PathBuf>,
    /// `json_version`, 1 or 2.
    pub json_version: u8,
    /// `iproute_usr_dir`.
    pub iproute_usr_dir: Option<PathBuf>,
    /// `iproute_etc_dir`.
    pub iproute_etc_dir: Option<PathBuf>,
    /// `reload_…`.
    pub reload: Reload,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            router_id: None,
            mail: Mail::default(),
            script_user: None,
            script_security: false,
            supplementary_groups: false,
            use_symlink_paths: false,
            startup_script: None,
            shutdown_script: None,
            notify_fifo: None,
            vrrp_notify_fifo: None,
            lvs_notify_fifo: None,
            fifo_write_states_on_reload: false,
            vrrp: VrrpDefaults::default(),
            dynamic_interfaces: false,
            allow_interface_changes: false,
            default_interface: None,
            linkbeat_polling: false,
            vmac_prefix: "vrrp".to_owned(),
            vmac_addr_prefix: "vrrp".to_owned(),
            nftables: None,
            nftables_ipvs: None,
            iptables: None,
            disable_local_igmp: false,
            lvs_sync: None,
            lvs_timeouts: LvsTimeouts::default(),
            lvs_flush: false,
            lvs_flush_on_stop: FlushOnStop::No,
            rs_init_notifies: false,
            checker_log_all_failures: false,
            process_name: None,
            process_names: false,
            vrrp_process: Scheduling::default(),
            checker_process: Scheduling::default(),
            bfd_process: Scheduling::default(),
            max_auto_priority: 0,
            min_auto_priority_delay: Duration::from_secs(1),
            vrrp_netlink_command: NetlinkBuffer::default(),
            vrrp_netlink_monitor: NetlinkBuffer::default(),
            lvs_netlink_command: NetlinkBuffer::default(),
            lvs_netlink_monitor: NetlinkBuffer::default(),
            process_monitor: NetlinkBuffer::default(),
            child_wait_time: Duration::from_secs(5),
            net_namespace: None,
            net_namespace_ipvs: None,
            namespace_with_ipsets: false,
            instance: None,
            use_pid_dir: false,
            umask: None,
            random_seed: None,
            config_save_dir: None,
            tmp_config_directory: None,
            data_use_instance: false,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
            json_version: 1,
            iproute_usr_dir: None,
            iproute_etc_dir: None,
            reload: Reload::default(),
        }
    }
}
