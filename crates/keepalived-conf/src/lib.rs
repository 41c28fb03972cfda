//! The language of keepalived.conf: text to typed model, with diagnostics.
//!
//! Files (through a [`Reader`]) → lines: comments, `@id`, parameters, sequences, includes ([`word`] has their words) →
//! blocks of [`keywords`] → [`model`] → checks of the whole. Reading never stops at the first error, and like
//! keepalived it goes on with what it could make of the rest. [`KeepalivedLines`] says it all as keepalived does.

mod checks;
pub mod code;
mod definition;
mod glob;
mod interfaces;
pub mod keywords;
mod lines;
mod load;
mod lower;
pub mod model;
mod reader;
mod source;
mod tree;
pub mod word;

pub use interfaces::{InterfaceFacts, InterfaceTable, Named, Unknown};
pub use lines::{KeepalivedLines, Verdict, verdict};
pub use load::{Loaded, Options, load};
pub use reader::{Disk, FileKind, Memory, Reader};
