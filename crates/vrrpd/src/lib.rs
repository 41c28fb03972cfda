//! The VRRP role: what the core decides, done.

pub mod account;
pub mod driver;
pub mod dump;
pub mod fifo;
pub mod firewall;
pub mod install;
pub mod interfaces;
pub mod log;
pub mod lower;
pub mod mail;
pub mod mailbox;
pub mod notify;
pub mod parent;
pub mod presence;
mod run;
pub mod script;
pub mod security;
pub mod sockets;
pub mod status;
pub mod track;
pub mod vmac;

pub use run::{Exit, Options, Reload, SIGJSON, SIGSTATS_CLEAR, run};
