//! The VRRP role: what the core decides, done.

pub mod account;
pub mod fifo;
pub mod install;
pub mod interfaces;
pub mod log;
pub mod lower;
pub mod mail;
pub mod mailbox;
pub mod notify;
pub mod parent;
pub mod script;
pub mod security;
pub mod track;
