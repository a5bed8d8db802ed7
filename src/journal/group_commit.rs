//! The one thread that makes entries durable, as many at a time as have come meanwhile.
//!
//! Owns the order *sequence → write and sync → visible to readers → outcomes*. Refuses to know what the log is made of.
//! There is no linger timer: batches grow by themselves while a sync is under way.
//!
//! Invariant: an outcome that says stored leaves here only after the log said that its batch is on disk. After a failed
//! write nothing more is written until the process restarts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::change::Change;
use super::gate::Gate;
use super::page::Cold;
use super::queue::{Queue, Work};
use super::sequencer::Sequencer;
use super::state::State;
use super::stats::Counters;
use super::{CommitSink, Outcome, Refusal};

/// Where batches are made durable.
pub(crate) trait Log: Send {
    /// Returns after the changes are on disk.
    fn write(&mut self, commit: u64, changes: &[Change]) -> Result<u64, WriteError>;

    /// Waits while slower parts have too much to catch up with: the queue fills meanwhile and pushes back.
    fn wait_until_ready(&self) {}

    /// Goes on in a new file, so that the old ones can be deleted. Returns its number.
    fn rotate(&mut self) -> Result<u64, WriteError> {
        Ok(0)
    }

    /// The changes are visible; takes them over.
    fn committed(&mut self, commit: u64, changes: Vec<Change>, bytes: u64);
}

/// A batch that did not get to disk.
#[derive(Debug, Clone)]
pub(crate) struct WriteError {
    /// What happened.
    pub reason: String,
    /// Nothing of the batch is on disk; otherwise nobody knows.
    pub undone: bool,
}

/// What the thread works with.
pub(crate) struct Committer<L> {
    pub queue: Arc<Queue>,
    pub state: Arc<State>,
    pub cold: Arc<dyn Cold>,
    pub gate: Arc<Gate>,
    pub counters: Arc<Counters>,
    pub sink: Arc<dyn CommitSink>,
    pub log: L,
    /// The last commit's number.
    pub commit: u64,
}

type Reply = (SyncSender<Result<super::Bounds, Refusal>>, Result<super::Bounds, Refusal>);

impl<L: Log> Committer<L> {
    /// Works until the queue is closed and empty.
    pub fn run(mut self) {
        while let Some(batch) = self.queue.take() {
            let done = catch_unwind(AssertUnwindSafe(|| self.batch(batch)));
            if done.is_err() {
                // The batch's outcomes are lost with it; whoever waits is told by the gate that nothing more comes.
                self.gate.poison("the commit thread failed; see the log".into());
            }
        }
    }

    fn batch(&mut self, mut batch: Vec<Work>) {
        self.log.wait_until_ready();
        if let Some(reason) = self.gate.poisoned_because() {
            return refuse(&*self.sink, batch, &Refusal::ReadOnly(reason));
        }
        if let Some(reason) = self.gate.closed_because() {
            // What gives space back goes on.
            let (entries, rest) = batch.into_iter().partition(|work| matches!(work, Work::Entry(..)));
            refuse(&*self.sink, entries, &Refusal::ReadOnly(reason));
            batch = rest;
        }
        let mut new_epoch = || rand::random_range(1..1_u64 << 53);
        let mut sequencer = Sequencer::new(&self.state, &*self.cold, &mut new_epoch);
        let mut replies: Vec<Reply> = Vec::new();
        let mut rotations = Vec::new();
        for work in batch {
            match work {
                Work::Entry(entry, ticket) => sequencer.decide(entry, ticket),
                Work::Trim { room, first, reply } => replies.push((reply, sequencer.trim(room, first))),
                Work::Rotate { reply } => rotations.push(reply),
            }
        }
        let Sequencer { changes, mut outcomes, duplicates, .. } = sequencer;
        self.counters.duplicates(duplicates);
        if crate::sabotage::is("ack_before_store") {
            self.sink.committed(std::mem::take(&mut outcomes));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        if !changes.is_empty()
            && let Err(error) = self.store(changes)
        {
            fail(&mut outcomes, &mut replies, &error);
            self.gate.poison(error.reason);
            // The failed batch must stay at the end of everything.
            rotations.clear();
        }
        for (reply, result) in replies {
            // Who asked may have given up waiting.
            let _ = reply.try_send(result);
        }
        if !outcomes.is_empty() {
            self.sink.committed(outcomes);
        }
        self.rotate(rotations);
    }

    fn rotate(&mut self, rotations: Vec<SyncSender<u64>>) {
        if rotations.is_empty() {
            return;
        }
        match self.log.rotate() {
            Ok(number) => rotations.iter().for_each(|reply| {
                // Who asked may have given up waiting.
                let _ = reply.try_send(number);
            }),
            Err(error) => self.gate.poison(error.reason),
        }
    }

    fn store(&mut self, changes: Vec<Change>) -> Result<(), WriteError> {
        let begun = Instant::now();
        let bytes = self.log.write(self.commit + 1, &changes)?;
        self.commit += 1;
        let records = changes.iter().filter(|change| matches!(change, Change::Record { .. })).count();
        self.counters.commit(records as u64, bytes, begun.elapsed());
        for change in &changes {
            self.state.apply(change, self.commit);
        }
        self.log.committed(self.commit, changes, bytes);
        Ok(())
    }
}

/// Turns every success into a refusal: it may rest on the failed write. What was refused stays refused.
fn fail(outcomes: &mut [Outcome], replies: &mut [Reply], error: &WriteError) {
    if !error.undone {
        tracing::error!(reason = %error.reason, outcomes = outcomes.len(), "nobody knows whether a batch is stored");
    }
    let refusal =
        if error.undone { Refusal::ReadOnly(error.reason.clone()) } else { Refusal::Unknown(error.reason.clone()) };
    for outcome in outcomes {
        if outcome.result.is_ok() {
            outcome.result = Err(refusal.clone());
        }
    }
    for (_, result) in replies {
        *result = Err(refusal.clone());
    }
}

fn refuse(sink: &dyn CommitSink, batch: Vec<Work>, refusal: &Refusal) {
    let mut outcomes = Vec::with_capacity(batch.len());
    for work in batch {
        match work {
            Work::Entry(entry, ticket) => {
                let room = match &entry {
                    super::Entry::Append(append) => Some(append.room),
                    super::Entry::Mark { room, .. } => Some(*room),
                    super::Entry::Create { .. } => None,
                };
                outcomes.push(Outcome { ticket, room, result: Err(refusal.clone()) });
            }
            Work::Trim { reply, .. } => {
                let _ = reply.try_send(Err(refusal.clone()));
            }
            Work::Rotate { .. } => {}
        }
    }
    if !outcomes.is_empty() {
        sink.committed(outcomes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::super::ids::IdKey;
    use super::super::{Done, Entry, Mode, Ticket};
    use super::*;

    /// Fails at the second write.
    struct Failing {
        undone: bool,
    }

    impl Log for Failing {
        fn write(&mut self, commit: u64, _changes: &[Change]) -> Result<u64, WriteError> {
            let error = WriteError { reason: "no space".into(), undone: self.undone };
            if commit == 2 { Err(error) } else { Ok(1) }
        }

        fn committed(&mut self, _commit: u64, _changes: Vec<Change>, _bytes: u64) {}
    }

    struct Tell(Sender<Vec<Outcome>>);

    impl CommitSink for Tell {
        fn committed(&self, outcomes: Vec<Outcome>) {
            self.0.send(outcomes).unwrap();
        }
    }

    fn committer(undone: bool) -> (Committer<Failing>, Receiver<Vec<Outcome>>) {
        let (sender, outcomes) = channel();
        let committer = Committer {
            queue: Arc::new(Queue::new(10, 10_000)),
            state: Arc::new(State::new(usize::MAX, IdKey::new(1))),
            cold: Arc::new(super::super::memory::Nothing),
            gate: Arc::default(),
            counters: Arc::default(),
            sink: Arc::new(Tell(sender)),
            log: Failing { undone },
            commit: 0,
        };
        (committer, outcomes)
    }

    fn create(name: &str) -> Work {
        let entry = Entry::Create { name: name.into(), mode: Mode::E2ee };
        Work::Entry(entry, Ticket { owner: 1, command: 1 })
    }

    #[test]
    fn after_a_failed_write_nothing_is_visible_and_nothing_more_is_taken() {
        for undone in [true, false] {
            let (mut committer, outcomes) = committer(undone);
            committer.batch(vec![create("first")]);
            committer.batch(vec![create("second"), create("first"), create("third")]);
            committer.batch(vec![create("fourth")]);
            assert!(matches!(outcomes.recv().unwrap()[0].result, Ok(Done::Room(_))));
            for outcome in outcomes.recv().unwrap() {
                let refusal = outcome.result.unwrap_err();
                let expected =
                    if undone { Refusal::ReadOnly("no space".into()) } else { Refusal::Unknown("no space".into()) };
                assert_eq!(refusal, expected);
            }
            assert!(matches!(outcomes.recv().unwrap()[0].result, Err(Refusal::ReadOnly(_))));
            assert_eq!(committer.state.count(), 1, "reads see the first only");
            assert!(committer.state.find("first").is_some() && committer.state.find("second").is_none());
            assert_eq!(committer.gate.closed_because().as_deref(), Some("no space"));
        }
    }
}
