//! Catching up: rooms that stand further than they were followed are read from the log again, at the start and whenever
//! the follower was too slow to hear everything.
//!
//! Invariant: nothing that can be read is left out. Whatever cannot be read now is tried again before anything that is
//! live is followed; only what is damaged for good is passed over.

use std::collections::HashMap;

use super::follow::{Gathered, RETRY};
use super::{Service, ServiceError};
use crate::broker::{Broker, BrokerError, DIALOG_PREFIX};
use crate::directory;
use crate::journal::{Bounds, Direction, Page, ReadRange, Record, RelationKind, RoomId, RoomInfo};

/// What is read of the log at once, records and bytes.
const READ: (usize, usize) = (500, 1 << 20);

impl Service {
    /// Reads again what is in the log and was not followed.
    pub(super) async fn catch_up(&self) {
        while let Err(error) = self.try_catch_up().await {
            tracing::warn!(%error, "the log is not caught up with yet");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn try_catch_up(&self) -> Result<(), ServiceError> {
        let followed = self.directory.followed().await?;
        let broker = self.broker.clone();
        let since = self.webhooks_since();
        let behind = super::blocking(move || behind(&broker, followed, &since)).await??;
        let mut gathered = Gathered::default();
        let mut outcome = Ok(());
        for (info, from) in behind {
            // The others are not kept waiting. What comes live waits until all is read: it would be followed past the gap.
            if let Err(error) = self.catch_up_with(&info, from, &mut gathered).await {
                tracing::warn!(%error, room = &*info.name, "a room could not be caught up with");
                outcome = Err(error);
            }
        }
        self.write(gathered).await;
        outcome
    }

    /// Reads one room from an offset on.
    async fn catch_up_with(&self, info: &RoomInfo, mut from: u64, gathered: &mut Gathered) -> Result<(), ServiceError> {
        loop {
            let (broker, room) = (self.broker.clone(), info.id);
            // What retention removed meanwhile needs no following.
            from = from.max(broker.bounds(room)?.first);
            let (page, sound) = super::blocking(move || read_on(&broker, room, from)).await??;
            if sound > from {
                // Damage is reported by the journal itself, and will not be less the next time.
                tracing::warn!(room = &*info.name, from, until = sound, "damaged messages could not be followed");
                gathered.positions.insert(info.name.clone(), (page.bounds.epoch, sound - 1));
                from = sound;
            }
            for record in &page.records {
                gathered.stored(info, page.bounds.epoch, record, erased_by(record), self);
                gathered.positions.insert(info.name.clone(), (page.bounds.epoch, record.offset));
                from = record.offset + 1;
                if gathered.is_full() {
                    self.write(std::mem::take(gathered)).await;
                }
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// Rooms that stand further than they were followed, with where to go on: dialogs, rooms in which files are named, which
/// were put on the list before, and rooms of whose messages programs outside are told; `since` says since when. Blocks.
fn behind(
    broker: &Broker,
    followed: Vec<directory::Followed>,
    since: &impl Fn(&RoomInfo) -> Option<u64>,
) -> Result<Vec<(RoomInfo, u64)>, BrokerError> {
    let followed: HashMap<_, _> =
        followed.into_iter().map(|followed| (followed.room, (followed.epoch, followed.offset))).collect();
    let (mut behind, mut outcome) = (Vec::new(), Ok(()));
    broker.rooms(&mut |info, bounds| {
        let is_dialog = info.name.starts_with(DIALOG_PREFIX);
        let from = match (followed.get(&*info.name), since(info)) {
            (None, None) if !is_dialog => return,
            (Some((epoch, offset)), _) if *epoch == bounds.epoch => Ok(offset + 1),
            (_, Some(since_ms)) if !is_dialog => first_since(broker, info, bounds, since_ms),
            _ => Ok(1),
        };
        let from = from.unwrap_or_else(|error| {
            outcome = Err(error);
            u64::MAX
        });
        if from <= bounds.last {
            behind.push((info.clone(), from));
        }
    });
    outcome.map(|()| behind)
}

/// The first message of a room that was stored at a time or later. Blocks.
fn first_since(broker: &Broker, info: &RoomInfo, bounds: &Bounds, since_ms: u64) -> Result<u64, BrokerError> {
    let (mut from, mut limit) = (bounds.last, 1);
    while from >= bounds.first {
        let range = ReadRange { from, direction: Direction::Backward, limit, bytes_max: READ.1 };
        let page = match broker.read(info.id, range) {
            // It may be before the damage: then everything is looked at, and what is too old is told to nobody.
            Err(BrokerError::Damaged) => return Ok(bounds.first),
            page => page?,
        };
        // Times never fall inside a room.
        if let Some(older) = page.records.iter().rfind(|record| record.time_ms < since_ms) {
            return Ok(older.offset + 1);
        }
        let Some(oldest) = page.records.first() else { break };
        (from, limit) = (oldest.offset - 1, READ.0);
    }
    Ok(from + 1)
}

/// A page of a room from an offset on, or from where the damage there ends; and where it begins. Blocks.
fn read_on(broker: &Broker, room: RoomId, from: u64) -> Result<(Page, u64), BrokerError> {
    let last = broker.bounds(room)?.last;
    match read(broker, room, from, READ.0) {
        Err(BrokerError::Damaged) => {}
        page => return page.map(|page| (page, from)),
    }
    let sound = behind_damage(from, last, |offset| match read(broker, room, offset, 1) {
        Err(BrokerError::Damaged) => Ok(false),
        page => page.map(|_| true),
    })?;
    read(broker, room, sound, READ.0).map(|page| (page, sound))
}

fn read(broker: &Broker, room: RoomId, from: u64, limit: usize) -> Result<Page, BrokerError> {
    broker.read(room, ReadRange { from, direction: Direction::Forward, limit, bytes_max: READ.1 })
}

/// The first offset behind `damaged` that is sound, if the damage there is of one piece; at most the one behind `last`.
/// Steps double and then halve, because a block of many small messages is damaged as a whole.
fn behind_damage<E>(damaged: u64, last: u64, mut is_sound: impl FnMut(u64) -> Result<bool, E>) -> Result<u64, E> {
    let (mut bad, mut step) = (damaged, 1);
    let mut sound = loop {
        let next = bad + step;
        if next > last {
            break last + 1;
        }
        if is_sound(next)? {
            break next;
        }
        (bad, step) = (next, step * 2);
    };
    while sound - bad > 1 {
        let middle = bad + (sound - bad) / 2;
        if is_sound(middle)? { sound = middle } else { bad = middle }
    }
    Ok(sound)
}

/// What a record that is read again erased, as far as it can have counted.
fn erased_by(record: &Record) -> Vec<u64> {
    let delete = record.relation.filter(|relation| relation.kind == RelationKind::Delete);
    delete.map(|relation| relation.offset).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn only_the_damaged_stretch_is_passed_over() {
        for (damaged, last) in [(5..6, 9), (5..9, 9), (5..10, 9), (1..701, 2_000), (1..702, 702), (3..4, 3)] {
            let mut asked = 0;
            let sound = behind_damage(damaged.start, last, |offset| {
                asked += 1;
                assert!((damaged.start..=last).contains(&offset));
                Ok::<_, Infallible>(!damaged.contains(&offset))
            });
            assert_eq!(sound, Ok(damaged.end.min(last + 1)), "{damaged:?} of {last}");
            assert!(asked <= 20, "{asked}");
        }
    }
}
