//! The language of haproxy.cfg: text to typed model, with diagnostics.
//!
//! Text → [`lines`](lex) of words with spans → sections → [`model`]. Reading never stops at the first error.

pub mod model;
