//! Statistics of both: what one sent is what the other received.

use super::node::until;
use super::pair::{A, ADDRESS, B, Case, Pair, VIP, config, fast};

/// Waits until no advert is under way between two looks: what one counted as sent, the other counted as received.
fn agree(pair: &Pair, sender: usize) {
    let receiver = 1 - sender;
    until(
        || {
            let [a, b] = [A, B].map(|place| pair.nodes[place].statistics());
            format!("statistics agree: sent by {sender}\na: {a:#?}\nb: {b:#?}")
        },
        || {
            let sent = pair.nodes[sender].statistics();
            let received = pair.nodes[receiver].statistics();
            let then = pair.nodes[sender].statistics();
            let both = |name| sent[&format!("{name}: Sent")] == received[&format!("{name}: Received")];
            sent == then && both("Advertisements") && both("Priority Zero")
        },
    );
}

fn swap(pair: &mut Pair) {
    pair.start(B);
    pair.start(A);
    pair.master_is(A);
    agree(pair, A);
    pair.change(A, "@a priority 150", "@a priority 50");
    pair.master_is(B);
    agree(pair, B);
    agree(pair, A);
    pair.change(A, "@a priority 50", "@a priority 150");
    pair.master_is(A);
    agree(pair, A);
    agree(pair, B);
    for place in [A, B] {
        let statistics = pair.nodes[place].statistics();
        let errors = |name: &str| name.starts_with("Packet Errors") || name.starts_with("Authentication");
        let found: Vec<_> = statistics.iter().filter(|(name, count)| errors(name) && **count > 0).collect();
        assert!(found.is_empty(), "{found:?}");
    }
    let statistics = pair.nodes[A].statistics();
    assert_eq!((statistics["Became master"], statistics["Released master"]), (2, 1));
    pair.stop(A);
    pair.master_is(B);
    until(
        || "priority 0 is counted".to_owned(),
        || pair.nodes[B].statistics()["Priority Zero: Received"] > 0,
    );
    pair.stop(B);
}

#[test]
fn of_version_3() {
    let config = fast(ADDRESS).replace("advert_int 0.2", "advert_int 0.5");
    Case { name: "counters", config, vips: &[VIP], play: swap }.run();
}

#[test]
fn of_version_2() {
    let config =
        config("", &format!("advert_int 1\nauthentication {{\n auth_type PASS\n auth_pass x\n}}\n{ADDRESS}"));
    Case { name: "counters-v2", config, vips: &[VIP], play: swap }.run();
}

/// Each kind of mismatch is counted by both in the same place. Both are Masters, and hear each other's bad adverts.
fn mismatch(pair: &mut Pair) {
    pair.start(A);
    pair.holds(A);
    pair.start(B);
    let errors = |place: usize| {
        let statistics = pair.nodes[place].statistics();
        let kinds = statistics.into_iter().filter(|(name, count)| {
            *count > 0 && (name.starts_with("Packet Errors") || name.starts_with("Authentication"))
        });
        kinds.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let [ours, theirs] = if pair.nodes[A].is_ours() { [A, B] } else { [B, A] };
    pair.holds(B);
    until(|| "both count".to_owned(), || !errors(ours).is_empty() && !errors(theirs).is_empty());
    assert_eq!(errors(ours), errors(theirs));
    pair.stop(A);
    pair.stop(B);
}

#[test]
fn of_wrong_passwords() {
    let config = config(
        "",
        &format!(
            "advert_int 1\nauthentication {{\n auth_type PASS\n@a auth_pass x\n@b auth_pass y\n}}\n{ADDRESS}"
        ),
    );
    Case { name: "wrong-password", config, vips: &[VIP], play: mismatch }.run();
}

#[test]
fn of_wrong_types_of_authentication() {
    let config = config(
        "",
        &format!("advert_int 1\n@b authentication {{\n@b auth_type PASS\n@b auth_pass y\n@b }}\n{ADDRESS}"),
    );
    Case { name: "wrong-auth-type", config, vips: &[VIP], play: mismatch }.run();
}

#[test]
fn of_other_address_lists() {
    let config = fast("virtual_ipaddress {\n 10.20.0.100/24\n@a 10.20.0.101/24\n@b 10.20.0.102/24\n}");
    Case { name: "other-addresses", config, vips: &[VIP], play: mismatch }.run();
}

#[test]
fn of_hop_limits() {
    let config = fast(&format!(
        "@a unicast_src_ip 10.20.0.1\n@b unicast_src_ip 10.20.0.2\nunicast_ttl 64\n\
         unicast_peer {{\n@a 10.20.0.2 min_ttl 65 max_ttl 255\n@b 10.20.0.1 min_ttl 65 max_ttl 255\n}}\n{ADDRESS}"
    ));
    Case { name: "wrong-ttl", config, vips: &[VIP], play: mismatch }.run();
}
