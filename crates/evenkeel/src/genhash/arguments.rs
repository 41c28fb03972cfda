//! The command line of `genhash` (genhash(1)), read as `getopt_long()` reads it there.

use check::checker::http::Protocol;
use ek_time::Duration;
use std::net::{IpAddr, SocketAddr};

/// What one command line asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// `-s`, `-p`.
    pub(super) server: SocketAddr,
    /// `-u`.
    pub(super) path: String,
    /// `-S`.
    pub(super) tls: bool,
    /// `-I`: the name of `-V` is said in the TLS handshake.
    pub(super) name_server: bool,
    /// `-V`.
    pub(super) virtual_host: Option<String>,
    /// `-v`.
    pub(super) verbose: bool,
    /// `-m`.
    pub(super) mark: Option<u32>,
    /// `-P`.
    pub(super) protocol: Protocol,
    /// `-t`; 5 s when not said.
    pub(super) timeout: Duration,
}

/// What is said when the words are not understood, behind what is wrong with them.
pub(super) fn usage(program: &str) -> String {
    format!(
        "Usage: {program} COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
"
    )
}

/// Letter, long name, whether a value follows.
const OPTIONS: &[(char, &str, bool)] = &[
    ('S', "use-ssl", false),
    ('I', "use-sni", false),
    ('s', "server", true),
    ('p', "port", true),
    ('u', "url", true),
    ('V', "use-virtualhost", true),
    ('v', "verbose", false),
    ('h', "help", false),
    ('m', "fwmark", true),
    ('P', "protocol", true),
    ('t', "timeout", true),
];

/// What was said so far.
#[derive(Default)]
struct Words {
    server: Option<IpAddr>,
    port: Option<u16>,
    path: Option<String>,
    tls: bool,
    name_server: bool,
    virtual_host: Option<String>,
    verbose: bool,
    mark: Option<u32>,
    protocol: Protocol,
    timeout: Option<Duration>,
    /// Lines about what is not understood.
    wrong: String,
    /// Nothing more is looked at.
    over: bool,
}

impl Arguments {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// Lines about what is wrong, to be followed by the usage.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut this = Words::default();
        let mut extra: Vec<&str> = Vec::new();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                extra.extend(words.by_ref());
            } else if let Some(long) = word.strip_prefix("--") {
                this.long(long, &mut words);
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                this.short(letters, &mut words);
            } else {
                extra.push(word);
            }
            if this.over {
                return Err(this.wrong);
            }
        }
        if !extra.is_empty() && this.wrong.is_empty() {
            this.complain(format!("Unexpected argument(s): {}", extra.join(" ")));
        }
        match (this.server, this.port, this.path) {
            (Some(server), Some(port), Some(path)) if this.wrong.is_empty() => Ok(Self {
                server: SocketAddr::new(server, port),
                path,
                tls: this.tls,
                name_server: this.name_server,
                virtual_host: this.virtual_host,
                verbose: this.verbose,
                mark: this.mark,
                protocol: this.protocol,
                timeout: this.timeout.unwrap_or(Duration::from_secs(5)),
            }),
            _ => Err(this.wrong),
        }
    }
}

impl Words {
    fn complain(&mut self, line: impl std::fmt::Display) {
        self.wrong += &format!("{line}\n");
    }

    /// A value that is not understood ends the reading.
    fn refuse(&mut self, line: impl std::fmt::Display) {
        self.complain(line);
        self.over = true;
    }

    fn long<'a>(&mut self, text: &'a str, words: &mut impl Iterator<Item = &'a str>) {
        let (name, joined) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let exact = OPTIONS.iter().find(|(_, long, _)| *long == name);
        let mut fitting = OPTIONS.iter().filter(|(_, long, _)| long.starts_with(name));
        let option = match (exact, fitting.next(), fitting.next()) {
            (Some(option), ..) | (None, Some(option), None) => option,
            _ => return self.complain(format_args!("Unknown option --{text}")),
        };
        match (option, joined) {
            ((_, _, false), Some(_)) => self.complain(format_args!("Unknown option --{text}")),
            ((letter, _, false), None) => self.apply(*letter, ""),
            ((letter, _, true), joined) => match joined.or_else(|| words.next()) {
                Some(value) => self.apply(*letter, value),
                None => self.complain(format_args!("Missing parameter for option --{name}")),
            },
        }
    }

    fn short<'a>(&mut self, letters: &'a str, words: &mut impl Iterator<Item = &'a str>) {
        for (at, letter) in letters.char_indices() {
            if self.over {
                return;
            }
            match OPTIONS.iter().find(|(known, ..)| *known == letter) {
                None => self.complain(format_args!("Unknown option -{letter}")),
                Some((_, _, false)) => self.apply(letter, ""),
                Some((_, _, true)) => {
                    let rest = letters.get(at + letter.len_utf8()..).filter(|rest| !rest.is_empty());
                    return match rest.or_else(|| words.next()) {
                        Some(value) => self.apply(letter, value),
                        None => self.complain(format_args!("Missing parameter for option -{letter}")),
                    };
                }
            }
        }
    }

    fn apply(&mut self, letter: char, value: &str) {
        match letter {
            'S' => self.tls = true,
            'I' => self.name_server = true,
            'v' => self.verbose = true,
            'h' => self.over = true,
            'u' => self.path = Some(value.to_owned()),
            'V' => self.virtual_host = Some(value.to_owned()),
            's' => match value.parse() {
                Ok(address) => self.server = Some(address),
                Err(_) => self.refuse(format_args!("server should be an IP, not {value}")),
            },
            'p' => match value.parse() {
                Ok(port) if port > 0 => self.port = Some(port),
                _ => self.refuse(format_args!("invalid port number '{value}'")),
            },
            'm' => match value.parse() {
                Ok(mark) => self.mark = Some(mark).filter(|mark| *mark > 0),
                Err(_) => self.refuse(format_args!("invalid fwmark '{value}'")),
            },
            'P' => match value.to_ascii_lowercase().as_str() {
                "1.0" => self.protocol = Protocol::V1_0,
                "1.0c" => self.protocol = Protocol::V1_0Close,
                "1.1" => self.protocol = Protocol::V1_1,
                _ => self.refuse(format_args!("invalid HTTP protocol version '{value}'")),
            },
            't' => match value.parse::<u64>() {
                // Nobody waits longer, and the clock's numbers end somewhere.
                Ok(seconds) => self.timeout = Some(Duration::from_secs(seconds.min(86_400))),
                Err(_) => self.refuse(format_args!("invalid timeout '{value}'")),
            },
            _ => {}
        }
    }
}
