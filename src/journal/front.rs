//! What every implementation of the journal has in front: queue, state, pages; and the thread that commits.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use super::gate::Gate;
use super::group_commit::{Committer, Log};
use super::page::{self, Cold};
use super::queue::{Queue, Work};
use super::retention::Retainer;
use super::state::State;
use super::stats::Counters;
use super::{
    Bounds, CommitSink, EXTRAS_BYTES_MAX, Entry, Marker, PAYLOAD_BYTES_MAX, Page, ReadError, ReadRange, Refusal,
    RoomId, RoomInfo, Stats, Ticket,
};

/// See the head of the file.
pub(crate) struct Front {
    pub queue: Arc<Queue>,
    pub state: Arc<State>,
    pub cold: Arc<dyn Cold>,
    pub gate: Arc<Gate>,
    pub counters: Arc<Counters>,
}

impl Front {
    /// Starts the commit thread over a log; `commit` is the last commit's number.
    pub fn start<L: Log + 'static>(
        &self,
        sink: Arc<dyn CommitSink>,
        log: L,
        commit: u64,
    ) -> io::Result<JoinHandle<()>> {
        let committer = Committer {
            queue: self.queue.clone(),
            state: self.state.clone(),
            cold: self.cold.clone(),
            gate: self.gate.clone(),
            counters: self.counters.clone(),
            sink,
            log,
            commit,
        };
        thread::Builder::new().name("journal-commit".into()).spawn(move || committer.run())
    }

    pub fn submit(&self, entry: Entry, ticket: Ticket) -> Result<(), Refusal> {
        if let Some(reason) = self.gate.closed_because() {
            return Err(Refusal::ReadOnly(reason));
        }
        if let Entry::Append(append) = &entry {
            if append.payload.len() > PAYLOAD_BYTES_MAX {
                return Err(Refusal::ReadOnly("the payload is larger than the journal can hold".into()));
            }
            if append.extras.as_ref().is_some_and(|extras| extras.weight() > EXTRAS_BYTES_MAX) {
                return Err(Refusal::ReadOnly("mentions and files are more than the journal can hold".into()));
            }
        }
        self.queue.push(Work::Entry(entry, ticket))
    }

    pub fn find(&self, name: &str) -> Option<RoomInfo> {
        self.state.find(name).and_then(|room| self.state.info(room))
    }

    pub fn bounds(&self, room: RoomId) -> Option<Bounds> {
        self.state.standing(room.0).map(|standing| standing.bounds())
    }

    pub fn read(&self, room: RoomId, range: ReadRange) -> Result<Page, ReadError> {
        page::read(&self.state, &*self.cold, room, range)
    }

    pub fn marker(&self, room: RoomId, user: &str) -> Marker {
        let recent = self.state.marker(room.0, user);
        recent.or_else(|| self.cold.marker(room.0, user).ok().flatten()).unwrap_or_default()
    }

    pub fn trim(&self, room: RoomId, first: u64) -> Result<Bounds, Refusal> {
        wait(self.begin_trim(room.0, first)?)
    }

    /// Trims what retention says, and waits until that is on disk.
    pub fn retain(&self, retainer: &Retainer, now_ms: u64) {
        let due = retainer.step(&self.state, &*self.cold, now_ms);
        let begun: Vec<_> = due.into_iter().map_while(|(room, first)| self.begin_trim(room, first).ok()).collect();
        for reply in begun {
            if let Err(refusal) = wait(reply) {
                tracing::debug!(?refusal, "retention waits for a later step");
            }
        }
    }

    fn begin_trim(&self, room: u64, first: u64) -> Result<Receiver<Result<Bounds, Refusal>>, Refusal> {
        if let Some(reason) = self.gate.poisoned_because() {
            return Err(Refusal::ReadOnly(reason));
        }
        let (reply, answer) = sync_channel(1);
        self.queue.push(Work::Trim { room, first, reply })?;
        Ok(answer)
    }

    pub fn stats(&self) -> Stats {
        self.counters.read(self.state.count(), self.queue.count() as u64)
    }
}

fn wait(answer: Receiver<Result<Bounds, Refusal>>) -> Result<Bounds, Refusal> {
    answer.recv().unwrap_or_else(|_| Err(Refusal::ReadOnly("the journal is closed".into())))
}

/// Waits for a thread to end, unless it is the one that asks.
pub(crate) fn join(thread: Option<JoinHandle<()>>) {
    let Some(handle) = thread.filter(|handle| handle.thread().id() != thread::current().id()) else { return };
    if handle.join().is_err() {
        tracing::error!("a journal thread ended by a panic");
    }
}
