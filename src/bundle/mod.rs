//! The support bundle: what support needs to know about this SVM, as one archive without secrets.
//!
//! Promises: nothing on the SVM changes; it works with the agent running or not, as root or not, with wrong settings; what
//! is missing is named in the archive. Each text passes `redact`, the only way into the archive. No question waits longer
//! than its own limit.

mod archive;
mod machine;
mod parts;
mod redact;

pub use archive::{ArchiveError, write};
pub use parts::{Bundle, LeftOut, Part, collect};
