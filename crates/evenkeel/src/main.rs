//! The program: command lines to roles.
fn main() {}
