//! What a router wants done.

use crate::cause::Cause;
use crate::event::Event;
use crate::ids::{GroupId, LinkId, RouterId};
use crate::state::State;
use core::net::IpAddr;

/// Something to be done, in the order given. Ids are those of the configuration in force when the action was made: after a
/// reload, actions before [`Action::Reloaded`] speak of the one before.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send an advert.
    Send(Advert),
    /// Put the addresses (advertised and excluded), routes, rules and accept-mode filters of a router in place.
    Install(RouterId),
    /// Take them away again.
    Withdraw(RouterId),
    /// At the start, of a router that is not Master: take away what a predecessor that crashed may have left.
    Clear(RouterId),
    /// After a reload, of a router that is Master: bring addresses, routes and rules from what they were to what they are
    /// now, touching nothing that is in both.
    Adjust(RouterId),
    /// Put one address back that another program has taken away.
    Restore {
        /// The router, which is Master.
        router: RouterId,
        /// The address's position in its list.
        address: usize,
    },
    /// Say where an address is.
    Announce(Announcement),
    /// Run notify scripts, write FIFOs, send mail.
    Notify(Notification),
    /// Write a line to the log.
    Log(Event),
    /// From here on, ids are those of the new configuration.
    Reloaded,
}

/// An advert, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Whose.
    pub router: RouterId,
    /// The interface; `None` for unicast without one.
    pub link: Option<LinkId>,
    /// From.
    pub source: IpAddr,
    /// To: the multicast group or a peer.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Its priority, 0 to resign.
    pub priority: u8,
    /// IPv4: the whole datagram with its header (`IP_HDRINCL`). IPv6: what follows the header.
    ///
    /// Give the buffer back with [`Router::recycle`](crate::Router::recycle), and adverts need no allocation.
    pub bytes: Vec<u8>,
}

/// A gratuitous ARP or an unsolicited neighbour advertisement, by the address's family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whose.
    pub router: RouterId,
    /// On which interface.
    pub link: LinkId,
    /// The address.
    pub address: IpAddr,
}

/// Something to tell scripts, FIFOs and people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// A state was entered.
    State {
        /// Whose.
        subject: Subject,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// The effective priority (of a group: 0).
        priority: u8,
        /// Why.
        cause: Cause,
    },
    /// `notify_stop`: the process stops; or `notify_deleted`: the router is no longer configured.
    Gone {
        /// Whose.
        subject: Subject,
        /// The state it was in.
        from: State,
        /// The effective priority (of a group: 0).
        priority: u8,
        /// No longer configured, in place of stopped.
        deleted: bool,
    },
    /// `notify_priority_changes`: the effective priority changed.
    Priority {
        /// Whose.
        router: RouterId,
        /// Its state.
        state: State,
        /// The priority before.
        from: u8,
        /// The priority now.
        to: u8,
    },
    /// `notify_master_rx_lower_pri`: a Master heard an advert of lower priority.
    ReceivedLowerPriority {
        /// Whose.
        router: RouterId,
        /// The effective priority.
        priority: u8,
    },
}

/// A virtual router or a sync group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A virtual router: `INSTANCE`.
    Router(RouterId),
    /// A sync group: `GROUP`.
    Group(GroupId),
}
