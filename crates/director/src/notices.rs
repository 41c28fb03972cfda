//! What scripts, FIFOs and people are told: each time something is not as they were told last.

#![expect(clippy::indexing_slicing, reason = "positions are those of the lists built together in `build`")]

use crate::action::{Action, Hook};
use crate::cause::Cause;
use crate::director::Director;
use crate::ids::{RealServerId, VirtualServerId};
use crate::input::Verdict;

/// keepalived cuts the body of its mails about quorums here.
const MAX_BODY: usize = 79;

impl Director {
    /// Tells of a real server's state.
    pub(crate) fn notify_server(&mut self, server: usize, stopping: bool, cause: &Cause) {
        let real = &mut self.reals[server];
        let alive = real.alive;
        if real.told.replace(alive) == Some(alive) {
            return;
        }
        let state = if alive { "UP" } else { "DOWN" };
        let line = format!("RS {} {} {state}\n", real.name, self.virtuals[real.service].name);
        let id = RealServerId::at(server);
        let hook = if alive { Hook::Up(id) } else { Hook::Down(id) };
        self.actions.push_back(Action::Script { hook, stopping, cause: cause.clone() });
        self.actions.push_back(Action::Fifo(line));
    }

    /// Tells of a quorum.
    pub(crate) fn notify_quorum(
        &mut self,
        service: usize,
        initially: bool,
        threshold: i64,
        weight: u64,
        cause: &Cause,
    ) {
        let up = self.virtuals[service].quorum_up;
        let config = &self.config.virtual_servers[service];
        let what = match (up, initially) {
            (true, true) => "Starting with quorum up",
            (true, false) => "Gained quorum",
            (false, true) => "Starting with quorum down",
            (false, false) => "Lost quorum",
        };
        let mut body =
            format!("=> {what} {}+{}={threshold} <= {weight} <=", config.quorum, config.hysteresis);
        body.truncate(MAX_BODY);
        self.tell_quorum(service, false, body, cause);
    }

    /// Tells of a quorum, with the body of the mail.
    pub(crate) fn tell_quorum(&mut self, service: usize, stopping: bool, body: String, cause: &Cause) {
        let state = &mut self.virtuals[service];
        let up = state.quorum_up;
        if state.told.replace(up) == Some(up) {
            return;
        }
        let word = if up { "UP" } else { "DOWN" };
        let name = state.name.clone();
        let id = VirtualServerId::at(service);
        let hook = if up { Hook::QuorumUp(id) } else { Hook::QuorumDown(id) };
        self.actions.push_back(Action::Script { hook, stopping, cause: cause.clone() });
        self.actions.push_back(Action::Fifo(format!("VS {name} {word}\n")));
        if self.config.virtual_servers[service].smtp_alert {
            self.actions.push_back(Action::Mail { subject: format!("Virtualserver {name} - {word}"), body });
        }
    }

    /// Mails what a checker found, when it is not what it found before.
    pub(crate) fn mail_check(&mut self, server: usize, was_alive: bool, verdict: &Verdict) {
        let alive = self.reals[server].alive;
        let unwanted = was_alive == alive && self.config.settings.no_checker_mail;
        if unwanted || verdict.mail.is_empty() {
            return;
        }
        self.mail_server(server, verdict.mail.to_string());
    }

    /// Mails a real server's state.
    pub(crate) fn mail_server(&mut self, server: usize, body: String) {
        if !self.server_config(server).is_some_and(|one| one.smtp_alert) {
            return;
        }
        let real = &self.reals[server];
        let state = if real.alive { "UP" } else { "DOWN" };
        let service = &self.virtuals[real.service].name;
        let subject = format!("Realserver {} of virtual server {service} - {state}", real.name);
        self.actions.push_back(Action::Mail { subject, body });
    }
}
