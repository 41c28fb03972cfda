//! The table of aliases (manual 8.2.6).

use crate::Mode;

/// What an alias shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alias {
    Global,
    Origin,
    BytesToClient,
    RequestCookie,
    ResponseCookie,
    Hostname,
    UniqueId,
    Status,
    AcceptedGmt,
    AcceptedLocal,
    Accepted,
    AcceptedSeconds,
    AcceptedMillis,
    StartedGmt,
    StartedLocal,
    Started,
    TimeActive,
    TimeConnect,
    TimeData,
    TimeHandshake,
    TimeIdle,
    TimeRequest,
    TimeResponse,
    TimeTotal,
    TimeUntilRequest,
    TimeUser,
    TimeQueue,
    BytesToServer,
    ProcessConnections,
    Backend,
    BackendConnections,
    BackendIp,
    BackendPort,
    BackendQueue,
    ClientIp,
    ClientPort,
    Frontend,
    FrontendConnections,
    FrontendIp,
    FrontendPort,
    FrontendTransport,
    RequestCaptures,
    RequestCaptureList,
    ResponseCaptures,
    ResponseCaptureList,
    Method,
    Path,
    PathOnly,
    Query,
    Uri,
    Version,
    LogCounter,
    Pid,
    Request,
    Retries,
    RequestCounter,
    Server,
    ServerConnections,
    ServerIp,
    ServerPort,
    ServerQueue,
    TlsCipher,
    TlsVersion,
    Termination,
    TerminationCookies,
}

/// One alias.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) alias: Alias,
    /// Where it may be used; [`Mode::Tcp`] is everywhere.
    pub(crate) mode: Mode,
    pub(crate) doc: &'static str,
}

const fn everywhere(name: &'static str, alias: Alias, doc: &'static str) -> Entry {
    Entry { name, alias, mode: Mode::Tcp, doc }
}

const fn http(name: &'static str, alias: Alias, doc: &'static str) -> Entry {
    Entry { name, alias, mode: Mode::Http, doc }
}

/// Sorted by name, for [`find`].
static ALIASES: &[Entry] = &[
    everywhere("B", Alias::BytesToClient, "bytes from the server to the client"),
    http("CC", Alias::RequestCookie, "captured request cookie"),
    http("CS", Alias::ResponseCookie, "captured response cookie"),
    everywhere("H", Alias::Hostname, "host name"),
    http("HM", Alias::Method, "HTTP method"),
    http("HP", Alias::Path, "HTTP request URI without query string"),
    http("HPO", Alias::PathOnly, "HTTP path without host nor query string"),
    http("HQ", Alias::Query, "HTTP query string, with its question mark"),
    http("HU", Alias::Uri, "HTTP request URI"),
    http("HV", Alias::Version, "HTTP version"),
    everywhere("ID", Alias::UniqueId, "unique id"),
    everywhere("OG", Alias::Origin, "why the line is written"),
    everywhere("ST", Alias::Status, "status code"),
    everywhere("T", Alias::AcceptedGmt, "date of the accept, GMT"),
    http("TR", Alias::TimeRequest, "time to receive the request, from its first byte"),
    http("Ta", Alias::TimeActive, "active time of the request"),
    everywhere("Tc", Alias::TimeConnect, "time to connect to the server"),
    everywhere("Td", Alias::TimeData, "time to transfer the response's body"),
    everywhere("Th", Alias::TimeHandshake, "time of the connection's handshakes"),
    http("Ti", Alias::TimeIdle, "idle time before the request"),
    everywhere("Tl", Alias::AcceptedLocal, "date of the accept, local time with its offset"),
    http("Tq", Alias::TimeUntilRequest, "Th + Ti + TR"),
    http("Tr", Alias::TimeResponse, "response time of the server"),
    everywhere("Ts", Alias::AcceptedSeconds, "date of the accept, seconds since the epoch"),
    everywhere("Tt", Alias::TimeTotal, "total time of the stream"),
    everywhere("Tu", Alias::TimeUser, "total time as the user sees it, Tt - Ti"),
    everywhere("Tw", Alias::TimeQueue, "time in queues"),
    everywhere("U", Alias::BytesToServer, "bytes from the client to the server"),
    everywhere("ac", Alias::ProcessConnections, "connections of the process"),
    everywhere("b", Alias::Backend, "name of the backend"),
    everywhere("bc", Alias::BackendConnections, "connections of the backend"),
    everywhere("bi", Alias::BackendIp, "source address of the connection to the server"),
    everywhere("bp", Alias::BackendPort, "source port of the connection to the server"),
    everywhere("bq", Alias::BackendQueue, "streams before it in the backend's queue"),
    everywhere("ci", Alias::ClientIp, "address of the client"),
    everywhere("cp", Alias::ClientPort, "port of the client"),
    everywhere("f", Alias::Frontend, "name of the frontend"),
    everywhere("fc", Alias::FrontendConnections, "connections of the frontend"),
    everywhere("fi", Alias::FrontendIp, "address the client connected to"),
    everywhere("fp", Alias::FrontendPort, "port the client connected to"),
    everywhere("ft", Alias::FrontendTransport, "name of the frontend, with ~ for TLS"),
    everywhere("hr", Alias::RequestCaptures, "captured request headers"),
    everywhere("hrl", Alias::RequestCaptureList, "captured request headers, CLF style"),
    everywhere("hs", Alias::ResponseCaptures, "captured response headers"),
    everywhere("hsl", Alias::ResponseCaptureList, "captured response headers, CLF style"),
    everywhere("lc", Alias::LogCounter, "number of the line among the frontend's"),
    everywhere("ms", Alias::AcceptedMillis, "milliseconds within the second of the accept"),
    everywhere("o", Alias::Global, "nothing: its flags hold for all that follows"),
    everywhere("pid", Alias::Pid, "process id"),
    http("r", Alias::Request, "HTTP request line"),
    everywhere("rc", Alias::Retries, "connection retries, with + after a redispatch"),
    everywhere("rt", Alias::RequestCounter, "number of the request, of the session in TCP mode"),
    everywhere("s", Alias::Server, "name of the server"),
    everywhere("sc", Alias::ServerConnections, "connections of the server"),
    everywhere("si", Alias::ServerIp, "address of the server"),
    everywhere("sp", Alias::ServerPort, "port of the server"),
    everywhere("sq", Alias::ServerQueue, "streams before it in the server's queue"),
    everywhere("sslc", Alias::TlsCipher, "TLS cipher of the client's connection"),
    everywhere("sslv", Alias::TlsVersion, "TLS version of the client's connection"),
    everywhere("t", Alias::Accepted, "date of the accept, local time with milliseconds"),
    http("tr", Alias::Started, "date of the request, local time with milliseconds"),
    http("trg", Alias::StartedGmt, "date of the request, GMT"),
    http("trl", Alias::StartedLocal, "date of the request, local time with its offset"),
    everywhere("ts", Alias::Termination, "termination state"),
    everywhere("tsc", Alias::TerminationCookies, "termination state with the cookies'"),
];

/// Names that HAProxy 1.5 still took, and what to write instead.
static OLD_NAMES: &[(&str, &str)] = &[
    ("Bi", "bi"),
    ("Bp", "bp"),
    ("Ci", "ci"),
    ("Cp", "cp"),
    ("Fi", "fi"),
    ("Fp", "fp"),
    ("Si", "si"),
    ("Sp", "sp"),
    ("cc", "CC"),
    ("cs", "CS"),
    ("st", "ST"),
];

/// The alias called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALIASES.binary_search_by(|entry| entry.name.cmp(name)).ok().and_then(|at| ALIASES.get(at))
}

/// What an old name is called today.
pub(crate) fn modern(name: &str) -> Option<&'static str> {
    OLD_NAMES.iter().find(|(old, _)| *old == name).map(|(_, modern)| *modern)
}

/// Every alias with one line about it, sorted by name, for the reference manual.
pub fn aliases() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALIASES.iter().map(|entry| (entry.name, entry.doc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_documented() {
        assert!(ALIASES.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(ALIASES.iter().all(|entry| !entry.doc.is_empty()));
    }

    #[test]
    fn every_alias_of_the_manual_is_there() {
        let manual = "o T Tl Ts t ms tr trg trl Ta Tc Td Th Ti Tq TR Tr Tt Tu Tw B CC CS H HM HP HPO HQ HU HV ID ST U \
                      ac b bc bi bp bq ci cp f fc fi fp ft lc hr hrl hs hsl OG pid r rc rt s sc si sp sq sslc sslv ts tsc";
        let missing: Vec<_> = manual.split_whitespace().filter(|name| find(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(ALIASES.len(), manual.split_whitespace().count());
    }

    #[test]
    fn old_names_lead_to_modern_ones() {
        assert!(OLD_NAMES.iter().all(|(old, modern)| find(old).is_none() && find(modern).is_some()));
    }
}
