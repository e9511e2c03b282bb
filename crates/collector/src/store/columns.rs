//! How values are written in columns.

use serde::Serialize;
use svm_core::subscription::DeviceStatus;

/// A sequence number as it is stored.
pub(super) fn number(text: Option<String>) -> Option<u64> {
    text?.parse().ok()
}

/// 1 is ok, 2 warning, 3 critical: the worst has the greatest number.
pub(super) fn level(status: DeviceStatus) -> i64 {
    match status {
        DeviceStatus::Ok => 1,
        DeviceStatus::Warning => 2,
        DeviceStatus::Critical => 3,
    }
}

pub(super) fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}
