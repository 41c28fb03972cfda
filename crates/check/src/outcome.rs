//! What one check found.

use core::time::Duration;

/// How a check ended, by the names statistics and logs use (`check_status` in the manual's statistics chapter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Status {
    /// `UNK`: nothing known.
    #[default]
    Unknown,
    /// `INI`: no check has ended yet.
    Initializing,
    /// `SOCKERR`: the socket failed, before or after the connection stood.
    SocketError,
    /// `L4OK`: the connection was accepted, and no more was asked.
    L4Ok,
    /// `L4TOUT`: no connection in time.
    L4Timeout,
    /// `L4CON`: the connection was refused or unreachable.
    L4Connection,
    /// `L6OK`: the TLS handshake succeeded.
    L6Ok,
    /// `L6TOUT`: no end of the TLS handshake in time.
    L6Timeout,
    /// `L6RSP`: the TLS handshake failed.
    L6Response,
    /// `L7TOUT`: no complete answer in time.
    L7Timeout,
    /// `L7RSP`: the answer cannot be understood.
    L7Response,
    /// `L7OK`: a good answer.
    L7Ok,
    /// `L7OKC`: a good answer of a server that takes no new work (404 with `http-check disable-on-404`).
    L7OkConditional,
    /// `L7STS`: an answer that says the server is not well.
    L7Status,
    /// `PROCERR`: the external check could not run, or failed.
    ProcessError,
    /// `PROCTOUT`: the external check did not end in time.
    ProcessTimeout,
    /// `PROCOK`: the external check passed.
    ProcessOk,
}

/// What a [`Status`] means for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Says nothing.
    Unknown,
    /// Counts against the server.
    Failed,
    /// Counts for the server.
    Passed,
    /// Counts for the server, which asks for no new work.
    Conditional,
}

impl Status {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 17] = [
        Self::Unknown,
        Self::Initializing,
        Self::SocketError,
        Self::L4Ok,
        Self::L4Timeout,
        Self::L4Connection,
        Self::L6Ok,
        Self::L6Timeout,
        Self::L6Response,
        Self::L7Timeout,
        Self::L7Response,
        Self::L7Ok,
        Self::L7OkConditional,
        Self::L7Status,
        Self::ProcessError,
        Self::ProcessTimeout,
        Self::ProcessOk,
    ];

    /// Verdict, short name, long description.
    const fn entry(self) -> (Verdict, &'static str, &'static str) {
        use Verdict::{Conditional, Failed, Passed, Unknown};
        match self {
            Self::Unknown => (Unknown, "UNK", "Unknown"),
            Self::Initializing => (Unknown, "INI", "Initializing"),
            Self::SocketError => (Failed, "SOCKERR", "Socket error"),
            Self::L4Ok => (Passed, "L4OK", "Layer4 check passed"),
            Self::L4Timeout => (Failed, "L4TOUT", "Layer4 timeout"),
            Self::L4Connection => (Failed, "L4CON", "Layer4 connection problem"),
            Self::L6Ok => (Passed, "L6OK", "Layer6 check passed"),
            Self::L6Timeout => (Failed, "L6TOUT", "Layer6 timeout"),
            Self::L6Response => (Failed, "L6RSP", "Layer6 invalid response"),
            Self::L7Timeout => (Failed, "L7TOUT", "Layer7 timeout"),
            Self::L7Response => (Failed, "L7RSP", "Layer7 invalid response"),
            Self::L7Ok => (Passed, "L7OK", "Layer7 check passed"),
            Self::L7OkConditional => (Conditional, "L7OKC", "Layer7 check conditionally passed"),
            Self::L7Status => (Failed, "L7STS", "Layer7 wrong status"),
            Self::ProcessError => (Failed, "PROCERR", "External check error"),
            Self::ProcessTimeout => (Failed, "PROCTOUT", "External check timeout"),
            Self::ProcessOk => (Passed, "PROCOK", "External check passed"),
        }
    }

    /// The short name, as in the statistics: `L4OK`.
    pub const fn name(self) -> &'static str {
        self.entry().1
    }

    /// The words logs use: `Layer4 check passed`.
    pub const fn description(self) -> &'static str {
        self.entry().2
    }

    /// What it means for the server.
    pub const fn verdict(self) -> Verdict {
        self.entry().0
    }

    /// Whether a code goes with it (an HTTP status, an exit status), so that logs show one.
    pub const fn has_code(self) -> bool {
        matches!(
            self,
            Self::L7Ok
                | Self::L7OkConditional
                | Self::L7Status
                | Self::ProcessError
                | Self::ProcessTimeout
                | Self::ProcessOk
        )
    }
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// The result of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The code, where [`Status::has_code`]; zero when none was seen.
    pub code: u16,
    /// What else there is to say, at most [`Outcome::INFO_MAX`] bytes: the system's words for an error, or what the
    /// server said, byte for byte.
    pub info: Vec<u8>,
    /// How long the check took; `None` when it was not timed.
    pub duration: Option<Duration>,
}

impl Outcome {
    /// The most bytes kept of what a server says of itself.
    pub const INFO_MAX: usize = 127;

    /// An outcome with nothing else to say.
    pub const fn new(status: Status) -> Self {
        Self { status, code: 0, info: Vec::new(), duration: None }
    }

    /// The same with a code.
    pub fn with_code(mut self, code: u16) -> Self {
        self.code = code;
        self
    }

    /// The same with something to say; what is beyond [`Outcome::INFO_MAX`] is cut off.
    pub fn with_info(mut self, info: &[u8]) -> Self {
        self.info = info.iter().copied().take(Self::INFO_MAX).collect();
        self
    }

    /// The same with a duration.
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }
}
