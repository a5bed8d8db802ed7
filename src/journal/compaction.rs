//! Giving space back, and making erased payloads really gone.
//!
//! sled reuses space inside its file but hardly ever returns it, and keeps old values of rewritten blocks. So partitions
//! are copied: what is retained goes to a fresh one, the old directory is deleted. Owns when and in which steps; a step
//! holds the writer for about a megabyte, so the fold is never kept waiting for long.
//!
//! A partition is due when erased payloads have been in its files for half the time allowed, or when most of its file is
//! dead. Smaller neighbours before it are taken along, so that partitions do not become many.
//!
//! Invariant: readers see the old partitions or the new one, both complete; damaged blocks are copied as they are.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::engine::guarded;
use super::fold::blocks;
use super::partition::{Partition, block_key, open_block, related_key, split_key};
use super::record::Stored;
use super::state::{State, related_target};
use super::store::{Moving, Store, Writer};
use super::{JournalConfig, space};

/// Most bytes copied while the writer is held.
const STEP_BYTES: usize = 1 << 20;
/// Most bytes copied in one call of `maintain`.
const CALL_BYTES: usize = 32 << 20;
/// Ids are written in runs of this many.
const IDS_PER_RUN: usize = 1 << 18;
/// Most rooms whose trimmed blocks are deleted in one call.
const ROOMS_PER_CALL: usize = 2_000;
/// Most blocks deleted in one batch.
const REMOVALS: usize = 256;
/// A file below this is not worth copying for its space: sled's smallest file is one segment.
const DISK_BYTES_MIN: u64 = 24 << 20;
/// A file is mostly dead when it is this many times what is live in it.
const DEAD_FACTOR: u64 = 4;

/// A copy under way.
struct Job {
    sources: Vec<Arc<Partition>>,
    target: Arc<Partition>,
    /// Which source, and the first key of it that is not copied.
    source: usize,
    key: [u8; 16],
    ids: Vec<(u64, u64)>,
}

/// See the head of the file.
pub(crate) struct Compactor {
    job: Option<Job>,
    erase_within_ms: u64,
    partition_bytes: u64,
}

impl Compactor {
    pub fn new(config: &JournalConfig) -> Self {
        Self { job: None, erase_within_ms: config.erase_within_ms, partition_bytes: config.partition_bytes }
    }

    /// A bounded piece of work.
    pub fn step(&mut self, store: &Store, state: &State, now_ms: u64) -> Result<(), String> {
        delete_trimmed(store, state)?;
        let mut copied = 0;
        while copied < CALL_BYTES {
            let mut writer = store.writer.lock();
            if self.job.is_none() {
                self.job = self.begin(store, &mut writer, now_ms)?;
            }
            let Some(job) = self.job.as_mut() else { return Ok(()) };
            // An abandoned job leaves a partition that no list names; the next start removes it.
            let (bytes, done) = job.copy(state).inspect_err(|_| writer.moving = None)?;
            copied += bytes;
            if done && let Some(job) = self.job.take() {
                job.finish(store, &mut writer)?;
            }
        }
        Ok(())
    }

    fn begin(&self, store: &Store, writer: &mut Writer, now_ms: u64) -> Result<Option<Job>, String> {
        let partitions = store.partitions.load_full();
        let Some(last) = partitions.iter().rposition(|partition| self.is_due(partition, now_ms)) else {
            return Ok(None);
        };
        let live = |index: usize| partitions[index].live_bytes.load(Ordering::Relaxed);
        let (mut first, mut total) = (last, live(last));
        while first > 0 && live(first - 1) <= 2 * total && total + live(first - 1) <= self.partition_bytes / 2 {
            first -= 1;
            total += live(first);
        }
        if space::shortage(&store.dir, 2 * total).is_some() {
            return Ok(None);
        }
        if last + 1 == partitions.len() {
            // The fold must not write into what is being copied.
            store.add_partition(writer)?;
        }
        let sources = partitions[first..=last].to_vec();
        let target = store.new_partition(writer)?;
        writer.moving =
            Some(Moving { sources: sources.iter().map(|from| from.number).collect(), target: target.clone() });
        Ok(Some(Job { sources, target, source: 0, key: [0; 16], ids: Vec::new() }))
    }

    fn is_due(&self, partition: &Partition, now_ms: u64) -> bool {
        let dirty = partition.dirty_since_ms.load(Ordering::Relaxed);
        let disk = partition.engine.disk_bytes();
        let dead = disk > DISK_BYTES_MIN && disk > DEAD_FACTOR * partition.live_bytes.load(Ordering::Relaxed);
        dead || dirty > 0 && now_ms >= dirty.saturating_add(self.erase_within_ms / 2)
    }
}

impl Job {
    /// Copies about a step; how many bytes, and whether all is copied.
    fn copy(&mut self, state: &State) -> Result<(usize, bool), String> {
        let Some(source) = self.sources.get(self.source).cloned() else { return Ok((0, true)) };
        let (mut batch, mut bytes, mut puts) = (sled::Batch::default(), 0, 0);
        for item in source.blocks.range(self.key..) {
            let (key, value) = guarded(|| item)?;
            if bytes >= STEP_BYTES || puts >= REMOVALS {
                self.key.copy_from_slice(&key);
                self.write(batch)?;
                return Ok((bytes, false));
            }
            bytes += value.len();
            puts += 1;
            self.block(state, &mut batch, &key, &value)?;
        }
        self.write(batch)?;
        (self.source, self.key) = (self.source + 1, [0; 16]);
        Ok((bytes, self.source == self.sources.len()))
    }

    fn block(&mut self, state: &State, batch: &mut sled::Batch, key: &[u8], value: &[u8]) -> Result<(), String> {
        let (room, first) = split_key(key).ok_or("a block has no valid key")?;
        let (mut records, malformed) = open_block(first, value);
        let retained = state.standing(room).map_or(1, |standing| standing.first);
        if malformed.is_some() {
            self.target.add_live(value.len(), 0);
            batch.insert(key, value);
        } else {
            records.retain(|stored| stored.record.offset >= retained);
            for (first, value) in blocks(&records) {
                self.target.add_live(value.len(), 0);
                batch.insert(&block_key(room, first), value);
            }
        }
        self.index(state, room, &records)
    }

    fn index(&mut self, state: &State, room: u64, records: &[Stored]) -> Result<(), String> {
        for record in records.iter().map(|stored| &stored.record) {
            self.ids.push((state.key.hash(room, &record.sender, &record.message_id), record.offset));
            if let Some(target) = related_target(record) {
                guarded(|| self.target.related.insert(related_key(room, target, record.offset), &[]))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: sled::Batch) -> Result<(), String> {
        guarded(|| self.target.blocks.apply_batch(batch))?;
        if self.ids.len() >= IDS_PER_RUN {
            self.target.ids.add(std::mem::take(&mut self.ids))?;
        }
        self.target.engine.sync()
    }

    fn finish(self, store: &Store, writer: &mut Writer) -> Result<(), String> {
        self.target.ids.add(self.ids)?;
        self.target.engine.sync()?;
        writer.moving = None;
        let is_empty = guarded(|| self.target.blocks.first())?.is_none();
        let mut list = Vec::new();
        for partition in store.partitions.load().iter() {
            if partition.number == self.sources[0].number && !is_empty {
                list.push(self.target.clone());
            }
            if !self.sources.iter().any(|source| source.number == partition.number) {
                list.push(partition.clone());
            }
        }
        store.partitions.store(Arc::new(list));
        store.save(writer)?;
        self.sources.iter().for_each(|source| source.condemn());
        if is_empty {
            self.target.condemn();
        }
        Ok(())
    }
}

/// Deletes whole blocks before the first offsets of rooms that were trimmed.
fn delete_trimmed(store: &Store, state: &State) -> Result<(), String> {
    for _ in 0..ROOMS_PER_CALL {
        let Some(room) = store.trimmed.lock().pop_first() else { return Ok(()) };
        let first = state.standing(room).map_or(1, |standing| standing.first);
        for partition in store.partitions.load().iter() {
            while !delete_blocks(store, partition, room, first)? {}
        }
    }
    Ok(())
}

/// Deletes a batch of a room's blocks that end before `first`; whether that was all.
fn delete_blocks(store: &Store, partition: &Partition, room: u64, first: u64) -> Result<bool, String> {
    let _writer = store.writer.lock();
    let (mut batch, mut bytes, mut removed) = (sled::Batch::default(), 0, 0);
    for item in partition.blocks.range(block_key(room, 0)..block_key(room, first)) {
        let (key, value) = guarded(|| item)?;
        let Some((_, at)) = split_key(&key) else { continue };
        let (records, malformed) = open_block(at, &value);
        if malformed.is_some() || at + records.len() as u64 > first {
            continue;
        }
        batch.remove(key);
        bytes += value.len();
        removed += 1;
        if removed == REMOVALS {
            break;
        }
    }
    if removed > 0 {
        guarded(|| partition.blocks.apply_batch(batch))?;
        partition.add_live(0, bytes);
    }
    Ok(removed < REMOVALS)
}
