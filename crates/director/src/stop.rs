//! The end, and virtual servers that a reload drops.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::action::Action;
use crate::cause::Cause;
use crate::config::FlushOnStop;
use crate::director::Director;
use crate::event::What;
use ek_time::Instant;

impl Director {
    /// The process stops: everything this director has put into the table leaves it.
    pub fn handle_shutdown(&mut self, now: Instant) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        let cause = Cause::Shutdown;
        if self.config.settings.flush_on_stop == FlushOnStop::Everything {
            self.actions.push_back(Action::Flush(cause.clone()));
            self.mirror.clear();
            self.draining.clear();
            for service in 0..self.virtuals.len() {
                self.close_quorum(now, service, true, &cause);
            }
            return;
        }
        for service in 0..self.virtuals.len() {
            self.clear_service(now, service, true, &cause);
        }
    }

    /// Takes a virtual server out of the table, with all that belongs to it.
    pub(crate) fn clear_service(&mut self, now: Instant, service: usize, stopping: bool, cause: &Cause) {
        let holder = self.virtuals[service].holder;
        let keys = self.virtuals[service].keys.clone();
        if self.config.settings.flush_on_stop == FlushOnStop::No {
            self.end_drains_within(holder, cause);
            let placed: Vec<(usize, bool)> = self.virtuals[service]
                .servers
                .clone()
                .map(|server| (server, self.wish(server).is_some()))
                .collect();
            self.release_sorry(service, cause);
            for (server, placed) in placed {
                self.clear_server(now, server, placed, stopping, cause);
            }
            self.close_quorum(now, service, stopping, cause);
        } else {
            self.close_quorum(now, service, stopping, cause);
            // The services go at once with all that is in them, unless others have something in them, too.
            if !keys.iter().any(|key| self.mirror.is_shared(key)) {
                self.draining.retain(|one| one.within != holder);
            } else {
                self.end_drains_within(holder, cause);
                self.release_sorry(service, cause);
                for server in self.virtuals[service].servers.clone() {
                    self.release_server(server, cause);
                }
            }
        }
        self.release_services(holder, &keys, cause);
    }

    /// Takes a sorry server out of the table.
    pub(crate) fn release_sorry(&mut self, service: usize, cause: &Cause) {
        let Some(sorry) = self.virtuals[service].sorry.as_mut() else { return };
        sorry.alive = false;
        let holder = sorry.holder;
        let Some(shape) = self.config.virtual_servers[service].sorry_server.map(|one| one.shape()) else {
            return;
        };
        let keys = self.virtuals[service].keys.clone();
        for key in keys.iter() {
            let change = self.mirror.release(holder, key, &shape.destination(key, 0).key);
            self.change(change, cause);
        }
    }

    /// Takes a real server out of the table, whatever it is.
    pub(crate) fn release_server(&mut self, server: usize, cause: &Cause) {
        let Some(shape) = self.server_config(server).map(|one| one.shape()) else { return };
        let holder = self.reals[server].holder;
        let leftover = std::mem::take(&mut self.reals[server].leftover);
        let keys = self.virtuals[self.reals[server].service].keys.clone();
        for key in keys.iter() {
            let destination = shape.destination(key, 0).key;
            let mut change = self.mirror.release(holder, key, &destination);
            if leftover {
                change = change.or_else(|| self.mirror.remove_foreign(key, &destination));
            }
            self.change(change, cause);
        }
    }

    /// A real server leaves for good: line, table, notifications. `placed`: it was in the table.
    pub(crate) fn clear_server(
        &mut self,
        now: Instant,
        server: usize,
        placed: bool,
        stopping: bool,
        cause: &Cause,
    ) {
        let service = self.reals[server].service;
        if placed || stopping {
            let inhibit = self.server_config(server).is_some_and(|one| one.inhibit);
            let real = &self.reals[server];
            let what = What::ServerLeaves {
                server: real.name.clone(),
                service: self.virtuals[service].name.clone(),
                inhibited: inhibit && !real.alive,
                stopping,
            };
            self.log(what, cause);
        }
        self.release_server(server, cause);
        if placed {
            self.close_server(now, server, stopping, cause);
        }
    }

    /// Tells that a real server is no longer served.
    pub(crate) fn close_server(&mut self, now: Instant, server: usize, stopping: bool, cause: &Cause) {
        let real = &mut self.reals[server];
        if !std::mem::take(&mut real.alive) {
            return;
        }
        real.since = now;
        real.cause = cause.clone();
        let service = real.service;
        self.end_ramp(server);
        if stopping && !self.config.virtual_servers[service].omega {
            return;
        }
        self.notify_server(server, stopping, cause);
        let body = if stopping { "=> Shutting down <=" } else { "=> Removing <=" };
        self.mail_server(server, body.to_owned());
    }

    /// Tells that a virtual server has no quorum any more, when so.
    fn close_quorum(&mut self, now: Instant, service: usize, stopping: bool, cause: &Cause) {
        let weight = self.live_weight(service);
        let config = &self.config.virtual_servers[service];
        let threshold = i64::from(config.quorum) - i64::from(config.hysteresis);
        let few = weight == 0 || i64::try_from(weight).unwrap_or(i64::MAX) < threshold;
        let omega = config.omega;
        let state = &mut self.virtuals[service];
        if !(stopping || (state.quorum_up && few)) {
            return;
        }
        state.quorum_up = false;
        state.since = now;
        state.cause = cause.clone();
        if !stopping {
            self.notify_quorum(service, false, threshold, weight, cause);
        } else if omega {
            self.tell_quorum(service, true, "=> Shutting down <=".to_owned(), cause);
        }
    }
}
