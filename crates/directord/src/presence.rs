//! Which addresses are on this host (`ha_suspend`).

use netlink::{Change, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Addresses, each with the interfaces that have it.
#[derive(Debug, Default)]
pub struct Presence {
    on: BTreeMap<IpAddr, BTreeSet<u32>>,
    /// While the kernel tells everything there is: what it has told so far.
    listing: Option<BTreeMap<IpAddr, BTreeSet<u32>>>,
}

impl Presence {
    /// Takes news; what has come to this host (true) or left it.
    pub fn handle(&mut self, event: &Event) -> Vec<(IpAddr, bool)> {
        match event {
            Event::Address(change, address) => {
                let present = *change != Change::Deleted;
                self.address(address.link, address.local.address, present)
            }
            Event::Resync => {
                self.listing = Some(BTreeMap::new());
                Vec::new()
            }
            Event::Synchronised => self.listed(),
            _ => Vec::new(),
        }
    }

    fn address(&mut self, link: u32, address: IpAddr, present: bool) -> Vec<(IpAddr, bool)> {
        let on = self.listing.as_mut().unwrap_or(&mut self.on);
        let before = on.contains_key(&address);
        if present {
            on.entry(address).or_default().insert(link);
        } else if let Some(links) = on.get_mut(&address) {
            links.remove(&link);
            if links.is_empty() {
                on.remove(&address);
            }
        }
        let after = on.contains_key(&address);
        if self.listing.is_none() && before != after { vec![(address, after)] } else { Vec::new() }
    }

    fn listed(&mut self) -> Vec<(IpAddr, bool)> {
        let Some(now) = self.listing.take() else { return Vec::new() };
        let before = std::mem::replace(&mut self.on, now);
        let gone = before.keys().filter(|address| !self.on.contains_key(address));
        let come = self.on.keys().filter(|address| !before.contains_key(address));
        gone.map(|address| (*address, false)).chain(come.map(|address| (*address, true))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink::Prefix;
    use netlink::address::Address;

    fn news(change: Change, link: u32, last: u8) -> Event {
        Event::Address(change, Address::new(link, Prefix::new([10, 0, 0, last].into(), 32)))
    }

    #[test]
    fn an_address_is_here_while_any_interface_has_it() {
        let mut presence = Presence::default();
        let one = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(presence.handle(&news(Change::Present, 1, 1)), [(one, true)]);
        assert_eq!(presence.handle(&news(Change::New, 2, 1)), []);
        assert_eq!(presence.handle(&news(Change::Deleted, 1, 1)), []);
        assert_eq!(presence.handle(&news(Change::Deleted, 2, 1)), [(one, false)]);
        assert_eq!(presence.handle(&news(Change::Deleted, 2, 1)), []);
    }

    #[test]
    fn what_changed_while_news_were_lost_is_news() {
        let mut presence = Presence::default();
        presence.handle(&news(Change::Present, 1, 1));
        presence.handle(&news(Change::Present, 1, 2));
        presence.handle(&Event::Resync);
        assert_eq!(presence.handle(&news(Change::Present, 1, 2)), []);
        assert_eq!(presence.handle(&news(Change::Present, 1, 3)), []);
        let (one, three) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 3]));
        assert_eq!(presence.handle(&Event::Synchronised), [(one, false), (three, true)]);
    }
}
