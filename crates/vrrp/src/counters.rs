//! What is counted for each virtual router: keepalived's statistics, and a few of our own.

/// Counters of a virtual router. They only grow, and survive a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Advertisements received and found good.
    pub adverts_received: u64,
    /// Advertisements sent (one to all peers counts once, as in keepalived).
    pub adverts_sent: u64,
    /// Times this router became Master.
    pub became_master: u64,
    /// Times it left Master.
    pub released_master: u64,
    /// Wrong lengths.
    pub length_errors: u64,
    /// Time to live or hop limit not what it must be.
    pub ttl_errors: u64,
    /// Not advertisements.
    pub type_errors: u64,
    /// Version 2: an interval that is not ours.
    pub interval_errors: u64,
    /// Address lists that are not ours.
    pub address_list_errors: u64,
    /// Authentication types that do not exist.
    pub auth_type_errors: u64,
    /// Authentication types that are not ours.
    pub auth_type_mismatches: u64,
    /// Wrong passwords, wrong integrity check values, sequence numbers seen before.
    pub auth_failures: u64,
    /// Versions that are not ours.
    pub version_errors: u64,
    /// Wrong checksums.
    pub checksum_errors: u64,
    /// Priority 0 received.
    pub priority_zero_received: u64,
    /// Priority 0 sent.
    pub priority_zero_sent: u64,
    /// Advertisements from a sender that is no peer (`check_unicast_src`), or unicast where multicast is expected and the
    /// other way round; the latter are in `address_list_errors` too, as in keepalived.
    pub sender_errors: u64,
    /// Our own advertisements, come back.
    pub echoes: u64,
    /// Authentication header: integrity check value wrong (also in `auth_failures`).
    pub ah_mac_errors: u64,
    /// Authentication header: sequence number seen before (also in `auth_failures`).
    pub ah_sequence_errors: u64,
    /// Times a second Master was noticed.
    pub split_brains: u64,
    /// Addresses that were put back by the guard.
    pub addresses_restored: u64,
}

impl Counters {
    /// All packets that were found bad.
    pub fn bad(&self) -> u64 {
        self.length_errors
            + self.ttl_errors
            + self.type_errors
            + self.interval_errors
            + self.address_list_errors
            + self.auth_type_errors
            + self.auth_type_mismatches
            + self.auth_failures
            + self.version_errors
            + self.checksum_errors
    }
}

/// Packets that no virtual router's counters have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// Without complete headers.
    pub truncated: u64,
    /// For a VRID that is not configured on the interface they came in by.
    pub unknown_vrid: u64,
    /// For a virtual router that is neither Backup nor Master.
    pub idle: u64,
}
