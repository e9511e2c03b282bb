//! What each request does. Bodies and answers are JSON; a refusal is an answer with a code and the way out.

use super::access::{self, Route};
use super::fault::{Fault, carried_out};
use super::query::pairs;
use super::{Api, Door, Peer, keys, metrics};
use crate::enforcement::budget;
use crate::enforcement::permit_file::{self, Decision};
use crate::enforcement::updates;
use crate::engine::{Order, Run};
use crate::forecast::forecast;
use crate::health::Asked;
use crate::identity::{Why, of_this_machine};
use crate::settings::service_name;
use crate::source::poller::Looked;
use crate::store::Listing;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use svm_core::ask::ask;
use svm_core::documents::MAX_DOCUMENT_BYTES;
use svm_core::subscription::{Permit, Resource, Role, read_instant};

/// A request's body, from its first to its last byte.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

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
    let (head, body) = request.into_parts();
    let found = access::find(door, &head.method, head.uri.path());
    if let Ok((Route::Metrics, _)) = found {
        let mut response = Response::new(Full::new(Bytes::from(metrics::now(api).await)));
        let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
        return response;
    }
    let answer = match found {
        Ok((route, part)) => {
            carry_out(api, peer, route, part, head.uri.query().unwrap_or_default(), body).await
        }
        Err(fault) => Err(fault),
    };
    let (status, body, allow) = match answer {
        // Nothing is in force yet, and it goes on by itself.
        Ok(body) if body.get("pending").is_some() => (StatusCode::ACCEPTED, body, None),
        Ok(body) => (StatusCode::OK, body, None),
        Err(Fault { status, code, message, allow }) => {
            (status, json!({"error": {"code": code, "message": message}}), allow)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    if let Some(allow) = allow.and_then(|methods| HeaderValue::try_from(methods).ok()) {
        response.headers_mut().insert(hyper::header::ALLOW, allow);
    }
    response
}

/// Does what is asked; `part` is the part of the path that differs.
async fn carry_out(
    api: &Api,
    peer: &Peer,
    route: Route,
    part: String,
    query: &str,
    body: Incoming,
) -> Result<Value, Fault> {
    match route {
        // Answered before: it is no JSON.
        Route::Metrics => Ok(Value::Null),
        Route::Status => Ok(json!(api.status.status().await)),
        Route::Permit => Ok(json!(decision(api, resource(&part)?))),
        Route::Identity => Ok(identity(api)),
        Route::Updates => Ok(json!(api.board.updates().clone())),
        Route::Clock => Ok(json!(api.clock.standing())),
        Route::Forecast => foretold(api, query),
        Route::AddKey => keys::add(api, read(body).await?).await,
        Route::RemoveKey => carried_out(api.engine.order(Order::RemoveKey(part)).await?),
        Route::CancelAll => keys::cancel(api, None).await,
        Route::CancelActive => keys::cancel(api, Some(Role::Active)).await,
        Route::CancelReserve => keys::cancel(api, Some(Role::Reserve)).await,
        Route::Take => take(api, resource(&part)?, peer, read(body).await?).await,
        Route::Look => {
            api.look.send_modify(|n| *n += 1);
            Ok(json!({"looking": true}))
        }
        Route::ResetClock => reset_clock(api, peer).await,
        Route::Reload => reload(api).await,
        Route::Refresh => refresh(api).await,
        Route::RunUpdates => run_updates(api).await,
        Route::Devices => {
            let Devices { count } = read(body).await?;
            carried_out(api.engine.order(Order::Devices(count)).await?)
        }
        Route::Report => carried_out(api.reporter.report().await?),
        Route::Events => events(api, query).await,
        Route::Event => event(api, &part).await,
        Route::RetryEvents => retry(api, read(body).await?).await,
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
    let mut decision = match permits.iter().find(|permit| permit.resource == resource) {
        Some(permit) => permit.clone().decide_now(&api.clock),
        None => permit_file::decision(&permit_file::folder(&api.settings.runtime_dir), resource, &api.clock),
    };
    let limited = decision.permit.as_ref().filter(|permit| permit.verdict == Permit::Limited);
    if let Some(rate) = limited.and_then(|permit| permit.rate) {
        let spent = api.engine.picture.borrow().state.enforcement.spent.get(&resource).copied();
        decision.spent_until = budget::take(spent, rate, resource.period(), api.clock.now()).err();
    }
    decision
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
        Some(Run::SpentUntil(next)) if decision.allowed => {
            decision.refuse(format!(
                "what the vendor allows after the grace is spent until {next}: the next run may be made from then on"
            ));
            decision.spent_until = Some(next);
        }
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

async fn refresh(api: &Api) -> Result<Value, Fault> {
    let gone = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    let looked = ask(&api.refresh, |reply| reply).await.ok_or_else(gone)?;
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
    let gone = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    match ask(&api.reload, |reply| reply).await.ok_or_else(gone)? {
        Ok(reloaded) => Ok(json!(reloaded)),
        Err(refused) => {
            Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, refused.code(), refused.to_string()))
        }
    }
}

async fn run_updates(api: &Api) -> Result<Value, Fault> {
    let gone = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is stopping");
    match ask(&api.run_now, |reply| reply).await.ok_or_else(gone)? {
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
    let bad = |code: &str, message: String| Fault::new(StatusCode::BAD_REQUEST, code, message);
    let mut until = None;
    for pair in pairs(query) {
        match (pair.0.as_str(), pair.1) {
            ("until", Some(text)) if until.is_none() => {
                let instant = read_instant(&text);
                until = Some(instant.map_err(|error| bad("bad_instant", format!("until: {error}")))?);
            }
            _ => return Err(bad("bad_request", "the query takes until=INSTANT alone".to_owned())),
        }
    }
    Ok(until)
}

async fn events(api: &Api, query: &str) -> Result<Value, Fault> {
    Ok(json!({"events": api.store.events(listing(query)?).await?}))
}

pub(crate) fn listing(query: &str) -> Result<Listing, Fault> {
    let mut listing = Listing { most: 50, ..Listing::default() };
    for (name, value) in pairs(query) {
        let wrong = || {
            let message = "the query takes before=NUMBER, after=NUMBER, limit=1 to 1000, severity=1 to 4, waiting=true and quarantined=true";
            Fault::new(StatusCode::BAD_REQUEST, "bad_request", message)
        };
        let value = value.ok_or_else(wrong)?;
        match (name.as_str(), value) {
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
    let found = api.store.event(&id.to_lowercase()).await?;
    found.map(|event| json!(event)).ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "unknown_event", gone))
}

/// Sends quarantined events again: that of one id, or all.
async fn retry(api: &Api, Retry { id }: Retry) -> Result<Value, Fault> {
    let id = id.map(|id| id.to_lowercase());
    let one = id.is_some();
    let again = api.store.requeue(id).await?;
    if one && again == 0 {
        let none = "no event of this id is in quarantine; `svm-agent events list --quarantined` shows those that are";
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_quarantined", none));
    }
    api.engine.look_into_outbox();
    Ok(json!({"again": again}))
}
