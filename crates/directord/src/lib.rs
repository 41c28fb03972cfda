//! The director role: what the core decides, done.

pub mod plan;
pub mod probe;
mod run;
pub mod status;

pub use run::{Exit, Options, Reload, run};
