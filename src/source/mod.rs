//! The source: when to look for a new revision of the active key's document, and what to do with what is found.

pub mod poller;
pub mod schedule;
