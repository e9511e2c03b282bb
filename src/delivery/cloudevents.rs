//! CloudEvents over HTTP: from events to a request, and from its answer to what follows.

use super::answer::{self, Outcome};
use super::secrets::Secrets;
use crate::config::{CloudEvents, Mode};
use crate::storage::Outgoing;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use svm_core::clock::Clock;
use svm_core::events::{push_with_sequence, with_sequence};
use svm_core::failure_code::FailureCode;
use svm_core::http::{self, Client, Method};
use svm_core::library_words;
use svm_core::percent;
use svm_core::secrets::{Plain, SecretFile};
use svm_core::text::trim_pasted;
use svm_core::tls::FilesState;

/// A body below this is sent as it is: little is saved, and it can be read on the wire.
const WORTH_COMPRESSING: usize = 2048;

/// Bytes of a token's file at most.
const LONGEST_TOKEN_FILE: u64 = 16 * 1024;

/// Makes requests of events.
pub(super) struct Composer {
    mode: Mode,
    /// Whether large bodies are compressed.
    compress: bool,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

/// The way to the receiver.
pub(super) struct Exchange {
    settings: CloudEvents,
    clock: Clock,
    connected: Option<Box<Connected>>,
    /// By the rate that the receiver allows, nothing is sent before this, over which connection ever.
    not_before: Timestamp,
}

/// What is held while a connection is.
struct Connected {
    client: Client,
    /// How the files for TLS were when the client was made of them.
    files: FilesState,
    /// Between an answer and the next request, by the rate that the receiver allows.
    gap: SignedDuration,
}

/// A request that is ready but for the token.
pub(super) struct Request {
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    pub(super) fn is_compressed(&self) -> bool {
        self.headers.contains_key(CONTENT_ENCODING)
    }
}

impl Composer {
    pub(super) fn new(settings: &CloudEvents) -> Self {
        Self { mode: settings.mode, compress: settings.compress, compressor: None }
    }

    /// Gives up what is only needed while there is much to send.
    pub(super) fn rest(&mut self) {
        self.compressor = None;
    }

    /// Events in one request at most.
    pub(super) fn most(&self) -> usize {
        match self.mode {
            Mode::Batch => super::batch::BATCH,
            Mode::Structured | Mode::Binary => 1,
        }
    }

    /// The receiver refuses compressed bodies (RFC 9110, section 15.5.16): it gets none until a restart.
    pub(super) fn leave_uncompressed(&mut self) {
        self.compress = false;
    }

    /// Makes a request of events.
    pub(super) fn compose(&mut self, events: &[Outgoing]) -> Request {
        let mut headers = HeaderMap::new();
        let mut kind = |kind| drop(headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind)));
        let mut text = String::with_capacity(events.iter().map(|event| event.body.len() + 80).sum());
        match self.mode {
            Mode::Batch => {
                kind("application/cloudevents-batch+json");
                for event in events {
                    text.push(if text.is_empty() { '[' } else { ',' });
                    push_with_sequence(&mut text, &event.body, event.sequence, event.skipped_from);
                }
                text.push(']');
            }
            Mode::Structured => {
                kind("application/cloudevents+json");
                for event in events {
                    push_with_sequence(&mut text, &event.body, event.sequence, event.skipped_from);
                }
            }
            Mode::Binary => {
                for event in events {
                    text.push_str(&binary(event, &mut headers));
                }
            }
        }
        let mut body = Bytes::from(text);
        if self.compress
            && body.len() >= WORTH_COMPRESSING
            && let Some(compressed) = self.compressed(&body)
        {
            body = compressed.into();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        }
        Request { headers, body }
    }

    /// Compressed, where that works; else it goes as it is.
    fn compressed(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        if self.compressor.is_none() {
            self.compressor = zstd::bulk::Compressor::new(1).ok();
        }
        self.compressor.as_mut()?.compress(body).ok()
    }
}

impl Exchange {
    pub(super) fn new(settings: CloudEvents, clock: Clock) -> Self {
        Self { settings, clock, connected: None, not_before: Timestamp::MIN }
    }

    /// Gives up the connection; the next request makes a new one, from the files as they are then.
    pub(super) fn rest(&mut self) {
        self.connected = None;
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Makes a connection possible, and asks for permission to send if the settings say so.
    ///
    /// # Errors
    /// The outcome: what keeps it from sending.
    async fn connect(&mut self) -> Result<(), Outcome> {
        let files = self.settings.connection.tls.state();
        if self.connected.as_ref().is_some_and(|connected| connected.files == files) {
            return Ok(());
        }
        let client = http::client(self.settings.url.whole(), &self.settings.connection, true, self.clock);
        let client = client.map_err(|error| {
            Outcome::hold(FailureCode::ConnectionSettings, svm_core::error_chain::Chain(&error).to_string())
        })?;
        let gap = match &self.settings.webhook_origin {
            None => SignedDuration::ZERO,
            Some(origin) => self.ask_leave(&client, origin).await?,
        };
        self.connected = Some(Box::new(Connected { client, files, gap }));
        Ok(())
    }

    /// The handshake of CloudEvents 1.0.2, "HTTP 1.1 Web Hooks", section 4. Answers the time between requests that
    /// the receiver wants.
    async fn ask_leave(&self, client: &Client, origin: &str) -> Result<SignedDuration, Outcome> {
        let token = self.token()?;
        let secrets = self.secrets(token.as_ref());
        let request = client.request(Method::OPTIONS).bearer(secrets.token);
        let request = request.header(HeaderName::from_static("webhook-request-origin"), origin);
        let answer = request.send().await.map_err(|failure| answer::of_failure(&failure))?;
        let allowed = answer.header("WebHook-Allowed-Origin").map(str::trim);
        // A name in the form of DNS, which has no case.
        if !answer.status.is_success()
            || !allowed.is_some_and(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
        {
            return Err(Outcome::hold(
                FailureCode::WebhookNotAllowed,
                format!(
                    "the receiver does not allow {origin} to send (status {}, WebHook-Allowed-Origin: {}); allow it there, or set webhook_origin to a name that is allowed",
                    answer.status.as_u16(),
                    secrets.hide(allowed.unwrap_or("none"))
                ),
            ));
        }
        let rate = answer.header("WebHook-Allowed-Rate").and_then(|rate| rate.parse::<i64>().ok());
        let gap = rate.filter(|rate| *rate > 0).map(|rate| SignedDuration::from_millis(60_000 / rate));
        Ok(gap.unwrap_or_default())
    }

    /// Sends a request, and says what the answer means.
    pub(super) async fn send(&mut self, request: &Request, events: &[Outgoing]) -> Outcome {
        if let Err(outcome) = self.connect().await {
            return outcome;
        }
        let Some(Connected { client, gap, .. }) = self.connected.as_deref() else {
            return Outcome::again(FailureCode::Unreachable, "there is no connection; the agent tries again");
        };
        let gap = *gap;
        let token = match self.token() {
            Ok(token) => token,
            Err(outcome) => return outcome,
        };
        let secrets = self.secrets(token.as_ref());
        let post = client.request(Method::POST).headers(&request.headers).header(ACCEPT_ENCODING, "identity");
        let post = post.body(request.body.clone()).bearer(secrets.token);
        if !gap.is_zero() {
            self.clock.sleep_until(self.not_before).await;
        }
        let outcome = match post.send().await {
            Err(failure) => answer::of_failure(&failure),
            Ok(response) => {
                answer::read(response, self.settings.receiver, events, &secrets, self.clock.now()).await
            }
        };
        self.not_before = self.clock.now().checked_add(gap).unwrap_or(self.not_before);
        outcome
    }

    fn secrets<'a>(&'a self, token: Option<&'a SecretString>) -> Secrets<'a> {
        Secrets { url: self.settings.url.whole(), token: token.map(ExposeSecret::expose_secret) }
    }

    fn token(&self) -> Result<Option<SecretString>, Outcome> {
        let unusable = |message| Outcome::hold(FailureCode::TokenFile, message);
        let Some(file) = &self.settings.token_file else { return Ok(None) };
        let text = SecretFile::read(file, LONGEST_TOKEN_FILE).map_err(|error| {
            unusable(format!("cannot read {}: {}", file.display(), library_words::io(&error)))
        })?;
        let token = text.interpret_text(read_token).map_err(|problem| {
            unusable(format!("the first line of {} is not a token: {problem}", file.display()))
        })?;
        Ok(Some(token))
    }
}

/// The token of a file: its first line, without what nobody sees around it.
fn read_token(text: &str) -> Result<SecretString, Plain> {
    let token = trim_pasted(text.split(['\n', '\r']).next().unwrap_or_default());
    match () {
        () if token.is_empty() => Err(Plain::new("it is empty; put the token there")),
        () if token.starts_with("-----BEGIN") => {
            Err(Plain::new("it is a PEM file; put only the token there"))
        }
        () if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Plain::new("it has a space, or a character that no token has; put only the token there"))
        }
        () => Ok(SecretString::from(token)),
    }
}

/// An event in binary mode: its attributes become headers, its data the body (HTTP protocol binding, section 3.1).
pub(crate) fn binary(event: &Outgoing, headers: &mut HeaderMap) -> String {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
        #[serde(flatten)]
        attributes: BTreeMap<String, serde_json::Value>,
    }
    let text = with_sequence(&event.body, event.sequence, event.skipped_from);
    let Ok(Event { data, attributes }) = serde_json::from_str::<Event>(&text) else {
        // What we rendered ourselves can be read.
        return text;
    };
    for (name, value) in attributes {
        let Some(value) = value.as_str() else { continue };
        let (name, value) = match name.as_str() {
            "datacontenttype" => ("content-type".to_owned(), value.to_owned()),
            name => (format!("ce-{name}"), percent_encoded(value)),
        };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    data.get().to_owned()
}

/// HTTP protocol binding, section 3.1.3.2: what is not printable ASCII, and space, `"` and `%`.
fn percent_encoded(text: &str) -> String {
    percent::encode_all_but(text, |byte| matches!(byte, b'!' | b'#' | b'$' | b'&'..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_first_line_without_what_nobody_sees() {
        let of = |text: &str| read_token(text).map(|token| token.expose_secret().to_owned());
        for text in [
            "t0k/en+=",
            "t0k/en+=\r\n",
            "\u{feff}t0k/en+=\n",
            " t0k/en+=\u{200b}\u{a0}\nmore",
            "\u{200e}t0k/en+=\r",
        ] {
            assert_eq!(of(text).as_deref(), Ok("t0k/en+="), "{text:?}");
        }
        for text in [
            "",
            "\n",
            "\nplanted",
            "\u{feff}\nplanted",
            "plan ted",
            "pl\u{200b}anted",
            "planté",
            "-----BEGIN planted",
        ] {
            let problem = of(text).unwrap_err().to_string();
            assert!(!problem.contains("plan"), "{problem}");
        }
    }

    #[test]
    fn a_binary_event_has_its_attributes_in_headers() {
        let body = r#"{"specversion":"1.0","id":"a b","subject":"ключ","datacontenttype":"application/json","data":{"x": 1}}"#;
        let event = Outgoing { sequence: 7, skipped_from: Some(6), id: "a b".into(), body: body.into() };
        let mut headers = HeaderMap::new();
        assert_eq!(binary(&event, &mut headers), r#"{"x": 1}"#);
        let of = |name: &str| headers[name].to_str().unwrap();
        assert_eq!((of("ce-id"), of("ce-subject")), ("a%20b", "%D0%BA%D0%BB%D1%8E%D1%87"));
        assert_eq!((of("ce-specversion"), of("content-type")), ("1.0", "application/json"));
        assert_eq!(
            (of("ce-sequence"), of("ce-skippedfrom")),
            ("00000000000000000007", "00000000000000000006")
        );
    }
}
