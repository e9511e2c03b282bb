//! One destination of events: its keys, and what they come to.

use super::{Check, path};
use crate::events::{Filter, TypePattern};
use crate::http::Connection;
use crate::settings::choice;
use crate::subscription::Severity;
use crate::tls::TlsFiles;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Every key of a destination with its default; `config/agent.toml` shows the same lines as a comment.
pub const DESTINATION: &str = r#"
kind = "cloudevents"
url = ""
severity = "info"
types = ["*"]
receiver = "svm-collector"
mode = "auto"
compression = "auto"
webhook_origin = ""
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
    pub url: String,
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
    /// Where it is, for people.
    pub fn address(&self) -> &str {
        match &self.speaks {
            Speaks::CloudEvents(settings) => &settings.url,
        }
    }

    /// The client certificate that is shown there.
    pub fn certificate_file(&self) -> Option<&Path> {
        match &self.speaks {
            Speaks::CloudEvents(settings) => settings.connection.tls.certificate_file.as_deref(),
        }
    }

    /// The files that it names, by key.
    pub fn files(&self) -> Vec<(&'static str, &Option<PathBuf>)> {
        match &self.speaks {
            Speaks::CloudEvents(settings) => {
                let TlsFiles { ca_file, certificate_file, key_file } = &settings.connection.tls;
                vec![
                    ("token_file", &settings.token_file),
                    ("ca_file", ca_file),
                    ("certificate_file", certificate_file),
                    ("key_file", key_file),
                ]
            }
        }
    }
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(super) struct Raw {
    kind: String,
    url: String,
    severity: String,
    types: Vec<String>,
    receiver: String,
    mode: String,
    compression: String,
    webhook_origin: String,
    token_file: String,
    ca_file: String,
    certificate_file: String,
    key_file: String,
    proxy: String,
    timeout: String,
}

#[derive(Clone, Copy)]
enum Kind {
    CloudEvents,
}

impl Check<'_> {
    pub(super) fn destination(&mut self, key: &str, raw: Raw) -> Option<Destination> {
        let kind =
            self.take(&format!("{key}.kind"), choice(&raw.kind, &[("cloudevents", Kind::CloudEvents)]));
        let filter = self.filter(key, &raw);
        let speaks = match kind? {
            Kind::CloudEvents => self.cloudevents(key, &raw).map(Speaks::CloudEvents),
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
        let types: Result<Vec<TypePattern>, _> = raw.types.iter().map(|text| text.parse()).collect();
        let types = self.take(&format!("{key}.types"), types)?;
        let some =
            (!types.is_empty()).then_some(types).ok_or("must name a type at least; \"*\" is all of them");
        Some(Filter { types: self.take(&format!("{key}.types"), some)?, least: least? })
    }

    fn tls(&mut self, key: &str, raw: &Raw) -> Option<TlsFiles> {
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
        let tls = self.tls(key, raw);
        let connection = self.connection(key, &raw.timeout, tls?, &raw.proxy);
        Some(CloudEvents {
            url: url?,
            receiver: receiver?,
            mode: mode?,
            compress: compress?,
            webhook_origin: origin.filter(|origin| !origin.is_empty()),
            token_file: path(&raw.token_file),
            connection: connection?,
        })
    }
}
