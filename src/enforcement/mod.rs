//! Enforcement: carries each permit out.
//!
//! `keeper` stops what runs and starts what waited when a permit changes; `actions` set what else follows from it. The
//! units are those of `src/gates`. Every start and stop goes through `gates::protection`, which refuses what would stop
//! the protection. The agent executes no foreign command: all that it governs is a systemd unit (`src/systemd`). The KSN
//! gateway and the schedule of updates hold themselves to their permits (`src/gateway`, `src/updates`).
//! `docs/reference/enforcement.md` describes all of it.

pub mod actions;
pub mod keeper;
