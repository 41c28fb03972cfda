//! A link's IPv4 settings (`net.ipv4.conf.NAME`) as netlink carries them.

/// One of the settings. The discriminant is the kernel's number (`IPV4_DEVCONF_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Ipv4 {
    /// `forwarding`.
    Forwarding = 1,
    /// `accept_redirects`.
    AcceptRedirects = 4,
    /// `send_redirects`.
    SendRedirects = 6,
    /// `rp_filter`: 0 off, 1 strict, 2 loose.
    RpFilter = 8,
    /// `arp_filter`.
    ArpFilter = 13,
    /// `arp_announce`.
    ArpAnnounce = 18,
    /// `arp_ignore`.
    ArpIgnore = 19,
    /// `promote_secondaries`.
    PromoteSecondaries = 20,
    /// `arp_accept`.
    ArpAccept = 21,
    /// `accept_local`.
    AcceptLocal = 23,
    /// `route_localnet`.
    RouteLocalnet = 26,
}

impl Ipv4 {
    pub(crate) const fn number(self) -> u16 {
        self as u16
    }

    /// Its name below `net.ipv4.conf.NAME`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarding => "forwarding",
            Self::AcceptRedirects => "accept_redirects",
            Self::SendRedirects => "send_redirects",
            Self::RpFilter => "rp_filter",
            Self::ArpFilter => "arp_filter",
            Self::ArpAnnounce => "arp_announce",
            Self::ArpIgnore => "arp_ignore",
            Self::PromoteSecondaries => "promote_secondaries",
            Self::ArpAccept => "arp_accept",
            Self::AcceptLocal => "accept_local",
            Self::RouteLocalnet => "route_localnet",
        }
    }
}

/// All IPv4 settings of a link, as many as this kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    values: Vec<u32>,
}

impl Settings {
    pub(crate) fn decode(payload: &[u8]) -> Self {
        Self { values: payload.as_chunks::<4>().0.iter().map(|bytes| u32::from_ne_bytes(*bytes)).collect() }
    }

    /// The value of one; `None` when the kernel did not tell.
    pub fn get(&self, setting: Ipv4) -> Option<u32> {
        self.values.get(usize::from(setting.number()).checked_sub(1)?).copied()
    }
}
