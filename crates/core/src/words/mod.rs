//! The catalogue of sentences: what people read about phases, causes, reasons, permits, remedies and refusals, in English
//! and in Russian.
//!
//! Promises: a sentence about one of these stands here and nowhere else; each text has both languages, or it does not
//! compile; no sentence contains an identifier of the wire. Must not know: files, networks, terminals, settings.

#[macro_use]
mod text;

pub mod causes;
pub mod events;
pub mod labels;
mod language;
pub mod notices;
pub mod numbers;
pub mod permits;
pub mod phases;
pub mod reasons;
pub mod refusals;
pub mod remedies;
pub mod renewal;
pub mod times;
pub mod vendor_states;

#[cfg(test)]
mod tests;

pub use language::Language;
pub use numbers::{Noun, count};
pub use text::Text;
