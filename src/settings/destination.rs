//! One destination of events: its keys, and what they come to.

use super::{Check, path};
use crate::delivery::syslog::{Framing, SyslogFormat, SyslogSettings};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use svm_core::events::{Filter, TypePattern};
use svm_core::http::{Connection, Target};
use svm_core::settings::{Address, choice};
use svm_core::subscription::Severity;
use svm_core::tls::TlsFiles;

/// Every key of a destination with its default; `config/agent.toml` shows the same lines as a comment.
pub const DESTINATION: &str = r#"
kind = "cloudevents"
url = ""
severity = "info"
types = ["*"]
except = []
receiver = "svm-collector"
mode = "auto"
compression = "auto"
webhook_origin = ""
format = "rfc5424"
framing = "octet-counting"
token_file = ""
ca_file = ""
certificate_file = ""
key_file = ""
proxy = ""
timeout = "30s"
"#;

/// One destination of events.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Which events go there.
    pub filter: Filter,
    /// How they go there.
    pub speaks: Speaks,
}

/// What a destination speaks.
#[derive(Clone, Debug)]
pub enum Speaks {
    /// CloudEvents over HTTP.
    CloudEvents(CloudEvents),
    /// Syslog over TCP or TLS.
    Syslog(SyslogSettings),
}

/// Who receives at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// Names what it kept.
    SvmCollector,
    /// Any 2xx is its receipt.
    Generic,
}

/// How CloudEvents lie in a request (CloudEvents 1.0.2, HTTP protocol binding, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One, whole, in the body.
    Structured,
    /// One, its attributes as headers.
    Binary,
    /// Many in the body.
    Batch,
}

/// A destination that takes CloudEvents over HTTP.
#[derive(Clone, Debug)]
pub struct CloudEvents {
    /// Where to POST.
    pub url: Address,
    /// Who is there.
    pub receiver: Receiver,
    /// How events lie in a request.
    pub mode: Mode,
    /// Whether bodies are compressed, where that is worth it.
    pub compress: bool,
    /// Who asks for leave to send (CloudEvents 1.0.2, webhooks, section 4), where the receiver wants to be asked.
    pub webhook_origin: Option<String>,
    /// A file with the bearer token.
    pub token_file: Option<PathBuf>,
    /// How the connection is made.
    pub connection: Connection,
}

impl Destination {
    /// Where it is, for people: the `url` of the settings, without its query.
    pub fn address(&self) -> String {
        match &self.speaks {
            Speaks::CloudEvents(settings) => settings.url.to_string(),
            Speaks::Syslog(settings) => {
                let scheme = if settings.tls { "tls" } else { "tcp" };
                format!("{scheme}://{}:{}", settings.host, settings.port)
            }
        }
    }

    fn tls(&self) -> &TlsFiles {
        match &self.speaks {
            Speaks::CloudEvents(settings) => &settings.connection.tls,
            Speaks::Syslog(settings) => &settings.tls_files,
        }
    }

    /// The client certificate that is shown there.
    pub fn certificate_file(&self) -> Option<&Path> {
        self.tls().certificate_file.as_deref()
    }

    /// The files that it names, by key.
    pub fn files(&self) -> Vec<(&'static str, &Option<PathBuf>)> {
        let TlsFiles { ca_file, certificate_file, key_file } = self.tls();
        let mut files =
            vec![("ca_file", ca_file), ("certificate_file", certificate_file), ("key_file", key_file)];
        if let Speaks::CloudEvents(settings) = &self.speaks {
            files.push(("token_file", &settings.token_file));
        }
        files
    }
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(super) struct Raw {
    kind: String,
    url: String,
    severity: String,
    types: Vec<String>,
    except: Vec<String>,
    receiver: String,
    mode: String,
    compression: String,
    webhook_origin: String,
    format: String,
    framing: String,
    token_file: String,
    ca_file: String,
    certificate_file: String,
    key_file: String,
    proxy: String,
    timeout: String,
}

impl Raw {
    /// The files that it names, by key.
    pub(super) fn named_files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("token_file", self.token_file.as_str()),
            ("ca_file", &self.ca_file),
            ("certificate_file", &self.certificate_file),
            ("key_file", &self.key_file),
        ]
        .into_iter()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    CloudEvents,
    Syslog,
}

impl Check<'_> {
    pub(super) fn destination(&mut self, key: &str, raw: Raw) -> Option<Destination> {
        let (of_kind, kinds) =
            (format!("{key}.kind"), [("cloudevents", Kind::CloudEvents), ("syslog", Kind::Syslog)]);
        let kind = self.take(&of_kind, choice(&raw.kind, &kinds));
        let filter = self.filter(key, &raw);
        // Of a kind that is not known, nothing else can be said.
        let speaks = match kind.filter(|_| !self.wrong.contains(&of_kind))? {
            Kind::CloudEvents => self.cloudevents(key, &raw).map(Speaks::CloudEvents),
            Kind::Syslog => self.syslog(key, &raw).map(Speaks::Syslog),
        };
        Some(Destination { filter: filter?, speaks: speaks? })
    }

    fn filter(&mut self, key: &str, raw: &Raw) -> Option<Filter> {
        let severities = [
            ("info", Severity::Info),
            ("warning", Severity::Warning),
            ("failure", Severity::Failure),
            ("critical", Severity::Critical),
        ];
        let least = self.take(&format!("{key}.severity"), choice(&raw.severity, &severities));
        let except = self.items(&format!("{key}.except"), &raw.except, str::parse::<TypePattern>);
        let types = self.items(&format!("{key}.types"), &raw.types, str::parse::<TypePattern>)?;
        let some =
            (!types.is_empty()).then_some(types).ok_or("must name a type at least; \"*\" is all of them");
        Some(Filter { types: self.take(&format!("{key}.types"), some)?, except: except?, least: least? })
    }

    fn tls_files(&mut self, key: &str, raw: &Raw) -> Option<TlsFiles> {
        let [ca_file, certificate_file, key_file] =
            [&raw.ca_file, &raw.certificate_file, &raw.key_file].map(|text| path(text));
        let pair = certificate_file.is_some() == key_file.is_some();
        let present = if key_file.is_some() { "key_file" } else { "certificate_file" };
        let files = TlsFiles { ca_file, certificate_file, key_file };
        let half = "a client certificate needs both `certificate_file` and `key_file`";
        self.take(&format!("{key}.{present}"), pair.then_some(files).ok_or(half))
    }

    fn cloudevents(&mut self, key: &str, raw: &Raw) -> Option<CloudEvents> {
        let receivers = [("svm-collector", Receiver::SvmCollector), ("generic", Receiver::Generic)];
        let receiver = self.take(&format!("{key}.receiver"), choice(&raw.receiver, &receivers));
        let ours = receiver == Some(Receiver::SvmCollector);
        let modes = [
            ("auto", if ours { Mode::Batch } else { Mode::Structured }),
            ("structured", Mode::Structured),
            ("binary", Mode::Binary),
            ("batch", Mode::Batch),
        ];
        let mode = self.take(&format!("{key}.mode"), choice(&raw.mode, &modes));
        let compressions = [("auto", ours), ("zstd", true), ("none", false)];
        let compress = self.take(&format!("{key}.compression"), choice(&raw.compression, &compressions));
        let url = match raw.url.as_str() {
            "" => self.take(&format!("{key}.url"), Err("is missing: where are the events to go?")),
            url => self.url(&format!("{key}.url"), url),
        };
        let origin = &raw.webhook_origin;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        let fits = origin.len() <= 253 && origin.bytes().all(plain);
        let wrong = "must be a name in the form of a DNS name, such as \"svm.example\"";
        let origin = self.take(&format!("{key}.webhook_origin"), fits.then_some(origin.clone()).ok_or(wrong));
        let tls = self.tls_files(key, raw);
        let connection = self.connection(key, &raw.timeout, tls.clone().unwrap_or_default(), &raw.proxy);
        tls?;
        Some(CloudEvents {
            url: url?.into(),
            receiver: receiver?,
            mode: mode?,
            compress: compress?,
            webhook_origin: origin.filter(|origin| !origin.is_empty()),
            token_file: path(&raw.token_file),
            connection: connection?,
        })
    }

    fn syslog(&mut self, key: &str, raw: &Raw) -> Option<SyslogSettings> {
        let formats = [("rfc5424", SyslogFormat::Rfc5424), ("cef", SyslogFormat::Cef)];
        let format = self.take(&format!("{key}.format"), choice(&raw.format, &formats));
        let framings = [("octet-counting", Framing::OctetCounting), ("newline", Framing::Newline)];
        let framing = self.take(&format!("{key}.framing"), choice(&raw.framing, &framings));
        let place = self.take(&format!("{key}.url"), syslog_place(&raw.url));
        let proxy = raw.proxy.is_empty().then_some(()).ok_or("is for HTTP: syslog goes without a proxy");
        let proxy = self.take(&format!("{key}.proxy"), proxy);
        let tls_files = self.tls_files(key, raw);
        let timeout = self.span(&format!("{key}.timeout"), &raw.timeout, 1, 600);
        let ((tls, host, port), framing, ()) = (place?, framing?, proxy?);
        if tls && framing == Framing::Newline {
            let message = "must be \"octet-counting\" over TLS (RFC 5425)";
            self.take::<(), _>(&format!("{key}.framing"), Err(message))?;
        }
        let timeout = timeout?.unsigned_abs();
        Some(SyslogSettings { host, port, tls, format: format?, framing, tls_files: tls_files?, timeout })
    }
}

/// Scheme, host and port of a syslog receiver.
fn syslog_place(text: &str) -> Result<(bool, String, u16), String> {
    let form = "must be such as \"tls://siem.example:6514\" or \"tcp://siem.example:514\"";
    let (scheme, place) = text.split_once("://").ok_or(form)?;
    let tls = match scheme {
        "tls" => true,
        "tcp" => false,
        _ => return Err(form.to_owned()),
    };
    let place = place.strip_suffix('/').unwrap_or(place);
    // Taken apart as an address of HTTP is, with a path that tells whether a port was written.
    let has_port =
        place.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    if place.contains(['/', '?', '#', '@']) || place.is_empty() {
        return Err(form.to_owned());
    }
    let target = Target::parse(&format!("http://{place}")).map_err(|_| form)?;
    // RFC 5425, section 4.1; plain TCP has no port of its own.
    let port = if has_port { Some(target.port) } else { tls.then_some(6514) };
    let host = if target.name().contains(':') { format!("[{}]", target.host) } else { target.host };
    Ok((tls, host, port.ok_or_else(|| format!("{form}, with its port"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syslog_receiver_has_a_scheme_a_host_and_a_port() {
        assert_eq!(syslog_place("tls://siem.example"), Ok((true, "siem.example".into(), 6514)));
        assert_eq!(syslog_place("tcp://[::1]:514"), Ok((false, "[::1]".into(), 514)));
        assert_eq!(syslog_place("tcp://[fe80::1%25eth0]:514/"), Ok((false, "[fe80::1%eth0]".into(), 514)));
        assert_eq!(syslog_place("tcp://siem.example:80"), Ok((false, "siem.example".into(), 80)));
        for wrong in [
            "",
            "siem:514",
            "tcp://siem",
            "udp://siem:514",
            "tls://",
            "tls://u@h",
            "tls://h/x",
            "https://h",
            "tcp://[::1]",
            "tls://h#",
        ] {
            assert!(syslog_place(wrong).is_err(), "{wrong}");
        }
    }
}
