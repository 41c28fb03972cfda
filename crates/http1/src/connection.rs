//! What is meant for one hop only, and the Connection field that is written (RFC 9110 section 7.6.1, RFC 9112
//! section 9.3).

use crate::head::Flags;
use crate::token::{eq_ignore_case, is_name, list, list_has};
use crate::{Edits, Field, FieldAt, Fields, Framing, RequestHead, ResponseHead, Version};

/// `option httpclose`, `http-server-close` and `http-keep-alive`, as one proxy's setting for both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConnectionMode {
    /// Both sides are kept.
    #[default]
    KeepAlive,
    /// The server's side is closed after each response.
    ServerClose,
    /// Both sides are closed after each response.
    Close,
}

impl ConnectionMode {
    /// Whether a client's connection may be kept under a frontend with this mode.
    #[must_use]
    pub const fn keeps_client(self) -> bool {
        !matches!(self, Self::Close)
    }

    /// Whether a server's connection may be kept under a frontend with this mode and a backend with that one. A
    /// frontend's `httpclose` does not reach the server's side.
    #[must_use]
    pub const fn keeps_server(self, backend: Self) -> bool {
        !matches!(self, Self::ServerClose) && matches!(backend, Self::KeepAlive)
    }
}

/// What becomes of a connection after this exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It can carry another exchange.
    KeepAlive,
    /// It is closed.
    Close,
    /// It carries the tunnel's bytes from now on.
    Tunnel,
}

/// The Connection field that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionField {
    /// None of ours.
    None,
    /// `keep-alive`
    KeepAlive,
    /// `close`
    Close,
    /// `upgrade`, as received; nothing was added.
    Upgrade,
}

/// Fields that end at this hop.
#[derive(Clone, Copy, Debug, Default)]
pub struct HopByHop;

/// More options than that in Connection fields are not looked at: together with the bound on the number of fields this
/// bounds the work.
const MAX_OPTIONS: usize = 100;

impl HopByHop {
    /// Removes from the request that goes to the server what is meant for this hop only: `keep-alive` and `close`,
    /// fields that Connection nominates, Keep-Alive, Proxy-Connection, what TE lists beside `trailers`, and an Upgrade
    /// that is not nominated or only offers HTTP/2. A default port is taken out of an absolute target.
    ///
    /// To be called before any other edit: what is added afterwards cannot be nominated by the client.
    pub fn strip_request(head: &RequestHead, buf: &[u8], edits: &mut Edits) {
        if let Some(parts) = head.around_default_port(buf) {
            edits.set_target(&parts.concat());
        }
        strip(head.fields(), head.flags(), buf, edits);
    }

    /// The same for the response that goes to the client; and the framing fields of a response that cannot have them
    /// (RFC 9110 section 8.6, RFC 9112 section 6.1).
    pub fn strip_response(head: &ResponseHead, buf: &[u8], edits: &mut Edits) {
        let framed = head.flags().has(Flags::LENGTH) || head.flags().has(Flags::CODING);
        if framed && (head.status() < 200 || head.status() == 204 || head.framing() == Framing::Tunnel) {
            edits.remove_all(head.fields(), buf, b"content-length");
            edits.remove_all(head.fields(), buf, b"transfer-encoding");
        }
        strip(head.fields(), head.flags(), buf, edits);
    }
}

/// Fields that no Connection option removes: they frame or route the message, or are dealt with by their own rules.
fn is_protected(name: &[u8]) -> bool {
    const PROTECTED: [&[u8]; 8] = [
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"upgrade",
        b"te",
        b"keep-alive",
        b"proxy-connection",
    ];
    PROTECTED.iter().any(|protected| eq_ignore_case(name, protected))
}

fn strip(fields: &Fields, flags: Flags, buf: &[u8], edits: &mut Edits) {
    if !flags.has(Flags::HOP) {
        return;
    }
    let upgrades = flags.has(Flags::CONNECTION_UPGRADE) && flags.has(Flags::UPGRADE);
    let te = |field: &&Field| field.name.len() == 2 && is_name(field.name.of(buf), b"te");
    let trailers = fields.iter().filter(te).any(|field| list_has(field.value.of(buf), b"trailers"));
    for (index, field) in fields.iter().enumerate() {
        // Most fields are none of these by their length.
        if !matches!(field.name.len(), 2 | 7 | 10 | 16) {
            continue;
        }
        let (name, value) = (field.name.of(buf), field.value.of(buf));
        let at = FieldAt::Received(index);
        let kept = |keep: &dyn Fn(&[u8]) -> bool| {
            let members: Vec<&[u8]> = list(value).filter(|member| keep(member)).collect();
            members.join(&b", "[..])
        };
        let new = match name.len() {
            2 if is_name(name, b"te") => {
                if trailers && list_has(value, b"trailers") {
                    b"trailers".to_vec()
                } else {
                    Vec::new()
                }
            }
            7 if is_name(name, b"upgrade") => {
                if upgrades {
                    kept(&|protocol| !eq_ignore_case(protocol, b"h2c") && !eq_ignore_case(protocol, b"h2"))
                } else {
                    Vec::new()
                }
            }
            10 if is_name(name, b"connection") && !upgrades && !trailers => Vec::new(),
            10 if is_name(name, b"connection") => kept(&|option| {
                (upgrades && eq_ignore_case(option, b"upgrade"))
                    || (trailers && eq_ignore_case(option, b"te"))
            }),
            10 if is_name(name, b"keep-alive") => Vec::new(),
            16 if is_name(name, b"proxy-connection") => Vec::new(),
            _ => continue,
        };
        if new.is_empty() {
            edits.remove(at);
        } else if new != value {
            edits.replace_value(at, &new);
        }
    }
    if flags.has(Flags::NOMINATES) {
        let options = fields.find_all(buf, b"connection").flat_map(list).take(MAX_OPTIONS);
        for option in options.filter(|option| !is_protected(option)) {
            for (index, (name, _)) in fields.pairs(buf).enumerate() {
                if eq_ignore_case(name, option) {
                    edits.remove(FieldAt::Received(index));
                }
            }
        }
    }
}

/// What the Connection fields say that are there before ours is written: rules of the configuration may have set one.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    close: bool,
    upgrade: bool,
}

/// Takes `close` and `keep-alive` out of all Connection fields and reports them.
fn take_options(fields: &Fields, flags: Flags, buf: &[u8], edits: &mut Edits) -> Options {
    let mut found = Options::default();
    if !flags.has(Flags::HOP) && edits.is_empty() {
        return found;
    }
    let mut changes = Vec::new();
    for field in edits.connection_fields(fields, buf) {
        let mut rest: Vec<&[u8]> = Vec::new();
        let mut changed = false;
        for option in list(field.value) {
            let close = eq_ignore_case(option, b"close");
            found.close |= close;
            found.upgrade |= eq_ignore_case(option, b"upgrade");
            if close || eq_ignore_case(option, b"keep-alive") {
                changed = true;
            } else {
                rest.push(option);
            }
        }
        if changed || rest.is_empty() {
            changes.push((field.at, rest.join(&b", "[..])));
        }
    }
    for (at, value) in changes {
        if value.is_empty() {
            edits.remove(at);
        } else {
            edits.replace_value(at, &value);
        }
    }
    found
}

/// Writes the Connection field of the request that goes to the server: the last edit. `keep` is whether the proxy
/// wants the server's connection to be kept. It can be kept unless `Close` is returned.
///
/// A kept connection is HTTP/1.1's default and asked for in HTTP/1.0 only; closing is HTTP/1.0's default and announced
/// in HTTP/1.1 only. A client's own `close` does not reach the server.
pub fn toward_server(head: &RequestHead, buf: &[u8], keep: bool, edits: &mut Edits) -> ConnectionField {
    let options = take_options(head.fields(), head.flags(), buf, edits);
    if options.upgrade {
        return ConnectionField::Upgrade;
    }
    let keep = keep && !options.close;
    let version = edits.version(head.version());
    match (keep, version) {
        (true, Version::Http10) => edits.append(b"connection", b"keep-alive"),
        (false, Version::Http11) => edits.append(b"connection", b"close"),
        _ => return if keep { ConnectionField::None } else { ConnectionField::Close },
    }
    if keep { ConnectionField::KeepAlive } else { ConnectionField::Close }
}

/// Writes the Connection field of the response that goes to the client, the last edit, and tells what becomes of the
/// client's connection. `buf` is the response's; `keep` is whether the proxy allows the connection to be kept (mode,
/// draining).
pub fn toward_client(
    request: &RequestHead,
    response: &ResponseHead,
    buf: &[u8],
    keep: bool,
    edits: &mut Edits,
) -> (ConnectionField, Persistence) {
    if response.is_interim() {
        return (ConnectionField::None, Persistence::KeepAlive);
    }
    if response.framing() == Framing::Tunnel {
        let upgrades = response.flags().has(Flags::CONNECTION_UPGRADE);
        let field = if upgrades { ConnectionField::Upgrade } else { ConnectionField::None };
        return (field, Persistence::Tunnel);
    }
    if request.version() == Version::Http10 {
        // RFC 9112 section 6.1: such a client knows no codings.
        edits.remove_all(response.fields(), buf, b"transfer-encoding");
    }
    let options = take_options(response.fields(), response.flags(), buf, edits);
    let version = edits.version(response.version());
    let bounded = match response.framing() {
        Framing::UntilClose => false,
        Framing::Chunked => version == Version::Http11 && request.version() == Version::Http11,
        _ => true,
    };
    let keep = keep && request.keep_alive() && !options.close && bounded;
    let field = if keep && (version == Version::Http10 || request.version() == Version::Http10) {
        edits.append(b"connection", b"keep-alive");
        ConnectionField::KeepAlive
    } else if !keep && version == Version::Http11 {
        edits.append(b"connection", b"close");
        ConnectionField::Close
    } else {
        ConnectionField::None
    };
    (field, if keep { Persistence::KeepAlive } else { Persistence::Close })
}
