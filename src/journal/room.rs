//! What a room holds, as callers of the journal see it: records with their relations and extras, bounds, markers.
//!
//! Owns the words. Refuses to know bytes on disk, and how anything comes to be: plain data, made by others.

use std::sync::Arc;

use bytes::Bytes;

/// A room's interned name; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub u64);

/// What a room's payloads are; fixed at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Payloads may be read by the server.
    ServerReadable,
    /// Payloads are MLS messages.
    E2ee,
}

/// Whether people count a record as unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Counted, unless a relation other than a reply makes it a remark on another message.
    Message,
    /// Never counted.
    Service,
}

/// How a record relates to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// A message of its own that answers the target.
    Reply,
    /// Replaces the target's payload for readers.
    Edit,
    /// Erases the payloads and extras of the target and of its edits and appended parts.
    Delete,
    /// A remark on the target.
    Reaction,
    /// The next part of the target.
    Append,
}

/// A link to an earlier record of the same room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Relation {
    /// How.
    pub kind: RelationKind,
    /// To which offset.
    pub offset: u64,
}

/// A place in a room's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Identity of the numbering: random, `1..2^53`.
    pub epoch: u64,
    /// Zero is before the first record.
    pub offset: u64,
}

/// What a message says in the clear beside its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extras {
    /// Users it should count for.
    pub mentions: Box<[Arc<str>]>,
    /// Stored files that belong to it, by SHA-256.
    pub blobs: Box<[[u8; 32]]>,
}

impl Extras {
    /// `None` when there is nothing to say.
    pub fn new(mentions: Box<[Arc<str>]>, blobs: Box<[[u8; 32]]>) -> Option<Box<Self>> {
        (!mentions.is_empty() || !blobs.is_empty()).then(|| Box::new(Self { mentions, blobs }))
    }

    /// About the bytes they take.
    pub fn weight(&self) -> usize {
        const AROUND: usize = 2;
        self.mentions.iter().map(|user| user.len() + AROUND).sum::<usize>() + self.blobs.len() * 32
    }
}

/// One stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number in the room.
    pub offset: u64,
    /// Countable records up to and including this one.
    pub ordinal: u64,
    /// When it was stored, milliseconds since 1970; never falls inside a room.
    pub time_ms: u64,
    /// Whether it counts.
    pub kind: Kind,
    /// What it relates to.
    pub relation: Option<Relation>,
    /// Whose it is.
    pub sender: Arc<str>,
    /// The sender's display name at the time; may be empty.
    pub sender_name: Arc<str>,
    /// The sender's idempotency key.
    pub message_id: Box<str>,
    /// The user's bytes; empty when erased.
    pub payload: Bytes,
    /// Mentions and files; `None` when there are none, or when erased.
    pub extras: Option<Box<Extras>>,
    /// Whether a later delete erased payload and extras.
    pub erased: bool,
}

impl Record {
    /// About the bytes of payload and extras.
    pub fn weight(&self) -> usize {
        self.payload.len() + self.extras.as_ref().map_or(0, |extras| extras.weight())
    }
}

/// What is retained of a room, and where its numbering stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Identity of the numbering.
    pub epoch: u64,
    /// First retained offset; `last + 1` when nothing is retained.
    pub first: u64,
    /// Last stored offset; zero in a room that never had a record.
    pub last: u64,
    /// Countable records up to `last`, counted from the room's beginning.
    pub ordinal: u64,
    /// When the last record was stored, milliseconds since 1970; zero in a room that never had a record.
    pub time_ms: u64,
}

/// What does not change about a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomInfo {
    /// Its interned name.
    pub id: RoomId,
    /// Its name on the wire.
    pub name: Arc<str>,
    /// What its payloads are.
    pub mode: Mode,
}

/// A member's place of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marker {
    /// Everything up to here is read.
    pub offset: u64,
    /// Countable records up to `offset`.
    pub ordinal: u64,
}
