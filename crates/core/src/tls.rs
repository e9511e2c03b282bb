//! TLS as all clients use it: which certificates are trusted, and with which certificate a program shows itself.
//!
//! Promises: one place decides this for HTTP and for syslog; TLS 1.2 and 1.3, by rustls with ring; every error names
//! the file, what is wrong with it and what to do. Files are read when they are asked for and never kept: the holder of
//! a [`ClientConfig`] compares [`TlsFiles::state`] and asks again when it changed. Nothing that a file holds is ever
//! shown: any of them may be a private key by mistake ([`crate::secrets`]).

mod chain;
mod dates;
mod exact;
mod explain;
mod shown;
mod unusable;

use crate::library_words;
use crate::lock::lock;
use crate::secrets::pem::{self, Label, Section};
use crate::secrets::{Plain, SecretFile};
use chain::Explained;
use dates::ends_at;
use exact::Exact;
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, ServerName,
    UnixTime,
};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, InconsistentKeys, RootCertStore, SignatureScheme,
};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

pub use explain::explain;
pub use shown::{Shown, shown};

/// The largest file that is read. The bundle of a whole system has about 200 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The PEM files of a connection. Without any, the system's certificate authorities are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// A private certificate authority: the only one to trust.
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
pub enum TlsError {
    /// It is not there, or this user may not read it.
    #[error(
        "cannot read {path}: {}; correct the path, or let this service read the file",
        library_words::io(source)
    )]
    Read { path: PathBuf, source: std::io::Error },
    /// A directory has the name.
    #[error("expected a PEM file, found a directory: {path}; name the file in it")]
    Directory { path: PathBuf },
    /// It is no file of certificates or keys.
    #[error("{path} is larger than 1 MiB; check that it is the right file")]
    TooLarge { path: PathBuf },
    /// It has a beginning without an end, or something that is not base64.
    #[error("{path} is damaged PEM: {problem}")]
    Pem { path: PathBuf, problem: Plain },
    /// None of what is looked for is in it.
    #[error("there is no {what} in {path}: {instead}; {way_out}")]
    Empty { path: PathBuf, what: &'static str, instead: Plain, way_out: &'static str },
    /// The agent has nobody to ask for a password.
    #[error(
        "the private key in {path} has a password; remove it with `openssl pkey`, and let only this service read the file"
    )]
    Locked { path: PathBuf },
    /// It has the form of PEM, but what is in it cannot be read.
    #[error("the {what} in {path} cannot be used: {problem}")]
    Unusable { path: PathBuf, what: &'static str, problem: Plain },
    /// Certificate and key are not a pair.
    #[error(
        "the key in {key} does not belong to the first certificate in {certificate}; use the key for which the certificate was issued"
    )]
    NotAPair { certificate: PathBuf, key: PathBuf },
    /// One of two that go together.
    #[error("`{present}` is set and `{missing}` is not; a client certificate needs both")]
    Half { present: &'static str, missing: &'static str },
    /// The system's certificate authorities, or a version of TLS.
    #[error(
        "cannot use the system's certificate authorities; install the package ca-certificates, or name an authority in `ca_file`"
    )]
    System(rustls::Error),
}

impl TlsFiles {
    /// How the files are now. A file that is not there is a state as well.
    pub fn state(&self) -> FilesState {
        let check = |path: &Option<PathBuf>| {
            let about = std::fs::metadata(path.as_deref()?).ok()?;
            Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
        };
        FilesState([check(&self.ca_file), check(&self.certificate_file), check(&self.key_file)])
    }

    /// Reads the files: what is trusted, and the certificate to show where one is asked for. Certificates are good or
    /// not by `time`.
    ///
    /// # Errors
    /// [`TlsError`]: what cannot be used, by name.
    pub fn client_config(&self, time: impl TimeProvider + 'static) -> Result<ClientConfig, TlsError> {
        self.config(Arc::new(time), None)
    }

    /// The same, for what is signed itself: the time may be what is wrong, and a certificate may show that, also where
    /// it is valid by the `wall` clock alone. The second says when it was valid.
    ///
    /// # Errors
    /// As [`TlsFiles::client_config`].
    pub fn client_config_for_signed(
        &self,
        time: impl TimeProvider + 'static,
        wall: impl TimeProvider + 'static,
    ) -> Result<(ClientConfig, GoodCell), TlsError> {
        let good = GoodCell::default();
        Ok((self.config(Arc::new(time), Some((Arc::new(wall), good.clone())))?, good))
    }

    fn config(
        &self,
        time: Arc<dyn TimeProvider>,
        signed: Option<(Arc<dyn TimeProvider>, GoodCell)>,
    ) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider.clone(), time)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::System)?;
        let strict: Arc<dyn ServerCertVerifier> = match &self.ca_file {
            Some(path) => {
                let trusted = certificates(path)?;
                let mut roots = RootCertStore::empty();
                for certificate in &trusted {
                    roots.add(certificate.clone()).map_err(|error| TlsError::Unusable {
                        path: path.clone(),
                        what: "certificate",
                        problem: unusable::certificate(&error),
                    })?;
                }
                let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let strict = strict.map_err(|_| TlsError::Unusable {
                    path: path.clone(),
                    what: "certificate",
                    problem: Plain::new("nothing in it can be trusted"),
                })?;
                Arc::new(Exact::new(strict, &trusted))
            }
            None => Arc::new(rustls_platform_verifier::Verifier::new(provider).map_err(TlsError::System)?),
        };
        let strict = Arc::new(Explained { strict, ca_file: self.ca_file.clone() });
        let verifier: Arc<dyn ServerCertVerifier> = match signed {
            Some((wall, good)) => Arc::new(AnyTime { strict, wall, good }),
            None => strict,
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
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
        let (key_der, what_it_is) = private_key(key)?;
        builder.with_client_auth_cert(chain, key_der).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::NotAPair { certificate: certificate.clone(), key: key.clone() }
            }
            error @ rustls::Error::InvalidCertificate(_) => TlsError::Unusable {
                path: certificate.clone(),
                what: "first certificate",
                problem: unusable::certificate(&error),
            },
            _ => TlsError::Unusable { path: key.clone(), what: "private key", problem: what_it_is },
        })
    }
}

/// How often another time is tried: once for each certificate of a chain.
const MAX_TIMES: usize = 8;

/// When the certificates of a server were good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Good {
    #[default]
    Now,
    /// From later on: the time is behind, or it would not have been issued yet.
    Later,
    /// By the system clock alone, which is behind trusted time.
    ByWallClock,
}

/// Where a verifier writes down when the certificates were good.
#[derive(Clone, Debug, Default)]
pub struct GoodCell(Arc<Mutex<Good>>);

impl GoodCell {
    fn lock(&self) -> MutexGuard<'_, Good> {
        lock(&self.0)
    }

    /// When they were good, after the handshake.
    pub fn get(&self) -> Good {
        *self.lock()
    }
}

/// Takes certificates that are not valid yet by trusted time, each as of its beginning; and if the wall
/// clock is behind that time, those that are good by the wall clock. Else as strict as ever.
#[derive(Debug)]
struct AnyTime {
    strict: Arc<dyn ServerCertVerifier>,
    wall: Arc<dyn TimeProvider>,
    good: GoodCell,
}

impl ServerCertVerifier for AnyTime {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify =
            |at| self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at);
        use CertificateError::{ExpiredContext, NotValidYetContext};
        let mut verified = verify(now);
        for _ in 0..MAX_TIMES {
            let (at, good) = match &verified {
                Err(rustls::Error::InvalidCertificate(NotValidYetContext { not_before, .. })) => {
                    (*not_before, Good::Later)
                }
                Err(rustls::Error::InvalidCertificate(ExpiredContext { .. }))
                    if self.good.get() == Good::Now =>
                {
                    let Some(wall) = self.wall.current_time().filter(|wall| *wall < now) else { break };
                    (wall, Good::ByWallClock)
                }
                _ => break,
            };
            *self.good.lock() = good;
            verified = verify(at);
        }
        verified
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

fn read(path: &Path) -> Result<SecretFile, TlsError> {
    SecretFile::read(path, MAX_FILE_BYTES).map_err(|source| match source.kind() {
        std::io::ErrorKind::FileTooLarge => TlsError::TooLarge { path: path.to_owned() },
        std::io::ErrorKind::IsADirectory => TlsError::Directory { path: path.to_owned() },
        _ => TlsError::Read { path: path.to_owned(), source },
    })
}

fn sections(path: &Path, file: &SecretFile) -> Result<Vec<Section>, TlsError> {
    file.interpret(pem::sections).map_err(|problem| TlsError::Pem { path: path.to_owned(), problem })
}

/// That a file has none of what belongs there, and what it has instead.
fn empty(path: &Path, file: &SecretFile, what: &'static str, way_out: &'static str) -> TlsError {
    let instead = file.interpret(|bytes| Ok(pem::instead(bytes)));
    TlsError::Empty { path: path.to_owned(), what, instead: instead.unwrap_or_else(|plain| plain), way_out }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = read(path)?;
    let sections = sections(path, &file)?.into_iter().filter(|section| section.label == Label::Certificate);
    let found: Vec<_> = sections.map(|section| CertificateDer::from(section.der.to_vec())).collect();
    match found.is_empty() {
        true => {
            Err(empty(path, &file, "certificate", "expected PEM, with a line -----BEGIN CERTIFICATE-----"))
        }
        false => Ok(found),
    }
}

/// The first private key of a file, and why it could not be used, should it be so.
fn private_key(path: &Path) -> Result<(PrivateKeyDer<'static>, Plain), TlsError> {
    let file = read(path)?;
    let first = sections(path, &file)?.into_iter().find(|section| section.label.is_private());
    let none = || empty(path, &file, "private key", "expected PEM in PKCS#8, SEC1 or PKCS#1");
    let Some(Section { label, der }) = first else { return Err(none()) };
    let problem = unusable::private_key(label, &der);
    let der = der.to_vec();
    Ok((
        match label {
            Label::Pkcs8 => PrivatePkcs8KeyDer::from(der).into(),
            Label::Pkcs1 => PrivatePkcs1KeyDer::from(der).into(),
            Label::Sec1 => PrivateSec1KeyDer::from(der).into(),
            Label::Locked => return Err(TlsError::Locked { path: path.to_owned() }),
            _ => return Err(none()),
        },
        problem,
    ))
}

/// When the first certificate of a file ends.
///
/// # Errors
/// What is wrong with the file, by name.
pub fn file_ends_at(path: &Path) -> Result<Timestamp, TlsError> {
    let first = certificates(path)?.into_iter().next();
    let ends = first.as_ref().map_or(Err(Plain::new("there is none")), ends_at);
    ends.map_err(|problem| TlsError::Unusable { path: path.to_owned(), what: "first certificate", problem })
}

/// When the first certificate of a PEM text ends: its notAfter. One that is to last for ever ends at the last instant
/// that there is.
///
/// The verifier that rustls uses anyway is asked about the end of time, and answers when the certificate expired
/// before that: it looks at the dates before anything else. So no second parser of certificates is needed.
///
/// # Errors
/// What is wrong with the text; neither file nor content is named in it.
pub fn certificate_ends_at(pem: &[u8]) -> Result<Timestamp, Plain> {
    let sections = pem::sections(pem)?.into_iter();
    let first =
        sections.filter(|section| section.label == Label::Certificate).map(|section| section.der).next();
    let first = first.ok_or(Plain::new("there is no certificate"))?;
    ends_at(&CertificateDer::from(first.as_slice()))
}

/// The refusal of TLS behind an error, where there is one. I/O errors hide it from `source()`. What cannot be decrypted
/// is none: it was damaged on the way or by a fault over there, and may go better at once.
pub fn refusal<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found).filter(|found| **found != rustls::Error::DecryptError);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn what_was_damaged_on_the_way_is_no_refusal() {
        let within = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(refusal(&within(expired.clone())), Some(&expired));
        assert_eq!(refusal(&within(rustls::Error::DecryptError)), None);
        assert_eq!(refusal(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
    }
}
