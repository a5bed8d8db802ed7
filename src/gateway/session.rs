//! One session: who it is, where it is subscribed, and how fast it may go. Knows neither its socket nor its shard.

use std::sync::Arc;

use super::admission::UserPlace;
use crate::auth::{Identity, Permissions};
use crate::broker::{Lease, Room};
use crate::journal::RoomId;
use crate::rate_limit::Bucket;

/// Most publishes, reads and other commands of a session whose answer is still awaited.
pub const IN_FLIGHT_MAX: u32 = 4_096;
/// Most disk reads of a session at a time.
pub const DISK_READS_MAX: u32 = 4;

/// An authenticated connection's state.
#[derive(Debug)]
pub struct Session {
    /// Who it is; replaced by a refresh.
    pub identity: Identity,
    /// Sorted by room.
    subscriptions: Vec<Subscription>,
    /// All commands together.
    pub commands: Bucket,
    /// Publishes.
    pub publishes: Bucket,
    /// Signals.
    pub signals: Bucket,
    /// Commands whose outcome the journal owes.
    pub in_flight: u32,
    /// Reads under way on the disk.
    pub disk_reads: u32,
    /// Commands refused for their pace, one after the other.
    pub refusals: u32,
    /// Commands that wait for a dialog to be loaded.
    pub waiting: u32,
    /// Whether it wants to hear of changes.
    pub watches: bool,
    /// Whether it was told that its token ends soon.
    pub warned: bool,
    /// Given back when the session ends.
    _place: UserPlace,
    /// Its user is online as long as this stands.
    _lease: Lease,
}

/// A session's live interest in a room.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Acquired for the session's shard as long as this stands.
    pub room: Arc<Room>,
    /// What the session may do there.
    pub allow: Permissions,
    /// Whether it is seen in the room, and sees who is.
    pub presence: bool,
}

impl Session {
    /// A session without subscriptions.
    pub fn new(identity: Identity, place: UserPlace, lease: Lease) -> Self {
        Self {
            identity,
            subscriptions: Vec::new(),
            commands: Bucket::new(),
            publishes: Bucket::new(),
            signals: Bucket::new(),
            in_flight: 0,
            disk_reads: 0,
            refusals: 0,
            waiting: 0,
            watches: false,
            warned: false,
            _place: place,
            _lease: lease,
        }
    }

    /// Its subscriptions.
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// Its subscription to a room.
    pub fn subscription(&self, room: RoomId) -> Option<&Subscription> {
        self.find(room).ok().map(|index| &self.subscriptions[index])
    }

    /// Keeps a new subscription; there was none to this room.
    pub fn subscribe(&mut self, subscription: Subscription) {
        if let Err(index) = self.find(subscription.room.info.id) {
            if self.subscriptions.is_empty() {
                // Most sessions have a handful of rooms, and many have one.
                self.subscriptions.reserve_exact(1);
            }
            self.subscriptions.insert(index, subscription);
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, room: RoomId) -> Option<Subscription> {
        self.find(room).ok().map(|index| self.subscriptions.remove(index))
    }

    /// Puts new rights in a room in place. Whether it is subscribed there with presence.
    pub fn set_allow(&mut self, room: RoomId, allow: Permissions) -> bool {
        let Ok(index) = self.find(room) else { return false };
        self.subscriptions[index].allow = allow;
        self.subscriptions[index].presence
    }

    fn find(&self, room: RoomId) -> Result<usize, usize> {
        self.subscriptions.binary_search_by_key(&room, |subscription| subscription.room.info.id)
    }
}
