//! Enforcement: what the agent governs, and how it is held to the permits.
//!
//! A permit file says what a resource may do and until when; whoever asks it needs no agent. `gates` are units that ask
//! it at each start, `keeper` stops what runs and starts what waited when a permit changes, `actions` set what else
//! follows from it, `updates` runs database updates on a schedule, `gateway` relays KSN. Nothing here stops protection.
//! The agent executes no foreign command: everything it governs is a systemd unit (`systemctl`).
//! `docs/enforcement.md` describes all of it.

pub mod budget;
pub mod permit_file;
pub mod systemctl;
pub mod updates;
