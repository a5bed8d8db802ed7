//! One partition of the long-term store: a sled database with the blocks of a stretch of time, the index of their
//! message ids, and which edits and appended parts belong to which message. Space is given back by whole partitions.
//!
//! ```text
//! blocks    room u64 BE · first offset u64 BE            version u8 · record frames, consecutive
//! related   room u64 BE · target u64 BE · offset u64 BE  (empty)
//! ids       see runs.rs
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::engine::{Engine, each, guarded};
use super::manifest::PartitionEntry;
use super::record::{Fields, Malformed, Stored, put_stored};
use super::runs::Runs;

/// Most bytes of a block, unless a single record has more.
pub(crate) const BLOCK_BYTES: usize = 32 << 10;
pub(crate) const BLOCK_VERSION: u8 = 1;

/// See the head of the file.
pub(crate) struct Partition {
    pub number: u64,
    pub engine: Engine,
    pub blocks: sled::Tree,
    pub related: sled::Tree,
    pub ids: Runs,
    pub live_bytes: AtomicU64,
    pub dirty_since_ms: AtomicU64,
    pub copied_factor: AtomicU64,
    /// Last, because fields are dropped in this order: sled lets go of its files first.
    remains: Remains,
}

/// The directory that goes when the last reader lets go, if the partition was condemned.
struct Remains {
    path: PathBuf,
    condemned: AtomicBool,
}

impl Partition {
    /// Opens a partition, or makes it, unless it `must_exist`.
    pub fn open(dir: &Path, entry: &PartitionEntry, cache_bytes: u64, must_exist: bool) -> Result<Self, String> {
        let path = path(dir, entry.number);
        let engine = Engine::open(&path, cache_bytes, must_exist)?;
        Ok(Self {
            number: entry.number,
            blocks: engine.tree("blocks")?,
            related: engine.tree("related")?,
            ids: Runs::open(engine.tree("ids")?)?,
            live_bytes: AtomicU64::new(entry.live_bytes),
            dirty_since_ms: AtomicU64::new(entry.dirty_since_ms),
            copied_factor: AtomicU64::new(entry.copied_factor),
            engine,
            remains: Remains { path, condemned: AtomicBool::new(false) },
        })
    }

    pub fn entry(&self) -> PartitionEntry {
        PartitionEntry {
            number: self.number,
            live_bytes: self.live_bytes.load(Ordering::Relaxed),
            dirty_since_ms: self.dirty_since_ms.load(Ordering::Relaxed),
            copied_factor: self.copied_factor.load(Ordering::Relaxed),
        }
    }

    /// The block with the highest first offset up to `offset`.
    pub fn block_at(&self, room: u64, offset: u64) -> Result<Option<(u64, sled::IVec)>, String> {
        let found = guarded(|| self.blocks.get_lt(block_key(room, offset.saturating_add(1))))?;
        Ok(found.and_then(|(key, value)| {
            let (of, first) = split_key(&key)?;
            (of == room).then_some((first, value))
        }))
    }

    /// Offsets that belong to `target`.
    pub fn related(&self, room: u64, target: u64) -> Result<Vec<u64>, String> {
        let low = related_key(room, target, 0);
        let found = self.related.range(low..=related_key(room, target, u64::MAX)).keys();
        each(found)
            .map(|key| Ok(Fields(key?.get(16..).unwrap_or_default()).fixed_u64().unwrap_or_default().swap_bytes()))
            .collect()
    }

    /// The payloads before this moment's block rewrites are still in the files: since when.
    pub fn dirty(&self, since_ms: u64) {
        let set = |present| if present == 0 || since_ms < present { Some(since_ms.max(1)) } else { None };
        // An unchanged mark is no failure.
        let _ = self.dirty_since_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, set);
    }

    pub fn add_live(&self, added: usize, removed: usize) {
        let next = |live: u64| Some((live + added as u64).saturating_sub(removed as u64));
        let _ = self.live_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// How many times what is live in it its files are, rounded down.
    pub fn factor(&self) -> u64 {
        self.engine.disk_bytes() / self.live_bytes.load(Ordering::Relaxed).max(1)
    }

    /// Removes its directory as soon as nobody reads it any more.
    pub fn condemn(&self) {
        self.remains.condemned.store(true, Ordering::Release);
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.condemned.load(Ordering::Acquire)
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a dropped partition could not be removed; the next start removes it");
        }
    }
}

pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("blocks-{number:06}"))
}

pub(crate) fn block_key(room: u64, first: u64) -> [u8; 16] {
    (u128::from(room) << 64 | u128::from(first)).to_be_bytes()
}

pub(crate) fn related_key(room: u64, target: u64, offset: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&block_key(room, target));
    key[16..].copy_from_slice(&offset.to_be_bytes());
    key
}

pub(crate) fn split_key(key: &[u8]) -> Option<(u64, u64)> {
    let key = u128::from_be_bytes(key.try_into().ok()?);
    Some(((key >> 64) as u64, key as u64))
}

/// A block of these records.
pub(crate) fn block(records: &[Stored]) -> Vec<u8> {
    let mut value = vec![BLOCK_VERSION];
    records.iter().for_each(|stored| put_stored(&mut value, stored));
    value
}

/// The records of a block that begins at `first`, as far as they are sound, and why not further.
pub(crate) fn open_block(first: u64, value: &[u8]) -> (Vec<Stored>, Option<Malformed>) {
    let mut records = Vec::new();
    let mut fields = Fields(value);
    if fields.byte() != Ok(BLOCK_VERSION) {
        return (records, Some(Malformed("unknown version of a block")));
    }
    while !fields.0.is_empty() {
        match fields.stored() {
            Ok(stored) if stored.record.offset == first + records.len() as u64 => records.push(stored),
            Ok(_) => return (records, Some(Malformed("a record is not where it should be"))),
            Err(malformed) => return (records, Some(malformed)),
        }
    }
    let empty = records.is_empty().then_some(Malformed("an empty block"));
    (records, empty)
}
