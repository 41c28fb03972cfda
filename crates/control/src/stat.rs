//! `show stat`: the CSV of statistics (management guide, section 9.1).

use std::fmt::Display;

/// The columns, in the order of HAProxy 3.5. Scripts know them by place as well as by name.
pub const FIELDS: [&str; 119] = [
    "pxname",
    "svname",
    "qcur",
    "qmax",
    "scur",
    "smax",
    "slim",
    "stot",
    "bin",
    "bout",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "wredis",
    "status",
    "weight",
    "act",
    "bck",
    "chkfail",
    "chkdown",
    "lastchg",
    "downtime",
    "qlimit",
    "pid",
    "iid",
    "sid",
    "throttle",
    "lbtot",
    "tracked",
    "type",
    "rate",
    "rate_lim",
    "rate_max",
    "check_status",
    "check_code",
    "check_duration",
    "hrsp_1xx",
    "hrsp_2xx",
    "hrsp_3xx",
    "hrsp_4xx",
    "hrsp_5xx",
    "hrsp_other",
    "hanafail",
    "req_rate",
    "req_rate_max",
    "req_tot",
    "cli_abrt",
    "srv_abrt",
    "comp_in",
    "comp_out",
    "comp_byp",
    "comp_rsp",
    "lastsess",
    "last_chk",
    "last_agt",
    "qtime",
    "ctime",
    "rtime",
    "ttime",
    "agent_status",
    "agent_code",
    "agent_duration",
    "check_desc",
    "agent_desc",
    "check_rise",
    "check_fall",
    "check_health",
    "agent_rise",
    "agent_fall",
    "agent_health",
    "addr",
    "cookie",
    "mode",
    "algo",
    "conn_rate",
    "conn_rate_max",
    "conn_tot",
    "intercepted",
    "dcon",
    "dses",
    "wrew",
    "connect",
    "reuse",
    "cache_lookups",
    "cache_hits",
    "srv_icur",
    "src_ilim",
    "qtime_max",
    "ctime_max",
    "rtime_max",
    "ttime_max",
    "eint",
    "idle_conn_cur",
    "safe_conn_cur",
    "used_conn_cur",
    "need_conn_est",
    "uweight",
    "agg_server_status",
    "agg_server_check_status",
    "agg_check_status",
    "srid",
    "sess_other",
    "h1sess",
    "h2sess",
    "h3sess",
    "req_other",
    "h1req",
    "h2req",
    "h3req",
    "proto",
    "priv_idle_cur",
    "reqbin",
    "reqbout",
    "resbin",
    "resbout",
    "cache_hint_hits",
];

/// What a line is about; the number is that of the `type` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum Kind {
    Frontend = 0,
    Backend = 1,
    Server = 2,
    Listener = 3,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is about.
    pub kind: Kind,
    /// The proxy's name.
    pub proxy: String,
    /// The proxy's number.
    pub iid: u32,
    /// The server's or listener's number; 0 for the proxy itself.
    pub sid: u32,
    values: Vec<String>,
}

impl Row {
    /// A line with its names and numbers, everything else empty.
    pub fn new(kind: Kind, proxy: &str, name: &str, iid: u32, sid: u32) -> Self {
        let values = vec![String::new(); FIELDS.len()];
        let mut row = Self { kind, proxy: proxy.to_owned(), iid, sid, values };
        row.set("pxname", proxy);
        row.set("svname", name);
        row.set("pid", 1);
        row.set("iid", iid);
        row.set("sid", sid);
        row.set("type", kind as u8);
        row
    }

    /// Gives a column its value.
    pub fn set(&mut self, field: &str, value: impl Display) {
        let place = FIELDS.iter().position(|name| *name == field);
        debug_assert!(place.is_some(), "no column {field}");
        if let Some(slot) = place.and_then(|place| self.values.get_mut(place)) {
            *slot = value.to_string();
        }
    }

    /// The value of a column; empty when there is no such column.
    pub fn get(&self, field: &str) -> &str {
        let place = FIELDS.iter().position(|name| *name == field);
        place.and_then(|place| self.values.get(place)).map_or("", String::as_str)
    }
}

/// Which lines are wanted: `show stat [{<iid>|<proxy>} <type> <sid>] [up|no-maint]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    proxy: Option<Wanted>,
    /// Bits: 1 frontends, 2 backends, 4 servers, 8 listeners.
    kinds: Option<i64>,
    sid: Option<i64>,
    only_up: bool,
    no_maintenance: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Number(i64),
    Name(String),
}

impl Filter {
    /// Reads the words after `show stat`; what it cannot do is returned as the answer.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut filter = Self::default();
        let rest = match words {
            [proxy, kinds, sid, rest @ ..] if !is_option(proxy) => {
                filter.proxy = match proxy.parse() {
                    Ok(-1) => None,
                    Ok(number) => Some(Wanted::Number(number)),
                    Err(_) => Some(Wanted::Name((*proxy).to_owned())),
                };
                filter.kinds = kinds.parse().ok().filter(|&bits| bits != -1);
                filter.sid = sid.parse().ok().filter(|&number| number != -1);
                rest
            }
            rest => rest,
        };
        for word in rest {
            match *word {
                "up" => filter.only_up = true,
                "no-maint" => filter.no_maintenance = true,
                "typed" | "json" | "desc" | "float" | "domain" => {
                    return Err(format!("'show stat … {word}' is known but not served yet.\n"));
                }
                // HAProxy passes over what it does not know here.
                _ => {}
            }
        }
        Ok(filter)
    }

    fn admits(&self, row: &Row) -> bool {
        let proxy = match &self.proxy {
            None => true,
            Some(Wanted::Number(number)) => i64::from(row.iid) == *number,
            Some(Wanted::Name(name)) => row.proxy == *name,
        };
        let kind = self.kinds.is_none_or(|bits| bits & (1 << row.kind as u8) != 0);
        // The number chooses among servers and listeners only.
        let numbered = matches!(row.kind, Kind::Server | Kind::Listener);
        let sid = !numbered || self.sid.is_none_or(|sid| i64::from(row.sid) == sid);
        let status = row.get("status");
        let server = row.kind == Kind::Server;
        let up = !self.only_up || !server || status.starts_with("UP") || status == "no check";
        let maintenance = !self.no_maintenance || !server || !status.starts_with("MAINT");
        proxy && kind && sid && up && maintenance
    }
}

fn is_option(word: &str) -> bool {
    matches!(word, "up" | "no-maint" | "typed" | "json" | "desc" | "float" | "domain")
}

/// What only operators and administrators see.
const PRIVATE: [&str; 3] = ["addr", "cookie", "algo"];

/// The header and the admitted lines. Every value is followed by a comma, the last one too. Addresses, cookies and
/// algorithms are left out unless `private` is set.
pub fn csv(rows: &[Row], filter: &Filter, private: bool) -> String {
    let mut out = String::from("# ");
    for name in FIELDS {
        out.push_str(name);
        out.push(',');
    }
    out.push('\n');
    for row in rows.iter().filter(|row| filter.admits(row)) {
        for (name, value) in FIELDS.iter().zip(&row.values) {
            if private || !PRIVATE.contains(name) {
                quote(value, &mut out);
            }
            out.push(',');
        }
        out.push('\n');
    }
    out
}

/// Quotes a value that has a comma, a quote or a line feed in it (RFC 4180).
fn quote(value: &str, out: &mut String) {
    if value.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&value.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_not_for_everybody() {
        let mut row = Row::new(Kind::Server, "app", "a", 3, 1);
        row.set("addr", "192.0.2.1:80");
        let text = |private| csv(std::slice::from_ref(&row), &Filter::default(), private);
        assert!(text(true).contains("192.0.2.1:80"));
        assert!(!text(false).contains("192.0.2.1:80"));
        assert_eq!(text(true).matches(',').count(), text(false).matches(',').count());
    }

    fn rows() -> Vec<Row> {
        let mut server = Row::new(Kind::Server, "app", "a,1", 3, 1);
        server.set("status", "MAINT");
        vec![
            Row::new(Kind::Frontend, "web", "FRONTEND", 2, 0),
            server,
            Row::new(Kind::Server, "app", "a2", 3, 2),
            Row::new(Kind::Backend, "app", "BACKEND", 3, 0),
        ]
    }

    fn names(words: &[&str]) -> Vec<String> {
        let text = csv(&rows(), &Filter::parse(words).unwrap(), true);
        text.lines().skip(1).map(|line| line.split(",,").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_numbers_that_scripts_count_on() {
        let place = |name| FIELDS.iter().position(|field| *field == name).unwrap();
        assert_eq!(place("status"), 17);
        assert_eq!(place("type"), 32);
        assert_eq!(place("addr"), 73);
        assert_eq!(place("agg_check_status"), 102);
        assert_eq!(place("cache_hint_hits"), 118);
    }

    #[test]
    fn filters_choose_by_proxy_kind_and_number() {
        assert_eq!(names(&[]), ["web,FRONTEND", "app,\"a,1\"", "app,a2", "app,BACKEND"]);
        assert_eq!(names(&["-1", "2", "-1"]), ["app,BACKEND"]);
        assert_eq!(names(&["app", "4", "2"]), ["app,a2"]);
        assert_eq!(names(&["99", "-1", "-1"]), Vec::<String>::new());
        assert_eq!(names(&["-1", "4", "-1", "no-maint"]), ["app,a2"]);
        assert!(Filter::parse(&["typed"]).is_err());
    }
}
