//! The rules evaluated at an instant: keys, settings and time in, the view out.

use crate::subscription::device::{DeviceStatus, LimitLevel, Reason};
use crate::subscription::instant::sub_days;
use crate::subscription::permit::{Permit, Resource};
use crate::subscription::phase::{Cause, Phase};
use crate::subscription::settings::Settings;
use crate::subscription::state::State;
use crate::subscription::terms::Terms;
use crate::subscription::timeline::KeyTimeline;
use crate::subscription::view::View;
use jiff::Timestamp;

impl View {
    /// What holds at `now`.
    pub fn of(state: &State, settings: &Settings, now: Timestamp) -> Self {
        use DeviceStatus::{Critical, Warning};
        let mut reasons: Vec<(Reason, DeviceStatus)> =
            state.conditions.iter().map(|(reason, status)| (*reason, *status)).collect();
        let mut because = |reason, status| reasons.push((reason, status));
        let (mut phase, mut cause, mut lapse_cause) = (Phase::NotActivated, None, None);
        let mut limit = LimitLevel::None;
        let mut permits = [Permit::Stopped; 2];
        if let (Some(held), Some(timeline)) = (&state.active, state.timeline()) {
            let key = &held.statement;
            (phase, cause) = timeline.phase_at(now);
            lapse_cause = timeline.lapse_cause(cause);
            permits = Resource::ALL.map(|resource| permit(&key.terms, resource, phase, cause, settings));
            limit = LimitLevel::of(state.protected_devices, key.devices);
            let over = timeline.expires_at().is_some_and(|end| end <= now);
            let expiring = phase == Phase::Active
                && expires_from(&timeline, key.auto_renew(), settings).is_some_and(|from| from <= now);
            for (holds, reason, status) in [
                (phase == Phase::Restricted, Reason::Restricted, Critical),
                (over, Reason::Expired, Critical),
                (limit == LimitLevel::Over110, Reason::DevicesOver110, Critical),
                (phase == Phase::Grace, Reason::Grace, Warning),
                (expiring, Reason::Expiring, Warning),
                (limit == LimitLevel::Over100, Reason::DevicesOver100, Warning),
                (
                    key.min_product_version.as_ref().is_some_and(|least| *least > settings.product_version),
                    Reason::ProductVersionTooOld,
                    Warning,
                ),
                (key.fresh_until.is_some_and(|until| until <= now), Reason::SourceStale, Warning),
            ] {
                if holds {
                    because(reason, status);
                }
            }
        } else {
            because(Reason::NotActivated, Critical);
        }
        reasons.sort_unstable();
        reasons.dedup_by(|a, b| a.0 == b.0);
        let [database_updates, ksn] = permits;
        Self {
            phase,
            cause,
            lapse_cause,
            key: state.active.as_ref().map(|held| held.statement.key.clone()),
            device_status: reasons.iter().map(|(_, status)| *status).max().unwrap_or(DeviceStatus::Ok),
            reasons: reasons.into_iter().map(|(reason, _)| reason).collect(),
            database_updates,
            ksn,
            limit,
        }
    }
}

/// From when a key in its term has the reason `expiring`. Only the end of a term is moved by a renewal that comes without
/// being asked for.
pub(super) fn expires_from(
    timeline: &KeyTimeline,
    auto_renew: bool,
    settings: &Settings,
) -> Option<Timestamp> {
    let end = timeline.known_end().filter(|end| !(auto_renew && end.why == Cause::Ended))?;
    settings.status_days_before(end.why).map(|days| sub_days(end.ends_at, days))
}

fn permit(
    terms: &Terms,
    resource: Resource,
    phase: Phase,
    cause: Option<Cause>,
    settings: &Settings,
) -> Permit {
    match (phase, cause, terms) {
        (Phase::Active | Phase::Grace, ..) => Permit::Full,
        (Phase::Restricted, Some(Cause::GraceOver | Cause::NotGranted), Terms::Subscription(s)) => {
            settings.tighten(resource, s.after_grace.of(resource)).permit()
        }
        _ => Permit::Stopped,
    }
}
