//! The director role: what the core decides, done.

mod command;
pub mod driver;
mod dry;
mod dump;
mod kernel;
pub mod lower;
pub mod notify;
pub mod parent;
pub mod plan;
mod presence;
pub mod probe;
mod run;
mod settings;
pub mod status;
pub mod table;

pub use run::{Exit, Options, Reload, run};
