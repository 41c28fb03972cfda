//! What a monitor does with datagrams, without a socket: listings at first, then news, and listings again after a loss.

use crate::address::{self, Address};
use crate::attribute::Writer;
use crate::error::{Error, Malformed};
use crate::exchange::{Exchange, State};
use crate::link::{self, Link};
use crate::message::{Message, Messages};
use crate::operation::Part;
use crate::prefix::Family;
use crate::route::{self, Route};
use crate::rule::{self, Rule};
use std::collections::VecDeque;

/// How often one listing is repeated because of changes meanwhile.
const ATTEMPTS: u32 = 50;

/// What a monitor tells about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interests {
    /// Links.
    pub links: bool,
    /// Addresses of both families.
    pub addresses: bool,
    /// Routes of both families, of all tables.
    pub routes: bool,
    /// Rules of both families.
    pub rules: bool,
}

impl Interests {
    /// Everything.
    pub const ALL: Self = Self { links: true, addresses: true, routes: true, rules: true };

    /// The multicast groups (`RTNLGRP_…`) that tell about it.
    pub(crate) fn groups(self) -> Vec<u32> {
        let mut groups = Vec::new();
        let mut want = |wanted: bool, numbers: &[u32]| {
            if wanted {
                groups.extend_from_slice(numbers);
            }
        };
        want(self.links, &[1]);
        want(self.addresses, &[5, 9]);
        want(self.routes, &[7, 11]);
        want(self.rules, &[8, 19]);
        groups
    }
}

/// Why a thing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is there: part of a listing. The same may be told more than once.
    Present,
    /// It is new, or something about it is.
    New,
    /// It is gone.
    Deleted,
}

/// What a monitor tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// About a link.
    Link(Change, Link),
    /// About an address.
    Address(Change, Address),
    /// About a route. The kernel does not tell of IPv4 routes that go because their link went down or their source address
    /// was removed: who cares must list them then.
    Route(Change, Route),
    /// About a rule.
    Rule(Change, Rule),
    /// Everything there is was told; what comes is news.
    Synchronised,
    /// News were lost. What was told is void: everything there is will be told again, and then `Synchronised`.
    Resync,
    /// The kernel said something that could not be read; it is passed over.
    Unreadable(Malformed),
}

/// One listing to be made.
#[derive(Clone, Debug)]
struct Listing {
    what: &'static str,
    part: Part,
    attempts: u32,
}

#[derive(Debug)]
pub(crate) struct Feed {
    interests: Interests,
    /// Our socket's port: answers to us carry it, and so do no news.
    port: u32,
    sequence: u32,
    queue: VecDeque<Listing>,
    current: Option<(Listing, Exchange)>,
    /// News were lost while a listing was running: all is listed anew when it ends.
    restart: bool,
    synchronised: bool,
    events: VecDeque<Event>,
    failure: Option<Error>,
}

fn listing(what: &'static str, kind: u16, body: Writer) -> Listing {
    let part = Part { kind, flags: libc::NLM_F_DUMP as u16, body: body.finish() };
    Listing { what, part, attempts: 0 }
}

impl Feed {
    pub(crate) fn new(interests: Interests, port: u32) -> Self {
        let mut feed = Self {
            interests,
            port,
            sequence: 0,
            queue: VecDeque::new(),
            current: None,
            restart: false,
            synchronised: false,
            events: VecDeque::new(),
            failure: None,
        };
        feed.list_all();
        feed
    }

    fn list_all(&mut self) {
        self.synchronised = false;
        self.queue.clear();
        let Interests { links, addresses, routes, rules } = self.interests;
        if links {
            self.queue.push_back(listing("listing links", libc::RTM_GETLINK, link::list_body()));
        }
        if addresses {
            self.queue.push_back(listing("listing addresses", libc::RTM_GETADDR, address::list_body(None)));
        }
        for family in [Family::V4, Family::V6] {
            if routes {
                let body = route::list_body(family);
                self.queue.push_back(listing("listing routes", libc::RTM_GETROUTE, body));
            }
            if rules {
                self.queue.push_back(listing("listing rules", libc::RTM_GETRULE, rule::list_body(family)));
            }
        }
    }

    /// The next request to send, when none is under way.
    pub(crate) fn poll_request(&mut self) -> Option<Vec<u8>> {
        if self.current.is_some() || self.failure.is_some() {
            return None;
        }
        let Some(listing) = self.queue.pop_front() else {
            if !self.synchronised {
                self.synchronised = true;
                self.events.push_back(Event::Synchronised);
            }
            return None;
        };
        self.sequence = self.sequence.wrapping_add(1).max(1);
        // A listing's body is short.
        let (exchange, bytes) = Exchange::new(self.sequence, [&listing.part]).ok()?;
        self.current = Some((listing, exchange));
        Some(bytes)
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Why it cannot go on, if so.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// News were lost.
    pub(crate) fn handle_overrun(&mut self) {
        self.events.clear();
        self.events.push_back(Event::Resync);
        self.list_all();
        // The kernel makes one listing at a time for a socket.
        self.restart = self.current.is_some();
    }

    pub(crate) fn handle(&mut self, datagram: &[u8]) {
        for message in Messages::new(datagram) {
            match message.and_then(|message| self.handle_message(&message)) {
                Ok(()) => {}
                Err(malformed) => self.events.push_back(Event::Unreadable(malformed)),
            }
        }
        self.end_listing();
    }

    fn handle_message(&mut self, message: &Message<'_>) -> Result<(), Malformed> {
        let mut ours = false;
        if message.port == self.port
            && let Some((_, exchange)) = &mut self.current
        {
            let mut told = None;
            ours = exchange.handle_message(message, &mut |_, message| {
                told = read(message, Change::Present)?;
                Ok(())
            })?;
            if !self.restart {
                self.events.extend(told);
            }
        }
        if !ours {
            self.events.extend(read(message, Change::New)?);
        }
        Ok(())
    }

    fn end_listing(&mut self) {
        let Some((_, exchange)) = &self.current else { return };
        if !exchange.is_complete() {
            return;
        }
        let Some((mut listing, exchange)) = self.current.take() else { return };
        if std::mem::take(&mut self.restart) {
            return;
        }
        let again = exchange.interrupted;
        let refusal = match exchange.into_states().pop() {
            Some(State::Refused(refusal)) => Some(refusal),
            _ => None,
        };
        match refusal {
            None if !again => {}
            // A family that this kernel does not have has nothing to list.
            Some(refusal)
                if matches!(refusal.errno, libc::EAFNOSUPPORT | libc::EOPNOTSUPP | libc::ENOENT) => {}
            Some(refusal) if refusal.errno != libc::EBUSY => {
                self.failure = Some(Error::Kernel(listing.what, refusal));
            }
            _ if listing.attempts >= ATTEMPTS => self.failure = Some(Error::Unstable(listing.what)),
            _ => {
                listing.attempts += 1;
                self.queue.push_front(listing);
            }
        }
    }
}

/// What a message of the route family tells.
fn read(message: &Message<'_>, change: Change) -> Result<Option<Event>, Malformed> {
    let gone = match change {
        Change::Present => Change::Present,
        _ => Change::Deleted,
    };
    let payload = message.payload;
    Ok(match message.kind {
        libc::RTM_NEWLINK => Link::decode(payload)?.map(|link| Event::Link(change, link)),
        libc::RTM_DELLINK => Link::decode(payload)?.map(|link| Event::Link(gone, link)),
        libc::RTM_NEWADDR => Address::decode(payload)?.map(|address| Event::Address(change, address)),
        libc::RTM_DELADDR => Address::decode(payload)?.map(|address| Event::Address(gone, address)),
        libc::RTM_NEWROUTE => Route::decode(payload)?.map(|route| Event::Route(change, route)),
        libc::RTM_DELROUTE => Route::decode(payload)?.map(|route| Event::Route(gone, route)),
        libc::RTM_NEWRULE => Rule::decode(payload)?.map(|rule| Event::Rule(change, rule)),
        libc::RTM_DELRULE => Rule::decode(payload)?.map(|rule| Event::Rule(gone, rule)),
        _ => None,
    })
}
