//! Who is Master: priorities, preemption, reloads.

use super::pair::{A, ADDRESS, B, Case, Pair, VIP, config, fast, stop_and_part};

fn run(name: &'static str, config: String, play: fn(&mut Pair)) {
    run_except(name, &[], config, play);
}

fn run_except(name: &'static str, differences: &[(&str, &str)], config: String, play: fn(&mut Pair)) {
    Case { name, config, vips: &[VIP], play }.run_except(differences);
}

#[test]
fn the_first_says_master_from_the_start() {
    let config = fast(&format!("@a state MASTER\n@b state BACKUP\n{ADDRESS}"));
    run("state-master", config, stop_and_part);
}

/// The one that returns leaves the other in peace, until that one goes.
#[test]
fn without_preemption() {
    run("nopreempt", fast(&format!("nopreempt\n{ADDRESS}")), |pair| {
        pair.start(A);
        pair.master_is(A);
        pair.start(B);
        pair.nodes[B].logs("Entering BACKUP STATE", 1);
        pair.stop(A);
        pair.master_is(B);
        pair.start(A);
        pair.nodes[A].logs("Entering BACKUP STATE", 2);
        // Heard as a Backup: many adverts of the lower one.
        let heard = |pair: &Pair| pair.nodes[A].statistics()["Advertisements: Received"];
        super::node::until(|| "adverts are heard".to_owned(), || heard(pair) > 8);
        pair.master_is(B);
        pair.stop(B);
        pair.master_is(A);
        pair.stop(A);
        pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        pair.entered(B, &["BACKUP", "MASTER"]);
    });
}

/// Two Masters meet: preemption or not, the higher stays.
#[test]
fn without_preemption_a_partition_heals() {
    run("nopreempt-partition", fast(&format!("nopreempt\n{ADDRESS}")), |pair| {
        pair.start(A);
        pair.master_is(A);
        pair.start(B);
        pair.nodes[B].logs("Entering BACKUP STATE", 1);
        pair.isolate(A);
        pair.holds(B);
        pair.rejoin(A);
        pair.master_is(A);
        pair.stop(A);
        pair.master_is(B);
        pair.stop(B);
        pair.entered(A, &["BACKUP", "MASTER"]);
        pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
    });
}

#[test]
fn with_delayed_preemption() {
    run("preempt-delay", fast(&format!("preempt_delay 2\n{ADDRESS}")), |pair| {
        pair.start(B);
        pair.master_is(B);
        pair.start(A);
        pair.nodes[A].logs("start preempt delay", 1);
        pair.master_is(B);
        pair.master_is(A);
        // While the delay runs the other goes.
        pair.stop(A);
        pair.master_is(B);
        pair.start(A);
        pair.nodes[A].logs("start preempt delay", 2);
        pair.stop(B);
        pair.master_is(A);
        pair.stop(A);
        pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
    });
}

#[test]
fn priorities_change_by_reload() {
    run("reload-priority", fast(ADDRESS), |pair| {
        pair.start(A);
        pair.master_is(A);
        pair.start(B);
        pair.nodes[B].logs("Entering BACKUP STATE", 1);
        // The master's goes down and up, the backup's up and down.
        pair.change(A, "@a priority 150", "@a priority 50");
        pair.master_is(B);
        pair.change(A, "@a priority 50", "@a priority 150");
        pair.master_is(A);
        pair.change(B, "@b priority 100", "@b priority 200");
        pair.master_is(B);
        pair.change(B, "@b priority 200", "@b priority 100");
        pair.master_is(A);
        pair.stop(A);
        pair.master_is(B);
        pair.stop(B);
        pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER", "BACKUP", "MASTER"]);
        pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER", "BACKUP", "MASTER"]);
    });
}

#[test]
fn a_reload_that_changes_nothing_moves_nothing() {
    run("reload-nothing", fast(ADDRESS), |pair| {
        pair.start(A);
        pair.master_is(A);
        pair.start(B);
        pair.nodes[B].logs("Entering BACKUP STATE", 1);
        for place in [A, B] {
            pair.change(place, "advert_int 0.2", "advert_int 0.2");
            let reloaded = |pair: &Pair| pair.nodes[place].statistics()["Advertisements: Sent"];
            let before = reloaded(pair);
            if place == A {
                super::node::until(|| "adverts go on".to_owned(), || reloaded(pair) > before + 4);
            }
        }
        pair.master_is(A);
        pair.stop(A);
        pair.master_is(B);
        pair.stop(B);
    });
}

/// Addresses come and go without a change of state.
#[test]
fn addresses_change_by_reload() {
    run_except(
        "reload-addresses",
        &[("addresses-at-reload", " no longer exist"), ("addresses-at-reload", " setting VIPs.")],
        fast(ADDRESS),
        |pair| {
            pair.start(A);
            pair.master_is(A);
            pair.change(A, " 10.20.0.100/24", " 10.20.0.100/24\n 10.20.0.101/24");
            let host = pair.nodes[A].host.clone();
            super::node::until(|| "the address comes".to_owned(), || host.has_address("10.20.0.101"));
            pair.change(A, "\n 10.20.0.101/24", "");
            super::node::until(|| "the address goes".to_owned(), || !host.has_address("10.20.0.101"));
            pair.master_is(A);
            pair.stop(A);
            pair.nobody();
            pair.start(B);
            pair.master_is(B);
            pair.stop(B);
            pair.entered(A, &["BACKUP", "MASTER"]);
        },
    );
}

#[test]
fn the_owner_has_priority_255() {
    let config = fast(&format!("@a state MASTER\n{ADDRESS}")).replace("@a priority 150", "@a priority 255");
    run("owner", config, |pair| {
        pair.start(B);
        pair.master_is(B);
        pair.start(A);
        pair.master_is(A);
        pair.stop(A);
        pair.master_is(B);
        pair.start(A);
        pair.master_is(A);
        pair.stop(A);
        pair.master_is(B);
        pair.stop(B);
        pair.entered(A, &["MASTER", "MASTER"]);
        pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER", "BACKUP", "MASTER"]);
    });
}

/// The higher address wins, when both are Masters; a Backup does not preempt its equal.
#[test]
fn equal_priorities() {
    let config = fast(ADDRESS).replace("@a priority 150", "@a priority 100");
    run("equal", config, |pair| {
        pair.start(A);
        pair.master_is(A);
        pair.start(B);
        pair.nodes[B].logs("Entering BACKUP STATE", 1);
        let heard = |pair: &Pair| pair.nodes[B].statistics()["Advertisements: Received"];
        super::node::until(|| "adverts are heard".to_owned(), || heard(pair) > 8);
        pair.master_is(A);
        pair.isolate(A);
        pair.holds(B);
        pair.rejoin(A);
        pair.master_is(B);
        pair.stop(B);
        pair.master_is(A);
        pair.stop(A);
        pair.entered(A, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        pair.entered(B, &["BACKUP", "MASTER"]);
    });
}

/// Different intervals: the Backup of version 3 takes over the Master's.
#[test]
fn the_backup_learns_the_interval() {
    let config = config("vrrp_version 3", &format!("@a advert_int 0.3\n@b advert_int 0.1\n{ADDRESS}"));
    run_except(
        "learnt-interval",
        &[("interval-by-new-master", "advertisement interval updated")],
        config,
        |pair| {
            pair.start(A);
            pair.master_is(A);
            pair.start(B);
            pair.nodes[B].logs("advertisement interval updated", 1);
            pair.master_is(A);
            pair.stop(A);
            pair.master_is(B);
            pair.start(A);
            pair.master_is(A);
            pair.stop(A);
            pair.master_is(B);
            pair.stop(B);
            pair.entered(B, &["BACKUP", "MASTER", "BACKUP", "MASTER"]);
        },
    );
}
