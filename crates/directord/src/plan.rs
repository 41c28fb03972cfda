//! What a configuration comes to: the core's part and the checkers' plans.

use director::RealServerId;
pub use director::{CheckerId, VirtualServerId};
use keepalived_conf::model;
use std::rc::Rc;

/// All that is needed to run a checker.
#[derive(Clone, Debug)]
pub struct CheckerPlan {
    /// Its number.
    pub id: CheckerId,
    /// What it does, inheritance applied.
    pub checker: Rc<model::Checker>,
    /// The real server, as log lines show it: `[10.0.0.1]:tcp:80`.
    pub real: Rc<str>,
    /// The virtual server, as log lines show it.
    pub service: Rc<str>,
    /// Every failed attempt is logged: the checker's own wish or `checker_log_all_failures`.
    pub log_all_failures: bool,
    /// It counts as up until it has run (false with `alpha`).
    pub up: bool,
}

/// A configuration and what follows from it. Lists of the model keep their order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// As read, but for the checkers, which stand below.
    pub model: model::Config,
    /// Where each real server stands in the model, by [`RealServerId`].
    pub real_servers: Vec<RealServerPlace>,
    /// The checkers, by [`CheckerId`], as they begin.
    pub checkers: Vec<CheckerPlan>,
}

/// Where a real server stands.
#[derive(Clone, Debug)]
pub struct RealServerPlace {
    /// Its virtual server.
    pub virtual_server: VirtualServerId,
    /// Its place among the real servers of that.
    pub position: usize,
    /// Its first checker; the others follow.
    pub first_checker: CheckerId,
}

impl Plan {
    /// A virtual server.
    pub fn virtual_server(&self, id: VirtualServerId) -> Option<&model::VirtualServer> {
        self.model.virtual_servers.get(id.index())
    }

    /// A real server and the virtual server it belongs to.
    pub fn real_server(&self, id: RealServerId) -> Option<(&model::VirtualServer, &model::RealServer)> {
        let place = self.real_servers.get(id.index())?;
        let service = self.virtual_server(place.virtual_server)?;
        Some((service, service.real_servers.get(place.position)?))
    }

    /// Whether the presence of addresses matters.
    pub fn uses_presence(&self) -> bool {
        self.model.virtual_servers.iter().any(|server| server.ha_suspend)
    }
}
