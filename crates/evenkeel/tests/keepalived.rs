//! The program in keepalived's place: command line, configuration test, and the processes of a running router in network
//! namespaces, beside keepalived where that decides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "keepalived/children.rs"]
mod children;
#[path = "keepalived/command_line.rs"]
mod command_line;
#[path = "keepalived/config_test.rs"]
mod config_test;
#[path = "keepalived/death.rs"]
mod death;
#[path = "keepalived/hardship.rs"]
mod hardship;
#[path = "keepalived/life.rs"]
mod life;
#[path = "keepalived/node.rs"]
mod node;
#[path = "keepalived/segment.rs"]
mod segment;
#[path = "keepalived/sync_daemon.rs"]
mod sync_daemon;
