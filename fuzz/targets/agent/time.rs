//! Trusted time under any readings of any clocks.

use super::bytes::Bytes;
use jiff::SignedDuration;
use svm_core::clock::trust::{Reading, SLACK, TrustedTime};

pub(super) fn time(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    // Settings bound it.
    let dwell = SignedDuration::from_secs(bytes.signed().rem_euclid(31 * 86_400));
    let reading = |bytes: &mut Bytes<'_>| Reading {
        wall: bytes.instant(),
        boot: bytes.span().max(SignedDuration::ZERO),
    };
    let mut last = reading(&mut bytes);
    let mut time = TrustedTime::new("a", last, dwell);
    for _ in 0..200 {
        if bytes.is_empty() {
            break;
        }
        if bytes.flag() {
            // As clocks usually go.
            let passed = SignedDuration::from_secs(i64::from(bytes.byte()) * 600);
            last.boot = last.boot.saturating_add(passed);
            last.wall = last.wall.checked_add(passed).unwrap_or(last.wall);
        } else {
            last = reading(&mut bytes);
        }
        match bytes.byte() % 8 {
            0 => {
                let signed = bytes.instant();
                time.at_least(signed, last, dwell);
                assert!(time.floor().is_none_or(|floor| floor >= signed));
            }
            1 => drop(time.confirm(bytes.instant(), bytes.flag(), last, dwell)),
            2 => time.reset(last, dwell),
            3 => {
                let note = serde_json::to_string(&time).unwrap();
                let stored: TrustedTime = serde_json::from_str(&note).unwrap();
                assert_eq!(stored, time);
                time = stored.resumed(bytes.one_of(&["a", "b", ""]), last);
            }
            _ => {}
        }
        let now = time.observe(last, dwell);
        assert!(time.floor().is_none_or(|floor| now >= floor), "{now} is before {:?}", time.floor());
        let again = time.clone().observe(last, dwell);
        assert!(again >= now || again >= last.wall, "time goes back by itself");
        time.proven_for(last);
        assert!(time.dwell_left(last, dwell).is_none_or(|left| left >= SignedDuration::ZERO));
        assert!(SLACK > SignedDuration::ZERO);
    }
}
