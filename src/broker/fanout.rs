//! From a commit to the shards: one lookup per message, one wake-up per shard and commit.
//!
//! Owns the live rooms and the shards' inboxes. Invariant: whoever acquired a room before asking the journal for its
//! bounds gets every message after those bounds, because a commit becomes visible before it is fanned out. Nobody learns
//! that a message is stored before it is in the inboxes of all shards that are to give it to somebody, so that what its
//! sender says or does next comes behind it everywhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::follow::{Followed, Followers};
use super::inbox::{Delivery, Inbox};
use super::online::Attendance;
use super::push::Push;
use super::room::Room;
use crate::journal::{CommitSink, Done, Outcome, RoomId, RoomInfo, Ticket};

/// Owner of tickets that belong to no shard, see [`Fanout::expect`].
const NO_SHARD: u64 = u64::MAX;

/// The live rooms and the ways to the shards.
#[derive(Debug)]
pub struct Fanout {
    live: DashMap<RoomId, Arc<Room>>,
    inboxes: Vec<Arc<Inbox>>,
    /// Rooms whose presence changed or will change by itself.
    restless: Mutex<Vec<Arc<Room>>>,
    /// Callers outside the shards who wait for an outcome.
    expected: Mutex<HashMap<u32, oneshot::Sender<Outcome>>>,
    next_command: AtomicU32,
    pushes: AtomicU64,
    /// Who wants to know everything that is committed.
    pub(super) followers: Followers,
    /// Users with live sessions.
    pub(super) online: Arc<Attendance>,
    /// Rooms with subscribers, by name.
    pub(super) occupied: Attendance,
}

impl Fanout {
    /// With one inbox per shard.
    pub fn new(inboxes: Vec<Arc<Inbox>>) -> Arc<Self> {
        Arc::new(Self {
            live: DashMap::new(),
            inboxes,
            restless: Mutex::default(),
            expected: Mutex::default(),
            next_command: AtomicU32::new(0),
            pushes: AtomicU64::new(0),
            followers: Followers::default(),
            online: Arc::default(),
            occupied: Attendance::default(),
        })
    }

    /// Makes a room live and a shard interested in it.
    pub(super) fn acquire(&self, info: &RoomInfo, shard: u16) -> Arc<Room> {
        let room = self.live.entry(info.id).or_insert_with(|| Room::new(info.clone(), self.inboxes.len()));
        // Under the entry's lock, so that `forget_if_idle` cannot come between.
        room.acquire(shard, || {
            let name = &info.name;
            self.occupied.enter(name, || self.followers.tell(|| Followed::Occupied { room: name.clone() }));
        });
        room.clone()
    }

    /// Gives back what `acquire` took.
    pub(super) fn release(&self, room: &Arc<Room>, shard: u16) {
        room.release(shard, || self.occupied.exit(&room.info.name));
        self.forget_if_idle(room);
    }

    fn forget_if_idle(&self, room: &Room) {
        self.live.remove_if(&room.info.id, |_, live| live.is_idle());
    }

    /// A room that somebody is subscribed to or present in.
    pub(super) fn live(&self, room: RoomId) -> Option<Arc<Room>> {
        self.live.get(&room).map(|room| room.clone())
    }

    /// Every such room, in no order.
    pub(super) fn live_rooms(&self) -> Vec<Arc<Room>> {
        self.live.iter().map(|room| room.clone()).collect()
    }

    /// Number of live rooms.
    pub fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Pushes made since start; each goes to any number of subscribers.
    pub fn push_count(&self) -> u64 {
        self.pushes.load(Ordering::Relaxed)
    }

    /// Gives a push to every shard that has subscribers of the room.
    pub(super) fn cast(&self, room: &Room, push: &Arc<Push>) {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        for shard in room.shards() {
            self.inboxes[shard].put([Delivery::Push(push.clone())]);
        }
    }

    /// Puts something into the inbox of every shard.
    pub(super) fn tell_shards(&self, delivery: impl Fn() -> Delivery) {
        for inbox in &self.inboxes {
            inbox.put([delivery()]);
        }
    }

    /// Puts something into the inbox of one shard.
    pub(super) fn tell_shard(&self, shard: u16, delivery: Delivery) {
        if let Some(inbox) = self.inboxes.get(usize::from(shard)) {
            inbox.put([delivery]);
        }
    }

    /// Has the next presence tick look at a room.
    pub(super) fn unsettle(&self, room: &Arc<Room>) {
        if room.list() {
            self.restless.lock().push(room.clone());
        }
    }

    /// One presence tick: `diff` says what to tell of a room, if anything.
    pub(super) fn settle(&self, diff: impl Fn(&Room) -> Option<Arc<Push>>) {
        let rooms = std::mem::take(&mut *self.restless.lock());
        for room in rooms {
            room.unlist();
            if let Some(push) = diff(&room) {
                self.cast(&room, &push);
            }
            if room.presence.lock().is_restless() {
                self.unsettle(&room);
            } else {
                self.forget_if_idle(&room);
            }
        }
    }

    /// A ticket whose outcome comes through the receiver, for callers outside the shards.
    pub(super) fn expect(&self) -> (Ticket, oneshot::Receiver<Outcome>) {
        let command = self.next_command.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.expected.lock().insert(command, sender);
        (Ticket { owner: NO_SHARD, command }, receiver)
    }

    /// The ticket will have no outcome.
    pub(super) fn forget(&self, ticket: Ticket) {
        self.expected.lock().remove(&ticket.command);
    }
}

impl CommitSink for Fanout {
    fn committed(&self, outcomes: Vec<Outcome>) {
        self.followers.committed(&outcomes);
        let mut batches: Vec<Vec<Delivery>> = self.inboxes.iter().map(|_| Vec::new()).collect();
        let mut answers = Vec::new();
        for outcome in outcomes {
            if let (Some(room), Ok(Done::Stored { record, .. })) = (outcome.room, &outcome.result)
                && let Some(room) = self.live.get(&room)
            {
                let push = Push::message(room.info.id, room.info.name.clone(), record.clone());
                self.pushes.fetch_add(1, Ordering::Relaxed);
                for shard in room.shards() {
                    batches[shard].push(Delivery::Push(push.clone()));
                }
            }
            match batches.get_mut(usize::try_from(outcome.ticket.owner).unwrap_or(usize::MAX)) {
                Some(batch) => batch.push(Delivery::Outcome(outcome)),
                None => answers.push(outcome),
            }
        }
        if crate::sabotage::is("reorder") {
            for batch in &mut batches {
                batch.reverse();
            }
        }
        Inbox::put_together(self.inboxes.iter().map(Arc::as_ref).zip(batches));
        for outcome in answers {
            let waiting = self.expected.lock().remove(&outcome.ticket.command);
            // A caller that stopped waiting wants no answer.
            let _ = waiting.map(|waiting| waiting.send(outcome));
        }
    }
}
