//! What scripts and FIFOs are told.

use super::node::until;
use super::pair::{A, ADDRESS, B, Case, Pair, VIP, fast};

const SCRIPTS: &str = "notify \"{DIR}/notify\"\nnotify_master \"{DIR}/master now master\"\nnotify_backup {DIR}/backup\n\
                       notify_fault {DIR}/fault\nnotify_stop {DIR}/stop";

/// Scripts are started without being waited for: the next change comes when they have written.
fn told(pair: &Pair, place: usize, count: usize) {
    let node = &pair.nodes[place];
    until(
        || format!("{:?} has called {count}: {:?}", node.program, node.scripts()),
        || node.scripts().len() >= count,
    );
}

fn all_states(pair: &mut Pair) {
    pair.start(A);
    pair.master_is(A);
    told(pair, A, 4);
    pair.start(B);
    pair.nodes[B].logs("Entering BACKUP STATE", 1);
    told(pair, B, 2);
    pair.lab.unplug("lan", 1);
    pair.master_is(B);
    told(pair, A, 6);
    told(pair, B, 4);
    pair.lab.plug("lan", 1);
    pair.master_is(A);
    told(pair, A, 10);
    told(pair, B, 6);
    pair.stop(A);
    pair.master_is(B);
    told(pair, A, 12);
    told(pair, B, 8);
    pair.stop(B);
    told(pair, B, 10);
}

#[test]
fn of_an_instance() {
    let config = fast(&format!("{SCRIPTS}\n{ADDRESS}"));
    Case { name: "notify", config, vips: &[VIP], play: all_states }.run();
}

#[test]
fn of_a_group() {
    let group = format!(
        "vrrp_sync_group VG {{\n group {{\n VI_1\n }}\n{}\n}}\n",
        SCRIPTS.replace("{DIR}/notify\"", "{DIR}/group\"")
    );
    let config = fast(ADDRESS) + &group;
    Case { name: "notify-group", config, vips: &[VIP], play: all_states }.run();
}

/// Both kinds of FIFO lines that are no changes of state.
#[test]
fn of_priorities_and_lower_masters() {
    let config =
        fast(&format!("notify_priority_changes true\nnotify_master_rx_lower_pri {{DIR}}/notify\n{ADDRESS}"));
    let play = |pair: &mut Pair| {
        pair.start(A);
        pair.master_is(A);
        pair.start(B);
        pair.nodes[B].logs("Entering BACKUP STATE", 1);
        pair.change(A, "@a priority 150", "@a priority 140");
        pair.change(B, "@b priority 100", "@b priority 110");
        pair.master_is(A);
        pair.stop(A);
        pair.master_is(B);
        pair.stop(B);
    };
    Case { name: "notify-priorities", config, vips: &[VIP], play }.run();
}
