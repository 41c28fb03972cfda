//! What the role shows of itself in files.

use ek_time::WallTime;
use vrrp::{Cause, State};

/// A change of state, for dumps.
#[derive(Clone, Debug)]
pub struct Transition {
    /// When.
    pub at: WallTime,
    /// From.
    pub from: State,
    /// To.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

use crate::driver::World;
use std::io;

/// Writes `keepalived.data`.
///
/// # Errors
/// Those of writing it.
pub fn write_data(_world: &World) -> io::Result<()> {
    Ok(())
}

/// Writes `keepalived.stats`.
///
/// # Errors
/// Those of writing it.
pub fn write_stats(_world: &World) -> io::Result<()> {
    Ok(())
}

/// Writes `keepalived.json`.
///
/// # Errors
/// Those of writing it.
pub fn write_json(_world: &World) -> io::Result<()> {
    Ok(())
}
