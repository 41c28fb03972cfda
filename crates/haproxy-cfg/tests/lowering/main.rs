//! From text to model: what is said of each statement, what the model holds, and what the keyword tables promise.

mod golden;
mod machine;
mod served;
mod statements;
