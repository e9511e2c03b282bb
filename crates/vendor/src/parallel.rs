//! The same work for many things, on all cores: a hundred thousand documents are verified in seconds.

use std::{num::NonZero, thread};

/// Fewer than this are done on the spot: a thread costs more.
const MAX_SERIAL: usize = 32;

/// What `work` makes of each, in their order.
pub(super) fn par_map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    if items.len() < MAX_SERIAL || cores == 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    let share = items.len().div_ceil(cores);
    thread::scope(|scope| {
        let workers: Vec<_> = items
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let done = |worker: thread::ScopedJoinHandle<'_, Vec<R>>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(done).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_however_many_there_are() {
        for count in [0, 1, MAX_SERIAL - 1, MAX_SERIAL, 1001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(par_map(&items, |item| item + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
