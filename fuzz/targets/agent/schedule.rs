//! Cron lines, zones, and the slots that follow.

use super::bytes::{Bytes, text};
use crate::config::Missed;
use crate::config::cron_line::CronLine;
use crate::config::schedule::Schedule;
use crate::updates::driver::ScheduleTracker;

/// Two instants, a zone, and lines.
pub(super) fn schedule(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (at, later) = (bytes.instant(), bytes.instant());
    let zone = match bytes.byte() {
        0..100 => "Europe/Berlin".to_owned(),
        100..150 => "Africa/Casablanca".to_owned(),
        150..200 => "Australia/Lord_Howe".to_owned(),
        200..220 => "UTC".to_owned(),
        _ => bytes.text(),
    };
    let rest = text(bytes.rest()).into_owned();
    for line in rest.lines() {
        match CronLine::parse(line) {
            Ok(line) => {
                let civil = at.as_second();
                assert!(line.next(civil, false).is_none_or(|next| next > civil));
                assert!(line.next(civil, true).is_none_or(|next| next >= civil));
                line.next(i64::MAX, true);
                line.next(i64::MIN, false);
            }
            Err(error) => assert!(error.to_string().len() < 2 * line.len() + 1000),
        }
    }
    let lines: Vec<String> = rest.lines().map(str::to_owned).collect();
    let Ok(schedule) = Schedule::parse(&lines, &zone) else { return };
    let next = schedule.next_after(at);
    assert!(next.is_none_or(|next| next > at), "{next:?} is not after {at}");
    if let Some(next) = next {
        assert_eq!(schedule.last_at_or_before(next, at), Some(next));
    }
    let mut tracker = ScheduleTracker::new(schedule, Missed::RunOnce, None, at.min(later));
    if let Some((due, _)) = tracker.poll(at.max(later)) {
        assert!(due.slot <= at.max(later));
    }
}
