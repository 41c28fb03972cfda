//! `vrrp_sync_group` and `track_group`.

use super::{Draft, Lower, name_of};
use crate::code;
use crate::model::{Name, SyncGroup, TrackGroup};
use crate::tree::Node;

impl Lower<'_> {
    pub(crate) fn sync_group(&mut self, node: &Node, draft: &mut Draft) {
        let Some(name) = self.name(&node.line) else { return };
        let mut group = SyncGroup { name, ..SyncGroup::default() };
        let label = group.name.text.clone();
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "group" => {
                    if group.members.is_empty() {
                        group.members = self.members(child, "sync", &label);
                    } else {
                        let message = format!("Group list already specified for sync group {label}");
                        self.say(code::REPEATED, line.span, message);
                    }
                }
                "smtp_alert" => {
                    let message = |value: &str| format!("Invalid vrrp_group smtp_alert parameter {value}");
                    group.notify.smtp_alert = self.switch(line, message).or(group.notify.smtp_alert);
                }
                "notify_priority_changes" => {
                    let message = |value: &str| {
                        format!(
                            "({label}) Invalid value '{value}' for sync group notify_priority_changes specified"
                        )
                    };
                    group.notify.priority_changes =
                        self.switch(line, message).or(group.notify.priority_changes);
                }
                "global_tracking" => {
                    let message = format!(
                        "({label}) global_tracking is deprecated. Use track_interface/script/file on the sync group"
                    );
                    self.say(code::DEPRECATED, line.span, message);
                    group.tracking_weight = true;
                }
                "sync_group_tracking_weight" => group.tracking_weight = true,
                _ => {
                    let who = format!("vrrp group {label}:");
                    if !self.notify(child, &who, &mut group.notify) {
                        self.tracking(child, &label, None, &mut group.track, draft);
                    }
                }
            }
        }
        draft.runs_scripts[0] |= runs_scripts(&group.notify);
        draft.sync_groups.push(group);
    }

    /// The names in a `group` block.
    fn members(&mut self, node: &Node, kind: &str, group: &str) -> Vec<Name> {
        let words = node.values.iter().flat_map(|line| &line.words);
        let members: Vec<Name> = words.map(name_of).collect();
        if members.is_empty() {
            let message = format!("Warning - {kind} group {group} has empty group block");
            self.say(code::SYNC_GROUP, node.end, message);
        }
        members
    }

    pub(crate) fn track_group(&mut self, node: &Node, draft: &mut Draft) {
        let Some(name) = self.name(&node.line) else { return };
        let mut group = TrackGroup { name, members: Vec::new() };
        for child in &node.body {
            if group.members.is_empty() {
                group.members = self.members(child, "track", &group.name.text.clone());
            } else {
                let message = format!("Group list already specified for sync group {}", group.name.text);
                self.say(code::REPEATED, child.line.span, message);
            }
        }
        draft.track_groups.push(group);
    }
}

/// Whether any script is named.
pub(crate) fn runs_scripts(notify: &crate::model::Notify) -> bool {
    let scripts = [
        &notify.master,
        &notify.backup,
        &notify.fault,
        &notify.stop,
        &notify.master_rx_lower_priority,
        &notify.deleted,
        &notify.any,
    ];
    scripts.into_iter().any(Option::is_some)
}
