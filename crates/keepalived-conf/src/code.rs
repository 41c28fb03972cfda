//! Codes of diagnostics. Each has a paragraph in `docs/diagnostics.md`.
//!
//! `K0001`–`K0099` concern the language: words, parameters, files, blocks. `K0100` and up concern what the lines mean.

use diag::Code;

/// A quote that is never closed.
pub const UNMATCHED_QUOTE: Code = Code("K0001");
/// A line that grows beyond reason by parameters.
pub const SUBSTITUTION_TOO_LONG: Code = Code("K0002");
/// `~SEQ` or `~LST` that cannot be read.
pub const SEQUENCE: Code = Code("K0003");
/// More lines than anybody means to write.
pub const TOO_MANY_LINES: Code = Code("K0004");
/// A NUL byte.
pub const STRAY_NUL: Code = Code("K0005");
/// A backslash at the end of a line.
pub const ESCAPE_AT_END: Code = Code("K0006");
/// A configuration file that cannot be read.
pub const UNREADABLE: Code = Code("K0010");
/// An included file that is not there.
pub const MISSING_INCLUDE: Code = Code("K0011");
/// Files that include each other without end.
pub const INCLUDE_DEPTH: Code = Code("K0012");
/// `include_check` with a word it does not know.
pub const INCLUDE_CHECK: Code = Code("K0013");
/// `{` where none can be.
pub const UNEXPECTED_BRACE: Code = Code("K0020");
/// A block without `{`.
pub const MISSING_BRACE: Code = Code("K0021");
/// A `}` too many, or too few.
pub const UNBALANCED: Code = Code("K0022");
/// A keyword that keepalived does not have there.
pub const UNKNOWN_KEYWORD: Code = Code("K0030");
/// A keyword that Evenkeel does not serve yet.
pub const NOT_YET: Code = Code("K0031");
/// A keyword without its value.
pub const MISSING_PARAMETER: Code = Code("K0032");
/// A block without a name.
pub const UNNAMED: Code = Code("K0033");
/// A name given twice.
pub const DUPLICATE: Code = Code("K0034");
/// An old form.
pub const DEPRECATED: Code = Code("K0035");
/// About which too much would have to be said.
pub const TOO_MANY_MESSAGES: Code = Code("K0036");
/// What is no number, or out of range.
pub const NUMBER: Code = Code("K0100");
/// What is no time, or out of range.
pub const TIME: Code = Code("K0101");
/// What is no address, or not of the right kind.
pub const ADDRESS: Code = Code("K0102");
/// A word that is none of those expected.
pub const CHOICE: Code = Code("K0103");
/// Said twice; keepalived keeps one.
pub const REPEATED: Code = Code("K0104");
/// A word that nothing is known to do with.
pub const EXCESS: Code = Code("K0105");
/// A name that is too long.
pub const NAME_LENGTH: Code = Code("K0106");
/// A name that stands for nothing.
pub const UNDEFINED: Code = Code("K0107");
/// A user or group that does not exist.
pub const ACCOUNT: Code = Code("K0108");
/// An interface that does not exist, or is of no use.
pub const INTERFACE: Code = Code("K0109");
/// A file or directory that is not there.
pub const FILE: Code = Code("K0110");
/// A script that does nothing, or that is not said.
pub const SCRIPT: Code = Code("K0111");
/// Scripts without `enable_script_security`.
pub const SCRIPT_SECURITY: Code = Code("K0112");
/// A route that cannot be.
pub const ROUTE: Code = Code("K0120");
/// A rule that cannot be.
pub const RULE: Code = Code("K0121");
/// An address with options that do not go together.
pub const VIRTUAL_ADDRESS: Code = Code("K0122");
/// `virtual_router_id` missing.
pub const NO_VIRTUAL_ROUTER_ID: Code = Code("K0130");
/// The same virtual router twice on an interface.
pub const DUPLICATE_VIRTUAL_ROUTER: Code = Code("K0131");
/// An instance without virtual addresses.
pub const NO_VIRTUAL_ADDRESS: Code = Code("K0132");
/// More virtual addresses than an advertisement holds.
pub const TOO_MANY_ADDRESSES: Code = Code("K0133");
/// `state MASTER` or priority 255 with what does not go with it.
pub const PREEMPTION: Code = Code("K0134");
/// Authentication that cannot be.
pub const AUTHENTICATION: Code = Code("K0135");
/// A password longer than eight characters.
pub const PASSWORD_LENGTH: Code = Code("K0136");
/// An interval that the version does not have.
pub const ADVERT_INTERVAL: Code = Code("K0137");
/// A version that does not fit.
pub const VERSION: Code = Code("K0138");
/// `strict_mode` and what it forbids.
pub const STRICT: Code = Code("K0139");
/// Unicast settings that do not fit.
pub const UNICAST: Code = Code("K0140");
/// VMAC and ipvlan settings that do not fit.
pub const VMAC: Code = Code("K0141");
/// Tracking that does not fit.
pub const TRACKING: Code = Code("K0142");
/// A sync group that cannot be.
pub const SYNC_GROUP: Code = Code("K0143");
/// A script that nobody tracks.
pub const UNUSED: Code = Code("K0144");
/// A virtual server that cannot be.
pub const VIRTUAL_SERVER: Code = Code("K0160");
/// What keepalived takes when a virtual server does not say.
pub const VIRTUAL_SERVER_DEFAULT: Code = Code("K0161");
/// A real server that does not fit its virtual server.
pub const REAL_SERVER: Code = Code("K0162");
/// A checker that cannot be.
pub const CHECKER: Code = Code("K0163");
/// `slow_start` that changes nothing.
pub const SLOW_START: Code = Code("K0164");
