//! What is known of one virtual router at run time.

use crate::bad::Bad;
use crate::cause::{Cause, FaultReason};
use crate::config::{Initial, VirtualRouter};
use crate::counters::Counters;
use crate::ids::GroupId;
use crate::limit::Limit;
use crate::state::State;
use core::net::IpAddr;
use core::time::Duration;
use ek_time::Instant;
use wire::vrrp::{OWNER, Version};

/// Why a Backup whose timer runs out becomes Master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// The Master was not heard.
    #[default]
    Silence,
    /// The Master resigned.
    Resigned(IpAddr),
    /// The Master has a lower priority.
    Preempting(IpAddr, u8),
    /// This router owns the addresses.
    Owner,
}

/// Lines that packets cause, limited each for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    LowerDiscarded,
    LowerHeard,
    HigherHeard,
    OwnAddress,
    SequenceSynced,
    SplitBrain,
    HeardZero,
}

const NOISES: usize = 7;

/// The limits of the lines that packets cause.
#[derive(Clone, Debug, Default)]
struct Limits {
    bad: [Limit; Bad::KINDS],
    noise: [Limit; NOISES],
}

/// One virtual router at run time.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) state: State,
    /// The state it would be in without its sync group.
    pub(crate) want: State,
    pub(crate) group: Option<GroupId>,
    /// The configured priority; 254 for an owner that met another.
    pub(crate) base: u8,
    pub(crate) total: i32,
    pub(crate) effective: u8,
    /// Addresses are in place.
    pub(crate) installed: bool,
    pub(crate) master: Option<(IpAddr, u8)>,
    /// `Master_Adver_Interval`; our own in version 2.
    pub(crate) master_interval: Duration,
    /// The master-down interval last used.
    pub(crate) down: Duration,
    /// When a Master of lower priority may be put out (`preempt_delay`).
    pub(crate) preempt_at: Option<Instant>,
    pub(crate) takeover: Takeover,
    /// The timer ran out late once since a Master was heard.
    pub(crate) late: bool,
    pub(crate) since: Instant,
    pub(crate) cause: Cause,
    /// A good advert of another Master was last heard.
    pub(crate) heard: Instant,
    /// From whom, with which IPv4 identification, and when.
    pub(crate) last: Option<(IpAddr, u16, Instant)>,
    pub(crate) faults: u32,
    pub(crate) waiting: u32,
    pub(crate) reason: Option<FaultReason>,
    pub(crate) sequence: Sequence,
    pub(crate) ip_id: u16,
    /// A unicast peer uses the old checksum.
    pub(crate) old_checksum: bool,
    pub(crate) refresh_at: Option<Instant>,
    pub(crate) extra_at: Option<Instant>,
    pub(crate) addresses: Vec<AddressState>,
    pub(crate) counters: Counters,
    /// There when others have caused a line.
    limits: Option<Box<Limits>>,
}

/// How many senders may have used one sequence number.
const SENDERS: usize = 8;

/// The sequence number of the authentication header. keepalived's routers share one: each goes on from the highest it has
/// sent or heard. Two that become Master together send the same number, and have to hear each other; so a number counts as
/// seen for each sender by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    /// Last sent or received.
    pub(crate) number: u32,
    /// It has come to its end, and starts again when this router becomes Master.
    pub(crate) cycled: bool,
    senders: [Option<[u8; 4]>; SENDERS],
}

impl Sequence {
    /// A number was received. Returns false when this sender's was seen before.
    pub(crate) fn receive(&mut self, sender: [u8; 4], number: u32) -> bool {
        if number > self.number {
            self.senders = [None; SENDERS];
            self.number = number;
        } else if number < self.number || self.senders.contains(&Some(sender)) {
            return false;
        }
        let Some(free) = self.senders.iter_mut().find(|place| place.is_none()) else { return false };
        *free = Some(sender);
        self.cycled = false;
        true
    }

    /// An advert is sent.
    pub(crate) fn advance(&mut self) {
        if self.number > wire::ah::LAST_SEQUENCE {
            self.cycled = true;
        } else {
            self.set(self.number + 1);
        }
    }

    /// Goes on from another number.
    pub(crate) fn set(&mut self, number: u32) {
        self.number = number;
        self.senders = [None; SENDERS];
    }

    /// This router becomes Master: after the end comes the start.
    pub(crate) fn restart(&mut self) {
        if core::mem::take(&mut self.cycled) {
            self.set(0);
        }
    }
}

/// One address of a virtual router at run time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AddressState {
    /// It waits for its turn to be announced.
    pub(crate) queued: bool,
    /// Another program took it away, and it is to be put back.
    pub(crate) missing: bool,
    /// How often it has been put back within a while that ends then.
    pub(crate) restored: u8,
    pub(crate) restored_until: Option<Instant>,
}

impl Instance {
    pub(crate) fn new(now: Instant, router: &VirtualRouter, group: Option<GroupId>) -> Self {
        let mut instance = Self {
            state: State::Init,
            want: match router.initial {
                Initial::Master => State::Master,
                Initial::Backup => State::Backup,
            },
            group,
            base: router.priority.max(1),
            total: i32::from(router.priority),
            effective: router.priority.max(1),
            installed: false,
            master: None,
            master_interval: interval(router),
            down: Duration::ZERO,
            preempt_at: None,
            takeover: Takeover::Silence,
            late: false,
            since: now,
            cause: Cause::Start,
            heard: now,
            last: None,
            faults: 0,
            waiting: 0,
            reason: None,
            sequence: Sequence::default(),
            ip_id: 0,
            old_checksum: false,
            refresh_at: None,
            extra_at: None,
            addresses: vec![AddressState::default(); router.addresses.len()],
            counters: Counters::default(),
            limits: None,
        };
        instance.down = instance.master_down(router);
        instance
    }

    /// Whether it owns the addresses.
    pub(crate) fn owner(&self) -> bool {
        self.base == OWNER
    }

    /// `Skew_Time` for a priority: RFC 3768 6.1 takes it from one second, RFC 9568 6.1 from the Master's interval.
    pub(crate) fn skew(&self, router: &VirtualRouter, priority: u8) -> Duration {
        let unit = match router.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.master_interval,
        };
        unit * (256 - u32::from(priority)) / 256
    }

    /// `Master_Down_Interval` (RFC 9568 6.1), with as many adverts as `down_timer_adverts` says.
    pub(crate) fn master_down(&self, router: &VirtualRouter) -> Duration {
        self.master_interval * u32::from(router.down_timer_adverts.max(1)) + self.skew(router, self.effective)
    }

    /// How long another router of this priority would wait for us before it takes over.
    pub(crate) fn others_wait(&self, router: &VirtualRouter, priority: u8) -> Duration {
        interval(router) * u32::from(router.down_timer_adverts.max(1)) + self.skew(router, priority)
    }

    /// Whether the sender of an advert has advertised before without being heard, as far as one can tell: the first adverts
    /// of a process, and those that follow the last one heard at once, are of one that has become Master just now.
    pub(crate) fn advertised_unheard(&self, from: IpAddr, id: Option<u16>) -> bool {
        let Some(id) = id.filter(|id| *id != 0) else {
            // IPv6 has no such number. But one that has stopped in all order, and whose place this router took, comes back as
            // Backup, and has heard this one.
            return self.cause != Cause::Resigned { master: from };
        };
        let follows = self.last.is_some_and(|(last, number, _)| last == from && id.wrapping_sub(number) <= 2);
        id > 2 && !follows
    }

    pub(crate) fn limit_bad(&mut self, now: Instant, bad: &Bad) -> Option<u64> {
        self.limits.get_or_insert_default().bad.get_mut(bad.kind()).and_then(|limit| limit.allow(now))
    }

    pub(crate) fn limit_noise(&mut self, now: Instant, noise: Noise) -> Option<u64> {
        self.limits.get_or_insert_default().noise.get_mut(noise as usize).and_then(|limit| limit.allow(now))
    }
}

/// A router's own interval, never so short that it would not let anything else happen.
pub(crate) fn interval(router: &VirtualRouter) -> Duration {
    router.interval.max(Duration::from_millis(1))
}
