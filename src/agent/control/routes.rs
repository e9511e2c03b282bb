//! What each request does. Bodies and answers are JSON; a refusal is an answer with a code and the way out.

use super::{Api, Door, metrics};
use crate::agent::board::Asked;
use crate::agent::enforcement::permit_file::{self, Decision};
use crate::agent::enforcement::updates;
use crate::agent::engine::{Offered, Order, Run, Turn};
use crate::agent::identity::{Why, of_this_machine};
use crate::agent::settings::service_name;
use crate::agent::source::poller::{Looked, verify_now};
use crate::agent::source::{Answer, SourceError, fetch};
use crate::agent::status::Status;
use crate::agent::store::{Listing, StoreError};
use crate::documents::{ActivationCode, Expect, MAX_DOCUMENT_BYTES};
use crate::subscription::{KeyKind, Resource, add_days, foretell};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A request's body, from its first to its last byte.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

struct Fault {
    status: StatusCode,
    code: String,
    message: String,
}

impl Fault {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = format!("nothing was changed: {error}");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "not_kept", message)
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        let status =
            if error == SourceError::NotFound { StatusCode::NOT_FOUND } else { StatusCode::BAD_GATEWAY };
        Self::new(status, error.code(), error.to_string())
    }
}

/// A code or a document that is to become a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddKey {
    code: Option<SecretString>,
    document: Option<String>,
    #[serde(default)]
    reserve: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Devices {
    count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Take {
    unit: Option<String>,
}

pub(super) async fn answer(
    api: &Api,
    door: Door,
    peer: &str,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    if request.method() == Method::GET && request.uri().path() == "/metrics" {
        let mut response = Response::new(Full::new(Bytes::from(metrics::text(&status(api).await))));
        let kind = hyper::header::HeaderValue::from_static(metrics::CONTENT_TYPE);
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
        return response;
    }
    let (status, body) = match route(api, door, peer, request).await {
        Ok(body) => (StatusCode::OK, body),
        Err(Fault { status, code, message }) => {
            (status, json!({"error": {"code": code, "message": message}}))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}

async fn route(api: &Api, door: Door, peer: &str, request: Request<Incoming>) -> Result<Value, Fault> {
    let (head, body) = request.into_parts();
    let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let control = door == Door::Control;
    match (&head.method, path.as_slice()) {
        (&Method::GET, ["v1", "status"]) => Ok(json!(status(api).await)),
        (&Method::GET, ["v1", "permits", name]) => {
            let resource = resource(name)?;
            let decision = decision(api, resource);
            note_asked(api, resource, peer, &decision);
            Ok(json!(decision))
        }
        (&Method::GET, ["v1", "identity"]) => Ok(identity(api)),
        (&Method::GET, ["v1", "updates"]) => Ok(json!(api.board.updates().clone())),
        (&Method::GET, ["v1", "forecast"]) => forecast(api, head.uri.query().unwrap_or_default()),
        (
            _,
            ["v1", "keys" | "refresh" | "devices" | "events" | "report" | "updates" | "enforcement", ..]
            | ["v1", "permits", _, "take"],
        ) if !control => Err(Fault::new(
            StatusCode::FORBIDDEN,
            "control_socket",
            "this is asked through control.sock, which root and the group svm-agent may open",
        )),
        (&Method::POST, ["v1", "keys"]) => add_key(api, read(body).await?).await,
        (&Method::DELETE, ["v1", "keys", key]) => {
            carried_out(api.engine.order(Order::RemoveKey((*key).to_owned())).await?)
        }
        (&Method::POST, ["v1", "permits", name, "take"]) => {
            take(api, resource(name)?, peer, read(body).await?).await
        }
        (&Method::POST, ["v1", "enforcement", "look"]) => {
            api.look.send_modify(|n| *n += 1);
            Ok(json!({"looking": true}))
        }
        (&Method::POST, ["v1", "refresh"]) => refresh(api).await,
        (&Method::POST, ["v1", "updates", "run"]) => run_updates(api).await,
        (&Method::PUT, ["v1", "devices"]) => {
            let Devices { count } = read(body).await?;
            carried_out(api.engine.order(Order::Devices(count)).await?)
        }
        (&Method::POST, ["v1", "report"]) => carried_out(api.engine.order(Order::Report).await?),
        (&Method::GET, ["v1", "events", id]) => event(api, id).await,
        (&Method::POST, ["v1", "events", "retry"]) => retry(api, read(body).await?).await,
        (&Method::GET, ["v1", "events"]) => events(api, head.uri.query().unwrap_or_default()).await,
        (
            _,
            [
                "v1",
                "status" | "identity" | "permits" | "keys" | "refresh" | "devices" | "events" | "report"
                | "updates" | "enforcement",
                ..,
            ],
        ) => Err(Fault::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            format!("{} is not for this path", head.method),
        )),
        _ => Err(Fault::new(StatusCode::NOT_FOUND, "unknown_path", "there is nothing at this path")),
    }
}

fn resource(name: &str) -> Result<Resource, Fault> {
    Resource::ALL.into_iter().find(|r| r.file_name() == name).ok_or_else(|| {
        Fault::new(StatusCode::NOT_FOUND, "unknown_resource", "there are database-updates and ksn")
    })
}

/// The permit as it was last written; whoever asks here need not be able to read the file.
fn decision(api: &Api, resource: Resource) -> Decision {
    let permits = api.engine.permits.borrow();
    match permits.iter().find(|permit| permit.resource == resource) {
        Some(permit) => permit.clone().decide_now(&api.clock),
        None => permit_file::decision(&permit_file::folder(&api.settings.runtime_dir), resource, &api.clock),
    }
}

fn note_asked(api: &Api, resource: Resource, by: &str, decision: &Decision) {
    let asked = Asked { at: api.clock.now(), by: by.to_owned(), allowed: decision.allowed };
    api.board.enforcement().entry(resource).or_default().asked = Some(asked);
}

/// One run of a permit: kept as spent before it is granted.
async fn take(api: &Api, resource: Resource, peer: &str, Take { unit }: Take) -> Result<Value, Fault> {
    if let Some(unit) = &unit {
        service_name(unit).map_err(|e| {
            Fault::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                format!("the unit {e}, not `{}`", unit.escape_debug()),
            )
        })?;
    }
    let turn = api.engine.order(Order::Take(resource, unit.clone())).await?;
    let mut decision = decision(api, resource);
    match turn.run {
        Some(Run::Granted) => {}
        Some(Run::SpentUntil(next)) if decision.allowed => decision.refuse(format!(
            "what the vendor allows after the grace is spent; the next run may be made from {next}"
        )),
        _ if decision.allowed => decision.refuse("stopped".to_owned()),
        _ => {}
    }
    note_asked(api, resource, unit.as_deref().unwrap_or(peer), &decision);
    if let (Some(Run::Granted), false, Some(unit)) = (turn.run, decision.allowed, unit) {
        // Over by a clock that the engine does not go by.
        api.engine.order(Order::Owed(vec![unit])).await?;
    }
    Ok(json!(decision))
}

async fn status(api: &Api) -> Status {
    // A store that cannot be read is in the status already.
    let waiting = api.store.waiting().await.unwrap_or_default();
    let picture = api.engine.picture.borrow();
    Status::of(&picture, &api.board, &api.settings, &api.id, &api.hostname, waiting, api.clock.now())
}

/// The id, and whether this machine is the one to which it is bound.
fn identity(api: &Api) -> Value {
    let machine = of_this_machine(&api.settings.identity, &api.settings.runtime_dir);
    let differs = api.bond.binding.differs(&machine);
    json!({
        "id": &*api.id,
        "since": api.bond.since,
        "bound_to": api.bond.binding.names(),
        "seen_now": machine.names(),
        "differs": differs.map(Why::as_str),
    })
}

async fn read<T: for<'a> Deserialize<'a>>(body: Incoming) -> Result<T, Fault> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, 2 * MAX_DOCUMENT_BYTES).collect()).await;
    let bad = |message: String| Fault::new(StatusCode::BAD_REQUEST, "bad_request", message);
    let body = body.map_err(|_| bad("the body did not come in time".to_owned()))?;
    let body = body.map_err(|e| bad(format!("the body cannot be read: {e}")))?.to_bytes();
    // The body may hold a code: what is wrong with it is told by place alone.
    serde_json::from_slice(&body).map_err(|e| {
        bad(format!("the body is not as it should be, at line {} column {}", e.line(), e.column()))
    })
}

fn carried_out(turn: Turn) -> Result<Value, Fault> {
    match turn.refusal() {
        Some(refusal) => Err(Fault::new(StatusCode::CONFLICT, refusal.code.as_str(), refusal.message)),
        None => Ok(json!({"at": turn.at, "events": turn.events})),
    }
}

async fn add_key(api: &Api, asked: AddKey) -> Result<Value, Fault> {
    let trust = &api.settings.trust_dir;
    let offered: Offered = match (asked.code, asked.document) {
        (Some(code), None) => {
            let code = ActivationCode::parse(code.expose_secret())
                .map_err(|e| Fault::new(StatusCode::BAD_REQUEST, "bad_code", e.to_string()))?;
            let sub = code.sub();
            match fetch(&api.settings.source, &sub, None, api.clock.now()).await? {
                Answer::Document { text, .. } => {
                    verify_now(&text, trust, Expect { sub: Some(&sub), issuer: None }, &mut Vec::new())
                }
                Answer::NotChanged => Err(SourceError::NotFound)?,
            }
        }
        (None, Some(document)) => {
            verify_now(&document, trust, Expect { sub: None, issuer: None }, &mut Vec::new())
        }
        _ => {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "give either `code` or `document`",
            ));
        }
    };
    let kind = offered.as_ref().ok().map(|d| d.statement.kind());
    let order = if asked.reserve { Order::AddReserve } else { Order::Activate };
    let done = carried_out(api.engine.order(order(Box::new(offered))).await?);
    done.map_err(|mut fault| {
        if fault.code == "active_key_still_valid" && kind == Some(KeyKind::Commercial) {
            fault.message.push_str("; or add it as the reserve key: --reserve");
        }
        fault
    })
}

async fn refresh(api: &Api) -> Result<Value, Fault> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let gone = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    api.refresh.send(reply).await.map_err(|_| gone())?;
    let looked = answer.await.map_err(|_| gone())?;
    match looked {
        Looked::Failed { code, message } => Err(Fault::new(StatusCode::BAD_GATEWAY, &code, message)),
        Looked::Refused { code, message } => Err(Fault::new(StatusCode::CONFLICT, &code, message)),
        Looked::Taken | Looked::NotChanged => Ok(json!(looked)),
    }
}

async fn run_updates(api: &Api) -> Result<Value, Fault> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let gone = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    api.run_now.send(reply).await.map_err(|_| gone())?;
    match answer.await.map_err(|_| gone())? {
        updates::Asked::Refused { code, message } => Err(Fault::new(StatusCode::CONFLICT, &code, message)),
        asked => Ok(json!(asked)),
    }
}

/// What time alone will bring; a year ahead where no end is given.
fn forecast(api: &Api, query: &str) -> Result<Value, Fault> {
    let now = api.clock.now();
    let until = match query.strip_prefix("until=") {
        None => add_days(now, 365),
        Some(text) => text.parse().map_err(|_| {
            Fault::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "until takes an instant such as 2027-01-01T00:00:00Z",
            )
        })?,
    };
    let state = api.engine.picture.borrow().state.as_ref().clone();
    Ok(json!(foretell(state, &api.settings.rules, now, until)))
}

async fn events(api: &Api, query: &str) -> Result<Value, Fault> {
    let mut listing = Listing { most: 50, ..Listing::default() };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let wrong = || {
            let message = "the query takes before=NUMBER, after=NUMBER, limit=1 to 1000, severity=1 to 4, waiting=true and quarantined=true";
            Fault::new(StatusCode::BAD_REQUEST, "bad_request", message)
        };
        match pair.split_once('=').ok_or_else(wrong)? {
            ("before", number) => listing.before = Some(number.parse().map_err(|_| wrong())?),
            ("after", number) => listing.after = number.parse().map_err(|_| wrong())?,
            ("limit", number) => {
                listing.most = number.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(wrong)?;
            }
            ("severity", number) => {
                listing.least = number.parse().ok().filter(|n| (1..=4).contains(n)).ok_or_else(wrong)?;
            }
            ("waiting", only) => listing.waiting = only.parse().map_err(|_| wrong())?,
            ("quarantined", only) => listing.quarantined = only.parse().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        }
    }
    Ok(json!({"events": api.store.events(listing).await?}))
}

async fn event(api: &Api, id: &str) -> Result<Value, Fault> {
    let gone = "no event of this id is kept here; `svm-agent events list` shows those that are";
    let found = api.store.event(id).await?;
    found.map(|event| json!(event)).ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "unknown_event", gone))
}

/// Sends quarantined events again: that of one id, or all.
async fn retry(api: &Api, Retry { id }: Retry) -> Result<Value, Fault> {
    let one = id.is_some();
    let again = api.store.requeue(id).await?;
    if one && again == 0 {
        let none = "no event of this id is in quarantine; `svm-agent events list --quarantined` shows those that are";
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_quarantined", none));
    }
    api.engine.look_into_outbox();
    Ok(json!({"again": again}))
}
