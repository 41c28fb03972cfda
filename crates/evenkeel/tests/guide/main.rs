//! The administration guide's load balancers, run as it says, on a kernel with IPVS: its NAT pair and its direct-routing
//! pair (its files, but for the names of the interfaces), VRRP and director together, with real servers and clients; its
//! firewall marks and its FTP.
//!
//! Each test runs itself in a guest of User-Mode-Linux (`testkit::uml`); nothing is skipped without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod direct_routing;
mod ftp;
mod marks;
mod nat;
mod schedulers;
mod town;

use std::time::Duration;
use testkit::uml::Guest;

/// Everything here waits for checks that come every six or ten seconds.
const GUEST: Guest = Guest { limit: Duration::from_secs(420), memory: 512 };
