//! How fast requests may come: so many per second of one account, and of one address where nobody has said who they are,
//! be it in a request or on a socket.
//!
//! Invariant: as many buckets as were thought of at the start. Accounts and addresses are spread over them by a hash
//! that nobody outside can foresee; now and then two share one, and however many come, nothing grows.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Service, ServiceConfig, ServiceError};

/// Buckets of each kind, at most 2 MiB.
const BUCKETS: u64 = 1 << 16;

/// The buckets.
pub(super) struct Pace {
    accounts: DefaultKeyedRateLimiter<u64>,
    addresses: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    clock: DefaultClock,
}

impl Pace {
    pub(super) fn new(config: &ServiceConfig) -> Self {
        let some = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let limiter =
            |per_second, burst| RateLimiter::dashmap(Quota::per_second(some(per_second)).allow_burst(some(burst)));
        Self {
            accounts: limiter(config.requests_per_second, config.requests_burst),
            addresses: limiter(config.address_requests_per_second, config.address_requests_burst),
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
        }
    }

    /// Takes one from what may still come from an address.
    pub(super) fn take_from_address(&self, address: IpAddr) -> Result<(), u32> {
        self.take(&self.addresses, address)
    }

    fn take(&self, limiter: &DefaultKeyedRateLimiter<u64>, key: impl Hash) -> Result<(), u32> {
        let bucket = self.hasher.hash_one(key) % BUCKETS;
        limiter.check_key(&bucket).map_err(|full| {
            let wait_ms = full.wait_time_from(self.clock.now()).as_millis();
            u32::try_from(wait_ms).unwrap_or(u32::MAX).max(1)
        })
    }
}

impl Service {
    /// Takes one request from what a user, or an API key, may still ask.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn pace_of(&self, who: &str) -> Result<(), ServiceError> {
        let pace = self.roster.pace();
        pace.take(&pace.accounts, who).map_err(ServiceError::too_fast)
    }

    /// Takes one request from what may still be asked from an address without saying who asks.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn pace_at(&self, address: IpAddr) -> Result<(), ServiceError> {
        self.roster.pace().take_from_address(address).map_err(ServiceError::too_fast)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_burst() {
        let config = ServiceConfig { address_requests_burst: 5, ..ServiceConfig::default() };
        let pace = Pace::new(&config);
        let address = |last| IpAddr::from([192, 0, 2, last]);
        for _ in 0..5 {
            pace.take(&pace.addresses, address(1)).unwrap();
        }
        let wait_ms = pace.take(&pace.addresses, address(1)).unwrap_err();
        assert!((1..=50).contains(&wait_ms), "{wait_ms}");
        pace.take(&pace.addresses, address(2)).unwrap();
        pace.take(&pace.accounts, "anna").unwrap();
    }
}
