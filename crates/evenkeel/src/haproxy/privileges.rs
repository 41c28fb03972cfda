//! Giving up what was needed only to start.

use haproxy_cfg::model::Global;
use nix::unistd::{Group, User};
use reactor::process::{self, Groups, Privileges};

/// `chroot`, then `gid`/`group`, then `uid`/`user`; and no program executed later gains any back.
///
/// # Errors
/// In HAProxy's words; the process should end.
pub(crate) fn drop(global: &Global) -> Result<(), String> {
    // Names are looked up here, where the databases are still in reach.
    let gid = match &global.group {
        Some((name, _)) => Some(group_id(name)?),
        None => global.gid,
    };
    let uid = match &global.user {
        Some((name, _)) => Some(user_id(name)?),
        None => global.uid,
    };
    let groups = if gid.is_some() { Groups::Set(Vec::new()) } else { Groups::Keep };
    let privileges = Privileges { groups: &groups, chroot: global.chroot.as_deref(), gid, uid };
    process::drop_privileges(&privileges).map_err(|error| {
        let step = error.to_string();
        let step = step.split(':').next().unwrap_or_default();
        match (step, &global.chroot, gid, uid) {
            ("chroot", Some(root), ..) => format!("[haproxy.main()] Cannot chroot({}).", root.display()),
            ("setgid", _, Some(gid), _) => format!("[haproxy.main()] Cannot set gid {gid}."),
            ("setuid", _, _, Some(uid)) => format!("[haproxy.main()] Cannot set uid {uid}."),
            _ => format!("[haproxy.main()] Cannot give up privileges: {error}."),
        }
    })?;
    process::set_no_new_privileges()
        .map_err(|error| format!("[haproxy.main()] Cannot give up privileges: {error}."))
}

fn user_id(name: &str) -> Result<u32, String> {
    let user = User::from_name(name).ok().flatten();
    Ok(user.ok_or_else(|| format!("[haproxy.main()] cannot find user id for '{name}'."))?.uid.as_raw())
}

fn group_id(name: &str) -> Result<u32, String> {
    let group = Group::from_name(name).ok().flatten();
    Ok(group.ok_or_else(|| format!("[haproxy.main()] cannot find group id for '{name}'."))?.gid.as_raw())
}
