//! `keepalived.data`: what is configured and how it is, in words.

use super::{dated, shown_address, shown_route, shown_rule, wall_of};
use crate::driver::World;
use crate::lower::TrackSource;
use keepalived_conf::model;
use notice::account::Accounts;
use std::fmt::Write;
use vrrp::{GroupId, RouterId, State, TrackState};

/// Writes a line; to a string that does not fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {
        let _ = writeln!($out, $($text)*);
    };
}

fn on(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn enabled(value: bool) -> &'static str {
    if value { "enabled" } else { "disabled" }
}

pub(super) fn render(world: &World) -> String {
    let mut out = String::new();
    let model = &world.plan.model;
    out += &notice::dump::global_definitions(&model.global);
    line!(out, "------< VRRP Topology >------");
    for (number, instance) in (0_u32..).zip(&model.instances) {
        router(&mut out, world, RouterId(number), instance);
    }
    sockets(&mut out, world);
    if !model.sync_groups.is_empty() {
        line!(out, "------< VRRP Sync groups >------");
    }
    for (number, group) in (0_u32..).zip(&model.sync_groups) {
        let state = world.router.group_status(GroupId(number)).map_or(State::Init, |status| status.state);
        line!(out, " VRRP Sync Group = {}, {state}", group.name.text);
        let members = || group.members.iter().filter_map(|member| world.plan.router_id(&member.text));
        let count = |is: fn(&vrrp::Status) -> bool| {
            members().filter_map(|member| world.router.status(member)).filter(is).count()
        };
        let (faults, waiting) = (count(|status| status.faults > 0), count(|status| status.waiting > 0));
        line!(out, "   Num member fault {faults}, num member init {waiting}");
        line!(out, "   VRRP member instances :");
        for member in &group.members {
            line!(out, "     {}", member.text);
        }
        let mail = &model.global.mail;
        let alert = group.notify.smtp_alert.or(mail.alert_vrrp).or(mail.alert).unwrap_or(false);
        line!(out, "   Using smtp notification = {}", if alert { "yes" } else { "no" });
    }
    tracks(&mut out, world);
    line!(out, "------< Interfaces >------");
    for (_, interface) in world.interfaces.iter() {
        line!(out, " Name = {}", interface.name);
        line!(out, "   index = {}", interface.index);
        let find = |v4: bool| interface.addresses.iter().filter(move |address| address.is_ipv4() == v4);
        let first = |v4| find(v4).next().map_or_else(|| "(none)".to_owned(), ToString::to_string);
        line!(out, "   IPv4 address = {}", first(true));
        line!(out, "   IPv6 address = {}", first(false));
        for (v4, family) in [(true, "IPv4"), (false, "IPv6")] {
            for (number, address) in find(v4).skip(1).enumerate() {
                if number == 0 {
                    line!(out, "   Additional {family} addresses :");
                }
                line!(out, "     {address}");
            }
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
        if let Some(mac) = interface.mac {
            line!(out, "   MAC = {}", hex(&mac));
            if let Some(broadcast) = interface.link.as_ref().and_then(|link| link.broadcast.ethernet()) {
                line!(out, "   MAC broadcast = {}", hex(&broadcast));
            }
        }
        let state = match &interface.link {
            None => "not present".to_owned(),
            Some(link) => format!(
                "{}{}",
                if link.flags.up() { "UP" } else { "DOWN" },
                if link.flags.running() { ", RUNNING" } else { ", not RUNNING" }
            ),
        };
        line!(out, "   State = {state}");
        let delays = model.interface_delays.iter().find(|delay| delay.interface.text == interface.name);
        let (up, down) = delays.map_or_else(Default::default, |delay| (delay.up, delay.down));
        line!(out, "   Up debounce timer = {}us", up.as_micros());
        line!(out, "   Down debounce timer = {}us", down.as_micros());
        if let Some(base) = interface.base.and_then(|base| world.interfaces.get(base)) {
            line!(out, "   VMAC type private, underlying interface = {}", base.name);
        }
        if let Some(link) = &interface.link {
            line!(out, "   MTU = {}", link.mtu);
            let kind = match (link.flags.loopback(), interface.mac) {
                (true, _) => "LOOPBACK".to_owned(),
                (false, Some(_)) => "ETHERNET".to_owned(),
                (false, None) => format!("UNKNOWN ({})", link.hardware),
            };
            line!(out, "   HW Type = {kind}");
            line!(out, "   NIC netlink status update");
        }
        let users = |instance: &&model::Instance| {
            let own = instance.interface.as_ref().is_some_and(|own| own.text == interface.name);
            own && !instance.dont_track_primary
                || instance.track.interfaces.iter().any(|tracked| tracked.name.text == interface.name)
        };
        let weight = |instance: &model::Instance| {
            let tracked =
                instance.track.interfaces.iter().find(|tracked| tracked.name.text == interface.name);
            tracked.map_or(0, |tracked| tracked.weight.value)
        };
        for (number, instance) in model.instances.iter().filter(users).enumerate() {
            if number == 0 {
                line!(out, "   Tracking VRRP instances :");
            }
            line!(out, "     {}, weight {}", instance.name.text, weight(instance));
        }
    }
    out
}

/// The receiving sockets and who shares them.
fn sockets(out: &mut String, world: &World) {
    line!(out, "------< VRRP Sockpool >------");
    for key in crate::sockets::wanted(&world.plan, &world.interfaces) {
        line!(out, " Socket");
        if let Some(interface) = key.link.and_then(|(link, _)| world.interfaces.get(link)) {
            line!(out, "   Interface = {}", interface.name);
        }
        let v4 = key.family == reactor::raw::Family::V4;
        line!(out, "   Family = {}", if v4 { "IPv4" } else { "IPv6" });
        line!(out, "   Protocol = {}", if key.protocol == wire::PROTOCOL_AH { "AH" } else { "VRRP" });
        line!(out, "   Type = {}", if key.group.is_some() { "Multicast" } else { "Unicast" });
        line!(out, "   Rx buf size = {}", key.buffer);
        line!(out, "   VRRP instances");
        for (instance, planned) in world.plan.model.instances.iter().zip(&world.plan.routers) {
            let same_family = (instance.family == model::Family::V4) == v4;
            if same_family && planned.link == key.link.map(|(link, _)| link) {
                line!(out, "     {} vrid {}", instance.name.text, instance.virtual_router_id);
            }
        }
    }
}

/// Instances that track something, each with its weight.
fn tracking<'a>(
    out: &mut String,
    model: &'a model::Config,
    name: &str,
    list: impl Fn(&'a model::Tracking) -> &'a [model::Tracked],
) {
    line!(out, "   Tracking instances :");
    for instance in &model.instances {
        for tracked in list(&instance.track).iter().filter(|tracked| tracked.name.text == name) {
            line!(out, "     {}, weight {}", instance.name.text, tracked.weight.value);
        }
    }
}

fn router(out: &mut String, world: &World, router: RouterId, instance: &model::Instance) {
    let Some(status) = world.router.status(router) else { return };
    let planned = world.plan.routers.get(router.index());
    let interface = |link: Option<vrrp::LinkId>| link.and_then(|link| world.interfaces.get(link));
    let own = interface(planned.and_then(|planned| planned.link));
    let version = if instance.version == model::Version::V3 { 3 } else { 2 };
    line!(out, " VRRP Instance = {}", instance.name.text);
    line!(out, "   VRRP Version = {version}");
    if let Some(group) = world.router.group_of(router).and_then(|group| world.plan.group(group)) {
        line!(out, "   Sync group = {}", group.name.text);
    }
    if instance.family == model::Family::V6 {
        line!(out, "   Using Native IPv6");
    }
    line!(out, "   State = {}", status.state);
    if let (State::Backup, Some((master, priority))) = (status.state, status.master) {
        line!(out, "   Master router = {master}");
        line!(out, "   Master priority = {priority}");
    }
    line!(out, "   Cause = {}", status.cause);
    line!(out, "   Flags: none");
    line!(out, "   Wantstate = {}", status.wanted);
    // With one it would not have been taken.
    line!(out, "   Number of config faults = 0");
    line!(out, "   Number of interface and track script faults = {}", status.faults);
    line!(out, "   Number of track scripts init = {}", status.waiting);
    line!(out, "   Last transition = {}", dated(wall_of(world, status.since)));
    match status.deadline {
        None => {
            line!(out, "   Read timeout = DISABLED");
        }
        Some(deadline) => {
            line!(out, "   Read timeout = {}", dated(wall_of(world, deadline)));
        }
    }
    line!(out, "   Master down timer = {} usecs", status.master_down.as_micros());
    match own {
        Some(own) if own.base.is_some() => {
            let base = interface(own.base).map_or("", |base| &base.name);
            line!(
                out,
                "   Use VMAC, i/f name {}, is_up = {}, xmit_base = {}",
                own.name,
                on(own.usable),
                on(instance.vmac_xmit_base)
            );
            line!(out, "   Interface = {}, vmac on {base}", own.name);
        }
        Some(own) => {
            line!(out, "   Interface = {}", own.name);
        }
        None => {}
    }
    let source = instance.source_address.or_else(|| {
        let link = planned?.link?;
        match instance.family {
            model::Family::V4 => world.interfaces.source_v4(link).map(Into::into),
            model::Family::V6 => world.interfaces.source_v6(link).map(Into::into),
        }
    });
    if let Some(source) = source {
        line!(out, "   Using src_ip = {source}");
    }
    if instance.unicast_peers.is_empty() {
        line!(out, "   Multicast address {}", instance.multicast_group);
    }
    if instance.dont_track_primary {
        line!(out, "   VRRP interface tracking disabled");
    }
    if instance.skip_check_advert_addresses {
        line!(out, "   Skip checking advert IP addresses");
    }
    let garp = &instance.garp;
    line!(out, "   Gratuitous ARP delay = {}", garp.master_delay.as_secs());
    line!(out, "   Gratuitous ARP repeat = {}", garp.master_repeat);
    line!(out, "   Gratuitous ARP refresh = {}", garp.master_refresh.as_secs());
    line!(out, "   Gratuitous ARP refresh repeat = {}", garp.master_refresh_repeat);
    line!(out, "   Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs());
    line!(out, "   Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat);
    line!(out, "   Down timer adverts = {}", instance.down_timer_adverts);
    line!(
        out,
        "   Send advert after receive lower priority advert = {}",
        on(!instance.lower_priority_no_advert)
    );
    line!(
        out,
        "   Send advert after receive higher priority advert = {}",
        on(instance.higher_priority_send_advert)
    );
    line!(out, "   Virtual Router ID = {}", instance.virtual_router_id);
    line!(out, "   Priority = {}", status.base_priority);
    line!(out, "   Effective priority = {}", status.effective_priority);
    line!(out, "   Total priority = {}", status.total_priority);
    if version == 2 {
        line!(out, "   Advert interval = {} sec", instance.advert_interval.as_secs());
    } else {
        line!(out, "   Advert interval = {} milli-sec", instance.advert_interval.as_millis());
    }
    line!(out, "   Accept = {}", enabled(instance.accept));
    line!(out, "   Preempt = {}", enabled(!instance.nopreempt));
    if !instance.preempt_delay.is_zero() {
        line!(out, "   Preempt delay = {:.6} secs", instance.preempt_delay.as_secs_f64());
    }
    line!(out, "   Promote_secondaries = {}", enabled(instance.promote_secondaries));
    match instance.authentication {
        Some(model::Authentication::Pass(password)) => {
            line!(out, "   Authentication type = SIMPLE_PASSWORD");
            line!(out, "   Password = {}", String::from_utf8_lossy(&password).trim_end_matches('\0'));
        }
        Some(model::Authentication::Ah(_)) => {
            line!(out, "   Authentication type = IPSEC_AH");
        }
        None if version == 2 => {
            line!(out, "   Authentication type = none");
        }
        None => {}
    }
    addresses(out, world, router, instance, status.addresses_set);
    scripts(out, world, router, instance, planned.is_some_and(|planned| planned.smtp_alert));
}

fn addresses(out: &mut String, world: &World, router: RouterId, instance: &model::Instance, set: bool) {
    let links = world
        .plan
        .routers
        .get(router.index())
        .map(|planned| planned.addresses.as_slice())
        .unwrap_or_default();
    let (own, excluded) = links.split_at_checked(instance.addresses.len()).unwrap_or_default();
    if !instance.addresses.is_empty() {
        line!(out, "   Virtual IP ({}):", instance.addresses.len());
    }
    for (address, link) in instance.addresses.iter().zip(own) {
        line!(out, "     {}", shown_address(address, *link, &world.interfaces, set));
    }
    if !instance.excluded_addresses.is_empty() {
        line!(out, "   Virtual IP Excluded :");
    }
    for (address, link) in instance.excluded_addresses.iter().zip(excluded) {
        line!(out, "     {}", shown_address(address, *link, &world.interfaces, set));
    }
    if !instance.unicast_peers.is_empty() {
        line!(out, "   Unicast Peer :");
    }
    for peer in &instance.unicast_peers {
        line!(out, "     {}", peer.address);
    }
    if !instance.routes.is_empty() {
        line!(out, "   Virtual Routes :");
    }
    for route in &instance.routes {
        line!(out, "     {}", shown_route(route));
    }
    if !instance.rules.is_empty() {
        line!(out, "   Virtual Rules :");
    }
    for rule in &instance.rules {
        line!(out, "     {}", shown_rule(rule));
    }
}

fn scripts(out: &mut String, world: &World, router: RouterId, instance: &model::Instance, alert: bool) {
    for (what, list) in [
        ("interfaces", &instance.track.interfaces),
        ("scripts", &instance.track.scripts),
        ("files", &instance.track.files),
        ("processes", &instance.track.processes),
    ] {
        if !list.is_empty() {
            line!(out, "   Tracked {what} :");
        }
        for tracked in list {
            let reverse = if tracked.weight.reverse { " reverse" } else { "" };
            // As keepalived: of scripts without a comma.
            let comma = if what == "scripts" { "" } else { "," };
            line!(out, "     {}{comma} weight {}{reverse}", tracked.name.text, tracked.weight.value);
        }
    }
    line!(out, "   Using smtp notification = {}", if alert { "yes" } else { "no" });
    line!(out, "   Notify deleted = {}", if instance.notify.send_deleted { "Deleted" } else { "Fault" });
    let shown = world.notifier.shown(router).unwrap_or_default();
    for (what, script) in [
        ("Backup state transition", shown.backup),
        ("Master state transition", shown.master),
        ("Fault state transition", shown.fault),
        ("Stop state transition", shown.stop),
        ("Deleted state transition", shown.deleted),
        ("Generic state transition", shown.any),
        ("Master rx lower pri", shown.lower_priority),
    ] {
        if let Some((command, uid, gid)) = script {
            line!(out, "   {what} script = {command}, uid:gid {uid}:{gid}");
        }
    }
    let changes =
        instance.notify.priority_changes.unwrap_or(world.plan.model.global.vrrp.notify_priority_changes);
    line!(out, "   Notify priority changes = {}", on(changes));
}

fn tracks(out: &mut String, world: &World) {
    let state = |source: TrackSource| {
        let position = world.plan.tracks.iter().position(|known| *known == source)?;
        world.track_state(vrrp::TrackId(position as u32))
    };
    let model = &world.plan.model;
    if !model.scripts.is_empty() {
        line!(out, "------< VRRP Scripts >------");
    }
    for (at, script) in model.scripts.iter().enumerate() {
        let words: Vec<_> = script.script.command.iter().map(|word| format!("'{word}'")).collect();
        line!(out, " VRRP Script = {}", script.name.text);
        line!(out, "   Command = {}", words.join(" "));
        line!(out, "   Interval = {} sec", script.interval.as_secs_f64());
        line!(out, "   Timeout = {} sec", script.timeout.as_secs_f64());
        line!(out, "   Weight = {}", script.weight.value);
        line!(out, "   Rise = {}", script.rise);
        line!(out, "   Fall = {}", script.fall);
        if let Some(user) = Accounts::new(&model.global).of(&script.script) {
            line!(out, "   Script uid:gid = {}:{}", user.uid, user.gid);
        }
        let word = match state(TrackSource::Script(at)) {
            Some(TrackState::Up) => "GOOD",
            Some(TrackState::Down) => "BAD",
            _ => "INIT",
        };
        line!(out, "   Status = {word}");
        tracking(out, model, &script.name.text, |track| &track.scripts);
    }
    if !model.files.is_empty() {
        line!(out, "------< VRRP Track files >------");
    }
    for (at, file) in model.files.iter().enumerate() {
        let value = match state(TrackSource::File(at)) {
            Some(TrackState::Value(value)) => value,
            _ => 0,
        };
        line!(out, " Track file = {}", file.name.text);
        line!(out, "   File = {}", file.path.display());
        line!(out, "   Status = {value}");
        line!(out, "   Weight = {}{}", file.weight.value, if file.weight.reverse { " reverse" } else { "" });
        tracking(out, model, &file.name.text, |track| &track.files);
    }
    if !model.processes.is_empty() {
        line!(out, "------< VRRP Track processes >------");
    }
    for (at, process) in model.processes.iter().enumerate() {
        line!(out, " VRRP Track process = {}", process.name.text);
        line!(out, "   Process = {}", process.process);
        line!(out, "   Min processes = {}", process.quorum);
        line!(out, "   Have quorum = {}", on(state(TrackSource::Process(at)) == Some(TrackState::Up)));
        line!(out, "   Weight = {}", process.weight.value);
        tracking(out, model, &process.name.text, |track| &track.processes);
    }
}
