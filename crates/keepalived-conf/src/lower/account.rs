//! Users and groups.

use super::{Lower, name_of};
use crate::code;
use crate::model::Account;
use crate::word::Word;

impl Lower<'_> {
    /// A user and, when there is a second word, a group; `None` when either does not exist.
    pub(crate) fn account(&mut self, words: &[Word]) -> Option<Account> {
        let (user, group) = match words {
            [] => return None,
            [user, rest @ ..] => (user, rest.first()),
        };
        if !self.reader.user_exists(&user.text) {
            self.mention(
                code::ACCOUNT,
                user.span,
                format!("Unable to resolve script username '{}' - ignoring", user.text),
            );
            return None;
        }
        if let Some(group) = group
            && !self.reader.group_exists(&group.text)
        {
            self.mention(
                code::ACCOUNT,
                group.span,
                format!("Unable to resolve script group name '{}' - ignoring", group.text),
            );
            return None;
        }
        Some(Account { user: name_of(user), group: group.map(name_of) })
    }
}
