//! A session that is asked again and again what there is to say: one request at a time waits for it.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::broker::Declined;
use crate::gateway::admission::PendingPlace;
use crate::gateway::outbox::{Outbox, Written};
use crate::gateway::pass::Proof;

/// Where the answer to a request goes.
pub type Answer = oneshot::Sender<Result<Bytes, Declined>>;

/// The shard's end.
#[derive(Debug)]
pub struct Poll {
    /// What proves that somebody speaks for this session.
    pub proof: Proof,
    /// Its place among those that have not shown that they come again; given back by the first request that does.
    pub unproven: Option<PendingPlace>,
    /// The request that waits, and since when, seconds of the shard's clock.
    waiting: Option<(Answer, u64)>,
}

impl Poll {
    /// Nobody asks yet.
    pub fn new() -> Self {
        Self { proof: Proof::new(), unproven: None, waiting: None }
    }

    /// A request waits from now on. One that waited before is told that there is nothing.
    pub fn wait(&mut self, answer: Answer, now_s: u64) {
        let before = self.waiting.replace((answer, now_s));
        tell(before, Bytes::new());
    }

    /// Gives all that waits to the request. What it cannot bring to the client is lost: the client resumes.
    pub fn write(&mut self, outbox: &mut Outbox) -> Written {
        if outbox.is_empty() {
            return Written::All;
        }
        match self.waiting.take_if(|(answer, _)| !answer.is_closed()) {
            Some(waiting) => {
                tell(Some(waiting), outbox.take(usize::MAX).unwrap_or_default());
                Written::All
            }
            None => Written::Blocked,
        }
    }

    /// Ends the wait of a request that has waited long enough for nothing. Whether one goes on waiting.
    pub fn be_silent_since(&mut self, second: u64) -> bool {
        let over = self.waiting.take_if(|(_, since_s)| *since_s <= second);
        tell(over, Bytes::new());
        self.waiting.is_some()
    }
}

fn tell(waiting: Option<(Answer, u64)>, bytes: Bytes) {
    if let Some((answer, _)) = waiting {
        // Whoever stopped waiting wants no answer.
        let _ = answer.send(Ok(bytes));
    }
}
