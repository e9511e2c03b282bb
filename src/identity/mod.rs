//! Identity: what an SVM's id is bound to, and when a machine takes a new one.
//!
//! Promises: two machines that can be told apart do not share an id for longer than until the next start; what cannot
//! be read, or says nothing, never counts as a difference; no machine-id or product UUID is kept or told, only digests
//! of them. Must not know: the database, networks. `docs/reference/identity.md` has the table.

mod binding;
mod handover;
mod machine;

pub use binding::{Binding, Bond, Changed, Mark, Why};
pub use handover::{HandOverError, hand_over};

use crate::config::IdentitySettings;
use std::path::Path;

/// The machine's name now. It may change at any time: cloud-init and DHCP set it after the agent's start.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What can be seen of this machine now: what root handed over at this service's start, else what can be read.
pub fn of_this_machine(settings: &IdentitySettings, runtime_dir: &Path) -> Binding {
    let handed = handover::taken(runtime_dir).unwrap_or_default();
    let seen = machine::read_machine_identity(settings);
    // The machine-id is everyone's to read, and what it is now counts; the product UUID is root's alone.
    Binding {
        machine_id: seen.machine_id.or(handed.machine_id),
        product_uuid: handed.product_uuid.or(seen.product_uuid),
    }
}
