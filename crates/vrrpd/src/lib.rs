//! The VRRP role: what the core decides, done.

pub mod log;
pub mod parent;
