use crate::{Edits, RequestHead, ResponseHead};

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

/// The tokens that the written Connection field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionField {
    /// No Connection field of ours.
    None,
    /// `keep-alive`
    KeepAlive,
    /// `close`
    Close,
    /// `upgrade`, as received
    Upgrade,
}

/// Fields that end at this hop (RFC 9110 section 7.6.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct HopByHop;

impl HopByHop {
    /// Removes from the request that goes to the server what is meant for this hop only. To be called before any
    /// other edit: what is added afterwards cannot be nominated by the client.
    pub fn strip_request(head: &RequestHead, buf: &[u8], edits: &mut Edits) {
        let _ = (head, buf, edits);
    }

    /// The same for the response that goes to the client.
    pub fn strip_response(head: &ResponseHead, buf: &[u8], edits: &mut Edits) {
        let _ = (head, buf, edits);
    }
}

/// Writes the Connection field of the request that goes to the server and tells whether the server's connection may
/// be kept. `keep` is whether the proxy wants that.
pub fn toward_server(head: &RequestHead, buf: &[u8], keep: bool, edits: &mut Edits) -> ConnectionField {
    let _ = (head, buf, keep, edits);
    ConnectionField::None
}

/// Writes the Connection field of the response that goes to the client and tells what becomes of the client's
/// connection. `keep` is whether the proxy allows it to be kept (mode, draining).
pub fn toward_client(
    request: &RequestHead,
    response: &ResponseHead,
    buf: &[u8],
    keep: bool,
    edits: &mut Edits,
) -> (ConnectionField, Persistence) {
    let _ = (request, response, buf, keep, edits);
    (ConnectionField::None, Persistence::KeepAlive)
}
