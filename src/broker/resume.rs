//! Where a subscription begins: all or nothing from a position, or the newest few, or now.
//!
//! Attach order: the shard acquires the room → the bounds are read → what is missing is read from the log → the
//! subscriber is added, needing the offset after the last one read. Messages committed meanwhile wait in the shard's
//! inbox; the audience drops those that were read and notices if one were missing.

use std::sync::Arc;

use super::error::BrokerError;
use crate::journal::{Bounds, Direction, Journal, Position, ReadRange, Record, RoomId};

/// Where a subscriber wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// From now on.
    Now,
    /// With up to this many of the newest messages.
    Last(u64),
    /// With everything after this position.
    Since(Position),
}

/// What a subscriber gets first.
#[derive(Debug, Clone)]
pub enum Start {
    /// Everything up to now: attach, needing `next`.
    Attached {
        /// In order; may be empty.
        records: Vec<Arc<Record>>,
        /// The offset of the next message.
        next: u64,
        /// The room's bounds.
        bounds: Bounds,
    },
    /// A page; there is more, so that the subscriber is not attached yet.
    Page {
        /// In order; empty when not even the first fits the budget.
        records: Vec<Arc<Record>>,
        /// The room's bounds.
        bounds: Bounds,
    },
    /// The disk must be read first.
    Disk {
        /// What to read.
        range: ReadRange,
    },
}

/// How much may be sent at once.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Most messages.
    pub count: usize,
    /// Most payload bytes.
    pub bytes: usize,
}

/// Finds out what a subscriber gets first, from memory.
///
/// # Errors
/// The one verdict why it cannot be continued from the position: `EpochChanged`, `AheadOfLog`, `Trimmed`.
pub fn start(journal: &dyn Journal, room: RoomId, want: Want, budget: Budget) -> Result<Start, BrokerError> {
    let bounds = journal.bounds(room).ok_or(BrokerError::UnknownRoom)?;
    let from = first_wanted(&bounds, want)?;
    if from > bounds.last {
        return Ok(Start::Attached { records: Vec::new(), next: from, bounds });
    }
    if budget.bytes == 0 {
        return Ok(Start::Page { records: Vec::new(), bounds });
    }
    let range = ReadRange { from, direction: Direction::Forward, limit: budget.count, bytes_max: budget.bytes };
    let Some(page) = journal.recent(room, range) else { return Ok(Start::Disk { range }) };
    let page = page?;
    let mut records = page.records;
    if crate::sabotage::is("drop_on_resume") && records.len() > 2 {
        records.remove(1);
    }
    if page.more {
        return Ok(Start::Page { records, bounds: page.bounds });
    }
    let next = records.last().map_or(from, |record| record.offset + 1);
    Ok(Start::Attached { records, next, bounds: page.bounds })
}

fn first_wanted(bounds: &Bounds, want: Want) -> Result<u64, BrokerError> {
    match want {
        Want::Now => Ok(bounds.last + 1),
        Want::Last(count) => Ok((bounds.last + 1).saturating_sub(count).max(bounds.first)),
        Want::Since(position) if position.epoch != bounds.epoch => Err(BrokerError::EpochChanged(*bounds)),
        Want::Since(position) if position.offset > bounds.last => Err(BrokerError::AheadOfLog(*bounds)),
        Want::Since(position) if position.offset + 1 < bounds.first => Err(BrokerError::Trimmed(*bounds)),
        Want::Since(position) => Ok(position.offset + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let bounds = Bounds { epoch: 9, first: 11, last: 20, ordinal: 20, time_ms: 5 };
        let since = |epoch, offset| Want::Since(Position { epoch, offset });
        for (want, expected) in [
            (Want::Now, Ok(21)),
            (Want::Last(0), Ok(21)),
            (Want::Last(3), Ok(18)),
            (Want::Last(1_000), Ok(11)),
            (since(9, 20), Ok(21)),
            (since(9, 15), Ok(16)),
            (since(9, 10), Ok(11)),
            (since(9, 9), Err(BrokerError::Trimmed(bounds))),
            (since(9, 0), Err(BrokerError::Trimmed(bounds))),
            (since(9, 21), Err(BrokerError::AheadOfLog(bounds))),
            (since(8, 15), Err(BrokerError::EpochChanged(bounds))),
        ] {
            assert_eq!(first_wanted(&bounds, want), expected, "{want:?}");
        }
        let empty = Bounds { epoch: 9, first: 1, last: 0, ordinal: 0, time_ms: 0 };
        assert_eq!(first_wanted(&empty, since(9, 0)), Ok(1));
        assert_eq!(first_wanted(&empty, Want::Last(5)), Ok(1));
    }
}
