//! `stats socket`, `stats timeout` and `stats maxconn` of the `global` section.

use super::bind::Owner;
use super::statement::Statement;
use super::{Lowering, code};
use crate::Word;
use crate::address::parse_bind;
use crate::keywords::{self, Family};
use crate::model::{Address, Global, SocketLevel, StatsSocket};
use crate::units::{Unit, parse_time};
use diag::Diagnostic;

impl Lowering<'_> {
    pub(super) fn stats(&mut self, line: &Statement<'_>, global: &mut Global) {
        match line.text(0) {
            "socket" => self.stats_socket(line, global),
            "timeout" => self.stats_timeout(line, global),
            "maxconn" => {
                let most = line.text(1).parse().ok().filter(|most| *most > 0);
                match most {
                    Some(most) => global.stats_maxconn = Some(most),
                    None => {
                        let message = "'stats maxconn' expects a positive value";
                        self.error(code::NUMBER, line.argument_span(1), message);
                    }
                }
            }
            other => {
                let message =
                    format!("'stats' only supports 'socket', 'maxconn' and 'timeout' (got '{other}')");
                self.error(code::CHOICE, line.argument_span(0), message);
            }
        }
    }

    fn stats_timeout(&mut self, line: &Statement<'_>, global: &mut Global) {
        let Some(word) = line.argument(1) else {
            return self.error(code::MISSING, line.span, "'stats timeout' expects <time> as argument.");
        };
        match parse_time(&word.text, Unit::Millisecond) {
            Ok(time) if time.is_zero() => {
                self.error(code::TIME, word.span, "'stats timeout' expects a positive value");
            }
            Ok(time) => global.stats_timeout = Some(time),
            Err(error) => self.bad_time(error, word, "stats timeout"),
        }
    }

    fn stats_socket(&mut self, line: &Statement<'_>, global: &mut Global) {
        let Some(address) = line.argument(1) else {
            let message = "'stats socket' in global section expects an address or a path to a UNIX socket";
            return self.error(code::MISSING, line.span, message);
        };
        let addresses = match parse_bind(&address.text, self.machine.resolve) {
            Ok(addresses) => addresses,
            Err(error) => {
                let message = format!("'stats socket' : {}", error.message);
                self.error(code::ADDRESS, address.span, message);
                Vec::new()
            }
        };
        let mut socket = StatsSocket {
            address: Address::Fd(-1),
            level: SocketLevel::Operator,
            mode: None,
            uid: None,
            gid: None,
            expose_listeners: false,
            place: self.place(line.span),
        };
        let mut words = line.arguments().iter().skip(2);
        while let Some(word) = words.next() {
            let name = word.text.as_str();
            let Some(keyword) = keywords::find(Family::Bind, name) else {
                let message = format!("'stats socket' : unknown keyword '{name}'");
                return self.unknown(Family::Bind, name, word.span, message, "");
            };
            let value = (!keyword.arguments.is_empty()).then(|| words.next()).flatten();
            match self.stats_parameter(name, value, &mut socket) {
                Some(Ok(())) => {}
                Some(Err(refusal)) => {
                    let span = value.map_or(word.span, |value| value.span);
                    self.error(code::CHOICE, span, format!("'stats socket' : {refusal}"));
                }
                None => {
                    let message = format!("'stats socket' : '{name}' is known, not served yet");
                    self.report
                        .push(Diagnostic::error(code::NOT_YET, message).at(word.span).note(keyword.doc));
                }
            }
        }
        let sockets = addresses.into_iter().map(|address| StatsSocket { address, ..socket.clone() });
        global.stats_sockets.extend(sockets);
    }

    /// `None` when the parameter is not served here.
    fn stats_parameter(
        &mut self,
        name: &str,
        value: Option<&Word>,
        socket: &mut StatsSocket,
    ) -> Option<Result<(), String>> {
        let text = value.map_or("", Word::as_str);
        match name {
            "level" => {
                socket.level = match text {
                    "user" => SocketLevel::User,
                    "operator" => SocketLevel::Operator,
                    "admin" => SocketLevel::Admin,
                    "" => return Some(Err("'level' : missing level".to_owned())),
                    _ => {
                        let expected = "'user', 'operator', and 'admin'";
                        return Some(Err(format!("'level' only supports {expected} (got '{text}')")));
                    }
                };
            }
            "expose-fd" => {
                if text != "listeners" {
                    return Some(Err(format!("'expose-fd' only supports 'listeners' (got '{text}')")));
                }
                socket.expose_listeners = true;
            }
            "mode" | "user" | "uid" | "group" | "gid" => match self.unix_owner(name, text) {
                Ok(Owner::Mode(mode)) => socket.mode = Some(mode),
                Ok(Owner::User(uid)) => socket.uid = Some(uid),
                Ok(Owner::Group(gid)) => socket.gid = Some(gid),
                Err(refusal) => return Some(Err(refusal)),
            },
            _ => return None,
        }
        Some(Ok(()))
    }
}
