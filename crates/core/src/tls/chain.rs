//! A server's chain of certificates that leads to nobody who is trusted, so that people read which certificate is missing.

use crate::tls::shown::name;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// More certificates than this are no chain.
const MAX_CHAIN: usize = 10;

/// Nobody who is trusted issued a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Untrusted {
    /// Who issued the last certificate of the chain that the server sent.
    issuer: String,
    /// Whether the server's own certificate is self-signed.
    self_signed: bool,
    /// Certificates that the server sent beside its own.
    intermediates: usize,
    /// The file of the authorities that are trusted; without one, the system's are.
    ca_file: Option<PathBuf>,
}

impl std::error::Error for Untrusted {}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, self_signed, intermediates, ca_file } = self;
        let trusted = match ca_file {
            Some(file) => format!("which {} does not contain", file.display()),
            None => "which is not among the authorities that this system trusts".to_owned(),
        };
        let add = match ca_file {
            Some(_) => "add it to `ca_file`".to_owned(),
            None => "name its file in `ca_file`".to_owned(),
        };
        match (self_signed, intermediates) {
            (true, _) => write!(
                f,
                "the server shows a self-signed certificate (\"{issuer}\"), {trusted}; if it is the right server, {add}"
            ),
            (false, 0) => write!(
                f,
                "the server's certificate was issued by \"{issuer}\", {trusted}, and the server sends no intermediate certificate; if \"{issuer}\" is an intermediate authority, let the server send its full chain; if it is your own authority, {add}"
            ),
            (false, _) => write!(
                f,
                "the server's certificates lead to the authority \"{issuer}\", {trusted}; if you trust this authority, {add}"
            ),
        }
    }
}

impl Untrusted {
    fn of(own: &CertificateDer<'_>, others: &[CertificateDer<'_>], ca_file: Option<PathBuf>) -> Option<Self> {
        let own = webpki::EndEntityCert::try_from(own).ok()?;
        let above: Vec<_> = others
            .iter()
            .take(MAX_CHAIN)
            .filter_map(|one| webpki::EndEntityCert::try_from(one).ok())
            .collect();
        let mut last = own.issuer();
        for _ in 0..above.len() {
            match above.iter().find(|one| one.subject() == last && one.issuer() != last) {
                Some(next) => last = next.issuer(),
                None => break,
            }
        }
        Some(Self {
            issuer: name(last).unwrap_or_else(|| "an authority without a name".to_owned()),
            self_signed: own.issuer() == own.subject(),
            intermediates: others.len(),
            ca_file,
        })
    }
}

/// As strict as another verifier, and says more of a chain that leads to nobody.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) strict: Arc<dyn ServerCertVerifier>,
    pub(super) ca_file: Option<PathBuf>,
}

impl ServerCertVerifier for Explained {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| {
            if error != rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) {
                return error;
            }
            match Untrusted::of(end_entity, intermediates, self.ca_file.clone()) {
                Some(untrusted) => CertificateError::Other(OtherError(Arc::new(untrusted))).into(),
                None => error,
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
