//! One connection of a shard: a socket, the protocol state on it, what waits to be written, and, once it has said who
//! it is, a session.

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use konvert_protocol::{CloseCode, Encoding, v1};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::admission::{ConnectionPlace, PendingPlace};
use super::codec::{self, Codec, Fault};
use super::outbox::{Outbox, Written};
use super::rate_limit::Bucket;
use super::session::Session;

/// Where a connection is in its life.
#[derive(Debug)]
pub enum Stage {
    /// Upgraded, but who is it? The place is given back when that is known.
    Pending(#[allow(dead_code, reason = "held for its drop")] PendingPlace),
    /// Authenticated.
    Live(Box<Session>),
    /// A close frame is on its way; the other side has a moment to answer.
    Closing,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// Shared with the task that waits for the socket to become readable or writable.
    pub socket: Rc<TcpStream>,
    /// Which of the connections that had this slot it is.
    pub generation: u32,
    /// How its frames are written.
    pub encoding: Encoding,
    /// Where it is in its life.
    pub stage: Stage,
    /// Whether the request named an origin, which a page always does.
    pub has_origin: bool,
    /// The protocol on the socket.
    pub codec: Codec,
    /// What waits to be written.
    pub outbox: Outbox,
    /// In the shard's list of connections to write to.
    pub is_dirty: bool,
    /// The socket took no more; a task waits until it does. The second of the shard's clock when it last took some.
    pub blocked_since_s: Option<u64>,
    /// When it was last heard of, or when it began, seconds of the shard's clock.
    pub heard_s: u64,
    /// When it began, or began to close, seconds of the shard's clock.
    pub stage_since_s: u64,
    /// Since when a message is under way whose end has not arrived, seconds of the shard's clock.
    pub unfinished_since_s: Option<u64>,
    /// Pings and pongs.
    pub controls: Bucket,
    /// The task that waits for the socket to become readable.
    pub reader: Option<AbortHandle>,
    /// The task that waits for the socket to become writable, the last one if there were several.
    pub writer: Option<AbortHandle>,
    /// Given back when the connection ends.
    pub _place: ConnectionPlace,
}

impl Drop for Connection {
    /// The tasks hold the socket: it is closed only when they have ended too.
    fn drop(&mut self) {
        for task in [&self.reader, &self.writer].into_iter().flatten() {
            task.abort();
        }
    }
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
        matches!(self.stage, Stage::Closing)
    }

    /// Queues a frame for it alone.
    pub fn push(&mut self, frame: &v1::ServerFrame) {
        self.outbox.push(framed(self.encoding, frame), 1);
    }

    /// Queues the close frame and goes to the closing stage. Returns the session, which has ended.
    pub fn close(&mut self, number: u16, reason: &'static str, now_s: u64) -> Option<Box<Session>> {
        let frame = self.codec.close(number, reason);
        if !frame.is_empty() {
            self.outbox.push(frame.into(), 1);
        }
        self.stage_since_s = now_s;
        match std::mem::replace(&mut self.stage, Stage::Closing) {
            Stage::Live(session) => Some(session),
            _ => None,
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub fn write(&mut self, gather: &mut Vec<u8>, now_s: u64) -> io::Result<Written> {
        let before = self.outbox.bytes();
        let written = self.outbox.write(&self.socket, gather)?;
        match written {
            Written::All => {
                if self.blocked_since_s.take().is_some() && self.is_closing() {
                    // The close frame, if there is one, went out only now.
                    self.stage_since_s = now_s;
                }
            }
            Written::Blocked if self.outbox.bytes() < before => self.blocked_since_s = Some(now_s),
            Written::Blocked => {
                self.blocked_since_s.get_or_insert(now_s);
            }
        }
        Ok(written)
    }
}

/// A frame as the bytes of one WebSocket message.
pub fn framed(encoding: Encoding, frame: &v1::ServerFrame) -> Bytes {
    codec::framed(encoding.is_text(), &encoding.encode(frame))
}

/// The close code for a fault on the socket: RFC 6455's own where its rules were broken.
pub fn close_for(fault: Fault) -> Option<(u16, &'static str)> {
    let ours = |code: CloseCode| Some((code.number(), code.name()));
    match fault {
        Fault::Protocol => Some((1002, "protocol error")),
        Fault::Utf8 => Some((1007, "text is not UTF-8")),
        Fault::TooLarge => ours(CloseCode::MessageTooLarge),
        Fault::Fragments => ours(CloseCode::Flood),
        Fault::Closed => None,
    }
}
