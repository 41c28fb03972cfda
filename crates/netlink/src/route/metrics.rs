//! The parameters that a route gives to connections.

use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;

const RTAX_LOCK: u16 = 1;
const RTAX_CC_ALGO: u16 = 16;
/// Attributes without a number of their own end here; a lock is a bit of 32.
const KINDS: u16 = 32;

/// A numeric parameter, in the kernel's units. The discriminant is the kernel's number (`RTAX_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Metric {
    /// Path MTU in bytes.
    Mtu = 2,
    /// The largest window advertised to the peer, in bytes.
    Window = 3,
    /// Initial round-trip time in eighths of a millisecond.
    Rtt = 4,
    /// Its variance in quarters of a millisecond.
    RttVar = 5,
    /// Initial slow-start threshold, in segments.
    SlowStartThreshold = 6,
    /// Clamp of the congestion window, in segments.
    CongestionWindow = 7,
    /// The segment size advertised to peers, in bytes.
    AdvertisedMss = 8,
    /// How far packets may be out of order, in packets.
    Reordering = 9,
    /// TTL or hop limit.
    HopLimit = 10,
    /// Initial congestion window, in segments.
    InitialWindow = 11,
    /// A bit mask; 1 is ECN.
    Features = 12,
    /// Smallest retransmission timeout in milliseconds.
    MinimumTimeout = 13,
    /// Initial window advertised to peers, in segments.
    InitialReceiveWindow = 14,
    /// Acknowledge at once.
    QuickAck = 15,
    /// TCP Fast Open without a cookie.
    FastOpenNoCookie = 17,
}

/// Parameters of a route; empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// By kernel number; sorted as they were given or told.
    values: Vec<(u16, u32)>,
    locked: u32,
    congestion: Option<String>,
}

impl Metrics {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.locked == 0 && self.congestion.is_none()
    }

    /// Sets one.
    pub fn set(&mut self, metric: Metric, value: u32) -> &mut Self {
        self.values.retain(|(kind, _)| *kind != metric as u16);
        self.values.push((metric as u16, value));
        self.values.sort_unstable();
        self
    }

    /// Sets one that the kernel is not to change by what it learns.
    pub fn lock(&mut self, metric: Metric, value: u32) -> &mut Self {
        self.locked |= 1 << (metric as u16);
        self.set(metric, value)
    }

    /// Sets the congestion control algorithm (`congctl`); locked, connections cannot choose another.
    pub fn set_congestion(&mut self, algorithm: &str, locked: bool) -> &mut Self {
        self.congestion = Some(algorithm.to_owned());
        if locked {
            self.locked |= 1 << RTAX_CC_ALGO;
        }
        self
    }

    /// The value of one.
    pub fn get(&self, metric: Metric) -> Option<u32> {
        self.values.iter().find(|(kind, _)| *kind == metric as u16).map(|(_, value)| *value)
    }

    /// Whether it is locked.
    pub fn is_locked(&self, metric: Metric) -> bool {
        self.locked & 1 << (metric as u16) != 0
    }

    /// The congestion control algorithm.
    pub fn congestion(&self) -> Option<&str> {
        self.congestion.as_deref()
    }

    pub(super) fn encode(&self, inside: &mut Writer) {
        if self.locked != 0 {
            inside.u32(RTAX_LOCK, self.locked);
        }
        for (kind, value) in &self.values {
            inside.u32(*kind, *value);
        }
        if let Some(algorithm) = &self.congestion {
            inside.text(RTAX_CC_ALGO, algorithm);
        }
    }

    pub(super) fn decode(attributes: Attributes<'_>) -> Result<Self, Malformed> {
        let mut metrics = Self::default();
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                RTAX_LOCK => metrics.locked = attribute.u32()?,
                RTAX_CC_ALGO => metrics.congestion = Some(attribute.text()),
                0 | KINDS.. => {}
                kind => metrics.values.push((kind, attribute.u32()?)),
            }
        }
        metrics.values.sort_unstable();
        Ok(metrics)
    }
}
