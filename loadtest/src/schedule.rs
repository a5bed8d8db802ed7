//! Time of a run: its clock and the open-loop schedule of sends. The schedule never waits for answers, so that a slow
//! server cannot hide its slowness by slowing the tester down; latencies count from the time a send was meant to be.

use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::net::unix::pipe;

use crate::error::Result;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the process began to measure.
pub fn now_ns() -> u64 {
    START.elapsed().as_nanos() as u64
}

/// Sends at a fixed rate from a fixed beginning: the `n`-th is due at `start + n / rate`.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    start_ns: u64,
    interval_ns: f64,
}

impl Schedule {
    /// `rate` sends per second beginning at `start_ns`.
    pub fn new(start_ns: u64, rate: f64) -> Self {
        Self { start_ns, interval_ns: 1e9 / rate }
    }

    /// When send number `n` is due.
    pub fn due_ns(&self, n: u64) -> u64 {
        self.start_ns + (n as f64 * self.interval_ns) as u64
    }

    /// How many sends are due by `now_ns`.
    pub fn due_count(&self, now_ns: u64) -> u64 {
        match now_ns.checked_sub(self.start_ns) {
            Some(elapsed) => (elapsed as f64 / self.interval_ns) as u64 + 1,
            None => 0,
        }
    }
}

/// A timer exact to microseconds; the runtime's own ticks in milliseconds, which is longer than what is measured.
/// It is a kernel timer read through the runtime's pipe type, the one that safely adopts a descriptor.
pub struct PreciseTimer(pipe::Receiver);

impl PreciseTimer {
    /// A timer on the runtime of the caller.
    pub fn new() -> Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self(pipe::Receiver::from_owned_fd_unchecked(timer)?))
    }

    /// Waits until the run's clock shows `deadline_ns`.
    pub async fn until(&self, deadline_ns: u64) -> Result<()> {
        let Some(wait_ns) = deadline_ns.checked_sub(now_ns()).filter(|&wait| wait > 0) else { return Ok(()) };
        let wait = Duration::from_nanos(wait_ns);
        let it_value = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        rustix::time::timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        while now_ns() < deadline_ns {
            self.0.readable().await?;
            match self.0.try_read(&mut [0; 8]) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_timer_is_never_early() {
        let timer = PreciseTimer::new().unwrap();
        for wait_ns in [0, 50_000, 300_000] {
            let deadline = now_ns() + wait_ns;
            timer.until(deadline).await.unwrap();
            assert!(now_ns() >= deadline);
        }
    }

    #[test]
    fn the_count_and_the_due_times_agree() {
        let schedule = Schedule::new(1_000, 300.0);
        assert_eq!(schedule.due_count(999), 0);
        for n in 0..5_000 {
            let due = schedule.due_ns(n);
            assert!(schedule.due_count(due + 1) > n, "{n}");
            assert!(n == 0 || schedule.due_count(due - 2) <= n, "{n}");
        }
    }
}
