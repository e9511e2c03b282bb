//! TLS as all clients use it: which certificates are trusted, and with which certificate a program shows itself.
//!
//! Promises: one place decides this for HTTP and for syslog; TLS 1.2 and 1.3, by rustls with ring; every error names
//! the file, what is wrong with it and what to do. Files are read when they are asked for and never kept: whoever
//! holds a [`ClientConfig`] compares [`TlsFiles::state`] and asks again when it changed. Private keys are never shown.

use jiff::Timestamp;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use rustls::{AlertDescription, CertificateError, ClientConfig, InconsistentKeys, RootCertStore};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The largest file that is read. The bundle of a whole system has about 200 KiB.
const MOST_FILE: u64 = 1024 * 1024;

/// The PEM files of a connection. Without any, the system's certificate authorities are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// A private certificate authority, trusted besides none other.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, first, and those between it and its authority. Needs `key_file`.
    pub certificate_file: Option<PathBuf>,
    /// The key of that certificate: PKCS#8, SEC1 or PKCS#1, without a password.
    pub key_file: Option<PathBuf>,
}

/// What the files were like when they were looked at. Equal states are the same files with the same content, as far
/// as the file system tells: inode, length and time of the last change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesState([Option<(u64, u64, i64, i64)>; 3]);

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are what the message names")]
pub enum TlsError {
    /// It is not there, or this user may not read it.
    #[error("cannot read {path}: make it readable for this service, or correct the path")]
    Read { path: PathBuf, source: std::io::Error },
    /// It is no file of certificates or keys.
    #[error("{path} has more than 1 MiB: is it the right file?")]
    TooLarge { path: PathBuf },
    /// It has a beginning without an end, or something that is not base64.
    #[error("{path} is damaged PEM: {problem}; put a whole file in its place")]
    Pem { path: PathBuf, problem: String },
    /// None of what is looked for is in it.
    #[error("there is no {what} in {path}: {way_out}")]
    Empty { path: PathBuf, what: &'static str, way_out: &'static str },
    /// The agent has nobody to ask for a password.
    #[error(
        "the private key in {path} has a password: take it off, with `openssl pkey`, and let only this service read the file"
    )]
    Locked { path: PathBuf },
    /// It has the form of PEM, but what is in it cannot be read.
    #[error("the {what} in {path} cannot be used: {problem}")]
    Unusable { path: PathBuf, what: &'static str, problem: String },
    /// Certificate and key are not a pair.
    #[error("the key in {key} does not belong to the first certificate in {certificate}: put the pair there")]
    NotAPair { certificate: PathBuf, key: PathBuf },
    /// One of two that go together.
    #[error("`{present}` is set and `{missing}` is not: a client certificate needs both")]
    Half { present: &'static str, missing: &'static str },
    /// The system's certificate authorities, or a version of TLS.
    #[error(
        "cannot prepare TLS with the system's certificates: install ca-certificates, or name the authority in `ca_file`"
    )]
    System(#[source] rustls::Error),
}

impl TlsFiles {
    /// How the files are now. A file that is not there is a state as well.
    pub fn state(&self) -> FilesState {
        let look = |path: &Option<PathBuf>| {
            let about = std::fs::metadata(path.as_deref()?).ok()?;
            Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
        };
        FilesState([look(&self.ca_file), look(&self.certificate_file), look(&self.key_file)])
    }

    /// Reads the files: what is trusted, and the certificate to show where one is asked for.
    ///
    /// # Errors
    /// [`TlsError`]: what cannot be used, by name.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::System)?;
        let builder = match &self.ca_file {
            Some(path) => builder.with_root_certificates(authorities(path)?),
            None => {
                let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(TlsError::System)?;
                let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let (certificate, key) = match (&self.certificate_file, &self.key_file) {
            (None, None) => return Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => {
                return Err(TlsError::Half { present: "certificate_file", missing: "key_file" });
            }
            (None, Some(_)) => {
                return Err(TlsError::Half { present: "key_file", missing: "certificate_file" });
            }
        };
        let chain = certificates(certificate)?;
        builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::NotAPair { certificate: certificate.clone(), key: key.clone() }
            }
            rustls::Error::InvalidCertificate(problem) => TlsError::Unusable {
                path: certificate.clone(),
                what: "first certificate",
                problem: problem.to_string(),
            },
            error => {
                TlsError::Unusable { path: key.clone(), what: "private key", problem: error.to_string() }
            }
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MOST_FILE + 1).read_to_end(&mut pem).map_err(failed)?;
    match pem.len() as u64 > MOST_FILE {
        true => Err(TlsError::TooLarge { path: path.to_owned() }),
        false => Ok(pem),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    let found = found.map_err(|e| TlsError::Pem { path: path.to_owned(), problem: e.to_string() })?;
    if found.is_empty() {
        return Err(TlsError::Empty {
            path: path.to_owned(),
            what: "certificate",
            way_out: "it must be PEM, with a line -----BEGIN CERTIFICATE-----",
        });
    }
    Ok(found)
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|e| TlsError::Unusable {
            path: path.to_owned(),
            what: "certificate",
            problem: e.to_string(),
        })?;
    }
    Ok(roots)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path)?;
    let locked = || pem.windows(9).any(|bytes| bytes == b"ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        _ if locked() => TlsError::Locked { path: path.to_owned() },
        rustls::pki_types::pem::Error::NoItemsFound => TlsError::Empty {
            path: path.to_owned(),
            what: "private key",
            way_out: "it must be PEM in PKCS#8, SEC1 or PKCS#1",
        },
        error => TlsError::Pem { path: path.to_owned(), problem: error.to_string() },
    })
}

/// When the first certificate of a PEM text ends: its notAfter. One that is to last for ever ends at the last instant
/// that there is.
///
/// The verifier that rustls uses anyway is asked about the end of time, and answers when the certificate expired
/// before that: it looks at the dates before anything else. So no second parser of certificates is needed.
///
/// # Errors
/// What is wrong with the text; no file is named in it.
pub fn certificate_ends_at(pem: &[u8]) -> Result<Timestamp, String> {
    let first = CertificateDer::from_pem_slice(pem).map_err(|e| format!("there is no certificate: {e}"))?;
    let unusable = |error: webpki::Error| format!("the first certificate cannot be read: {error}");
    let certificate = webpki::EndEntityCert::try_from(&first).map_err(unusable)?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let client = webpki::KeyUsage::client_auth();
    match certificate.verify_for_usage(&[], &[], &[], end_of_time, client, None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => {
            let seconds = i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX);
            Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
        }
        Err(error) => Err(unusable(error)),
        Ok(_) => Ok(Timestamp::MAX),
    }
}

/// The refusal of TLS behind an error, where there is one. I/O errors hide it from `source()`.
pub fn refusal<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// A refusal in words, with the way out. At most 600 bytes on one line, whatever the peer's certificate holds.
pub fn explain(error: &rustls::Error) -> String {
    let way_out = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired: it must be renewed there; if it has not, look at this machine's clock"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet: look at this machine's clock"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name: set the host to a name in it, or have it made for this one"
            }
            CertificateError::UnknownIssuer => {
                "nobody who is trusted here issued the server's certificate: name its authority in `ca_file`"
            }
            CertificateError::Revoked => "the server's certificate was revoked: it must be replaced there",
            _ => "the server's certificate cannot be accepted: it must be replaced there",
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
                "the server asks for a client certificate: set `certificate_file` and `key_file`"
            }
            AlertDescription::CertificateExpired => {
                "the server says that our client certificate has expired: renew it"
            }
            AlertDescription::CertificateRevoked => {
                "the server says that our client certificate was revoked: replace it"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => {
                "the server does not accept our client certificate: use one that it trusts in `certificate_file`"
            }
            AlertDescription::ProtocolVersion => "the server speaks neither TLS 1.2 nor 1.3: upgrade it",
            AlertDescription::HandshakeFailure => {
                "the server broke off: it may ask for a client certificate (`certificate_file`), or has no cipher in common"
            }
            AlertDescription::UnrecognisedName => {
                "the server does not know itself by this name: correct the host"
            }
            _ => "the server broke off: its log says why",
        },
        rustls::Error::InvalidMessage(_) => {
            "what answers does not speak TLS: is it a port for plain connections?"
        }
        rustls::Error::PeerIncompatible(_) => "the server offers nothing that is spoken here: upgrade it",
        _ => "TLS could not be agreed on",
    };
    let detail: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = (0..=400.min(detail.len())).rev().find(|at| detail.is_char_boundary(*at)).unwrap_or(0);
    format!("{way_out} ({})", detail.get(..end).unwrap_or_default())
}
