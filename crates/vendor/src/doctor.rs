//! The doctor for a published folder: it checks a web server from outside, as an agent and as a stranger would, and says
//! what is wrong and what to do.
//!
//! Promises: it only asks (GET); no name of a document is shown in full, because a name is all that one needs to fetch
//! it; an answer is read up to a bound. Must not know: the command line.

use super::{Entry, Ledger};
use hyper::header::{
    ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    IF_NONE_MATCH, LOCATION,
};
use jiff::SignedDuration;
use serde::Serialize;
use svm_core::clock::Clock;
use svm_core::documents::{Expect, MAX_DOCUMENT_BYTES, published_path, verify};
use svm_core::http::{self, ClientError, Connection, Failure, Method, StatusCode, Target};

/// The most that is read of an answer: a list of some ten thousand documents.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// So many keys of the ledger are asked for until one is published.
const MAX_TRIES: usize = 20;

/// A certificate that ends within this is remarked on.
const CERTIFICATE_DAYS: i64 = 14;

/// A copy of a document that a cache may keep for longer than this is remarked on, in seconds.
const MAX_CACHE_SECONDS: u64 = 3600;

/// Agents take the server's time for a sign of their own clock's.
const MAX_CLOCK_SECONDS: i64 = 60;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Not checked, or only to be known.
    Note,
    /// To be repaired, but not urgent.
    Warning,
    /// To be repaired now: documents are open to strangers, or agents do not get them.
    Failure,
}

impl Grade {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A short name for scripts, such as `listing`.
    pub check: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What was found, in one sentence.
    pub found: String,
    /// What to do, where something is to be done.
    #[serde(rename = "do")]
    pub remedy: Option<String>,
}

/// Why an address cannot be examined at all.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// It is no address of a published folder.
    #[error("not the address of a published folder")]
    Address,
    /// The files for TLS.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// An answer, and as much of its body as may be.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// There was more of it than is read.
    is_cut: bool,
}

impl Answer {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A server under examination, and the findings so far.
struct Examination<'a> {
    base: &'a str,
    connection: &'a Connection,
    clock: Clock,
    findings: Vec<Finding>,
}

/// Examines what is published at `base`, the `source.url` of agents. With a ledger, a document of it is fetched too.
///
/// # Errors
/// [`ExamineError`]: nothing could be asked. What the server does wrong is a finding.
pub async fn examine(
    base: &str,
    ledger: Option<&Ledger>,
    connection: &Connection,
    clock: Clock,
) -> Result<Vec<Finding>, ExamineError> {
    let base = base.trim_end_matches('/');
    let target = Target::parse(base).ok().filter(|_| !base.contains(['?', '#', '@']));
    let Some(target) = target else {
        return Err(ExamineError::Address);
    };
    // Whether files for TLS can be used at all.
    http::client(base, connection, false, clock)?;
    let mut examination = Examination { base, connection, clock, findings: Vec::new() };
    examination.transport(&target);
    if !examination.connects().await {
        return Ok(examination.findings);
    }
    examination.unknown_document().await;
    examination.listings().await;
    examination.hidden_files().await;
    match ledger {
        Some(ledger) => examination.document(ledger).await,
        None => examination.add(
            "document",
            Grade::Note,
            "no document was fetched: there is no ledger here",
            Some("give --ledger DIR, and the doctor fetches one of its documents and compares it"),
        ),
    }
    Ok(examination.findings)
}

/// A name that no document has.
fn unknown_path() -> String {
    // Should there be no randomness, a name of zeros is as unknown.
    let sub = svm_core::documents::ActivationCode::generate().map(|code| code.sub());
    sub.map_or_else(|_| format!("v1/keys/{}.jws", "0".repeat(64)), |sub| published_path(&sub))
}

/// Whether a page lists files: those of documents, or as web servers and object stores title a list.
fn is_listing(page: &str) -> bool {
    let page = page.to_ascii_lowercase();
    let titles = ["index of /", "directory listing", "listbucketresult", "parent directory", "<directory"];
    page.contains(".jws") || titles.iter().any(|title| page.contains(title))
}

/// The longest time that a cache may keep an answer, in seconds, by its `Cache-Control`; `None` where that says nothing.
fn kept_for(cache_control: &str) -> Option<u64> {
    let directives = cache_control.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    let mut longest = None;
    for directive in directives {
        match directive.split_once('=').map_or((directive.as_str(), ""), |(name, value)| (name, value)) {
            ("no-store" | "no-cache", _) => return Some(0),
            ("max-age" | "s-maxage", seconds) => {
                longest = longest.max(seconds.trim_matches('"').parse::<u64>().ok());
            }
            _ => {}
        }
    }
    longest
}

impl Examination<'_> {
    fn add(&mut self, check: &'static str, grade: Grade, found: impl Into<String>, remedy: Option<&str>) {
        self.findings.push(Finding { check, grade, found: found.into(), remedy: remedy.map(str::to_owned) });
    }

    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Grade::Ok, found, None);
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(check, Grade::Warning, found, Some(remedy));
    }

    fn fail(&mut self, check: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(check, Grade::Failure, found, Some(remedy));
    }

    async fn get(&self, path: &str, more: &[(HeaderName, &str)]) -> Result<Answer, Failure> {
        self.get_at(self.clock, path, more).await
    }

    /// The same, as if it were another time.
    async fn get_at(&self, clock: Clock, path: &str, more: &[(HeaderName, &str)]) -> Result<Answer, Failure> {
        let client = http::client(&format!("{}/{path}", self.base), self.connection, false, clock)
            .map_err(|error| Failure::Unreachable(svm_core::error_chain::Chain(&error).to_string()))?;
        let mut request = client.request(Method::GET);
        for (name, value) in more {
            request = request.header(name.clone(), value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status, answer.headers.clone());
        match answer.body(MAX_PAGE_BYTES).await {
            Ok(body) => Ok(Answer { status, headers, body, is_cut: false }),
            Err(Failure::TooLarge(_)) => Ok(Answer { status, headers, body: Vec::new(), is_cut: true }),
            Err(failure) => Err(failure),
        }
    }

    /// As the agent asks for a document.
    async fn get_document(&self, path: &str, etag: Option<&str>) -> Result<Answer, Failure> {
        let identity = (ACCEPT_ENCODING, "identity");
        match etag {
            Some(etag) => self.get(path, &[identity, (IF_NONE_MATCH, etag)]).await,
            None => self.get(path, &[identity]).await,
        }
    }

    fn transport(&mut self, target: &Target) {
        match target.secure {
            true => {}
            false if target.is_loopback() => self.add("transport", Grade::Note, "plain HTTP on this machine", None),
            false => self.warn(
                "transport",
                "plain HTTP: anyone on the network path can read the names of documents, and a name is enough to fetch a document",
                "serve over https, and set source.url of the agents to that address",
            ),
        }
    }

    /// Whether the server answers at all; and how its certificate is.
    async fn connects(&mut self) -> bool {
        if let Err(failure) = self.get("v1/", &[]).await {
            let remedy = match failure {
                Failure::Tls(_) => {
                    "repair the certificate; if your own authority issued it, name its file with --ca-file"
                }
                _ => "check the address, and whether the server runs and this machine can reach it",
            };
            self.fail("connection", failure.to_string(), remedy);
            return false;
        }
        if !http::is_secure(self.base) {
            self.ok("connection", "the server answers");
            return true;
        }
        // The same with a clock that is ahead: a certificate that is refused then ends before.
        let ahead = SignedDuration::from_hours(24 * CERTIFICATE_DAYS);
        let later = Clock::fast(self.clock.now().checked_add(ahead).unwrap_or(jiff::Timestamp::MAX), 1);
        match self.get_at(later, "v1/", &[]).await {
            Err(Failure::Tls(_)) => self.warn(
                "connection",
                format!("the server's certificate expires within {CERTIFICATE_DAYS} days"),
                "renew the certificate: agents refuse an expired one",
            ),
            _ => self.ok(
                "connection",
                format!("the server answers over TLS; its certificate is valid for more than {CERTIFICATE_DAYS} days"),
            ),
        }
        true
    }

    /// What the server answers for a document that is not there.
    async fn unknown_document(&mut self) {
        let check = "unknown_document";
        let answer = match self.get_document(&unknown_path(), None).await {
            Ok(answer) => answer,
            Err(failure) => {
                return self.fail(check, failure.to_string(), "look for the reason in the server's log");
            }
        };
        let status = answer.status.as_u16();
        let found = format!("the server answers {status} for a document that does not exist");
        match status {
            404 => self.ok(check, found),
            403 => self.warn(
                check,
                found + ", as object stores do if nobody may list objects",
                "make it answer 404: for agents 403 is a fault of the server, so they cannot say that a code is unknown",
            ),
            410 => self.fail(
                check,
                found,
                "make it answer 404: for agents 410 means that the document was withdrawn for ever",
            ),
            200..=299 => self.fail(
                check,
                found,
                "make it answer 404 without a page of its own: for agents such a page comes from a proxy",
            ),
            300..=399 => self.redirected(check, &answer),
            401 | 407 => self.fail(check, found, "allow requests without a password"),
            _ => self.fail(check, found, "make it answer 404; the server's log says why it does not"),
        }
    }

    fn redirected(&mut self, check: &'static str, answer: &Answer) {
        let to = answer.header(LOCATION).unwrap_or("an address that it does not name");
        // The name of the document may stand in it.
        let to = to.split_once("/v1/").map_or(to, |(place, _)| place);
        self.fail(
            check,
            format!("the server redirects ({}) to {to}", answer.status.as_u16()),
            "agents follow no redirects: set their source.url to the new address, or serve the documents at this one",
        );
    }

    /// Whether strangers can see which documents there are.
    async fn listings(&mut self) {
        let check = "listing";
        let mut listed = Vec::new();
        // The last is how an object store is asked for its list.
        for path in ["v1/keys/", "v1/keys", "v1/", "", "?list-type=2"] {
            let Ok(answer) = self.get(path, &[]).await else { continue };
            let is_list = answer.is_cut || is_listing(&String::from_utf8_lossy(&answer.body));
            if answer.status.is_success() && is_list {
                listed.push(format!("/{path}"));
            }
        }
        match listed.as_slice() {
            [] => self.ok(check, "the server lists no folders"),
            listed => self.fail(
                check,
                format!(
                    "the server lists {}: anyone can find the documents, and a document is all that an SVM needs",
                    listed.join(" and ")
                ),
                "switch listings off (nginx: `autoindex off;`, Apache: `Options -Indexes`, object stores: do not let everyone list) and publish again: that puts an empty index.html into each folder",
            ),
        }
    }

    async fn hidden_files(&mut self) {
        let path = super::published_index::FILE;
        match self.get(path, &[]).await {
            Ok(answer) if answer.status.is_success() && !answer.body.is_empty() => self.warn(
                "hidden_files",
                format!("the server serves {path}, which only `svm-vendor publish` needs"),
                "refuse files whose names begin with a dot (nginx: `location ~ /\\. { return 404; }`)",
            ),
            _ => self.ok("hidden_files", "the server serves no internal file of `svm-vendor publish`"),
        }
    }

    /// Whether a document arrives as it lies in the ledger, and how.
    async fn document(&mut self, ledger: &Ledger) {
        let check = "document";
        let paths = match ledger.paths() {
            Ok(paths) => paths,
            Err(error) => {
                let found = format!("cannot read the ledger: {}", svm_core::error_chain::Chain(&error));
                return self.add(check, Grade::Note, found, None);
            }
        };
        let mut answered = None;
        // What cannot be read is for `list` to say.
        for entry in paths.iter().take(MAX_TRIES).filter_map(|path| ledger.read(path).ok()) {
            match self.get_document(&published_path(&entry.document.sub), None).await {
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => {}
                Ok(answer) => {
                    answered = Some((entry, answer));
                    break;
                }
                Err(failure) => {
                    return self.fail(check, failure.to_string(), "look for the reason in the server's log");
                }
            }
        }
        let Some((entry, answer)) = answered else {
            let (found, remedy) = match paths.len() {
                0 => ("the ledger has no keys", "issue a key and publish it".to_owned()),
                _ => (
                    "the first keys of the ledger are not published at this address",
                    "run `svm-vendor publish DIR`, and check that DIR is the root folder of the server"
                        .to_owned(),
                ),
            };
            return self.warn(check, found, &remedy);
        };
        match answer.status.as_u16() {
            200 => {}
            300..=399 => return self.redirected(check, &answer),
            status => {
                return self.fail(
                    check,
                    format!("the server answers {status} for {}", entry.document.statement.key),
                    "check that the server may read the file; its log says more",
                );
            }
        }
        self.content(ledger, &entry, &answer);
        self.headers(&answer);
        self.repeated(&entry, &answer).await;
    }

    fn content(&mut self, ledger: &Ledger, entry: &Entry, answer: &Answer) {
        let key = &entry.document.statement.key;
        if let Some(encoding) = answer.header(CONTENT_ENCODING).filter(|name| *name != "identity") {
            self.fail(
                "encoding",
                format!("the server encodes documents ({encoding}), although the request forbids it"),
                "serve the files unchanged (nginx: remove `gzip_static always`)",
            );
            return;
        }
        self.ok("encoding", "documents arrive unencoded");
        let text = String::from_utf8_lossy(&answer.body);
        if text == entry.document.text {
            return self.ok("document", format!("{key} arrives as the ledger has it"));
        }
        let document = &entry.document;
        let expect = Expect { sub: Some(&document.sub), issuer: Some(&document.iss) };
        let fits = answer.body.len() <= MAX_DOCUMENT_BYTES;
        match fits.then(|| verify(&text, ledger.trust(), expect).ok()).flatten() {
            Some(published) => self.warn(
                "document",
                format!(
                    "the server has revision {} of {key}, and the ledger has {}",
                    published.statement.rev, document.statement.rev
                ),
                "publish; if you have published, a cache in front of the server holds the old document",
            ),
            None => self.fail(
                "document",
                format!("what arrives as {key} is not a document of this ledger"),
                "check whether the server, or a proxy in front of it, changes the file",
            ),
        }
    }

    fn headers(&mut self, answer: &Answer) {
        match answer.header(CONTENT_TYPE).map(str::to_ascii_lowercase) {
            Some(kind) if kind.contains("html") => self.fail(
                "content_type",
                format!("documents arrive as {kind}; agents take this for the page of a proxy"),
                "serve them as application/jose (nginx: `default_type application/jose;`)",
            ),
            Some(kind) => self.ok("content_type", format!("documents arrive as {kind}")),
            None => self.add(
                "content_type",
                Grade::Note,
                "documents arrive without a Content-Type",
                Some("serve them as application/jose"),
            ),
        }
        let age = answer.header(AGE).and_then(|age| age.parse::<u64>().ok()).unwrap_or(0);
        match answer.header(CACHE_CONTROL).map(|header| (header.to_owned(), kept_for(header))) {
            Some((header, Some(seconds))) if seconds.max(age) > MAX_CACHE_SECONDS => self.warn(
                "cache",
                format!("caches may hold a document for {} s (Cache-Control: {header})", seconds.max(age)),
                "send `Cache-Control: no-cache`: caches then ask each time whether the document changed, which costs little",
            ),
            Some((header, Some(_))) => self.ok("cache", format!("Cache-Control: {header}")),
            _ if age > MAX_CACHE_SECONDS => self.warn(
                "cache",
                format!("a cache in front of the server served a copy that is {age} s old"),
                "send `Cache-Control: no-cache`, and empty that cache",
            ),
            _ => self.add(
                "cache",
                Grade::Note,
                "the server does not say how long caches may hold a document",
                Some("if a cache or a CDN is in front, send `Cache-Control: no-cache`: it then asks each time whether a document changed"),
            ),
        }
        let behind =
            http::server_time(&answer.headers).map(|date| self.clock.now().duration_since(date).as_secs());
        match behind {
            None => self.warn(
                "date",
                "the server sends no Date header",
                "make it send one: agents use it to notice that their own clock is wrong",
            ),
            Some(seconds) if seconds.abs() > MAX_CLOCK_SECONDS => self.warn(
                "date",
                format!("the clocks of the server and of this machine are {} s apart", seconds.abs()),
                "correct the wrong one: agents use the server's Date to notice that their own clock is wrong",
            ),
            Some(_) => self.ok("date", "the clocks of the server and of this machine agree"),
        }
    }

    /// Whether a document that is known is not sent again.
    async fn repeated(&mut self, entry: &Entry, answer: &Answer) {
        let (check, path) = ("etag", published_path(&entry.document.sub));
        let Some(etag) = answer.header(ETAG).map(str::to_owned) else {
            return self.warn(
                check,
                "documents have no ETag, so agents fetch each one whole every time",
                "make the server send ETags (nginx: `etag on;`)",
            );
        };
        match self.get_document(&path, Some(&etag)).await {
            Ok(again) if again.status == StatusCode::NOT_MODIFIED => {
                self.ok(check, "the server does not send a known document again (ETag, 304)");
            }
            Ok(again) if again.status.is_success() && again.header(ETAG) != Some(&etag) => self.warn(
                check,
                "the ETag of a document changes from answer to answer, so agents fetch it whole every time",
                "if several servers share one name, give their files equal times and sizes (`rsync -t`): the ETags are equal then",
            ),
            Ok(again) => self.warn(
                check,
                format!("the server answers {} instead of 304 for an unchanged document", again.status.as_u16()),
                "check whether a proxy in front removes If-None-Match",
            ),
            Err(failure) => self.fail(check, failure.to_string(), "look for the reason in the server's log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_servers_and_stores_are_known() {
        let name = "0".repeat(64);
        for page in [
            format!("<a href=\"{name}.jws\">{name}.jws</a>"),
            "<title>Index of /v1/</title>".to_owned(),
            "<?xml version=\"1.0\"?><ListBucketResult>".to_owned(),
            "<title>Directory listing for /</title>".to_owned(),
        ] {
            assert!(is_listing(&page), "{page}");
        }
        for page in ["", "<h1>Example ISP</h1>", "there is no document here"] {
            assert!(!is_listing(page), "{page}");
        }
    }

    #[test]
    fn how_long_a_cache_may_keep_a_document_is_read() {
        for (header, seconds) in [
            ("no-cache", Some(0)),
            ("public, max-age=86400", Some(86_400)),
            ("max-age=60, s-maxage=\"7200\"", Some(7200)),
            ("max-age=86400, No-Store", Some(0)),
            ("public", None),
            ("max-age=soon", None),
        ] {
            assert_eq!(kept_for(header), seconds, "{header}");
        }
    }
}
