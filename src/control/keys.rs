//! Adding keys: by a code, whose document the vendor is asked for, or by the document itself.

use super::api::Api;
use super::fault::{Fault, carried_out};
use super::request::{Answer, Call, read};
use crate::activation::{ActivationRequest, Failure, Keep, ask_vendor, order};
use crate::engine::{Command, Offered};
use crate::fetch::{SourceError, verify_now};
use hyper::StatusCode;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use svm_core::ask::ask;
use svm_core::documents::{ActivationCode, Expect, Sub};
use svm_core::subscription::{Cause, Held, KeyKind, KeyTimeline, Role, State};
use svm_core::words::{
    Language, causes::because, refusals::Remark, remedies::provider, times::day_or_instant,
};

/// A code or a document that is to become a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddKey {
    code: Option<SecretString>,
    document: Option<String>,
    #[serde(default)]
    reserve: bool,
    /// Wait for the document also where the vendor has none.
    #[serde(default)]
    until_published: bool,
}

/// Adds a key, or says that its activation is pending.
pub(super) async fn add(call: Call<'_>) -> Result<Answer, Fault> {
    let api = call.api;
    let asked: AddKey = read(call.body).await?;
    let role = if asked.reserve { Role::Reserve } else { Role::Active };
    match (asked.code, asked.document) {
        (Some(code), None) => {
            let code = ActivationCode::parse(code.expose_secret())
                .map_err(|e| Fault::new(StatusCode::BAD_REQUEST, "bad_code", e.to_string()))?;
            let sub = code.sub();
            match ask_vendor(
                &api.settings.documents,
                &api.status.context.clock,
                &api.status.context.health,
                &sub,
            )
            .await
            {
                Ok(offered) => take(api, role, offered, Some(sub)).await,
                Err(error) => unanswered(api, role, sub, asked.until_published, &error).await,
            }
        }
        (None, Some(document)) if !asked.until_published => {
            let expect = Expect { sub: None, issuer: None };
            let offered = verify_now(&document, &api.settings.documents.trust_dir, expect, &mut Vec::new());
            take(api, role, offered, None).await
        }
        (None, Some(_)) => {
            let message = "`until_published` is for a `code`: a document is there already";
            Err(Fault::new(StatusCode::BAD_REQUEST, "bad_request", message))
        }
        _ => Err(Fault::new(StatusCode::BAD_REQUEST, "bad_request", "give either `code` or `document`")),
    }
}

/// Hands what was offered to the engine; `sub` is what it was asked by.
async fn take(api: &Api, role: Role, offered: Offered, sub: Option<Sub>) -> Result<Answer, Fault> {
    let document = offered.as_ref().ok();
    let kind = document.map(|d| d.statement.kind());
    let key = document.map(|d| d.statement.key.clone());
    let sub = document.map(|d| d.sub.clone()).or(sub);
    let turn = api.status.context.engine.command(order(role, offered)).await?;
    if let Some(sub) = sub {
        let added = turn.refusal().is_none();
        api.requests
            .activations
            .send(ActivationRequest::Came { role, sub, added })
            .await
            .map_err(|_| Fault::stopping())?;
    }
    let at = turn.at;
    let mut done = carried_out(turn).map_err(|mut fault| {
        if fault.code == "active_key_still_valid" && kind == Some(KeyKind::Commercial) {
            fault.message.push_str("; or add it as the reserve key: --reserve");
        }
        fault
    })?;
    let state = api.status.context.engine.snapshot.borrow().state.clone();
    let held = key.as_ref().and_then(|key| state.held(key)).map(|(_, held)| held);
    if let (Some(held), Some(done)) = (held, done.as_object_mut()) {
        done.insert("remark".to_owned(), json!(remark(&state, held, at)));
    }
    Ok(done.into())
}

/// What the administrator should know of a key that was taken and is of no use, or will be of none.
fn remark(state: &State, held: &Held, now: Timestamp) -> Option<String> {
    let statement = &held.statement;
    let first = state.first_active(statement);
    let timeline = KeyTimeline::of(&statement.terms, first.unwrap_or(held.role_since));
    let lapse = timeline.lapses_at.filter(|(at, _)| *at <= now);
    let (text, at, because) = match (timeline.withdrawn_at, lapse) {
        (Some((at, cause)), _) => {
            let text = match (cause, at <= now) {
                (Cause::Blocked, true) => Remark::Blocked,
                (Cause::Blocked, false) => Remark::WillBeBlocked,
                (_, true) => Remark::Cancelled,
                (_, false) => Remark::WillBeCancelled,
            };
            (text, at, "")
        }
        (None, Some((at, cause))) => {
            let lapse_cause = timeline.lapse_cause(Some(cause));
            let text = match (lapse_cause, cause) {
                (Some(Cause::Paused), _) => Remark::Paused,
                (Some(Cause::Unpaid), _) => Remark::Unpaid,
                (_, Cause::Expired) => Remark::Expired,
                _ => Remark::Ended,
            };
            (text, at, because(cause, lapse_cause).get(Language::English))
        }
        (None, None) => return None,
    };
    let when = day_or_instant(at, Language::English);
    let provider = provider(statement.vendor.as_ref(), Language::English);
    Some(text.fill(
        Language::English,
        &[("key", statement.key.as_str()), ("when", &when), ("because", because), ("provider", &provider)],
    ))
}

/// The provider gave no document: stored as pending, unless the answer is final and its caller is still there.
async fn unanswered(
    api: &Api,
    role: Role,
    sub: Sub,
    until_published: bool,
    error: &SourceError,
) -> Result<Answer, Fault> {
    let mut failure = Failure::of(error, &api.settings.documents.source);
    let status = match error {
        SourceError::NotFound if !until_published => Some(StatusCode::NOT_FOUND),
        SourceError::Withdrawn => Some(StatusCode::GONE),
        SourceError::NotConfigured => Some(StatusCode::BAD_GATEWAY),
        _ => None,
    };
    if let Some(status) = status {
        if status == StatusCode::NOT_FOUND {
            failure.message.push_str("; to have it waited for: svm-agent activate CODE --until-published");
        }
        return Err(Fault::new(status, failure.code, failure.message));
    }
    let keep = Box::new(Keep { sub, role, failure });
    let kept = ask(&api.requests.activations, |reply| ActivationRequest::Keep(keep, reply)).await;
    let (pending, replaces) = kept.ok_or_else(Fault::stopping)??;
    Ok(Answer::Accepted(json!({"pending": pending, "replaces": replaces})))
}

pub(super) async fn remove(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(carried_out(call.api.status.context.engine.command(Command::RemoveKey(call.part)).await?)?.into())
}

/// Drops the pending activations of a role; of both without one.
pub(super) async fn cancel(call: Call<'_>, role: Option<Role>) -> Result<Answer, Fault> {
    let cancelled = ask(&call.api.requests.activations, |reply| ActivationRequest::Cancel(role, reply)).await;
    let cancelled = cancelled.ok_or_else(Fault::stopping)??;
    if cancelled.is_empty() {
        let none = "no such activation is pending; svm-agent status shows the pending ones";
        return Err(Fault::new(StatusCode::NOT_FOUND, "not_pending", none));
    }
    Ok(json!({"cancelled": cancelled}).into())
}
