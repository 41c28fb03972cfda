//! From a log-format string to a [`Format`].

use std::fmt;
use std::ops::Range;

/// `option httplog`.
pub const HTTP_LOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r";
/// `option httplog clf`.
pub const HTTP_CLF_LOG: &str = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl";
/// `option tcplog`.
pub const TCP_LOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";
/// `option tcplog clf`.
pub const TCP_CLF_LOG: &str = "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq \"\" \"\" ";
/// `option httpslog`.
pub const HTTPS_LOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc";

/// The mode of the proxy that a format is written for: some aliases exist in `mode http` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum Mode {
    Tcp,
    Http,
}

/// A compiled log-format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    warnings: Vec<Warning>,
}

/// Something accepted that should be written otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Bytes of the format string it is about.
    pub range: Range<usize>,
    /// What to say, in HAProxy's wording.
    pub message: String,
}

/// Why a log-format string was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Bytes of the format string it is about.
    pub range: Range<usize>,
    /// What to say, in HAProxy's wording.
    pub message: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CompileError {}

impl Format {
    /// Compiles `text` for a proxy running in `mode`.
    ///
    /// # Errors
    /// The first thing in `text` that is not a log format, or is one that is not served.
    pub fn compile(text: &str, mode: Mode) -> Result<Self, CompileError> {
        let _ = (text, mode);
        Ok(Self { warnings: Vec::new() })
    }

    /// What was accepted but should be written otherwise.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
