//! Codes of diagnostics of keywords and sections, H0100–H0199. Each has a paragraph in `docs/diagnostics.md`.

use diag::Code;

pub(crate) const UNKNOWN: Code = Code("H0100");
pub(crate) const NOT_YET: Code = Code("H0101");
pub(crate) const REMOVED: Code = Code("H0102");
pub(crate) const NO_EFFECT: Code = Code("H0103");
pub(crate) const SURPLUS: Code = Code("H0104");
pub(crate) const MISSING: Code = Code("H0105");
pub(crate) const NUMBER: Code = Code("H0106");
pub(crate) const TIME: Code = Code("H0107");
pub(crate) const MISPLACED: Code = Code("H0108");
pub(crate) const OTHER_SIDE: Code = Code("H0109");
pub(crate) const NEGATION: Code = Code("H0110");
pub(crate) const REPEATED: Code = Code("H0111");
pub(crate) const CHOICE: Code = Code("H0112");
pub(crate) const ADDRESS: Code = Code("H0113");
pub(crate) const ACCOUNT: Code = Code("H0114");
pub(crate) const LOG: Code = Code("H0115");
pub(crate) const OLD_NAME: Code = Code("H0116");
pub(crate) const HEADER_ADDRESS: Code = Code("H0117");
pub(crate) const HEADER: Code = Code("H0118");
pub(crate) const DUPLICATE_PROXY: Code = Code("H0119");
pub(crate) const FROM: Code = Code("H0120");
pub(crate) const LOG_FORMAT: Code = Code("H0121");
pub(crate) const LOG_FORMAT_HINT: Code = Code("H0122");
pub(crate) const ERROR_FILE: Code = Code("H0123");
pub(crate) const OVERRIDES: Code = Code("H0124");
pub(crate) const SECTION_NOT_YET: Code = Code("H0125");
pub(crate) const BARE_TIME: Code = Code("H0126");
pub(crate) const UNRESOLVED: Code = Code("H0127");

pub(crate) const NO_BACKEND: Code = Code("H0150");
pub(crate) const BACKEND_LOOP: Code = Code("H0151");
pub(crate) const MODE_MISMATCH: Code = Code("H0152");
pub(crate) const MISSING_TIMEOUTS: Code = Code("H0153");
pub(crate) const NO_BIND: Code = Code("H0154");
pub(crate) const UNUSED_SERVERS: Code = Code("H0155");
pub(crate) const HTTP_LOG_IN_TCP: Code = Code("H0156");
pub(crate) const LOG_WITHOUT_TARGET: Code = Code("H0157");
pub(crate) const DUPLICATE_SERVER: Code = Code("H0158");
pub(crate) const DUPLICATE_ID: Code = Code("H0159");
pub(crate) const CHECK_WITHOUT_PORT: Code = Code("H0160");
pub(crate) const NEEDS_HTTP: Code = Code("H0161");
pub(crate) const HTTP_CHECK_UNUSED: Code = Code("H0162");

/// All of them.
#[cfg(test)]
pub(crate) const ALL: &[Code] = &[
    UNKNOWN,
    NOT_YET,
    REMOVED,
    NO_EFFECT,
    SURPLUS,
    MISSING,
    NUMBER,
    TIME,
    MISPLACED,
    OTHER_SIDE,
    NEGATION,
    REPEATED,
    CHOICE,
    ADDRESS,
    ACCOUNT,
    LOG,
    OLD_NAME,
    HEADER_ADDRESS,
    HEADER,
    DUPLICATE_PROXY,
    FROM,
    LOG_FORMAT,
    LOG_FORMAT_HINT,
    ERROR_FILE,
    OVERRIDES,
    SECTION_NOT_YET,
    BARE_TIME,
    UNRESOLVED,
    NO_BACKEND,
    BACKEND_LOOP,
    MODE_MISMATCH,
    MISSING_TIMEOUTS,
    NO_BIND,
    UNUSED_SERVERS,
    HTTP_LOG_IN_TCP,
    LOG_WITHOUT_TARGET,
    DUPLICATE_SERVER,
    DUPLICATE_ID,
    CHECK_WITHOUT_PORT,
    NEEDS_HTTP,
    HTTP_CHECK_UNUSED,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_has_a_paragraph() {
        let manual = include_str!("../../../../docs/diagnostics.md");
        let mut seen = std::collections::BTreeSet::new();
        for code in ALL {
            assert!(seen.insert(code.0), "{} stands twice", code.0);
            let heading = format!("\n## {} — ", code.0);
            assert_eq!(manual.matches(&heading).count(), 1, "{}", code.0);
        }
    }
}
