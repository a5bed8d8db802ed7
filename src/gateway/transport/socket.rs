//! A WebSocket: the raw stream, the protocol on it, and the tasks that wait for it.

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use konvert_protocol::{CloseCode, Encoding};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::gateway::codec::{Codec, Fault};
use crate::gateway::outbox::{Outbox, Written};
use crate::rate_limit::Bucket;

/// A socket after its upgrade.
#[derive(Debug)]
pub struct Socket {
    /// Shared with the tasks that wait for it to become readable or writable.
    pub stream: Rc<TcpStream>,
    /// How its frames are written.
    pub encoding: Encoding,
    /// The protocol on the stream.
    pub codec: Codec,
    /// Since when a message is under way whose end has not arrived, seconds of the shard's clock.
    pub unfinished_since_s: Option<u64>,
    /// Pings and pongs.
    pub controls: Bucket,
    /// The task that waits for the stream to become readable.
    pub reader: Option<AbortHandle>,
    /// The task that waits for the stream to become writable, the last one if there were several.
    pub writer: Option<AbortHandle>,
}

impl Socket {
    /// A stream that speaks WebSocket from here on.
    pub fn new(stream: Rc<TcpStream>, encoding: Encoding, message_bytes: usize) -> Self {
        Self {
            stream,
            encoding,
            codec: Codec::new(message_bytes),
            unfinished_since_s: None,
            controls: Bucket::new(),
            reader: None,
            writer: None,
        }
    }

    /// Writes as much as the stream takes.
    pub fn write(&mut self, outbox: &mut Outbox, gather: &mut Vec<u8>) -> io::Result<Written> {
        outbox.write(&self.stream, gather)
    }

    /// The close frame; empty when the other side was first.
    pub fn goodbye(&mut self, number: u16, reason: &'static str) -> Bytes {
        self.codec.close(number, reason).into()
    }
}

impl Drop for Socket {
    /// The tasks hold the stream: it is closed only when they have ended too.
    fn drop(&mut self) {
        for task in [&self.reader, &self.writer].into_iter().flatten() {
            task.abort();
        }
    }
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
