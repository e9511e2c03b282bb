//! Enforcement: what the agent governs, and how it is held to the permits.

pub mod budget;
pub mod gateway;
pub mod permit_file;
