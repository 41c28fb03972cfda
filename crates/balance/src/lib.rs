//! Choice of a server among those of a backend: the manual's `balance roundrobin | static-rr | leastconn | first |
//! random(draws)`.
//!
//! A [`Balancer`] knows servers as indices into the slice of [`Member`]s it was made from. It keeps weights, who is
//! usable, and the place of each server in the algorithm; how loaded a server is it asks of [`Load`] at each pick. The
//! order of choice is HAProxy's, server by server, except for `random`, whose order depends on a seed.
//!
//! A new algorithm is a file with the picking and the three events `enter`, `leave`, `reweigh`, and an arm in
//! `balancer.rs`.

mod balancer;
mod fewest;
mod firsts;
mod group;
mod queue;
mod random;
mod smooth;
mod spread;

pub use balancer::{Algorithm, Balancer, Load, Member, Settings, StaticWeights};
