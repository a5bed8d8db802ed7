//! From the outboxes to what connections write to: every connection that got something is written to once a turn, and who has more
//! waiting than allowed is closed.

use std::task::{Poll, Waker};

use bytes::Bytes;
use konvert_protocol::CloseCode;

use super::config::GatewayConfig;
use super::outbox::Written;
use super::shard::Shard;
use super::transport::Transport;

impl Shard {
    pub(super) fn mark_dirty(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot as usize)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push(slot);
        }
    }

    /// Writes to every connection that has something new.
    pub(super) fn flush(&mut self) {
        while !self.dirty.is_empty() {
            for slot in std::mem::take(&mut self.dirty) {
                if let Some(connection) = self.connections.get_mut(slot as usize) {
                    connection.is_dirty = false;
                    let generation = connection.generation;
                    // A blocked connection writes by itself as soon as more is taken.
                    if connection.blocked_since_s.is_none() {
                        self.write(slot, generation);
                    }
                    self.check_bounds(slot, generation);
                }
            }
        }
        self.tally.publish(&self.shared.counters);
    }

    /// Writes; false when nothing more is to be written for now.
    pub(super) fn write(&mut self, slot: u32, generation: u32) -> bool {
        let second = self.clock.second();
        let mut gather = std::mem::take(&mut self.gather);
        let Some(connection) = self.get(slot, generation) else { return false };
        let was_blocked = connection.blocked_since_s.is_some();
        let written = connection.write(&mut gather, second);
        self.gather = gather;
        match written {
            Ok(Written::All) => false,
            Ok(Written::Blocked) => {
                if !was_blocked {
                    self.write_when_possible(slot, generation);
                }
                true
            }
            Err(_) => {
                self.end(slot, generation);
                false
            }
        }
    }

    fn write_when_possible(&mut self, slot: u32, generation: u32) {
        self.attend(slot, generation);
        let me = self.me.clone();
        // Streams and polls come and take by themselves.
        let Some(stream) = self.socket(slot, generation).map(|socket| socket.stream.clone()) else { return };
        let writer = tokio::task::spawn_local(async move {
            while stream.writable().await.is_ok() {
                let Some(shard) = me.upgrade() else { return };
                if !shard.borrow_mut().write(slot, generation) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        if let Some(socket) = self.socket(slot, generation) {
            socket.writer = Some(writer.abort_handle());
        }
    }

    /// The body of a stream takes something, or waits until there is something.
    pub(super) fn take(&mut self, slot: u32, generation: u32, taker: &Waker) -> Poll<Option<Bytes>> {
        let second = self.clock.second();
        let Some(connection) = self.get(slot, generation) else { return Poll::Ready(None) };
        let taken = connection.take(second);
        let is_closing = connection.is_closing();
        let Transport::Stream(stream) = &mut connection.transport else { return Poll::Ready(None) };
        match taken {
            Some(bytes) => {
                stream.said_s = second;
                Poll::Ready(Some(bytes))
            }
            None if is_closing => {
                self.end(slot, generation);
                Poll::Ready(None)
            }
            None => {
                stream.wait(taker);
                Poll::Pending
            }
        }
    }

    /// In the middle of many commands: writes early when much waits already, so that what a client may cause at once
    /// stays within its bounds.
    pub(super) fn relieve(&mut self, slot: u32, generation: u32) {
        let GatewayConfig { outbox_count, outbox_bytes, .. } = self.shared.config;
        let Some(connection) = self.get(slot, generation) else { return };
        if connection.outbox.is_over(outbox_count / 2, outbox_bytes / 2) {
            if connection.blocked_since_s.is_none() {
                self.write(slot, generation);
            }
            self.check_bounds(slot, generation);
        }
    }

    /// The slow-consumer policy: who has more waiting than allowed is closed, and resumes from the log.
    fn check_bounds(&mut self, slot: u32, generation: u32) {
        if crate::sabotage::is("unbounded_outbox") {
            return;
        }
        let GatewayConfig { outbox_count, outbox_bytes, .. } = self.shared.config;
        if self.get(slot, generation).is_some_and(|c| !c.is_closing() && c.outbox.is_over(outbox_count, outbox_bytes)) {
            self.tally.slow_consumers += 1;
            self.close(slot, generation, CloseCode::SlowConsumer);
        }
    }
}
