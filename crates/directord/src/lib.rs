//! The director role: what the core decides, done.

pub mod command;
pub mod driver;
pub mod dry;
pub mod dump;
pub mod kernel;
pub mod lower;
pub mod notify;
pub mod parent;
pub mod plan;
pub mod presence;
pub mod probe;
mod run;
pub mod settings;
pub mod status;
pub mod table;

pub use run::{Exit, Options, Reload, run};
