//! One push to a room: made once, encoded at most once per form, shared as bytes by every subscriber.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use konvert_protocol::v1;

use super::form::Form;
use super::wire;
use crate::journal::{Record, RoomId};

/// A session's place: which shard owns it, where it is there, and which of the sessions that had this place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Index of the shard.
    pub shard: u16,
    /// Place among the shard's sessions; used again after a session ends.
    pub slot: u32,
    /// Rises each time a place is used again.
    pub generation: u32,
}

/// What is pushed.
#[derive(Debug)]
enum Body {
    /// A stored message.
    Message(Arc<Record>),
    /// A signal; its sender does not get it.
    Signal { sender: Arc<str>, payload: Bytes, from: SessionKey },
    /// Anything that everybody in the room gets.
    Notice(v1::server_frame::Body),
    /// A presence diff: only for subscriptions with presence.
    Presence(v1::PresenceDiff),
}

/// Something for the subscribers of a room.
#[derive(Debug)]
pub struct Push {
    room: RoomId,
    name: Arc<str>,
    body: Body,
    /// By [`Form::index`]: ready to be written.
    forms: [OnceLock<Bytes>; Form::ALL.len()],
}

impl Push {
    fn new(room: RoomId, name: Arc<str>, body: Body) -> Arc<Self> {
        Arc::new(Self { room, name, body, forms: Default::default() })
    }

    /// A stored message.
    pub fn message(room: RoomId, name: Arc<str>, record: Arc<Record>) -> Arc<Self> {
        Self::new(room, name, Body::Message(record))
    }

    /// A signal from a session.
    pub fn signal(room: RoomId, name: Arc<str>, sender: Arc<str>, payload: Bytes, from: SessionKey) -> Arc<Self> {
        Self::new(room, name, Body::Signal { sender, payload, from })
    }

    /// Something that everybody in the room gets.
    pub fn notice(room: RoomId, name: Arc<str>, body: impl Into<v1::server_frame::Body>) -> Arc<Self> {
        Self::new(room, name, Body::Notice(body.into()))
    }

    /// A change of presence.
    pub fn presence(room: RoomId, name: Arc<str>, diff: v1::PresenceDiff) -> Arc<Self> {
        Self::new(room, name, Body::Presence(diff))
    }

    /// For which room.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// The offset of a stored message.
    pub fn offset(&self) -> Option<u64> {
        match &self.body {
            Body::Message(record) => Some(record.offset),
            _ => None,
        }
    }

    /// About the bytes it holds.
    pub fn weight(&self) -> usize {
        const AROUND: usize = 128;
        AROUND
            + match &self.body {
                Body::Message(record) => record.weight(),
                Body::Signal { payload, .. } => payload.len(),
                Body::Notice(body) => body.encoded_len(),
                Body::Presence(diff) => AROUND * (diff.joined.len() + diff.left.len()),
            }
    }

    /// Whether only subscriptions with presence get it.
    pub fn is_presence(&self) -> bool {
        matches!(self.body, Body::Presence(_))
    }

    /// The session that must not get it.
    pub fn excluded(&self) -> Option<SessionKey> {
        match &self.body {
            Body::Signal { from, .. } => Some(*from),
            _ => None,
        }
    }

    /// The bytes to be written: encoded and framed when first asked for, shared from then on.
    pub fn bytes(&self, form: Form, framed: impl FnOnce(Form, &v1::ServerFrame) -> Bytes) -> &Bytes {
        self.forms[form.index()].get_or_init(|| framed(form, &self.frame()))
    }

    fn frame(&self) -> v1::ServerFrame {
        let room = || self.name.to_string();
        match &self.body {
            Body::Message(record) => v1::ServerFrame::push(wire::message(record, room())),
            Body::Signal { sender, payload, .. } => v1::ServerFrame::push(v1::SignalPush {
                room: room(),
                sender: sender.to_string(),
                payload: payload.clone(),
            }),
            Body::Notice(body) => v1::ServerFrame { id: 0, body: Some(body.clone()) },
            Body::Presence(diff) => v1::ServerFrame::push(diff.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_weighs_what_it_carries() {
        let name = || Arc::<str>::from("r");
        let body = Bytes::from(vec![b'x'; 5_000]);
        let changed = v1::Changed { path: "/api/x".into(), body: body.clone() };
        let from = SessionKey { shard: 0, slot: 0, generation: 0 };
        for push in
            [Push::notice(RoomId(0), name(), changed), Push::signal(RoomId(0), name(), "ann".into(), body, from)]
        {
            assert!((5_000..6_000).contains(&push.weight()), "{push:?}");
        }
    }
}
