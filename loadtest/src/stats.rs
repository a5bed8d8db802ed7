//! Counting deliveries and their delays. Pure. Every delivery is checked for loss, duplicates and order: a fast
//! server that loses messages must not look fast.

use hdrhistogram::Histogram;

/// Delays up to this are told apart, microseconds (ten minutes).
const LATENCY_US_MAX: u64 = 600_000_000;

/// Delays in microseconds, to three digits.
#[derive(Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        let three_digits = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
        Self(three_digits.unwrap_or_else(|_| unreachable!("the bounds are constants")))
    }
}

impl Latency {
    /// Counts one delay.
    pub fn record_ns(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds / 1000);
    }

    /// The delay that the share `quantile` (0 to 1) does not exceed, microseconds.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Points `(quantile, microseconds)` for drawing, from the median to the rarest.
    pub fn tail(&self) -> Vec<(f64, f64)> {
        let mut points = Vec::new();
        for step in 0..=60 {
            let quantile = 1.0 - 10f64.powf(-f64::from(step) / 12.0);
            points.push((quantile, self.quantile_us(quantile)));
            if 10f64.powf(f64::from(step) / 12.0) > self.count() as f64 {
                break;
            }
        }
        points
    }
}

/// What was wrong with the deliveries, all readers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Missing in between, and not come later.
    pub lost: u64,
    /// Delivered twice to one reader.
    pub duplicates: u64,
    /// Delivered after a later one.
    pub out_of_order: u64,
    /// Not written by the tester, or damaged.
    pub foreign: u64,
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.out_of_order += other.out_of_order;
        self.foreign += other.foreign;
    }
}

/// Follows the numbers one reader gets from one room: they should rise by one.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    next: u64,
    /// Numbers skipped so far; empty, and so free, unless something is wrong.
    missing: Vec<u64>,
}

impl Sequence {
    /// Most skipped numbers remembered one by one.
    const MISSING_MAX: u64 = 100_000;

    /// A sequence that begins with `first`.
    pub fn from(first: u64) -> Self {
        Self { next: first, missing: Vec::new() }
    }

    /// Takes one number; true when it is the awaited one.
    #[inline]
    pub fn see(&mut self, number: u64, faults: &mut Faults) -> bool {
        if number == self.next {
            self.next += 1;
            return true;
        }
        self.unexpected(number, faults);
        false
    }

    #[cold]
    fn unexpected(&mut self, number: u64, faults: &mut Faults) {
        if number > self.next {
            faults.lost += number - self.next;
            self.missing.extend(self.next..number.min(self.next + Self::MISSING_MAX));
            self.next = number + 1;
        } else if let Some(at) = self.missing.iter().position(|&missing| missing == number) {
            self.missing.swap_remove(at);
            faults.lost -= 1;
            faults.out_of_order += 1;
        } else {
            faults.duplicates += 1;
        }
    }

    /// Declares that numbers up to `end`, itself excluded, were sent: those not seen are lost.
    pub fn finish(&mut self, end: u64, faults: &mut Faults) {
        faults.lost += end.saturating_sub(self.next);
        self.next = self.next.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_apart() {
        for (seen, lost, duplicates, out_of_order) in [
            (&[0, 1, 2, 3][..], 0, 0, 0),
            (&[0, 2, 3], 1, 0, 0),
            (&[0, 1], 2, 0, 0),
            (&[], 4, 0, 0),
            (&[0, 1, 1, 2, 3], 0, 1, 0),
            (&[0, 2, 1, 3], 0, 0, 1),
            (&[3, 2, 1, 0], 0, 0, 3),
            (&[0, 2, 1, 1, 3], 0, 1, 1),
        ] {
            let (mut sequence, mut faults) = (Sequence::default(), Faults::default());
            for &number in seen {
                sequence.see(number, &mut faults);
            }
            sequence.finish(4, &mut faults);
            let want = Faults { lost, duplicates, out_of_order, foreign: 0 };
            assert_eq!(faults, want, "{seen:?}");
        }
    }

    #[test]
    fn quantiles() {
        let mut latency = Latency::default();
        (1..=1000).for_each(|ms| latency.record_ns(ms * 1_000_000));
        assert!((latency.quantile_us(0.5) - 500_000.0).abs() < 1_000.0);
        assert!((latency.quantile_us(1.0) - 1_000_000.0).abs() < 1_000.0);
        assert!(latency.tail().len() > 30);
    }
}
