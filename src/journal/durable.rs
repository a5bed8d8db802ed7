//! The durable journal: write-ahead file in front, partitions of sled behind, one memory between them.
//!
//! Owns the composition: opening and recovery, the two threads, maintenance, closing. What an acknowledgement rests on
//! is in `wal.rs` and `group_commit.rs`; the rest may fail and be rebuilt by replaying.
//!
//! Dropping without [`Journal::close`] is like a crash: nothing is folded, what was acknowledged is on disk.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::backlog::{Backlog, Pending};
use super::change::Change;
use super::compaction::Compactor;
use super::fold::Folder;
use super::front::{self, Front};
use super::gate::Gate;
use super::group_commit::{Log, WriteError};
use super::ids::IdKey;
use super::manifest::Manifest;
use super::queue::{Queue, Work};
use super::recovery::{self, ReplayError};
use super::retention::Retainer;
use super::space::{self, Ballast, Lock};
use super::state::State;
use super::store::Store;
use super::wal::{self, Wal};
use super::{
    Bounds, CommitSink, Entry, Health, Journal, JournalConfig, Marker, Page, ReadError, ReadRange, Refusal, Retention,
    RoomId, RoomInfo, Stats, Ticket, page,
};

/// Why a journal does not open. Nothing on disk was changed, except that a torn tail may have been cut off.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the directory.
    InUse(PathBuf),
    /// What is stored is not what it was; `konvert journal verify` tells more.
    Damaged(String),
    /// The disk did not answer.
    Io(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(dir) => write!(f, "another process uses {}", dir.display()),
            Self::Damaged(report) => write!(f, "the journal is damaged and stays as it is: {report}"),
            Self::Io(reason) => write!(f, "the journal cannot be opened: {reason}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<ReplayError> for OpenError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Damaged { .. } => Self::Damaged(error.to_string()),
            ReplayError::Io(error) => Self::Io(error.to_string()),
        }
    }
}

/// See the head of the file.
pub struct DurableJournal {
    front: Front,
    store: Arc<Store>,
    backlog: Arc<Backlog>,
    retainer: Retainer,
    compactor: Mutex<Compactor>,
    wal_dirty_since_ms: Arc<AtomicU64>,
    ballast: Ballast,
    config: JournalConfig,
    threads: Mutex<Vec<JoinHandle<()>>>,
    dir: PathBuf,
    /// Last: the directory is free for others only when everything else is gone.
    _lock: Lock,
}

impl DurableJournal {
    /// Opens or creates the journal in `dir`, replays what was not folded, and starts the commit and fold threads.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, config: &JournalConfig, sink: Arc<dyn CommitSink>) -> Result<Arc<Self>, OpenError> {
        fs::create_dir_all(dir)?;
        let lock = Lock::take(dir)?.ok_or_else(|| OpenError::InUse(dir.to_owned()))?;
        let ballast = Ballast::new(dir, config.ballast_bytes);
        if space::shortage(dir, config.free_bytes_min).is_some() {
            ballast.release()?;
        }
        let manifest = read_manifest(dir)?;
        let gate = Arc::new(Gate::default());
        let state = Arc::new(State::new(config.recent_bytes, IdKey::new(manifest.key)));
        let (folded, seal) = (manifest.folded, manifest.seal());
        let store = Store::open(dir, manifest, config.cache_bytes, gate.clone()).map_err(OpenError::Damaged)?;
        let store = Arc::new(store);
        let mark = store.load_rooms(&state, folded).map_err(OpenError::Damaged)?;
        let backlog = Arc::new(Backlog::default());
        let (wal, commit) = replay(dir, (folded, mark, seal), &state, &backlog)?;
        store.begin(commit)?;
        let front = Front {
            queue: Arc::new(Queue::new(config.queue_count, config.queue_bytes)),
            state: state.clone(),
            cold: store.clone(),
            gate,
            counters: Arc::default(),
        };
        // What was erased before the start may be in the segment we go on with: the first maintenance leaves it.
        let wal_dirty_since_ms = Arc::new(AtomicU64::new(u64::from(!wal.is_empty())));
        let journal = Self {
            store: store.clone(),
            backlog: backlog.clone(),
            retainer: Retainer::new(config.retention),
            compactor: Mutex::new(Compactor::new(config)),
            wal_dirty_since_ms: wal_dirty_since_ms.clone(),
            ballast,
            config: config.clone(),
            threads: Mutex::default(),
            dir: dir.to_owned(),
            _lock: lock,
            front,
        };
        journal.look_at_space();
        let counters = journal.front.counters.clone();
        let partition_bytes = config.partition_bytes;
        let folder = Folder { store, state, backlog: backlog.clone(), counters, partition_bytes, replayed: commit };
        let log = DurableLog { wal, backlog, dirty_since_ms: wal_dirty_since_ms };
        let threads = vec![
            thread::Builder::new().name("journal-fold".into()).spawn(move || folder.run())?,
            journal.front.start(sink, log, commit)?,
        ];
        *journal.threads.lock() = threads;
        Ok(Arc::new(journal))
    }

    fn look_at_space(&self) {
        let floor = self.config.free_bytes_min;
        self.front.gate.set_space(space::shortage(&self.dir, floor));
        let restored = space::free_bytes(&self.dir).and_then(|free| self.ballast.restore(free, floor));
        if let Err(error) = restored {
            tracing::warn!(%error, "the reserve file could not be made");
        }
    }

    /// Removes write-ahead segments that have erased payloads: goes on in a new one, folds everything before it.
    fn clean_wal(&self, now_ms: u64) {
        let since = self.wal_dirty_since_ms.load(Ordering::Acquire);
        if since == 0 || now_ms < since.saturating_add(self.config.erase_within_ms / 2) {
            return;
        }
        // A delete that comes from now on sets the mark again.
        self.wal_dirty_since_ms.store(0, Ordering::Release);
        if let Err(reason) = self.leave_segments() {
            mark_dirty(&self.wal_dirty_since_ms, since);
            tracing::warn!(%reason, "write-ahead segments with erased payloads could not be removed");
        }
    }

    /// Goes on in a new segment and removes all before it.
    fn leave_segments(&self) -> Result<(), String> {
        let (reply, done) = sync_channel(1);
        self.front.queue.push(Work::Rotate { reply }).map_err(|refusal| format!("{refusal:?}"))?;
        let segment = done.recv().map_err(|_| "no new segment was started")?;
        let needed = self.backlog.flush();
        wal::delete_before(&self.dir, needed).map_err(|error| error.to_string())?;
        if needed < segment { Err("the fold does not go on".into()) } else { Ok(()) }
    }

    fn stop(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        threads.into_iter().for_each(|thread| front::join(Some(thread)));
    }
}

impl Journal for DurableJournal {
    fn submit(&self, entry: Entry, ticket: Ticket) -> Result<(), Refusal> {
        self.front.submit(entry, ticket)
    }

    fn find(&self, name: &str) -> Option<RoomInfo> {
        self.front.find(name)
    }

    fn info(&self, room: RoomId) -> Option<RoomInfo> {
        self.front.state.info(room.0)
    }

    fn each_room(&self, visit: &mut dyn FnMut(&RoomInfo, &Bounds)) {
        self.front.state.each_room(visit);
    }

    fn bounds(&self, room: RoomId) -> Option<Bounds> {
        self.front.bounds(room)
    }

    fn recent(&self, room: RoomId, range: ReadRange) -> Option<Result<Page, ReadError>> {
        page::recent(&self.front.state, room, range)
    }

    fn read(&self, room: RoomId, range: ReadRange) -> Result<Page, ReadError> {
        self.front.read(room, range)
    }

    fn marker(&self, room: RoomId, user: &str) -> Marker {
        self.front.marker(room, user)
    }

    fn trim(&self, room: RoomId, first: u64) -> Result<Bounds, Refusal> {
        self.front.trim(room, first)
    }

    fn set_retention(&self, room: RoomId, retention: Retention) {
        self.retainer.set(room, retention);
    }

    fn maintain(&self, now_ms: u64) {
        self.look_at_space();
        if self.front.gate.poisoned_because().is_some() || space::is_nearly_full(&self.dir) {
            return;
        }
        self.front.retain(&self.retainer, now_ms);
        self.clean_wal(now_ms);
        let mut compactor = self.compactor.lock();
        if let Err(reason) = compactor.step(&self.store, &self.front.state, now_ms) {
            self.front.gate.damage(format!("reclaiming space: {reason}"));
        }
    }

    fn health(&self) -> Health {
        let mut damage = self.front.gate.damages();
        if self.store.has_blobs() {
            damage.push("the long-term store wrote a file into blobs/, which is not synced".into());
        }
        Health {
            read_only: self.front.gate.closed_because(),
            damage,
            unfolded_bytes: self.backlog.bytes(),
            free_bytes: space::free_bytes(&self.dir).ok(),
        }
    }

    fn stats(&self) -> Stats {
        self.front.stats()
    }

    fn close(&self) {
        self.front.queue.close();
        let mut threads = std::mem::take(&mut *self.threads.lock());
        front::join(threads.pop());
        self.backlog.drain();
        front::join(threads.pop());
    }
}

impl Drop for DurableJournal {
    fn drop(&mut self) {
        self.front.queue.drop_all();
        self.backlog.stop();
        self.stop();
    }
}

fn read_manifest(dir: &Path) -> Result<Manifest, OpenError> {
    if let Some(manifest) = Manifest::read(dir).map_err(OpenError::Damaged)? {
        if wal::segments(dir)?.is_empty() {
            return Err(OpenError::Damaged("the write-ahead file is missing".into()));
        }
        return Ok(manifest);
    }
    // The first segment is made before the manifest: without a manifest nothing was ever acknowledged.
    if wal::segments(dir)?.len() > 1 || dir.join("rooms").exists() {
        return Err(OpenError::Damaged("the manifest is missing".into()));
    }
    wal::delete_before(dir, u64::MAX)?;
    let manifest = Manifest::new(rand::random());
    Wal::create(dir, 1, manifest.seal())?;
    manifest.write(dir)?;
    Ok(manifest)
}

/// A change whose room is not there speaks of one that was lost.
fn apply(state: &State, change: &Change, commit: u64) -> Result<(), String> {
    let (room, known) = match change {
        Change::Room { id, .. } => (*id, state.count() + 1),
        Change::Record { room, .. } | Change::Trim { room, .. } | Change::Marker { room, .. } => (*room, state.count()),
    };
    if !(1..=known).contains(&room) {
        return Err(format!("commit {commit} speaks of room {room}, but only {} are there", state.count()));
    }
    state.apply(change, commit);
    Ok(())
}

/// Why the rooms speak of more than the write-ahead file has, if they do: its end was damaged, not torn.
fn uncovered(commit: u64, mark: u64, state: &State) -> Option<String> {
    if mark > commit {
        return Some(format!("rooms stand at commit {mark}, the write-ahead file ends at {commit}"));
    }
    let room = state.with_gap()?;
    Some(format!("the last records of room {room} are missing in the write-ahead file"))
}

fn replay(
    dir: &Path,
    (folded, mark, seal): (u64, u64, u32),
    state: &State,
    backlog: &Backlog,
) -> Result<(Wal, u64), OpenError> {
    let mut wrong = None;
    let tail = recovery::replay(dir, folded, seal, |batch| {
        if wrong.is_none() {
            wrong = batch.changes.iter().find_map(|change| apply(state, change, batch.commit).err());
        }
        let changes = Arc::new(batch.changes);
        backlog.push(Pending { commit: batch.commit, segment: batch.segment, bytes: batch.bytes, changes });
    })?;
    if let Some(reason) = wrong.or_else(|| uncovered(tail.commit, mark, state)) {
        return Err(OpenError::Damaged(reason));
    }
    if tail.torn > 0 {
        tracing::warn!(segment = tail.segment, bytes = tail.torn, "a torn batch at the end was cut off");
    }
    recovery::cut(dir, &tail)?;
    let whole = tail.length >= wal::SEGMENT_HEADER as u64;
    if whole && tail.commit > folded {
        recovery::settle(dir, &tail)?;
    }
    let wal =
        if whole { Wal::resume(dir, tail.segment, tail.length, seal) } else { Wal::create(dir, tail.segment, seal) }?;
    backlog.rotated(tail.segment);
    Ok((wal, tail.commit))
}

/// Erased payloads are in the write-ahead file: since when at the latest.
fn mark_dirty(mark: &AtomicU64, since_ms: u64) {
    let earlier = |present| (present == 0 || since_ms < present).then_some(since_ms.max(1));
    // An unchanged mark is no failure.
    let _ = mark.fetch_update(Ordering::AcqRel, Ordering::Acquire, earlier);
}

/// The write-ahead file, and the backlog of the fold behind it.
struct DurableLog {
    wal: Wal,
    backlog: Arc<Backlog>,
    dirty_since_ms: Arc<AtomicU64>,
}

impl Log for DurableLog {
    fn write(&mut self, commit: u64, changes: &[Change]) -> Result<u64, WriteError> {
        let bytes = self.wal.append(commit, changes)?;
        for change in changes {
            if let Change::Record { stored, erased, .. } = change
                && !erased.is_empty()
            {
                mark_dirty(&self.dirty_since_ms, stored.record.time_ms);
            }
        }
        Ok(bytes)
    }

    fn wait_until_ready(&self) {
        self.backlog.wait_for_room();
    }

    fn rotate(&mut self) -> Result<u64, WriteError> {
        let failed = |error| WriteError { reason: format!("cannot start a segment: {error}"), undone: true };
        self.wal.rotate().map_err(failed)?;
        self.backlog.rotated(self.wal.segment());
        Ok(self.wal.segment())
    }

    fn committed(&mut self, commit: u64, changes: Vec<Change>, bytes: u64) {
        let segment = self.wal.segment();
        self.backlog.push(Pending { commit, segment, bytes, changes: Arc::new(changes) });
    }
}
