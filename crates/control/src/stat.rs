//! `show stat`: the lines of statistics (management guide, sections 9.1 and 9.3).

use crate::field::{COLUMNS, tags_of};
use crate::form::{Form, Style, json_string};
use std::fmt::{Display, Write as _};

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
    values: Vec<Option<String>>,
}

impl Row {
    /// A line with its names and numbers, everything else empty.
    pub fn new(kind: Kind, proxy: &str, name: &str, iid: u32, sid: u32) -> Self {
        let values = vec![None; COLUMNS.len()];
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
        let place = COLUMNS.iter().position(|column| column.name == field);
        debug_assert!(place.is_some(), "no column {field}");
        if let Some(slot) = place.and_then(|place| self.values.get_mut(place)) {
            *slot = Some(value.to_string());
        }
    }

    /// The value of a column; empty when there is no such column.
    pub fn get(&self, field: &str) -> &str {
        let place = COLUMNS.iter().position(|column| column.name == field);
        place.and_then(|place| self.values.get(place)).and_then(|value| value.as_deref()).unwrap_or_default()
    }
}

/// Which lines are wanted, and how: `show stat [domain proxy] [{<iid>|<proxy>} <type> <sid>] [typed|json|desc|up|no-maint]…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    proxy: Option<Wanted>,
    /// Bits: 1 frontends, 2 backends, 4 servers, 8 listeners.
    kinds: Option<i64>,
    sid: Option<i64>,
    only_up: bool,
    no_maintenance: bool,
    form: Form,
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
        let words = match words {
            ["domain", "proxy", rest @ ..] => rest,
            ["domain", "resolvers", ..] => {
                return Err("'show stat domain resolvers' is known but not served yet.\n".to_owned());
            }
            ["domain", ..] => return Err("Invalid statistics domain.\n".to_owned()),
            rest => rest,
        };
        let rest = match words {
            [proxy, kinds, sid, rest @ ..] if !is_option(proxy) => {
                filter.proxy = match proxy.parse() {
                    Ok(-1) => None,
                    Ok(number) => Some(Wanted::Number(number)),
                    Err(_) => Some(Wanted::Name((*proxy).to_owned())),
                };
                // What is no number is 0, which chooses nothing.
                let number = |word: &str| Some(word.parse().unwrap_or(0)).filter(|&number| number != -1);
                (filter.kinds, filter.sid) = (number(kinds), number(sid));
                rest
            }
            rest => rest,
        };
        for word in rest {
            match *word {
                "up" => filter.only_up = true,
                "no-maint" => filter.no_maintenance = true,
                // HAProxy passes over what it does not know here.
                word => filter.form.read(word),
            }
        }
        Ok(filter)
    }

    /// Whether the section that is asked for by name is there.
    fn finds(&self, rows: &[Row]) -> bool {
        match &self.proxy {
            Some(Wanted::Name(name)) => rows.iter().any(|row| row.proxy == *name),
            Some(Wanted::Number(number)) => *number != 0,
            None => true,
        }
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
    matches!(word, "up" | "no-maint" | "typed" | "json" | "desc")
}

/// What only operators and administrators see.
const PRIVATE: [&str; 3] = ["addr", "cookie", "algo"];

/// The admitted lines in the form that `filter` asks for. Addresses, cookies and algorithms are left out unless `private`
/// is set.
pub fn render(rows: &[Row], filter: &Filter, private: bool) -> String {
    if !filter.finds(rows) {
        return "No such proxy.\n".to_owned();
    }
    let rows = rows.iter().filter(|row| filter.admits(row));
    match filter.form.style {
        Style::Plain => csv(rows, private),
        Style::Typed => {
            let mut out = String::new();
            for row in rows {
                row.typed(filter.form.explained, private, &mut out);
            }
            out
        }
        Style::Json => {
            let rows: Vec<String> = rows.map(|row| row.json(private)).collect();
            format!("[{}]\n", rows.join(","))
        }
    }
}

/// The header and the lines. Every value is followed by a comma, the last one too, and by `-` stands where HAProxy has
/// further columns of its own.
fn csv<'a>(rows: impl Iterator<Item = &'a Row>, private: bool) -> String {
    let mut out = String::from("# ");
    for column in &COLUMNS {
        out.push_str(column.name);
        out.push(',');
    }
    out.push_str("-,\n");
    for row in rows {
        for (column, value) in COLUMNS.iter().zip(&row.values) {
            if private || !PRIVATE.contains(&column.name) {
                quote(value.as_deref().unwrap_or_default(), &mut out);
            }
            out.push(',');
        }
        out.push_str("-,\n");
    }
    out
}

impl Row {
    /// The columns that have a value, with their places.
    fn filled(&self, private: bool) -> impl Iterator<Item = (usize, &'static crate::field::Field, &str)> {
        COLUMNS.iter().zip(&self.values).enumerate().filter_map(move |(place, (column, value))| {
            let shown = private || !PRIVATE.contains(&column.name);
            Some((place, column, value.as_deref().filter(|_| shown)?))
        })
    }

    fn typed(&self, explained: bool, private: bool, out: &mut String) {
        let letter = match self.kind {
            Kind::Frontend => 'F',
            Kind::Backend => 'B',
            Kind::Server => 'S',
            Kind::Listener => 'L',
        };
        let (iid, sid) = (self.iid, self.sid);
        for (place, column, value) in self.filled(private) {
            let (tags, of, name) = (tags_of(column, self.kind), column.of.name(), column.name);
            let _ = write!(out, "{letter}.{iid}.{sid}.{place}.{name}.1:{tags}:{of}:{value}");
            if explained {
                let _ = write!(out, ":\"{}\"", column.text);
            }
            out.push('\n');
        }
    }

    fn json(&self, private: bool) -> String {
        let kind = match self.kind {
            Kind::Frontend => "Frontend",
            Kind::Backend => "Backend",
            Kind::Server => "Server",
            Kind::Listener => "Listener",
        };
        let one = |(place, column, value): (usize, &crate::field::Field, &str)| {
            let mut out =
                format!("{{\"objType\":{},\"proxyId\":{},\"id\":{},", json_string(kind), self.iid, self.sid);
            crate::form::json_field(
                place,
                column,
                tags_of(column, self.kind),
                column.of.name(),
                value,
                &mut out,
            );
            out.push('}');
            out
        };
        let fields: Vec<String> = self.filled(private).map(one).collect();
        format!("[{}]", fields.join(","))
    }
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
        let text = |private| render(std::slice::from_ref(&row), &Filter::default(), private);
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
        let text = render(&rows(), &Filter::parse(words).unwrap(), true);
        text.lines().skip(1).map(|line| line.split(",,").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_numbers_that_scripts_count_on() {
        let place = |name| COLUMNS.iter().position(|field| field.name == name).unwrap();
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
        assert_eq!(names(&["-1", "x", "-1"]), Vec::<String>::new());
        assert_eq!(names(&["domain", "proxy", "app", "2", "-1"]), ["app,BACKEND"]);
        assert_eq!(Filter::parse(&["domain", "x"]).unwrap_err(), "Invalid statistics domain.\n");
    }

    fn text(words: &[&str]) -> String {
        render(&rows(), &Filter::parse(words).unwrap(), true)
    }

    #[test]
    fn a_section_that_is_not_there_is_said_so() {
        assert_eq!(text(&["nope", "-1", "-1"]), "No such proxy.\n");
        assert_eq!(text(&["0", "-1", "-1"]), "No such proxy.\n");
        assert_eq!(text(&["nope", "-1"]), text(&[]));
    }

    #[test]
    fn the_typed_form_has_a_line_for_each_value() {
        let expected = "S.3.1.0.pxname.1:KNS:str:app\nS.3.1.1.svname.1:KNS:str:a,1\nS.3.1.17.status.1:SGP:str:MAINT\n\
                        S.3.1.26.pid.1:KGP:u32:1\nS.3.1.27.iid.1:KGS:u32:3\nS.3.1.28.sid.1:KGS:u32:1\n\
                        S.3.1.32.type.1:CGS:u32:2\n";
        assert_eq!(text(&["app", "4", "1", "typed"]), expected);
        let explained = text(&["app", "4", "1", "typed", "desc"]);
        assert!(
            explained.starts_with("S.3.1.0.pxname.1:KNS:str:app:\"Name of the section\"\n"),
            "{explained}"
        );
        // Descriptions are for the typed form only.
        assert_eq!(text(&["desc"]), text(&[]));
    }

    #[test]
    fn the_json_form_has_an_array_for_each_line() {
        let text = text(&["app", "2", "-1", "json"]);
        let first = "[[{\"objType\":\"Backend\",\"proxyId\":3,\"id\":0,\"field\":{\"pos\":0,\"name\":\"pxname\"},\
                     \"processNum\":1,\"tags\":{\"origin\":\"Key\",\"nature\":\"Name\",\"scope\":\"Service\"},\
                     \"value\":{\"type\":\"str\",\"value\":\"app\"}},{";
        assert!(text.starts_with(first), "{text}");
        assert!(text.ends_with("\"value\":{\"type\":\"u32\",\"value\":1}}]]\n"), "{text}");
    }
}
