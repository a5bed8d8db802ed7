//! The long-term store: partitions of blocks, and the rooms and markers beside them.
//!
//! Owns reading what is folded, with every checksum verified. Readers take no lock: they hold the list of partitions as
//! it was, and a partition that was replaced or dropped lives until they let go. Writing is the fold's and the
//! compaction's, one at a time behind `writer`.
//!
//! ```text
//! rooms     room u64 BE              mode u8 · epoch · first · last · ordinal · time · volume · name
//! markers   room u64 BE · user       offset · ordinal
//! default   "mark"                   u64 LE: the last commit the rooms may know of
//!           "end"                    u64 LE: the last commit of the last pass, written last
//!           "count"                  u64 LE: rooms there must be
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::change::{mode_code, mode_of};
use super::engine::{Engine, each, guarded};
use super::gate::Gate;
use super::manifest::{Manifest, PartitionEntry};
use super::page::Cold;
use super::partition::{self, Partition, open_block};
use super::record::{Fields, Malformed, Stored, put_number, put_text};
use super::standing::Standing;
use super::state::State;
use super::{Direction, Marker, ReadError};

const MARK: &[u8] = b"mark";
const END: &[u8] = b"end";
const COUNT: &[u8] = b"count";

/// What only one may write at a time.
pub(crate) struct Writer {
    pub manifest: Manifest,
    /// The copy under way: what is erased in its sources must be erased in its target too.
    pub moving: Option<Moving>,
    /// Commits up to this one may be in the last partition already, from a pass that was cut short. Until they are
    /// folded it stays the last one and nothing is copied: they would be there twice.
    pub begun: u64,
}

impl Writer {
    /// Whether no pass was begun and not ended.
    pub fn is_settled(&self) -> bool {
        self.manifest.folded >= self.begun
    }
}

/// Partitions being copied into one.
pub(crate) struct Moving {
    pub sources: Vec<u64>,
    pub target: Arc<Partition>,
}

/// See the head of the file.
pub(crate) struct Store {
    pub dir: PathBuf,
    pub meta: Engine,
    pub rooms: sled::Tree,
    pub markers: sled::Tree,
    pub partitions: ArcSwap<Vec<Arc<Partition>>>,
    pub writer: Mutex<Writer>,
    /// Rooms that may have blocks before their first offset.
    pub trimmed: Mutex<BTreeSet<u64>>,
    pub gate: Arc<Gate>,
    cache_bytes: u64,
}

impl Store {
    /// Opens everything the manifest names.
    pub fn open(dir: &Path, manifest: Manifest, cache_bytes: u64, gate: Arc<Gate>) -> Result<Self, String> {
        // An even share for each, the newest and the next one included.
        let share = cache_bytes / (manifest.partitions.len() as u64 + 2);
        let meta = Engine::open(&dir.join("rooms"), share, manifest.folded > 0)?;
        let open = |entry| Partition::open(dir, entry, share, true).map(Arc::new);
        let partitions: Vec<_> = manifest.partitions.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self {
            dir: dir.to_owned(),
            rooms: meta.tree("rooms")?,
            markers: meta.tree("markers")?,
            meta,
            partitions: ArcSwap::from_pointee(partitions),
            writer: Mutex::new(Writer { manifest, moving: None, begun: 0 }),
            trimmed: Mutex::default(),
            gate,
            cache_bytes: share,
        })
    }

    /// Everything was opened and replayed up to this commit. Removes partitions that the manifest does not name.
    pub fn begin(&self, replayed: u64) -> std::io::Result<()> {
        let mut writer = self.writer.lock();
        writer.begun = replayed;
        remove_strangers(&self.dir, &writer.manifest)
    }

    /// Puts every folded room into memory. Returns the last commit the rooms may know of.
    ///
    /// sled takes damage for the end of its file: what is older than the folded mark has lost something.
    pub fn load_rooms(&self, state: &State, folded: u64) -> Result<u64, String> {
        let (mark, end) = (self.number(MARK)?, self.number(END)?);
        if end < folded {
            return Err(format!("rooms are as of commit {end}, but everything up to {folded} was folded"));
        }
        for item in each(self.rooms.iter()) {
            let (key, value) = item?;
            let id = Fields(&key).fixed_u64().map_err(|malformed| malformed.0)?.swap_bytes();
            let (name, standing) = room_row(&value).map_err(|malformed| format!("room {id}: {}", malformed.0))?;
            if id != state.count() + 1 {
                return Err(format!("room {} is missing", state.count() + 1));
            }
            if standing.first > 1 {
                self.trimmed.lock().insert(id);
            }
            state.load(id, &name.into(), standing);
        }
        let count = self.number(COUNT)?;
        if state.count() < count {
            return Err(format!("there are {} rooms, but {count} were folded", state.count()));
        }
        Ok(mark)
    }

    fn number(&self, key: &[u8]) -> Result<u64, String> {
        let Some(value) = guarded(|| self.meta.db.get(key))? else { return Ok(0) };
        Fields(&value).fixed_u64().map_err(|malformed| format!("marks of the rooms: {}", malformed.0))
    }

    /// Writes what is there after a pass, behind everything else in sled's file: who cuts its end cuts this.
    pub fn set_end(&self, commit: u64, last_room: u64) -> Result<(), String> {
        let count = self.number(COUNT)?.max(last_room);
        guarded(|| self.meta.db.insert(COUNT, &count.to_le_bytes()))?;
        guarded(|| self.meta.db.insert(END, &commit.to_le_bytes())).map(drop)
    }

    /// Writes the mark: no room may be written that knows of a later commit.
    pub fn set_mark(&self, commit: u64) -> Result<(), String> {
        guarded(|| self.meta.db.insert(MARK, &commit.to_le_bytes())).map(drop)
    }

    /// A new empty partition, not in any list yet.
    pub fn new_partition(&self, writer: &mut Writer) -> Result<Arc<Partition>, String> {
        let number = writer.manifest.next_partition;
        writer.manifest.next_partition += 1;
        let entry = PartitionEntry { number, live_bytes: 0, dirty_since_ms: 0, copied_factor: 0 };
        Partition::open(&self.dir, &entry, self.cache_bytes, false).map(Arc::new)
    }

    /// A new partition at the end of the list, which takes the new blocks from now on. It is named in the manifest before
    /// it has anything, so that a crash does not leave blocks nobody knows.
    pub fn add_partition(&self, writer: &mut Writer) -> Result<Arc<Partition>, String> {
        let added = self.new_partition(writer)?;
        let list = self.partitions.load().iter().cloned().chain([added.clone()]).collect();
        self.partitions.store(Arc::new(list));
        self.save(writer)?;
        Ok(added)
    }

    /// Makes the partitions as they are now, and the folded mark, durable.
    pub fn save(&self, writer: &mut Writer) -> Result<(), String> {
        writer.manifest.partitions = self.partitions.load().iter().map(|partition| partition.entry()).collect();
        writer.manifest.write(&self.dir).map_err(|error| format!("manifest: {error}"))
    }

    /// Whether sled wrote files that nobody syncs.
    pub fn has_blobs(&self) -> bool {
        self.meta.has_blobs() || self.partitions.load().iter().any(|partition| partition.engine.has_blobs())
    }

    /// The partition and block an offset is in, newest partition first: offsets of a room rise from partition to
    /// partition.
    pub fn block_at(&self, room: u64, offset: u64) -> Result<Option<(Arc<Partition>, u64, sled::IVec)>, String> {
        for partition in self.partitions.load().iter().rev() {
            if let Some((first, value)) = partition.block_at(room, offset)? {
                return Ok(Some((partition.clone(), first, value)));
            }
        }
        Ok(None)
    }

    /// The sound records of the block with `offset`; an error when that one is not among them.
    fn block_with(&self, room: u64, offset: u64) -> Result<Vec<Stored>, ReadError> {
        let damaged = |offset, reason: &str| ReadError::Damaged { offset, reason: reason.to_owned() };
        let Some((_, first, value)) = self.block_at(room, offset).map_err(ReadError::Io)? else {
            return Err(damaged(offset, "missing"));
        };
        let (records, malformed) = open_block(first, &value);
        let next = first + records.len() as u64;
        if offset < next {
            return Ok(records);
        }
        // What cannot be served begins where the sound records of the block end.
        Err(malformed.map_or_else(|| damaged(offset, "missing"), |malformed| damaged(offset.max(next), malformed.0)))
    }
}

impl Cold for Store {
    fn records(
        &self,
        room: u64,
        low: u64,
        high: u64,
        direction: Direction,
        bytes_max: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        let mut found = Vec::new();
        let (mut low, mut high, mut bytes) = (low, high, 0);
        while low <= high && bytes <= bytes_max {
            let next = if direction == Direction::Forward { low } else { high };
            let block = match self.block_with(room, next) {
                Ok(block) => block,
                Err(_) if !found.is_empty() => break,
                Err(error) => return Err(error),
            };
            let wanted = block.into_iter().filter(|stored| (low..=high).contains(&stored.record.offset));
            let mut wanted: Vec<Stored> = wanted.collect();
            bytes += wanted.iter().map(|stored| stored.record.weight()).sum::<usize>();
            let taken = wanted.len() as u64;
            if direction == Direction::Forward {
                low += taken;
            } else {
                wanted.reverse();
                high -= taken.min(high);
            }
            found.append(&mut wanted);
            if high == 0 {
                break;
            }
        }
        Ok(found)
    }

    fn original(
        &self,
        room: u64,
        first: u64,
        hash: u64,
        sender: &str,
        message_id: &str,
    ) -> Result<Option<Stored>, ReadError> {
        for partition in self.partitions.load().iter().rev() {
            for offset in partition.ids.find(hash).map_err(ReadError::Io)? {
                if offset < first {
                    continue;
                }
                let found = self.records(room, offset, offset, Direction::Forward, usize::MAX)?.pop();
                let same =
                    |stored: &Stored| *stored.record.sender == *sender && *stored.record.message_id == *message_id;
                if let Some(stored) = found.filter(same) {
                    return Ok(Some(stored));
                }
            }
        }
        Ok(None)
    }

    fn marker(&self, room: u64, user: &str) -> Result<Option<Marker>, ReadError> {
        let value = guarded(|| self.markers.get(marker_key(room, user))).map_err(ReadError::Io)?;
        value.map(|value| marker_row(&value)).transpose().map_err(|malformed| ReadError::Io(malformed.0.into()))
    }

    fn related(&self, room: u64, target: u64) -> Result<Vec<u64>, ReadError> {
        let mut offsets = Vec::new();
        for partition in self.partitions.load().iter() {
            offsets.extend(partition.related(room, target).map_err(ReadError::Io)?);
        }
        Ok(offsets)
    }

    fn report(&self, room: u64, error: &ReadError) {
        self.gate.damage(format!("room {room}: {error}"));
    }
}

pub(crate) fn marker_key(room: u64, user: &str) -> Vec<u8> {
    [&room.to_be_bytes()[..], user.as_bytes()].concat()
}

pub(crate) fn marker_value(marker: Marker) -> Vec<u8> {
    let mut value = Vec::with_capacity(10);
    put_number(&mut value, marker.offset);
    put_number(&mut value, marker.ordinal);
    value
}

fn marker_row(value: &[u8]) -> Result<Marker, Malformed> {
    let mut fields = Fields(value);
    Ok(Marker { offset: fields.number()?, ordinal: fields.number()? })
}

pub(crate) fn room_value(name: &str, standing: &Standing) -> Vec<u8> {
    let mut value = vec![mode_code(standing.mode)];
    let Standing { epoch, first, last, ordinal, time_ms, volume, .. } = *standing;
    [epoch, first, last, ordinal, time_ms, volume].iter().for_each(|number| put_number(&mut value, *number));
    put_text(&mut value, name);
    let checksum = crc32fast::hash(&value);
    value.extend_from_slice(&checksum.to_le_bytes());
    value
}

pub(crate) fn room_row(value: &[u8]) -> Result<(&str, Standing), Malformed> {
    let (row, checksum) = value.split_last_chunk::<4>().ok_or(Malformed("cut short"))?;
    if crc32fast::hash(row) != u32::from_le_bytes(*checksum) {
        return Err(Malformed("wrong checksum"));
    }
    let mut fields = Fields(row);
    let standing = Standing {
        mode: mode_of(fields.byte()?)?,
        epoch: fields.number()?,
        first: fields.number()?,
        last: fields.number()?,
        ordinal: fields.number()?,
        time_ms: fields.number()?,
        volume: fields.number()?,
    };
    Ok((fields.text()?, standing))
}

/// A crash may leave a partition that was being made or removed.
fn remove_strangers(dir: &Path, manifest: &Manifest) -> std::io::Result<()> {
    for entry in dir.read_dir()? {
        let path = entry?.path();
        let is_partition = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("blocks-"));
        let known = manifest.partitions.iter().any(|entry| path == partition::path(dir, entry.number));
        if is_partition && !known {
            std::fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}
