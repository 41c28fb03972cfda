//! The command line of `haproxy` (management guide, section 3), read as that program reads it.
//!
//! A flag is known by its first one to three letters and whatever follows them is not looked at, so that `-cfoo` is
//! `-c` and `-qV` is `-q`; a value is always the next word, never the rest of this one.

use std::path::PathBuf;

/// What one command line asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `-f` and what follows `--`: files and directories in the order given.
    pub(crate) inputs: Vec<String>,
    /// `-c`.
    pub(crate) check: bool,
    /// `-D`.
    pub(crate) daemon: bool,
    /// `-W` or `-Ws`.
    pub(crate) master: bool,
    /// `-Ws`: tell systemd.
    pub(crate) notify: bool,
    /// `-db`.
    pub(crate) foreground: bool,
    /// `-d`.
    pub(crate) debug: bool,
    /// `-q`.
    pub(crate) quiet: bool,
    /// `-V`.
    pub(crate) verbose: bool,
    /// `-dW`.
    pub(crate) zero_warning: bool,
    /// `-dD`.
    pub(crate) diagnostics: bool,
    /// `-dr`.
    pub(crate) resolve_dont_fail: bool,
    /// `-dR`: no `SO_REUSEPORT`.
    pub(crate) no_reuse_port: bool,
    /// `-dS`: no splicing.
    pub(crate) no_splice: bool,
    /// `-n`; 0 is unset.
    pub(crate) maxconn: u32,
    /// `-N`; 0 is unset.
    pub(crate) proxy_maxconn: u32,
    /// `-m`, megabytes; 0 is no limit.
    pub(crate) memory: u64,
    /// `-p`.
    pub(crate) pidfile: Option<PathBuf>,
    /// `-L`.
    pub(crate) local_peer: Option<String>,
    /// `-C`.
    pub(crate) directory: Option<PathBuf>,
    /// `-sf`, `-st`.
    pub(crate) old_processes: Vec<u32>,
    /// `-st` rather than `-sf`.
    pub(crate) terminate_old: bool,
    /// `-x`.
    pub(crate) old_socket: Option<String>,
    /// `-S`: sockets of the master's own command line, each with bind options.
    pub(crate) master_sockets: Vec<String>,
    /// `-cc`.
    pub(crate) condition: Option<String>,
}

/// What to do when the command line is not a plain start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `-v`, and `-vv`.
    Version { long: bool },
    /// The usage text, exit code 1, after these alerts and notes.
    Usage(Vec<String>),
    /// An alert, exit code 1.
    Refused(String),
}

fn not_served(flag: &str, what: &str) -> Stop {
    Stop::Refused(format!("the option '{flag}' ({what}) is known but not served yet."))
}

/// A number as `atol()` reads it: leading blanks, a sign, digits, and what follows them is not looked at.
fn number(text: &str) -> u64 {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|d| d.parse().ok()).unwrap_or(0)
}

impl Arguments {
    /// Reads the words after the program's name.
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Stop> {
        let mut this = Self::default();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-') else { return Err(Stop::Usage(Vec::new())) };
            let letters: Vec<char> = flag.chars().take(2).collect();
            let mut value = || words.next().map(str::to_owned).ok_or(Stop::Usage(Vec::new()));
            match letters.as_slice() {
                ['v', 'v'] => return Err(Stop::Version { long: true }),
                ['v', ..] => return Err(Stop::Version { long: false }),
                ['d', rest @ ..] => this.debug_flag(rest.first().copied(), flag)?,
                ['V', ..] => this.verbose = true,
                ['c', 'c'] => this.condition = Some(value()?),
                ['c', ..] => this.check = true,
                ['D', ..] => this.daemon = true,
                ['W', 's'] => (this.master, this.notify, this.foreground) = (true, true, true),
                ['W', ..] => this.master = true,
                ['q', ..] => this.quiet = true,
                ['x', ..] => {
                    let missing = "Unix socket path expected with the -x flag\n";
                    this.old_socket = Some(words.next().ok_or_else(|| usage(missing))?.to_owned());
                }
                ['S', ..] => {
                    let missing = "Socket and optional bind parameters expected with the -S flag\n";
                    this.master_sockets.push(words.next().ok_or_else(|| usage(missing))?.to_owned());
                }
                ['s', how @ ('f' | 't')] => {
                    this.terminate_old = *how == 't';
                    while let Some(pid) = words.next_if(|next| !next.starts_with('-')) {
                        this.old_processes.push(process_id(flag, pid)?);
                    }
                }
                ['-'] => this.inputs.extend(words.by_ref().map(str::to_owned)),
                ['C', ..] => this.directory = Some(value()?.into()),
                ['n', ..] => this.maxconn = u32::try_from(number(&value()?)).unwrap_or(u32::MAX),
                ['N', ..] => this.proxy_maxconn = u32::try_from(number(&value()?)).unwrap_or(u32::MAX),
                ['m', ..] => this.memory = number(&value()?),
                ['L', ..] => this.local_peer = Some(value()?),
                ['f', ..] => this.inputs.push(value()?),
                ['p', ..] => this.pidfile = Some(value()?.into()),
                ['4', ..] => return Err(not_served("-4", "only IPv4 from name servers")),
                _ => return Err(Stop::Usage(Vec::new())),
            }
        }
        Ok(this)
    }

    /// `-d` and the flags that begin with it.
    fn debug_flag(&mut self, letter: Option<char>, flag: &str) -> Result<(), Stop> {
        match letter {
            Some('b') => self.foreground = true,
            Some('W') => self.zero_warning = true,
            Some('D') => self.diagnostics = true,
            Some('r') => self.resolve_dont_fail = true,
            Some('R') => self.no_reuse_port = true,
            Some('S') => self.no_splice = true,
            // There is no poll(), kqueue or event port to turn off, memory is never reused unwritten, and no getaddrinfo
            // result is used while running: what these ask for is already so.
            Some('p' | 'k' | 'v' | 'G' | 'I' | 'F' | 'Z') => {}
            Some('M') if flag.ends_with("help") => {
                return Err(not_served("-dMhelp", "the list of memory debugging options"));
            }
            Some('M') => {}
            Some('e') => return Err(not_served("-de", "running without epoll")),
            Some('V') => return Err(not_served("-dV", "TLS servers without verification")),
            Some('K') => return Err(not_served("-dK", "the list of keywords")),
            Some('L') => return Err(not_served("-dL", "the list of loaded object files")),
            Some('C') => return Err(not_served("-dC", "the configuration as it was read")),
            Some('A') => return Err(not_served("-dA", "an archive of files for a core dump")),
            Some('t') => return Err(not_served("-dt", "traces")),
            Some('T') => return Err(not_served("-dT", "no kernel TLS")),
            Some('c') => return Err(not_served("-dc", "the description of the processors")),
            _ => self.debug = true,
        }
        Ok(())
    }
}

fn usage(alert: &str) -> Stop {
    Stop::Usage(vec![alert.to_owned()])
}

/// One pid of `-sf`/`-st`, with the refusals of `strtol()`.
fn process_id(flag: &str, text: &str) -> Result<u32, Stop> {
    let trimmed = text.trim_start();
    let end = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (digits, rest) = trimmed.split_at_checked(end).unwrap_or((trimmed, ""));
    if !rest.trim_start().is_empty() || digits.is_empty() {
        let rest = if digits.is_empty() { text } else { rest.trim_start() };
        return Err(Stop::Refused(format!("-{flag} option: some bytes unconsumed in PID list {{{rest}}}")));
    }
    let pid = digits.parse::<u32>().ok().filter(|&pid| i32::try_from(pid).is_ok());
    let pid = pid.ok_or_else(|| {
        Stop::Refused(format!("-{flag} option: failed to parse {{{text}}}: Numerical result out of range"))
    })?;
    if pid == 0 { Err(Stop::Usage(Vec::new())) } else { Ok(pid) }
}
