//! Sync groups and track groups: who is in them.

use super::Check;
use super::weights::clear_weights;
use crate::code;
use crate::lower::Draft;
use crate::model::{Name, SyncGroup, TrackGroup};
use std::collections::HashMap;

pub(super) fn run(draft: &mut Draft, check: &mut Check<'_>) {
    sync_groups(draft, check);
    let instances: Vec<String> = draft.instances.iter().map(|one| one.instance.name.text.clone()).collect();
    draft.track_groups.retain_mut(|group| keep_track_group(group, &instances, check));
}

fn sync_groups(draft: &mut Draft, check: &mut Check<'_>) {
    let priorities: HashMap<String, u8> =
        draft.instances.iter().map(|one| (one.instance.name.text.clone(), one.instance.priority)).collect();
    let mut owners: HashMap<String, String> = HashMap::new();
    let mut groups = std::mem::take(&mut draft.sync_groups);
    groups.retain_mut(|group| keep_sync_group(group, &priorities, &mut owners, check));
    for group in groups.iter().filter(|group| !group.tracking_weight) {
        for one in &mut draft.instances {
            if group.members.iter().any(|member| member.text == one.instance.name.text) {
                clear_member(&mut one.instance, check);
            }
        }
    }
    draft.sync_groups = groups;
}

/// Members that exist and are in no other group; false when none is left.
fn keep_sync_group(
    group: &mut SyncGroup,
    priorities: &HashMap<String, u8>,
    owners: &mut HashMap<String, String>,
    check: &mut Check<'_>,
) -> bool {
    let (label, place) = (group.name.text.clone(), group.name.place);
    if group.members.is_empty() {
        let message = format!("Sync group {label} has no virtual router(s). removing");
        check.say(code::SYNC_GROUP, place, message);
        return false;
    }
    let mut owned = Vec::new();
    group.members.retain(|member: &Name| {
        let name = &member.text;
        let Some(priority) = priorities.get(name) else {
            let message =
                format!("Virtual router {name} specified in sync group {label} doesn't exist - ignoring");
            check.say(code::UNDEFINED, member.place, message);
            return false;
        };
        if owners.contains_key(name) {
            let message =
                format!("Virtual router {name} cannot exist in more than one sync group; ignoring {label}");
            check.say(code::SYNC_GROUP, member.place, message);
            return false;
        }
        owners.insert(name.clone(), label.clone());
        owned.push(*priority == 255);
        true
    });
    if owned.is_empty() {
        let message =
            format!("Sync group {label}, no matching virtual router found in group declaration - removing");
        check.say(code::SYNC_GROUP, place, message);
        return false;
    }
    if owned.contains(&true) && owned.contains(&false) {
        let message = format!(
            "Sync group {label} has some member(s) as address owner and some not as address owner. This won't work."
        );
        check.say(code::SYNC_GROUP, place, message);
    }
    if owned.len() == 1 {
        let message =
            format!("Sync group {label} has only 1 virtual router(s) - this probably isn't what you want");
        check.say(code::SYNC_GROUP, place, message);
    }
    true
}

/// Weights of a member would pull the group apart; keepalived does not use them.
fn clear_member(instance: &mut crate::model::Instance, check: &mut Check<'_>) {
    clear_weights(instance, "SYNC group", check);
    let label = instance.name.text.clone();
    instance.track.files.retain_mut(|tracked| {
        if tracked.weight.value == 0 {
            return true;
        }
        let name = &tracked.name.text;
        let weight = tracked.weight.value;
        if weight == 1 {
            let message = format!(
                "({label}) ignoring weight from tracked file {name} due to SYNC group. specify weight 0"
            );
            check.say(code::TRACKING, tracked.name.place, message);
            tracked.weight.value = 0;
            return true;
        }
        let message =
            format!("({label}) ignoring tracked file {name} with weight {weight} due to SYNC group");
        check.say(code::TRACKING, tracked.name.place, message);
        false
    });
}

fn keep_track_group(group: &mut TrackGroup, instances: &[String], check: &mut Check<'_>) -> bool {
    let (label, place) = (group.name.text.clone(), group.name.place);
    if group.members.is_empty() {
        check.mention(
            code::SYNC_GROUP,
            place,
            format!("Static track group {label} has no virtual router(s)"),
        );
        return false;
    }
    group.members.retain(|member| {
        let known = instances.contains(&member.text);
        if !known {
            let name = &member.text;
            let message =
                format!("vrrp instance {name} specified in track group {label} doesn't exist - ignoring");
            check.mention(code::UNDEFINED, member.place, message);
        }
        known
    });
    if group.members.is_empty() {
        check.mention(code::SYNC_GROUP, place, format!("Static track group {label} has no VRRP instance(s)"));
        check.mention(code::SYNC_GROUP, place, format!("Static track group {label} init fails - removing"));
        return false;
    }
    true
}
