//! Permits: whether a resource may be used, and spending a run.

use super::api::Api;
use super::fault::Fault;
use super::request::{Answer, Call, read};
use crate::config::service_name;
use crate::engine::{Command, Run};
use crate::health::PermitQuery;
use crate::permits::budget;
use crate::permits::permit_file;
use crate::permits::permit_file::Decision;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use svm_core::subscription::{Permit, Resource};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Take {
    unit: Option<String>,
}

fn resource(name: &str) -> Result<Resource, Fault> {
    Resource::ALL.into_iter().find(|r| r.file_name() == name).ok_or_else(|| {
        Fault::new(
            StatusCode::NOT_FOUND,
            "unknown_resource",
            "unknown resource; there are database-updates and ksn",
        )
    })
}

/// The permit as it was last written; the caller need not be able to read the file.
fn decision(api: &Api, resource: Resource) -> Decision {
    let permits = api.status.context.engine.permits.borrow();
    let mut decision = match permits.iter().find(|permit| permit.resource == resource) {
        Some(permit) => permit.clone().decide_now(&api.status.context.clock),
        None => permit_file::decision(
            &permit_file::folder(&api.settings.runtime_dir),
            resource,
            &api.status.context.clock,
        ),
    };
    let limited = decision.permit.as_ref().filter(|permit| permit.verdict == Permit::Limited);
    if let Some(rate) = limited.and_then(|permit| permit.rate) {
        let spent =
            api.status.context.engine.snapshot.borrow().state.enforcement.spent.get(&resource).copied();
        decision.spent_until =
            budget::take(spent, rate, resource.period(), api.status.context.clock.now()).err();
    }
    decision
}

fn note_asked(api: &Api, resource: Resource, by: &str, decision: &Decision) {
    let asked =
        PermitQuery { at: api.status.context.clock.now(), by: by.to_owned(), allowed: decision.allowed };
    api.status.context.health.enforcement().entry(resource).or_default().asked = Some(asked);
}

pub(super) async fn show(call: Call<'_>) -> Result<Answer, Fault> {
    Ok(json!(decision(call.api, resource(&call.part)?)).into())
}

/// One run of a permit: kept as spent before it is granted.
pub(super) async fn take(call: Call<'_>) -> Result<Answer, Fault> {
    let Call { api, peer, part, body, .. } = call;
    let resource = resource(&part)?;
    let Take { unit } = read(body).await?;
    if let Some(unit) = &unit {
        service_name(unit).map_err(|e| {
            Fault::new(
                StatusCode::BAD_REQUEST,
                "bad_request",
                format!("the unit {e}, not `{}`", unit.escape_debug()),
            )
        })?;
    }
    let turn = api.status.context.engine.command(Command::Take(resource, unit.clone())).await?;
    let mut decision = decision(api, resource);
    match turn.run {
        Some(Run::Granted) => {}
        Some(Run::SpentUntil(next)) if decision.allowed => {
            decision.refuse(format!(
                "the rate that the provider allows after the grace period is spent until {next}"
            ));
            decision.spent_until = Some(next);
        }
        _ if decision.allowed => decision.refuse("stopped".to_owned()),
        _ => {}
    }
    note_asked(api, resource, unit.as_deref().unwrap_or(&peer.name), &decision);
    if let (Some(Run::Granted), false, Some(unit)) = (turn.run, decision.allowed, unit) {
        // Over by a clock that the engine does not go by.
        api.status.context.engine.command(Command::StartsPending(vec![unit])).await?;
    }
    Ok(json!(decision).into())
}
