//! Scripts: whether any is run without `enable_script_security`, and which nobody tracks.

use super::Check;
use crate::code;
use crate::lower::Draft;

pub(super) fn run(draft: &mut Draft, check: &mut Check<'_>) {
    let config = &draft.config;
    let groups = draft.sync_groups.iter().map(|group| &group.track);
    let instances = draft.instances.iter().map(|one| &one.instance.track);
    let tracked: Vec<&str> = groups
        .chain(instances)
        .flat_map(|track| &track.scripts)
        .map(|tracked| tracked.name.text.as_str())
        .collect();
    for script in &config.scripts {
        draft.runs_scripts[0] = true;
        if !tracked.contains(&script.name.text.as_str()) {
            let message = format!("Warning - script {} is not used", script.name.text);
            check.mention(code::UNUSED, script.name.place, message);
        }
    }
    let global = &config.global;
    draft.runs_scripts[0] |= [&global.notify_fifo, &global.vrrp_notify_fifo]
        .into_iter()
        .flatten()
        .any(|fifo| fifo.script.is_some() && fifo.path.is_some());
    if global.script_security {
        return;
    }
    let [vrrp, director, once] = draft.runs_scripts;
    // keepalived's checker process reads the file first.
    for (what, runs) in [("check scripts", director), ("scripts", vrrp), ("start/shutdown scripts", once)] {
        if runs {
            let message =
                format!("SECURITY VIOLATION - {what} are being executed but script_security not enabled.");
            check.say(code::SCRIPT_SECURITY, None, message);
        }
    }
}
