//! What can go wrong between a program and its kernel.

use std::fmt;
use std::io;

/// Bytes from the kernel that are no message, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// A request that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error's number, positive.
    pub errno: i32,
    /// The kernel's own words (extended acknowledgement), if it had any.
    pub text: Option<String>,
    /// Where in the request the offending attribute begins, if it said so.
    pub offset: Option<u32>,
    /// The kind of an attribute that is missing, if it said so.
    pub missing: Option<u32>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", io::Error::from_raw_os_error(self.errno))?;
        if let Some(text) = &self.text {
            write!(f, ": {text}")?;
        }
        if let Some(missing) = self.missing {
            write!(f, " (attribute {missing} is missing)")?;
        }
        Ok(())
    }
}

/// Why an operation did not succeed.
#[derive(Debug)]
pub enum Error {
    /// The kernel refused it; what was asked, and its answer.
    Kernel(&'static str, Refusal),
    /// The kernel's answer could not be read; what was asked.
    Malformed(&'static str, Malformed),
    /// A system call failed; which.
    System(&'static str, io::Error),
    /// The kernel's answer did not come in the time allowed.
    TimedOut(&'static str),
    /// Answers were lost because the socket's buffer was full; whether it was done is unknown.
    Overrun(&'static str),
    /// The tables changed during each of several listings.
    Unstable(&'static str),
    /// The request does not fit into a message.
    TooLong(&'static str),
    /// What was asked cannot be asked of any kernel, and why.
    Invalid(String),
}

impl Error {
    /// The error's number, when the kernel or a system call gave one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Kernel(_, refusal) => Some(refusal.errno),
            Self::System(_, error) => error.raw_os_error(),
            _ => None,
        }
    }

    /// It exists already.
    pub fn is_present(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }

    /// There is no such thing (address, route, rule, link, table…).
    pub fn is_missing(&self) -> bool {
        matches!(
            self.errno(),
            Some(libc::ENOENT | libc::ESRCH | libc::ENODEV | libc::ENXIO | libc::EADDRNOTAVAIL)
        )
    }

    /// The process may not do it.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.errno(), Some(libc::EPERM | libc::EACCES))
    }

    /// This kernel cannot do it.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.errno(),
            Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT | libc::ENOSYS)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(what, refusal) => write!(f, "{what}: {refusal}"),
            Self::Malformed(what, malformed) => {
                write!(f, "{what}: the kernel's answer cannot be read: {malformed}")
            }
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::TimedOut(what) => write!(f, "{what}: the kernel did not answer in time"),
            Self::Overrun(what) => {
                write!(f, "{what}: the kernel's answer was lost, the socket's buffer was full")
            }
            Self::Unstable(what) => write!(f, "{what}: the tables changed during every attempt to list them"),
            Self::TooLong(what) => write!(f, "{what}: the request does not fit into a message"),
            Self::Invalid(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(_, error) => Some(error),
            Self::Malformed(_, malformed) => Some(malformed),
            _ => None,
        }
    }
}
