//! The settings of the agent.

use super::files::read;
use crate::config::Settings;

pub(super) fn agent(data: &[u8]) {
    read(data, Settings::read);
}
