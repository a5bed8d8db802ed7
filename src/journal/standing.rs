//! Where a room stands: its numbering, and what retention counts by.

use super::record::Stored;
use super::{Bounds, Mode};

/// A room, without its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub mode: Mode,
    pub epoch: u64,
    pub first: u64,
    pub last: u64,
    pub ordinal: u64,
    pub time_ms: u64,
    /// Bytes stored since the beginning: payloads, mentions, names of blobs.
    pub volume: u64,
}

impl Standing {
    pub fn new(mode: Mode, epoch: u64) -> Self {
        Self { mode, epoch, first: 1, last: 0, ordinal: 0, time_ms: 0, volume: 0 }
    }

    pub fn bounds(&self) -> Bounds {
        let Self { epoch, first, last, ordinal, time_ms, .. } = *self;
        Bounds { epoch, first, last, ordinal, time_ms }
    }

    /// Where the room stands after this record.
    pub fn advance(&mut self, stored: &Stored) {
        self.last = stored.record.offset;
        self.ordinal = stored.record.ordinal;
        self.time_ms = stored.record.time_ms;
        self.volume = stored.volume + stored.record.weight() as u64;
    }
}
