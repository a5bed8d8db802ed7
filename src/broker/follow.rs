//! Following what happens: whoever keeps an index or tells the world gets what was committed, in its order, and who
//! came and went.
//!
//! Owns the queue between the journal's thread and a follower. Refuses to know what a follower does with it.
//!
//! Overflow policy: a follower that is too slow loses what does not fit and is told so once, behind the last thing it
//! did not lose; then it compares rooms with the log. What was lost had become visible before, so that it is found there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Broker;
use crate::journal::{Bounds, Done, Journal, Marker, Outcome, Record, RoomId, RoomInfo};

/// What waits for a follower beyond this is lost.
pub(super) const FACTS_MAX: usize = 65_536;
/// The same in bytes.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A message is on disk.
    Stored {
        /// Where.
        info: RoomInfo,
        /// The room's numbering.
        epoch: u64,
        /// The message.
        record: Arc<Record>,
        /// Offsets that it erased, rising.
        erased: Vec<u64>,
    },
    /// A read marker moved.
    Marked {
        /// Where.
        info: RoomInfo,
        /// Whose.
        user: Arc<str>,
        /// Where it stands now.
        marker: Marker,
    },
    /// The first session has subscribed to a room.
    Occupied {
        /// The room's name.
        room: Arc<str>,
    },
    /// The last session left a room, and none came for the time that a reconnect takes.
    Vacated {
        /// The room's name.
        room: Arc<str>,
    },
    /// A user's first session of all is live.
    Online {
        /// Who.
        user: Arc<str>,
    },
    /// A user's last session ended, and none came for the time that a reconnect takes.
    Offline {
        /// Who.
        user: Arc<str>,
        /// When it ended, to within a presence tick: milliseconds since 1970.
        at_ms: u64,
    },
    /// Something was lost: compare every room with the log, and those of interest with [`Broker::is_online`] and
    /// [`Broker::is_occupied`]. What comes behind this is newer than what was lost.
    Lost,
}

/// A fact as it waits; a room's name is looked up by the follower, not by the journal's thread.
#[derive(Debug)]
enum Fact {
    Stored { room: RoomId, epoch: u64, record: Arc<Record>, erased: Vec<u64> },
    Marked { room: RoomId, user: Arc<str>, marker: Marker },
    Told(Followed),
}

impl Fact {
    /// About the bytes it holds.
    fn weight(&self) -> usize {
        const AROUND: usize = 256;
        AROUND
            + match self {
                Self::Stored { record, erased, .. } => record.weight() + erased.len() * size_of::<u64>(),
                Self::Marked { .. } | Self::Told(_) => 0,
            }
    }
}

/// What waits for one follower.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    facts: VecDeque<Fact>,
    bytes: usize,
    /// `Lost` is the last of the facts, and nothing comes behind it until it is taken.
    lost: bool,
}

impl Waiting {
    fn put(&mut self, fact: Fact) {
        if self.lost {
            return;
        }
        let weight = fact.weight();
        self.lost = self.facts.len() >= FACTS_MAX || self.bytes + weight > BYTES_MAX;
        if self.lost {
            return self.facts.push_back(Fact::Told(Followed::Lost));
        }
        self.bytes += weight;
        self.facts.push_back(fact);
    }

    fn take(&mut self) -> Option<Fact> {
        let fact = self.facts.pop_front()?;
        match fact {
            Fact::Told(Followed::Lost) => self.lost = false,
            _ => self.bytes -= fact.weight(),
        }
        if self.facts.is_empty() {
            // What a burst needed is not kept.
            self.facts.shrink_to(1_024);
        }
        Some(fact)
    }
}

/// Everybody who follows.
#[derive(Debug, Default)]
pub(super) struct Followers {
    /// Read without the lock, so that a commit that nobody follows pays for one load.
    any: AtomicBool,
    queues: Mutex<Vec<Arc<Queue>>>,
}

impl Followers {
    pub fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Tells what of a commit is worth following.
    pub fn committed(&self, outcomes: &[Outcome]) {
        if !self.is_any() {
            return;
        }
        for queue in self.queues.lock().iter() {
            queue.put(outcomes.iter().filter_map(fact));
        }
    }

    /// Tells one thing that no commit says.
    pub fn tell(&self, followed: impl FnOnce() -> Followed) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let followed = followed();
        for queue in self.queues.lock().iter() {
            queue.put(std::iter::once(Fact::Told(followed.clone())));
        }
    }

    fn join(&self) -> Arc<Queue> {
        let queue = Arc::<Queue>::default();
        let mut queues = self.queues.lock();
        queues.push(queue.clone());
        self.any.store(true, Ordering::Release);
        queue
    }

    fn leave(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.lock();
        queues.retain(|other| !Arc::ptr_eq(other, queue));
        self.any.store(!queues.is_empty(), Ordering::Release);
    }
}

impl Queue {
    fn put(&self, facts: impl Iterator<Item = Fact>) {
        let mut waiting = self.waiting.lock();
        facts.for_each(|fact| waiting.put(fact));
        drop(waiting);
        // One permit is kept while nobody waits, so that a fact between a look and a wait is not slept through.
        self.filled.notify_one();
    }
}

fn fact(outcome: &Outcome) -> Option<Fact> {
    let room = outcome.room?;
    match &outcome.result {
        Ok(Done::Stored { epoch, record, erased }) => {
            Some(Fact::Stored { room, epoch: *epoch, record: record.clone(), erased: erased.clone() })
        }
        Ok(Done::Marked { user, marker, moved: true }) => {
            Some(Fact::Marked { room, user: user.clone(), marker: *marker })
        }
        _ => None,
    }
}

/// One who follows. It hears of what is committed after [`Broker::follow`] returned.
pub struct Follower {
    queue: Arc<Queue>,
    broker: Broker,
}

impl Follower {
    /// The next thing that happened. Losing the race of a `select!` loses nothing.
    pub async fn next(&mut self) -> Followed {
        loop {
            let fact = self.queue.waiting.lock().take();
            match fact {
                None => self.queue.filled.notified().await,
                Some(fact) => {
                    if let Some(followed) = told(fact, self.broker.journal.as_ref()) {
                        return followed;
                    }
                }
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.broker.fanout.followers.leave(&self.queue);
    }
}

/// `None` if the room is not there, which cannot be.
fn told(fact: Fact, journal: &dyn Journal) -> Option<Followed> {
    Some(match fact {
        Fact::Stored { room, epoch, record, erased } => {
            Followed::Stored { info: journal.info(room)?, epoch, record, erased }
        }
        Fact::Marked { room, user, marker } => Followed::Marked { info: journal.info(room)?, user, marker },
        Fact::Told(followed) => followed,
    })
}

impl Broker {
    /// Begins to follow: everything committed from now on. To know everything, follow first, then look at
    /// [`Broker::rooms`]; what happens in between is in both.
    pub fn follow(&self) -> Follower {
        Follower { queue: self.fanout.followers.join(), broker: self.clone() }
    }

    /// Shows every room and where it stands, from memory. A room that is created meanwhile may be left out.
    pub fn rooms(&self, visit: &mut dyn FnMut(&RoomInfo, &Bounds)) {
        self.journal.each_room(visit);
    }
}
