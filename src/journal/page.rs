//! Pages of a room from memory and, where memory ends, from the long-term store.
//!
//! Owns the arithmetic of ranges. Invariant: a page has consecutive records or is an error; what was trimmed or erased
//! while it was read is not in it.

use std::sync::Arc;

use super::record::Stored;
use super::standing::Standing;
use super::state::State;
use super::{Bounds, Direction, Marker, Page, ReadError, ReadRange, Record, RoomId};

/// What is beyond memory.
pub(crate) trait Cold: Send + Sync {
    /// Consecutive folded records from one end of `low..=high`: rising from `low` when forward, falling from `high` when
    /// backward. At least one or an error; stops early where payloads go beyond `bytes_max`, or before damage.
    fn records(
        &self,
        room: u64,
        low: u64,
        high: u64,
        direction: Direction,
        bytes_max: usize,
    ) -> Result<Vec<Stored>, ReadError>;

    /// The record with this id at `first` or later, if it is folded.
    fn original(
        &self,
        room: u64,
        first: u64,
        hash: u64,
        sender: &str,
        message_id: &str,
    ) -> Result<Option<Stored>, ReadError>;

    /// A folded marker.
    fn marker(&self, room: u64, user: &str) -> Result<Option<Marker>, ReadError>;

    /// Folded edits and appended parts of `target`.
    fn related(&self, room: u64, target: u64) -> Result<Vec<u64>, ReadError>;

    /// Damage that was met in a retained record.
    fn report(&self, room: u64, error: &ReadError);
}

/// A page from memory only; `None` when more is needed.
pub(crate) fn recent(state: &State, room: RoomId, range: ReadRange) -> Option<Result<Page, ReadError>> {
    let slice = match state.slice(room.0, |standing| choose(standing, range)) {
        None => return Some(Err(ReadError::UnknownRoom)),
        Some(Err(error)) => return Some(Err(error)),
        Some(Ok(slice)) => slice,
    };
    let Ok((low, high)) = choose(&slice.standing, range) else { return None };
    (low > high || low >= slice.window_first).then(|| {
        let mut budget = Budget::new(range);
        let records = budget.fill(slice.records, range.direction);
        Ok(finish(records, slice.standing.bounds(), range.direction))
    })
}

/// A page from memory and disk.
pub(crate) fn read(state: &State, cold: &dyn Cold, room: RoomId, range: ReadRange) -> Result<Page, ReadError> {
    let slice = state.slice(room.0, |standing| choose(standing, range)).ok_or(ReadError::UnknownRoom)??;
    let (low, high) = choose(&slice.standing, range)?;
    if low > high || low >= slice.window_first {
        let records = Budget::new(range).fill(slice.records, range.direction);
        return Ok(finish(records, slice.standing.bounds(), range.direction));
    }
    let cold_high = high.min(slice.window_first - 1);
    let records = match range.direction {
        Direction::Forward => forward(state, cold, room.0, (low, cold_high), slice.records, Budget::new(range))?,
        Direction::Backward => backward(state, cold, room.0, (low, cold_high), slice.records, Budget::new(range))?,
    };
    finish_now(state, room.0, records, low, range.direction)
}

fn forward(
    state: &State,
    cold: &dyn Cold,
    room: u64,
    (low, high): (u64, u64),
    window: Vec<Arc<Record>>,
    mut budget: Budget,
) -> Result<Vec<Arc<Record>>, ReadError> {
    let found = folded(state, cold, room, low, high, Direction::Forward, &budget)?;
    let whole = found.last().is_some_and(|record| record.offset == high);
    let mut records = budget.fill(found, Direction::Forward);
    if whole && !budget.full {
        records.extend(budget.fill(window, Direction::Forward));
    }
    Ok(records)
}

fn backward(
    state: &State,
    cold: &dyn Cold,
    room: u64,
    (low, high): (u64, u64),
    window: Vec<Arc<Record>>,
    mut budget: Budget,
) -> Result<Vec<Arc<Record>>, ReadError> {
    let mut newer = budget.fill(window, Direction::Backward);
    if budget.full {
        return Ok(newer);
    }
    match folded(state, cold, room, low, high, Direction::Backward, &budget) {
        Ok(found) => {
            let mut records = budget.fill(found, Direction::Backward);
            records.append(&mut newer);
            Ok(records)
        }
        // Newer records are there to be served; the damage will be met by the next page.
        Err(_) if !newer.is_empty() => Ok(newer),
        Err(error) => Err(error),
    }
}

/// What was trimmed meanwhile is not in the page.
fn finish_now(
    state: &State,
    room: u64,
    mut records: Vec<Arc<Record>>,
    low: u64,
    direction: Direction,
) -> Result<Page, ReadError> {
    let now = state.standing(room).ok_or(ReadError::UnknownRoom)?;
    if direction == Direction::Forward && now.first > low {
        return Err(ReadError::Trimmed(now.bounds()));
    }
    records.retain(|record| record.offset >= now.first);
    Ok(finish(records, now.bounds(), direction))
}

/// Folded records in rising order, as erased as they are by now. Damage is reported unless it was trimmed meanwhile.
fn folded(
    state: &State,
    cold: &dyn Cold,
    room: u64,
    low: u64,
    high: u64,
    direction: Direction,
    budget: &Budget,
) -> Result<Vec<Arc<Record>>, ReadError> {
    // Erasure is asked for before and after: before, because a fold may finish it meanwhile and forget about it.
    let erased = state.erased_in(room, low, high);
    let mut found = match cold.records(room, low, high, direction, budget.bytes_left()) {
        Ok(found) => found,
        Err(error) => {
            let now = state.standing(room).ok_or(ReadError::UnknownRoom)?;
            if matches!(error, ReadError::Damaged { offset, .. } if offset < now.first) {
                return Err(ReadError::Trimmed(now.bounds()));
            }
            cold.report(room, &error);
            return Err(error);
        }
    };
    if direction == Direction::Backward {
        found.reverse();
    }
    let shown = found.into_iter().map(|stored| {
        let offset = stored.record.offset;
        let gone = erased.contains(&offset) || state.is_erased(room, offset);
        if gone && !stored.record.erased { stored.erase().record } else { stored.record }
    });
    Ok(shown.collect())
}

/// First and last offset of the page, before any limit by bytes; low above high is an empty page.
fn choose(standing: &Standing, range: ReadRange) -> Result<(u64, u64), ReadError> {
    let limit = range.limit.max(1) as u64;
    let (first, last) = (standing.first, standing.last);
    let trimmed = Err(ReadError::Trimmed(standing.bounds()));
    match range.direction {
        Direction::Forward => {
            let from = range.from.max(1);
            if from < first { trimmed } else { Ok((from, last.min(from.saturating_add(limit - 1)))) }
        }
        Direction::Backward if range.from >= last && first > last => Ok((1, 0)),
        Direction::Backward if range.from == 0 => Ok((1, 0)),
        Direction::Backward => {
            let from = range.from.min(last);
            if from < first { trimmed } else { Ok((first.max((from + 1).saturating_sub(limit)), from)) }
        }
    }
}

fn finish(records: Vec<Arc<Record>>, bounds: Bounds, direction: Direction) -> Page {
    let more = match direction {
        Direction::Forward => records.last().is_some_and(|record| record.offset < bounds.last),
        Direction::Backward => records.first().is_some_and(|record| record.offset > bounds.first),
    };
    Page { records, bounds, more }
}

/// What a page may still take.
struct Budget {
    bytes_max: usize,
    bytes: usize,
    count: usize,
    full: bool,
}

impl Budget {
    fn new(range: ReadRange) -> Self {
        Self { bytes_max: range.bytes_max, bytes: 0, count: 0, full: false }
    }

    fn bytes_left(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes)
    }

    fn admits(&mut self, record: &Record) -> bool {
        let bytes = self.bytes.saturating_add(record.weight());
        self.full |= self.count > 0 && bytes > self.bytes_max;
        if !self.full {
            (self.bytes, self.count) = (bytes, self.count + 1);
        }
        !self.full
    }

    /// Those of the rising `records` that fit, starting at the end the page starts from; rising.
    fn fill(&mut self, mut records: Vec<Arc<Record>>, direction: Direction) -> Vec<Arc<Record>> {
        if direction == Direction::Forward {
            let fitting = records.iter().take_while(|record| self.admits(record)).count();
            records.truncate(fitting);
            return records;
        }
        let fitting = records.iter().rev().take_while(|record| self.admits(record)).count();
        records.split_off(records.len() - fitting)
    }
}
