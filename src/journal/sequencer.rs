//! The order of every room: entries in, changes and outcomes out.
//!
//! Owns numbering, idempotency, compare-and-append, relations and what a delete erases. Pure: nothing here writes; what
//! one batch has decided so far lies over what is committed, and is dropped with the batch if the write fails.
//! The same code serves the durable journal and its in-memory twin.

use std::sync::Arc;

use bytes::Bytes;
use rapidhash::{RapidHashMap as HashMap, RapidHashSet as HashSet};

use super::change::Change;
use super::page::Cold;
use super::record::{Stored, counts};
use super::standing::Standing;
use super::state::{State, related_target};
use super::{
    Append, Direction, Done, Entry, Marker, Mode, Outcome, Position, ReadError, Record, Refusal, Relation,
    RelationKind, RoomId, RoomInfo, Ticket,
};

/// One batch being decided.
pub(crate) struct Sequencer<'a> {
    state: &'a State,
    cold: &'a dyn Cold,
    new_epoch: &'a mut dyn FnMut() -> u64,
    rooms: HashMap<u64, Standing>,
    names: HashMap<Arc<str>, RoomInfo>,
    /// By hash of the id: where in `changes`.
    ids: HashMap<u64, usize>,
    records: HashMap<(u64, u64), usize>,
    related: HashMap<(u64, u64), Vec<u64>>,
    erased: HashSet<(u64, u64)>,
    markers: HashMap<(u64, Arc<str>), Marker>,
    /// What is to be made durable, in order.
    pub changes: Vec<Change>,
    /// What to tell once it is.
    pub outcomes: Vec<Outcome>,
    /// Entries answered from idempotency.
    pub duplicates: u64,
}

impl<'a> Sequencer<'a> {
    /// `new_epoch` gives random numbers in `1..2^53`.
    pub fn new(state: &'a State, cold: &'a dyn Cold, new_epoch: &'a mut dyn FnMut() -> u64) -> Self {
        Self {
            state,
            cold,
            new_epoch,
            rooms: HashMap::default(),
            names: HashMap::default(),
            ids: HashMap::default(),
            records: HashMap::default(),
            related: HashMap::default(),
            erased: HashSet::default(),
            markers: HashMap::default(),
            changes: Vec::new(),
            outcomes: Vec::new(),
            duplicates: 0,
        }
    }

    /// Decides one entry.
    pub fn decide(&mut self, entry: Entry, ticket: Ticket) {
        let (room, result) = match entry {
            Entry::Create { name, mode } => {
                let info = self.create(name, mode);
                (Some(info.id), Ok(Done::Room(info)))
            }
            Entry::Append(append) => (Some(append.room), self.append(append)),
            Entry::Mark { room, user, offset } => (Some(room), self.mark(room.0, user, offset)),
        };
        self.outcomes.push(Outcome { ticket, room, result });
    }

    /// Raises a room's first offset, at most to `last + 1`.
    pub fn trim(&mut self, room: u64, first: u64) -> Result<super::Bounds, Refusal> {
        let mut standing = self.standing(room)?;
        let first = first.min(standing.last + 1);
        if first > standing.first {
            standing.first = first;
            self.rooms.insert(room, standing);
            self.changes.push(Change::Trim { room, first });
        }
        Ok(standing.bounds())
    }

    fn create(&mut self, name: Arc<str>, mode: Mode) -> RoomInfo {
        if let Some(info) = self.names.get(&name) {
            return info.clone();
        }
        if let Some(info) = self.state.find(&name).and_then(|room| self.state.info(room)) {
            return info;
        }
        let id = self.state.count() + self.names.len() as u64 + 1;
        let epoch = (self.new_epoch)();
        let info = RoomInfo { id: RoomId(id), name: name.clone(), mode };
        self.names.insert(name.clone(), info.clone());
        self.rooms.insert(id, Standing::new(mode, epoch));
        self.changes.push(Change::Room { id, name, mode, epoch });
        info
    }

    fn append(&mut self, append: Append) -> Result<Done, Refusal> {
        let room = append.room.0;
        let standing = self.standing(room)?;
        let hash = self.state.key.hash(room, &append.sender, &append.message_id);
        if let Some(original) = self.original(hash, &append, &standing)? {
            self.duplicates += 1;
            return self.duplicate(&append, &original, standing.epoch);
        }
        let here = Position { epoch: standing.epoch, offset: standing.last };
        if append.expected.is_some_and(|expected| expected != here) {
            return Err(Refusal::Conflict(standing.bounds()));
        }
        let erased = match append.relation {
            Some(relation) => self.relate(room, relation, &standing)?,
            None => Vec::new(),
        };
        Ok(self.store(append, standing, hash, erased))
    }

    fn store(&mut self, append: Append, mut standing: Standing, hash: u64, erased: Vec<u64>) -> Done {
        let room = append.room.0;
        let hole = u64::from(crate::sabotage::is("hole_in_order") && standing.last % 100 == 99);
        let record = Arc::new(Record {
            offset: standing.last + 1 + hole,
            ordinal: standing.ordinal + u64::from(counts(append.kind, append.relation)),
            time_ms: append.time_ms.max(standing.time_ms),
            kind: append.kind,
            relation: append.relation,
            sender: append.sender,
            sender_name: append.sender_name,
            message_id: append.message_id,
            // A copy, because the submitter's bytes may be a small part of a large buffer and would keep all of it.
            payload: Bytes::copy_from_slice(&append.payload),
            extras: append.extras,
            erased: false,
        });
        let stored = Stored { record: record.clone(), volume: standing.volume };
        standing.advance(&stored);
        self.rooms.insert(room, standing);
        self.ids.insert(hash, self.changes.len());
        self.records.insert((room, record.offset), self.changes.len());
        if let Some(target) = related_target(&record) {
            self.related.entry((room, target)).or_default().push(record.offset);
        }
        self.erased.extend(erased.iter().map(|offset| (room, *offset)));
        self.changes.push(Change::Record { room, stored, erased: erased.clone() });
        Done::Stored { epoch: standing.epoch, record, erased }
    }

    fn duplicate(&self, append: &Append, original: &Stored, epoch: u64) -> Result<Done, Refusal> {
        let record = &original.record;
        let position = Position { epoch, offset: record.offset };
        let says_the_same = || record.payload == append.payload && record.extras == append.extras;
        let same = record.kind == append.kind
            && record.relation == append.relation
            && (record.erased || says_the_same() || !self.has_payload(append.room.0, record.offset));
        if same {
            Ok(Done::Duplicate { position, time_ms: record.time_ms })
        } else {
            Err(Refusal::DuplicateConflict(position))
        }
    }

    /// The retained record with the append's id.
    fn original(&self, hash: u64, append: &Append, standing: &Standing) -> Result<Option<Stored>, Refusal> {
        if crate::sabotage::is("skip_idempotency") {
            return Ok(None);
        }
        let (room, sender, message_id) = (append.room.0, &*append.sender, &*append.message_id);
        let in_batch = self
            .ids
            .get(&hash)
            .and_then(|index| self.changed(*index))
            .filter(|stored| *stored.record.sender == *sender && *stored.record.message_id == *message_id);
        let found = match in_batch.cloned().or_else(|| self.state.original(room, hash, sender, message_id)) {
            Some(found) => Some(found),
            // The original cannot be looked at, so nothing can be said about this copy of it.
            None => self
                .cold
                .original(room, standing.first, hash, sender, message_id)
                .map_err(|error| Refusal::Unknown(format!("the original of this message cannot be read: {error}")))?,
        };
        Ok(found.filter(|stored| stored.record.offset >= standing.first))
    }

    /// Checks a relation's target; the offsets a delete erases.
    fn relate(&self, room: u64, relation: Relation, standing: &Standing) -> Result<Vec<u64>, Refusal> {
        if !(standing.first..=standing.last).contains(&relation.offset) {
            return Err(Refusal::BadRelation);
        }
        if !self.has_payload(room, relation.offset) {
            return Err(Refusal::BadRelation);
        }
        if relation.kind != RelationKind::Delete {
            return Ok(Vec::new());
        }
        // Memory first, then disk: a fold between the two moves from the one to the other.
        let mut erased = vec![relation.offset];
        erased.extend(self.state.related(room, relation.offset));
        let folded = self.cold.related(room, relation.offset).map_err(|error| {
            Refusal::Unknown(format!("what belongs to the deleted message cannot be read: {error}"))
        })?;
        erased.extend(folded);
        erased.extend(self.related.get(&(room, relation.offset)).into_iter().flatten());
        erased.sort_unstable();
        erased.dedup();
        erased.retain(|offset| *offset >= standing.first && self.has_payload(room, *offset));
        Ok(erased)
    }

    fn mark(&mut self, room: u64, user: Arc<str>, offset: u64) -> Result<Done, Refusal> {
        let standing = self.standing(room)?;
        let unreadable = |error: ReadError| Refusal::Unknown(format!("the marker cannot be read: {error}"));
        let current = match self.markers.get(&(room, user.clone())) {
            Some(marker) => *marker,
            None => match self.state.marker(room, &user) {
                Some(marker) => marker,
                None => self.cold.marker(room, &user).map_err(unreadable)?.unwrap_or_default(),
            },
        };
        let offset = offset.min(standing.last);
        if offset <= current.offset {
            return Ok(Done::Marked { user, marker: current, moved: false });
        }
        let marker = Marker { offset, ordinal: self.ordinal_at(room, offset, &standing).max(current.ordinal) };
        self.markers.insert((room, user.clone()), marker);
        self.changes.push(Change::Marker { room, user: user.clone(), marker });
        Ok(Done::Marked { user, marker, moved: true })
    }

    /// Countable records up to `offset`. Where the record is gone, what is known of the first one after it: nobody can
    /// read what lies between.
    fn ordinal_at(&self, room: u64, offset: u64, standing: &Standing) -> u64 {
        if offset >= standing.last || standing.first > standing.last {
            return standing.ordinal;
        }
        match self.record(room, offset.max(standing.first)) {
            Some(stored) if stored.record.offset == offset => stored.record.ordinal,
            Some(stored) => stored.record.ordinal - u64::from(counts(stored.record.kind, stored.record.relation)),
            None => 0,
        }
    }

    fn standing(&self, room: u64) -> Result<Standing, Refusal> {
        let in_batch = self.rooms.get(&room).copied();
        in_batch.or_else(|| self.state.standing(room)).ok_or(Refusal::UnknownRoom)
    }

    fn changed(&self, index: usize) -> Option<&Stored> {
        match self.changes.get(index) {
            Some(Change::Record { stored, .. }) => Some(stored),
            _ => None,
        }
    }

    fn record(&self, room: u64, offset: u64) -> Option<Stored> {
        if let Some(stored) = self.records.get(&(room, offset)).and_then(|index| self.changed(*index)) {
            return Some(stored.clone());
        }
        self.state.record(room, offset).or_else(|| {
            let found = self.cold.records(room, offset, offset, Direction::Forward, usize::MAX);
            found.inspect_err(|error| self.cold.report(room, error)).ok()?.pop()
        })
    }

    /// Whether a record is there and not erased. What is erased but not folded is asked for first: only this thread adds
    /// to it, and what a fold has taken from it is erased on disk by then.
    fn has_payload(&self, room: u64, offset: u64) -> bool {
        let erased = self.erased.contains(&(room, offset)) || self.state.is_erased(room, offset);
        !erased && self.record(room, offset).is_some_and(|stored| !stored.record.erased)
    }
}
