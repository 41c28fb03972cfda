//! Conditions of `.if` and of the command line's `-cc` (configuration manual, section 2.4).

use crate::lex::{self, Scope};
use crate::{Environment, Input};
use diag::{Report, Sources};
use std::collections::BTreeSet;

mod predicate;
mod version;

/// Conditions within conditions at most.
const MAX_DEPTH: usize = 256;

/// What conditions and variables can ask about.
#[derive(Clone, Debug)]
pub struct Context {
    /// Variables: those of the process, and what `setenv` and its like made of them.
    pub env: Environment,
    /// The version of HAProxy whose language this is, for `version_atleast()`.
    pub version: String,
    /// What `feature()` answers yes to: upper-case names such as `THREAD`.
    pub features: BTreeSet<String>,
    /// What `enabled()` answers yes to, such as `EPOLL` or `SPLICE`.
    pub enabled: BTreeSet<String>,
    /// What `openssl_version_*()` compare with; `None` when there is no OpenSSL.
    pub openssl_version: Option<String>,
    /// What `ssllib_name_startswith()` looks at; empty when there is no TLS library.
    pub ssl_library: String,
    /// What `awslc_api_*()` compare with; `None` when there is no AWS-LC.
    pub awslc_api: Option<u32>,
    /// What `fips_mode` answers.
    pub fips_mode: bool,
    /// Whether `.diag` speaks (`-dD`).
    pub diagnostics: bool,
    /// Whether a server whose name no resolver knows starts disabled instead of being an error (`-dr`).
    pub unresolved_servers: bool,
}

impl Context {
    /// Sets the variables that HAProxy sets before it reads a configuration (manual, section 2.3): versions, the files,
    /// the local peer's name, whether there is a master, and the formats that options stand for. `HAPROXY_CLI` and
    /// `HAPROXY_MASTER_CLI` are known only after reading.
    pub fn set_startup_variables(&mut self, inputs: &[Input], local_peer: &str, master_worker: bool) {
        let files: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let branch = self.version.split('.').take(2).collect::<Vec<_>>().join(".");
        for (name, value) in [
            ("STARTUP_VERSION", self.version.as_str()),
            ("BRANCH", &branch),
            ("CFGFILES", &files.join(";")),
            ("LOCALPEER", local_peer),
            ("HTTP_LOG_FMT", logformat::HTTP_LOG),
            ("HTTP_CLF_LOG_FMT", logformat::HTTP_CLF_LOG),
            ("HTTPS_LOG_FMT", logformat::HTTPS_LOG),
            ("TCP_LOG_FMT", logformat::TCP_LOG),
            ("TCP_CLF_LOG_FMT", logformat::TCP_CLF_LOG),
            ("KEYLOG_FC_LOG_FMT", logformat::KEY_LOG_FRONT),
            ("KEYLOG_BC_LOG_FMT", logformat::KEY_LOG_BACK),
        ] {
            self.env.set(format!("HAPROXY_{name}"), value);
        }
        if master_worker {
            self.env.set("HAPROXY_MWORKER", "1");
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self {
            env: Environment::new(),
            version: "3.5.0".to_owned(),
            features: BTreeSet::new(),
            enabled: BTreeSet::new(),
            openssl_version: None,
            ssl_library: String::new(),
            awslc_api: None,
            fips_mode: false,
            diagnostics: false,
            unresolved_servers: false,
        }
    }
}

/// What is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// In HAProxy's words.
    pub message: String,
    /// Byte of the condition where it went wrong.
    pub offset: usize,
}

/// Whether `text` holds. All of it is checked, also what does not decide.
///
/// # Errors
/// When it is not a condition.
pub fn evaluate_condition(text: &str, context: &Context) -> Result<bool, ConditionError> {
    if text.is_empty() {
        return Ok(false);
    }
    let mut parser = Parser { text, at: 0, context };
    let value = parser.either(0)?.ok_or_else(|| parser.unparsable("expression", 0, parser.at))?;
    parser.skip_blanks();
    match parser.rest().chars().next() {
        None => Ok(value),
        Some(found) => Err(ConditionError {
            message: format!("unexpected character '{found}' at the end of conditional expression '{text}'"),
            offset: parser.at,
        }),
    }
}

/// Whether the condition holds that the command line's `-cc` gives: quotes and variables in it are read first, as on an
/// `.if` line, but blanks are kept.
///
/// # Errors
/// When it is not a condition, or its quotes or variables cannot be read.
pub fn evaluate_argument(text: &str, context: &Context) -> Result<bool, ConditionError> {
    let (mut sources, mut report) = (Sources::default(), Report::default());
    let mut scope = Scope {
        env: &context.env,
        file: sources.add("-cc", text),
        file_name: "-cc",
        line: 1,
        section: b"",
        budget: &mut lex::EXPANSION_BUDGET.clone(),
        report: &mut report,
    };
    let Some(word) = lex::whole(text.as_bytes(), &mut scope) else {
        let found = report.iter().next();
        let message = found.map_or_else(String::new, |diagnostic| diagnostic.message.clone());
        let offset = found.and_then(|diagnostic| diagnostic.span).map_or(0, |span| span.start as usize);
        return Err(ConditionError { message, offset });
    };
    evaluate_condition(&String::from_utf8_lossy(&word), context)
}

/// A recursive descent; `Ok(None)` means that there was nothing left to read.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    context: &'a Context,
}

type Parsed = Result<Option<bool>, ConditionError>;

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// The error that shows the text from byte `from` and points at byte `offset`.
    fn unparsable(&self, what: &str, from: usize, offset: usize) -> ConditionError {
        let shown = self.text.get(from..).unwrap_or("");
        ConditionError { message: format!("unparsable conditional {what} '{shown}'"), offset }
    }

    /// `A || B`, where each side may hold `&&`.
    fn either(&mut self, depth: usize) -> Parsed {
        let Some(mut value) = self.both(depth)? else { return Ok(None) };
        while self.operator("||") {
            let operator = self.at;
            self.at += 2;
            match self.both(depth)? {
                Some(right) => value |= right,
                None => return Ok(self.back_to(operator)),
            }
        }
        Ok(Some(value))
    }

    /// `A && B`.
    fn both(&mut self, depth: usize) -> Parsed {
        let Some(mut value) = self.term(depth)? else { return Ok(None) };
        while self.operator("&&") {
            let operator = self.at;
            self.at += 2;
            match self.term(depth)? {
                Some(right) => value &= right,
                None => return Err(self.unparsable("expression", operator, operator)),
            }
        }
        Ok(Some(value))
    }

    /// An operator without a right side is where the error points.
    fn back_to(&mut self, at: usize) -> Option<bool> {
        self.at = at;
        None
    }

    fn operator(&mut self, operator: &str) -> bool {
        self.skip_blanks();
        self.rest().starts_with(operator)
    }

    /// `!`s, then a number, a condition in parentheses or a predicate.
    fn term(&mut self, depth: usize) -> Parsed {
        self.skip_blanks();
        let start = self.at;
        if self.rest().is_empty() {
            return Ok(None);
        }
        if depth >= MAX_DEPTH {
            return Err(self.unparsable("sub-expression", start, start));
        }
        let mut negated = false;
        while self.rest().starts_with('!') {
            negated = !negated;
            self.at += 1;
            self.skip_blanks();
        }
        if let Some((nonzero, length)) = integer(self.rest()) {
            self.at += length;
            return Ok(Some(nonzero != negated));
        }
        let value = if self.rest().starts_with('(') {
            self.at += 1;
            self.skip_blanks();
            let inner = self.either(depth + 1)?.ok_or_else(|| self.unparsable("expression", start, start))?;
            self.skip_blanks();
            if !self.rest().starts_with(')') {
                let shown = self.text.get(start..).unwrap_or("");
                let message = format!("expected ')' after conditional expression '{shown}'");
                return Err(ConditionError { message, offset: start });
            }
            self.at += 1;
            inner
        } else {
            match predicate::evaluate(self.rest(), self.context) {
                Some(Ok((value, length))) => {
                    self.at += length;
                    value
                }
                Some(Err((message, offset))) => {
                    return Err(ConditionError { message, offset: self.at + offset });
                }
                None => return Err(self.unparsable("expression", start, start)),
            }
        };
        Ok(Some(value != negated))
    }
}

/// Whether the integer at the beginning of `text` is other than zero, and its length: decimal, `0` octal or `0x`
/// hexadecimal, with a sign, as C's `strtol` in base 0. `None` when there is none.
fn integer(text: &str) -> Option<(bool, usize)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let digits =
        |text: &str, radix: u32| text.len() - text.trim_start_matches(|c: char| c.is_digit(radix)).len();
    let hex = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let (prefix, body, radix) = match hex {
        Some(body) if digits(body, 16) > 0 => (2, body, 16),
        _ if unsigned.starts_with('0') => (0, unsigned, 8),
        _ => (0, unsigned, 10),
    };
    let length = digits(body, radix);
    let nonzero = body.get(..length)?.chars().any(|c| c != '0');
    (length > 0).then_some((nonzero, sign + prefix + length))
}

#[cfg(test)]
mod tests;
