//! Tests of the journal: one contract for every implementation, and what only the durable one can show.

mod contract;
mod disk;
mod extras;
mod model;
mod space;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;

use super::*;

/// A journal whose outcomes are waited for one by one.
pub(super) struct Bed {
    pub journal: Arc<dyn Journal>,
    outcomes: Receiver<Vec<Outcome>>,
}

struct Tell(Sender<Vec<Outcome>>);

impl CommitSink for Tell {
    fn committed(&self, outcomes: Vec<Outcome>) {
        // A test may have ended already.
        let _ = self.0.send(outcomes);
    }
}

/// Small windows, no reserve, no floor: everything cold is reached quickly.
pub(super) fn small() -> JournalConfig {
    JournalConfig {
        recent_bytes: 0,
        cache_bytes: 4 << 20,
        free_bytes_min: 0,
        ballast_bytes: 0,
        ..JournalConfig::default()
    }
}

impl Bed {
    pub fn memory_with(config: &JournalConfig) -> Self {
        let (sender, outcomes) = channel();
        Self { journal: Arc::new(MemoryJournal::new(config, Arc::new(Tell(sender))).unwrap()), outcomes }
    }

    pub fn open_with(dir: &Path, config: &JournalConfig) -> Result<Self, OpenError> {
        let (sender, outcomes) = channel();
        Ok(Self { journal: DurableJournal::open(dir, config, Arc::new(Tell(sender)))?, outcomes })
    }

    pub fn outcomes(&self, count: usize) -> Vec<Outcome> {
        let mut found = Vec::new();
        while found.len() < count {
            found.extend(self.outcomes.recv_timeout(Duration::from_secs(60)).unwrap());
        }
        found
    }

    /// Submits all at once and waits for all outcomes, in order of submission.
    pub fn all(&self, entries: Vec<Entry>) -> Vec<Result<Done, Refusal>> {
        let count = entries.len();
        for (index, entry) in entries.into_iter().enumerate() {
            self.journal.submit(entry, Ticket { owner: 7, command: index as u32 }).unwrap();
        }
        let outcomes = self.outcomes(count);
        let commands: Vec<u32> = outcomes.iter().map(|outcome| outcome.ticket.command).collect();
        assert_eq!(commands, (0..count as u32).collect::<Vec<_>>());
        outcomes.into_iter().map(|outcome| outcome.result).collect()
    }

    pub fn one(&self, entry: Entry) -> Result<Done, Refusal> {
        self.all(vec![entry]).remove(0)
    }

    pub fn room(&self, name: &str) -> RoomId {
        match self.one(Entry::Create { name: name.into(), mode: Mode::ServerReadable }).unwrap() {
            Done::Room(info) => info.id,
            other => panic!("{other:?}"),
        }
    }

    pub fn store(&self, append: Append) -> Arc<Record> {
        stored(self.one(Entry::Append(append)))
    }

    pub fn bounds(&self, room: RoomId) -> Bounds {
        self.journal.bounds(room).unwrap()
    }

    pub fn forward(&self, room: RoomId, from: u64, limit: usize) -> Result<Page, ReadError> {
        let range = ReadRange { from, direction: Direction::Forward, limit, bytes_max: usize::MAX };
        self.journal.read(room, range)
    }

    pub fn backward(&self, room: RoomId, from: u64, limit: usize) -> Result<Page, ReadError> {
        let range = ReadRange { from, direction: Direction::Backward, limit, bytes_max: usize::MAX };
        self.journal.read(room, range)
    }

    /// Everything retained, read page by page.
    pub fn everything(&self, room: RoomId) -> Vec<Arc<Record>> {
        let mut records = Vec::new();
        let mut from = self.bounds(room).first;
        loop {
            let page = self.forward(room, from, 7).unwrap();
            from += page.records.len() as u64;
            records.extend(page.records);
            if !page.more {
                return records;
            }
        }
    }
}

pub(super) fn stored(result: Result<Done, Refusal>) -> Arc<Record> {
    match result {
        Ok(Done::Stored { record, .. }) => record,
        other => panic!("{other:?}"),
    }
}

pub(super) fn append(room: RoomId, sender: &str, message_id: &str, payload: &str) -> Append {
    Append {
        room,
        sender: sender.into(),
        sender_name: "Name".into(),
        message_id: message_id.into(),
        kind: Kind::Message,
        relation: None,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        extras: None,
        expected: None,
        time_ms: 1_000,
    }
}

pub(super) fn related(append: Append, kind: RelationKind, offset: u64) -> Append {
    Append { relation: Some(Relation { kind, offset }), ..append }
}

/// Mentions of `users`, and a file.
pub(super) fn mentioning(append: Append, users: &[&str]) -> Append {
    Append { extras: Extras::new(users.iter().map(|user| (*user).into()).collect(), [[7; 32]].into()), ..append }
}

pub(super) fn offsets(page: &Page) -> Vec<u64> {
    page.records.iter().map(|record| record.offset).collect()
}
