//! How much is sent at once.

/// Events in one batch at most.
pub(super) const BATCH: usize = 1000;

/// About so many bytes of events are sent at once.
pub(super) const BATCH_BYTES: usize = 512 * 1024;
