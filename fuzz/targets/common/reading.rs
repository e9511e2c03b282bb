//! Notes, as a database holds them.

use serde::de::DeserializeOwned;

/// Read, and written as it was read.
pub(crate) fn read<T: DeserializeOwned + serde::Serialize>(text: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(text).ok()?;
    let again = serde_json::to_string(&read).unwrap();
    let back: T = serde_json::from_str(&again).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), again);
    Some(read)
}
