//! The time of a shard. Seconds come from its own ticks, so that asking is free and a jump of the machine's clock
//! disconnects nobody; so do the milliseconds that paces and leases are counted in. Wall-clock milliseconds are for
//! tokens and messages.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A shard's clock.
#[derive(Debug)]
pub struct Clock {
    second: u64,
}

impl Clock {
    /// Starts at a second that leaves room for "before".
    pub fn start() -> Self {
        Self { second: 1_000 }
    }

    /// A second went by.
    pub fn tick(&mut self) {
        self.second += 1;
    }

    /// Seconds, steady.
    pub fn second(&self) -> u64 {
        self.second
    }

    /// Steady milliseconds, the same for all shards.
    pub fn steady_ms(&self) -> u64 {
        steady_ms()
    }

    /// Wall clock, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        now_ms()
    }
}

/// Wall clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Milliseconds that never jump, since some moment before the first call.
pub fn steady_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64 + 1_000_000
}
