//! The language of haproxy.cfg: text to typed model, with diagnostics.
//!
//! Text → [`lex`]: lines of words with spans, expanded from the [`env`] → [`load::read`]: `.if` blocks decided by
//! [`condition`], lines put together into [`section`]s → [`model`]. Reading never stops at the first error.

pub mod address;
mod checks;
pub mod code;
pub mod condition;
mod directive;
pub mod env;
pub mod keywords;
pub mod lex;
pub mod load;
mod lower;
pub mod model;
mod parse;
pub mod section;
pub mod units;

pub use condition::{Context, evaluate_argument, evaluate_condition};
pub use env::Environment;
pub use lex::Word;
pub use load::{Input, read};
pub use parse::{Machine, Parsed, parse, parse_on};
pub use section::{Document, Line, Section};
