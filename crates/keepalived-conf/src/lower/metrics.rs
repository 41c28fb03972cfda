//! Metrics of routes: `mtu`, `rtt` and their like.

use super::Lower;
use crate::code;
use crate::model::{Metric, Metrics};
use crate::word::{Line, Word};

impl Lower<'_> {
    /// A metric, `lock` and its value; where the next option is.
    pub(crate) fn metric(&mut self, line: &Line, index: usize, metrics: &mut Metrics) -> Option<usize> {
        let keyword = line.words.get(index)?.text.as_str();
        let locked = line.words.get(index + 1).is_some_and(|word| word.text == "lock");
        let at = index + 1 + usize::from(locked);
        let value = self.word(line, at)?;
        let (slot, most, scale, unit) = metric(metrics, keyword)?;
        let text = match unit {
            Unit::Time => value.text.trim_end_matches("ms").trim_end_matches('s'),
            Unit::Plain => value.text.as_str(),
        };
        let in_seconds = unit == Unit::Time && value.text.ends_with('s') && !value.text.ends_with("ms");
        let number = Word { text: text.to_owned(), span: value.span };
        let Some(found) = self.unsigned(&number, 0, most) else {
            let text = &value.text;
            let message = match keyword {
                "mtu" => format!("Invalid MTU {text} specified for route"),
                "rtt" | "rttvar" => format!("Invalid {keyword} {text} for route"),
                "hoplimit" | "advmss" => format!("Invalid {keyword} {text} specified for route"),
                _ => format!("Invalid {keyword} value {text} specified for route"),
            };
            self.say(code::ROUTE, value.span, message);
            return None;
        };
        let scale = if in_seconds { scale * 1000 } else { scale };
        *slot = Some(Metric { value: found.saturating_mul(scale), locked });
        Some(at + 1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Plain,
    /// `10ms`, `1s`; milliseconds when nothing is said.
    Time,
}

/// Where a metric is kept, its largest value, what it is multiplied by, and its unit.
pub(crate) fn metric<'m>(
    metrics: &'m mut Metrics,
    keyword: &str,
) -> Option<(&'m mut Option<Metric>, u32, u32, Unit)> {
    let most = u32::MAX;
    Some(match keyword {
        "mtu" => (&mut metrics.mtu, most, 1, Unit::Plain),
        "hoplimit" => (&mut metrics.hoplimit, 255, 1, Unit::Plain),
        "advmss" => (&mut metrics.advmss, most, 1, Unit::Plain),
        "rtt" => (&mut metrics.rtt, most / 8, 8, Unit::Time),
        "rttvar" => (&mut metrics.rttvar, most / 4, 4, Unit::Time),
        "reordering" => (&mut metrics.reordering, most, 1, Unit::Plain),
        "window" => (&mut metrics.window, most, 1, Unit::Plain),
        "cwnd" => (&mut metrics.cwnd, most, 1, Unit::Plain),
        "ssthresh" => (&mut metrics.ssthresh, most, 1, Unit::Plain),
        "rto_min" => (&mut metrics.rto_min, most, 1, Unit::Time),
        "initcwnd" => (&mut metrics.initcwnd, most, 1, Unit::Plain),
        "initrwnd" => (&mut metrics.initrwnd, most, 1, Unit::Plain),
        _ => return None,
    })
}
