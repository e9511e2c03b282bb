//! Certificates by `openssl`, for tests of TLS.

use super::wait_for;
use std::path::{Path, PathBuf};
use std::process::Command;
use svm::tls::{TlsFiles, certificate_ends_at};

/// An authority, and the folder where everything that it issues is put.
pub struct Authority {
    folder: PathBuf,
    name: String,
}

/// What it issued.
#[derive(Clone, Debug)]
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

impl Authority {
    pub fn new(folder: &Path, name: &str) -> Self {
        let (subject, key, file) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.pem"));
        openssl(
            folder,
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "30",
                "-subj",
                &subject,
                "-keyout",
                &key,
                "-out",
                &file,
            ],
        );
        Self { folder: folder.to_owned(), name: name.to_owned() }
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// Files of a client that trusts this authority and shows this certificate.
    pub fn files(&self, shown: Option<&Issued>) -> TlsFiles {
        TlsFiles {
            ca_file: Some(self.certificate()),
            certificate_file: shown.map(|issued| issued.certificate.clone()),
            key_file: shown.map(|issued| issued.key.clone()),
        }
    }

    /// A certificate for a name, good for so many days; `names` such as `DNS:localhost,IP:127.0.0.1`.
    pub fn issue(&self, name: &str, names: &str, days: u32) -> Issued {
        let at = |kind: &str| format!("{name}.{kind}");
        let (key, request, certificate, extensions) = (at("key"), at("csr"), at("crt"), at("ext"));
        std::fs::write(
            self.folder.join(&extensions),
            format!(
                "basicConstraints=CA:FALSE\nsubjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
            ),
        )
        .unwrap();
        openssl(
            &self.folder,
            &[
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-subj",
                &format!("/CN={name}"),
                "-keyout",
                &key,
                "-out",
                &request,
            ],
        );
        let (authority, authority_key) = (format!("{}.pem", self.name), format!("{}.key", self.name));
        openssl(
            &self.folder,
            &[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                &authority,
                "-CAkey",
                &authority_key,
                "-CAcreateserial",
                "-days",
                &days.to_string(),
                "-extfile",
                &extensions,
                "-out",
                &certificate,
            ],
        );
        Issued { certificate: self.folder.join(certificate), key: self.folder.join(key) }
    }

    /// A certificate that was good, and is no more.
    pub fn issue_expired(&self, name: &str, names: &str) -> Issued {
        let issued = self.issue(name, names, 0);
        let ends = certificate_ends_at(&std::fs::read(&issued.certificate).unwrap()).unwrap();
        wait_for("the certificate to expire", 20, || {
            (jiff::Timestamp::now().as_second() > ends.as_second()).then_some(())
        });
        issued
    }
}
