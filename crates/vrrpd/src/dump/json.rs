//! `keepalived.json`: keepalived's fields in keepalived's order, then ours (`cause`, `transitions`).

use super::{seconds, shown_address, shown_route, shown_rule, wall_of};
use crate::driver::World;
use keepalived_conf::model;
use std::fmt::{Display, Write};
use vrrp::RouterId;

/// An object or array being written.
struct Json(String);

impl Json {
    fn comma(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with(['{', '[', ':']) {
            self.0.push(',');
        }
    }

    fn name(&mut self, name: &str) {
        self.comma();
        let _ = write!(self.0, "\"{name}\":");
    }

    fn plain(&mut self, name: &str, value: impl Display) {
        self.name(name);
        let _ = write!(self.0, "{value}");
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.plain(name, u8::from(value));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    /// As keepalived writes strings: slashes are escaped, too.
    fn string(&mut self, value: &str) {
        self.comma();
        self.0.push('"');
        for c in value.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '/' => self.0.push_str("\\/"),
                '\n' => self.0.push_str("\\n"),
                '\t' => self.0.push_str("\\t"),
                '\r' => self.0.push_str("\\r"),
                c if c < ' ' => drop(write!(self.0, "\\u{:04x}", u32::from(c))),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn open(&mut self, bracket: char) {
        self.comma();
        self.0.push(bracket);
    }

    fn list(&mut self, name: &str, values: impl Iterator<Item = String>) {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return;
        }
        self.name(name);
        self.open('[');
        values.for_each(|value| self.string(&value));
        self.0.push(']');
    }
}

pub(super) fn render(world: &World) -> String {
    let version2 = world.plan.model.global.json_version == 2;
    let mut json = Json(String::new());
    if version2 {
        json.open('{');
        json.name("vrrp");
    }
    json.open('[');
    for (number, instance) in (0_u32..).zip(&world.plan.model.instances) {
        json.open('{');
        data(world, &mut json, RouterId(number), instance);
        stats(world, &mut json, RouterId(number));
        json.0.push('}');
    }
    json.0.push(']');
    if version2 {
        strays(world, &mut json);
        json.0.push('}');
    }
    json.0
}

/// Packets that are in no virtual router's statistics; the first version has no place for them.
fn strays(world: &World, json: &mut Json) {
    let strays = world.router.strays();
    json.name("strays");
    json.open('{');
    json.plain("truncated", strays.truncated);
    json.plain("unknown_vrid", strays.unknown_vrid);
    json.plain("idle", strays.idle);
    json.0.push('}');
}

fn data(world: &World, json: &mut Json, router: RouterId, instance: &model::Instance) {
    let Some(status) = world.router.status(router) else { return };
    let planned = world.plan.routers.get(router.index());
    let interface = |link: Option<vrrp::LinkId>| link.and_then(|link| world.interfaces.get(link));
    let own = interface(planned.and_then(|planned| planned.link));
    let garp = &instance.garp;
    json.name("data");
    json.open('{');
    json.text("iname", &instance.name.text);
    json.flag("dont_track_primary", instance.dont_track_primary);
    json.flag("skip_check_adv_addr", instance.skip_check_advert_addresses);
    json.flag("strict_mode", instance.strict);
    json.text("vmac_ifname", own.filter(|own| own.base.is_some()).map_or("", |own| &own.name));
    if let Some(own) = own {
        json.text("ifp_ifname", &own.name);
    }
    json.plain("master_priority", status.master.map_or(0, |(_, priority)| priority));
    json.plain("last_transition", seconds(wall_of(world, status.since)));
    json.plain("garp_delay", garp.master_delay.as_secs_f64());
    json.plain("garp_refresh", garp.master_refresh.as_secs());
    json.plain("garp_rep", garp.master_repeat);
    json.plain("garp_refresh_rep", garp.master_refresh_repeat);
    json.plain("garp_lower_prio_delay", garp.lower_prio_delay.as_secs());
    json.plain("garp_lower_prio_rep", garp.lower_prio_repeat);
    json.flag("lower_prio_no_advert", instance.lower_priority_no_advert);
    json.flag("higher_prio_send_advert", instance.higher_priority_send_advert);
    json.plain("vrid", instance.virtual_router_id);
    json.plain("base_priority", status.base_priority);
    json.plain("effective_priority", status.effective_priority);
    json.plain("vipset", status.addresses_set);
    json.plain("promote_secondaries", instance.promote_secondaries);
    json.plain("adver_int", instance.advert_interval.as_secs_f64());
    json.plain("master_adver_int", status.master_interval.as_secs_f64());
    json.flag("accept", instance.accept);
    json.plain("nopreempt", instance.nopreempt);
    json.plain("preempt_delay", instance.preempt_delay.as_secs());
    json.plain("state", status.state.number());
    json.plain("wantstate", status.wanted.number());
    json.plain("version", if instance.version == model::Version::V3 { 3 } else { 2 });
    json.plain("smtp_alert", planned.is_some_and(|planned| planned.smtp_alert));
    json.plain("notify_deleted", instance.notify.send_deleted);
    let scripts = world.notifier.shown(router).unwrap_or_default();
    for (name, script) in [
        ("script_backup", scripts.backup),
        ("script_master", scripts.master),
        ("script_fault", scripts.fault),
        ("script_stop", scripts.stop),
        ("script_deleted", scripts.deleted),
        ("script", scripts.any),
        ("script_master_rx_lower_pri", scripts.lower_priority),
    ] {
        if let Some((command, ..)) = script {
            json.text(name, &command);
        }
    }
    let links = planned.map(|planned| planned.addresses.as_slice()).unwrap_or_default();
    let shown = |(address, link): (&model::Address, &vrrp::LinkId)| {
        shown_address(address, *link, &world.interfaces, status.addresses_set)
    };
    json.list("vips", instance.addresses.iter().zip(links).map(shown));
    let excluded = links.get(instance.addresses.len()..).unwrap_or_default();
    json.list("evips", instance.excluded_addresses.iter().zip(excluded).map(shown));
    json.list("vroutes", instance.routes.iter().map(shown_route));
    json.list("vrules", instance.rules.iter().map(shown_rule));
    let names = |tracked: &[model::Tracked]| {
        tracked.iter().map(|tracked| tracked.name.text.clone()).collect::<Vec<_>>().into_iter()
    };
    json.list("track_ifp", names(&instance.track.interfaces));
    json.list("track_script", names(&instance.track.scripts));
    let authentication = match instance.authentication {
        None => (0, None),
        Some(model::Authentication::Pass(password)) => (1, Some(password)),
        Some(model::Authentication::Ah(_)) => (2, None),
    };
    json.plain("auth_type", authentication.0);
    if let Some(password) = authentication.1 {
        json.text("auth_data", String::from_utf8_lossy(&password).trim_end_matches('\0'));
    }
    json.text("cause", &status.cause.to_string());
    if let Some(history) = world.history.get(router.index()).filter(|history| !history.is_empty()) {
        json.name("transitions");
        json.open('[');
        for transition in history {
            json.open('{');
            json.plain("time", seconds(transition.at));
            json.text("from", transition.from.word());
            json.text("to", transition.to.word());
            json.text("cause", &transition.cause.to_string());
            json.0.push('}');
        }
        json.0.push(']');
    }
    json.0.push('}');
}

fn stats(world: &World, json: &mut Json, router: RouterId) {
    let Some(c) = world.router.counters(router) else { return };
    json.name("stats");
    json.open('{');
    for (name, value) in [
        ("advert_rcvd", c.adverts_received),
        ("advert_sent", c.adverts_sent),
        ("become_master", c.became_master),
        ("release_master", c.released_master),
        ("packet_len_err", c.length_errors),
        ("advert_interval_err", c.interval_errors),
        ("ip_ttl_err", c.ttl_errors),
        ("invalid_type_rcvd", c.type_errors),
        ("addr_list_err", c.address_list_errors),
        ("invalid_authtype", c.auth_type_errors),
        ("authtype_mismatch", c.auth_type_mismatches),
        ("auth_failure", c.auth_failures),
        ("pri_zero_rcvd", c.priority_zero_received),
        ("pri_zero_sent", c.priority_zero_sent),
    ] {
        json.plain(name, value);
    }
    json.0.push('}');
}
