//! Certificates by `openssl`, for tests of TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use svm_core::tls::TlsFiles;

/// An authority, and the folder where everything that it issues is put.
pub struct Authority {
    folder: PathBuf,
    name: String,
}

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
        let issued = self.request(name, names);
        let (authority, key) = (format!("{}.pem", self.name), format!("{}.key", self.name));
        let (days, at) = (days.to_string(), |kind: &str| format!("{name}.{kind}"));
        let (request, certificate, extensions) = (at("csr"), at("crt"), at("ext"));
        openssl(
            &self.folder,
            &[
                &["x509", "-req", "-in", &request, "-out", &certificate, "-extfile", &extensions][..],
                &["-CA", &authority, "-CAkey", &key, "-CAcreateserial", "-days", &days],
            ]
            .concat(),
        );
        issued
    }

    /// A certificate that is good from one instant to another, such as `20200101000000Z`.
    pub fn issue_between(&self, name: &str, names: &str, from: &str, to: &str) -> Issued {
        let issued = self.request(name, names);
        let config = format!("{}.conf", self.name);
        let text = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = {0}.index\nnew_certs_dir = .\ncertificate = {0}.pem\n\
             private_key = {0}.key\ndefault_md = sha256\npolicy = any\nrand_serial = yes\nunique_subject = no\n\
             [any]\ncommonName = supplied\n",
            self.name
        );
        std::fs::write(self.folder.join(&config), text).unwrap();
        let index = self.folder.join(format!("{}.index", self.name));
        std::fs::OpenOptions::new().create(true).append(true).open(index).unwrap();
        let at = |kind: &str| format!("{name}.{kind}");
        let (request, certificate, extensions) = (at("csr"), at("crt"), at("ext"));
        openssl(
            &self.folder,
            &[
                &["ca", "-batch", "-notext", "-config", &config, "-in", &request, "-out", &certificate][..],
                &["-extfile", &extensions, "-startdate", from, "-enddate", to],
            ]
            .concat(),
        );
        issued
    }

    /// One that the server signed itself: this authority has no part in it.
    pub fn self_signed(&self, name: &str, names: &str) -> Issued {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={names}"));
        openssl(
            &self.folder,
            &[
                &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"][..],
                &["-days", "30", "-subj", &subject, "-addext", &names, "-keyout", &key, "-out", &certificate],
                &["-addext", "basicConstraints=critical,CA:FALSE"],
            ]
            .concat(),
        );
        Issued { certificate: self.folder.join(certificate), key: self.folder.join(key) }
    }

    /// A key, the request for its certificate, and what is to stand in that.
    fn request(&self, name: &str, names: &str) -> Issued {
        let at = |kind: &str| format!("{name}.{kind}");
        let (key, request, subject) = (at("key"), at("csr"), format!("/CN={name}"));
        let extensions = format!(
            "basicConstraints=CA:FALSE\nsubjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n"
        );
        std::fs::write(self.folder.join(at("ext")), extensions).unwrap();
        openssl(
            &self.folder,
            &[
                &["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"][..],
                &["-subj", &subject, "-keyout", &key, "-out", &request],
            ]
            .concat(),
        );
        Issued { certificate: self.folder.join(at("crt")), key: self.folder.join(key) }
    }

    /// A certificate that was good, and is no more.
    pub fn issue_expired(&self, name: &str, names: &str) -> Issued {
        self.issue_between(name, names, "20200101000000Z", "20210101000000Z")
    }
}

/// Each way in which a PEM file comes to harm, by a name for a file.
pub fn damages(pem: &str) -> Vec<(&'static str, Vec<u8>)> {
    let middle = pem.len() / 2;
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    vec![
        ("spaces", pem.replace('\n', " ").into()),
        ("no-line-ends", pem.replace('\n', "").into()),
        ("written-out", pem.replace('\n', "\\n").into()),
        ("cut", pem.as_bytes()[..middle].to_vec()),
        ("no-end", pem.replace("-----END", "-----FIN").into()),
        ("no-beginning", pem.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>().into()),
        ("bare", pem.lines().filter(|line| !line.contains("--")).collect::<String>().into()),
        ("words-before", format!("key: {pem}").into()),
        ("dashes", pem.replace("-----", "\u{2014}\u{2014}-").into()),
        ("four-dashes", pem.replacen("-----\n", "----\n", 1).into()),
        ("other-end", pem.replace("END ", "END OTHER ").into()),
        ("a-bad-character", format!("{}!{}", &pem[..middle], &pem[middle..]).into()),
        ("a-letter-less", format!("{}{}", &pem[..middle], &pem[middle + 1..]).into()),
        ("twice-begun", format!("{}\n{pem}", &pem[..middle]).into()),
        ("utf-16", [vec![0xff, 0xfe], utf_16(pem)].concat()),
        (
            "other-label",
            pem.replace("PRIVATE KEY", "SECRET THING").replace("CERTIFICATE", "SECRET THING").into(),
        ),
    ]
}

/// Pieces of what a text holds, 12 characters each: none of them may be seen.
pub fn pieces(pem: &str) -> Vec<String> {
    let inner: String = pem.lines().filter(|line| !line.contains("--")).collect();
    inner
        .as_bytes()
        .chunks(12)
        .filter(|c| c.len() == 12)
        .map(|c| String::from_utf8(c.to_vec()).unwrap())
        .collect()
}
