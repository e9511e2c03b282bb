//! Permits: what a resource may do and until when, in a file that anybody can read without the agent; the budget of a
//! reduced rate; and the units that were refused and wait.

pub mod budget;
pub mod follower;
pub mod permit_file;
pub mod permit_text;
pub mod start_notes;
