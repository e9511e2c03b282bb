//! Bounds that a writer and a reader share: what one side writes within them, the other side takes.

/// The highest number of an event at a destination: 2^53 − 1, the last integer that every JSON reader holds exactly
/// (RFC 8259, section 6). Higher ones are invalid wherever they come from.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// By so much a receiver may be ahead of this SVM's numbers. It is ahead where the machine was reverted to an earlier
/// state: two years of an event a minute. What claims more is no receiver of this SVM's events.
pub const MAX_SEQUENCE_JUMP: u64 = 1_000_000;

/// The largest recovery file. A state with its documents has some 100 kB.
pub const MAX_RECOVERY_BYTES: u64 = 16 * 1024 * 1024;
