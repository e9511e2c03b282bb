//! `[motd]`: what people see when they log in.

use serde::Deserialize;

/// The keys as they are written.
#[derive(Deserialize)]
pub(crate) struct RawMotd {
    pub(crate) enabled: bool,
}
