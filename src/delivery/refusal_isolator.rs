//! Finding the events that a receiver refuses for what is in them (400, 413, 415, 422), without losing their order.
//!
//! A refused batch is halved until one event is refused alone. Then the ones after it are tried: the first that is
//! taken proves that the receiver takes events, and condemns those that were refused before it. Where none of many
//! is taken, the last one that it took before is sent once more; where it refuses even that, nothing is condemned: a
//! receiver that refuses everything is not given everything to refuse.

use crate::storage::Outgoing;
use serde::Deserialize;
use svm_core::failure_code::FailureCode;

/// After so many events in a row that are refused alone, none that waits is tried any more.
const MAX_SUSPECTS: usize = 32;

/// An event that was refused alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) sequence: u64,
    pub(super) id: String,
    /// Without the `svm.` of the wire.
    pub(super) type_name: String,
    /// Such as `http_400`.
    pub(super) code: FailureCode,
    /// What the receiver said.
    pub(super) answer: String,
}

/// How much is sent at once, and who is under suspicion.
#[derive(Clone, Debug)]
pub(super) struct RefusalIsolator {
    full: usize,
    /// By what the receiver lets through.
    most: usize,
    limit: usize,
    suspects: Vec<Suspect>,
}

impl RefusalIsolator {
    /// Nothing is under suspicion; batches have `most` events at most.
    pub(super) fn new(most: usize) -> Self {
        Self { full: most, most, limit: most, suspects: Vec::new() }
    }

    /// So many events may be sent at once.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether all is as usual.
    pub(super) fn is_idle(&self) -> bool {
        self.limit == self.most && self.suspects.is_empty()
    }

    /// Events up to this number were refused alone; 0 where none was.
    pub(super) fn after(&self) -> u64 {
        self.suspects.last().map_or(0, |suspect| suspect.sequence)
    }

    /// Those that were refused alone, in order.
    pub(super) fn suspects(&self) -> &[Suspect] {
        &self.suspects
    }

    /// A batch was refused. Answers whether to go on trying at once.
    pub(super) fn refused(&mut self, sent: &[Outgoing], code: FailureCode, answer: &str) -> bool {
        if let [event] = sent {
            self.limit = 1;
            // It was this event that is too large, and not the batch that it was in.
            self.most = self.full;
            self.suspects.push(Suspect {
                sequence: event.sequence,
                id: event.id.clone(),
                type_name: type_of(&event.body),
                code,
                answer: answer.to_owned(),
            });
            return self.suspects.len() < MAX_SUSPECTS;
        }
        self.limit = (sent.len() / 2).max(1);
        if code == FailureCode::Http(413) {
            // It is the size of the batch: the next one need not be refused to know that.
            self.most = self.limit;
        }
        true
    }

    /// Something was taken: what was refused before it is condemned, and batches may grow again.
    pub(super) fn taken(&mut self) {
        self.suspects.clear();
        self.limit = self.limit.saturating_mul(2).min(self.most);
    }

    /// Everything is tried anew, one event first.
    pub(super) fn start_over(&mut self) {
        if !self.suspects.is_empty() {
            self.suspects.clear();
            self.limit = 1;
        }
    }
}

fn type_of(body: &str) -> String {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    let typed: Option<Typed> = serde_json::from_str(body).ok();
    typed.map(|t| t.r#type.trim_start_matches("svm.").to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(sequence: u64) -> Outgoing {
        Outgoing {
            sequence,
            skipped_from: None,
            id: format!("id{sequence}"),
            body: r#"{"type":"svm.key.added"}"#.to_owned(),
        }
    }

    /// Sends `count` events to a receiver that refuses some: what it took, what was condemned, how many requests.
    fn play(count: u64, most: usize, refuses: impl Fn(u64) -> bool) -> (Vec<u64>, Vec<u64>, usize) {
        let (mut isolator, mut stored, mut taken, mut condemned) =
            (RefusalIsolator::new(most), 0, Vec::new(), Vec::new());
        for requests in 0.. {
            let from = stored.max(isolator.after()) + 1;
            let batch: Vec<Outgoing> = (from..=count).take(isolator.limit()).map(event).collect();
            if batch.is_empty() {
                return (taken, condemned, requests);
            }
            if batch.iter().any(|e| refuses(e.sequence)) {
                if !isolator.refused(&batch, FailureCode::Http(400), "no") {
                    return (taken, condemned, requests + 1);
                }
                continue;
            }
            condemned.extend(isolator.suspects().iter().map(|s| s.sequence));
            isolator.taken();
            taken.extend(batch.iter().map(|e| e.sequence));
            stored = *taken.last().unwrap();
        }
        unreachable!()
    }

    #[test]
    fn one_bad_event_is_found_and_the_rest_goes_through_in_order() {
        let (taken, condemned, requests) = play(1000, 500, |n| n == 377);
        assert_eq!(condemned, [377]);
        assert_eq!(taken, (1..=1000).filter(|n| *n != 377).collect::<Vec<_>>());
        assert!(requests < 40, "{requests}");
    }

    #[test]
    fn a_receiver_that_refuses_everything_condemns_nothing() {
        let (taken, condemned, requests) = play(1000, 500, |_| true);
        assert!(taken.is_empty() && condemned.is_empty());
        assert!(requests <= MAX_SUSPECTS + 10, "{requests}");
    }

    #[test]
    fn the_last_event_is_not_condemned_for_want_of_another() {
        let (taken, condemned, _) = play(10, 500, |n| n == 10);
        assert_eq!((taken.len(), condemned.len()), (9, 0));
        assert_eq!(play(11, 500, |n| n == 10).1, [10]);
    }

    #[test]
    fn batches_that_are_too_large_stay_small_unless_it_was_one_event() {
        let mut isolator = RefusalIsolator::new(8);
        let batch: Vec<Outgoing> = (1..=8).map(event).collect();
        assert!(isolator.refused(&batch, FailureCode::Http(413), "no"));
        isolator.taken();
        assert_eq!((isolator.limit(), isolator.is_idle()), (4, true));
        for size in [4, 2, 1] {
            assert!(isolator.refused(&batch[..size], FailureCode::Http(413), "no"));
        }
        for limit in [2, 4, 8] {
            isolator.taken();
            assert_eq!(isolator.limit(), limit);
        }
    }

    #[test]
    fn a_suspect_is_named_by_its_type() {
        let mut isolator = RefusalIsolator::new(1);
        assert!(isolator.refused(&[event(3)], FailureCode::Http(422), "no"));
        assert_eq!((isolator.suspects()[0].type_name.as_str(), isolator.after()), ("key.added", 3));
        isolator.start_over();
        assert_eq!(isolator.after(), 0);
    }

    proptest! {
        /// Whatever is refused, what is taken keeps its order, and only what is refused is condemned.
        #[test]
        fn only_the_bad_are_condemned(bad in proptest::collection::btree_set(1_u64..200, 0..40), most in 1_usize..64) {
            let (taken, condemned, _) = play(200, most, |n| bad.contains(&n));
            prop_assert!(taken.is_sorted() && condemned.iter().all(|n| bad.contains(n)));
            let through = taken.last().copied().unwrap_or(0);
            let expected: Vec<u64> = (1..=through).filter(|n| !bad.contains(n)).collect();
            prop_assert_eq!(taken, expected);
            let expected: Vec<u64> = bad.iter().copied().filter(|n| *n < through).collect();
            prop_assert_eq!(condemned, expected);
        }
    }
}
