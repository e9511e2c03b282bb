//! What a damaged database of the collector may hold: each note, read.

use super::bytes::Bytes;
use super::reading::read;
use crate::fleet::LastConflict;
use crate::machines::Machines;
use crate::reported::ReportedState;

pub(super) fn notes(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (_, now) = (bytes.byte(), bytes.instant());
    let text = bytes.rest();
    if let Some(machines) = read::<Machines>(text) {
        machines.side_by_side(now);
    }
    read::<ReportedState>(text);
    read::<LastConflict>(text);
}
