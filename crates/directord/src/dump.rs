//! What the role shows of itself in a file, in keepalived's format: `keepalived_check.data`.

mod data;

use crate::driver::World;
use notice::dump::{place, write};
use std::io;

/// Writes `keepalived_check.data`.
///
/// # Errors
/// Those of writing it.
pub fn write_data(world: &World) -> io::Result<()> {
    let global = &world.plan.model.global;
    let path = place(global, global.state_dump_file.as_deref(), "_check", "data");
    write(&path, data::render(world).as_bytes())
}

/// Writes what `keepalived_check.data` would say to the log.
pub fn log_data(world: &World) {
    data::render(world).lines().for_each(|line| world.log.info(line));
}
