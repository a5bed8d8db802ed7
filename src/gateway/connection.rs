//! One connection of a shard: what it writes to, what waits to be written, and, once it has said who it is, a session.

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use konvert_protocol::v1;

use super::admission::{ConnectionPlace, PendingPlace};
use super::outbox::{GATHER_BYTES, Outbox, Written};
use super::session::Session;
use super::transport::{Transport, framed};

/// Where a connection is in its life.
#[derive(Debug)]
pub enum Stage {
    /// Here, but who is it? The place is given back when that is known.
    Pending(#[allow(dead_code, reason = "held for its drop")] PendingPlace),
    /// Authenticated.
    Live(Box<Session>),
    /// The goodbye is on its way, with this close code; the other side has a moment to take it.
    Closing(u16),
}

/// Where a connection came from.
#[derive(Debug, Clone, Copy)]
pub struct From {
    /// Whether the request named an origin, which a page always does.
    pub has_origin: bool,
    /// The address that counts for limits of tries, also behind a trusted proxy.
    pub address: IpAddr,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// What it writes to.
    pub transport: Transport,
    /// Which of the connections that had this slot it is.
    pub generation: u32,
    /// Where it is in its life.
    pub stage: Stage,
    /// Where it came from.
    pub from: From,
    /// What waits to be written.
    pub outbox: Outbox,
    /// In the shard's list of connections to write to.
    pub is_dirty: bool,
    /// In the shard's list of connections to look at every second.
    pub is_watched: bool,
    /// No more was taken; what waits is written when that changes. The second of the shard's clock when it last took some.
    pub blocked_since_s: Option<u64>,
    /// When it was last heard of, or when it began, seconds of the shard's clock.
    pub heard_s: u64,
    /// When it began, or began to close, seconds of the shard's clock.
    pub stage_since_s: u64,
    /// Given back when the connection ends.
    pub _place: ConnectionPlace,
}

impl Connection {
    /// Its session, if it is live.
    pub fn session(&mut self) -> Option<&mut Session> {
        match &mut self.stage {
            Stage::Live(session) => Some(session),
            _ => None,
        }
    }

    /// Whether it is on its way out.
    pub fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing(_))
    }

    /// Queues a frame for it alone.
    pub fn push(&mut self, frame: &v1::ServerFrame) {
        self.outbox.push(framed(self.transport.form(), frame), 1);
    }

    /// Queues the goodbye and goes to the closing stage. Returns the session, which has ended.
    pub fn close(&mut self, number: u16, reason: &'static str, now_s: u64) -> Option<Box<Session>> {
        let goodbye = self.transport.goodbye(number, reason);
        if !goodbye.is_empty() {
            self.outbox.push(goodbye, 1);
        }
        self.stage_since_s = now_s;
        match std::mem::replace(&mut self.stage, Stage::Closing(number)) {
            Stage::Live(session) => Some(session),
            _ => None,
        }
    }

    /// Writes what waits, as far as it is taken.
    pub fn write(&mut self, gather: &mut Vec<u8>, now_s: u64) -> io::Result<Written> {
        let before = self.outbox.bytes();
        let written = self.transport.write(&mut self.outbox, gather)?;
        self.note(written, before, now_s);
        Ok(written)
    }

    /// Gives some of what waits to whoever takes it by itself.
    pub fn take(&mut self, now_s: u64) -> Option<Bytes> {
        let before = self.outbox.bytes();
        let taken = self.outbox.take(GATHER_BYTES);
        self.note(if self.outbox.is_empty() { Written::All } else { Written::Blocked }, before, now_s);
        taken
    }

    fn note(&mut self, written: Written, bytes_before: usize, now_s: u64) {
        match written {
            Written::All => {
                if self.blocked_since_s.take().is_some() && self.is_closing() {
                    // The goodbye, if there is one, went out only now.
                    self.stage_since_s = now_s;
                }
            }
            Written::Blocked if self.outbox.bytes() < bytes_before => self.blocked_since_s = Some(now_s),
            Written::Blocked => {
                self.blocked_since_s.get_or_insert(now_s);
            }
        }
    }
}
