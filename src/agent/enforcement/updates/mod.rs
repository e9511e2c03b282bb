//! Database updates.

pub mod age;
pub mod driver;
pub mod line;
pub mod schedule;
