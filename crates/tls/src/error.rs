//! What can go wrong, by whose fault it is.

use rustls::{AlertDescription, PeerIncompatible};
use std::{fmt, io};

/// Why a connection failed.
#[derive(Debug)]
pub enum Error {
    /// The connection below broke.
    Io(io::Error),
    /// The peer closed it before the handshake was over.
    ClosedInHandshake,
    /// What came is no TLS.
    NotTls,
    /// The peer has no TLS 1.2 or 1.3.
    OldProtocol,
    /// The peer knows none of the cipher suites, groups or signatures that are offered.
    NoCommonSuite,
    /// The peer refused: the alert it sent.
    Refused(String),
    /// The peer's certificate does not hold.
    Certificate(String),
    /// The peer broke the protocol.
    Protocol(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::ClosedInHandshake => f.write_str("connection closed during the TLS handshake"),
            Self::NotTls => f.write_str("the answer is not TLS"),
            Self::OldProtocol => f.write_str("the server has no TLS 1.2 or 1.3 (older versions are not served)"),
            Self::NoCommonSuite => f.write_str(
                "no cipher suite in common (only those with forward secrecy and authenticated encryption are served)",
            ),
            Self::Refused(alert) => write!(f, "the server sent the TLS alert {alert}"),
            Self::Certificate(reason) => write!(f, "the server's certificate is not valid: {reason}"),
            Self::Protocol(reason) => write!(f, "TLS error: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::OldProtocol,
            rustls::Error::AlertReceived(
                AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
            ) => Self::NoCommonSuite,
            rustls::Error::AlertReceived(alert) => Self::Refused(format!("{alert:?}")),
            rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::OldProtocol,
            rustls::Error::InvalidCertificate(reason) => Self::Certificate(reason.to_string()),
            rustls::Error::NoCertificatesPresented => Self::Certificate("none was presented".to_owned()),
            rustls::Error::InvalidMessage(
                rustls::InvalidMessage::InvalidContentType
                | rustls::InvalidMessage::UnknownProtocolVersion
                | rustls::InvalidMessage::MessageTooLarge,
            ) => Self::NotTls,
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// Why a client or server cannot be made of what was given: which part of it, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// The own certificate.
    Certificate(String),
    /// The own key, or its password.
    Key(String),
    /// The authorities that are trusted.
    Authorities(String),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(reason) => write!(f, "certificate: {reason}"),
            Self::Key(reason) => write!(f, "key: {reason}"),
            Self::Authorities(reason) => write!(f, "authorities: {reason}"),
        }
    }
}

impl std::error::Error for SetupError {}
