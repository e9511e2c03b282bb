//! `[identity]`: where this machine's names are.

use crate::config::check::path;
use serde::Deserialize;
use std::path::PathBuf;

/// Where what names this machine is read; `None` is not looked at.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// The machine-id of `machine-id(5)`.
    pub machine_id_file: Option<PathBuf>,
    /// The product UUID of firmware or hypervisor, which only root may read.
    pub product_uuid_file: Option<PathBuf>,
}

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawIdentity {
    pub(crate) machine_id_file: String,
    pub(crate) product_uuid_file: String,
}

impl From<RawIdentity> for IdentitySettings {
    fn from(raw: RawIdentity) -> Self {
        Self { machine_id_file: path(&raw.machine_id_file), product_uuid_file: path(&raw.product_uuid_file) }
    }
}
