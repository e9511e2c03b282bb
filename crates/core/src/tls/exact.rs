//! A certificate that stands in `ca_file` and is shown by the server itself: what `openssl req -x509` makes by default is
//! its own authority, and a verifier of chains refuses an authority as a server. It is trusted by name already, so that
//! it is the very same one is as good as a signature. Such certificates often have a common name alone, which counts for
//! these.

use crate::tls::shown::common_name;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};
use std::sync::Arc;

/// Takes what `strict` takes, and exactly the trusted certificates. Name and dates count for both.
#[derive(Debug)]
pub(super) struct Exact {
    strict: Arc<dyn ServerCertVerifier>,
    /// Their digests: a bundle of many is not held twice.
    trusted: Vec<[u8; SHA256_OUTPUT_LEN]>,
}

impl Exact {
    pub(super) fn new(strict: Arc<dyn ServerCertVerifier>, trusted: &[CertificateDer<'_>]) -> Self {
        Self { strict, trusted: trusted.iter().filter_map(|one| sha256(one)).collect() }
    }

    fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        sha256(certificate).is_some_and(|digest| self.trusted.contains(&digest))
    }
}

fn sha256(bytes: &[u8]) -> Option<[u8; SHA256_OUTPUT_LEN]> {
    digest(&SHA256, bytes).as_ref().try_into().ok()
}

/// Whether a certificate was refused for being one of an authority, and for nothing else: its dates were looked at before.
fn is_authority(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
            matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// Whether a certificate was refused for a name, and has none where names belong: no `subjectAltName`. Chain and dates
/// were looked at before.
fn has_no_names(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) => {
            presented.is_empty()
        }
        _ => false,
    }
}

/// Whether the common name of a certificate is the server's. Where there is no other name, and it is trusted itself, it
/// says whose it is.
fn is_common_name(certificate: &CertificateDer<'_>, server: &ServerName<'_>) -> bool {
    let read = webpki::EndEntityCert::try_from(certificate).ok();
    let Some(name) = read.and_then(|read| common_name(read.subject())) else { return false };
    match server {
        ServerName::DnsName(server) => server.as_ref().eq_ignore_ascii_case(&name),
        ServerName::IpAddress(server) => name.parse().ok() == Some(std::net::IpAddr::from(*server)),
        _ => false,
    }
}

impl ServerCertVerifier for Exact {
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
        match verified {
            Err(error) if (is_authority(&error) || has_no_names(&error)) && self.has(end_entity) => {
                match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
                    Err(error) if !(has_no_names(&error) && is_common_name(end_entity, server_name)) => {
                        Err(error)
                    }
                    _ => Ok(ServerCertVerified::assertion()),
                }
            }
            verified => verified,
        }
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
