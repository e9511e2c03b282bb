//! What the agent is asked to do at once.

use super::fault::{Fault, carried_out};
use super::request::{Answer, Call, read};
use crate::engine::Command;
use crate::source::poller::PollOutcome;
use crate::update_request::RunAnswer;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use svm_core::ask::ask;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Devices {
    count: Option<u64>,
}

pub(super) async fn devices(call: Call<'_>) -> Result<Answer, Fault> {
    let Devices { count } = read(call.body).await?;
    Ok(carried_out(call.api.status.context.engine.command(Command::Devices(count)).await?)?.into())
}

pub(super) async fn report(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(carried_out(call.api.requests.reporter.report().await?)?.into())
}

/// Has every permit carried out anew.
pub(super) async fn check_enforcement(call: Call<'_>) -> Result<Answer, Fault> {
    call.api.requests.check_enforcement.send_modify(|n| *n += 1);
    Ok(json!({"looking": true}).into())
}

pub(super) async fn refresh(call: Call<'_>) -> Result<Answer, Fault> {
    let outcome = ask(&call.api.requests.refresh, |reply| reply).await.ok_or_else(Fault::stopping)?;
    match outcome {
        PollOutcome::Failed { code, message } => Err(Fault::new(StatusCode::BAD_GATEWAY, code, message)),
        PollOutcome::Refused { code, message } => Err(Fault::new(StatusCode::CONFLICT, &code, message)),
        PollOutcome::Taken | PollOutcome::NotChanged => Ok(json!(outcome).into()),
    }
}

/// A user who may set the clock may also declare it right.
pub(super) async fn reset_clock(call: Call<'_>) -> Result<Answer, Fault> {
    match call.peer.user {
        Some(0) => {
            carried_out(call.api.status.context.engine.command(Command::ResetClock).await?)?;
            Ok(json!(call.api.status.context.clock.status()).into())
        }
        _ => Err(Fault::new(
            StatusCode::FORBIDDEN,
            "root_only",
            "only root may reset the trusted time; run: sudo svm-agent clock reset",
        )),
    }
}

/// Reads the settings again; what is answered has come into force.
pub(super) async fn reload(call: Call<'_>) -> Result<Answer, Fault> {
    match ask(&call.api.requests.reload, |reply| reply).await.ok_or_else(Fault::stopping)? {
        Ok(reloaded) => Ok(json!(reloaded).into()),
        Err(refused) => {
            Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, refused.code(), refused.to_string()))
        }
    }
}

pub(super) async fn run_updates(call: Call<'_>) -> Result<Answer, Fault> {
    match ask(&call.api.requests.run_now, |reply| reply).await.ok_or_else(Fault::stopping)? {
        RunAnswer::Refused { code, message } => Err(Fault::new(StatusCode::CONFLICT, &code, message)),
        asked => Ok(json!(asked).into()),
    }
}
