//! How often somebody may try a password: so many failures of one login and of one address in a stretch of time.
//!
//! Owns the counts, in memory: a restart forgets them. An attempt counts from its beginning and is taken back when it
//! was right, so that many at once are not more than one after the other. Invariant: as many counts as were made at the
//! start; logins and addresses share them by a hash that nobody outside can foresee, which now and then counts two
//! together, and never needs more memory.

use std::hash::BuildHasher as _;
use std::net::IpAddr;

use parking_lot::Mutex;
use std::collections::hash_map::RandomState;

use super::ServiceError;

/// Failures of one login, and of one address, within [`WINDOW_MS`].
const FAILURES_MAX: u32 = 10;
/// Fifteen minutes.
const WINDOW_MS: u64 = 15 * 60 * 1_000;
/// Counts; a power of two. 1 MiB.
const COUNTS: usize = 1 << 16;

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    failures: u32,
    /// When the first of them was, milliseconds since 1970.
    since_ms: u64,
}

/// The counts.
#[derive(Debug)]
pub(super) struct Attempts {
    counts: Mutex<Box<[Count]>>,
    hasher: RandomState,
}

/// An attempt; it counts as failed until it is forgiven.
#[derive(Debug)]
#[must_use]
pub(super) struct Attempt<'a> {
    attempts: &'a Attempts,
    places: [usize; 2],
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { counts: Mutex::new(vec![Count::default(); COUNTS].into()), hasher: RandomState::new() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// `rate_limited` after too many failures; then this one does not count.
    pub(super) fn begin(&self, login: &str, address: IpAddr, now_ms: u64) -> Result<Attempt<'_>, ServiceError> {
        let place = |hash: u64| hash as usize % COUNTS;
        let places = [place(self.hasher.hash_one(login)), place(self.hasher.hash_one(address))];
        let mut counts = self.counts.lock();
        for place in places {
            let count = &mut counts[place];
            if now_ms.saturating_sub(count.since_ms) >= WINDOW_MS {
                *count = Count { failures: 0, since_ms: now_ms };
            }
            if count.failures >= FAILURES_MAX {
                let wait_ms = count.since_ms.saturating_add(WINDOW_MS).saturating_sub(now_ms);
                return Err(ServiceError::too_fast(wait_ms.min(WINDOW_MS) as u32));
            }
        }
        places.into_iter().for_each(|place| counts[place].failures += 1);
        Ok(Attempt { attempts: self, places })
    }
}

impl Attempt<'_> {
    /// It was right, or could not be tried.
    pub(super) fn forgive(self) {
        let mut counts = self.attempts.counts.lock();
        for place in self.places {
            counts[place].failures = counts[place].failures.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_login_and_by_address() {
        let attempts = Attempts::new();
        let address = |last| IpAddr::from([192, 0, 2, last]);
        for i in 0..10 {
            attempts.begin("anna", address(1), 1_000_000 + i).unwrap().forgive();
            let _failed = attempts.begin("anna", address(i as u8 + 10), 1_000_000 + i).unwrap();
        }
        let error = attempts.begin("anna", address(200), 1_600_000).unwrap_err();
        assert_eq!(error.retry_after_ms, 300_000, "from the first failure on");
        for i in 0..10 {
            let _failed = attempts.begin(&format!("user-{i}"), address(3), 1_000_000).unwrap();
        }
        assert!(attempts.begin("somebody", address(3), 1_000_001).is_err());
        assert!(attempts.begin("somebody", address(4), 1_000_001).is_ok());
        assert!(attempts.begin("anna", address(3), 1_000_000 + WINDOW_MS).is_ok());
    }
}
