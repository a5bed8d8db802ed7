//! Idempotency keys as hashes: `(room, sender, message id)` under a key of the store's own.
//!
//! A hash only says where to look; the record found there decides. The function must never change: hashes are on disk.

use std::cell::RefCell;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// The store's own key, so that nobody outside can choose colliding ids.
#[derive(Clone)]
pub(crate) struct IdKey(RapidSecrets);

impl IdKey {
    pub fn new(seed: u64) -> Self {
        Self(RapidSecrets::seed(seed))
    }

    /// The hash of a message's identity.
    pub fn hash(&self, room: u64, sender: &str, message_id: &str) -> u64 {
        thread_local! { static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) }; }
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            buffer.extend_from_slice(&room.to_le_bytes());
            buffer.extend_from_slice(&(sender.len() as u64).to_le_bytes());
            buffer.extend_from_slice(sender.as_bytes());
            buffer.extend_from_slice(message_id.as_bytes());
            rapidhash_v3_seeded(buffer, &self.0)
        })
    }
}
