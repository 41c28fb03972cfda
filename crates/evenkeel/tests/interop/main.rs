//! Beside Debian's keepalived, in network namespaces: ours as the master and as the backup of a pair, in each mode; and
//! each alone, on the same address with the same configuration, its packets compared field by field.
//!
//! Every case of a pair is played twice, ours and keepalived having changed places. So what each node wrote to its log and
//! told its FIFO can be compared with what the other program wrote in that place. What may differ is in
//! docs/differences-keepalived.md.
//!
//! Needs root, iproute2 and keepalived; nothing is skipped without them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod alone;
mod counters;
mod election;
mod modes;
mod node;
mod notification;
mod packets;
mod pair;
mod tracking;
mod transcript;
