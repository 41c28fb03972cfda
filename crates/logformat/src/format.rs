//! A compiled format and its texts.

use crate::alias::Alias;
use crate::flags::Flags;
use std::fmt;
use std::ops::Range;

/// `option httplog`.
pub const HTTP_LOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc \
                            %sq/%bq %hr %hs %{+Q}r";
/// `option httplog clf`.
pub const HTTP_CLF_LOG: &str = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta \
                                %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl";
/// `option tcplog`.
pub const TCP_LOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";
/// `option tcplog clf`.
pub const TCP_CLF_LOG: &str = "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U \
                               %ts-- %ac %fc %bc %sc %rc %sq %bq \"\" \"\" ";
/// `option httpslog`.
pub const HTTPS_LOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc \
                             %sq/%bq %hr %hs %{+Q}r \
                             %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] \
                             %[ssl_fc_sni]/%sslv/%sslc";

/// Lines of an `SSLKEYLOGFILE`, of one connection's secrets by the names of their sample fetches.
macro_rules! key_log {
    ($side:literal) => {
        concat!(
            "CLIENT_EARLY_TRAFFIC_SECRET %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_client_early_traffic_secret]\n",
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_client_handshake_traffic_secret]\n",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_server_handshake_traffic_secret]\n",
            "CLIENT_TRAFFIC_SECRET_0 %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_client_traffic_secret_0]\n",
            "SERVER_TRAFFIC_SECRET_0 %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_server_traffic_secret_0]\n",
            "EXPORTER_SECRET %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_exporter_secret]\n",
            "EARLY_EXPORTER_SECRET %[ssl_",
            $side,
            "_client_random,hex] %[ssl_",
            $side,
            "_early_exporter_secret]",
        )
    };
}

/// The secrets of clients' TLS connections.
pub const KEY_LOG_FRONT: &str = key_log!("fc");
/// The secrets of TLS connections to servers.
pub const KEY_LOG_BACK: &str = key_log!("bc");

/// The mode of the proxy that a format is written for: some aliases exist in `mode http` only.
///
/// A format in a `defaults` section may yet serve either mode: it is compiled for `Http`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum Mode {
    Tcp,
    Http,
}

/// A compiled log-format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pub(crate) items: Vec<Item>,
    /// Flags that hold for the whole line, by `%{…}o`.
    pub(crate) global: Flags,
    pub(crate) warnings: Vec<Warning>,
}

/// One piece of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Written as it is.
    Text(Box<[u8]>),
    /// One space, unless one was just written: what is empty leaves no double space.
    Space,
    /// An alias.
    Value(Value),
}

/// An alias with its flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) alias: Alias,
    pub(crate) flags: Flags,
    /// Its key when the line is encoded: `%(name)ci`.
    pub(crate) name: Option<Box<str>>,
    pub(crate) cast: Cast,
}

/// The type asked for in `%(name:type)`. It matters to numbers in an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    None,
    Str,
    Sint,
    Bool,
}

/// Something accepted that should be written otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Bytes of the format string it is about.
    pub range: Range<usize>,
    /// What to say.
    pub message: String,
}

/// Why a log-format string was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Bytes of the format string it is about.
    pub range: Range<usize>,
    /// Which kind of problem.
    pub kind: CompileErrorKind,
    /// What to say, in HAProxy's wording.
    pub message: String,
}

/// Kinds of [`CompileError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileErrorKind {
    /// It is no log-format string.
    Syntax,
    /// No alias of that name.
    UnknownAlias,
    /// An alias of `mode http` in `mode tcp`.
    HttpOnly,
    /// A sample expression `%[…]`, which is not served yet. The message does not say whether its fetch exists.
    Expression {
        /// Name of the sample fetch.
        fetch: String,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CompileError {}

impl Format {
    /// What was accepted but should be written otherwise.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether the line shows the unique id (`%ID`), which then has to be made in time.
    pub fn shows_unique_id(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Value(value) if value.alias == Alias::UniqueId))
    }
}
