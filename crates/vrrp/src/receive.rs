//! Received adverts: what a Backup and a Master make of them (RFC 9568 6.4.2 and 6.4.3).

use crate::action::{Action, Notification};
use crate::cause::Cause;
use crate::check::{Parsed, check, split};
use crate::config::{Authentication, Initial};
use crate::event::{Event, Truncated, What};
use crate::ids::RouterId;
use crate::input::{Datagram, Received};
use crate::instance::{Noise, Takeover, interval};
use crate::router::{Router, Timer};
use crate::state::State;
use crate::transmit::{group_of, source_of};
use core::cmp::Ordering;
use core::net::IpAddr;
use core::time::Duration;
use ek_time::Instant;
use wire::ipv4;
use wire::vrrp::{OWNER, Packet, RESIGN, Version};

/// What counts of a good advert.
#[derive(Clone, Copy, Debug)]
struct Heard {
    from: IpAddr,
    priority: u8,
    /// Version 3: the sender's interval.
    interval: Option<Duration>,
    /// The sequence number of its authentication header.
    sequence: Option<u32>,
    /// IPv4: the identification of its datagram.
    id: Option<u16>,
}

/// An advert that comes so soon after one of ours is an answer to it.
const ANSWER: Duration = Duration::from_millis(2);

impl Router {
    /// A packet came in.
    pub fn handle_packet(&mut self, now: Instant, received: &Received<'_>) {
        if self.stopped() {
            return;
        }
        let parsed = match parse(&received.datagram) {
            Ok(parsed) => parsed,
            Err((what, len)) => {
                self.strays.truncated += 1;
                if let Some(suppressed) = self.truncated_limit.allow(now) {
                    self.log(Event::Truncated { what, len, suppressed });
                }
                return;
            }
        };
        let vrid = parsed.packet.vrid();
        let Some(id) = self.lookup.find(&self.config, received.link, vrid, parsed.destination) else {
            self.unknown_vrid(now, received, vrid);
            return;
        };
        let group = match self.config.routers.get(id.index()) {
            Some(router) => group_of(&self.config, router),
            None => return,
        };
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let state = instance.state;
        if !matches!(state, State::Backup | State::Master) {
            self.strays.idle += 1;
            return;
        }
        // The address list of a Master that was heard before need not be looked at again.
        let known = state == State::Backup && instance.master.is_some_and(|(from, _)| from == parsed.source);
        let effects = match check(router, instance, group, &parsed, !(router.skip_check_adv_addr && known)) {
            Ok(effects) => effects,
            Err(bad) => {
                bad.count(&mut instance.counters);
                if let Some(suppressed) = instance.limit_bad(now, &bad) {
                    let router = self.name(id);
                    self.log(Event::Router { router, what: What::Bad(bad), suppressed });
                }
                return;
            }
        };
        let heard = Heard {
            from: parsed.source,
            priority: parsed.packet.priority(),
            interval: (router.version == Version::V3)
                .then(|| Duration::from_millis(u64::from(parsed.packet.centiseconds()) * 10))
                .filter(|interval| !interval.is_zero()),
            sequence: parsed.ah.map(|ah| ah.sequence()),
            id: parsed.header.map(|header| header.id()),
        };
        if effects.old_checksum {
            instance.old_checksum = true;
            self.say(id, What::OldChecksum);
        }
        match state {
            State::Backup => self.backup_hears(now, id, heard),
            _ => self.master_hears(now, id, heard),
        }
        if let Some(instance) = self.instances.get_mut(id.index()) {
            instance.last = Some((heard.from, heard.id.unwrap_or(0), now));
        }
    }

    fn unknown_vrid(&mut self, now: Instant, received: &Received<'_>, vrid: u8) {
        self.strays.unknown_vrid += 1;
        if !self.config.settings.log_unknown_vrids {
            return;
        }
        let Some(suppressed) = self.unknown_limit.allow(now) else { return };
        let link = received.link.and_then(|link| self.config.links.get(link.index()));
        let link = link.map_or_else(|| "none".into(), |link| link.name.clone());
        self.log(Event::UnknownVrid { vrid, link, suppressed });
    }

    /// RFC 9568 6.4.2.
    fn backup_hears(&mut self, now: Instant, id: RouterId, heard: Heard) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        if heard.priority == RESIGN {
            // Skew time only: the sooner, the higher our priority.
            instance.down = instance.skew(router, instance.effective);
            instance.takeover = Takeover::Resigned(heard.from);
            self.say_limited(now, id, Noise::HeardZero, What::BackupHeardZero);
            self.arm_down(now, id);
            return;
        }
        let delay = router.preemption.delay;
        let delayed = !delay.is_zero() && instance.preempt_at.is_none_or(|at| at > now);
        let yields = heard.priority >= instance.effective;
        if yields || !router.preemption.allowed || delayed {
            let mut updated = None;
            if let Some(theirs) = heard.interval.filter(|theirs| *theirs != instance.master_interval) {
                updated = Some((instance.master_interval, theirs));
                instance.master_interval = theirs;
            }
            instance.down = instance.master_down(router);
            instance.master = Some((heard.from, heard.priority));
            instance.heard = now;
            instance.takeover = Takeover::Silence;
            instance.late = false;
            let mut preempt = None;
            if !delay.is_zero() {
                if yields {
                    if instance.preempt_at.take().is_some() {
                        preempt = Some(What::PreemptDelayStopped);
                    }
                } else if instance.preempt_at.is_none() {
                    instance.preempt_at = Some(now + delay);
                    preempt = Some(What::PreemptDelayStarted(delay));
                }
            }
            // A sync group may have held it back from being Master.
            instance.want = State::Backup;
            if let Some((from, to)) = updated {
                self.say(id, What::IntervalUpdated { from, to, new_master: false });
            }
            if let Some(what) = preempt {
                self.say(id, what);
            }
            self.arm_down(now, id);
            return;
        }
        // (445): a lower priority is discarded, the timer runs on, and this router takes over.
        instance.takeover = Takeover::Preempting(heard.from, heard.priority);
        instance.master = Some((heard.from, heard.priority));
        let what = What::LowerDiscarded { priority: heard.priority, from: heard.from };
        self.say_limited(now, id, Noise::LowerDiscarded, what);
    }

    /// RFC 9568 6.4.3.
    fn master_hears(&mut self, now: Instant, id: RouterId, heard: Heard) {
        let deadline = self.timer(id, Timer::Main).unwrap_or(now);
        let Some((router, instance)) = self.pair(id) else { return };
        if router.owner_ignore_adverts && instance.owner() {
            return;
        }
        let ours = source_of(&self.config, router);
        let by_address = ours.map_or(Ordering::Equal, |ours| heard.from.cmp(&ours));
        let effective = instance.effective;
        let order = heard.priority.cmp(&effective).then(by_address);
        if heard.priority == RESIGN {
            self.send_now(now, id);
            self.say_limited(now, id, Noise::HeardZero, What::MasterHeardZero);
            // There was another Master, and hosts may have been told its hardware address.
            self.announce_lower(now, id, true);
            return;
        }
        // How long this host stood still: timers run only after packets.
        let late = now.since(deadline);
        let waits = instance.others_wait(router, OWNER - 1);
        let paused = late + interval(router) >= waits;
        if heard.priority == effective {
            if by_address == Ordering::Equal {
                if let Some(instance) = self.instances.get_mut(id.index()) {
                    instance.counters.echoes += 1;
                }
                self.say_limited(now, id, Noise::OwnAddress, What::OwnAddressHeard);
                return;
            }
            if effective == OWNER
                && let Some(instance) = self.instances.get_mut(id.index())
            {
                // Two owners are a mistake; the one that notices gives in.
                instance.base = OWNER - 1;
                instance.effective = OWNER - 1;
                instance.total = i32::from(OWNER - 1);
                self.say(id, What::SecondOwner);
                self.yield_to(now, id, heard, Cause::HigherPriority { from: heard.from, priority: OWNER });
                return;
            }
        }
        if order == Ordering::Less {
            let preempts = self.pair(id).is_some_and(|(router, _)| router.preemption.allowed);
            if paused && !preempts {
                self.yield_to(now, id, heard, Cause::Paused { pause: late, from: Some(heard.from) });
            } else {
                self.lower_heard(now, id, heard, paused);
            }
            return;
        }
        // A better Master that has advertised before, and does not answer an advert of ours, does not know of us, nor that
        // hosts have been told our address; unless it hears us once.
        let Some((router, instance)) = self.pair(id) else { return };
        let own = interval(router);
        let answer = now.since(deadline - own) < ANSWER.min(own / 8);
        let split = !answer && !paused && instance.advertised_unheard(heard.from, heard.id);
        if split || router.higher_prio_send_advert {
            self.send_now(now, id);
        }
        let (what, cause) = if heard.priority > effective {
            (
                What::HigherHeard { from: heard.from, priority: heard.priority, ours: effective },
                Cause::HigherPriority { from: heard.from, priority: heard.priority },
            )
        } else {
            (
                What::SameHeard { from: heard.from, priority: heard.priority },
                Cause::HigherAddress { from: heard.from, priority: heard.priority },
            )
        };
        self.say_limited(now, id, Noise::HigherHeard, what);
        let cause = if paused { Cause::Paused { pause: late, from: Some(heard.from) } } else { cause };
        self.yield_to(now, id, heard, cause);
    }

    /// Another router is Master though this one is better: it is told so, and hosts where the addresses are.
    fn lower_heard(&mut self, now: Instant, id: RouterId, heard: Heard, paused: bool) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let forcing = !router.lower_prio_no_advert || paused;
        let (ours, interval) = (instance.effective, interval(router));
        let becoming = instance.since;
        let settled = now.since(becoming) > interval * 2;
        // It has been heard within the last master-down interval: still the same split.
        let same = instance.heard > becoming && now.since(instance.heard) < instance.master_down(router);
        let at_most = now.since(becoming.max(instance.heard));
        instance.heard = now;
        instance.master = Some((heard.from, heard.priority));
        let split = settled && !same && !paused;
        if split {
            instance.counters.split_brains += 1;
        }
        if let Some(sequence) = heard.sequence {
            instance.sequence.set(sequence.saturating_add(1));
            instance.sequence.cycled = false;
        }
        self.say_limited(
            now,
            id,
            Noise::LowerHeard,
            What::LowerHeard { from: heard.from, priority: heard.priority, ours, forcing },
        );
        if split {
            let what = What::SplitBrain { other: heard.from, priority: heard.priority, at_most };
            self.say_limited(now, id, Noise::SplitBrain, what);
        }
        if heard.sequence.is_some() {
            self.say_limited(now, id, Noise::SequenceSynced, What::SequenceSynced);
        }
        if forcing {
            self.send_now(now, id);
        }
        self.announce_lower(now, id, split || paused);
        self.actions
            .push_back(Action::Notify(Notification::ReceivedLowerPriority { router: id, priority: ours }));
    }

    /// An advert out of turn; the next one comes an interval later.
    fn send_now(&mut self, now: Instant, id: RouterId) {
        let Some((router, instance)) = self.pair(id) else { return };
        let next = now + interval(router);
        self.send(id, instance.effective);
        self.set_timer(id, Timer::Main, next);
    }

    /// (850): a better Master was heard.
    fn yield_to(&mut self, now: Instant, id: RouterId, heard: Heard, cause: Cause) {
        let Some((router, instance)) = self.pair_mut(id) else { return };
        let mut updated = None;
        if let Some(theirs) = heard.interval.filter(|theirs| *theirs != instance.master_interval) {
            updated = Some((instance.master_interval, theirs));
            instance.master_interval = theirs;
        }
        instance.master = Some((heard.from, heard.priority));
        if matches!(router.authentication, Authentication::Ah(_)) {
            instance.sequence.cycled = false;
        }
        if let Some((from, to)) = updated {
            self.say(id, What::IntervalUpdated { from, to, new_master: true });
        }
        self.leave_master(now, id, State::Backup, false, cause);
        self.after_leaving(now, id);
    }
}

/// Takes a packet's headers apart, or says which were not all there.
fn parse<'a>(datagram: &Datagram<'a>) -> Result<Parsed<'a>, (Truncated, usize)> {
    match *datagram {
        Datagram::V4(bytes) => {
            let header = ipv4::Datagram::parse(bytes).map_err(|_| (Truncated::V4, bytes.len()))?;
            let (ah, packet) = split(&header).map_err(|what| (what, bytes.len()))?;
            Ok(Parsed {
                source: IpAddr::V4(header.source()),
                destination: IpAddr::V4(header.destination()),
                ttl: Some(header.ttl()),
                header: Some(header),
                ah,
                packet,
            })
        }
        Datagram::V6 { source, destination, hop_limit, payload } => {
            let packet = Packet::parse(payload).map_err(|_| (Truncated::V6, payload.len()))?;
            Ok(Parsed {
                source: IpAddr::V6(source),
                destination: IpAddr::V6(destination),
                ttl: hop_limit,
                header: None,
                ah: None,
                packet,
            })
        }
    }
}

/// Whether a router starts as address owner.
pub(crate) fn starts_as_owner(router: &crate::config::VirtualRouter) -> bool {
    router.initial == Initial::Master && router.priority == OWNER
}
