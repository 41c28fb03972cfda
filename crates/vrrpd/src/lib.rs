//! The VRRP role: what the core decides, done.

pub mod driver;
pub mod dump;
pub mod firewall;
pub mod install;
pub mod interfaces;
pub mod lower;
pub mod notify;
pub mod parent;
pub mod presence;
mod run;
pub mod sockets;
pub mod status;
pub mod sync_daemon;
pub mod track;
pub mod vmac;

pub use run::{Exit, Options, Reload, SIGJSON, SIGSTATS_CLEAR, run};
