//! One router alone, seen from another host.

use super::node::{Node, Program, until};
use super::pair::VIP;
use std::time::Duration;
use testkit::capture::{Capture, Frame, Kind};
use testkit::lab::{Host, Lab};

/// The hardware address of the router.
pub(crate) const HARDWARE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// The virtual MAC of VRID 51.
const VIRTUAL: [[u8; 6]; 2] = [[0, 0, 0x5e, 0, 1, 51], [0, 0, 0x5e, 0, 2, 51]];

/// What one program sent from its start to its end.
pub(crate) struct Sent {
    pub(crate) adverts: Vec<Frame>,
    pub(crate) announcements: Vec<Frame>,
    pub(crate) memberships: Vec<Frame>,
}

/// Gives a host's link a hardware address, and the addresses it had.
fn readdress(host: &Host, number: u8) {
    for line in [
        "link set e0 down".to_owned(),
        format!("link set e0 address 02:00:00:00:00:{number:02x}"),
        "addr flush dev e0".to_owned(),
        format!("addr add 10.20.0.{number}/24 dev e0"),
        format!("addr add fd20::{number}/64 dev e0 nodad"),
        format!("addr add fe80::{number}/64 dev e0 nodad"),
        "link set e0 up".to_owned(),
    ] {
        host.ip(&line);
    }
}

/// Lets a program be Master for as long as announcements take, and stop.
pub(crate) fn watch(program: Program, config: &str, master_for: Duration) -> Sent {
    let (lab, hosts) = Lab::with_segment(&["a", "o"]);
    readdress(&hosts[0], 1);
    readdress(&hosts[1], 2);
    let mut node = Node::new(&lab, &hosts[0], "a", program);
    node.configure(config);
    let capture = Capture::start(&hosts[1]);
    let of_kind = |kind: &[Kind]| {
        let frames = capture.of(&[HARDWARE, VIRTUAL[0], VIRTUAL[1]]);
        frames.into_iter().filter(|frame| kind.contains(&frame.kind())).collect::<Vec<_>>()
    };
    node.start(&lab);
    let what = || format!("{program:?} advertises long enough: {}", node.log());
    until(what, || {
        let adverts = of_kind(&[Kind::Advert]);
        let (Some(first), Some(last)) = (adverts.first(), adverts.last()) else { return false };
        last.at.duration_since(first.at) > master_for
    });
    assert!(config.contains("fd20::") || hosts[0].has_address(VIP), "{}", node.log());
    node.stop();
    until(
        || format!("{program:?} resigns"),
        || of_kind(&[Kind::Advert]).last().is_some_and(|frame| frame.priority() == Some(0)),
    );
    Sent {
        adverts: of_kind(&[Kind::Advert]),
        announcements: of_kind(&[Kind::Arp, Kind::Neighbour]),
        memberships: of_kind(&[Kind::Membership]),
    }
}
