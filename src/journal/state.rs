//! What is committed, in memory: where every room stands, the recent window of records, and what is not folded yet.
//!
//! Owns visibility: readers see a change when it was applied here, and it is applied only after it is on disk. Refuses
//! to know files and rules; a change is taken as it is.
//!
//! Invariant: of every room the window holds a suffix of its records without holes, and at least everything retained
//! that is not folded. Rooms are spread over shards by id; no lock is held across I/O, and never two at once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use rapidhash::{RapidHashMap as HashMap, RapidHashSet as HashSet};

use super::change::Change;
use super::ids::IdKey;
use super::record::Stored;
use super::standing::Standing;
use super::{Bounds, Marker, RelationKind, RoomId, RoomInfo};

const SHARDS: usize = 16;
/// What a record in the window costs beside its texts and payload, bytes: two allocations, index and queue entries.
const RECORD_OVERHEAD: usize = 288;
/// What extras cost beside what they say, bytes: three allocations.
const EXTRAS_OVERHEAD: usize = 80;
/// What a mention costs beside the user's id, bytes: an allocation, its counters, and the pointer to it.
const MENTION_OVERHEAD: usize = 40;

struct Room {
    name: Arc<str>,
    standing: Standing,
    window: VecDeque<Stored>,
}

impl Room {
    fn window_first(&self) -> u64 {
        self.window.front().map_or(self.standing.last + 1, |stored| stored.record.offset)
    }

    fn get(&self, offset: u64) -> Option<&Stored> {
        let index = offset.checked_sub(self.window.front()?.record.offset)?;
        self.window.get(usize::try_from(index).ok()?)
    }
}

/// What a record in the window is evicted by.
struct Queued {
    room: u64,
    offset: u64,
    commit: u64,
}

#[derive(Default)]
struct Shard {
    rooms: Vec<Room>,
    /// Of every record in the window: hash of its id to its offset.
    ids: HashMap<u64, u64>,
    /// Every record in the window, oldest commit first.
    queue: VecDeque<Queued>,
    bytes: usize,
    /// Erased by a commit that is not folded yet: `(room, offset)`.
    erased: HashSet<(u64, u64)>,
    /// Edits and appended parts that are not folded yet: `(room, target, offset)`.
    related: BTreeSet<(u64, u64, u64)>,
    /// Markers that are not folded yet.
    markers: HashMap<(u64, Arc<str>), Marker>,
}

/// Part of a room's window, taken at one moment.
pub(crate) struct Slice {
    pub standing: Standing,
    /// The first offset in memory.
    pub window_first: u64,
    /// Records of the window inside the offsets asked for, rising.
    pub records: Vec<Arc<super::Record>>,
}

/// See the head of the file.
pub(crate) struct State {
    names: RwLock<HashMap<Arc<str>, u64>>,
    shards: [RwLock<Shard>; SHARDS],
    count: AtomicU64,
    /// Everything up to this commit is folded and may be evicted.
    folded: AtomicU64,
    /// Nothing of a later commit than this is here.
    applied: AtomicU64,
    shard_bytes_max: usize,
    pub key: IdKey,
}

impl State {
    /// An empty state that evicts folded records beyond `bytes_max`.
    pub fn new(bytes_max: usize, key: IdKey) -> Self {
        Self {
            names: RwLock::default(),
            shards: std::array::from_fn(|_| RwLock::default()),
            count: AtomicU64::new(0),
            folded: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            shard_bytes_max: bytes_max / SHARDS,
            key,
        }
    }

    fn shard(&self, room: u64) -> &RwLock<Shard> {
        &self.shards[room.wrapping_sub(1) as usize % SHARDS]
    }

    fn with<T>(&self, room: u64, look: impl FnOnce(&Shard, &Room) -> T) -> Option<T> {
        let shard = self.shard(room).read();
        let found = shard.rooms.get(index(room)?)?;
        Some(look(&shard, found))
    }

    /// Rooms there are; ids are `1..=count`.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// The last commit of which something may be here.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// A room whose window does not reach its last record.
    pub fn with_gap(&self) -> Option<u64> {
        let reaches = |room: &Room| room.window.back().is_none_or(|stored| stored.record.offset == room.standing.last);
        (1..=self.count()).find(|room| self.with(*room, |_, found| !reaches(found)) == Some(true))
    }

    pub fn find(&self, name: &str) -> Option<u64> {
        self.names.read().get(name).copied()
    }

    pub fn info(&self, room: u64) -> Option<RoomInfo> {
        self.with(room, |_, found| RoomInfo { id: RoomId(room), name: found.name.clone(), mode: found.standing.mode })
    }

    /// Shows every room, some at a time, so that no lock is held while `visit` runs and none for long.
    pub fn each_room(&self, visit: &mut dyn FnMut(&RoomInfo, &Bounds)) {
        const STEP: usize = 1_024;
        for (number, shard) in self.shards.iter().enumerate() {
            for from in (0..).step_by(STEP) {
                let show = |(index, room): (usize, &Room)| {
                    let id = RoomId((index * SHARDS + number + 1) as u64);
                    let info = RoomInfo { id, name: room.name.clone(), mode: room.standing.mode };
                    (info, room.standing.bounds())
                };
                let shown: Vec<_> = shard.read().rooms.iter().enumerate().skip(from).take(STEP).map(show).collect();
                if shown.is_empty() {
                    break;
                }
                shown.iter().for_each(|(info, bounds)| visit(info, bounds));
            }
        }
    }

    pub fn standing(&self, room: u64) -> Option<Standing> {
        self.with(room, |_, found| found.standing)
    }

    /// A record of the window.
    pub fn record(&self, room: u64, offset: u64) -> Option<Stored> {
        self.with(room, |_, found| found.get(offset).cloned())?
    }

    /// The record of the window with this id.
    pub fn original(&self, room: u64, hash: u64, sender: &str, message_id: &str) -> Option<Stored> {
        self.with(room, |shard, found| {
            let stored = found.get(*shard.ids.get(&hash)?)?;
            let same = *stored.record.sender == *sender && *stored.record.message_id == *message_id;
            same.then(|| stored.clone())
        })?
    }

    /// Edits and appended parts of `target` that are not folded yet.
    pub fn related(&self, room: u64, target: u64) -> Vec<u64> {
        let shard = self.shard(room).read();
        shard.related.range((room, target, 0)..=(room, target, u64::MAX)).map(|(_, _, offset)| *offset).collect()
    }

    /// A marker that is not folded yet.
    pub fn marker(&self, room: u64, user: &str) -> Option<Marker> {
        let shard = self.shard(room).read();
        // An owned key for the lookup: markers are rare beside messages.
        shard.markers.get(&(room, user.into())).copied()
    }

    /// Whether a commit that is not folded yet erased this record.
    pub fn is_erased(&self, room: u64, offset: u64) -> bool {
        let shard = self.shard(room).read();
        !shard.erased.is_empty() && shard.erased.contains(&(room, offset))
    }

    /// What is erased like that among `low..=high`.
    pub fn erased_in(&self, room: u64, low: u64, high: u64) -> Vec<u64> {
        let shard = self.shard(room).read();
        let inside = shard.erased.iter().filter(|(of, offset)| *of == room && (low..=high).contains(offset));
        inside.map(|(_, offset)| *offset).collect()
    }

    /// Records of the window among the offsets that `choose` returns for the room's standing.
    pub fn slice<E>(
        &self,
        room: u64,
        choose: impl FnOnce(&Standing) -> Result<(u64, u64), E>,
    ) -> Option<Result<Slice, E>> {
        self.with(room, |_, found| {
            let (low, high) = choose(&found.standing)?;
            let window_first = found.window_first();
            let records = (low.max(window_first)..=high).filter_map(|offset| found.get(offset));
            let records = records.map(|stored| stored.record.clone()).collect();
            Ok(Slice { standing: found.standing, window_first, records })
        })
    }

    /// Makes a change visible. `commit` is its commit's number, rising.
    pub fn apply(&self, change: &Change, commit: u64) {
        // Before anybody can see the change.
        self.applied.fetch_max(commit, Ordering::AcqRel);
        match change {
            Change::Room { id, name, mode, epoch } => self.load(*id, name, Standing::new(*mode, *epoch)),
            Change::Record { room, stored, erased } => {
                let hash = self.key.hash(*room, &stored.record.sender, &stored.record.message_id);
                let mut shard = self.shard(*room).write();
                shard.append(*room, stored, hash, commit);
                erased.iter().for_each(|offset| shard.erase(*room, *offset));
                self.evict(&mut shard);
            }
            Change::Marker { room, user, marker } => {
                self.shard(*room).write().markers.insert((*room, user.clone()), *marker);
            }
            Change::Trim { room, first } => {
                let mut shard = self.shard(*room).write();
                shard.trim(*room, *first, &self.key);
                self.evict(&mut shard);
            }
        }
    }

    /// Puts a room in place as it stands; a room that is there stays as it is.
    pub fn load(&self, id: u64, name: &Arc<str>, standing: Standing) {
        if id != self.count() + 1 {
            return;
        }
        self.shard(id).write().rooms.push(Room { name: name.clone(), standing, window: VecDeque::new() });
        self.names.write().insert(name.clone(), id);
        self.count.store(id, Ordering::Release);
    }

    /// Everything up to `commit` is folded: forgets what was kept for that.
    pub fn folded(&self, changes: &[Change], commit: u64) {
        self.folded.fetch_max(commit, Ordering::AcqRel);
        for change in changes {
            self.forget(change);
        }
        for shard in &self.shards {
            self.evict(&mut shard.write());
        }
    }

    fn forget(&self, change: &Change) {
        match change {
            Change::Record { room, stored, erased } => {
                let target = related_target(&stored.record);
                if target.is_none() && erased.is_empty() {
                    return;
                }
                let mut shard = self.shard(*room).write();
                if let Some(target) = target {
                    shard.related.remove(&(*room, target, stored.record.offset));
                }
                for offset in erased {
                    shard.erased.remove(&(*room, *offset));
                }
            }
            Change::Marker { room, user, marker } => {
                let mut shard = self.shard(*room).write();
                let key = (*room, user.clone());
                if shard.markers.get(&key) == Some(marker) {
                    shard.markers.remove(&key);
                }
            }
            Change::Room { .. } | Change::Trim { .. } => {}
        }
    }

    fn evict(&self, shard: &mut Shard) {
        let folded = self.folded.load(Ordering::Acquire);
        while let Some(front) = shard.queue.front() {
            let over = shard.bytes > self.shard_bytes_max && front.commit <= folded;
            if !over && !shard.is_stale(front) {
                return;
            }
            let Some(front) = shard.queue.pop_front() else { return };
            shard.drop_through(front.room, front.offset, &self.key);
        }
    }
}

impl Shard {
    fn append(&mut self, room: u64, stored: &Stored, hash: u64, commit: u64) {
        let Some(found) = index(room).and_then(|index| self.rooms.get_mut(index)) else { return };
        let offset = stored.record.offset;
        let fits = match found.window.back() {
            Some(back) => offset == back.record.offset + 1,
            None => offset <= found.standing.last + 1,
        };
        if !fits {
            tracing::error!(room, offset, last = found.standing.last, "a record that does not follow is not taken");
            return;
        }
        if offset > found.standing.last {
            found.standing.advance(stored);
        }
        found.window.push_back(stored.clone());
        self.bytes += cost(stored);
        self.ids.insert(hash, offset);
        self.queue.push_back(Queued { room, offset, commit });
        if let Some(target) = related_target(&stored.record) {
            self.related.insert((room, target, offset));
        }
    }

    fn erase(&mut self, room: u64, offset: u64) {
        self.erased.insert((room, offset));
        let Some(found) = index(room).and_then(|index| self.rooms.get_mut(index)) else { return };
        let Some(front) = found.window.front().map(|stored| stored.record.offset) else { return };
        let Some(stored) = offset.checked_sub(front).and_then(|index| found.window.get_mut(index as usize)) else {
            return;
        };
        self.bytes -= cost(stored);
        *stored = stored.erase();
        self.bytes += cost(stored);
    }

    fn trim(&mut self, room: u64, first: u64, key: &IdKey) {
        let Some(found) = index(room).and_then(|index| self.rooms.get_mut(index)) else { return };
        found.standing.first = found.standing.first.max(first);
        self.drop_through(room, first.saturating_sub(1), key);
        // What was trimmed lies between what was not: it goes when it is most of the queue.
        if self.queue.len() > 2 * self.ids.len() + 1024 {
            let mut queue = std::mem::take(&mut self.queue);
            queue.retain(|queued| !self.is_stale(queued));
            queue.shrink_to_fit();
            self.queue = queue;
        }
    }

    /// Whether the oldest queue entry speaks of a record that was trimmed.
    fn is_stale(&self, queued: &Queued) -> bool {
        index(queued.room)
            .and_then(|index| self.rooms.get(index))
            .is_none_or(|room| queued.offset < room.standing.first)
    }

    /// Forgets the oldest records of a room's window, up to and including `offset`.
    fn drop_through(&mut self, room: u64, offset: u64, key: &IdKey) {
        let Some(found) = index(room).and_then(|index| self.rooms.get_mut(index)) else { return };
        while found.window.front().is_some_and(|stored| stored.record.offset <= offset) {
            let Some(stored) = found.window.pop_front() else { return };
            self.bytes -= cost(&stored);
            let hash = key.hash(room, &stored.record.sender, &stored.record.message_id);
            if self.ids.get(&hash) == Some(&stored.record.offset) {
                self.ids.remove(&hash);
            }
        }
        if found.window.is_empty() {
            found.window = VecDeque::new();
        }
    }
}

/// The target whose erasure takes this record along.
pub(crate) fn related_target(record: &super::Record) -> Option<u64> {
    let relation = record.relation?;
    matches!(relation.kind, RelationKind::Edit | RelationKind::Append).then_some(relation.offset)
}

/// Ids start at 1 and go round the shards.
fn index(room: u64) -> Option<usize> {
    room.checked_sub(1).map(|number| number as usize / SHARDS)
}

fn cost(stored: &Stored) -> usize {
    let extras = stored
        .record
        .extras
        .as_ref()
        .map_or(0, |extras| EXTRAS_OVERHEAD + extras.weight() + MENTION_OVERHEAD * extras.mentions.len());
    RECORD_OVERHEAD + stored.record.payload.len() + stored.record.message_id.len() + extras
}
