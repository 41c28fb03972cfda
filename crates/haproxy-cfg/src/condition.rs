//! Conditions of `.if` and of the command line's `-cc` (configuration manual, section 2.4).

use crate::Environment;
use std::collections::BTreeSet;

/// What conditions and variables can ask about.
#[derive(Clone, Debug)]
pub struct Context {
    /// Variables: those of the process, and what `setenv` and its like made of them.
    pub env: Environment,
    /// The version of HAProxy whose language this is, for `version_atleast()` and `HAPROXY_*` variables.
    pub version: String,
    /// What `feature()` answers yes to: upper-case names such as `THREAD`.
    pub features: BTreeSet<String>,
    /// What `enabled()` answers yes to, such as `EPOLL` or `SPLICE`.
    pub enabled: BTreeSet<String>,
    /// What `openssl_version_*()` compare with; `None` when there is no OpenSSL.
    pub openssl_version: Option<String>,
    /// What `ssllib_name_startswith()` looks at; empty when there is no TLS library.
    pub ssl_library: String,
    /// Whether `.diag` speaks (`-dD`).
    pub diagnostics: bool,
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
            diagnostics: false,
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

/// Whether `text` holds.
///
/// # Errors
/// When it is not a condition.
pub fn evaluate_condition(text: &str, context: &Context) -> Result<bool, ConditionError> {
    let _ = context;
    match text.trim() {
        "" => Ok(false),
        number => number.parse::<i64>().map(|n| n != 0).map_err(|_| ConditionError {
            message: "unparsable conditional expression".to_owned(),
            offset: 0,
        }),
    }
}
