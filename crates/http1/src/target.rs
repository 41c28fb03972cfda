use crate::scan::skip_while;
use crate::token::eq_ignore_case;
use crate::{HeadErrorKind, Method};
use std::ops::Range;

/// The form of a request target (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`
    #[default]
    Origin,
    /// `http://host:port/path?query`
    Absolute,
    /// `host:port`, for CONNECT
    Authority,
    /// `*`, for OPTIONS
    Asterisk,
}

/// A request target taken apart; ranges are relative to its first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) form: TargetForm,
    /// `http`, without the colon.
    pub(crate) scheme: Range<usize>,
    /// Host and port, without user information.
    pub(crate) authority: Range<usize>,
    /// Path and query; `*` for the asterisk form.
    pub(crate) path: Range<usize>,
}

impl Target {
    /// Takes a target apart. Its bytes are already known to be allowed in a target.
    pub(crate) fn parse(target: &[u8], method: Method, accept_unsafe: bool) -> Result<Self, HeadErrorKind> {
        match target {
            [b'*'] if matches!(method, Method::Options | Method::Other) => {
                Ok(Self { form: TargetForm::Asterisk, path: 0..1, ..Self::default() })
            }
            [b'/', ..] if method != Method::Connect => Ok(Self { path: 0..target.len(), ..Self::default() }),
            [b'*' | b'/', ..] => Err(HeadErrorKind::TargetForm),
            _ if method == Method::Connect => {
                let authority = 0..target.len();
                let valid = is_authority(target) && port(target).is_some_and(|port| !port.is_empty());
                if !valid && !accept_unsafe {
                    return Err(HeadErrorKind::Target);
                }
                Ok(Self { form: TargetForm::Authority, authority, ..Self::default() })
            }
            _ => Self::absolute(target, accept_unsafe),
        }
    }

    fn absolute(target: &[u8], accept_unsafe: bool) -> Result<Self, HeadErrorKind> {
        let scheme = target
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            .count();
        let starts_well = target.first().is_some_and(u8::is_ascii_alphabetic);
        let rest = target.get(scheme..).and_then(|rest| rest.strip_prefix(b"://"));
        let Some(rest) = rest.filter(|_| starts_well) else { return Err(HeadErrorKind::TargetForm) };
        let start = scheme + 3;
        let length = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        let authority = rest.get(..length).unwrap_or_default();
        // RFC 9110 section 4.2.4: user information in a target deceives. HAProxy looks past it when told to.
        let user = authority.iter().rposition(|b| *b == b'@').map_or(0, |at| at + 1);
        let host = authority.get(user..).unwrap_or_default();
        if host.is_empty() || !is_authority(host) || (user > 0 && !accept_unsafe) {
            return Err(HeadErrorKind::Target);
        }
        Ok(Self {
            form: TargetForm::Absolute,
            scheme: 0..scheme,
            authority: start + user..start + length,
            path: start + length..target.len(),
        })
    }
}

/// The digits behind the last colon (none: an empty slice), or `None` when there is no port.
pub(crate) fn port(authority: &[u8]) -> Option<&[u8]> {
    let digits = authority.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let at = authority.len() - digits;
    match authority.get(..at) {
        Some([.., b':']) => authority.get(at..),
        _ => None,
    }
}

/// The authority without its port and colon.
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    match port(authority) {
        Some(port) => authority.get(..authority.len() - port.len() - 1).unwrap_or_default(),
        None => authority,
    }
}

/// Whether a port says nothing new: none, 80 for http, 443 for https; either of them without a scheme.
pub(crate) fn is_default_port(scheme: Option<&[u8]>, port: &[u8]) -> bool {
    match port {
        b"" => true,
        b"80" => scheme.is_none_or(|scheme| eq_ignore_case(scheme, b"http")),
        b"443" => scheme.is_none_or(|scheme| eq_ignore_case(scheme, b"https")),
        _ => false,
    }
}

/// Whether target and Host name the same place, the scheme's default port apart.
pub(crate) fn same_authority(scheme: Option<&[u8]>, target: &[u8], host: &[u8]) -> bool {
    eq_ignore_case(target, host)
        || (eq_ignore_case(without_port(target), without_port(host))
            && (port(target) == port(host)
                || [target, host]
                    .iter()
                    .all(|authority| is_default_port(scheme, port(authority).unwrap_or_default()))))
}

/// `uri-host [ ":" port ]` of RFC 9110 section 7.2, by its bytes: no user information, no path, no space. Empty is
/// allowed.
pub(crate) fn is_authority(value: &[u8]) -> bool {
    skip_while(value, 0, crate::token::is_authority) == value.len()
}
