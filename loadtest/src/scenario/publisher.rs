//! One publishing connection of a [flow](super::flow): sends by schedule or as fast as deliveries come back, and takes
//! the answers. Publishes to its own rooms only, in turn, so that each room has one writer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use konvert_protocol::v1::{self, server_frame};

use super::flow::{Board, PATIENCE, room_name};
use crate::client::{Connection, decode};
use crate::error::{Error, Result};
use crate::options::{Kind, Traffic};
use crate::payload::Stamp;
use crate::schedule::{PreciseTimer, Schedule, now_ns};

/// Most publishes in one WebSocket message.
const FRAMES_PER_MESSAGE: u64 = 64;

/// One publishing connection.
pub(super) struct Publisher {
    /// Its socket.
    pub(super) connection: Connection,
    /// Its rooms, each with the number of messages sent.
    pub(super) rooms: RefCell<Vec<(usize, u64)>>,
    /// When it sends, unless it saturates.
    pub(super) schedule: Schedule,
    /// How publishing goes.
    pub(super) traffic: Traffic,
    /// Subscribers of each room.
    pub(super) members: u64,
    /// Where everything is counted.
    pub(super) board: Rc<Board>,
    /// Publishes of all publishers, for the window of a saturating run.
    pub(super) shared_sent: Rc<Cell<u64>>,
    /// Command id of its first publish; they rise by one.
    pub(super) first_id: u32,
    /// Intended send time of each message that was to be acked, nanoseconds.
    pub(super) intended: RefCell<Vec<u64>>,
    /// Messages acked or refused so far.
    pub(super) answered: Cell<u64>,
}

impl Publisher {
    /// Publishes until `end_ns`; returns how much went to each room.
    pub(super) async fn run(self, end_ns: u64) -> Result<Vec<(usize, u64)>> {
        let work = async {
            match self.traffic.saturate {
                None => self.by_schedule(end_ns).await?,
                Some(window) => self.by_window(window, end_ns).await?,
            }
            self.wait_answers().await;
            Ok(self.rooms.take())
        };
        tokio::select! {
            done = work => done,
            error = self.listen() => Err(error),
        }
    }

    async fn by_schedule(&self, end_ns: u64) -> Result<()> {
        let timer = PreciseTimer::new()?;
        let mut sent = 0;
        loop {
            let due_ns = self.schedule.due_ns(sent);
            if due_ns >= end_ns {
                return Ok(());
            }
            timer.until(due_ns).await?;
            let due = self.schedule.due_count(now_ns()).clamp(sent + 1, sent + FRAMES_PER_MESSAGE);
            let stamps: Vec<u64> = (sent..due).map(|n| self.schedule.due_ns(n)).filter(|&at| at < end_ns).collect();
            self.send(sent, &stamps).await?;
            sent += stamps.len() as u64;
        }
    }

    async fn by_window(&self, window: u64, end_ns: u64) -> Result<()> {
        let mut sent = 0;
        while now_ns() < end_ns {
            let back = self.board.delivered.get() / self.members;
            let free = (back + window).saturating_sub(self.shared_sent.get());
            if free == 0 {
                // A quarter of the window at a time: neither one by one nor in lock step.
                let awaited = self.shared_sent.get() - window + (window / 4).max(1);
                if !self.board.wait_delivered(awaited * self.members).await {
                    return Ok(());
                }
                continue;
            }
            let batch = free.min(FRAMES_PER_MESSAGE);
            self.shared_sent.set(self.shared_sent.get() + batch);
            self.send(sent, &vec![now_ns(); batch as usize]).await?;
            sent += batch;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Sends one publish per stamp, to this publisher's rooms in turn; `first` of them were sent before.
    async fn send(&self, first: u64, stamps: &[u64]) -> Result<()> {
        let frames: Vec<v1::ClientFrame> = (first..).zip(stamps).map(|(n, &stamp)| self.frame(n, stamp)).collect();
        self.connection.send(&frames).await
    }

    fn frame(&self, n: u64, intended_ns: u64) -> v1::ClientFrame {
        let mut rooms = self.rooms.borrow_mut();
        let turn = (n % rooms.len() as u64) as usize;
        let (room, counter) = &mut rooms[turn];
        let payload = Stamp { intended_ns, counter: *counter }.payload(self.traffic.payload);
        let message_id = format!("{room}-{counter}");
        *counter += 1;
        let room = room_name(*room);
        match self.traffic.kind {
            Kind::Signal => v1::ClientFrame::new(0, v1::Signal { room, payload }),
            Kind::Message => {
                self.intended.borrow_mut().push(intended_ns);
                let publish = v1::Publish { room, message_id, payload, ..Default::default() };
                v1::ClientFrame::new(self.connection.next_id(), publish)
            }
        }
    }

    /// Reads answers for as long as the publisher lives.
    async fn listen(&self) -> Error {
        loop {
            let read = self.connection.pump(|message| {
                let now = now_ns();
                decode(message, |frame: v1::ServerFrame| self.take_answer(&frame, now))
            });
            if let Err(error) = read.await {
                return error;
            }
        }
    }

    fn take_answer(&self, frame: &v1::ServerFrame, now_ns: u64) {
        let intended =
            frame.id.checked_sub(self.first_id).and_then(|n| self.intended.borrow().get(n as usize).copied());
        let Some(intended) = intended else {
            if let Some(server_frame::Body::Error(error)) = &frame.body {
                self.board.refused.borrow_mut().push(error.to_owned());
            }
            return;
        };
        self.answered.set(self.answered.get() + 1);
        if let Some(server_frame::Body::Error(error)) = &frame.body {
            self.board.refused.borrow_mut().push(error.to_owned());
        } else if intended >= self.board.measure_from_ns.get() {
            self.board.ack_latency.borrow_mut().record_ns(now_ns.saturating_sub(intended));
        }
        if self.answered.get() >= self.intended.borrow().len() as u64 {
            self.board.progress.notify_waiters();
        }
    }

    /// Waits until every message was answered, as long as answers keep coming.
    async fn wait_answers(&self) {
        loop {
            let before = self.answered.get();
            if before >= self.intended.borrow().len() as u64 {
                return;
            }
            let told = self.board.progress.notified();
            if tokio::time::timeout(PATIENCE, told).await.is_err() && self.answered.get() == before {
                return;
            }
        }
    }
}
