//! What follows a permit on its own and can be asked whether it does: the KSN gateway.

use svm_core::subscription::Permit;
use tokio::sync::watch;

/// A part that carries out a permit without being told to.
pub trait PermitFollower: Send + Sync {
    /// What it carries out; it changes only after everything else was closed.
    fn in_force(&self) -> watch::Receiver<Permit>;

    /// Why it does not work at present, as a sentence.
    fn problem(&self) -> Option<String>;
}
