//! The settings of the collector.

use super::files::read;
use crate::Settings;

pub(super) fn collector(data: &[u8]) {
    read(data, Settings::load);
}
