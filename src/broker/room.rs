//! One live room: a room that somebody is subscribed to or present in. Owns which shards are interested, and the
//! presence. Its order and its messages belong to the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::presence::PresenceSet;
use crate::journal::RoomInfo;

/// Most shards; the interest of a room is one word.
pub const SHARDS_MAX: usize = 64;

/// A live room. Cheap to look at from the journal's thread: one atomic load tells where its messages go.
#[derive(Debug)]
pub struct Room {
    /// What does not change about it.
    pub info: RoomInfo,
    /// Bit n: shard n has subscribers. Derived from `subscribers`; read without its lock.
    mask: AtomicU64,
    /// Subscriptions per shard.
    subscribers: Mutex<Vec<u32>>,
    /// Who is here. Locked for short computations only, never across I/O.
    pub presence: Mutex<PresenceSet>,
    /// Already on the list of rooms that the next presence tick looks at.
    listed: AtomicBool,
}

impl Room {
    pub(super) fn new(info: RoomInfo, shards: usize) -> Arc<Self> {
        Arc::new(Self {
            info,
            mask: AtomicU64::new(0),
            subscribers: Mutex::new(vec![0; shards]),
            presence: Mutex::default(),
            listed: AtomicBool::new(false),
        })
    }

    /// One more subscription on a shard. From the return on, what is committed reaches that shard. `first` is called if
    /// there was none on any shard, in turns with `last` of [`Room::release`].
    pub(super) fn acquire(&self, shard: u16, first: impl FnOnce()) {
        let mut subscribers = self.subscribers.lock();
        subscribers[usize::from(shard)] += 1;
        if self.mask.fetch_or(1 << shard, Ordering::SeqCst) == 0 {
            first();
        }
    }

    /// One subscription less on a shard. `last` is called if none is left on any shard.
    pub(super) fn release(&self, shard: u16, last: impl FnOnce()) {
        let mut subscribers = self.subscribers.lock();
        let count = &mut subscribers[usize::from(shard)];
        *count = count.saturating_sub(1);
        if *count == 0 {
            let before = self.mask.fetch_and(!(1 << shard), Ordering::SeqCst);
            if before == 1 << shard {
                last();
            }
        }
    }

    /// The shards that have subscribers.
    pub(super) fn shards(&self) -> impl Iterator<Item = usize> + use<> {
        let mut mask = self.mask.load(Ordering::SeqCst);
        std::iter::from_fn(move || {
            (mask != 0).then(|| {
                let shard = mask.trailing_zeros() as usize;
                mask &= mask - 1;
                shard
            })
        })
    }

    /// Whether nothing would be missed if the room were forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.mask.load(Ordering::SeqCst) == 0 && self.presence.lock().is_empty()
    }

    /// True for the first caller since the last [`Room::unlist`].
    pub(super) fn list(&self) -> bool {
        !self.listed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn unlist(&self) {
        self.listed.store(false, Ordering::Release);
    }
}
