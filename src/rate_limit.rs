//! A token bucket in eight bytes: a connection has three of them, and there may be a hundred thousand connections; an
//! account has one for all of its connections. Pure.

/// Allows `rate` per second sustained and twice as many in a burst.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// When the bucket was or will be full, in parts of a steady millisecond: the generic cell rate
    /// algorithm (ITU-T I.371), where one number is the whole state.
    full_at: u64,
}

/// Parts of a millisecond that a bucket counts in: exact to 0.1 % at a million per second, and centuries of uptime
/// fit.
const PARTS: u64 = 1 << 20;
/// A burst is this many seconds' worth.
const BURST_S: u64 = 2;

impl Bucket {
    /// A full bucket.
    pub fn new() -> Self {
        Self { full_at: 0 }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long to wait for the next, milliseconds.
    pub fn take(&mut self, rate: u32, now_ms: u64) -> Result<(), u32> {
        let now = now_ms * PARTS;
        let cost = (1_000 * PARTS).div_ceil(u64::from(rate.max(1)));
        let limit = now + BURST_S * 1_000 * PARTS;
        // Never beyond the burst, unless the clock was set back meanwhile; then nobody waits for it to catch up.
        self.full_at = self.full_at.clamp(now, limit);
        let full_at = self.full_at + cost;
        if full_at > limit {
            return Err(((full_at - limit).div_ceil(PARTS)) as u32);
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate() {
        let mut bucket = Bucket::new();
        let taken = (0..1_000).filter(|_| bucket.take(100, 5_000).is_ok()).count();
        assert_eq!(taken, 200, "two seconds' worth at once");
        let wait = bucket.take(100, 5_000).expect_err("empty");
        assert_eq!(wait, 10);
        assert!(bucket.take(100, 5_000 + u64::from(wait)).is_ok());
        let later = (0..1_000).filter(|ms| bucket.take(100, 6_000 + ms).is_ok()).count();
        assert!((190..=201).contains(&later), "one second refills a hundred and so does the next: {later}");
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody() {
        let mut bucket = Bucket::new();
        bucket.take(100, 3_600_000).unwrap();
        assert_eq!(bucket.take(100, 1_000), Err(10), "as if all had been taken");
        assert!(bucket.take(100, 1_010).is_ok());
    }
}
