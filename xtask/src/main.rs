//! Chores: test, bench, tidy, fuzz.
fn main() {}
