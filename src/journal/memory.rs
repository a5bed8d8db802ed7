//! The journal's in-memory twin: the same sequencing and group commit without a disk. For tests and benches of what is
//! above the journal, and the second implementation that keeps the seam honest.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::change::Change;
use super::group_commit::{Log, WriteError};
use super::ids::IdKey;
use super::page::{self, Cold};
use super::queue::Queue;
use super::record::Stored;
use super::retention::Retainer;
use super::state::State;
use super::{
    Bounds, CommitSink, Direction, Entry, Health, Journal, JournalConfig, Marker, Page, ReadError, ReadRange, Refusal,
    Retention, RoomId, RoomInfo, Stats, Ticket, front::Front,
};

/// A journal that forgets everything when it is dropped.
pub struct MemoryJournal {
    front: Front,
    retainer: Retainer,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl MemoryJournal {
    /// Starts its commit thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn new(config: &JournalConfig, sink: Arc<dyn CommitSink>) -> std::io::Result<Self> {
        let front = Front {
            queue: Arc::new(Queue::new(config.queue_count, config.queue_bytes)),
            state: Arc::new(State::new(usize::MAX, IdKey::new(rand::random()))),
            cold: Arc::new(Nothing),
            gate: Arc::default(),
            counters: Arc::default(),
        };
        let log = Forgetful { state: front.state.clone() };
        let thread = front.start(sink, log, 0)?;
        Ok(Self { front, retainer: Retainer::new(config.retention), thread: Mutex::new(Some(thread)) })
    }
}

impl Journal for MemoryJournal {
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
        self.front.retain(&self.retainer, now_ms);
    }

    fn health(&self) -> Health {
        Health { read_only: self.front.gate.closed_because(), ..Health::default() }
    }

    fn stats(&self) -> Stats {
        self.front.stats()
    }

    fn close(&self) {
        self.front.queue.close();
        super::front::join(self.thread.lock().take());
    }
}

impl Drop for MemoryJournal {
    fn drop(&mut self) {
        self.front.queue.drop_all();
        super::front::join(self.thread.get_mut().take());
    }
}

/// A log that keeps nothing beside what is in memory already.
struct Forgetful {
    state: Arc<State>,
}

impl Log for Forgetful {
    fn write(&mut self, _commit: u64, _changes: &[Change]) -> Result<u64, WriteError> {
        Ok(0)
    }

    fn committed(&mut self, commit: u64, changes: Vec<Change>, _bytes: u64) {
        // Markers and relations stay where they are: there is nowhere to fold them to.
        let erasures: Vec<Change> = changes.into_iter().filter(erases).collect();
        self.state.folded(&erasures, commit);
    }
}

fn erases(change: &Change) -> bool {
    matches!(change, Change::Record { erased, stored, .. }
        if !erased.is_empty() && super::state::related_target(&stored.record).is_none())
}

/// What is beyond memory: nothing.
pub(crate) struct Nothing;

impl Cold for Nothing {
    fn records(&self, _: u64, low: u64, _: u64, _: Direction, _: usize) -> Result<Vec<Stored>, ReadError> {
        Err(ReadError::Damaged { offset: low, reason: "not in memory".into() })
    }

    fn original(&self, _: u64, _: u64, _: u64, _: &str, _: &str) -> Result<Option<Stored>, ReadError> {
        Ok(None)
    }

    fn marker(&self, _: u64, _: &str) -> Result<Option<Marker>, ReadError> {
        Ok(None)
    }

    fn related(&self, _: u64, _: u64) -> Result<Vec<u64>, ReadError> {
        Ok(Vec::new())
    }

    fn report(&self, _: u64, _: &ReadError) {}
}
