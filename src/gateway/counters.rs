//! What the shards count. A shard counts in plain integers and adds them to the shared ones once per turn, because a
//! shared counter per delivery would cost more than the delivery.

use std::sync::atomic::{AtomicU64, Ordering};

use konvert_protocol::CloseCode;

/// Upper bounds of the buckets for publish to ack, microseconds.
pub const PUBLISH_BUCKETS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_000_000];

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Sums over all shards since start.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)+
            /// Closes by the server, by place in [`CloseCode::ALL`], then all others.
            pub closes: [AtomicU64; CloseCode::ALL.len() + 1],
            /// Errors sent, by number.
            pub errors: ErrorCounts,
            /// Publish to ack, by bucket of [`PUBLISH_BUCKETS_US`] and one above all.
            pub publish_us: [AtomicU64; PUBLISH_BUCKETS_US.len() + 1],
            /// Sum of publish to ack, microseconds.
            pub publish_us_sum: AtomicU64,
        }

        /// What one shard counted in one turn.
        #[derive(Debug, Default)]
        pub struct Tally {
            $($(#[$doc])* pub $name: u64,)+
            closes: Vec<u16>,
            errors: Vec<u32>,
            publish_us: Vec<u64>,
        }

        impl Tally {
            /// Adds everything to the shared counters.
            pub fn publish(&mut self, counters: &Counters) {
                $(if self.$name > 0 {
                    counters.$name.fetch_add(std::mem::take(&mut self.$name), Ordering::Relaxed);
                })+
                for number in self.closes.drain(..) {
                    let place = CloseCode::ALL.iter().position(|code| code.number() == number);
                    counters.closes[place.unwrap_or(CloseCode::ALL.len())].fetch_add(1, Ordering::Relaxed);
                }
                for number in self.errors.drain(..) {
                    if let Some(count) = counters.errors.0.get(number as usize) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                for us in self.publish_us.drain(..) {
                    let place = PUBLISH_BUCKETS_US.partition_point(|bound| *bound < us);
                    counters.publish_us[place].fetch_add(1, Ordering::Relaxed);
                    counters.publish_us_sum.fetch_add(us, Ordering::Relaxed);
                }
            }
        }
    };
}

counters! {
    /// Connections opened.
    opened,
    /// Connections ended.
    ended,
    /// Commands looked at.
    commands,
    /// Messages acknowledged.
    published,
    /// Signals accepted.
    signals,
    /// Pushes put into outboxes.
    deliveries,
    /// Readers closed because they were too slow.
    slow_consumers,
}

/// One counter per error number.
#[derive(Debug)]
pub struct ErrorCounts([AtomicU64; ERROR_NUMBERS]);

/// Error numbers are below this.
const ERROR_NUMBERS: usize = 800;

impl Default for ErrorCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// Closes by the server: number and count, where there were any. Zero stands for codes that are not ours.
    pub fn closes_by_code(&self) -> impl Iterator<Item = (u32, u64)> {
        let number = |place: usize| CloseCode::ALL.get(place).map_or(0, |code| code.number().into());
        non_zero(&self.closes).map(move |(place, count)| (number(place), count))
    }

    /// Errors sent: number and count, where there were any.
    pub fn errors_by_code(&self) -> impl Iterator<Item = (u32, u64)> {
        non_zero(&self.errors.0).map(|(number, count)| (number as u32, count))
    }
}

fn non_zero(counts: &[AtomicU64]) -> impl Iterator<Item = (usize, u64)> {
    let counts = counts.iter().map(|count| count.load(Ordering::Relaxed)).enumerate();
    counts.filter(|(_, count)| *count > 0)
}

impl Tally {
    /// The server closed a connection.
    pub fn closed(&mut self, number: u16) {
        self.closes.push(number);
    }

    /// A command got an error.
    pub fn refused(&mut self, number: u32) {
        self.errors.push(number);
    }

    /// A publish was acknowledged after so many microseconds.
    pub fn acked(&mut self, us: u64) {
        self.published += 1;
        self.publish_us.push(us);
    }
}
