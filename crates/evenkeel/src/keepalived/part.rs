//! The parts of a configuration, each of which has a process of its own.

use super::arguments::Roles;
use keepalived_conf::model::Config;

/// What a child process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Virtual servers: checks, and the kernel's table.
    Director,
    /// Virtual routers.
    Vrrp,
}

impl Part {
    /// All of them, in the order in which they are started.
    pub(crate) const ALL: [Self; 2] = [Self::Director, Self::Vrrp];

    /// The value of [`ROLE`](crate::haproxy::startup::ROLE) in its process, and the name of its status socket.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Director => "director",
            Self::Vrrp => "vrrp",
        }
    }

    /// What its lines in the log begin with, behind `Keepalived_`.
    pub(crate) const fn ident(self) -> &'static str {
        match self {
            Self::Director => "healthcheckers",
            Self::Vrrp => "vrrp",
        }
    }

    /// Its process in the parent's log lines, which are keepalived's.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Director => "Healthcheck",
            Self::Vrrp => "VRRP",
        }
    }

    /// What its process is called with `process_names`.
    pub(crate) const fn process_name(self) -> &'static str {
        match self {
            Self::Director => "keepalived_lvs",
            Self::Vrrp => "keepalived_vrrp",
        }
    }

    /// The name of its pid file.
    pub(crate) const fn pid_name(self) -> &'static str {
        match self {
            Self::Director => "checkers",
            Self::Vrrp => "vrrp",
        }
    }

    /// The part that a process was started for.
    pub(crate) fn of_role(role: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == role)
    }

    /// Whether a process is to run for it: the command line does not keep it from running (`-P`, `-C`), and the
    /// configuration has something for it to do, or `--all` was said.
    pub(crate) fn is_wanted(self, roles: Roles, config: &Config) -> bool {
        let allowed = match self {
            Self::Director => !roles.vrrp,
            Self::Vrrp => !roles.checkers,
        };
        roles.all || (allowed && self.is_in(config))
    }

    /// Whether the configuration has something for it to do.
    fn is_in(self, config: &Config) -> bool {
        match self {
            Self::Director => !config.virtual_servers.is_empty(),
            Self::Vrrp => {
                !(config.instances.is_empty()
                    && config.static_addresses.is_empty()
                    && config.static_routes.is_empty()
                    && config.static_rules.is_empty())
            }
        }
    }

    /// What is said once when the configuration has this part, and the command line keeps it from running.
    pub(crate) fn left_alone(self, roles: Roles, config: &Config) -> Option<String> {
        if self.is_wanted(roles, config) || !self.is_in(config) {
            return None;
        }
        Some(match self {
            Self::Director => {
                let count = config.virtual_servers.len();
                format!("{count} virtual server(s) configured, left alone: only VRRP runs")
            }
            Self::Vrrp => {
                let count = config.instances.len();
                format!("{count} virtual router(s) configured, left alone: only the director runs")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keepalived_conf::{Memory, Options, Unknown, load};

    fn wanted(roles: Roles, text: &str) -> Vec<Part> {
        let options = Options { path: "/c".into(), ..Options::default() };
        let config = load(&options, &Memory::of("/c", text), &Unknown).config;
        Part::ALL.into_iter().filter(|part| part.is_wanted(roles, &config)).collect()
    }

    #[test]
    fn a_part_runs_when_there_is_something_to_do_and_it_may() {
        const ROUTER: &str = "vrrp_instance a {\n interface e0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n";
        const SERVER: &str = "virtual_server 10.0.0.1 80 {\n real_server 10.0.0.2 80 {\n }\n}\n";
        let both = format!("{ROUTER}{SERVER}");
        let any = Roles::default();
        let vrrp = Roles { vrrp: true, ..any };
        let checkers = Roles { checkers: true, ..any };
        let all = Roles { all: true, ..any };
        assert_eq!(wanted(any, &both), [Part::Director, Part::Vrrp]);
        assert_eq!(wanted(any, ROUTER), [Part::Vrrp]);
        assert_eq!(wanted(any, SERVER), [Part::Director]);
        assert_eq!(wanted(any, ""), []);
        assert_eq!(wanted(any, "static_ipaddress {\n 10.0.0.1/24 dev e0\n}\n"), [Part::Vrrp]);
        assert_eq!(wanted(any, "vrrp_script s {\n script /bin/true\n}\n"), []);
        assert_eq!(wanted(vrrp, &both), [Part::Vrrp]);
        assert_eq!(wanted(vrrp, SERVER), []);
        assert_eq!(wanted(checkers, &both), [Part::Director]);
        assert_eq!(wanted(checkers, ROUTER), []);
        assert_eq!(wanted(Roles { vrrp: true, ..checkers }, &both), []);
        assert_eq!(wanted(all, ""), [Part::Director, Part::Vrrp]);
    }
}
