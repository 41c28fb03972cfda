//! Giving up what was needed only to start.

use haproxy_cfg::model::Global;
use reactor::process::{self, Groups, Privileges};

/// `chroot`, then `gid`/`group`, then `uid`/`user`.
///
/// # Errors
/// In HAProxy's words; the process should end.
pub(crate) fn drop(global: &Global) -> Result<(), String> {
    let gid = global.gid;
    let groups = if gid.is_some() { Groups::Set(Vec::new()) } else { Groups::Keep };
    let privileges = Privileges { groups: &groups, chroot: global.chroot.as_deref(), gid, uid: global.uid };
    process::drop_privileges(&privileges).map_err(|error| {
        let step = error.to_string();
        let step = step.split(':').next().unwrap_or_default();
        match (step, &global.chroot, global.gid, global.uid) {
            ("chroot", Some(root), ..) => format!("[haproxy.main()] Cannot chroot({}).", root.display()),
            ("setgid", _, Some(gid), _) => format!("[haproxy.main()] Cannot set gid {gid}."),
            ("setuid", _, _, Some(uid)) => format!("[haproxy.main()] Cannot set uid {uid}."),
            _ => format!("[haproxy.main()] Cannot give up privileges: {error}."),
        }
    })
}

/// What HAProxy warns of: root without need.
pub(crate) fn advice(global: &Global) -> Option<&'static str> {
    let root = process::effective_uid() == 0;
    (root && global.chroot.is_some() && global.uid.is_none()).then_some(
        "[haproxy.main()] Some options which require full privileges might not work well: the process stays root \
         inside its chroot.",
    )
}
