//! Weights of what a virtual router tracks, where its priority may not follow them.

use super::Check;
use crate::code;
use crate::model::Instance;

/// Takes the weights off tracked interfaces, and drops the scripts that have one.
pub(super) fn clear_weights(instance: &mut Instance, why: &str, check: &mut Check<'_>) {
    let label = &instance.name.text;
    for tracked in instance.track.interfaces.iter_mut().filter(|tracked| tracked.weight.value != 0) {
        let name = &tracked.name.text;
        let message = format!("({label}) ignoring {name} tracked interface weight due to {why}");
        check.say(code::TRACKING, tracked.name.place, message);
        tracked.weight.value = 0;
    }
    instance.track.scripts.retain(|tracked| {
        let weighted = tracked.weight.value != 0;
        if weighted {
            let name = &tracked.name.text;
            let message = format!("({label}) ignoring tracked script {name} with weights due to {why}");
            check.say(code::TRACKING, tracked.name.place, message);
        }
        !weighted
    });
}
