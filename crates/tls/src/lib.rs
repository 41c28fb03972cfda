//! TLS over the reactor's streams.
//!
//! rustls does the protocol and knows no socket; a [`Connection`] moves its records through a [`reactor::Stream`], waiting
//! where the stream would block. A [`Client`] is what the connections of one kind of client share. A server's side would
//! be another maker of [`Connection`]s: nothing in it is a client's alone.
//!
//! # What OpenSSL takes and this does not
//! TLS 1.0 and 1.1 (and SSL), and in TLS 1.2 suites without forward secrecy (RSA key exchange), without an authenticated
//! cipher (CBC, RC4, 3DES), with finite-field Diffie-Hellman, or with pre-shared keys alone. A peer that has nothing
//! else is refused with [`Error::OldProtocol`] or [`Error::NoCommonSuite`], whose texts say so.

mod client;
mod connection;
mod error;
mod key;

pub use client::{Client, Identity, Trust};
pub use connection::{Connection, Received};
pub use error::{Error, SetupError};
