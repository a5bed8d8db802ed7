//! What may be deleted: by age, by count, by bytes.
//!
//! Owns the rule, and which rooms have one of their own. Time is handed in. Invariant: a room's first offset only rises,
//! and what the rule keeps is never removed.

use parking_lot::Mutex;
use rapidhash::RapidHashMap as HashMap;

use super::page::Cold;
use super::record::Stored;
use super::standing::Standing;
use super::state::State;
use super::{Direction, Retention, RoomId};

/// Most rooms looked at in one step.
const ROOMS_PER_STEP: u64 = 20_000;
/// Most rooms trimmed in one step.
const TRIMS_PER_STEP: usize = 1_000;

/// What is known of a room's first record, so that it need not be read again.
#[derive(Clone, Copy)]
struct Floor {
    first: u64,
    time_ms: u64,
    volume: u64,
}

#[derive(Default)]
struct Memory {
    own: HashMap<u64, Retention>,
    floors: HashMap<u64, Floor>,
    next_room: u64,
}

/// See the head of the file.
pub(crate) struct Retainer {
    default: Retention,
    memory: Mutex<Memory>,
}

impl Retainer {
    pub fn new(default: Retention) -> Self {
        Self { default, memory: Mutex::default() }
    }

    pub fn set(&self, room: RoomId, retention: Retention) {
        self.memory.lock().own.insert(room.0, retention);
    }

    /// Rooms to trim and their new first offsets; a bounded part of all rooms at a time.
    pub fn step(&self, state: &State, cold: &dyn Cold, now_ms: u64) -> Vec<(u64, u64)> {
        let mut memory = self.memory.lock();
        let mut trims = Vec::new();
        for room in self.rooms(&mut memory, state.count()) {
            let retention = memory.own.get(&room).copied().unwrap_or(self.default);
            let Some(standing) = state.standing(room).filter(|standing| standing.first <= standing.last) else {
                continue;
            };
            if let Some(first) = due(&mut memory.floors, state, cold, room, &standing, retention, now_ms) {
                trims.push((room, first));
            }
            if trims.len() == TRIMS_PER_STEP {
                memory.next_room = room + 1;
                break;
            }
        }
        trims
    }

    fn rooms(&self, memory: &mut Memory, count: u64) -> Vec<u64> {
        if self.default == Retention::default() {
            return memory.own.keys().copied().collect();
        }
        let from = if memory.next_room > count { 1 } else { memory.next_room.max(1) };
        let end = count.min(from + ROOMS_PER_STEP - 1);
        memory.next_room = end + 1;
        (from..=end).collect()
    }
}

/// The first offset the rule keeps, if it is above the present one.
fn due(
    floors: &mut HashMap<u64, Floor>,
    state: &State,
    cold: &dyn Cold,
    room: u64,
    standing: &Standing,
    retention: Retention,
    now_ms: u64,
) -> Option<u64> {
    let mut first = standing.first;
    if retention.count > 0 {
        first = first.max((standing.last + 1).saturating_sub(retention.count));
    }
    let oldest_ms = if retention.age_s > 0 { now_ms.saturating_sub(retention.age_s * 1000) } else { 0 };
    let bytes = if retention.bytes > 0 { retention.bytes } else { u64::MAX };
    let keeps = |time_ms: u64, volume: u64| time_ms >= oldest_ms && standing.volume - volume <= bytes;
    if oldest_ms > 0 || bytes < u64::MAX {
        let floor = floors.get(&room).filter(|floor| floor.first == standing.first).copied();
        if !floor.is_some_and(|floor| keeps(floor.time_ms, floor.volume)) {
            first = first.max(search(state, cold, room, first, standing.last, &keeps)?);
            if let Some(stored) = look(state, cold, room, first) {
                let (time_ms, volume) = (stored.record.time_ms, stored.volume);
                floors.insert(room, Floor { first, time_ms, volume });
            }
        }
    }
    (first > standing.first).then_some(first)
}

/// The smallest offset in `low..=high + 1` that is kept; times and volumes rise with offsets. `None` when a record
/// cannot be read: then nothing is removed.
fn search(
    state: &State,
    cold: &dyn Cold,
    room: u64,
    low: u64,
    high: u64,
    keeps: &dyn Fn(u64, u64) -> bool,
) -> Option<u64> {
    let (mut low, mut high) = (low, high + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let stored = look(state, cold, room, middle)?;
        if keeps(stored.record.time_ms, stored.volume) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

fn look(state: &State, cold: &dyn Cold, room: u64, offset: u64) -> Option<Stored> {
    state
        .record(room, offset)
        .or_else(|| cold.records(room, offset, offset, Direction::Forward, usize::MAX).ok()?.pop())
}
