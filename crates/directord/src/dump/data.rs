//! `keepalived_check.data`.

use crate::driver::World;

pub(super) fn render(world: &World) -> String {
    notice::dump::global_definitions(&world.plan.model.global)
}
