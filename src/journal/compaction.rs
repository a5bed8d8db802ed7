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
use std::time::Duration;

use super::engine::{each, guarded};
use super::fold::blocks;
use super::partition::{Partition, block_key, open_block, related_key, split_key};
use super::record::Stored;
use super::state::{State, related_target};
use super::store::{Moving, Store, Writer};
use super::{JournalConfig, space};

/// Most bytes copied while the writer is held.
const STEP_BYTES: usize = 1 << 20;
/// Between two steps, for others: the fold above all.
const REST: Duration = Duration::from_millis(10);
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
/// … and this many times as large, beside what is live, as a fresh copy was: sled needs several times the bytes of many
/// small blocks, and copying that over and over would gain nothing.
const COPY_FACTOR: u64 = 2;

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
        if !store.writer.lock().is_settled() {
            return Ok(());
        }
        delete_trimmed(store, state)?;
        let mut copied = 0;
        while copied < CALL_BYTES {
            let mut writer = store.writer.lock();
            if !writer.is_settled() || space::is_nearly_full(&store.dir) {
                return Ok(());
            }
            if self.job.is_none() {
                self.job = self.begin(store, &mut writer, now_ms)?;
            }
            let Some(mut job) = self.job.take() else { return Ok(()) };
            // On an error the job is gone for good: after it nobody knows what the copy has.
            let (bytes, done) = job.copy(store, state).inspect_err(|_| job.abandon(&mut writer))?;
            copied += bytes;
            if done {
                job.finish(store, &mut writer)?;
            } else {
                self.job = Some(job);
            }
            drop(writer);
            std::thread::sleep(REST);
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
            store.add_partition(writer).inspect_err(|reason| failed(store, reason))?;
        }
        let sources = partitions[first..=last].to_vec();
        let target = store.new_partition(writer)?;
        writer.moving =
            Some(Moving { sources: sources.iter().map(|from| from.number).collect(), target: target.clone() });
        Ok(Some(Job { sources, target, source: 0, key: [0; 16], ids: Vec::new() }))
    }

    fn is_due(&self, partition: &Partition, now_ms: u64) -> bool {
        let dirty = partition.dirty_since_ms.load(Ordering::Relaxed);
        let dead_factor = DEAD_FACTOR.max(COPY_FACTOR * partition.copied_factor.load(Ordering::Relaxed));
        let dead = partition.engine.disk_bytes() > DISK_BYTES_MIN && partition.factor() > dead_factor;
        dead || dirty > 0 && now_ms >= dirty.saturating_add(self.erase_within_ms / 2)
    }
}

impl Job {
    /// Copies about a step; how many bytes, and whether all is copied.
    fn copy(&mut self, store: &Store, state: &State) -> Result<(usize, bool), String> {
        let Some(source) = self.sources.get(self.source).cloned() else { return Ok((0, true)) };
        let (mut batch, mut bytes, mut puts) = (sled::Batch::default(), 0, 0);
        for item in each(source.blocks.range(self.key..)) {
            let (key, value) = item?;
            if bytes >= STEP_BYTES || puts >= REMOVALS {
                let next = key.as_ref().try_into().map_err(|_| "a block has no valid key")?;
                self.write(batch).inspect_err(|reason| failed(store, reason))?;
                self.key = next;
                return Ok((bytes, false));
            }
            bytes += value.len();
            puts += 1;
            self.block(state, &mut batch, &key, &value)?;
        }
        self.write(batch).inspect_err(|reason| failed(store, reason))?;
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

    /// Gives the copy up; its directory goes.
    fn abandon(&self, writer: &mut Writer) {
        writer.moving = None;
        self.target.condemn();
    }

    /// Makes the copy durable as a whole; whether it is empty.
    fn complete(&mut self) -> Result<bool, String> {
        self.target.ids.add(std::mem::take(&mut self.ids))?;
        self.target.engine.sync()?;
        Ok(guarded(|| self.target.blocks.first())?.is_none())
    }

    fn finish(mut self, store: &Store, writer: &mut Writer) -> Result<(), String> {
        let completed = self.complete().inspect_err(|reason| {
            failed(store, reason);
            self.abandon(writer);
        });
        let is_empty = completed?;
        self.target.copied_factor.store(self.target.factor() + 1, Ordering::Relaxed);
        writer.moving = None;
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
        // Neither the sources nor the copy may go when nobody knows which of them the manifest names.
        store.save(writer).inspect_err(|reason| failed(store, reason))?;
        self.sources.iter().for_each(|source| source.condemn());
        if is_empty {
            self.target.condemn();
        }
        Ok(())
    }
}

/// A failed write or sync is for good: the fold uses the same files and disk.
fn failed(store: &Store, reason: &str) {
    store.gate.poison(format!("reclaiming space: {reason}"));
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
    for item in each(partition.blocks.range(block_key(room, 0)..block_key(room, first))) {
        let (key, value) = item?;
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
