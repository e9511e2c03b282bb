//! Gates: units that ask for their permit at each start. The files that make a gate, the rule that lets the agent start and
//! stop its unit, and units that are never governed.

pub mod check;
pub mod drop_ins;
pub mod install;
pub mod listening;
pub mod protection;
pub mod rules;
pub mod units;
