//! The IPv4 settings that virtual MACs need, of their own links and of those below, as keepalived makes them.
//!
//! Without them the link below answers ARP requests for a virtual router's addresses with its own hardware address, and the
//! virtual MAC's link drops what comes from this host's other addresses.

use crate::devconf::Ipv4;
use crate::link::{Link, set_ipv4};
use crate::operation::Operation;
use crate::setting::{Changed, Setting};
use std::io;

/// For the virtual MAC's link: answers only for its own addresses, takes packets from local addresses, is not filtered by
/// the way back, keeps the other addresses of a subnet when the first goes.
const OWN: [(Ipv4, u32); 4] =
    [(Ipv4::ArpIgnore, 1), (Ipv4::AcceptLocal, 1), (Ipv4::RpFilter, 0), (Ipv4::PromoteSecondaries, 1)];

/// For the link below: answers only for its own addresses, and only where it would answer from.
const BELOW: [(Ipv4, u32); 2] = [(Ipv4::ArpIgnore, 1), (Ipv4::ArpFilter, 1)];

/// Sets up the link of a virtual MAC, before it is set up.
pub fn settings(vmac: u32) -> Operation<()> {
    set_ipv4(vmac, &OWN)
}

/// What the link below some virtual MACs had before the first of them came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Below {
    users: u32,
    before: Vec<(Ipv4, u32)>,
}

impl Below {
    /// One more virtual MAC is on `link`: what is to be set on it, if this is the first.
    pub fn acquire(&mut self, link: &Link) -> Option<Operation<()>> {
        self.users = self.users.saturating_add(1);
        if self.users > 1 {
            return None;
        }
        let had = |(setting, _): &(Ipv4, u32)| Some((*setting, link.ipv4.get(*setting)?));
        self.before = BELOW.iter().filter_map(had).collect();
        Some(set_ipv4(link.index, &BELOW))
    }

    /// One virtual MAC less is on the link of this index: what is to be set back on it, if this was the last.
    pub fn release(&mut self, link: u32) -> Option<Operation<()>> {
        self.users = self.users.checked_sub(1)?;
        if self.users > 0 {
            return None;
        }
        Some(set_ipv4(link, &std::mem::take(&mut self.before)))
    }

    /// What is remembered: settings and their former values. For a process that must put them back in place of one that died.
    pub fn before(&self) -> &[(Ipv4, u32)] {
        &self.before
    }
}

/// Takes the reverse path filter off `net.ipv4.conf.all`, for its value holds for every link however lenient the link's own
/// is: the others (not loopback, not virtual MACs: `links` by name) and `default` get it for themselves, so that only virtual
/// MACs change. Returns the value it had, if it was not off already; `changed` puts everything back.
///
/// # Errors
/// Those of reading and writing the settings.
pub fn free_reverse_path(changed: &mut Changed, links: &[&str]) -> io::Result<Option<u32>> {
    let setting = |link: &str| Setting::of_link("ipv4", link, "rp_filter");
    let number = |setting: &Setting| -> io::Result<u32> {
        setting
            .read()?
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "rp_filter is no number"))
    };
    let all = setting("all")?;
    let value = number(&all)?;
    if value == 0 {
        return Ok(None);
    }
    for link in ["default"].iter().chain(links) {
        let own = setting(link)?;
        match number(&own) {
            Ok(has) if has < value => changed.set(&own, &value.to_string())?,
            // A link may go meanwhile.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    changed.set(&all, "0")?;
    Ok(Some(value))
}
