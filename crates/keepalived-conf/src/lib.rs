//! The language of keepalived.conf: text to typed model, with diagnostics.

pub mod model;
