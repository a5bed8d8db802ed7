//! Counters of the journal: plain atomics, read when metrics are scraped.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::{COMMIT_BUCKETS_US, Stats};

/// See the head of the file.
#[derive(Default)]
pub(crate) struct Counters {
    stored: AtomicU64,
    duplicates: AtomicU64,
    commits: AtomicU64,
    commit_bytes: AtomicU64,
    folds: AtomicU64,
    commit_us: [AtomicU64; COMMIT_BUCKETS_US.len() + 1],
}

impl Counters {
    pub fn commit(&self, records: u64, bytes: u64, took: Duration) {
        self.stored.fetch_add(records, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.commit_bytes.fetch_add(bytes, Relaxed);
        let micros = took.as_micros() as u64;
        let bucket = COMMIT_BUCKETS_US.iter().position(|bound| micros <= *bound).unwrap_or(COMMIT_BUCKETS_US.len());
        self.commit_us[bucket].fetch_add(1, Relaxed);
    }

    pub fn duplicates(&self, count: u64) {
        self.duplicates.fetch_add(count, Relaxed);
    }

    pub fn fold(&self) {
        self.folds.fetch_add(1, Relaxed);
    }

    pub fn read(&self, rooms: u64, queued: u64) -> Stats {
        Stats {
            stored: self.stored.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            commits: self.commits.load(Relaxed),
            commit_bytes: self.commit_bytes.load(Relaxed),
            folds: self.folds.load(Relaxed),
            rooms,
            queued,
            commit_us: std::array::from_fn(|bucket| self.commit_us[bucket].load(Relaxed)),
        }
    }
}
