//! Slow start: a server that came back gets its weight in steps.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::cause::Cause;
use crate::director::Director;
use crate::event::What;
use crate::state::Ramp;
use core::time::Duration;
use ek_time::Instant;

/// The weight grows in so many equal steps. The first is there at once, the last when the time is over.
const STEPS: u32 = 20;

impl Director {
    /// A server is up. If it was up before, it came back.
    pub(crate) fn begin_ramp(&mut self, now: Instant, server: usize, cause: &Cause) {
        let time = self.ramp_time(server);
        if time.is_zero() || !self.reals[server].seen_up {
            return;
        }
        let real = &mut self.reals[server];
        real.ramp = Some(Ramp { since: now, step: 0 });
        let what = What::SlowStart {
            server: real.name.clone(),
            service: self.virtuals[real.service].name.clone(),
            time,
        };
        self.ramping.push(server);
        self.log(what, cause);
    }

    /// It is down.
    pub(crate) fn end_ramp(&mut self, server: usize) {
        if self.reals[server].ramp.take().is_some() {
            self.ramping.retain(|one| *one != server);
        }
    }

    /// How long a server's slow start lasts, now that it is configured so.
    fn ramp_time(&self, server: usize) -> Duration {
        let service = self.reals[server].service;
        if self.virtuals[service].scale == 1 {
            return Duration::ZERO;
        }
        self.server_config(server).map_or(Duration::ZERO, |one| one.slow_start)
    }

    /// What of a weight a server is to have now.
    pub(crate) fn ramped(&self, server: usize, whole: u32) -> u32 {
        let Some(ramp) = self.reals[server].ramp.filter(|_| whole > 0) else { return whole };
        let part = u64::from(whole) * u64::from((ramp.step + 1).min(STEPS)) / u64::from(STEPS);
        u32::try_from(part).unwrap_or(whole).max(1)
    }

    fn step_at(&self, ramp: Ramp, time: Duration, step: u32) -> Instant {
        let nanos = time.as_nanos() * u128::from(step) / u128::from(STEPS - 1);
        ramp.since + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// When the next step is due.
    pub(crate) fn next_step(&self) -> Option<Instant> {
        let due = |server: &usize| {
            let ramp = self.reals[*server].ramp?;
            Some(self.step_at(ramp, self.ramp_time(*server), ramp.step + 1))
        };
        self.ramping.iter().filter_map(due).min()
    }

    /// Makes the steps that are due.
    pub(crate) fn step_ramps(&mut self, now: Instant) {
        for server in self.ramping.clone() {
            let Some(mut ramp) = self.reals[server].ramp else { continue };
            let time = self.ramp_time(server);
            let before = ramp.step;
            while ramp.step < STEPS - 1 && self.step_at(ramp, time, ramp.step + 1) <= now {
                ramp.step += 1;
            }
            if ramp.step == before {
                continue;
            }
            self.reals[server].ramp = Some(ramp);
            if ramp.step == STEPS - 1 {
                self.end_ramp(server);
            }
            self.place_server(server, &Cause::SlowStart);
            if self.reals[server].ramp.is_none() {
                let real = &self.reals[server];
                let what = What::SlowStartDone {
                    server: real.name.clone(),
                    service: self.virtuals[real.service].name.clone(),
                };
                self.log(what, &Cause::SlowStart);
            }
        }
    }
}
