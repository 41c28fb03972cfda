//! `lvs_sync_daemon`: the virtual router it follows.

use super::Check;
use crate::code;
use crate::lower::Draft;
use crate::model::LvsSync;

pub(super) fn run(draft: &mut Draft, check: &mut Check<'_>) {
    let global = &mut draft.config.global;
    // The old form stands in the instance that is followed.
    if global.lvs_sync.is_none() {
        global.lvs_sync = draft.instances.iter().find_map(|one| {
            let interface = one.instance.lvs_sync_interface.as_deref()?.clone();
            Some(LvsSync {
                interface,
                instance: Some(one.instance.name.clone()),
                id: None,
                max_length: None,
                port: None,
                ttl: None,
                group: None,
            })
        });
    }
    let Some(sync) = &mut global.lvs_sync else { return };
    let Some(instance) = &sync.instance else {
        sync.id.get_or_insert(0);
        return;
    };
    let mut instances = draft.instances.iter().map(|one| &one.instance);
    match instances.find(|one| one.name.text == instance.text) {
        Some(one) => drop(sync.id.get_or_insert(one.virtual_router_id)),
        None => {
            let name = &instance.text;
            let message =
                format!("Unable to find vrrp instance {name} for lvs_syncd - clearing lvs_syncd config");
            // The VRRP role says it again when it begins, and goes without the daemon.
            check.mention(code::UNDEFINED, instance.place, message);
        }
    }
}
