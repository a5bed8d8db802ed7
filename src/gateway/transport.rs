//! What a connection writes to: a socket, a stream of events, or answers to polls. Everything else about a session is the
//! same for all three, and knows only this.

mod events;
mod poll;
mod socket;
mod stream;

use std::io;

use bytes::Bytes;
use konvert_protocol::v1;

pub use poll::{Answer, Poll};
pub use socket::{Socket, close_for};
pub use stream::{Stream, StreamBody};

use super::codec;
use super::outbox::{Outbox, Written};
use super::pass::Proof;
use crate::broker::{Form, SessionKey};

/// A connection's way out.
#[derive(Debug)]
pub enum Transport {
    /// WebSocket.
    Socket(Socket),
    /// Server-sent events.
    Stream(Stream),
    /// Long polling.
    Poll(Poll),
}

impl Transport {
    /// How its frames are laid out.
    pub fn form(&self) -> Form {
        match self {
            Self::Socket(socket) => Form::Message(socket.encoding),
            Self::Stream(_) | Self::Poll(_) => Form::Event,
        }
    }

    /// Writes as much as is taken now. `gather` is scratch space.
    pub fn write(&mut self, outbox: &mut Outbox, gather: &mut Vec<u8>) -> io::Result<Written> {
        match self {
            Self::Socket(socket) => socket.write(outbox, gather),
            Self::Stream(stream) => Ok(stream.write(outbox)),
            Self::Poll(poll) => Ok(poll.write(outbox)),
        }
    }

    /// The last that is said; empty when nothing more may be said.
    pub fn goodbye(&mut self, number: u16, reason: &'static str) -> Bytes {
        match self {
            Self::Socket(socket) => socket.goodbye(number, reason),
            Self::Stream(_) | Self::Poll(_) => events::close(number, reason),
        }
    }

    /// What those are told who speak for the session by other requests than the one that is answered.
    pub fn introduction(&self, session: SessionKey) -> Option<Bytes> {
        self.proof().map(|proof| events::session(&proof.pass(session)))
    }

    /// Whether `shown` proves that somebody speaks for this session.
    pub fn is_proof(&self, shown: u128) -> bool {
        self.proof().is_some_and(|proof| proof.is(shown))
    }

    fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Socket(_) => None,
            Self::Stream(stream) => Some(&stream.proof),
            Self::Poll(poll) => Some(&poll.proof),
        }
    }
}

/// A frame as bytes to be written.
pub fn framed(form: Form, frame: &v1::ServerFrame) -> Bytes {
    match form {
        Form::Message(encoding) => codec::framed(encoding.is_text(), &encoding.encode(frame)),
        Form::Event => events::frame(frame),
    }
}

/// What keeps a silent stream open.
pub fn comment() -> Bytes {
    events::comment()
}
