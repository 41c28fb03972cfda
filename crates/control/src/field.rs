//! The names of figures, and what kind of figure each is (management guide, section 9.3, "show info" and "show stat").

use crate::Kind;

/// How a value is written in the typed and JSON forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Str,
    U32,
    S32,
    U64,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::U32 => "u32",
            Self::S32 => "s32",
            Self::U64 => "u64",
        }
    }
}

/// A figure: its name, the three letters of origin, nature and scope, its type, and what it means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) tags: &'static str,
    pub(crate) of: Type,
    pub(crate) text: &'static str,
}

pub(crate) const fn field(name: &'static str, tags: &'static str, of: Type, text: &'static str) -> Field {
    Field { name, tags, of, text }
}

/// The words of a figure's three letters, as the JSON form has them.
pub(crate) fn tag_words(tags: &str) -> [&'static str; 3] {
    let mut letters = tags.chars();
    let origin = match letters.next() {
        Some('M') => "Metric",
        Some('S') => "Status",
        Some('K') => "Key",
        Some('C') => "Config",
        Some('P') => "Product",
        _ => "Unknown",
    };
    let nature = match letters.next() {
        Some('G') => "Gauge",
        Some('L') => "Limit",
        Some('m') => "Min",
        Some('M') => "Max",
        Some('R') => "Rate",
        Some('C') => "Counter",
        Some('D') => "Duration",
        Some('A') => "Age",
        Some('T') => "Time",
        Some('N') => "Name",
        Some('O') => "Output",
        Some('a') => "Avg",
        _ => "Unknown",
    };
    let scope = match letters.next() {
        Some('P') => "Process",
        Some('S') => "Service",
        Some('s') => "System",
        Some('C') => "Cluster",
        _ => "Unknown",
    };
    [origin, nature, scope]
}

/// The letters of a column for a kind of line: some differ.
pub(crate) fn tags_of(field: &Field, kind: Kind) -> &'static str {
    match (field.name, kind) {
        ("act" | "bck", Kind::Server) => "SGP",
        ("rate" | "rate_max", Kind::Backend) => "MGP",
        _ => field.tags,
    }
}

use Type::{S32, Str, U32, U64};

/// The columns of `show stat`, in the order of HAProxy 3.5. Scripts know them by place as well as by name.
pub(crate) const COLUMNS: [Field; 119] = [
    field("pxname", "KNS", Str, "Name of the section"),
    field("svname", "KNS", Str, "FRONTEND, BACKEND, or the name of the server or listener"),
    field("qcur", "MGP", U32, "Streams waiting in the queue now"),
    field("qmax", "MMP", U32, "The most that ever waited in the queue"),
    field("scur", "MGP", U32, "Sessions now"),
    field("smax", "MMP", U32, "The most sessions there ever were at once"),
    field("slim", "CLP", U32, "Limit of sessions: maxconn, or fullconn of a backend"),
    field("stot", "MCP", U64, "Sessions so far"),
    field("bin", "MCP", U64, "Bytes of requests so far"),
    field("bout", "MCP", U64, "Bytes of responses so far"),
    field("dreq", "MCP", U64, "Requests denied by rules"),
    field("dresp", "MCP", U64, "Responses denied by rules"),
    field("ereq", "MCP", U64, "Requests that were invalid or did not come whole"),
    field("econ", "MCP", U64, "Requests for which no connection to a server could be had"),
    field("eresp", "MCP", U64, "Responses that were invalid, broken off or late"),
    field("wretr", "MCP", U64, "Connection attempts repeated to the same server"),
    field("wredis", "MCP", U64, "Connection attempts repeated to another server"),
    field("status", "SGP", Str, "State: OPEN, PAUSED or STOP; UP, DOWN, NOLB, MAINT or no check"),
    field("weight", "MaP", U32, "Effective weight, or the sum of those of the servers in use"),
    field("act", "MGP", U32, "Servers in use that are not backups"),
    field("bck", "MGP", U32, "Backup servers in use"),
    field("chkfail", "MCP", U64, "Checks that failed while the server was up"),
    field("chkdown", "MCP", U64, "Changes from up to down"),
    field("lastchg", "MAP", U32, "Seconds since the state last changed"),
    field("downtime", "MCP", U32, "Seconds spent down in all"),
    field("qlimit", "CLS", U32, "Limit of the server's queue (maxqueue)"),
    field("pid", "KGP", U32, "Number of the worker process, always 1"),
    field("iid", "KGS", U32, "Number of the section (id)"),
    field("sid", "KGS", U32, "Number of the server or listener (id)"),
    field("throttle", "MaP", U32, "Percentage in force during slowstart"),
    field("lbtot", "MCP", U64, "Times the algorithm chose it"),
    field("tracked", "CNS", Str, "Server whose state this one takes over"),
    field("type", "CGS", U32, "0 frontend, 1 backend, 2 server, 3 listener"),
    field("rate", "MRP", U32, "Sessions in the last second"),
    field("rate_lim", "CLP", U32, "Limit of sessions a second"),
    field("rate_max", "MMP", U32, "The most sessions in one second"),
    field("check_status", "MOP", Str, "How the last check ended"),
    field("check_code", "MOP", U32, "Code that the last check found"),
    field("check_duration", "MDP", U64, "Milliseconds the last check took"),
    field("hrsp_1xx", "MCP", U64, "Responses with status 100 to 199"),
    field("hrsp_2xx", "MCP", U64, "Responses with status 200 to 299"),
    field("hrsp_3xx", "MCP", U64, "Responses with status 300 to 399"),
    field("hrsp_4xx", "MCP", U64, "Responses with status 400 to 499"),
    field("hrsp_5xx", "MCP", U64, "Responses with status 500 to 599"),
    field("hrsp_other", "MCP", U64, "Responses with another status, or none"),
    field("hanafail", "MCP", U64, "Failures seen in the server's traffic (observe)"),
    field("req_rate", "MRP", U32, "Requests in the last second"),
    field("req_rate_max", "MMP", U32, "The most requests in one second"),
    field("req_tot", "MCP", U64, "Requests so far; of a server, responses"),
    field("cli_abrt", "MCP", U64, "Transfers that the client broke off"),
    field("srv_abrt", "MCP", U64, "Transfers that the server broke off"),
    field("comp_in", "MCP", U64, "Bytes that went into compression"),
    field("comp_out", "MCP", U64, "Bytes that came out of compression"),
    field("comp_byp", "MCP", U64, "Bytes that passed by compression"),
    field("comp_rsp", "MCP", U64, "Responses that were compressed"),
    field("lastsess", "MAP", S32, "Seconds since it was last given a session, -1 for never"),
    field("last_chk", "MOP", Str, "What the last check said"),
    field("last_agt", "MOP", Str, "What the last agent check said"),
    field("qtime", "MaP", U32, "Mean milliseconds in the queue, of the last requests"),
    field("ctime", "MaP", U32, "Mean milliseconds to connect, of the last requests"),
    field(
        "rtime",
        "MaP",
        U32,
        "Mean milliseconds to the response's head, of the last requests; 0 in TCP mode",
    ),
    field("ttime", "MaP", U32, "Mean milliseconds in all, of the last requests"),
    field("agent_status", "MOP", Str, "How the last agent check ended"),
    field("agent_code", "MOP", U32, "Not used"),
    field("agent_duration", "MDP", U64, "Milliseconds the last agent check took"),
    field("check_desc", "MOP", Str, "check_status in words"),
    field("agent_desc", "MOP", Str, "agent_status in words"),
    field("check_rise", "CGS", U32, "Successes that bring the server up"),
    field("check_fall", "CGS", U32, "Failures that take the server down"),
    field("check_health", "CGS", U32, "Level of health, 0 to rise + fall - 1; up from rise on"),
    field("agent_rise", "CGS", U32, "check_rise of the agent"),
    field("agent_fall", "CGS", U32, "check_fall of the agent"),
    field("agent_health", "CGS", U32, "check_health of the agent"),
    field("addr", "CGS", Str, "Address and port"),
    field("cookie", "CNS", Str, "Value of the persistence cookie, or its name"),
    field("mode", "CGS", Str, "tcp or http"),
    field("algo", "CGS", Str, "Balance algorithm"),
    field("conn_rate", "MRP", U32, "Connections in the last second"),
    field("conn_rate_max", "MMP", U32, "The most connections in one second"),
    field("conn_tot", "MCP", U64, "Connections so far"),
    field("intercepted", "MCP", U64, "Requests that the proxy answered itself"),
    field("dcon", "MCP", U64, "Connections denied by rules"),
    field("dses", "MCP", U64, "Sessions denied by rules"),
    field("wrew", "MCP", U64, "Rewrites of fields that failed"),
    field("connect", "MCP", U64, "Connection attempts"),
    field("reuse", "MCP", U64, "Connections used again"),
    field("cache_lookups", "MCP", U64, "Requests looked up in the cache"),
    field("cache_hits", "MCP", U64, "Requests found in the cache"),
    field("srv_icur", "MGP", U32, "Idle connections now"),
    field("src_ilim", "CLP", U32, "Limit of idle connections (pool-max-conn)"),
    field("qtime_max", "MMP", U32, "The longest time in the queue, milliseconds"),
    field("ctime_max", "MMP", U32, "The longest time to connect, milliseconds"),
    field("rtime_max", "MMP", U32, "The longest time to the response's head, milliseconds"),
    field("ttime_max", "MMP", U32, "The longest time in all, milliseconds"),
    field("eint", "MCP", U64, "Errors inside the proxy"),
    field("idle_conn_cur", "MGP", U32, "Idle connections that carried one request so far"),
    field("safe_conn_cur", "MGP", U32, "Idle connections that carried several requests"),
    field("used_conn_cur", "MGP", U32, "Connections in use now"),
    field("need_conn_est", "MGP", U32, "Connections that will be needed, as estimated"),
    field("uweight", "MaP", U32, "Configured weight, or the sum of those of the servers in use"),
    field("agg_server_status", "MGP", U32, "State of the servers together, for exporters"),
    field("agg_server_check_status", "MGP", U32, "The same, outdated"),
    field("agg_check_status", "MGP", U32, "State of the checks together, for exporters"),
    field("srid", "MCP", U32, "Revision of the server's number"),
    field("sess_other", "MCP", U64, "Sessions that are not HTTP"),
    field("h1sess", "MCP", U64, "HTTP/1 sessions"),
    field("h2sess", "MCP", U64, "HTTP/2 sessions"),
    field("h3sess", "MCP", U64, "HTTP/3 sessions"),
    field("req_other", "MCP", U64, "Requests that are not HTTP/1, 2 or 3"),
    field("h1req", "MCP", U64, "HTTP/1 requests"),
    field("h2req", "MCP", U64, "HTTP/2 requests"),
    field("h3req", "MCP", U64, "HTTP/3 requests"),
    field("proto", "SGP", Str, "Protocol of the listener"),
    field("priv_idle_cur", "MGP", U32, "Idle connections that belong to one session"),
    field("reqbin", "MCP", U64, "Bytes of requests received"),
    field("reqbout", "MCP", U64, "Bytes of requests sent"),
    field("resbin", "MCP", U64, "Bytes of responses received"),
    field("resbout", "MCP", U64, "Bytes of responses sent"),
    field("cache_hint_hits", "MCP", U64, "Requests that the cache had a hint for"),
];

/// The lines of `show info`, in the order of HAProxy 3.5: the place of each is its number in the typed form.
pub(crate) const LINES: [Field; 79] = [
    field("Name", "POS", Str, "Name of the program"),
    field("Version", "POS", Str, "Its version"),
    field("Release_date", "POS", Str, "Date of its last change"),
    field("Nbthread", "CGS", U32, "Worker threads (nbthread)"),
    field("Nbproc", "CGS", U32, "Worker processes, always 1"),
    field("Process_num", "KGP", U32, "Number of this worker process, always 1"),
    field("Pid", "SGP", U32, "Process id of this worker process"),
    field("Uptime", "MDP", Str, "Time since it started, in days, hours, minutes and seconds"),
    field("Uptime_sec", "MDP", U32, "The same in seconds"),
    field("Memmax_MB", "CLP", U32, "Limit of memory, megabytes (-m); 0: none"),
    field("PoolAlloc_MB", "MGP", U32, "Memory held in pools, megabytes"),
    field("PoolUsed_MB", "MGP", U32, "Memory of pools in use, megabytes"),
    field("PoolFailed", "MCP", U32, "Allocations that failed"),
    field("Ulimit-n", "CLP", U32, "Limit of open files"),
    field("Maxsock", "CLP", U32, "Sockets at most"),
    field("Maxconn", "CLP", U32, "Client connections at most"),
    field("Hard_maxconn", "CLP", U32, "The same as configured or found at the start"),
    field("CurrConns", "MGP", U32, "Client connections now"),
    field("CumConns", "MCP", U32, "Client connections so far"),
    field("CumReq", "MCP", U32, "Requests so far"),
    field("MaxSslConns", "MMP", U32, "The most TLS connections there ever were at once"),
    field("CurrSslConns", "MGP", U32, "TLS connections now"),
    field("CumSslConns", "MCP", U32, "TLS connections so far"),
    field("Maxpipes", "CLP", U32, "Pipes for splicing at most"),
    field("PipesUsed", "MGP", U32, "Pipes in use now"),
    field("PipesFree", "MGP", U32, "Pipes kept for use"),
    field("ConnRate", "MRP", U32, "Connections in the last second"),
    field("ConnRateLimit", "CLP", U32, "Limit of connections a second; 0: none"),
    field("MaxConnRate", "MMP", U32, "The most connections in one second"),
    field("SessRate", "MRP", U32, "Sessions in the last second"),
    field("SessRateLimit", "CLP", U32, "Limit of sessions a second; 0: none"),
    field("MaxSessRate", "MRP", U32, "The most sessions in one second"),
    field("SslRate", "MRP", U32, "TLS sessions in the last second"),
    field("SslRateLimit", "CLP", U32, "Limit of TLS sessions a second; 0: none"),
    field("MaxSslRate", "MMP", U32, "The most TLS sessions in one second"),
    field("SslFrontendKeyRate", "MGP", U32, "TLS keys computed for clients in the last second"),
    field("SslFrontendMaxKeyRate", "MMP", U32, "The most TLS keys computed for clients in one second"),
    field("SslFrontendSessionReuse_pct", "MGP", U32, "Share of TLS sessions resumed by clients, percent"),
    field("SslBackendKeyRate", "MRP", U32, "TLS keys computed for servers in the last second"),
    field("SslBackendMaxKeyRate", "MMP", U32, "The most TLS keys computed for servers in one second"),
    field("SslCacheLookups", "MCP", U32, "TLS sessions looked up for resumption"),
    field("SslCacheMisses", "MCP", U32, "TLS sessions looked up and not found"),
    field("CompressBpsIn", "MRP", U32, "Bytes into compression in the last second"),
    field("CompressBpsOut", "MRP", U32, "Bytes out of compression in the last second"),
    field("CompressBpsRateLim", "CLP", U32, "Limit of bytes out of compression a second; 0: none"),
    field("ZlibMemUsage", "MGP", U32, "Memory that compression uses, bytes"),
    field("MaxZlibMemUsage", "CLP", U32, "Limit of the memory for compression, bytes; 0: none"),
    field("Tasks", "MGP", U32, "Tasks now"),
    field("Run_queue", "MGP", U32, "Tasks waiting for their turn"),
    field("Idle_pct", "MaP", U32, "Share of the last second that the threads had nothing to do, percent"),
    field("node", "COS", Str, "Name of the machine, or what node says"),
    field("description", "COS", Str, "What description says"),
    field("Stopping", "MGP", U32, "1 when the process lets its last clients finish"),
    field("Jobs", "MGP", U32, "Listeners and connections that the process serves"),
    field("Unstoppable Jobs", "MGP", U32, "Those of them that outlive a soft stop"),
    field("Listeners", "MGP", U32, "Listening addresses"),
    field("ActivePeers", "MGP", U32, "Peers that are verified"),
    field("ConnectedPeers", "MGP", U32, "Peers that are connected"),
    field("DroppedLogs", "MGP", U32, "Log lines lost because a target took none"),
    field("BusyPolling", "MGP", U32, "1 when threads never sleep (busy-polling)"),
    field("FailedResolutions", "MGP", U32, "Names that could not be resolved"),
    field("TotalBytesOut", "MGP", U64, "Bytes sent to clients so far"),
    field("TotalSplicedBytesOut", "MGP", U64, "Those of them that went through pipes"),
    field("BytesOutRate", "MRP", U64, "Bytes sent to clients in the last second"),
    field("DebugCommandsIssued", "MGP", U32, "Debugging commands that were given"),
    field("CumRecvLogs", "MCP", U32, "Log lines received for forwarding"),
    field("Build info", "POS", Str, "What was built"),
    field("Memmax_bytes", "CLP", U32, "Limit of memory, bytes (-m); 0: none"),
    field("PoolAlloc_bytes", "MGP", U64, "Memory held in pools, bytes"),
    field("PoolUsed_bytes", "MGP", U64, "Memory of pools in use, bytes"),
    field("Start_time_sec", "MDP", U32, "When the process started, seconds since 1970"),
    field("Tainted", "SGP", Str, "Whether something was used that may make the process unsound"),
    field("TotalWarnings", "MCP", U32, "Warnings so far"),
    field("MaxconnReached", "MCP", U32, "Times a connection was the last that maxconn allows"),
    field("BootTime_ms", "MDP", U32, "Milliseconds from the start until clients were served"),
    field("Niced_tasks", "MGP", U32, "Tasks with a priority of their own"),
    field("CurrStreams", "MGP", U64, "Streams now"),
    field("CumStreams", "MCP", U64, "Streams so far"),
    field("BlockedTrafficWarnings", "MCP", U32, "Warnings about tasks that ran for too long"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_tags_have_words() {
        for table in [COLUMNS.as_slice(), LINES.as_slice()] {
            for (at, one) in table.iter().enumerate() {
                assert!(table[..at].iter().all(|other| other.name != one.name), "{}", one.name);
                assert!(!tag_words(one.tags).contains(&"Unknown"), "{}: {}", one.name, one.tags);
                assert!(!one.text.contains('"'), "{}", one.name);
            }
        }
    }
}
