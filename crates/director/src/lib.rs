//! The director.

pub mod plane;
