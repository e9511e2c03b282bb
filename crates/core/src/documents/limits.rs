//! Bounds of a document.

/// The most that a document may have, in bytes; a real one has 500 to 2,000.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// How deep objects and lists may be nested, in header and claims; a real document has 4.
pub const MAX_DEPTH: usize = 16;
