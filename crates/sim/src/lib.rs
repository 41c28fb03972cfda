//! A simulated network of virtual routers: two to eight hosts on segments that lose, delay, duplicate and reorder packets,
//! that fall apart and grow together again, whose hosts pause, drift, crash, restart and are configured anew. There is no
//! clock and no thread: a [`World`] is a queue of events under one number, so a seed gives the same history each time.
//!
//! [`trial::run`] makes a scenario out of a seed, lets it happen, and sweeps the invariants that the crate is for:
//!
//! * addresses are where a router is Master, and nowhere else, after every single step;
//! * the members of a sync group are Master together or not at all;
//! * once a segment is whole again, each virtual router has one Master after a bounded time, of the highest priority where
//!   preemption is on, and the neighbours' caches point to it;
//! * a Master that dies is replaced within the protocol's bound, one that stops (or whose process is killed, with a parent
//!   that resigns for it) within the skew time.

pub mod chance;
pub mod host;
pub mod scenario;
pub mod segment;
pub mod trial;
pub mod world;

pub use world::World;
