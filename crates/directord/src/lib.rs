//! The director role: what the core decides, done.

mod command;
mod dry;
pub mod plan;
pub mod probe;
mod run;
pub mod status;
mod table;

pub use run::{Exit, Options, Reload, run};
