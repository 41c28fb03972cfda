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
    let Some(instance) = global.lvs_sync.as_ref().and_then(|sync| sync.instance.as_ref()) else { return };
    if !draft.instances.iter().any(|one| one.instance.name.text == instance.text) {
        let message = format!(
            "Unable to find vrrp instance {} for lvs_syncd - clearing lvs_syncd config",
            instance.text
        );
        check.mention(code::UNDEFINED, instance.place, message);
        global.lvs_sync = None;
    }
}
