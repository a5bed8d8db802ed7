//! How a shard ends: nothing new is taken, what is under way gets its answer, then everybody is told to come back, each
//! at a moment of the server's choice, so that they do not all come at once.

use std::cell::RefCell;
use std::rc::Weak;
use std::time::Duration;

use konvert_protocol::{CloseCode, v1};
use rand::Rng;

use super::shard::Shard;

/// How long answers to what is under way are waited for.
const ANSWERS: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Connections told to go in one turn; between two turns others of the process get theirs.
const BATCH: usize = 256;

/// Drains a shard.
pub async fn run(shard: Weak<RefCell<Shard>>) {
    let mut waited = Duration::ZERO;
    while waited < ANSWERS && shard.upgrade().is_some_and(|shard| !shard.borrow().pending.is_empty()) {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
    let everybody = shard.upgrade().map(|shard| shard.borrow().everybody()).unwrap_or_default();
    for batch in everybody.chunks(BATCH) {
        let Some(shard) = shard.upgrade() else { return };
        {
            let mut shard = shard.borrow_mut();
            for &(slot, generation) in batch {
                shard.send_away(slot, generation);
            }
            shard.flush();
        }
        tokio::task::yield_now().await;
    }
}

impl Shard {
    /// Tells one connection to go.
    pub(super) fn send_away(&mut self, slot: u32, generation: u32) {
        let jitter_ms = self.shared.config.drain_jitter_ms as u32;
        let closing = v1::Closing {
            code: CloseCode::Draining.number().into(),
            reason: CloseCode::Draining.name().to_owned(),
            reconnect_after_ms: rand::rng().random_range(0..=jitter_ms),
        };
        self.push(slot, generation, &v1::ServerFrame::push(closing));
        self.close(slot, generation, CloseCode::Draining);
    }
}
