//! What a damaged database may hold: each note, read, and used as after a restart.

use super::bytes::Bytes;
use super::life::holds;
use super::reading::read;
use crate::activation::pending::Waiting;
use crate::certificates;
use crate::config::Missed;
use crate::config::schedule::Schedule;
use crate::delivery::{Retry, left};
use crate::engine::reverts;
use crate::source::poller;
use crate::source::schedule::Facts;
use crate::spread::next_on_grid;
use crate::storage::recovery::Contents;
use crate::updates::driver::ScheduleTracker;
use crate::updates::{Memory, age};
use jiff::SignedDuration;
use svm_core::clock::trust::{Reading, TrustedTime};
use svm_core::subscription::{Input, Settings, State, step};

pub(super) fn notes(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (kind, now) = (bytes.byte() % 8, bytes.instant());
    let text = bytes.rest();
    match kind {
        0 => {
            let Some(state) = read::<State>(text) else { return };
            let settings = Settings::new("6.1".parse().unwrap());
            Facts::of(&state, now, 0.3);
            let (state, _) = step(state, &settings, now, Input::Tick);
            if state.active.as_ref().map(|a| &a.statement.key)
                != state.reserve.as_ref().map(|r| &r.statement.key)
            {
                holds(&state, &settings, now);
            }
        }
        1 => {
            let Some(time) = read::<TrustedTime>(text) else { return };
            let reading = Reading { wall: now, boot: SignedDuration::from_hours(30) };
            for boot_id in ["a", ""] {
                let mut time = time.clone().resumed(boot_id, reading);
                let floor = time.floor();
                let reported = time.observe(reading, SignedDuration::from_hours(24));
                assert!(floor.is_none_or(|floor| reported >= floor));
                time.at_least(now, reading, SignedDuration::from_hours(24));
                time.confirm(now, true, reading, SignedDuration::from_hours(24));
                time.proven_for(reading);
                time.dwell_left(reading, SignedDuration::from_hours(24));
            }
        }
        2 => {
            let Some(mut waiting) = read::<Waiting>(text) else { return };
            if let Some(pending) = waiting.active.as_mut().or(waiting.reserve.as_mut()) {
                assert!(pending.due(now) <= now.max(pending.next_try_at));
                let failure = pending.failure.clone();
                pending.failed(now, failure, std::time::Duration::MAX);
                pending.is_hopeless(now);
            }
            waiting.shown();
        }
        3 => {
            let Some(memory) = read::<Memory>(text) else { return };
            let schedule = Schedule::parse(&["*/15 * * * *".to_owned()], "UTC").unwrap();
            ScheduleTracker::new(schedule, Missed::RunOnce, memory.followed, now).poll(now);
            let limits = age::Limits { warning: u32::MAX, critical: 7 };
            limits.judge(memory.last_succeeded_at, now);
            limits.next_turn(memory.last_succeeded_at, now);
            memory.last_succeeded_at.map(|of| age::days(of, now));
        }
        4 => {
            let Some(retry) = read::<Retry>(text) else { return };
            retry.until.map(|until| left(now, until));
        }
        5 => {
            if let Some(mut reported) = read::<certificates::ReportedMarks>(text) {
                reported.is_due("a", now, now);
            }
            if let Some(reverts) = read::<reverts::Reverts>(text) {
                reverts.with("a", now);
            }
        }
        6 => drop(read::<poller::Memory>(text)),
        _ => drop(read::<Contents>(text)),
    }
    next_on_grid(now, SignedDuration::from_hours(6), 0.9);
}
