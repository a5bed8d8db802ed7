//! What is committed but not folded yet, in commit order: filled by the commit thread, emptied by the fold.
//!
//! Bounded: the commit thread waits when the fold is two passes behind, so the queue before it fills and publishers are
//! told. Nothing is held while either side does I/O.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::change::Change;

/// Most bytes folded in one pass, unless one commit has more.
pub(crate) const PASS_BYTES: u64 = 8 << 20;
/// A pass begins when this much waits,
const START_BYTES: u64 = 4 << 20;
/// or when something has waited this long.
const START_AFTER: Duration = Duration::from_secs(5);
/// The commit thread waits beyond this.
const BYTES_MAX: u64 = 2 * PASS_BYTES;

/// One commit that is not folded.
#[derive(Clone)]
pub(crate) struct Pending {
    pub commit: u64,
    /// The write-ahead segment it is in.
    pub segment: u64,
    pub bytes: u64,
    pub changes: Arc<Vec<Change>>,
}

#[derive(Default)]
struct Inner {
    pending: VecDeque<Pending>,
    bytes: u64,
    /// When the oldest arrived, about.
    since: Option<Instant>,
    /// The segment being written.
    segment: u64,
    stop: bool,
    drain: bool,
    /// Fold up to this commit without waiting for more.
    hurry: u64,
    folded: u64,
    /// The fold waits for space: nobody should wait for the fold.
    stalled: bool,
}

/// See the head of the file.
#[derive(Default)]
pub(crate) struct Backlog {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Backlog {
    pub fn push(&self, pending: Pending) {
        let mut inner = self.inner.lock();
        inner.bytes += pending.bytes;
        inner.segment = pending.segment;
        inner.since.get_or_insert_with(Instant::now);
        inner.pending.push_back(pending);
        let wake = inner.bytes >= START_BYTES || inner.pending.len() == 1;
        drop(inner);
        if wake {
            self.changed.notify_all();
        }
    }

    /// The commit thread writes to this segment from now on.
    pub fn rotated(&self, segment: u64) {
        self.inner.lock().segment = segment;
    }

    /// Waits until there is room, or the fold does not go on.
    pub fn wait_for_room(&self) {
        let mut inner = self.inner.lock();
        while inner.bytes > BYTES_MAX && !inner.stop && !inner.stalled {
            self.changed.wait(&mut inner);
        }
    }

    /// Bytes not folded.
    pub fn bytes(&self) -> u64 {
        self.inner.lock().bytes
    }

    /// Waits for enough to fold; `None` when nothing will come any more.
    pub fn next_pass(&self) -> Option<Vec<Pending>> {
        let mut inner = self.inner.lock();
        loop {
            if inner.stop {
                return None;
            }
            let due = inner.since.map(|since| since + START_AFTER);
            let urgent = inner.drain || inner.hurry > inner.folded || inner.bytes >= START_BYTES;
            if !inner.pending.is_empty() && (urgent || due.is_some_and(|due| due <= Instant::now())) {
                return Some(inner.pass());
            }
            if inner.drain {
                return None;
            }
            match due {
                Some(due) => drop(self.changed.wait_until(&mut inner, due)),
                None => self.changed.wait(&mut inner),
            }
        }
    }

    /// Waits a second; `false` when the fold is to end.
    pub fn pause(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.stalled = true;
        self.changed.notify_all();
        if !inner.stop && !inner.drain {
            self.changed.wait_for(&mut inner, Duration::from_secs(1));
        }
        !inner.stop && !inner.drain
    }

    /// The pass is folded. Returns the first segment that is still needed.
    pub fn folded(&self, pass: &[Pending]) -> u64 {
        let mut inner = self.inner.lock();
        for pending in pass {
            inner.pending.pop_front();
            inner.bytes -= pending.bytes;
            inner.folded = pending.commit;
        }
        inner.since = (!inner.pending.is_empty()).then(Instant::now);
        inner.stalled = false;
        self.changed.notify_all();
        inner.needed()
    }

    /// Folds what is there now and waits for it. Returns the first segment that is still needed.
    pub fn flush(&self) -> u64 {
        let mut inner = self.inner.lock();
        let Some(last) = inner.pending.back().map(|pending| pending.commit) else { return inner.needed() };
        inner.hurry = inner.hurry.max(last);
        self.changed.notify_all();
        while inner.folded < last && !inner.stop && !inner.stalled {
            self.changed.wait(&mut inner);
        }
        inner.needed()
    }

    /// Nothing comes any more: fold what is there, then end.
    pub fn drain(&self) {
        self.inner.lock().drain = true;
        self.changed.notify_all();
    }

    /// End now.
    pub fn stop(&self) {
        self.inner.lock().stop = true;
        self.changed.notify_all();
    }
}

impl Inner {
    fn pass(&self) -> Vec<Pending> {
        let mut bytes = 0;
        let fits = |pending: &&Pending| {
            bytes += pending.bytes;
            bytes <= PASS_BYTES || bytes == pending.bytes
        };
        self.pending.iter().take_while(fits).cloned().collect()
    }

    fn needed(&self) -> u64 {
        self.pending.front().map_or(self.segment, |pending| pending.segment)
    }
}
