//! From the outboxes to the sockets: every connection that got something is written to once a turn, and who has more
//! waiting than allowed is closed.

use konvert_protocol::CloseCode;

use super::config::GatewayConfig;
use super::outbox::Written;
use super::shard::Shard;

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
                    // A blocked connection has a task that writes as soon as the socket takes more.
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
    fn write(&mut self, slot: u32, generation: u32) -> bool {
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
        let Some(connection) = self.get(slot, generation) else { return };
        let (socket, me) = (connection.socket.clone(), self.me.clone());
        self.watched.push((slot, generation));
        let writer = tokio::task::spawn_local(async move {
            while socket.writable().await.is_ok() {
                let Some(shard) = me.upgrade() else { return };
                if !shard.borrow_mut().write(slot, generation) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        if let Some(connection) = self.get(slot, generation) {
            connection.writer = Some(writer.abort_handle());
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
