//! The numbers of the kernel's interface (`include/uapi/linux/ip_vs.h`).

/// The family's name.
pub(super) const FAMILY: &str = "IPVS";

/// Commands.
pub(super) mod command {
    pub(crate) const NEW_SERVICE: u8 = 1;
    pub(crate) const SET_SERVICE: u8 = 2;
    pub(crate) const DEL_SERVICE: u8 = 3;
    pub(crate) const GET_SERVICE: u8 = 4;
    pub(crate) const NEW_DEST: u8 = 5;
    pub(crate) const SET_DEST: u8 = 6;
    pub(crate) const DEL_DEST: u8 = 7;
    pub(crate) const GET_DEST: u8 = 8;
    pub(crate) const NEW_DAEMON: u8 = 9;
    pub(crate) const DEL_DAEMON: u8 = 10;
    pub(crate) const GET_DAEMON: u8 = 11;
    pub(crate) const SET_CONFIG: u8 = 12;
    pub(crate) const GET_CONFIG: u8 = 13;
    pub(crate) const GET_INFO: u8 = 15;
    pub(crate) const ZERO: u8 = 16;
    pub(crate) const FLUSH: u8 = 17;
}

/// Attributes of a message.
pub(super) mod message {
    pub(crate) const SERVICE: u16 = 1;
    pub(crate) const DEST: u16 = 2;
    pub(crate) const DAEMON: u16 = 3;
    pub(crate) const TIMEOUT_TCP: u16 = 4;
    pub(crate) const TIMEOUT_TCP_FIN: u16 = 5;
    pub(crate) const TIMEOUT_UDP: u16 = 6;
}

/// Attributes of a service.
pub(super) mod service {
    pub(crate) const FAMILY: u16 = 1;
    pub(crate) const PROTOCOL: u16 = 2;
    pub(crate) const ADDRESS: u16 = 3;
    pub(crate) const PORT: u16 = 4;
    pub(crate) const MARK: u16 = 5;
    pub(crate) const SCHEDULER: u16 = 6;
    pub(crate) const FLAGS: u16 = 7;
    pub(crate) const TIMEOUT: u16 = 8;
    pub(crate) const NETMASK: u16 = 9;
    pub(crate) const STATS: u16 = 10;
    pub(crate) const ENGINE: u16 = 11;
    pub(crate) const STATS64: u16 = 12;
}

/// Flags of a service.
pub(super) mod flag {
    pub(crate) const PERSISTENT: u32 = 0x1;
    pub(crate) const ONE_PACKET: u32 = 0x4;
    pub(crate) const SCHEDULER_1: u32 = 0x8;
    pub(crate) const SCHEDULER_2: u32 = 0x10;
    pub(crate) const SCHEDULER_3: u32 = 0x20;
}

/// Attributes of a destination.
pub(super) mod dest {
    pub(crate) const ADDRESS: u16 = 1;
    pub(crate) const PORT: u16 = 2;
    pub(crate) const FORWARDING: u16 = 3;
    pub(crate) const WEIGHT: u16 = 4;
    pub(crate) const UPPER: u16 = 5;
    pub(crate) const LOWER: u16 = 6;
    pub(crate) const ACTIVE: u16 = 7;
    pub(crate) const INACTIVE: u16 = 8;
    pub(crate) const PERSISTENT: u16 = 9;
    pub(crate) const STATS: u16 = 10;
    pub(crate) const FAMILY: u16 = 11;
    pub(crate) const STATS64: u16 = 12;
    pub(crate) const TUNNEL_TYPE: u16 = 13;
    pub(crate) const TUNNEL_PORT: u16 = 14;
    pub(crate) const TUNNEL_FLAGS: u16 = 15;
}

/// Forwarding methods: the lowest three bits of a connection's flags.
pub(super) mod forwarding {
    pub(crate) const MASK: u32 = 0x7;
    pub(crate) const NAT: u32 = 0;
    pub(crate) const LOCAL: u32 = 1;
    pub(crate) const TUNNEL: u32 = 2;
    pub(crate) const DIRECT_ROUTING: u32 = 3;
    pub(crate) const BYPASS: u32 = 4;
}

/// Types of tunnels, and what is summed in them.
pub(super) mod tunnel {
    pub(crate) const IPIP: u8 = 0;
    pub(crate) const GUE: u8 = 1;
    pub(crate) const GRE: u8 = 2;
    pub(crate) const CHECKSUM: u16 = 0x1;
    pub(crate) const REMOTE_CHECKSUM: u16 = 0x2;
}

/// Attributes of statistics, of both widths.
pub(super) mod stats {
    pub(crate) const CONNECTIONS: u16 = 1;
    pub(crate) const PACKETS_IN: u16 = 2;
    pub(crate) const PACKETS_OUT: u16 = 3;
    pub(crate) const BYTES_IN: u16 = 4;
    pub(crate) const BYTES_OUT: u16 = 5;
    pub(crate) const CONNECTION_RATE: u16 = 6;
    pub(crate) const PACKET_RATE_IN: u16 = 7;
    pub(crate) const PACKET_RATE_OUT: u16 = 8;
    pub(crate) const BYTE_RATE_IN: u16 = 9;
    pub(crate) const BYTE_RATE_OUT: u16 = 10;
}

/// Attributes of a daemon.
pub(super) mod daemon {
    pub(crate) const STATE: u16 = 1;
    pub(crate) const INTERFACE: u16 = 2;
    pub(crate) const ID: u16 = 3;
    pub(crate) const MAX_LENGTH: u16 = 4;
    pub(crate) const GROUP: u16 = 5;
    pub(crate) const GROUP_V6: u16 = 6;
    pub(crate) const PORT: u16 = 7;
    pub(crate) const TTL: u16 = 8;
    /// States.
    pub(crate) const MASTER: u32 = 1;
    pub(crate) const BACKUP: u32 = 2;
}

/// Attributes of what is known of the implementation.
pub(super) mod info {
    pub(crate) const VERSION: u16 = 1;
    pub(crate) const TABLE_SIZE: u16 = 2;
}
