//! What a shard looks after as time goes by: who must authenticate, who has gone silent, whose token ends, who does not
//! read, who was told to go.

use konvert_protocol::{CloseCode, v1};

use super::codec;
use super::connection::Stage;
use super::shard::Shard;
use super::transport::{self, Transport};

/// How long the other side may take to answer a close frame, seconds.
const CLOSING_S: u64 = 2;
/// The same for one that does not read: only when it reads again can it learn why it was closed. What is kept for it is
/// the rest of one chunk and the close frame.
const BLOCKED_CLOSING_S: u64 = 60;
/// A message must be whole this long after it began, seconds.
const UNFINISHED_S: u64 = 30;
/// A client is told that its token ends this long before, milliseconds.
const TOKEN_WARNING_MS: u64 = 60_000;
/// Beyond two heartbeats a silent connection has this long, seconds.
const HEARTBEAT_GRACE_S: u64 = 5;
/// A connection that has not authenticated is looked at this often, seconds, so that one that does comes into the
/// rhythm of its heartbeat and its token soon after.
pub(super) const PENDING_LOOK_S: u64 = 1;

impl Shard {
    /// A second went by.
    pub fn on_second(&mut self) {
        self.clock.tick();
        for (slot, generation) in self.wheel.tick() {
            if let Some(wait_s) = self.look_at(slot, generation) {
                self.wheel.schedule((slot, generation), wait_s);
            }
        }
        let second = self.clock.second();
        let stall_s = self.shared.config.outbox_stall_ms.div_ceil(1_000);
        let heartbeat_s = self.shared.config.heartbeat_ms.div_ceil(1_000);
        for (slot, generation) in std::mem::take(&mut self.watched) {
            let is_draining = self.is_draining;
            let Some(connection) = self.get(slot, generation) else { continue };
            connection.is_watched = false;
            let is_polled = match &mut connection.transport {
                Transport::Poll(poll) => poll.be_silent_since(second.saturating_sub(heartbeat_s)),
                _ => false,
            };
            if connection.is_closing() {
                // Who polls may be away for good, and a server that ends cannot find out.
                let is_patient = connection.blocked_since_s.is_some()
                    && !(is_draining && matches!(connection.transport, Transport::Poll(_)));
                match second >= connection.stage_since_s + if is_patient { BLOCKED_CLOSING_S } else { CLOSING_S } {
                    true => self.end(slot, generation),
                    false => self.attend(slot, generation),
                }
            } else if connection.blocked_since_s.is_some_and(|since_s| second >= since_s + stall_s) {
                self.tally.slow_consumers += 1;
                // Puts it back on the list, as closing.
                self.close(slot, generation, CloseCode::SlowConsumer);
            } else if is_polled || connection.blocked_since_s.is_some() {
                self.attend(slot, generation);
            }
        }
        self.flush();
    }

    /// A connection's turn in the wheel: when to look again, seconds; `None` when it need not be looked at any more.
    fn look_at(&mut self, slot: u32, generation: u32) -> Option<u64> {
        let (second, now_ms) = (self.clock.second(), self.clock.now_ms());
        let heartbeat_s = self.shared.config.heartbeat_ms.div_ceil(1_000);
        let dead_s = 2 * heartbeat_s + HEARTBEAT_GRACE_S;
        let timeout_s = self.shared.config.connect_timeout_ms.div_ceil(1_000);
        let connection = self.get(slot, generation)?;
        let silence_s = second.saturating_sub(connection.heard_s);
        let session = match &mut connection.stage {
            Stage::Closing(_) => return None,
            Stage::Pending(_) => {
                if second < connection.stage_since_s + timeout_s {
                    return Some(PENDING_LOOK_S);
                }
                self.close(slot, generation, CloseCode::ConnectTimeout);
                return None;
            }
            Stage::Live(session) => session,
        };
        let unfinished_since_s = match &connection.transport {
            Transport::Socket(socket) => socket.unfinished_since_s,
            Transport::Poll(poll) if poll.unproven.is_some() => {
                if second < connection.stage_since_s + timeout_s {
                    return Some(PENDING_LOOK_S);
                }
                self.end(slot, generation);
                return None;
            }
            _ => None,
        };
        if unfinished_since_s.is_some_and(|since_s| second >= since_s + UNFINISHED_S) {
            self.close(slot, generation, CloseCode::Flood);
            return None;
        }
        let left_ms = session.identity.expires_ms.saturating_sub(now_ms);
        if left_ms == 0 || silence_s >= dead_s {
            let code = if left_ms == 0 { CloseCode::TokenEnded } else { CloseCode::HeartbeatTimeout };
            let is_polled = matches!(connection.transport, Transport::Poll(_));
            self.close(slot, generation, code);
            if is_polled && code == CloseCode::HeartbeatTimeout {
                // Nobody asks any more what there is to say.
                self.end(slot, generation);
            }
            return None;
        }
        let mut wait_s =
            if silence_s >= heartbeat_s { heartbeat_s.min(dead_s - silence_s) } else { heartbeat_s - silence_s };
        if left_ms <= TOKEN_WARNING_MS {
            wait_s = wait_s.min(left_ms.div_ceil(1_000));
            if !std::mem::replace(&mut session.warned, true) {
                let frame = v1::ServerFrame::push(v1::TokenExpiring { expires_ms: session.identity.expires_ms });
                connection.push(&frame);
                self.mark_dirty(slot);
            }
        } else {
            wait_s = wait_s.min((left_ms - TOKEN_WARNING_MS).div_ceil(1_000));
        }
        Some(wait_s.min(self.keep_alive(slot, generation, silence_s, heartbeat_s)))
    }

    /// Asks a silent socket for a sign of life, and gives one on a stream that had nothing to say. When to look again,
    /// seconds.
    fn keep_alive(&mut self, slot: u32, generation: u32, silence_s: u64, heartbeat_s: u64) -> u64 {
        let second = self.clock.second();
        let Some(connection) = self.get(slot, generation) else { return heartbeat_s };
        let (sign, wait_s) = match &mut connection.transport {
            Transport::Socket(_) => ((silence_s >= heartbeat_s).then(codec::ping), heartbeat_s),
            Transport::Stream(stream) => match (stream.said_s + heartbeat_s).saturating_sub(second) {
                0 => (Some(transport::comment()), heartbeat_s),
                left_s => (None, left_s),
            },
            Transport::Poll(_) => (None, heartbeat_s),
        };
        if let Some(sign) = sign {
            connection.outbox.push(sign, 1);
            self.mark_dirty(slot);
        }
        wait_s
    }
}
