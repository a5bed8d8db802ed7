//! The fold: what is committed moves from memory and the write-ahead file into blocks, in the background.
//!
//! Owns the shape of blocks. A room's new records are merged into its last block while that is not much larger than
//! them (a binary counter of blocks): one message in each of 100 000 rooms costs 100 000 small blocks, a busy room is
//! rewritten a few times and not at every pass.
//!
//! Order: blocks and ids → sync → rooms and markers → sync → manifest with the folded mark. Everything up to the mark may be
//! repeated after a crash: records a block has beyond the first new offset are the same ones, from the pass that was cut
//! short, and are replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::backlog::{Backlog, Pending};
use super::change::Change;
use super::engine::guarded;
use super::partition::{BLOCK_BYTES, BLOCK_VERSION, Partition, block, block_key, open_block, related_key};
use super::record::{Stored, put_stored};
use super::state::{State, related_target};
use super::stats::Counters;
use super::store::{Store, Writer, marker_key, marker_value, room_value};
use super::{Marker, space, wal};

/// Most puts per sled batch.
const STEP_PUTS: usize = 256;
/// Most bytes per sled batch.
const STEP_BYTES: usize = 2 << 20;
/// A block beyond this stays as it is: rewriting it again and again would cost a busy room more than another block.
const MERGE_BYTES: usize = 8 << 10;

/// The background thread's work.
pub(crate) struct Folder {
    pub store: Arc<Store>,
    pub state: Arc<State>,
    pub backlog: Arc<Backlog>,
    pub counters: Arc<Counters>,
    pub partition_bytes: u64,
    /// Commits up to this one came from replay: what they erased may have been in blocks before.
    pub replayed: u64,
}

/// A payload to erase, and when it was deleted.
#[derive(Clone, Copy)]
struct Erased {
    room: u64,
    offset: u64,
    time_ms: u64,
    /// A pass that was cut short may have erased it already.
    repeated: bool,
}

/// What a pass has for each place.
#[derive(Default)]
struct Gathered {
    records: BTreeMap<u64, Vec<Stored>>,
    erased: Vec<Erased>,
    markers: BTreeMap<(u64, Arc<str>), Marker>,
    rooms: std::collections::BTreeSet<u64>,
}

impl Folder {
    /// Works until the backlog is stopped or drained. An error ends it and closes the journal.
    pub fn run(self) {
        // Folding may wait, acknowledging may not. Without the right to it, it works as well.
        let _ = rustix::process::setpriority_process(None, 10);
        while let Some(pass) = self.backlog.next_pass() {
            if !self.wait_for_space() {
                break;
            }
            let folded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.pass(&pass)));
            if let Err(reason) = folded.unwrap_or_else(|_| Err("the fold thread failed".into())) {
                self.store.gate.poison(format!("folding failed: {reason}"));
                break;
            }
        }
        self.backlog.stop();
    }

    /// sled must not be the one to meet a full disk: after that it does not even read any more. So writing is closed
    /// before, until maintenance finds space again; what is not folded stays in the write-ahead file.
    fn wait_for_space(&self) -> bool {
        while let Some(reason) = space::shortage(&self.store.dir, 0) {
            self.store.gate.set_space(Some(reason));
            if !self.backlog.pause() {
                return false;
            }
        }
        true
    }

    fn pass(&self, pass: &[Pending]) -> Result<(), String> {
        let Some(last) = pass.last() else { return Ok(()) };
        let gathered = self.gather(pass);
        let mut writer = self.store.writer.lock();
        let newest = self.newest(&mut writer)?;
        writer.begun = writer.begun.max(last.commit);
        self.write_blocks(&newest, gathered.records)?;
        self.erase(&writer, &gathered.erased)?;
        newest.engine.sync()?;
        self.write_rooms(&gathered.rooms, gathered.markers, last.commit)?;
        writer.manifest.folded = last.commit;
        self.store.save(&mut writer)?;
        drop(writer);
        for pending in pass {
            self.state.folded(&pending.changes, pending.commit);
        }
        let needed = self.backlog.folded(pass);
        wal::delete_before(&self.store.dir, needed).map_err(|error| error.to_string())?;
        self.counters.fold();
        Ok(())
    }

    fn gather(&self, pass: &[Pending]) -> Gathered {
        let mut gathered = Gathered::default();
        let changes = pass.iter().flat_map(|pending| pending.changes.iter().map(|change| (pending.commit, change)));
        for (commit, change) in changes {
            match change {
                Change::Room { id, .. } => drop(gathered.rooms.insert(*id)),
                Change::Trim { room, .. } => {
                    gathered.rooms.insert(*room);
                    self.store.trimmed.lock().insert(*room);
                }
                Change::Marker { room, user, marker } => {
                    gathered.markers.insert((*room, user.clone()), *marker);
                }
                Change::Record { room, stored, erased } => {
                    gathered.rooms.insert(*room);
                    let shown =
                        if self.state.is_erased(*room, stored.record.offset) { stored.erase() } else { stored.clone() };
                    gathered.records.entry(*room).or_default().push(shown);
                    let (room, time_ms, repeated) = (*room, stored.record.time_ms, commit <= self.replayed);
                    let each = |offset: &u64| Erased { room, offset: *offset, time_ms, repeated };
                    gathered.erased.extend(erased.iter().map(each));
                }
            }
        }
        gathered
    }

    /// The partition that takes new blocks; a new one when the last is full, unless it may have these blocks already.
    fn newest(&self, writer: &mut Writer) -> Result<Arc<Partition>, String> {
        let last = self.store.partitions.load().last().cloned();
        match last.filter(|last| !writer.is_settled() || last.engine.disk_bytes() < self.partition_bytes) {
            Some(last) => Ok(last),
            None => self.store.add_partition(writer),
        }
    }

    fn write_blocks(&self, newest: &Partition, rooms: BTreeMap<u64, Vec<Stored>>) -> Result<(), String> {
        let mut ids = Vec::new();
        let mut step = Step::new(&newest.blocks, newest);
        for (room, records) in rooms {
            for stored in &records {
                let record = &stored.record;
                ids.push((self.state.key.hash(room, &record.sender, &record.message_id), record.offset));
                if let Some(target) = related_target(record) {
                    guarded(|| newest.related.insert(related_key(room, target, record.offset), &[]))?;
                }
            }
            add_to_room(&mut step, newest, room, records)?;
        }
        step.write()?;
        newest.ids.add(ids)
    }

    /// Rewrites blocks without the payloads that were erased, in a copy under way as well.
    fn erase(&self, writer: &Writer, erased: &[Erased]) -> Result<(), String> {
        for erased in erased {
            let Some((partition, first, value)) = self.store.block_at(erased.room, erased.offset)? else { continue };
            erase_in_block(&partition, erased, first, &value)?;
            if let Some(moving) = writer.moving.as_ref().filter(|moving| moving.sources.contains(&partition.number))
                && let Some((first, value)) = moving.target.block_at(erased.room, erased.offset)?
            {
                erase_in_block(&moving.target, erased, first, &value)?;
            }
        }
        Ok(())
    }

    fn write_rooms(
        &self,
        rooms: &std::collections::BTreeSet<u64>,
        markers: BTreeMap<(u64, Arc<str>), Marker>,
        commit: u64,
    ) -> Result<(), String> {
        let row = |room: &u64| {
            let (info, standing) = (self.state.info(*room)?, self.state.standing(*room)?);
            Some((*room, room_value(&info.name, &standing)))
        };
        let rows: Vec<_> = rooms.iter().filter_map(row).collect();
        // Rooms may stand beyond this pass, but not beyond what is applied by now.
        self.store.set_mark(self.state.applied())?;
        let mut batch = sled::Batch::default();
        for (index, (room, value)) in rows.into_iter().enumerate() {
            batch.insert(&room.to_be_bytes(), value);
            if index % STEP_PUTS == STEP_PUTS - 1 {
                guarded(|| self.store.rooms.apply_batch(std::mem::take(&mut batch)))?;
            }
        }
        guarded(|| self.store.rooms.apply_batch(batch))?;
        for ((room, user), marker) in markers {
            guarded(|| self.store.markers.insert(marker_key(room, &user), marker_value(marker)))?;
        }
        self.store.set_end(commit, rooms.last().copied().unwrap_or(0))?;
        self.store.meta.sync()
    }
}

/// Rewrites a block without one payload. A block that is damaged stays as it is.
fn erase_in_block(partition: &Partition, erased: &Erased, first: u64, value: &[u8]) -> Result<(), String> {
    let (mut records, malformed) = open_block(first, value);
    let Some(stored) = records.iter_mut().find(|stored| stored.record.offset == erased.offset) else { return Ok(()) };
    if erased.repeated {
        partition.dirty(erased.time_ms);
    }
    if stored.record.erased || malformed.is_some() {
        return Ok(());
    }
    *stored = stored.erase();
    let rewritten = block(&records);
    partition.add_live(rewritten.len(), value.len());
    guarded(|| partition.blocks.insert(block_key(erased.room, first), rewritten))?;
    partition.dirty(erased.time_ms);
    partition.engine.sync()
}

/// A batch of puts that is written when it is large enough.
pub(crate) struct Step<'a> {
    tree: &'a sled::Tree,
    partition: &'a Partition,
    batch: sled::Batch,
    puts: usize,
    bytes: usize,
}

impl<'a> Step<'a> {
    pub fn new(tree: &'a sled::Tree, partition: &'a Partition) -> Self {
        Self { tree, partition, batch: sled::Batch::default(), puts: 0, bytes: 0 }
    }

    pub fn put(&mut self, key: [u8; 16], value: Vec<u8>) {
        self.puts += 1;
        self.bytes += value.len();
        self.partition.add_live(value.len(), 0);
        self.batch.insert(&key, value);
    }

    fn remove(&mut self, key: [u8; 16], bytes: usize) {
        self.partition.add_live(0, bytes);
        self.batch.remove(&key);
    }

    fn write_if_large(&mut self) -> Result<(), String> {
        if self.puts >= STEP_PUTS || self.bytes >= STEP_BYTES { self.write() } else { Ok(()) }
    }

    pub fn write(&mut self) -> Result<(), String> {
        (self.puts, self.bytes) = (0, 0);
        guarded(|| self.tree.apply_batch(std::mem::take(&mut self.batch)))?;
        // Little at a time to the disk, so that no sync in between has much to wait for.
        self.partition.engine.sync()
    }
}

/// Adds a room's consecutive new records after its last block, or merged with its last blocks, in one batch: a reader
/// sees the blocks before or after, never between.
fn add_to_room(step: &mut Step<'_>, newest: &Partition, room: u64, mut records: Vec<Stored>) -> Result<(), String> {
    let Some(new_first) = records.first().map(|stored| stored.record.offset) else { return Ok(()) };
    let mut size: usize = blocks(&records).iter().map(|(_, value)| value.len()).sum();
    let mut below = u64::MAX;
    while let Some((at, value)) = newest.block_at(room, below - 1)? {
        let (mut before, malformed) = open_block(at, &value);
        let repeated = at >= new_first || at + before.len() as u64 > new_first;
        let small = value.len() <= MERGE_BYTES && value.len() <= 2 * size && value.len() + size <= BLOCK_BYTES;
        if at < new_first && (malformed.is_some() || !small && !repeated) {
            break;
        }
        step.remove(block_key(room, at), value.len());
        before.retain(|stored| stored.record.offset < new_first);
        if !before.is_empty() {
            size += value.len();
            before.append(&mut records);
            records = before;
        }
        below = at;
        if below == 0 {
            break;
        }
    }
    for (first, value) in blocks(&records) {
        step.put(block_key(room, first), value);
    }
    step.write_if_large()
}

/// Cuts records into blocks of at most [`BLOCK_BYTES`], single larger records apart: first offsets and values.
pub(crate) fn blocks(records: &[Stored]) -> Vec<(u64, Vec<u8>)> {
    let mut blocks: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut frame = Vec::new();
    for stored in records {
        frame.clear();
        put_stored(&mut frame, stored);
        match blocks.last_mut().filter(|(_, value)| value.len() + frame.len() <= BLOCK_BYTES) {
            Some((_, value)) => value.extend_from_slice(&frame),
            None => blocks.push((stored.record.offset, [&[BLOCK_VERSION], &frame[..]].concat())),
        }
    }
    blocks
}
