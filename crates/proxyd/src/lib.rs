//! The proxy role: sessions and streams over the reactor

pub mod listeners;
