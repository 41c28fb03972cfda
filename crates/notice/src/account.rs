//! Whom programs run as.

use keepalived_conf::model;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::cell::OnceCell;
use std::ffi::CString;

/// A user with its groups, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups; the group alone unless `set_supplementary_groups`.
    pub groups: Vec<u32>,
}

/// The accounts of a configuration, looked up.
#[derive(Clone, Debug)]
pub struct Accounts {
    script_user: Option<model::Account>,
    /// Looked up when it is first asked for: most configurations run nothing, and what looks users up may be large.
    default: OnceCell<Option<RunAs>>,
    supplementary: bool,
    security: bool,
}

/// The user that scripts run as when no `script_user` is said.
pub const DEFAULT_USER: &str = "keepalived_script";

impl Accounts {
    /// Those of a configuration. The default account is `script_user`, else `keepalived_script`, else whom this process
    /// runs as; the last not with `enable_script_security`, with which a script without an account does not run.
    pub fn new(global: &model::Global) -> Self {
        Self {
            script_user: global.script_user.clone(),
            default: OnceCell::new(),
            supplementary: global.supplementary_groups,
            security: global.script_security,
        }
    }

    /// Whom scripts run as that do not say.
    pub fn default_user(&self) -> Option<&RunAs> {
        let default = self.default.get_or_init(|| match &self.script_user {
            Some(account) => self.look_up(account),
            None => self.user(DEFAULT_USER, None).or_else(|| {
                let own = || RunAs {
                    uid: Uid::effective().as_raw(),
                    gid: Gid::effective().as_raw(),
                    groups: vec![Gid::effective().as_raw()],
                };
                (!self.security).then(own)
            }),
        });
        default.as_ref()
    }

    /// Whom a script runs as; `None`: there is no such user or group, so it must not run.
    pub fn of(&self, script: &model::Script) -> Option<RunAs> {
        match &script.account {
            Some(account) => self.look_up(account),
            None => self.default_user().cloned(),
        }
    }

    /// The account of a configuration's words.
    pub fn look_up(&self, account: &model::Account) -> Option<RunAs> {
        self.user(&account.user.text, account.group.as_ref().map(|group| group.text.as_str()))
    }

    fn user(&self, user: &str, group: Option<&str>) -> Option<RunAs> {
        let entry = match User::from_name(user).ok().flatten() {
            Some(entry) => Some(entry),
            None => User::from_uid(Uid::from_raw(user.parse().ok()?)).ok().flatten(),
        };
        let uid = entry.as_ref().map_or_else(|| user.parse().ok(), |entry| Some(entry.uid.as_raw()))?;
        let gid = match group {
            Some(group) => match Group::from_name(group).ok().flatten() {
                Some(group) => group.gid.as_raw(),
                None => group.parse().ok()?,
            },
            None => entry.as_ref().map(|entry| entry.gid.as_raw())?,
        };
        let groups = match (&entry, self.supplementary) {
            (Some(entry), true) => CString::new(entry.name.as_str())
                .ok()
                .and_then(|name| getgrouplist(&name, Gid::from_raw(gid)).ok())
                .map(|groups| groups.into_iter().map(Gid::as_raw).collect()),
            _ => None,
        };
        Some(RunAs { uid, gid, groups: groups.unwrap_or_else(|| vec![gid]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str, group: Option<&str>) -> model::Account {
        let name = |text: &str| model::Name { text: text.to_owned(), place: None };
        model::Account { user: name(user), group: group.map(name) }
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        let accounts = Accounts::new(&model::Global::default());
        let root = RunAs { uid: 0, gid: 0, groups: vec![0] };
        assert_eq!(accounts.look_up(&account("root", None)), Some(root.clone()));
        assert_eq!(accounts.look_up(&account("0", Some("0"))), Some(root));
        assert_eq!(accounts.look_up(&account("no-such-user", None)), None);
        assert_eq!(accounts.look_up(&account("root", Some("no-such-group"))), None);
        let numbered = accounts.look_up(&account("54321", Some("54322")));
        assert_eq!(numbered, Some(RunAs { uid: 54321, gid: 54322, groups: vec![54322] }));
    }
}
