//! Bounds that a writer and a reader share: what one side writes within them, the other side takes.

/// The highest number of an event at a destination: 2^53 − 1, the last integer that every JSON reader holds exactly
/// (RFC 8259, section 6). Higher ones are invalid wherever they come from.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;
