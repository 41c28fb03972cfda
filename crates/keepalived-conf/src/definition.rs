//! `$NAME=value` and what stands for `$NAME` and `${NAME}`.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Bytes of a line at most after replacement.
pub(crate) const MAX_LINE: usize = 64 * 1024;
/// Replacements in a line at most: a parameter may contain itself.
const MAX_REPLACEMENTS: usize = 4096;
/// What `${_RANDOM}` is at most when it does not say.
const RANDOM_MAX: u64 = 32767;

/// A definition: its first line, and the others of one with several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) lines: Vec<String>,
    pub(crate) multi_line: bool,
}

/// A sequence of numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `low..=high`; `low` when there is none.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = u128::from(high.saturating_sub(low)) + 1;
        let offset = (u128::from(self.next()) * width) >> 64;
        low.saturating_add(u64::try_from(offset).unwrap_or(0))
    }
}

/// What stands for the predefined parameters in one place.
pub(crate) struct Surroundings<'a> {
    pub(crate) directory: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
}

/// All definitions so far.
#[derive(Clone, Debug)]
pub(crate) struct Definitions {
    map: HashMap<String, Definition>,
    pub(crate) chance: Chance,
}

/// What replacing did to a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// Nothing.
    Unchanged,
    /// The new text, and the lines that follow it.
    Changed(String, Vec<String>),
    /// It would grow beyond reason.
    TooLong,
}

impl Definitions {
    pub(crate) fn new(seed: u64) -> Self {
        Self { map: HashMap::new(), chance: Chance(seed) }
    }

    pub(crate) fn set(&mut self, name: &str, definition: Definition) {
        self.map.insert(name.to_owned(), definition);
    }

    pub(crate) fn set_value(&mut self, name: &str, value: &str) {
        self.set(name, Definition { lines: vec![value.to_owned()], multi_line: false });
    }

    /// Replaces parameters from left to right, what they stand for again, until none is left or a line is to be
    /// repeated first.
    pub(crate) fn replace(&mut self, line: &str, around: &Surroundings<'_>) -> Replaced {
        let mut text = line.to_owned();
        let mut following = Vec::new();
        let (mut at, mut count) = (0, 0);
        while let Some(found) = text.get(at..).and_then(|rest| rest.find('$')) {
            at += found;
            let Some((length, value)) = self.value(text.get(at + 1..).unwrap_or_default(), around) else {
                at += 1;
                continue;
            };
            count += 1;
            let mut lines = value.into_iter();
            let first = lines.next().unwrap_or_default();
            if text.len() + first.len() > MAX_LINE || count > MAX_REPLACEMENTS {
                return Replaced::TooLong;
            }
            text.replace_range(at..at + 1 + length, &first);
            let rest: Vec<String> = lines.collect();
            if !rest.is_empty() {
                following.splice(0..0, rest);
            }
            if first.trim_start_matches([' ', '\t']).starts_with('~') {
                break;
            }
        }
        if count == 0 { Replaced::Unchanged } else { Replaced::Changed(text, following) }
    }

    /// The length of the name, with its braces, at the start of `text`, and the lines it stands for.
    fn value(&mut self, text: &str, around: &Surroundings<'_>) -> Option<(usize, Vec<String>)> {
        let (inner, braces) = match text.strip_prefix('{') {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let length = name_length(inner)?;
        let (name, rest) = inner.split_at_checked(length)?;
        let (arguments, length) = if braces {
            let end = rest.find('}')?;
            (rest.get(..end)?, length + end + 2)
        } else {
            if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
                return None;
            }
            ("", length)
        };
        let last = text.len() == length;
        if let Some(definition) = self.map.get(name) {
            let usable = arguments.is_empty() && (last || !definition.multi_line);
            return usable.then(|| (length, definition.lines.clone()));
        }
        let value = self.predefined(name, arguments, around)?;
        Some((length, vec![value]))
    }

    fn predefined(&mut self, name: &str, arguments: &str, around: &Surroundings<'_>) -> Option<String> {
        let mut words = arguments.split_ascii_whitespace();
        let value = match name {
            "_RANDOM" => {
                let low = words.next().map_or(Some(0), |word| word.parse().ok())?;
                let high = words.next().map_or(Some(RANDOM_MAX), |word| word.parse().ok())?;
                self.chance.between(low, high).to_string()
            }
            "_ENV" => (around.environment)(words.next()?)?,
            _ => match name {
                "_PWD" => around.directory,
                "_INSTANCE" => around.instance,
                "_HASH" => "#",
                "_BANG" => "!",
                _ => return None,
            }
            .to_owned(),
        };
        words.next().is_none().then_some(value)
    }
}

/// The length of the name of a parameter at the start of `text`.
fn name_length(text: &str) -> Option<usize> {
    let first = text.bytes().next()?;
    let begins = first.is_ascii_alphabetic() || first == b'_';
    begins.then(|| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count())
}

/// `$NAME=value` at the start of a line: the name and the value.
pub(crate) fn definition(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix('$')?;
    let (name, rest) = rest.split_at_checked(name_length(rest)?)?;
    Some((name, rest.strip_prefix('=')?.trim_start_matches([' ', '\t'])))
}

/// What a line that begins with `~SEQ` or `~LST` is repeated with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Values of each round, one for each name.
    pub(crate) rounds: Rounds,
    pub(crate) names: Vec<String>,
    /// What is repeated.
    pub(crate) text: String,
}

/// The rounds of a [`Sequence`] that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rounds {
    /// `~SEQ`.
    Numbers { next: i64, step: i64, last: i64, hexadecimal: bool },
    /// `~LST`, the last round first.
    List(Vec<Vec<String>>),
}

impl Rounds {
    /// The values of the next round.
    pub(crate) fn next(&mut self) -> Option<Vec<String>> {
        match self {
            Self::List(rounds) => rounds.pop(),
            Self::Numbers { next, step, last, hexadecimal } => {
                if (*step > 0 && *next > *last) || (*step < 0 && *next < *last) {
                    return None;
                }
                let mut value = String::new();
                let _ = if *hexadecimal { write!(value, "{next:x}") } else { write!(value, "{next}") };
                match next.checked_add(*step) {
                    Some(sum) => *next = sum,
                    None => (*step, *next, *last) = (1, 1, 0),
                }
                Some(vec![value])
            }
        }
    }
}

/// Reads `~SEQ(var[, start[, step]], end) text`, `~SEQx(…)` or `~LST(…) text`.
pub(crate) fn sequence(line: &str) -> Option<Sequence> {
    if let Some(rest) = line.strip_prefix("~LST") {
        return list(rest);
    }
    let rest = line.strip_prefix("~SEQ")?;
    let (rest, hexadecimal) = match rest.strip_prefix('x') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (inner, text) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
    let mut parts = inner.split(',').map(str::trim);
    let name = parts.next().filter(|name| name_length(name) == Some(name.len()))?;
    let numbers: Vec<i64> = parts.map(number).collect::<Option<_>>()?;
    let (next, step, last) = match numbers.as_slice() {
        [end] => (if *end < 0 { -1 } else { 1 }, if *end < 1 { -1 } else { 1 }, *end),
        [start, end] => (*start, if start <= end { 1 } else { -1 }, *end),
        [start, step, end] => (*start, *step, *end),
        _ => return None,
    };
    if step == 0 || (next < last && step < 0) || (next > last && step > 0) {
        return None;
    }
    let rounds = Rounds::Numbers { next, step, last, hexadecimal };
    Some(Sequence { rounds, names: vec![name.to_owned()], text: text.trim_start().to_owned() })
}

/// A number in decimal, octal or hexadecimal, as C reads it.
fn number(text: &str) -> Option<i64> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let value = if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(digits, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

/// `(NAME, v1, v2) text` or `({A, B}, {a1, b1}, {a2, b2}) text`.
fn list(text: &str) -> Option<Sequence> {
    let mut rest = text.trim_start().strip_prefix('(')?.trim_start();
    let mut groups: Vec<Vec<String>> = Vec::new();
    loop {
        let group;
        (group, rest) = match rest.strip_prefix('{') {
            Some(inner) => {
                let (inner, rest) = inner.split_once('}')?;
                (inner.split(',').map(|part| part.trim().to_owned()).collect(), rest.trim_start())
            }
            None => {
                let end = rest.find([',', ')'])?;
                let (word, rest) = rest.split_at_checked(end)?;
                (vec![word.trim().to_owned()], rest)
            }
        };
        groups.push(group);
        if let Some(after) = rest.strip_prefix(')') {
            rest = after.trim_start();
            break;
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
    let mut groups = groups.into_iter();
    let names = groups.next()?;
    let mut rounds: Vec<Vec<String>> = groups.collect();
    let good = names.iter().all(|name| name_length(name) == Some(name.len()))
        && !rounds.is_empty()
        && rounds.iter().all(|round| round.len() == names.len());
    rounds.reverse();
    good.then(|| Sequence { rounds: Rounds::List(rounds), names, text: rest.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(definitions: &mut Definitions, line: &str) -> Replaced {
        let environment = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let around = Surroundings { directory: "/etc/k", instance: "main", environment: &environment };
        definitions.replace(line, &around)
    }

    fn text(definitions: &mut Definitions, line: &str) -> String {
        match replace(definitions, line) {
            Replaced::Unchanged => line.to_owned(),
            Replaced::Changed(text, following) => {
                assert!(following.is_empty());
                text
            }
            Replaced::TooLong => "too long".to_owned(),
        }
    }

    #[test]
    fn parameters_are_replaced_where_they_are_used() {
        let mut all = Definitions::new(1);
        all.set_value("BASE", "10.2.${SUB}");
        all.set_value("SUB", "0");
        assert_eq!(text(&mut all, "${BASE}.100/32"), "10.2.0.100/32");
        all.set_value("SUB", "10");
        assert_eq!(text(&mut all, "${BASE}.100/32 $SUB $SUB"), "10.2.10.100/32 10 10");
        assert_eq!(
            text(&mut all, "$SUBx ${NONE} $SUB.1 $ $1 \"$SUB\""),
            "$SUBx ${NONE} $SUB.1 $ $1 \"$SUB\""
        );
        assert_eq!(
            text(&mut all, "${_PWD} ${_INSTANCE} ${_HASH}${_BANG} ${_ENV HOME}"),
            "/etc/k main #! /root"
        );
        assert_eq!(text(&mut all, "${_RANDOM 4 4} ${_ENV NONE} ${_RANDOM x}"), "4 ${_ENV NONE} ${_RANDOM x}");
        all.set_value("LOOP", "a$LOOP");
        assert_eq!(text(&mut all, "$LOOP"), "aa$LOOP".replace("aa$LOOP", "too long"));
        all.set("M", Definition { lines: vec!["one".into(), "two".into()], multi_line: true });
        assert_eq!(replace(&mut all, "x $M"), Replaced::Changed("x one".into(), vec!["two".into()]));
        assert_eq!(replace(&mut all, "$M x"), Replaced::Unchanged);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed| -> Vec<String> {
            let mut all = Definitions::new(seed);
            (0..8).map(|_| text(&mut all, "${_RANDOM 1 6}")).collect()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!(numbers(7).iter().all(|number| ("1"..="6").contains(&number.as_str())));
    }

    #[test]
    fn sequences() {
        let values = |line: &str| {
            let mut sequence = sequence(line)?;
            let rounds = std::iter::from_fn(|| sequence.rounds.next().map(|values| values.join("+")));
            Some(rounds.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(values("~SEQ(X, 0, 3) a").unwrap(), "0 1 2 3");
        assert_eq!(values("~SEQ(X,3)").unwrap(), "1 2 3");
        assert_eq!(values("~SEQ(X,-2)").unwrap(), "-1 -2");
        assert_eq!(values("~SEQ(X,3,1)").unwrap(), "3 2 1");
        assert_eq!(values("~SEQx(X, 0x90, 0x10, 0xc0) a").unwrap(), "90 a0 b0 c0");
        assert_eq!(values("~SEQ(X,1,-1,3)"), None);
        assert_eq!(values("~SEQ(X)"), None);
        assert_eq!(values("~LST(X, 1, b ,c) a").unwrap(), "1 b c");
        assert_eq!(values("~LST({A, B}, {10,1},{20,4}) a").unwrap(), "10+1 20+4");
        assert_eq!(values("~LST({A, B}, {10}) a"), None);
        assert_eq!(values("~LST(X) a"), None);
        assert_eq!(
            values("~SEQ(X, 9223372036854775806, 9223372036854775807)").unwrap().split(' ').count(),
            2
        );
    }
}
