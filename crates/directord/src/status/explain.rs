//! What becomes of a client.

use crate::driver::World;
use serde_json::Value;

/// The answer to `explain`.
pub(super) fn answer(_world: &mut World, _request: &Value) -> Result<Value, String> {
    Err(notice::answer::unknown("explain"))
}
