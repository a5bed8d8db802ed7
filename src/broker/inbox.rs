//! The way into a shard: a bounded queue that other threads put deliveries on and the shard takes whole.
//!
//! Overflow policy: signals, presence and notices are shed first; then messages, which are in the log anyway: the shard is told that it lost
//! some and brings its subscribers up to date from the log. Answers to commands always fit, because each belongs to a
//! command that its session was allowed to have in flight. Errands beyond a few per session are given back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::errand::{Declined, Errand};
use super::push::{Push, SessionKey};
use crate::journal::{Outcome, RoomInfo};

/// Pushes waiting beyond this are shed, those that are not stored at half of it.
const PUSHES_MAX: usize = 65_536;
/// The same for their payloads, bytes.
const BYTES_MAX: usize = 64 << 20;
/// Errands waiting for one session: several requests at a time are a hurry, more are a flood.
const ERRANDS_PER_SESSION: usize = 16;
/// Errands waiting in all.
const ERRANDS_MAX: usize = 4_096;
/// The same for what they carry, bytes.
const ERRAND_BYTES_MAX: usize = 16 << 20;
/// When somebody should come back with an errand that was one too many, milliseconds: a shard's queue is worked off faster.
const ERRAND_RETRY_MS: u32 = 1_000;

/// One thing for a shard to do.
#[derive(Debug)]
pub enum Delivery {
    /// Give this to the room's subscribers here.
    Push(Arc<Push>),
    /// A command of one of the shard's sessions has its outcome.
    Outcome(Outcome),
    /// Something for one of the shard's sessions, from a request that another thread took.
    Errand(Box<Errand>),
    /// Pushes were shed: compare every room with the log.
    Lost,
    /// Look again at what these may do.
    Access(AccessChange),
    /// Give this to the user's sessions that want to hear of changes.
    Tell {
        /// Whose sessions.
        user: Arc<str>,
        /// What.
        push: Arc<Push>,
    },
    /// Tell everybody to go and end.
    Drain,
}

/// Something that changes what live sessions may do.
#[derive(Debug, Clone)]
pub enum AccessChange {
    /// Users came into a room, left it, or have other roles there. One change for all of them, because a shard goes
    /// through everybody in the room to find them.
    Members {
        /// Where.
        room: RoomInfo,
        /// Who.
        users: Arc<HashSet<Arc<str>>>,
    },
    /// Somebody must go at once.
    Revoked {
        /// Who.
        user: Arc<str>,
        /// Only these of the user's devices; `None`: all, and whatever has none.
        devices: Option<Arc<[Arc<str>]>>,
    },
}

/// A shard's queue. The shard owns the other end; everybody else only puts.
#[derive(Debug, Default)]
pub struct Inbox {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    deliveries: Vec<Delivery>,
    pushes: usize,
    bytes: usize,
    lost: bool,
    shed: u64,
    /// Errands waiting, by session, and what they carry together, bytes.
    errands: HashMap<SessionKey, usize>,
    errand_count: usize,
    errand_bytes: usize,
}

impl Inbox {
    /// Queues several deliveries at once and wakes the shard once.
    pub fn put(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        let mut queue = self.queue.lock();
        let was_empty = queue.deliveries.is_empty();
        for delivery in deliveries {
            queue.put(delivery);
        }
        drop(queue);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Fills several inboxes as one: what a shard does because of what it found in its own comes behind this in the others.
    pub fn put_together<'a>(batches: impl IntoIterator<Item = (&'a Self, Vec<Delivery>)>) {
        // All are locked until all are filled. Whoever else locks one locks no second one.
        let filled = batches.into_iter().filter(|(_, batch)| !batch.is_empty()).map(|(inbox, batch)| {
            let mut queue = inbox.queue.lock();
            let was_empty = queue.deliveries.is_empty();
            batch.into_iter().for_each(|delivery| queue.put(delivery));
            (inbox, was_empty, queue)
        });
        let filled: Vec<_> = filled.collect();
        let wakes: Vec<_> = filled.into_iter().filter_map(|(inbox, was_empty, _)| was_empty.then_some(inbox)).collect();
        wakes.into_iter().for_each(|inbox| inbox.filled.notify_one());
    }

    /// Queues an errand; one too many is declined.
    pub fn put_errand(&self, errand: Box<Errand>) {
        let mut queue = self.queue.lock();
        if !queue.has_place_for(&errand) {
            drop(queue);
            // Whoever stopped waiting wants no result.
            let _ = errand.result.send(Err(Declined::TooMany(ERRAND_RETRY_MS)));
            return;
        }
        let was_empty = queue.deliveries.is_empty();
        queue.deliveries.push(Delivery::Errand(errand));
        drop(queue);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Waits until something is there, then takes everything, leaving `into`'s memory for the next round.
    pub async fn take(&self, into: &mut Vec<Delivery>) {
        into.clear();
        loop {
            {
                let mut queue = self.queue.lock();
                if !queue.deliveries.is_empty() {
                    std::mem::swap(&mut queue.deliveries, into);
                    (queue.pushes, queue.bytes) = (0, 0);
                    queue.lost = false;
                    queue.errands.clear();
                    (queue.errand_count, queue.errand_bytes) = (0, 0);
                    return;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Pushes shed since start.
    pub fn shed(&self) -> u64 {
        self.queue.lock().shed
    }
}

impl Queue {
    /// Whether an errand may wait here; if so it is counted.
    fn has_place_for(&mut self, errand: &Errand) -> bool {
        if self.errand_count >= ERRANDS_MAX || self.errand_bytes + errand.bytes > ERRAND_BYTES_MAX {
            return false;
        }
        let count = self.errands.entry(errand.session).or_default();
        if *count >= ERRANDS_PER_SESSION {
            return false;
        }
        *count += 1;
        self.errand_count += 1;
        self.errand_bytes += errand.bytes;
        true
    }

    fn put(&mut self, delivery: Delivery) {
        if let Delivery::Push(push) | Delivery::Tell { push, .. } = &delivery {
            let is_over = |share: usize| self.pushes >= PUSHES_MAX / share || self.bytes >= BYTES_MAX / share;
            if push.offset().is_none() && is_over(2) {
                self.shed += 1;
                return;
            }
            if is_over(1) {
                self.shed += 1;
                if !std::mem::replace(&mut self.lost, true) {
                    self.deliveries.push(Delivery::Lost);
                }
                return;
            }
            self.pushes += 1;
            self.bytes += push.weight();
        }
        self.deliveries.push(delivery);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::broker::Act;

    fn errand(slot: u32, bytes: usize) -> (Box<Errand>, oneshot::Receiver<Result<bytes::Bytes, Declined>>) {
        let (result, receiver) = oneshot::channel();
        let session = SessionKey { shard: 0, slot, generation: 1 };
        (
            Box::new(Errand {
                session,
                proof: 7,
                act: Act::Send,
                frames: Vec::new(),
                bytes,
                proven: oneshot::channel().0,
                result,
            }),
            receiver,
        )
    }

    /// Whoever sees the first of two inboxes filled finds the second one filled as well.
    #[test]
    fn several_are_filled_as_one() {
        const ROUNDS: usize = 20_000;
        let inboxes = [Inbox::default(), Inbox::default()];
        let count = |inbox: &Inbox| inbox.queue.lock().deliveries.len();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    Inbox::put_together(inboxes.iter().map(|inbox| (inbox, vec![Delivery::Lost])));
                }
            });
            let mut seen = 0;
            while seen < ROUNDS {
                seen = count(&inboxes[0]);
                let other = count(&inboxes[1]);
                assert!(other >= seen, "{seen} here, {other} there");
            }
        });
    }

    #[test]
    fn errands_are_bounded_per_session_and_in_all() {
        let inbox = Inbox::default();
        let mut waiting = Vec::new();
        let mut put = |slot, bytes| {
            let (errand, mut receiver) = errand(slot, bytes);
            inbox.put_errand(errand);
            let result = receiver.try_recv();
            waiting.push(receiver);
            result
        };
        let declined = Ok(Err(Declined::TooMany(ERRAND_RETRY_MS)));
        for _ in 0..ERRANDS_PER_SESSION {
            assert_ne!(put(1, 1), declined);
        }
        assert_eq!(put(1, 1), declined, "one session");
        assert_ne!(put(2, 1), declined, "another has its own");
        assert_eq!(put(3, ERRAND_BYTES_MAX), declined, "too much to carry");
        for slot in 4.. {
            if put(slot, 0) == declined {
                assert_eq!(slot as usize, ERRANDS_MAX - ERRANDS_PER_SESSION - 1 + 4);
                break;
            }
        }
        assert!(!format!("{:?}", errand(1, 1).0).contains('7'), "the proof is not told");
    }
}
