//! What waits to be committed: bounded in count and bytes; beyond it submitters are refused, never blocked.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;

use parking_lot::{Condvar, Mutex};

use super::{Bounds, Entry, Refusal, Ticket};

/// Most entries in one commit.
const BATCH_COUNT: usize = 4096;
/// Most bytes in one commit, unless a single entry has more.
const BATCH_BYTES: usize = 1 << 20;
/// What an entry takes beside its bytes.
const ENTRY_OVERHEAD: usize = 160;

/// One thing to do for the commit thread.
pub(crate) enum Work {
    /// Told to the sink.
    Entry(Entry, Ticket),
    /// Told to who waits for it.
    Trim { room: u64, first: u64, reply: SyncSender<Result<Bounds, Refusal>> },
    /// Go on in a new file. Its number is the reply; the sender is dropped when there is none.
    Rotate { reply: SyncSender<u64> },
}

impl Work {
    fn bytes(&self) -> usize {
        ENTRY_OVERHEAD
            + match self {
                Self::Entry(Entry::Append(append), _) => {
                    let extras = append.extras.as_ref().map_or(0, |extras| extras.weight());
                    append.payload.len() + append.message_id.len() + extras
                }
                Self::Entry(Entry::Create { name, .. }, _) => name.len(),
                Self::Entry(Entry::Mark { user, .. }, _) => user.len(),
                Self::Trim { .. } | Self::Rotate { .. } => 0,
            }
    }
}

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    bytes: usize,
    closed: bool,
    dropped: bool,
}

/// See the head of the file.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    count_max: usize,
    bytes_max: usize,
}

impl Queue {
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), count_max, bytes_max }
    }

    /// Queues, or says why not.
    pub fn push(&self, work: Work) -> Result<(), Refusal> {
        let bytes = work.bytes();
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(Refusal::ReadOnly("the journal is closed".into()));
        }
        if waiting.work.len() >= self.count_max || waiting.bytes + bytes > self.bytes_max {
            return Err(Refusal::Overloaded);
        }
        waiting.bytes += bytes;
        waiting.work.push_back(work);
        if waiting.work.len() == 1 {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for work and takes a batch of it; `None` when nothing comes any more.
    pub fn take(&self) -> Option<Vec<Work>> {
        let mut waiting = self.waiting.lock();
        while waiting.work.is_empty() && !waiting.closed {
            self.arrived.wait(&mut waiting);
        }
        if waiting.work.is_empty() || waiting.dropped {
            return None;
        }
        let (mut batch, mut taken) = (Vec::with_capacity(waiting.work.len().min(BATCH_COUNT)), 0);
        while batch.len() < BATCH_COUNT {
            let Some(bytes) = waiting.work.front().map(Work::bytes) else { break };
            if taken + bytes > BATCH_BYTES && !batch.is_empty() {
                break;
            }
            taken += bytes;
            batch.extend(waiting.work.pop_front());
        }
        waiting.bytes -= taken;
        Some(batch)
    }

    /// Entries waiting.
    pub fn count(&self) -> usize {
        self.waiting.lock().work.len()
    }

    /// Takes nothing more in; what waits is still given out.
    pub fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Takes nothing more in and gives nothing more out, like a crash.
    pub fn drop_all(&self) {
        let mut waiting = self.waiting.lock();
        (waiting.closed, waiting.dropped) = (true, true);
        waiting.work.clear();
        self.arrived.notify_all();
    }
}
