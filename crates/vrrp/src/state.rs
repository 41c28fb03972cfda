//! The states of a virtual router (RFC 9568 6.4), with keepalived's Fault.

use core::fmt;

/// State of a virtual router or a sync group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Not started, or waiting for the first results of what it tracks.
    #[default]
    Init,
    /// Watching the Master.
    Backup,
    /// Holding the addresses and advertising.
    Master,
    /// Unable to take part: a link is down, something tracked has failed, or the sync group is in this state.
    Fault,
}

impl State {
    /// As keepalived's FIFOs, scripts and log lines say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        }
    }

    /// As keepalived's dumps number it: INIT 0, BACKUP 1, MASTER 2, FAULT 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::Init => 0,
            Self::Backup => 1,
            Self::Master => 2,
            Self::Fault => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
