//! From text to model: what is said of each statement, what the model holds, and what the keyword tables promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "runs haproxy beside the core")]

mod any_words;
mod golden;
mod machine;
mod served;
mod statements;
