//! Refusals in keepalived's words.

use director::plane::{Change, Family, PlaneError, ServiceKey};
use std::borrow::Cow;
use std::fmt::Write as _;

/// What was asked of IPVS: the same error number means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A change of the table.
    Change(&'a Change),
    /// To remove all services.
    Flush,
    /// To look at a service.
    Look,
    /// To set timeouts.
    SetTimeouts,
    /// To start a sync daemon.
    StartSync,
    /// To stop a sync daemon.
    StopSync,
    /// To set counters to zero.
    Zero,
}

/// The number of the first of the socket options of old, by which keepalived still calls commands.
const FIRST_OPTION: u32 = 64 + 1024 + 64;

impl Asked<'_> {
    /// Why it was refused, in the words of keepalived and ipvsadm.
    pub fn why(&self, error: &PlaneError) -> Cow<'static, str> {
        if let PlaneError::Unavailable(why) = error {
            return why.clone().into();
        }
        let errno = error.errno().unwrap_or_default();
        if let Some(words) = self.own_words(errno) {
            return words.into();
        }
        match errno {
            libc::EPERM => "Permission denied (you must be root)".into(),
            libc::EINVAL => {
                "Invalid operation.  Possibly wrong module version, address not unicast, ...".into()
            }
            libc::ENOPROTOOPT => "Protocol not available".into(),
            libc::ENOMEM => "Memory allocation problem".into(),
            libc::EOPNOTSUPP => "Operation not supported with IPv6".into(),
            libc::EAFNOSUPPORT => "Operation not supported with specified address family".into(),
            libc::EMSGSIZE => "Module is wrong version".into(),
            other => {
                let words = std::io::Error::from_raw_os_error(other).to_string();
                let end = words.rfind(" (os error").unwrap_or(words.len());
                words.get(..end).unwrap_or(&words).to_owned().into()
            }
        }
    }

    fn own_words(&self, errno: i32) -> Option<&'static str> {
        Some(match (self, errno) {
            (Self::Change(Change::AddService(_)), libc::EEXIST) => "Service already exists",
            (Self::Change(Change::AddService(_) | Change::EditService(_)), libc::ENOENT) => {
                "Scheduler or persistence engine not found"
            }
            (
                Self::Change(Change::EditService(_) | Change::RemoveService(_)) | Self::Zero | Self::Look,
                libc::ESRCH,
            ) => "No such service",
            (
                Self::Change(
                    Change::AddDestination(..) | Change::EditDestination(..) | Change::RemoveDestination(..),
                ),
                libc::ESRCH,
            ) => "Service not defined",
            (Self::Change(Change::AddDestination(..)), libc::EEXIST) => "Destination already exists",
            (Self::Change(Change::EditDestination(..) | Change::RemoveDestination(..)), libc::ENOENT) => {
                "No such destination"
            }
            (Self::StartSync, libc::EEXIST) => "Daemon has already run",
            (Self::StopSync, libc::ESRCH) => "No daemon is running",
            _ => return None,
        })
    }

    /// The line that keepalived would log, for example
    /// `IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Destination already exists(17) (10.0.0.1:tcp:80 -> 10.0.0.2:80)`.
    pub fn line(&self, error: &PlaneError) -> String {
        let (name, option) = match self {
            Self::Change(Change::AddService(_)) => ("ADD", 2),
            Self::Change(Change::EditService(_)) => ("EDIT", 3),
            Self::Change(Change::RemoveService(_)) => ("DEL", 4),
            Self::Flush => ("FLUSH", 5),
            Self::Look => ("LIST", 6),
            Self::Change(Change::AddDestination(..)) => ("ADDDEST", 7),
            Self::Change(Change::RemoveDestination(..)) => ("DELDEST", 8),
            Self::Change(Change::EditDestination(..)) => ("EDITDEST", 9),
            Self::SetTimeouts => ("TIMEOUT", 10),
            Self::StartSync => ("STARTDAEMON", 11),
            Self::StopSync => ("STOPDAEMON", 12),
            Self::Zero => ("ZERO", 15),
        };
        let mut line = format!("IPVS cmd IP_VS_SO_SET_{name}({}) error: ", FIRST_OPTION + option);
        let _ = write!(line, "{}", self.why(error));
        if let Some(errno) = error.errno() {
            let _ = write!(line, "({errno})");
        }
        if let Self::Change(change) = self {
            let _ = match change.service() {
                ServiceKey::Address { protocol, address, port } => {
                    write!(line, " ({address}:{}:{port}", protocol.name())
                }
                ServiceKey::Mark { family: Family::V4, mark } => write!(line, " (Fwm {mark}"),
                ServiceKey::Mark { family: Family::V6, mark } => write!(line, " (Fwm {mark} inet6"),
            };
            if let Some(key) = change.destination() {
                let _ = write!(line, " -> {}:{}", key.address, key.port);
            }
            line.push(')');
        }
        line
    }
}
