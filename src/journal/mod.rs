//! The durable log of every room, behind one seam.
//!
//! Owns the order of a room, its numbering, the idempotency of appends, retention, and what is on disk. Knows records
//! and offsets; refuses to know sessions, permissions or what a payload means. Time is handed in.
//!
//! Invariants every implementation keeps, shown by the same contract tests:
//! - An outcome that says stored is handed out only after the record is on disk.
//! - Offsets of a room start at 1, rise by 1 and have no holes; outcomes of a room are handed out in that order.
//! - `(sender, message id)` of a retained message is never stored twice.
//! - A read returns consecutive records or an error, never a page with a hole, never a record whose checksum is wrong.
//! - After a failed write or sync nothing more is accepted until the process restarts.

mod backlog;
mod change;
mod compaction;
mod config;
mod durable;
mod engine;
mod fold;
mod front;
mod gate;
mod group_commit;
mod ids;
mod manifest;
mod memory;
mod page;
mod partition;
mod queue;
mod record;
mod recovery;
mod retention;
mod room;
mod runs;
mod sequencer;
mod space;
mod standing;
mod state;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod wal;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use config::{JournalConfig, Retention};
pub use durable::{DurableJournal, OpenError};
pub use memory::MemoryJournal;
pub use recovery::ReplayError;
pub use room::{Bounds, Extras, Kind, Marker, Mode, Position, Record, Relation, RelationKind, RoomId, RoomInfo};
pub use verify::{Report, verify};

/// Longest payload a journal takes, bytes. With it and the longest extras a value of the long-term store stays small
/// enough for sled's guards.
pub const PAYLOAD_BYTES_MAX: usize = 90 << 10;
/// Longest extras a journal takes, bytes, see [`Extras::weight`].
pub const EXTRAS_BYTES_MAX: usize = 9 << 10;

/// Returned with the outcome of an entry, so that the submitter knows whose it is. Opaque to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Who asked.
    pub owner: u64,
    /// Which of the owner's commands.
    pub command: u32,
}

/// A message to store.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where.
    pub room: RoomId,
    /// Whose.
    pub sender: Arc<str>,
    /// The sender's display name; may be empty.
    pub sender_name: Arc<str>,
    /// Idempotency key, unique per room and sender.
    pub message_id: Box<str>,
    /// Whether it counts.
    pub kind: Kind,
    /// What it relates to. The submitter has checked that the target may be related to like this by this sender.
    pub relation: Option<Relation>,
    /// The user's bytes.
    pub payload: Bytes,
    /// Mentions and files; at most [`EXTRAS_BYTES_MAX`].
    pub extras: Option<Box<Extras>>,
    /// Store only if the room stands exactly here. Checked after idempotency: a retry gets its original position.
    pub expected: Option<Position>,
    /// Milliseconds since 1970; raised to the room's last time if below it.
    pub time_ms: u64,
}

/// One thing to make durable.
#[derive(Debug, Clone)]
pub enum Entry {
    /// Create a room, or find it if it exists.
    Create {
        /// Its name.
        name: Arc<str>,
        /// What its payloads are; fixed from now on.
        mode: Mode,
    },
    /// Store a message.
    Append(Append),
    /// Move a read marker; a marker never moves back, and never beyond the last offset.
    Mark {
        /// Where.
        room: RoomId,
        /// Whose.
        user: Arc<str>,
        /// Everything up to here is read.
        offset: u64,
    },
}

/// What became of an entry.
#[derive(Debug, Clone)]
pub enum Done {
    /// The room exists; its mode may differ from the one asked for if it existed before.
    Room(RoomInfo),
    /// The message is on disk.
    Stored {
        /// The room's numbering.
        epoch: u64,
        /// The message as stored.
        record: Arc<Record>,
        /// Offsets whose payloads this message (a delete) erased, rising; empty otherwise.
        erased: Vec<u64>,
    },
    /// The same message id with the same content is stored already.
    Duplicate {
        /// Where the original is.
        position: Position,
        /// When it was stored.
        time_ms: u64,
    },
    /// The marker is on disk, where it stands now.
    Marked {
        /// Whose it is.
        user: Arc<str>,
        /// The user's marker.
        marker: Marker,
        /// Whether this entry moved it.
        moved: bool,
    },
}

/// Why an entry was not made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such room.
    UnknownRoom,
    /// The room is not at the expected position but here.
    Conflict(Bounds),
    /// The message id was used for another content, stored here.
    DuplicateConflict(Position),
    /// The target of the relation is not there (any more) or is erased.
    BadRelation,
    /// The queue is full; nothing was stored.
    Overloaded,
    /// The journal takes no more writes, for this reason; this entry was not stored.
    ReadOnly(String),
    /// The write failed half way: the entry may or may not be there after a restart.
    Unknown(String),
}

/// An entry's outcome.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// As submitted.
    pub ticket: Ticket,
    /// The entry's room; `None` for a refused creation.
    pub room: Option<RoomId>,
    /// What became of it.
    pub result: Result<Done, Refusal>,
}

/// Where outcomes go: called from the journal's own thread, once per commit, in order. Must not block.
pub trait CommitSink: Send + Sync {
    /// Everything in `outcomes` that says stored is on disk.
    fn committed(&self, outcomes: Vec<Outcome>);
}

/// Which way a page runs. Pages themselves are always in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From `from` towards newer records.
    Forward,
    /// From `from` towards older records.
    Backward,
}

/// What to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRange {
    /// First offset wanted, itself included. Forward: `1..=last + 1`. Backward: values beyond `last` mean `last`.
    pub from: u64,
    /// Which way.
    pub direction: Direction,
    /// Most records, at least 1.
    pub limit: usize,
    /// Stop before a record that would take the page's payloads and extras beyond this, bytes; the first always fits.
    pub bytes_max: usize,
}

/// Consecutive records.
#[derive(Debug, Clone)]
pub struct Page {
    /// In rising order, without holes.
    pub records: Vec<Arc<Record>>,
    /// The room's bounds at one moment, not earlier than that of the records.
    pub bounds: Bounds,
    /// There is more in the direction asked for.
    pub more: bool,
}

/// Why a page could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// No such room.
    UnknownRoom,
    /// The range begins before what is retained.
    Trimmed(Bounds),
    /// A stored record is damaged; it is reported and not served.
    Damaged {
        /// The first offset that cannot be served.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The disk did not answer.
    Io(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRoom => f.write_str("no such room"),
            Self::Trimmed(bounds) => write!(f, "retained from offset {} on", bounds.first),
            Self::Damaged { offset, reason } => write!(f, "damaged at offset {offset}: {reason}"),
            Self::Io(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for ReadError {}

/// What an operator should know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why no writes are accepted, if so.
    pub read_only: Option<String>,
    /// Damage found since start, newest last, at most 16.
    pub damage: Vec<String>,
    /// Bytes committed but not yet folded into the long-term store.
    pub unfolded_bytes: u64,
    /// Free bytes on the journal's file system; `None` in memory.
    pub free_bytes: Option<u64>,
}

/// Counters since start, read when metrics are scraped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages stored.
    pub stored: u64,
    /// Entries answered from idempotency.
    pub duplicates: u64,
    /// Commits: one write and one sync each.
    pub commits: u64,
    /// Bytes written by commits.
    pub commit_bytes: u64,
    /// Fold passes into the long-term store.
    pub folds: u64,
    /// Rooms.
    pub rooms: u64,
    /// Entries waiting to be committed.
    pub queued: u64,
    /// Commit durations (write and sync), as counts per bucket of [`COMMIT_BUCKETS_US`] and one above all.
    pub commit_us: [u64; COMMIT_BUCKETS_US.len() + 1],
}

/// Upper bounds of the commit duration buckets, microseconds: an NVMe sync is 20–200, a disk's 5–20 thousand.
pub const COMMIT_BUCKETS_US: [u64; 10] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

/// The durable per-room log. All methods may be called from any thread.
pub trait Journal: Send + Sync + 'static {
    /// Queues an entry; its outcome goes to the sink given when the journal was opened. Never blocks.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] when the queue is full in count or bytes, [`Refusal::ReadOnly`] when nothing is
    /// accepted; then no outcome follows.
    fn submit(&self, entry: Entry, ticket: Ticket) -> Result<(), Refusal>;

    /// A room by name. Memory only.
    fn find(&self, name: &str) -> Option<RoomInfo>;

    /// A room by its id. Memory only.
    fn info(&self, room: RoomId) -> Option<RoomInfo>;

    /// Shows every room and where it stands, in no order. Memory only; no lock is held while `visit` runs. A room that is
    /// created meanwhile may be left out.
    fn each_room(&self, visit: &mut dyn FnMut(&RoomInfo, &Bounds));

    /// Where a room stands. Memory only. A record is visible here no later than in its outcome.
    fn bounds(&self, room: RoomId) -> Option<Bounds>;

    /// A page from memory only: `None` when the disk would be needed.
    fn recent(&self, room: RoomId, range: ReadRange) -> Option<Result<Page, ReadError>>;

    /// A page from memory or disk. Blocks: call it where blocking is allowed.
    fn read(&self, room: RoomId, range: ReadRange) -> Result<Page, ReadError>;

    /// A member's read marker. May touch the disk.
    fn marker(&self, room: RoomId, user: &str) -> Marker;

    /// Removes everything before `first`, at most up to `last + 1`. Reads obey at once; space follows.
    ///
    /// # Errors
    /// [`Refusal::UnknownRoom`], [`Refusal::ReadOnly`].
    fn trim(&self, room: RoomId, first: u64) -> Result<Bounds, Refusal>;

    /// Sets what may be deleted in a room, instead of the configured default. Not stored: set it at every start.
    fn set_retention(&self, room: RoomId, retention: Retention);

    /// Applies retention and reclaims space, a bounded step at a time; call it about once a second. Blocks.
    fn maintain(&self, now_ms: u64);

    /// What an operator should know.
    fn health(&self) -> Health;

    /// Counters since start.
    fn stats(&self) -> Stats;

    /// Commits what is queued, folds it and stops; later submissions are refused. Blocks.
    fn close(&self);
}
