//! The way into a shard: a bounded queue that other threads put deliveries on and the shard takes whole.
//!
//! Overflow policy: signals, presence and notices are shed first; then messages, which are in the log anyway: the shard is told that it lost
//! some and brings its subscribers up to date from the log. Answers to commands always fit, because each belongs to a
//! command that its session was allowed to have in flight.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::push::Push;
use crate::journal::Outcome;

/// Pushes waiting beyond this are shed, those that are not stored at half of it.
const PUSHES_MAX: usize = 65_536;
/// The same for their payloads, bytes.
const BYTES_MAX: usize = 64 << 20;

/// One thing for a shard to do.
#[derive(Debug)]
pub enum Delivery {
    /// Give this to the room's subscribers here.
    Push(Arc<Push>),
    /// A command of one of the shard's sessions has its outcome.
    Outcome(Outcome),
    /// Pushes were shed: compare every room with the log.
    Lost,
    /// Tell everybody to go and end.
    Drain,
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
    fn put(&mut self, delivery: Delivery) {
        if let Delivery::Push(push) = &delivery {
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
