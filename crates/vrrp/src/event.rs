//! What stands in the log: each event is one line, keepalived's own where it has one (without syslog's prefix).

use crate::cause::Cause;
use crate::state::State;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use crate::bad::Bad;

/// A name, shared by all that mention it.
pub type Name = Arc<str>;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `(VI_1) Entering MASTER STATE`.
    Entering {
        /// The virtual router.
        router: Name,
        /// The state.
        state: State,
        /// At the start: `(init)`.
        init: bool,
    },
    /// Ours: the change and its cause.
    Changed {
        /// The virtual router.
        router: Name,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// Something about one virtual router.
    Router {
        /// The virtual router.
        router: Name,
        /// What.
        what: What,
        /// How many lines of this kind, which others can cause, were left out since the last one.
        suppressed: u64,
    },
    /// `VRRP_Group(VG_1) Syncing instances to MASTER state`.
    GroupSyncing {
        /// The sync group.
        group: Name,
        /// The state.
        state: State,
    },
    /// At the start: `VRRP_Group(VG_1): Syncing VI_1 to FAULT state`.
    GroupFault {
        /// The sync group.
        group: Name,
        /// The member.
        member: Name,
    },
    /// Ours: the group's change and its cause.
    GroupChanged {
        /// The sync group.
        group: Name,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// `Delaying startup for 5 seconds`.
    StartupDelay(Duration),
    /// `Unknown VRID(7) received on interface(eth0). ignoring...`.
    UnknownVrid {
        /// The VRID.
        vrid: u8,
        /// The interface.
        link: Name,
        /// How many such lines were left out since the last one.
        suppressed: u64,
    },
    /// A packet without complete headers: nothing says whose it is.
    Truncated {
        /// What was missing.
        what: Truncated,
        /// Bytes there were.
        len: usize,
        /// How many such lines were left out since the last one.
        suppressed: u64,
    },
}

/// Which headers a packet had no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// IPv4 and VRRP.
    V4,
    /// IPv4, authentication header and VRRP.
    V4Ah,
    /// VRRP over IPv6.
    V6,
}

/// What an [`Event::Router`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A packet was found bad.
    Bad(Bad),
    /// At the start: `entering FAULT state (interface eth0 down)`.
    FaultLink(Name),
    /// At the start: `entering FAULT state (no IPv4 address for interface)`.
    FaultNoSource(u8),
    /// At the start: `entering FAULT state due to script x`.
    FaultScript(Name),
    /// At the start: `entering FAULT state (tracked file x has status n)`.
    FaultFile(Name, i64),
    /// At the start: `entering FAULT state (tracked process x quorum not achieved)`.
    FaultProcess(Name),
    /// At the start: a tracked BFD session is down.
    FaultBfd(Name),
    /// At the start: an address, route or rule that is tracked is not there.
    FaultMissing(Name),
    /// At the start: no unicast peers.
    FaultNoPeers,
    /// At the start: `entering FAULT state`.
    FaultEntered,
    /// `Receive advertisement timeout`.
    MasterDown,
    /// `sent 0 priority`.
    SentZero,
    /// `Backup received priority 0 advertisement`.
    BackupHeardZero,
    /// `Master received priority 0 message`.
    MasterHeardZero,
    /// `advertisement interval updated from 1000ms to 500ms by master`.
    IntervalUpdated {
        /// Before.
        from: Duration,
        /// Now.
        to: Duration,
        /// By a new Master that we give way to.
        new_master: bool,
    },
    /// `changing advert interval from 500ms to locally configured 1000ms`.
    IntervalOwn {
        /// Before.
        from: Duration,
        /// Now.
        to: Duration,
    },
    /// `start preempt delay (5.000000)`.
    PreemptDelayStarted(Duration),
    /// `stop preempt delay`.
    PreemptDelayStopped,
    /// As Backup: `received lower priority (90) advert from 10.0.0.2 - discarding`.
    LowerDiscarded {
        /// Its priority.
        priority: u8,
        /// Its sender.
        from: IpAddr,
    },
    /// As Master: `Received advert from 10.0.0.2 with lower priority 90, ours 100, forcing new election`.
    LowerHeard {
        /// Its sender.
        from: IpAddr,
        /// Its priority.
        priority: u8,
        /// Ours.
        ours: u8,
        /// Whether it is answered.
        forcing: bool,
    },
    /// `Master received advert from 10.0.0.2 with higher priority 110, ours 100`.
    HigherHeard {
        /// Its sender.
        from: IpAddr,
        /// Its priority.
        priority: u8,
        /// Ours.
        ours: u8,
    },
    /// `Master received advert from 10.0.0.2 with same priority 100 but higher IP address than ours`.
    SameHeard {
        /// Its sender.
        from: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// `WARNING - equal priority advert received from remote host with our IP address.`
    OwnAddressHeard,
    /// `CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, …`
    SecondOwner,
    /// `IPSEC-AH : Syncing seq_num - Increment seq`.
    SequenceSynced,
    /// `Setting unicast VRRPv3 checksum to old version`.
    OldChecksum,
    /// `Changing effective priority from 100 to 102`.
    Priority {
        /// Before.
        from: u8,
        /// Now.
        to: u8,
    },
    /// `setting VIPs.`, `removing VIPs.`
    Addresses {
        /// Put in place; else taken away.
        setting: bool,
        /// The excluded ones.
        excluded: bool,
    },
    /// `Sending/queueing gratuitous ARPs on eth0 for 10.0.0.100`.
    Announcing {
        /// The interface.
        link: Name,
        /// The address.
        address: IpAddr,
    },
    /// Ours: another router was Master at the same time.
    SplitBrain {
        /// The other.
        other: IpAddr,
        /// Its priority.
        priority: u8,
        /// For no longer than this: since this router became Master, or since it last heard that another was.
        at_most: Duration,
    },
    /// Ours: an address was taken away by another program, and is put back.
    Restored {
        /// The address.
        address: IpAddr,
        /// Its interface.
        link: Name,
    },
    /// Ours: this host did not run when the timer ran out, so that silence says nothing about the Master.
    Late {
        /// How late it is.
        late: Duration,
    },
}

impl Event {
    /// Whether keepalived logs it only when asked for details (`-D`).
    pub fn detail(&self) -> bool {
        let Self::Router { what, .. } = self else { return false };
        matches!(
            what,
            What::MasterDown
                | What::SentZero
                | What::BackupHeardZero
                | What::MasterHeardZero
                | What::IntervalUpdated { .. }
                | What::IntervalOwn { .. }
                | What::PreemptDelayStarted(_)
                | What::PreemptDelayStopped
                | What::Addresses { .. }
                | What::Announcing { .. }
        )
    }

    /// Whether keepalived has such a line; others are ours.
    pub fn of_keepalived(&self) -> bool {
        !matches!(
            self,
            Self::Changed { .. }
                | Self::GroupChanged { .. }
                | Self::Router {
                    what: What::SplitBrain { .. } | What::Restored { .. } | What::Late { .. },
                    ..
                }
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entering { router, state, init } => {
                write!(f, "({router}) Entering {state} STATE{}", if *init { " (init)" } else { "" })
            }
            Self::Changed { router, from, to, cause } => write!(f, "({router}) {from} to {to}: {cause}"),
            Self::Router { router, what, suppressed } => {
                write!(f, "({router}){}{what}", what.colon())?;
                left_out(f, *suppressed)
            }
            Self::GroupSyncing { group, state } => {
                write!(f, "VRRP_Group({group}) Syncing instances to {state} state")
            }
            Self::GroupFault { group, member } => {
                write!(f, "VRRP_Group({group}): Syncing {member} to FAULT state")
            }
            Self::GroupChanged { group, from, to, cause } => {
                write!(f, "VRRP_Group({group}) {from} to {to}: {cause}")
            }
            Self::StartupDelay(delay) => write!(f, "Delaying startup for {} seconds", delay.as_secs_f64()),
            Self::UnknownVrid { vrid, link, suppressed } => {
                write!(f, "Unknown VRID({vrid}) received on interface({link}). ignoring...")?;
                left_out(f, *suppressed)
            }
            Self::Truncated { what, len, suppressed } => {
                let what = match what {
                    Truncated::V4 => "IPv4 VRRP packet too short",
                    Truncated::V4Ah => "IPv4 VRRP packet with AH too short",
                    Truncated::V6 => "IPv6 VRRP packet too short",
                };
                write!(f, "{what} - {len} bytes")?;
                left_out(f, *suppressed)
            }
        }
    }
}

fn left_out(f: &mut fmt::Formatter<'_>, suppressed: u64) -> fmt::Result {
    if suppressed > 0 { write!(f, " ({suppressed} more not logged)") } else { Ok(()) }
}

impl What {
    /// keepalived puts a colon after the name in some lines and not in others.
    fn colon(&self) -> &'static str {
        match self {
            Self::FaultLink(_) | Self::FaultScript(_) | Self::FaultFile(..) => ": ",
            _ => " ",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(bad) => bad.fmt(f),
            Self::FaultLink(name) => write!(f, "entering FAULT state (interface {name} down)"),
            Self::FaultNoSource(version) => {
                write!(f, "entering FAULT state (no IPv{version} address for interface)")
            }
            Self::FaultScript(name) => write!(f, "entering FAULT state due to script {name}"),
            Self::FaultFile(name, value) => {
                write!(f, "entering FAULT state (tracked file {name} has status {value})")
            }
            Self::FaultProcess(name) => {
                write!(f, "entering FAULT state (tracked process {name} quorum not achieved)")
            }
            Self::FaultBfd(name) => write!(f, "entering FAULT state (tracked BFD {name} down)"),
            Self::FaultMissing(name) => write!(f, "entering FAULT state ({name} missing)"),
            Self::FaultNoPeers => {
                f.write_str("Cannot use unicast without any peers - going to fault state")
            }
            Self::FaultEntered => f.write_str("entering FAULT state"),
            Self::MasterDown => f.write_str("Receive advertisement timeout"),
            Self::SentZero => f.write_str("sent 0 priority"),
            Self::BackupHeardZero => f.write_str("Backup received priority 0 advertisement"),
            Self::MasterHeardZero => f.write_str("Master received priority 0 message"),
            Self::IntervalUpdated { from, to, new_master } => write!(
                f,
                "advertisement interval updated from {}ms to {}ms by {}master",
                from.as_millis(),
                to.as_millis(),
                if *new_master { "new " } else { "" }
            ),
            Self::IntervalOwn { from, to } => write!(
                f,
                "changing advert interval from {}ms to locally configured {}ms",
                from.as_millis(),
                to.as_millis()
            ),
            Self::PreemptDelayStarted(delay) => {
                write!(f, "start preempt delay ({}.{:06})", delay.as_secs(), delay.subsec_micros())
            }
            Self::PreemptDelayStopped => f.write_str("stop preempt delay"),
            Self::LowerDiscarded { priority, from } => {
                write!(f, "received lower priority ({priority}) advert from {from} - discarding")
            }
            Self::LowerHeard { from, priority, ours, forcing } => write!(
                f,
                "Received advert from {from} with lower priority {priority}, ours {ours}{}",
                if *forcing { ", forcing new election" } else { "" }
            ),
            Self::HigherHeard { from, priority, ours } => {
                write!(f, "Master received advert from {from} with higher priority {priority}, ours {ours}")
            }
            Self::SameHeard { from, priority } => write!(
                f,
                "Master received advert from {from} with same priority {priority} but higher IP address than ours"
            ),
            Self::OwnAddressHeard => f.write_str(
                "WARNING - equal priority advert received from remote host with our IP address.",
            ),
            Self::SecondOwner => f.write_str(
                "CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, \
                 please fix - reducing local priority",
            ),
            Self::SequenceSynced => f.write_str("IPSEC-AH : Syncing seq_num - Increment seq"),
            Self::OldChecksum => f.write_str("Setting unicast VRRPv3 checksum to old version"),
            Self::Priority { from, to } => write!(f, "Changing effective priority from {from} to {to}"),
            Self::Addresses { setting, excluded } => write!(
                f,
                "{} {}.",
                if *setting { "setting" } else { "removing" },
                if *excluded { "E-VIPs" } else { "VIPs" }
            ),
            Self::Announcing { link, address } => write!(
                f,
                "Sending/queueing {} on {link} for {address}",
                if address.is_ipv4() { "gratuitous ARPs" } else { "Unsolicited Neighbour Adverts" }
            ),
            Self::SplitBrain { other, priority, at_most } => write!(
                f,
                "split brain: {other} (priority {priority}) was Master too, for at most {:.3} s",
                at_most.as_secs_f64()
            ),
            Self::Restored { address, link } => {
                write!(f, "{address} was removed from {link} by another program, restoring it")
            }
            Self::Late { late } => write!(
                f,
                "timer {:.3} s late: this host did not run, listening for another master-down interval",
                late.as_secs_f64()
            ),
        }
    }
}
