//! What request and response heads have in common: the field index, and the fields that frame the message.

use crate::scan::{FieldScanner, Scanned};
use crate::token::{eq_ignore_case, is_name, is_plain_name, list};
use crate::{Field, Fields, HeadError, HeadErrorKind, Limits, NamePolicy, Span, Strictness};

/// Facts gathered from the fields, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    pub(crate) const LENGTH: Self = Self(1);
    pub(crate) const CODING: Self = Self(1 << 1);
    /// `chunked` is the last coding so far.
    pub(crate) const CHUNKED: Self = Self(1 << 2);
    pub(crate) const OTHER_CODING: Self = Self(1 << 3);
    pub(crate) const CLOSE: Self = Self(1 << 4);
    pub(crate) const KEEP_ALIVE: Self = Self(1 << 5);
    /// Connection names `upgrade`.
    pub(crate) const CONNECTION_UPGRADE: Self = Self(1 << 6);
    /// Upgrade names a protocol that can be spoken through a tunnel.
    pub(crate) const UPGRADE: Self = Self(1 << 7);
    pub(crate) const WEBSOCKET: Self = Self(1 << 8);
    pub(crate) const WEBSOCKET_KEY: Self = Self(1 << 9);
    pub(crate) const EXPECT_CONTINUE: Self = Self(1 << 10);
    /// Connection names fields of the sender's choice.
    pub(crate) const NOMINATES: Self = Self(1 << 11);
    /// There is a field that ends at this hop: Connection, Keep-Alive, Proxy-Connection, TE, Upgrade.
    pub(crate) const HOP: Self = Self(1 << 12);
    /// Both Transfer-Encoding and Content-Length, or Transfer-Encoding in HTTP/1.0.
    pub(crate) const DOUBTFUL: Self = Self(1 << 13);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn unset(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

/// Whose fields they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
    /// Fields behind a chunked body: those that frame, route or authenticate a message are left out.
    Trailer,
}

/// The part of a head after its start line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) scanner: FieldScanner,
    pub(crate) fields: Fields,
    pub(crate) flags: Flags,
    /// Content-Length, when it was given.
    pub(crate) length: u64,
    /// Position of Host in `fields`.
    pub(crate) host: Option<usize>,
}

impl Head {
    pub(crate) fn start(&mut self, at: usize) {
        self.scanner.start(at);
        self.fields.list.clear();
        self.flags = Flags::default();
        self.length = 0;
        self.host = None;
    }

    /// Scans as many fields as there are; the offset of the body when the empty line was seen.
    pub(crate) fn scan(
        &mut self,
        buf: &mut [u8],
        side: Side,
        limits: &Limits,
        strict: &Strictness,
    ) -> Result<Option<usize>, HeadError> {
        loop {
            match self.scanner.next(buf, strict.accept_unsafe)? {
                Scanned::Partial => return Ok(None),
                Scanned::End(at) => return Ok(Some(at)),
                Scanned::Field(field) => {
                    if self.fields.len() + 1 >= limits.max_fields {
                        return fail(HeadErrorKind::TooManyFields, field.line);
                    }
                    if side != Side::Trailer {
                        self.field(buf, field, side, strict)?;
                    } else if eq_ignore_case(field.name.of(buf), b"transfer-encoding") {
                        // Whoever sent it meant another end of the message than the one that was found.
                        return fail(HeadErrorKind::TransferEncoding, field.name);
                    } else if !is_forbidden_trailer(field.name.of(buf)) {
                        self.fields.list.push(field);
                    }
                }
            }
        }
    }

    fn field(
        &mut self,
        buf: &mut [u8],
        mut field: Field,
        side: Side,
        strict: &Strictness,
    ) -> Result<(), HeadError> {
        let name = field.name.of(buf);
        if side == Side::Request
            && strict.names != NamePolicy::Preserve
            && !name.iter().all(|b| is_plain_name(*b))
        {
            return match strict.names {
                NamePolicy::Reject => fail(HeadErrorKind::RestrictedName, field.name),
                _ => Ok(()),
            };
        }
        let value = field.value.of(buf);
        // The length sorts out nearly all names before any letter is compared.
        let keep = match name.len() {
            2 if is_name(name, b"te") => {
                self.flags.set(Flags::HOP);
                true
            }
            4 if side == Side::Request && is_name(name, b"host") => self.host(buf, field)?,
            6 if side == Side::Request && is_name(name, b"expect") => {
                if eq_ignore_case(value, b"100-continue") {
                    self.flags.set(Flags::EXPECT_CONTINUE);
                }
                true
            }
            7 if is_name(name, b"upgrade") => {
                self.upgrade(value);
                true
            }
            10 if is_name(name, b"connection") => {
                self.connection(value);
                true
            }
            10 if is_name(name, b"keep-alive") => {
                self.flags.set(Flags::HOP);
                true
            }
            14 if is_name(name, b"content-length") => {
                let exact = self.content_length(value, field.value.start)?;
                let first = !self.flags.has(Flags::LENGTH);
                self.flags.set(Flags::LENGTH);
                if exact != field.value {
                    field.value = exact;
                    field.canonical = false;
                }
                first
            }
            16 if is_name(name, b"proxy-connection") => {
                self.flags.set(Flags::HOP);
                true
            }
            17 if is_name(name, b"transfer-encoding") => {
                self.transfer_encoding(value, field.value, side, strict)?;
                let value = buf.get_mut(field.value.start as usize..field.value.end as usize);
                value.unwrap_or_default().make_ascii_lowercase();
                true
            }
            17 if side == Side::Request && is_name(name, b"sec-websocket-key") => {
                if value.len() == 24 {
                    self.flags.set(Flags::WEBSOCKET_KEY);
                }
                true
            }
            20 if side == Side::Response && is_name(name, b"sec-websocket-accept") => {
                self.flags.set(Flags::WEBSOCKET_KEY);
                true
            }
            _ => true,
        };
        if keep {
            self.fields.list.push(field);
        }
        Ok(())
    }

    /// RFC 9112 section 3.2: one Host. The same one again is dropped, another one is an error.
    fn host(&mut self, buf: &[u8], field: Field) -> Result<bool, HeadError> {
        let value = field.value.of(buf);
        if let Some(first) = self.host.and_then(|at| self.fields.get(at)) {
            if !eq_ignore_case(first.value.of(buf), value) {
                return fail(HeadErrorKind::Host, field.value);
            }
            return Ok(false);
        }
        if !crate::target::is_authority(value) {
            return fail(HeadErrorKind::Host, field.value);
        }
        self.host = Some(self.fields.len());
        Ok(true)
    }

    fn upgrade(&mut self, value: &[u8]) {
        self.flags.set(Flags::HOP);
        for protocol in list(value) {
            if eq_ignore_case(protocol, b"h2c") || eq_ignore_case(protocol, b"h2") {
                continue;
            }
            self.flags.set(Flags::UPGRADE);
            if eq_ignore_case(protocol, b"websocket") {
                self.flags.set(Flags::WEBSOCKET);
            }
        }
    }

    fn connection(&mut self, value: &[u8]) {
        self.flags.set(Flags::HOP);
        for token in list(value) {
            if eq_ignore_case(token, b"keep-alive") {
                self.flags.set(Flags::KEEP_ALIVE);
            } else if eq_ignore_case(token, b"close") {
                self.flags.set(Flags::CLOSE);
            } else if eq_ignore_case(token, b"upgrade") {
                self.flags.set(Flags::CONNECTION_UPGRADE);
            } else {
                self.flags.set(Flags::NOMINATES);
            }
        }
    }

    /// RFC 9110 section 8.6: digits only. Equal members of a list, and equal fields, count as one; leading zeros are
    /// left out of what is forwarded. Returns where the number stands.
    fn content_length(&mut self, value: &[u8], start: u32) -> Result<Span, HeadError> {
        let mut exact = None;
        let mut at = start as usize;
        for member in value.split(|b| *b == b',') {
            let error = HeadError { kind: HeadErrorKind::ContentLength, offset: at };
            let blanks = member.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let digits = crate::token::trim(member);
            let mut length: u64 = 0;
            for digit in digits {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return Err(error);
                }
                length = length.checked_mul(10).and_then(|n| n.checked_add(digit.into())).ok_or(error)?;
            }
            let known = self.flags.has(Flags::LENGTH) || exact.is_some();
            if digits.is_empty() || (known && length != self.length) {
                return Err(error);
            }
            self.length = length;
            let zeros = digits.iter().take_while(|b| **b == b'0').count().min(digits.len() - 1);
            let first = at + blanks + zeros;
            exact = Some(Span::new(first, at + blanks + digits.len()));
            at += member.len() + 1;
        }
        exact.ok_or(HeadError { kind: HeadErrorKind::ContentLength, offset: start as usize })
    }

    /// RFC 9112 section 6.1. Nothing may follow `chunked`, and it may stand once.
    fn transfer_encoding(
        &mut self,
        value: &[u8],
        span: Span,
        side: Side,
        strict: &Strictness,
    ) -> Result<(), HeadError> {
        let lenient = side == Side::Response && strict.accept_unsafe;
        self.flags.set(Flags::CODING);
        for coding in value.split(|b| *b == b',').map(crate::token::trim) {
            if coding.is_empty() {
                if lenient {
                    continue;
                }
                return fail(HeadErrorKind::TransferEncoding, span);
            }
            let chunked = eq_ignore_case(coding, b"chunked");
            if self.flags.has(Flags::CHUNKED) && !(chunked && lenient) {
                return fail(HeadErrorKind::TransferEncoding, span);
            }
            self.flags.set(if chunked { Flags::CHUNKED } else { Flags::OTHER_CODING });
        }
        Ok(())
    }

    /// Leaves out every field called `name`.
    pub(crate) fn drop_all(&mut self, buf: &[u8], name: &[u8]) {
        let host = self.host.and_then(|at| self.fields.get(at)).map(|field| field.name);
        self.fields.list.retain(|field| !eq_ignore_case(field.name.of(buf), name));
        self.host = host.and_then(|host| self.fields.list.iter().position(|field| field.name == host));
    }
}

/// RFC 9110 section 6.5.1: what must be known before the body cannot come behind it.
fn is_forbidden_trailer(name: &[u8]) -> bool {
    const FORBIDDEN: [&[u8]; 17] = [
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"set-cookie",
        b"te",
        b"trailer",
        b"upgrade",
        b"www-authenticate",
    ];
    FORBIDDEN.iter().any(|forbidden| eq_ignore_case(name, forbidden))
}

pub(crate) fn fail<T>(kind: HeadErrorKind, at: Span) -> Result<T, HeadError> {
    Err(HeadError { kind, offset: at.start as usize })
}
