//! Enforcement: what the agent governs, and how it is held to the permits.
//!
//! A permit file says what a resource may do and until when; whoever asks it needs no agent. `gates` are units that ask
//! it at each start, `keeper` stops what runs and starts what waited when a permit changes, `actions` set what else
//! follows from it, `updates` runs database updates on a schedule, `gateway` relays KSN. Nothing here stops protection: every
//! start and stop goes through `protection`, which sees what else would stop.
//! The agent executes no foreign command: everything it governs is a systemd unit (`systemctl`).
//! `docs/guide/enforcement.md` describes all of it.

pub mod actions;
pub mod budget;
pub mod gate_check;
pub mod gate_files;
pub mod gate_install;
pub mod gate_rules;
pub mod gates;
pub mod gateway;
pub mod keeper;
pub mod listening;
pub mod owed;
pub mod permit_file;
pub mod permit_text;
pub mod protection;
pub mod systemctl;
pub mod updates;
