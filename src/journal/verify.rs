//! Reading everything there is and saying what is wrong, without changing anything: `konvert journal verify`.
//!
//! Checks every checksum, that the blocks of each retained room are consecutive up to its last offset, and that numbers,
//! ordinals and times rise. sled itself may write a snapshot of its own when it is opened.

use std::collections::BTreeMap;
use std::path::Path;

use super::change::Change;
use super::engine::each;
use super::manifest::Manifest;
use super::partition::{Partition, open_block, split_key};
use super::record::{Fields, Stored};
use super::space::Lock;
use super::standing::Standing;
use super::store::room_row;
use super::{engine::Engine, recovery};

/// Problems beyond this many are counted only.
const PROBLEMS_MAX: usize = 1_000;
const CACHE_BYTES: u64 = 16 << 20;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rooms looked at.
    pub rooms: u64,
    /// Records looked at, in blocks and in the write-ahead file.
    pub records: u64,
    /// Bytes of a torn batch at the end, which the next start cuts off: never acknowledged.
    pub torn_bytes: u64,
    /// What is wrong, in words, at most 1000.
    pub problems: Vec<String>,
    /// How many problems there are.
    pub problem_count: u64,
}

impl Report {
    fn problem(&mut self, text: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text);
        }
    }
}

/// How far a room's records have been seen to be sound.
struct Seen {
    standing: Standing,
    /// The last sound record: offset, ordinal, time.
    last: Option<(u64, u64, u64)>,
}

impl Seen {
    fn next(&mut self, stored: &Stored) -> Option<String> {
        let record = &stored.record;
        let before = self.last.replace((record.offset, record.ordinal, record.time_ms));
        let Some((offset, ordinal, time_ms)) = before else {
            let first = self.standing.first;
            return (record.offset > first).then(|| format!("records {first} to {} are missing", record.offset - 1));
        };
        if record.offset != offset + 1 {
            return Some(format!("records {} to {} are missing", offset + 1, record.offset.saturating_sub(1)));
        }
        let steady = (ordinal..=ordinal + 1).contains(&record.ordinal) && record.time_ms >= time_ms;
        (!steady).then(|| format!("record {} has an ordinal or time that does not follow", record.offset))
    }
}

/// Verifies the journal in `dir`.
///
/// # Errors
/// When it cannot be looked at: another process uses it, or there is none.
pub fn verify(dir: &Path) -> Result<Report, String> {
    let lock = Lock::take(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let _lock = lock.ok_or_else(|| format!("another process uses {}", dir.display()))?;
    let mut report = Report::default();
    let manifest = match Manifest::read(dir) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Err(format!("there is no journal in {}", dir.display())),
        Err(reason) => {
            report.problem(reason);
            return Ok(report);
        }
    };
    let mut rooms = BTreeMap::new();
    if let Err(reason) = load_rooms(dir, manifest.folded > 0, &mut rooms) {
        report.problem(reason);
    }
    for entry in &manifest.partitions {
        let found = Partition::open(dir, entry, CACHE_BYTES, true);
        if let Err(reason) = found.and_then(|partition| walk(&partition, &mut rooms, &mut report)) {
            report.problem(reason);
        }
    }
    match recovery::replay(dir, manifest.folded, manifest.seal(), |batch| {
        batch.changes.into_iter().for_each(|change| apply(change, &mut rooms, &mut report));
    }) {
        Ok(tail) => report.torn_bytes = tail.torn,
        Err(error) => report.problem(error.to_string()),
    }
    finish(&rooms, &mut report);
    Ok(report)
}

fn load_rooms(dir: &Path, must_exist: bool, rooms: &mut BTreeMap<u64, Seen>) -> Result<(), String> {
    let engine = Engine::open(&dir.join("rooms"), CACHE_BYTES, must_exist)?;
    for item in each(engine.tree("rooms")?.iter()) {
        let (key, value) = item?;
        let id = Fields(&key).fixed_u64().map_err(|malformed| malformed.0)?.swap_bytes();
        let (_, standing) = room_row(&value).map_err(|malformed| format!("room {id}: {}", malformed.0))?;
        rooms.insert(id, Seen { standing, last: None });
    }
    Ok(())
}

fn walk(partition: &Partition, rooms: &mut BTreeMap<u64, Seen>, report: &mut Report) -> Result<(), String> {
    for item in each(partition.blocks.iter()) {
        let (key, value) = item?;
        let Some((room, first)) = split_key(&key) else {
            report.problem("a block has no valid key".into());
            continue;
        };
        let (records, malformed) = open_block(first, &value);
        if let Some(malformed) = malformed {
            let offset = first + records.len() as u64;
            report.problem(format!("room {room}: from offset {offset} in its block: {}", malformed.0));
        }
        for stored in &records {
            see(room, stored, rooms, report);
        }
    }
    Ok(())
}

fn see(room: u64, stored: &Stored, rooms: &mut BTreeMap<u64, Seen>, report: &mut Report) {
    report.records += 1;
    let Some(seen) = rooms.get_mut(&room) else {
        // A crash between blocks and rooms leaves this: the write-ahead file has the room.
        return;
    };
    let retained = stored.record.offset >= seen.standing.first;
    if retained && let Some(problem) = seen.next(stored) {
        report.problem(format!("room {room}: {problem}"));
    }
}

fn apply(change: Change, rooms: &mut BTreeMap<u64, Seen>, report: &mut Report) {
    match change {
        Change::Room { id, mode, epoch, .. } => {
            rooms.entry(id).or_insert(Seen { standing: Standing::new(mode, epoch), last: None });
        }
        Change::Record { room, stored, .. } => {
            let Some(seen) = rooms.get_mut(&room) else {
                return report.problem(format!("room {room} is not known, but has records"));
            };
            seen.standing.last = seen.standing.last.max(stored.record.offset);
            // A pass that was cut short may have folded it already.
            if seen.last.is_none_or(|(offset, ..)| stored.record.offset > offset) {
                see(room, &stored, rooms, report);
            }
        }
        Change::Trim { room, first } => {
            if let Some(seen) = rooms.get_mut(&room) {
                seen.standing.first = seen.standing.first.max(first);
            }
        }
        Change::Marker { .. } => {}
    }
}

fn finish(rooms: &BTreeMap<u64, Seen>, report: &mut Report) {
    report.rooms = rooms.len() as u64;
    for (room, seen) in rooms {
        let last = seen.last.map_or(seen.standing.first - 1, |(offset, ..)| offset);
        if seen.standing.first <= seen.standing.last && last < seen.standing.last {
            report.problem(format!("room {room}: records {} to {} are missing", last + 1, seen.standing.last));
        }
    }
}
