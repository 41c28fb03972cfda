//! Tracking and sync groups, with the lines and the order of keepalived's notifications.

mod lab;

use lab::{E0, E1, Lab, R0, R1, advert_of, config, instance, links, ms};
use vrrp::track::Kind;
use vrrp::{
    Cause, Config, FaultReason, Group, LinkChange, RouterId, State, Track, TrackId, TrackState, Tracking,
    VirtualRouter,
};

const T0: TrackId = TrackId(0);

fn tracked(kind: Kind, state: TrackState, weight: i16, reverse: bool) -> Config {
    let mut router = instance("VI_1", E0, 51, 100);
    router.tracks.push(Tracking { track: T0, weight, reverse });
    let mut config = config(1, vec![router]);
    config.tracks.push(Track { name: "t".into(), kind, state });
    config
}

#[test]
fn what_tracks_do() {
    use TrackState::{Down, Unknown, Up, Value};
    let script = Kind::Script;
    // Kind, state, weight, reverse: priority, state.
    for (kind, state, weight, reverse, priority, expected) in [
        (script, Up, 0, false, 100, State::Backup),
        (script, Down, 0, false, 100, State::Fault),
        (script, Up, 0, true, 100, State::Fault),
        (script, Down, 0, true, 100, State::Backup),
        (script, Unknown, 0, false, 100, State::Init),
        (script, Unknown, 20, false, 100, State::Backup),
        (script, Up, 20, false, 120, State::Backup),
        (script, Down, 20, false, 100, State::Backup),
        (script, Up, -20, false, 100, State::Backup),
        (script, Down, -20, false, 80, State::Backup),
        (script, Up, 20, true, 80, State::Backup),
        (script, Down, -20, true, 120, State::Backup),
        (script, Up, 250, false, 254, State::Backup),
        (script, Down, -250, false, 1, State::Backup),
        (Kind::File, Value(0), 0, false, 100, State::Backup),
        (Kind::File, Value(3), 0, false, 100, State::Fault),
        (Kind::File, Value(3), 0, true, 100, State::Backup),
        (Kind::File, Value(3), 10, false, 130, State::Backup),
        (Kind::File, Value(3), 10, true, 70, State::Backup),
        (Kind::File, Value(-30), 10, false, 100, State::Fault),
        (Kind::File, Value(i64::MAX), 254, false, 254, State::Backup),
        (Kind::File, Value(i64::MIN), 254, true, 254, State::Backup),
        (Kind::Interface(E1), Unknown, 0, false, 100, State::Backup),
        (Kind::Interface(E1), Unknown, 7, false, 107, State::Backup),
        (Kind::Process, Down, 0, false, 100, State::Fault),
        (Kind::Bfd, Down, 0, false, 100, State::Fault),
    ] {
        let lab = Lab::new(tracked(kind, state, weight, reverse));
        let status = lab.router.status(R0).unwrap();
        let what = format!("{kind:?} {state:?} {weight} {reverse}");
        assert_eq!((status.effective_priority, status.state), (priority, expected), "{what}");
        // The same, when it becomes so later.
        let start = if reverse == (weight == 0 && !matches!(kind, Kind::File)) { Down } else { Up };
        let mut lab = Lab::new(tracked(kind, start, weight, reverse));
        lab.with(|router, now| router.handle_track(now, T0, state));
        let later = lab.router.status(R0).unwrap();
        if state != Unknown {
            assert_eq!((later.effective_priority, later.state), (priority, expected), "{what}, later");
        }
    }
}

#[test]
fn a_priority_that_changes_moves_a_running_timer_by_the_skew() {
    let mut lab = Lab::new(tracked(Kind::Script, TrackState::Down, 28, false));
    lab.did();
    lab.pass(ms(1000));
    lab.with(|router, now| router.handle_track(now, T0, TrackState::Up));
    assert_eq!(lab.did(), ["log: (VI_1) Changing effective priority from 100 to 128"]);
    assert_eq!(lab.left(R0), ms(2500));
}

#[test]
fn scripts_that_have_not_run_hold_a_router_in_init() {
    let mut lab = Lab::new(tracked(Kind::Script, TrackState::Unknown, 0, false));
    assert_eq!(lab.did(), ["clear 0"]);
    lab.pass(ms(10_000));
    assert_eq!(lab.state(R0), State::Init);
    lab.with(|router, now| router.handle_track(now, T0, TrackState::Down));
    assert_eq!(lab.log()[0], "(VI_1) Entering FAULT STATE");
    lab.with(|router, now| router.handle_track(now, T0, TrackState::Up));
    assert_eq!(lab.log()[0], "(VI_1) Entering BACKUP STATE");
    let mut lab = Lab::new(tracked(Kind::Script, TrackState::Unknown, 0, false));
    lab.with(|router, now| router.handle_track(now, T0, TrackState::Up));
    assert_eq!(lab.state(R0), State::Backup);
}

#[test]
fn the_own_interface_and_its_address_are_needed() {
    let mut lab = Lab::master(config(1, vec![instance("VI_1", E0, 51, 100)]));
    lab.with(|router, now| router.handle_link(now, E0, LinkChange::Down));
    assert_eq!(
        lab.did(),
        [
            "log: (VI_1) Entering FAULT STATE",
            "log: (VI_1) MASTER to FAULT: interface e0 down",
            "send 0 to 224.0.0.18",
            "send 0 to 224.0.0.18",
            "detail: (VI_1) sent 0 priority",
            "withdraw 0",
            "detail: (VI_1) removing VIPs.",
            "notify INSTANCE 0 FAULT 100",
        ]
    );
    assert_eq!(lab.router.poll_timeout(), None);
    lab.with(|router, now| router.handle_link(now, E0, LinkChange::SourceV4(None)));
    lab.with(|router, now| router.handle_link(now, E0, LinkChange::Up));
    assert_eq!(lab.state(R0), State::Fault, "no address yet");
    let source = Some("10.20.0.1".parse().unwrap());
    lab.with(|router, now| router.handle_link(now, E0, LinkChange::SourceV4(source)));
    assert_eq!(lab.state(R0), State::Backup);
    assert_eq!(lab.left(R0).as_millis(), 3609);

    let mut router = instance("VI_1", E0, 51, 100);
    router.dont_track_primary = true;
    let mut lab = Lab::new(config(1, vec![router]));
    lab.with(|router, now| router.handle_link(now, E0, LinkChange::Down));
    assert_eq!(lab.state(R0), State::Backup);
}

fn group(members: Vec<VirtualRouter>) -> Config {
    let group = Group {
        name: "VG".into(),
        members: (0..members.len()).map(RouterId::at).collect(),
        tracks: Vec::new(),
        tracking_weight: false,
    };
    Config { links: links(1), routers: members, groups: vec![group], ..Config::default() }
}

fn pair() -> Config {
    group(vec![instance("VI_1", E0, 51, 150), instance("VI_2", E1, 52, 150)])
}

fn told(lab: &mut Lab) -> Vec<String> {
    lab.did().into_iter().filter_map(|line| line.strip_prefix("notify ").map(str::to_owned)).collect()
}

/// The same steps with keepalived 2.2.7 give the same lines in the notify FIFO, in the same order.
#[test]
fn members_move_together() {
    let mut lab = Lab::new(pair());
    assert_eq!(told(&mut lab), ["GROUP 0 BACKUP 0", "INSTANCE 0 BACKUP 150", "INSTANCE 1 BACKUP 150"]);
    lab.pass(ms(4000));
    assert_eq!(told(&mut lab), ["INSTANCE 1 MASTER 150", "INSTANCE 0 MASTER 150", "GROUP 0 MASTER 0"]);
    lab.with(|router, now| router.handle_link(now, E1, LinkChange::Down));
    assert_eq!(
        lab.log(),
        [
            "(VI_2) Entering FAULT STATE",
            "(VI_2) MASTER to FAULT: interface e1 down",
            "VRRP_Group(VG) Syncing instances to FAULT state",
            "(VI_1) Entering FAULT STATE",
            "(VI_1) MASTER to FAULT: with VI_2 of sync group VG",
            "VRRP_Group(VG) MASTER to FAULT: interface e1 down",
        ]
    );
    lab.with(|router, now| router.handle_link(now, E1, LinkChange::Up));
    assert_eq!(told(&mut lab), ["INSTANCE 1 BACKUP 150", "INSTANCE 0 BACKUP 150", "GROUP 0 BACKUP 0"]);
    lab.pass(ms(4000));
    assert_eq!((lab.state(R0), lab.state(R1)), (State::Master, State::Master));
    lab.did();
    // A better router for one of them takes both.
    lab.hear(&advert_of(9, instance("VI_1", E0, 51, 200), 200));
    assert_eq!(told(&mut lab), ["INSTANCE 0 BACKUP 150", "INSTANCE 1 BACKUP 150", "GROUP 0 BACKUP 0"]);
}

#[test]
fn one_member_that_still_hears_a_master_holds_the_others() {
    let mut lab = Lab::new(pair());
    let other = advert_of(9, instance("VI_1", E0, 51, 200), 200);
    for _ in 0..20 {
        lab.hear(&other);
        lab.pass(ms(1000));
        assert_eq!((lab.state(R0), lab.state(R1)), (State::Backup, State::Backup));
    }
    lab.pass(ms(8000));
    assert_eq!((lab.state(R0), lab.state(R1)), (State::Master, State::Master));
}

#[test]
fn a_group_starts_in_fault_with_its_member() {
    let mut config = pair();
    config.links[1].up = false;
    let mut lab = Lab::new(config);
    let lines: Vec<String> = lab.log().into_iter().filter(|line| !line.contains(" to FAULT: ")).collect();
    assert_eq!(
        lines,
        [
            "(VI_2): entering FAULT state (interface e1 down)",
            "(VI_2) entering FAULT state",
            "VRRP_Group(VG): Syncing VI_2 to FAULT state",
        ]
    );
    assert_eq!(lab.state(R0), State::Fault);
    let cause = lab.router.status(R1).unwrap().cause;
    assert_eq!(cause, Cause::Fault(FaultReason::Link("e1".into())));
    lab.with(|router, now| router.handle_link(now, E1, LinkChange::Up));
    assert_eq!((lab.state(R0), lab.state(R1)), (State::Backup, State::Backup));
}

#[test]
fn weights_of_members_count_only_if_the_group_says_so() {
    for (tracking_weight, of_group, priority) in [(false, false, 150), (true, false, 170), (false, true, 170)]
    {
        let mut config = pair();
        config.tracks.push(Track { name: "t".into(), kind: Kind::Script, state: TrackState::Up });
        let tracking = Tracking { track: T0, weight: 20, reverse: false };
        config.groups[0].tracking_weight = tracking_weight;
        if of_group {
            config.groups[0].tracks.push(tracking);
        } else {
            config.routers[0].tracks.push(tracking);
        }
        let lab = Lab::new(config);
        assert_eq!(lab.router.status(R0).unwrap().effective_priority, priority);
    }
}
