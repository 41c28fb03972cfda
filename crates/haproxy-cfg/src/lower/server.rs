//! `server` and `default-server` lines.

use super::draft::{ProxyDraft, Said, ServerDraft, ServerSettings, Settings};
use super::header::forbidden;
use super::statement::Statement;
use super::{Lowering, code};
use crate::Word;
use crate::address::{parse_ip, parse_server};
use crate::keywords::{self, Family, Status};
use crate::units::{Unit, UnitError, parse_time};
use diag::{Diagnostic, Form};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The address of a server that has none: of either family, as the line may ask for one.
const UNKNOWN: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

impl Lowering<'_> {
    pub(super) fn server(&mut self, line: &Statement<'_>, proxy: &mut ProxyDraft) {
        let (Some(name), Some(address)) = (line.argument(0), line.argument(1)) else {
            let message = "'server' expects <name> and <addr>[:<port>] as arguments.";
            return self.error(code::MISSING, line.span, message);
        };
        if let Some(bad) = forbidden(&name.text) {
            let message = format!("character '{bad}' is not permitted in server name '{}'.", name.text);
            self.error(code::HEADER, name.span, message);
        }
        let about = format!("'server {}/{}' : ", proxy.name, name.text);
        let mut settings = proxy.settings.default_server.clone();
        let mut parsed = parse_server(&address.text, self.machine.resolve);
        let words = line.arguments().get(2..).unwrap_or(&[]);
        let id = self.server_parameters(words, &about, &name.text, Some(line), &mut settings);
        if parsed.is_err()
            && self.unresolved_servers
            && let Ok(unknown) = parse_server(&address.text, &|_| UNKNOWN.to_vec())
        {
            // Only the resolver has failed.
            let host = address.text.split('@').next_back().unwrap_or_default();
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            let message = format!("{about}could not resolve address '{host}', disabling server.");
            let warning = Diagnostic::warning(code::UNRESOLVED, message).at(address.span);
            self.report.push(warning.form(Form::Bracketed));
            settings.disabled = true;
            parsed = Ok(unknown);
        }
        match parsed {
            Ok(address) => proxy.servers.push(ServerDraft {
                name: name.text.clone(),
                address,
                id,
                settings,
                place: self.place(line.span),
            }),
            Err(error) => self.error(code::ADDRESS, address.span, format!("{about}{}", error.message)),
        }
    }

    pub(super) fn default_server(&mut self, line: &Statement<'_>, settings: &mut Settings) {
        let words = line.arguments();
        self.server_parameters(words, "", "default-server", None, &mut settings.default_server);
    }

    /// Reads the parameters; `server` is the line when it is not `default-server`. What `id` said is returned.
    fn server_parameters(
        &mut self,
        words: &[Word],
        about: &str,
        name: &str,
        server: Option<&Statement<'_>>,
        settings: &mut ServerSettings,
    ) -> Option<Said<u32>> {
        let mut id = None;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            let Some(keyword) = keywords::find(Family::Server, text) else {
                let message = format!("{about}unknown keyword '{text}'");
                self.unknown(Family::Server, text, word.span, message, ".");
                break;
            };
            let value = (!keyword.arguments.is_empty()).then(|| words.next()).flatten();
            if !matches!(keyword.status, Status::Served | Status::NoEffect) {
                let message = format!("{about}'{text}' is known, not served yet");
                self.report.push(Diagnostic::error(code::NOT_YET, message).at(word.span).note(keyword.doc));
                continue;
            }
            let span = value.map_or(word.span, |value| value.span);
            if text == "id" && server.is_none() {
                let message = "'id' option is not accepted in default-server sections";
                self.warning(code::MISPLACED, word.span, message);
                continue;
            }
            let value_text = value.map_or("", Word::as_str);
            let result = if text == "id" {
                custom_id(value_text).map(|number| id = Some(Said::new(number, span)))
            } else {
                self.server_parameter(text, value_text, name, settings)
            };
            match result {
                Ok(()) if keyword.status == Status::NoEffect => self.not_lowered(keyword, text, word.span),
                Ok(()) => {}
                Err(refusal) => self.error(code::CHOICE, span, format!("{about}{refusal}")),
            }
        }
        id
    }

    fn server_parameter(
        &self,
        keyword: &str,
        text: &str,
        server: &str,
        settings: &mut ServerSettings,
    ) -> Result<(), String> {
        match keyword {
            "check" => settings.check = true,
            "no-check" => settings.check = false,
            "backup" => settings.backup = true,
            "no-backup" => settings.backup = false,
            "disabled" => settings.disabled = true,
            "enabled" => settings.disabled = false,
            "inter" => settings.inter = delay(keyword, text, server)?,
            "fastinter" => settings.fastinter = Some(delay(keyword, text, server)?),
            "downinter" => settings.downinter = Some(delay(keyword, text, server)?),
            "rise" => settings.rise = count(keyword, text)?,
            "fall" => settings.fall = count(keyword, text)?,
            "maxconn" => settings.maxconn = number(keyword, text)?,
            "maxqueue" => settings.maxqueue = number(keyword, text)?,
            "weight" => {
                let weight: i64 = text.parse().map_err(|_| expects_integer(keyword))?;
                let outside = || format!("weight of server {server} is not within 0 and 256 ({weight}).");
                settings.weight = u32::try_from(weight).ok().filter(|w| *w <= 256).ok_or_else(outside)?;
            }
            "port" => {
                if text.is_empty() {
                    return Err("'port' expects a port number as argument.".to_owned());
                }
                let port: u16 =
                    text.parse().map_err(|_| format!("'port' expects a port number, got '{text}'."))?;
                settings.check_port = (port > 0).then_some(port);
            }
            "addr" => {
                if text.is_empty() {
                    return Err("'addr' expects <ipv4|ipv6> as argument.".to_owned());
                }
                let found = parse_ip(text, self.machine.resolve);
                settings.check_addr = Some(found.map_err(|error| format!("'addr' : {}", error.message))?);
            }
            "pool-max-conn" => {
                if text.is_empty() {
                    return Err("'pool-max-conn' expects <value> as argument.".to_owned());
                }
                let most: i64 = text.parse().map_err(|_| expects_integer(keyword))?;
                if most < -1 {
                    return Err("'pool-max-conn' must be >= -1".to_owned());
                }
                settings.pool_max_conn = most;
            }
            "pool-purge-delay" => {
                if text.is_empty() {
                    return Err("'pool-purge-delay' expects <value> as argument.".to_owned());
                }
                settings.pool_purge_delay = parse_time(text, Unit::Millisecond)
                    .map_err(|error| time_error(error, keyword, text, server))?;
            }
            _ => return Err(format!("'{keyword}' is known, not served yet")),
        }
        Ok(())
    }
}

fn expects_integer(keyword: &str) -> String {
    format!("'{keyword}' expects an integer argument.")
}

fn number(keyword: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| expects_integer(keyword))
}

/// A number of checks: at least one.
fn count(keyword: &str, text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err(expects_integer(keyword));
    }
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("'{keyword}' has to be > 0."))
}

fn custom_id(text: &str) -> Result<u32, String> {
    if text.is_empty() {
        return Err("'id' : expects an integer argument".to_owned());
    }
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| "'id' : custom id has to be > 0".to_owned())
}

/// A time between checks: not zero.
fn delay(keyword: &str, text: &str, server: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err(format!("'{keyword}' expects a delay as argument."));
    }
    match parse_time(text, Unit::Millisecond) {
        Ok(Duration::ZERO) => Err(format!("invalid value 0 for argument '{keyword}' of server {server}.")),
        Ok(time) => Ok(time),
        Err(error) => Err(time_error(error, keyword, text, server)),
    }
}

fn time_error(error: UnitError, keyword: &str, text: &str, server: &str) -> String {
    match error {
        UnitError::Unexpected(found) => {
            format!("unexpected character '{found}' in '{keyword}' argument of server {server}.")
        }
        UnitError::Empty => format!("'{keyword}' expects a delay as argument."),
        UnitError::Overflow => format!(
            "timer overflow in argument <{text}> to <{keyword}> of server {server}, maximum value is 2147483647 ms (~24.8 days)."
        ),
    }
}
