//! One destination of events: its keys, and what they come to.

use crate::config::check::{Check, path};
use crate::config::syslog::{Framing, SyslogFormat, SyslogSettings, syslog_place};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use svm_core::events::{Filter, TypePattern};
use svm_core::http::Connection;
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
    pub url: Address,
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
pub(crate) struct RawDestination {
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

impl RawDestination {
    /// The files that it names, by key.
    pub(crate) fn named_files(&self) -> impl Iterator<Item = (&'static str, &str)> {
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
    pub(crate) fn destinations(
        &mut self,
        raw: BTreeMap<String, RawDestination>,
    ) -> BTreeMap<String, Destination> {
        let mut destinations = BTreeMap::new();
        for (name, raw) in raw {
            let key = format!("destinations.{name}");
            self.name(&key, &name, "destination");
            if let Some(destination) = self.destination(&key, &raw) {
                destinations.insert(name, destination);
            }
        }
        destinations
    }

    fn destination(&mut self, key: &str, raw: &RawDestination) -> Option<Destination> {
        let (of_kind, kinds) =
            (format!("{key}.kind"), [("cloudevents", Kind::CloudEvents), ("syslog", Kind::Syslog)]);
        let kind = self.take(&of_kind, choice(&raw.kind, &kinds));
        let filter = self.filter(key, raw);
        // Of a kind that is not known, nothing else can be said.
        let speaks = match kind.filter(|_| !self.wrong.contains(&of_kind))? {
            Kind::CloudEvents => self.cloudevents(key, raw).map(Speaks::CloudEvents),
            Kind::Syslog => self.syslog(key, raw).map(Speaks::Syslog),
        };
        Some(Destination { filter: filter?, speaks: speaks? })
    }

    fn filter(&mut self, key: &str, raw: &RawDestination) -> Option<Filter> {
        let severities = [
            ("info", Severity::Info),
            ("warning", Severity::Warning),
            ("failure", Severity::Failure),
            ("critical", Severity::Critical),
        ];
        let least = self.take(&format!("{key}.severity"), choice(&raw.severity, &severities));
        let except = self.items(&format!("{key}.except"), &raw.except, str::parse::<TypePattern>);
        let types = self.items(&format!("{key}.types"), &raw.types, str::parse::<TypePattern>)?;
        let some = (!types.is_empty())
            .then_some(types)
            .ok_or("must name at least one type, such as \"subscription.*\"; \"*\" means all");
        Some(Filter { types: self.take(&format!("{key}.types"), some)?, except: except?, least: least? })
    }

    fn tls_files(&mut self, key: &str, raw: &RawDestination) -> Option<TlsFiles> {
        let [ca_file, certificate_file, key_file] =
            [&raw.ca_file, &raw.certificate_file, &raw.key_file].map(|text| path(text));
        let pair = certificate_file.is_some() == key_file.is_some();
        let present = if key_file.is_some() { "key_file" } else { "certificate_file" };
        let files = TlsFiles { ca_file, certificate_file, key_file };
        let half = "a client certificate needs both `certificate_file` and `key_file`";
        self.take(&format!("{key}.{present}"), pair.then_some(files).ok_or(half))
    }

    fn cloudevents(&mut self, key: &str, raw: &RawDestination) -> Option<CloudEvents> {
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
            "" => self.take(&format!("{key}.url"), Err("is missing; set the address of the receiver, such as \"https://console.example/v1/events\"")),
            url => self.url(&format!("{key}.url"), url),
        };
        let origin = &raw.webhook_origin;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        let fits = origin.len() <= 253 && origin.bytes().all(plain);
        let wrong = "must have the form of a DNS name, such as \"svm.example\"";
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

    fn syslog(&mut self, key: &str, raw: &RawDestination) -> Option<SyslogSettings> {
        let formats = [("rfc5424", SyslogFormat::Rfc5424), ("cef", SyslogFormat::Cef)];
        let format = self.take(&format!("{key}.format"), choice(&raw.format, &formats));
        let framings = [("octet-counting", Framing::OctetCounting), ("newline", Framing::Newline)];
        let framing = self.take(&format!("{key}.framing"), choice(&raw.framing, &framings));
        let place = self.take(&format!("{key}.url"), syslog_place(&raw.url));
        let proxy =
            raw.proxy.is_empty().then_some(()).ok_or("is only for HTTP, and syslog uses no proxy; remove it");
        let proxy = self.take(&format!("{key}.proxy"), proxy);
        let tls_files = self.tls_files(key, raw);
        let timeout = self.span(&format!("{key}.timeout"), &raw.timeout, 1, 600);
        let ((tls, host, port), framing, ()) = (place?, framing?, proxy?);
        if tls && framing == Framing::Newline {
            let message = "must be \"octet-counting\" over TLS (RFC 5425), not \"newline\"";
            self.take::<(), _>(&format!("{key}.framing"), Err(message))?;
        }
        let timeout = timeout?.unsigned_abs();
        Some(SyslogSettings { host, port, tls, format: format?, framing, tls_files: tls_files?, timeout })
    }
}
