//! The command line of `keepalived` (keepalived(8)), read as `getopt_long()` reads it there.
//!
//! Short flags may be joined (`-nlD`), a value may follow its flag at once (`-f/etc/x.conf`), a long name may be cut
//! short while it stays unambiguous, and the order does not matter.

use super::facility::Facility;
use std::path::{Path, PathBuf};

/// What one command line asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `-f`.
    pub(crate) file: PathBuf,
    /// `-t`: only check; with a value, the messages go to that file.
    pub(crate) test: Option<Option<PathBuf>>,
    /// `-n`.
    pub(crate) foreground: bool,
    /// `-l`.
    pub(crate) console: bool,
    /// `-D`.
    pub(crate) detail: bool,
    /// `-d`.
    pub(crate) dump: bool,
    /// `-G`.
    pub(crate) no_syslog: bool,
    /// `-g`.
    pub(crate) log_file: Option<PathBuf>,
    /// `--flush-log-file`.
    pub(crate) flush_log_file: bool,
    /// `-S`.
    pub(crate) facility: Facility,
    /// `-P`, `-C`, `--all`: which roles were asked for by name.
    pub(crate) roles: Roles,
    /// `-p`.
    pub(crate) pid_file: Option<PathBuf>,
    /// `-r`.
    pub(crate) vrrp_pid_file: Option<PathBuf>,
    /// `-c`.
    pub(crate) checkers_pid_file: Option<PathBuf>,
    /// `-b`.
    pub(crate) bfd_pid_file: Option<PathBuf>,
    /// `-s`.
    pub(crate) namespace: Option<String>,
    /// `-i`.
    pub(crate) config_id: Option<String>,
    /// `-V`: virtual addresses and routes stay when the program ends.
    pub(crate) keep_addresses: bool,
    /// `-X`: a signal that ends a mastership removes the addresses.
    pub(crate) release_addresses: bool,
    /// `-I`: the IPVS table stays when the program ends.
    pub(crate) keep_services: bool,
    /// `-R`: a role that dies is not started again.
    pub(crate) no_respawn: bool,
    /// `-a`.
    pub(crate) address_monitoring: bool,
    /// `-e`: a missing file is an error. Always so here.
    pub(crate) all_files: bool,
    /// `-m`.
    pub(crate) core_dump: bool,
    /// `-u`, as given to umask(2).
    pub(crate) umask: Option<u32>,
    /// What is wrong but does not end the program, each a line for standard error.
    pub(crate) complaints: Vec<String>,
    /// One of those complaints makes the configuration test fail.
    pub(crate) faulty: bool,
    /// Where the program was started, which relative names start from.
    pub(crate) directory: PathBuf,
    /// Words that belong to no option.
    pub(crate) extra: Vec<String>,
}

/// The roles that the command line names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    /// `-P`.
    pub(crate) vrrp: bool,
    /// `-C`.
    pub(crate) checkers: bool,
    /// `-B`.
    pub(crate) no_bfd: bool,
    /// `--all`.
    pub(crate) all: bool,
}

/// What to do when the command line is not a plain start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `-v`.
    Version,
    /// `-h`.
    Help,
    /// `--signum=NAME`: the number, or the name that is not known.
    SignalNumber(Result<i32, String>),
    /// `-T`.
    Genhash {
        /// What follows belongs to genhash.
        words: Vec<String>,
        /// It was the first option.
        first: bool,
    },
    /// Lines for standard error, exit code 1.
    Usage(String),
}

/// Where and how this option takes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Required,
    /// Only when joined to the flag: `-tFILE`, `--config-test=FILE`.
    Optional,
}

use Value::{None as Flag, Optional, Required};

/// Every option: the letter it is known by here, its long name, its value. Letters above `z` have no short form.
const OPTIONS: &[(char, &str, Value)] = &[
    ('f', "use-file", Required),
    ('P', "vrrp", Flag),
    ('C', "check", Flag),
    ('B', "no_bfd", Flag),
    ('α', "all", Flag),
    ('l', "log-console", Flag),
    ('D', "log-detail", Flag),
    ('S', "log-facility", Required),
    ('g', "log-file", Optional),
    ('φ', "flush-log-file", Flag),
    ('G', "no-syslog", Flag),
    ('u', "umask", Required),
    ('X', "release-vips", Flag),
    ('V', "dont-release-vrrp", Flag),
    ('I', "dont-release-ipvs", Flag),
    ('R', "dont-respawn", Flag),
    ('n', "dont-fork", Flag),
    ('d', "dump-conf", Flag),
    ('p', "pid", Required),
    ('r', "vrrp_pid", Required),
    ('T', "genhash", Flag),
    ('c', "checkers_pid", Required),
    ('a', "address-monitoring", Flag),
    ('b', "bfd_pid", Required),
    ('x', "snmp", Flag),
    ('A', "snmp-agent-socket", Required),
    ('s', "namespace", Required),
    ('m', "core-dump", Flag),
    ('M', "core-dump-pattern", Optional),
    ('e', "all-config", Flag),
    ('i', "config-id", Required),
    ('σ', "signum", Required),
    ('t', "config-test", Optional),
    ('π', "perf", Optional),
    ('δ', "debug", Optional),
    ('μ', "no-mem-check", Flag),
    ('ι', "ignore-sigint", Flag),
    ('v', "version", Flag),
    ('h', "help", Flag),
];

impl Default for Arguments {
    fn default() -> Self {
        Self {
            file: PathBuf::from("/etc/keepalived/keepalived.conf"),
            test: None,
            foreground: false,
            console: false,
            detail: false,
            dump: false,
            no_syslog: false,
            log_file: None,
            flush_log_file: false,
            facility: Facility::DAEMON,
            roles: Roles::default(),
            pid_file: None,
            vrrp_pid_file: None,
            checkers_pid_file: None,
            bfd_pid_file: None,
            namespace: None,
            config_id: None,
            keep_addresses: false,
            release_addresses: false,
            keep_services: false,
            no_respawn: false,
            address_monitoring: false,
            all_files: false,
            core_dump: false,
            umask: None,
            complaints: Vec::new(),
            faulty: false,
            directory: PathBuf::new(),
            extra: Vec::new(),
        }
    }
}

/// One option as it stood on the command line.
struct Given<'a> {
    letter: char,
    value: Option<&'a str>,
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// Whatever ends the program before it reads a file.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Stop> {
        let mut this = Self::default();
        let mut first = true;
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if matches!(word, "-T" | "--genhash") {
                return Err(Stop::Genhash { words: words.map(str::to_owned).collect(), first });
            }
            first = false;
            if word == "--" {
                this.extra.extend(words.by_ref().map(str::to_owned));
            } else if let Some(long) = word.strip_prefix("--") {
                let given = long_option(long, &mut words)?;
                this.apply(&given)?;
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                this.short_options(letters, &mut words)?;
            } else {
                this.extra.push(word.to_owned());
            }
        }
        Ok(this)
    }

    /// Names of files hold wherever the process goes from `directory`, but for that of the configuration, which messages
    /// show as it was given.
    pub(crate) fn start_in(&mut self, directory: &Path) {
        let files =
            [&mut self.pid_file, &mut self.vrrp_pid_file, &mut self.checkers_pid_file, &mut self.log_file];
        for path in files.into_iter().flatten() {
            *path = directory.join(&path);
        }
        directory.clone_into(&mut self.directory);
    }

    fn short_options<'a>(
        &mut self,
        letters: &'a str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), Stop> {
        for (at, letter) in letters.char_indices() {
            let Some((_, _, value)) =
                OPTIONS.iter().find(|(known, ..)| letter.is_ascii() && *known == letter)
            else {
                return Err(Stop::Usage(format!("Unknown option -{letter}")));
            };
            let rest = letters.get(at + letter.len_utf8()..).filter(|rest| !rest.is_empty());
            if *value == Flag {
                self.apply(&Given { letter, value: None })?;
                continue;
            }
            let value = match (value, rest) {
                (Required, None) => Some(
                    words
                        .next()
                        .ok_or_else(|| Stop::Usage(format!("Missing parameter for option -{letter}")))?,
                ),
                (_, rest) => rest,
            };
            return self.apply(&Given { letter, value });
        }
        Ok(())
    }

    fn apply(&mut self, given: &Given<'_>) -> Result<(), Stop> {
        let text = given.value.unwrap_or_default();
        let path = || given.value.map(PathBuf::from);
        match given.letter {
            'f' => self.file = text.into(),
            'P' => self.roles.vrrp = true,
            'C' => self.roles.checkers = true,
            'B' => self.roles.no_bfd = true,
            'α' => self.roles.all = true,
            'l' => self.console = true,
            'D' => self.detail = true,
            'S' => match Facility::named(text) {
                Some(facility) => self.facility = facility,
                None => self.fault(format!("Invalid log facility '{text}'")),
            },
            'g' => self.log_file = Some(path().unwrap_or_else(|| "/tmp/keepalived.log".into())),
            'φ' => self.flush_log_file = true,
            'G' => self.no_syslog = true,
            'u' => match umask(text) {
                Some(mask) => self.umask = Some(mask),
                None => self.complaints.push(format!("Invalid --umask option {text}")),
            },
            'X' => self.release_addresses = true,
            'V' => self.keep_addresses = true,
            'I' => self.keep_services = true,
            'R' => self.no_respawn = true,
            'n' => self.foreground = true,
            'd' => self.dump = true,
            'p' => self.pid_file = path(),
            'r' => self.vrrp_pid_file = path(),
            'c' => self.checkers_pid_file = path(),
            'b' => self.bfd_pid_file = path(),
            'T' => return Err(Stop::Usage("-T, --genhash must stand by itself".into())),
            'a' => self.address_monitoring = true,
            'x' | 'A' => return Err(not_served(given.letter, "SNMP")),
            's' => self.namespace = Some(text.to_owned()),
            'm' => self.core_dump = true,
            'M' => return Err(not_served('M', "a core dump pattern")),
            'e' => self.all_files = true,
            'i' => self.config_id = Some(text.to_owned()),
            'σ' => return Err(Stop::SignalNumber(signal_number(text).ok_or_else(|| text.to_owned()))),
            't' => self.test = Some(path()),
            'π' => return Err(not_served('π', "perf records")),
            // Switches of debugging builds: real keepalived takes them and, built for users, does nothing.
            'δ' | 'μ' | 'ι' => {}
            'v' => return Err(Stop::Version),
            'h' => return Err(Stop::Help),
            _ => {}
        }
        Ok(())
    }

    fn fault(&mut self, line: String) {
        self.faulty = true;
        self.complaints.push(line);
    }
}

/// `NAME` or `NAME=VALUE`, the name perhaps cut short.
fn long_option<'a>(text: &'a str, words: &mut impl Iterator<Item = &'a str>) -> Result<Given<'a>, Stop> {
    let (name, joined) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let unknown = || Stop::Usage(format!("Unknown option --{name}"));
    let mut fitting = OPTIONS.iter().filter(|(_, long, _)| long.starts_with(name));
    let exact = OPTIONS.iter().find(|(_, long, _)| *long == name);
    let (letter, _, value) = match (exact, fitting.next(), fitting.next()) {
        (Some(option), ..) | (None, Some(option), None) => option,
        _ => return Err(unknown()),
    };
    let value = match (value, joined) {
        (Flag, Some(_)) => return Err(Stop::Usage(format!("Unknown option --{text}"))),
        (Required, None) => {
            Some(words.next().ok_or_else(|| Stop::Usage(format!("Missing parameter for option --{name}")))?)
        }
        (_, joined) => joined,
    };
    Ok(Given { letter: *letter, value })
}

fn not_served(letter: char, what: &str) -> Stop {
    let name = OPTIONS.iter().find(|(known, ..)| *known == letter).map_or("", |(_, name, _)| name);
    Stop::Usage(format!("The option --{name} ({what}) is known but not served yet."))
}

/// The signals that scripts look up. The numbers are those of Debian's keepalived.
fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "STOP" => 15,
        "RELOAD" => 1,
        "DATA" => 10,
        "STATS" => 12,
        "STATS_CLEAR" => 63,
        "JSON" => 36,
        _ => return None,
    })
}

/// A mask in C's notation: decimal, `0` octal, `0x` hexadecimal; at most 0777.
fn umask(text: &str) -> Option<u32> {
    let mask = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None if text.starts_with('0') => u32::from_str_radix(text, 8),
        None => text.parse(),
    };
    mask.ok().filter(|mask| *mask <= 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, Stop> {
        Arguments::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_join_and_values_follow_at_once() {
        let read = parse("-nlDf/tmp/x.conf --pid=/run/a -r /run/b").unwrap();
        assert!(read.foreground && read.console && read.detail);
        assert_eq!(read.file, PathBuf::from("/tmp/x.conf"));
        assert_eq!(read.pid_file, Some("/run/a".into()));
        assert_eq!(read.vrrp_pid_file, Some("/run/b".into()));
    }

    #[test]
    fn the_test_flag_takes_a_value_only_when_joined() {
        assert_eq!(parse("-t -f x").unwrap().test, Some(None));
        assert_eq!(parse("-tlog -f x").unwrap().test, Some(Some("log".into())));
        assert_eq!(parse("--config-test=log").unwrap().test, Some(Some("log".into())));
        assert_eq!(parse("-nt").unwrap().test, Some(None));
    }

    #[test]
    fn long_names_may_be_cut_short_but_not_ambiguously() {
        assert_eq!(parse("--sig=STOP"), Err(Stop::SignalNumber(Ok(15))));
        assert_eq!(parse("--log"), Err(Stop::Usage("Unknown option --log".into())));
        assert!(parse("--log-con").unwrap().console);
    }

    #[test]
    fn names_of_files_start_where_the_program_does() {
        let mut read = parse("-p a.pid -r /run/b -g").unwrap();
        read.start_in(Path::new("/home/x"));
        assert_eq!(read.pid_file, Some("/home/x/a.pid".into()));
        assert_eq!(read.vrrp_pid_file, Some("/run/b".into()));
        assert_eq!(read.log_file, Some("/tmp/keepalived.log".into()));
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        assert_eq!(parse("-f"), Err(Stop::Usage("Missing parameter for option -f".into())));
        assert_eq!(parse("-z"), Err(Stop::Usage("Unknown option -z".into())));
        assert_eq!(
            parse("-x"),
            Err(Stop::Usage("The option --snmp (SNMP) is known but not served yet.".into()))
        );
        assert_eq!(parse("--signum=FOO"), Err(Stop::SignalNumber(Err("FOO".into()))));
        let read = parse("extra -t -S 9 -u 9999").unwrap();
        assert!(read.faulty);
        assert_eq!(read.complaints.len(), 2);
        assert_eq!(read.extra, ["extra"]);
    }
}
