//! The client's side: what is presented, who is trusted.

use crate::error::SetupError;
use crate::key;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::net::IpAddr;
use std::sync::Arc;

/// Whom a client believes to be the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Whoever answers: no certificate is looked at.
    #[default]
    Anyone,
    /// Who has a certificate for the name asked for, in force, from one of these authorities (PEM).
    Authorities(Vec<u8>),
}

/// What a client presents to servers that ask for it: PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate, followed by those between it and the authority.
    pub certificate: Vec<u8>,
    /// The private key of the first one.
    pub key: Vec<u8>,
    /// What the key is encrypted with, if it is.
    pub password: Option<String>,
}

/// What all connections of one kind of client share. Sessions are not resumed: each connection is a whole one.
#[derive(Clone, Debug)]
pub struct Client {
    /// Says the name it asks for.
    named: Arc<ClientConfig>,
    /// Does not.
    nameless: Arc<ClientConfig>,
}

impl Client {
    /// A client that trusts so and presents itself so.
    ///
    /// # Errors
    /// Which of the PEM texts is wrong, and why.
    pub fn new(trust: &Trust, identity: Option<&Identity>) -> Result<Self, SetupError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| SetupError::Authorities(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier(trust, &provider)?);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(&identity.certificate).map_err(SetupError::Certificate)?;
                let key = key::load(&identity.key, identity.password.as_deref()).map_err(SetupError::Key)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| SetupError::Key(error.to_string()))?
            }
        };
        config.resumption = Resumption::disabled();
        let mut nameless = config.clone();
        nameless.enable_sni = false;
        Ok(Self { named: Arc::new(config), nameless: Arc::new(nameless) })
    }

    /// The client's end of a connection to `address`, which is asked for by `name` when that is a host name (an address
    /// is never said, nor is what cannot be a name).
    pub(crate) fn begin(
        &self,
        address: IpAddr,
        name: Option<&str>,
    ) -> Result<rustls::ClientConnection, rustls::Error> {
        let host = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        match host {
            Some(host @ ServerName::DnsName(_)) => rustls::ClientConnection::new(self.named.clone(), host),
            Some(other) => rustls::ClientConnection::new(self.nameless.clone(), other),
            None => rustls::ClientConnection::new(self.nameless.clone(), ServerName::from(address)),
        }
    }
}

/// The certificates of a PEM text, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("no certificate in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}

fn verifier(
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    let Trust::Authorities(pem) = trust else {
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        return Ok(Arc::new(NoVerification { schemes }));
    };
    let mut roots = RootCertStore::empty();
    let (_, refused) = roots.add_parsable_certificates(certificates(pem).map_err(SetupError::Authorities)?);
    if roots.is_empty() {
        return Err(SetupError::Authorities(format!("none of the {refused} certificates is usable")));
    }
    match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build() {
        Ok(verifier) => Ok(verifier),
        Err(error) => Err(SetupError::Authorities(error.to_string())),
    }
}

/// Takes every certificate, also one that webpki could not read (version 1, short keys), and so every signature.
#[derive(Debug)]
struct NoVerification {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
