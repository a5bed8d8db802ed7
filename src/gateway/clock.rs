//! The time of a shard. Seconds come from its own ticks, so that asking is free and a jump of the machine's clock
//! disconnects nobody; wall-clock milliseconds are for tokens and messages.

use std::time::{SystemTime, UNIX_EPOCH};

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

    /// Wall clock, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        now_ms()
    }
}

/// Wall clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
