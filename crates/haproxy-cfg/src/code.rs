//! Codes of diagnostics of the language itself, H0001–H0099. Each has a paragraph in `docs/diagnostics.md`.

use diag::Code;

/// A quote that is never closed.
pub const UNMATCHED_QUOTE: Code = Code("H0001");
/// `${` without `}`.
pub const UNMATCHED_BRACE: Code = Code("H0002");
/// `$` before what is no name.
pub const VARIABLE_NAME: Code = Code("H0003");
/// `[` in a variable that is not `[*]`.
pub const WORD_EXPANSION: Code = Code("H0004");
/// `\x` without two hexadecimal digits.
pub const HEX_SEQUENCE: Code = Code("H0005");
/// More than 64 words.
pub const TOO_MANY_WORDS: Code = Code("H0006");
/// An empty word before others.
pub const EMPTY_WORD: Code = Code("H0007");
/// A NUL byte in the file.
pub const STRAY_NUL: Code = Code("H0008");
/// A last line without line feed.
pub const MISSING_LINE_FEED: Code = Code("H0009");
/// A carriage return before the end of a line.
pub const CARRIAGE_RETURN: Code = Code("H0010");
/// `\x00` in a word.
pub const NUL_IN_WORD: Code = Code("H0011");
/// Variables that grow beyond reason.
pub const EXPANSION_TOO_LARGE: Code = Code("H0012");
/// A line before the first section.
pub const OUT_OF_SECTION: Code = Code("H0020");
/// A condition that cannot be read.
pub const CONDITION: Code = Code("H0030");
/// `.elif`, `.else` or `.endif` where none can be.
pub const MISPLACED_DIRECTIVE: Code = Code("H0031");
/// Words after a directive that takes none.
pub const DIRECTIVE_ARGUMENT: Code = Code("H0032");
/// `.if` without `.endif`.
pub const UNTERMINATED_IF: Code = Code("H0033");
/// A word with a dot in front that is no directive.
pub const UNKNOWN_DIRECTIVE: Code = Code("H0034");
/// More than 1024 `.if` in each other.
pub const NESTED_TOO_DEEP: Code = Code("H0035");
/// What the configuration itself says with `.diag`, `.notice`, `.warning` or `.alert`.
pub const MESSAGE: Code = Code("H0040");
/// `setenv` and its like.
pub const ENVIRONMENT: Code = Code("H0050");
/// A file or directory that cannot be read.
pub const UNREADABLE: Code = Code("H0060");
/// A file about which too much would have to be said.
pub const TOO_MANY_MESSAGES: Code = Code("H0061");

/// All of them.
pub const ALL: &[Code] = &[
    UNMATCHED_QUOTE,
    UNMATCHED_BRACE,
    VARIABLE_NAME,
    WORD_EXPANSION,
    HEX_SEQUENCE,
    TOO_MANY_WORDS,
    EMPTY_WORD,
    STRAY_NUL,
    MISSING_LINE_FEED,
    CARRIAGE_RETURN,
    NUL_IN_WORD,
    EXPANSION_TOO_LARGE,
    OUT_OF_SECTION,
    CONDITION,
    MISPLACED_DIRECTIVE,
    DIRECTIVE_ARGUMENT,
    UNTERMINATED_IF,
    UNKNOWN_DIRECTIVE,
    NESTED_TOO_DEEP,
    MESSAGE,
    ENVIRONMENT,
    UNREADABLE,
    TOO_MANY_MESSAGES,
];
