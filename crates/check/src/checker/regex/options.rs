//! `regex_options`: PCRE2's options by name.

use super::RegexError;

/// Those that change what matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Options {
    pub(super) allow_empty_class: bool,
    pub(super) alt_circumflex: bool,
    pub(super) caseless: bool,
    pub(super) dollar_endonly: bool,
    pub(super) dotall: bool,
    pub(super) extended: bool,
    pub(super) firstline: bool,
    pub(super) multiline: bool,
    pub(super) never_backslash_c: bool,
    pub(super) no_auto_capture: bool,
    pub(super) ucp: bool,
    pub(super) ungreedy: bool,
    pub(super) utf: bool,
}

impl Options {
    pub(super) fn read(names: &[&str]) -> Result<Self, RegexError> {
        let mut options = Self::default();
        for name in names {
            let place = match *name {
                "allow_empty_class" => &mut options.allow_empty_class,
                "alt_circumflex" => &mut options.alt_circumflex,
                "caseless" => &mut options.caseless,
                "dollar_endonly" => &mut options.dollar_endonly,
                "dotall" => &mut options.dotall,
                "extended" => &mut options.extended,
                "firstline" => &mut options.firstline,
                "multiline" => &mut options.multiline,
                "never_backslash_c" => &mut options.never_backslash_c,
                "no_auto_capture" => &mut options.no_auto_capture,
                "ucp" => &mut options.ucp,
                "ungreedy" => &mut options.ungreedy,
                "utf" => &mut options.utf,
                // These do not change what a pattern matches that we take: they concern how fast, or forbid it what we do
                // not serve anyway.
                "auto_callout" | "alt_verbnames" | "never_ucp" | "never_utf" | "no_auto_possess"
                | "no_dotstar_anchor" | "no_start_optimize" | "use_offset_limit" => continue,
                other => return Err(RegexError::new(format!("regex option {other} is not served"))),
            };
            *place = true;
        }
        if options.ucp && !options.utf {
            return Err(RegexError::new("regex option ucp is not served without utf"));
        }
        Ok(options)
    }
}
