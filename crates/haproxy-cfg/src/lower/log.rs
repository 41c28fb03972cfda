//! `log` lines (configuration manual, section 3.1).

use super::draft::{Draft, Said};
use super::statement::{Polarity, Statement};
use super::{LogChoice, Lowering, code};
use crate::Word;
use crate::address::parse_log;
use crate::model::{Global, Logger, LoggerFormat, LoggerRef};

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

fn index(names: &[&str], name: &str) -> Option<u8> {
    names.iter().position(|candidate| *candidate == name).and_then(|at| u8::try_from(at).ok())
}

fn format_of(name: &str) -> Option<LoggerFormat> {
    Some(match name {
        "local" => LoggerFormat::Local,
        "rfc3164" => LoggerFormat::Rfc3164,
        "rfc5424" => LoggerFormat::Rfc5424,
        "priority" => LoggerFormat::Priority,
        "short" => LoggerFormat::Short,
        "timed" => LoggerFormat::Timed,
        "iso" => LoggerFormat::Iso,
        "raw" => LoggerFormat::Raw,
        _ => return None,
    })
}

impl Lowering<'_> {
    pub(super) fn global_log(&mut self, line: &Statement<'_>, global: &mut Global) {
        if line.polarity != Polarity::Plain {
            if self.no_log(line) {
                global.loggers.clear();
            }
        } else if line.text(0) == "global" {
            let message = "log : 'global' is not supported for a global syslog server";
            self.error(code::LOG, line.argument_span(0), message);
        } else if let Some(logger) = self.logger(line, "") {
            global.loggers.push(logger);
        }
    }

    pub(super) fn proxy_log(&mut self, line: &Statement<'_>, loggers: &mut Vec<LoggerRef>) {
        if line.polarity != Polarity::Plain {
            if self.no_log(line) {
                loggers.clear();
            }
        } else if line.text(0) == "global" && line.arguments().len() == 1 {
            loggers.push(LoggerRef::Global);
        } else if let Some(logger) = self.logger(line, "or global") {
            loggers.push(LoggerRef::Own(logger));
        }
    }

    fn no_log(&mut self, line: &Statement<'_>) -> bool {
        if let Some(extra) = line.argument(0) {
            self.error(code::LOG, extra.span, "log : 'no log' does not expect arguments");
        }
        line.arguments().is_empty()
    }

    fn logger(&mut self, line: &Statement<'_>, or_global: &str) -> Option<Logger> {
        let mut words = line.arguments().iter().peekable();
        let too_few = || format!("log : expects <address> and <facility> {or_global} as arguments");
        let (Some(address), true) = (words.next(), line.arguments().len() > 1) else {
            self.error(code::LOG, line.span, too_few());
            return None;
        };
        let target = match parse_log(&address.text, self.machine.resolve) {
            Ok(target) => target,
            Err(error) => {
                self.error(code::ADDRESS, address.span, format!("log : {}", error.message));
                return None;
            }
        };
        let mut max_len = 1024;
        let mut format = None;
        let mut sample = None;
        while let Some(parameter) =
            words.next_if(|word| ["len", "format", "sample", "profile"].contains(&word.text.as_str()))
        {
            let value = words.next();
            match parameter.text.as_str() {
                "len" => max_len = self.log_len(value, line)?,
                "format" => format = Some(self.log_frame(value, line)?),
                "sample" => sample = Some(self.log_sample(value, line)?),
                _ => {
                    self.error(code::NOT_YET, parameter.span, "'log … profile' is known, not served yet");
                    return None;
                }
            }
        }
        let Some(facility) = words.next() else {
            self.error(code::LOG, line.span, too_few());
            return None;
        };
        let facility_number = self.named(&FACILITIES, facility, "facility")?;
        let max_level = match words.next() {
            Some(word) => self.named(&LEVELS, word, "optional log level")?,
            None => 7,
        };
        let min_level = match words.next() {
            Some(word) => self.named(&LEVELS, word, "optional minimum log level")?,
            None => 0,
        };
        if let Some(extra) = words.next() {
            let message = format!("log : cannot handle unexpected argument '{}'", extra.text);
            self.error(code::SURPLUS, extra.span, message);
            return None;
        }
        if format.is_some() {
            self.formats_said.push(line.span);
        }
        Some(Logger {
            target,
            max_len,
            format: format.unwrap_or(LoggerFormat::Local),
            sample,
            facility: facility_number,
            max_level,
            min_level,
            place: self.place(line.span),
        })
    }

    fn named(&mut self, names: &[&str], word: &Word, what: &str) -> Option<u8> {
        let found = index(names, &word.text);
        if found.is_none() {
            let message = format!("log : unknown {what} '{}'", word.text);
            self.report.push(
                diag::Diagnostic::error(code::LOG, message)
                    .at(word.span)
                    .note(format!("one of {}", names.join(", "))),
            );
        }
        found
    }

    fn log_len(&mut self, value: Option<&Word>, line: &Statement<'_>) -> Option<u32> {
        let text = value.map_or("", Word::as_str);
        match text.parse() {
            Ok(len @ 80..=65535) => Some(len),
            _ => {
                let message = format!("log : invalid log length '{text}', must be between 80 and 65535");
                self.error(code::LOG, value.map_or(line.span, |word| word.span), message);
                None
            }
        }
    }

    fn log_frame(&mut self, value: Option<&Word>, line: &Statement<'_>) -> Option<LoggerFormat> {
        let text = value.map_or("", Word::as_str);
        let format = format_of(text);
        if format.is_none() {
            let span = value.map_or(line.span, |word| word.span);
            self.error(code::LOG, span, format!("log : unknown log format '{text}'"));
        }
        format
    }

    /// `RANGES:SIZE`, such as `1,3-5:10`.
    fn log_sample(&mut self, value: Option<&Word>, line: &Statement<'_>) -> Option<(Vec<(u32, u32)>, u32)> {
        let text = value.map_or("", Word::as_str);
        let parsed = sample(text);
        match parsed {
            Ok(sample) => Some(sample),
            Err(message) => {
                self.error(code::LOG, value.map_or(line.span, |word| word.span), format!("log : {message}"));
                None
            }
        }
    }

    /// Without `format`, lines are `local`, or `rfc3164` where the host's name is sent.
    pub(super) fn default_log_formats(&mut self, draft: &mut Draft) {
        if draft.global.log_send_hostname.is_none() {
            return;
        }
        let own = draft.proxies.iter_mut().flat_map(|proxy| &mut proxy.settings.loggers);
        let own = own.filter_map(|logger| match logger {
            LoggerRef::Own(logger) => Some(logger),
            LoggerRef::Global => None,
        });
        for logger in own.chain(&mut draft.global.loggers) {
            if !self.formats_said.contains(&logger.place.span) {
                logger.format = LoggerFormat::Rfc3164;
            }
        }
    }

    /// Takes the access log of a proxy, saying so when defaults said otherwise before.
    pub(super) fn choose_log(
        &mut self,
        slot: &mut Option<Said<LogChoice>>,
        choice: LogChoice,
        in_defaults: bool,
        line: &Statement<'_>,
    ) {
        if let Some(before) =
            slot.as_ref().filter(|before| in_defaults && before.value.name() != choice.name())
        {
            let message = format!(
                "'{}' overrides previous '{}' in 'defaults' section.",
                choice.name(),
                before.value.name()
            );
            let warning = diag::Diagnostic::warning(code::OVERRIDES, message).at(line.span);
            self.report.push(warning.related(before.span, "said here before"));
        }
        *slot = Some(Said::new(choice, line.span));
    }
}

fn sample(text: &str) -> Result<(Vec<(u32, u32)>, u32), String> {
    let (ranges, size) = text.split_once(':').ok_or("Missing sample size")?;
    let mut found = Vec::new();
    for range in ranges.split(',') {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let wrong = || format!("wrong sample range '{range}'");
        let low: u32 = low.parse().map_err(|_| wrong())?;
        let high: u32 = high.parse().map_err(|_| wrong())?;
        if low == 0 || low > high {
            return Err(wrong());
        }
        found.push((low, high));
    }
    found.sort_unstable();
    let overlap = found.iter().zip(found.iter().skip(1)).any(|(left, right)| left.1 >= right.0);
    if overlap {
        return Err(format!("sample ranges are overlapping in '{ranges}'"));
    }
    let size: u32 = size.parse().map_err(|_| format!("wrong sample size '{size}'"))?;
    let highest = found.iter().map(|range| range.1).max().unwrap_or(0);
    if size < highest {
        return Err(format!(
            "sample size {size} should be greater or equal to {highest} the maximum of the high ranges limits"
        ));
    }
    Ok((found, size))
}
