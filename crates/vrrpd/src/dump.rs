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
