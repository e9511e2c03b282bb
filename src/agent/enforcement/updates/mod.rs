//! Database updates.

pub mod line;
pub mod schedule;
