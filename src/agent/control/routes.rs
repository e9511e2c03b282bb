//! What each request does. Bodies and answers are JSON; a refusal is an answer with a code and the way out.

use super::{Api, Door, Peer, keys, metrics};
use crate::agent::board::Asked;
use crate::agent::enforcement::permit_file::{self, Decision};
use crate::agent::enforcement::updates;
use crate::agent::engine::{Order, Run, Turn};
use crate::agent::forecast::forecast;
use crate::agent::identity::{Why, of_this_machine};
use crate::agent::settings::service_name;
use crate::agent::source::poller::Looked;
use crate::agent::status::Status;
use crate::agent::store::{Listing, StoreError};
use crate::documents::MAX_DOCUMENT_BYTES;
use crate::events::shown;
use crate::subscription::{Resource, Role};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// A request's body, from its first to its last byte.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = format!("nothing was changed: {error}");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "not_kept", message)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Devices {
    count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Take {
    unit: Option<String>,
}

pub(super) async fn answer(
    api: &Api,
    door: Door,
    peer: &Peer,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    if request.method() == Method::GET && request.uri().path() == "/metrics" {
        let mut response = Response::new(Full::new(Bytes::from(metrics::now(api).await)));
        let kind = hyper::header::HeaderValue::from_static(metrics::CONTENT_TYPE);
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
        return response;
    }
    let (status, body) = match route(api, door, peer, request).await {
        // Nothing is in force yet, and it goes on by itself.
        Ok(body) if body.get("pending").is_some() => (StatusCode::ACCEPTED, body),
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

async fn route(api: &Api, door: Door, peer: &Peer, request: Request<Incoming>) -> Result<Value, Fault> {
    let (head, body) = request.into_parts();
    let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let control = door == Door::Control;
    match (&head.method, path.as_slice()) {
        (&Method::GET, ["v1", "status"]) => Ok(json!(status(api).await)),
        (&Method::GET, ["v1", "permits", name]) => {
            let resource = resource(name)?;
            let decision = decision(api, resource);
            note_asked(api, resource, &peer.name, &decision);
            Ok(json!(decision))
        }
        (&Method::GET, ["v1", "identity"]) => Ok(identity(api)),
        (&Method::GET, ["v1", "updates"]) => Ok(json!(api.board.updates().clone())),
        (&Method::GET, ["v1", "clock"]) => Ok(json!(api.clock.standing())),
        (&Method::GET, ["v1", "forecast"]) => foretold(api, head.uri.query().unwrap_or_default()),
        (
            _,
            [
                "v1",
                "keys" | "activations" | "refresh" | "devices" | "events" | "report" | "updates"
                | "enforcement" | "clock" | "reload",
                ..,
            ]
            | ["v1", "permits", _, "take"],
        ) if !control => Err(Fault::new(
            StatusCode::FORBIDDEN,
            "control_socket",
            "this is asked through control.sock, which root and the group svm-agent may open",
        )),
        (&Method::POST, ["v1", "keys"]) => keys::add(api, read(body).await?).await,
        (&Method::DELETE, ["v1", "activations"]) => keys::cancel(api, None).await,
        (&Method::DELETE, ["v1", "activations", "active"]) => keys::cancel(api, Some(Role::Active)).await,
        (&Method::DELETE, ["v1", "activations", "reserve"]) => keys::cancel(api, Some(Role::Reserve)).await,
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
        (&Method::POST, ["v1", "clock", "reset"]) => reset_clock(api, peer).await,
        (&Method::POST, ["v1", "reload"]) => reload(api).await,
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
                "status" | "permits" | "keys" | "activations" | "refresh" | "devices" | "events" | "report"
                | "updates" | "enforcement" | "clock" | "identity" | "reload",
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
async fn take(api: &Api, resource: Resource, peer: &Peer, Take { unit }: Take) -> Result<Value, Fault> {
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
    note_asked(api, resource, unit.as_deref().unwrap_or(&peer.name), &decision);
    if let (Some(Run::Granted), false, Some(unit)) = (turn.run, decision.allowed, unit) {
        // Over by a clock that the engine does not go by.
        api.engine.order(Order::Owed(vec![unit])).await?;
    }
    Ok(json!(decision))
}

pub(super) async fn status(api: &Api) -> Status {
    // A store that cannot be read is in the status already.
    let waiting = api.store.waiting().await.unwrap_or_default();
    let picture = api.engine.picture.borrow();
    Status::of(&picture, &api.board, &api.settings, &api.id, &api.hostname, waiting, &api.clock)
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

pub(super) async fn read<T: for<'a> Deserialize<'a>>(body: Incoming) -> Result<T, Fault> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, 2 * MAX_DOCUMENT_BYTES).collect()).await;
    let bad = |message: String| Fault::new(StatusCode::BAD_REQUEST, "bad_request", message);
    let body = body.map_err(|_| bad("the body did not come in time".to_owned()))?;
    let body = body.map_err(|e| bad(format!("the body cannot be read: {e}")))?.to_bytes();
    parse(&body)
}

pub(crate) fn parse<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Fault> {
    // The body may hold a code: what is wrong with it is told by place alone.
    serde_json::from_slice(body).map_err(|e| {
        let place = format!("at line {} column {}", e.line(), e.column());
        Fault::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            format!("the body is not as it should be, {place}"),
        )
    })
}

pub(super) fn carried_out(turn: Turn) -> Result<Value, Fault> {
    match turn.refusal() {
        Some(refusal) => Err(Fault::new(StatusCode::CONFLICT, refusal.code.as_str(), refusal.message)),
        None => Ok(json!({"at": turn.at, "events": turn.events.iter().map(shown).collect::<Vec<_>>()})),
    }
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

/// Whoever may set the clock may say that it is right.
async fn reset_clock(api: &Api, peer: &Peer) -> Result<Value, Fault> {
    match peer.user {
        Some(0) => {
            carried_out(api.engine.order(Order::ResetClock).await?)?;
            Ok(json!(api.clock.standing()))
        }
        _ => Err(Fault::new(
            StatusCode::FORBIDDEN,
            "root_only",
            "only root may have the clock of the machine trusted: sudo svm-agent clock reset",
        )),
    }
}

/// Reads the settings again; what is answered has come into force.
async fn reload(api: &Api) -> Result<Value, Fault> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let gone = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    api.reload.send(reply).await.map_err(|_| gone())?;
    match answer.await.map_err(|_| gone())? {
        Ok(reloaded) => Ok(json!(reloaded)),
        Err(refused) => {
            Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, refused.code(), refused.to_string()))
        }
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
fn foretold(api: &Api, query: &str) -> Result<Value, Fault> {
    let until = until(query)?;
    let state = api.engine.picture.borrow().state.as_ref().clone();
    let rows = forecast(state, &api.settings.rules, api.clock.now(), until);
    Ok(json!(rows.map_err(|e| Fault::new(StatusCode::BAD_REQUEST, "bad_instant", e.to_string()))?))
}

pub(crate) fn until(query: &str) -> Result<Option<Timestamp>, Fault> {
    let bad = |code: &str, message: &str| Fault::new(StatusCode::BAD_REQUEST, code, message);
    match query.split_once('=') {
        None if query.is_empty() => Ok(None),
        Some(("until", text)) => {
            let instant = text.parse().map(Some);
            instant.map_err(|_| bad("bad_instant", "until takes an instant such as 2027-01-01T00:00:00Z"))
        }
        _ => Err(bad("bad_request", "the query takes until=INSTANT alone")),
    }
}

async fn events(api: &Api, query: &str) -> Result<Value, Fault> {
    Ok(json!({"events": api.store.events(listing(query)?).await?}))
}

pub(crate) fn listing(query: &str) -> Result<Listing, Fault> {
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
    Ok(listing)
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
