//! Counting: answers, retries in log lines, the proxy's statistics.

use super::client::Answer;
use std::collections::BTreeMap;
use std::io;

/// Answers by the server that gave them.
#[derive(Default)]
pub(super) struct Tally {
    by_name: BTreeMap<String, usize>,
    /// What went wrong first.
    failure: Option<String>,
    total: usize,
}

impl Tally {
    pub(super) fn add(&mut self, answer: io::Result<Answer>) {
        self.total += 1;
        let failure = match answer {
            Ok(Answer { status: 200, body }) => {
                *self.by_name.entry(body.trim().to_owned()).or_default() += 1;
                return;
            }
            Ok(Answer { status, .. }) => format!("a request was answered with {status}"),
            Err(error) => format!("a request was not answered: {error}"),
        };
        self.failure.get_or_insert(failure);
    }

    /// How many `name` has answered.
    pub(super) fn of(&self, name: &str) -> usize {
        self.by_name.get(name).copied().unwrap_or(0)
    }

    /// Requests, answered or not.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn all_answered(&self) -> Result<(), String> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

/// Whether a line of `option httplog` tells of another server than the one first chosen: `…/+1` in its counters
/// (manual 8.2.3, `retries`).
pub(super) fn redispatched(line: &str) -> bool {
    line.split(' ').any(|word| {
        let counters: Vec<&str> = word.split('/').collect();
        matches!(counters.as_slice(), [.., retries] if counters.len() == 5 && retries.starts_with('+'))
    })
}

/// The columns of these names of every row of `show stat`.
pub(super) fn statistics<const N: usize>(csv: &str, names: &[&str; N]) -> Result<Vec<[String; N]>, String> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let mut columns = [0; N];
    for (column, name) in columns.iter_mut().zip(names) {
        let found = header.iter().position(|title| title == name);
        *column = found.ok_or_else(|| format!("`show stat` has no column {name}"))?;
    }
    let rows = lines.filter(|line| !line.is_empty()).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        columns.map(|column| cells.get(column).copied().unwrap_or_default().to_owned())
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::{redispatched, statistics};

    #[test]
    fn a_plus_among_the_counters_is_another_server() {
        assert!(redispatched(
            "h:1 [t] main app/app3 0/0/0/0/0 200 5 - - ---- 2/2/0/0/+1 0/0 \"GET /a/b/c/d/+ HTTP/1.1\""
        ));
        assert!(!redispatched("h:1 [t] main app/app3 0/0/0/0/0 200 5 - - ---- 2/2/0/0/1 0/0"));
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let csv = "# pxname,svname,status,\nmain,FRONTEND,OPEN,\n\n";
        assert_eq!(statistics(csv, &["status", "pxname"]), Ok(vec![["OPEN".to_owned(), "main".to_owned()]]));
        assert!(statistics(csv, &["stot"]).is_err());
    }
}
