//! Whatever happens, in any order: no panic, no endless timers, and actions that make sense.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic here is a failed test"
)]

mod lab;

use ek_time::Instant;
use lab::{E0, E1, advert_of, config, instance, ms};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use vrrp::track::Kind;
use vrrp::{
    Action, AddressChange, Authentication, Config, Datagram, Group, LinkChange, LinkId, Notification,
    Received, Router, RouterId, State, Subject, Track, TrackId, TrackState, Tracking, Version, VirtualRouter,
};

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    /// A good advert, with some bytes changed.
    Packet(usize, Vec<(usize, u8)>),
    Bytes(Vec<u8>),
    Link(u32, bool),
    Source(bool),
    Track(u8),
    Gone(u8),
    Reload(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let edits = prop::collection::vec((0_usize..70, any::<u8>()), 0..2);
    prop_oneof![
        4 => (0_u64..9000).prop_map(Step::Pass),
        4 => (0_usize..24, edits).prop_map(|(which, edits)| Step::Packet(which, edits)),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Bytes),
        2 => (0_u32..3, any::<bool>()).prop_map(|(link, up)| Step::Link(link, up)),
        1 => any::<bool>().prop_map(Step::Source),
        2 => any::<u8>().prop_map(Step::Track),
        1 => any::<u8>().prop_map(Step::Gone),
        1 => any::<u8>().prop_map(Step::Reload),
    ]
}

fn routers() -> Vec<VirtualRouter> {
    let mut one = instance("VI_1", E0, 51, 100);
    one.tracks.push(Tracking { track: TrackId(0), weight: 0, reverse: false });
    one.tracks.push(Tracking { track: TrackId(1), weight: 20, reverse: false });
    let mut two = instance("VI_2", E1, 52, 100);
    two.preemption.delay = ms(3000);
    let mut three = instance("VI_3", E0, 53, 100);
    three.version = Version::V2;
    three.authentication = Authentication::Ah(*b"secret\0\0");
    three.preemption.allowed = false;
    vec![one, two, three]
}

/// Variants of one configuration.
fn variant(number: u8) -> Config {
    let mut routers = routers();
    if number & 1 > 0 {
        routers[0].priority = 180;
    }
    if number & 2 > 0 {
        routers.swap(0, 2);
    }
    if number & 4 > 0 {
        routers.remove(1);
    }
    if number & 8 > 0 {
        routers[0].addresses.clear();
    }
    let members: Vec<RouterId> = if number & 16 > 0 { (0..2).map(RouterId).collect() } else { Vec::new() };
    let mut config = config(1, routers);
    if !members.is_empty() {
        config.groups.push(Group { name: "VG".into(), members, tracks: Vec::new(), tracking_weight: true });
    }
    let track = |name: &str| Track { name: name.into(), kind: Kind::Script, state: TrackState::Unknown };
    config.tracks = vec![track("a"), track("b")];
    config
}

fn packets() -> &'static [Vec<u8>] {
    static PACKETS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    PACKETS.get_or_init(|| {
        let mut all = Vec::new();
        for mut router in routers() {
            router.tracks.clear();
            for (host, priority) in
                [(2, 0), (2, 50), (2, 100), (9, 100), (2, 150), (1, 100), (9, 255), (2, 120)]
            {
                all.push(advert_of(host, router.clone(), priority));
            }
        }
        all
    })
}

/// What must hold of the actions.
#[derive(Default)]
struct Watch {
    names: Vec<String>,
    installed: BTreeMap<String, bool>,
    states: BTreeMap<String, State>,
}

impl Watch {
    fn drain(&mut self, router: &mut Router) {
        for _ in 0..100_000 {
            let Some(action) = router.poll_action() else { return };
            let name = |names: &[String], id: RouterId| names[id.index()].clone();
            match action {
                Action::Install(id) => {
                    let before = self.installed.insert(name(&self.names, id), true);
                    assert_ne!(before, Some(true), "installed twice");
                }
                Action::Withdraw(id) => {
                    let before = self.installed.insert(name(&self.names, id), false);
                    assert_eq!(before, Some(true), "withdrawn what was not there");
                }
                Action::Adjust(id) | Action::Restore { router: id, .. } => {
                    assert_eq!(self.installed.get(&name(&self.names, id)), Some(&true));
                }
                Action::Clear(id) => {
                    assert_ne!(self.installed.get(&name(&self.names, id)), Some(&true));
                }
                Action::Announce(what) => {
                    assert_eq!(self.installed.get(&name(&self.names, what.router)), Some(&true));
                }
                Action::Notify(Notification::State { subject: Subject::Router(id), from, to, .. }) => {
                    let before = self.states.insert(name(&self.names, id), to).unwrap_or(State::Init);
                    assert_eq!(before, from, "states follow each other");
                    assert_ne!(from, to);
                }
                Action::Notify(Notification::Gone { subject: Subject::Router(id), .. }) => {
                    self.states.remove(&name(&self.names, id));
                }
                Action::Reloaded => {
                    self.names = names(router.config());
                }
                Action::Log(event) => assert!(!event.to_string().is_empty()),
                Action::Send(advert) => router.recycle(advert.bytes),
                Action::Notify(_) => {}
            }
        }
        panic!("actions without end");
    }

    /// Between two calls.
    fn settled(&self, router: &Router, now: Instant) {
        for (number, name) in self.names.iter().enumerate() {
            let status = router.status(RouterId::at(number)).expect("a status");
            let master = status.state == State::Master;
            assert_eq!(self.installed.get(name).copied().unwrap_or(false), master, "{name}");
            assert_eq!(status.addresses_set, master);
            let timed = matches!(status.state, State::Master | State::Backup);
            assert_eq!(status.deadline.is_some(), timed, "{name} {:?}", status.state);
            assert!(
                status.deadline.is_none_or(|deadline| deadline > now),
                "{name} is due and was not seen to"
            );
            assert!((1..=254).contains(&status.effective_priority));
            if let Some(state) = self.states.get(name) {
                assert_eq!(*state, status.state, "{name} tells all changes");
            }
        }
        for group in 0..router.config().groups.len() {
            let group = vrrp::GroupId::at(group);
            let state = router.group_status(group).expect("a group").state;
            for member in &router.config().groups[group.index()].members {
                let member = router.state(*member).expect("a member");
                assert_eq!(member == State::Master, state == State::Master, "a group is Master as a whole");
            }
        }
    }
}

fn names(config: &Config) -> Vec<String> {
    config.routers.iter().map(|router| router.name.to_string()).collect()
}

fn run(first: u8, steps: Vec<Step>) {
    let mut now = Instant::from_nanos(1_000_000_000_000);
    let mut router = Router::new(now, 1, variant(first));
    let mut watch = Watch { names: names(router.config()), ..Watch::default() };
    watch.drain(&mut router);
    for step in steps {
        match step {
            Step::Pass(millis) => {
                now = now + ms(millis);
            }
            Step::Packet(which, edits) => {
                let mut bytes = packets()[which].clone();
                for (at, value) in edits {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
                let link = LinkId(u32::from(which / 8 == 1));
                let received = Received { link: Some(link), datagram: Datagram::V4(&bytes) };
                router.handle_packet(now, &received);
            }
            Step::Bytes(bytes) => {
                let received = Received { link: Some(E0), datagram: Datagram::V4(&bytes) };
                router.handle_packet(now, &received);
            }
            Step::Link(link, up) => {
                let change = if up { LinkChange::Up } else { LinkChange::Down };
                router.handle_link(now, LinkId(link), change);
            }
            Step::Source(present) => {
                let source = present.then(|| "10.20.0.1".parse().expect("address"));
                router.handle_link(now, E0, LinkChange::SourceV4(source));
            }
            Step::Track(what) => {
                let state = match what % 3 {
                    0 => TrackState::Up,
                    1 => TrackState::Down,
                    _ => TrackState::Value(i64::from(what) - 128),
                };
                router.handle_track(now, TrackId(u32::from(what / 3 % 3)), state);
            }
            Step::Gone(what) => {
                let address = lab::v4(151 + what % 3);
                let link = LinkId(u32::from(what / 3 % 2));
                router.handle_address(now, AddressChange { link, address, present: what > 200 });
            }
            Step::Reload(number) => router.handle_reload(now, variant(number)),
        }
        watch.drain(&mut router);
        router.handle_timeout(now);
        watch.drain(&mut router);
        watch.settled(&router, now);
    }
    router.handle_shutdown(now);
    watch.drain(&mut router);
    assert!(watch.installed.values().all(|installed| !installed), "nothing is left behind");
    assert_eq!(router.poll_timeout(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn anything_may_happen(first in any::<u8>(), steps in prop::collection::vec(step(), 0..60)) {
        run(first, steps);
    }
}
