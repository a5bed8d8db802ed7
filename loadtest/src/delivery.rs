//! The fast path of a delivery: finds, without building a frame, the few fields of a push that measuring needs.
//! Protobuf only. Knows the field numbers of the schema (a test compares them with the generated types) and nothing
//! of sockets or of what the payload says.

use std::ops::ControlFlow;

/// What a measuring reader needs of a message or a signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// Name of the room.
    pub room: &'a [u8],
    /// Offset in the room; zero for a signal.
    pub offset: u64,
    /// The user's bytes.
    pub payload: &'a [u8],
}

/// One frame of a WebSocket message.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// A message or a signal.
    Delivery(Delivery<'a>),
    /// Any other frame, undecoded.
    Other(&'a [u8]),
}

const SERVER_FRAME_MESSAGE: u64 = 20;
const SERVER_FRAME_SIGNAL: u64 = 21;
const ROOM: u64 = 1;
const MESSAGE_OFFSET: u64 = 2;
const MESSAGE_PAYLOAD: u64 = 9;
const SIGNAL_PAYLOAD: u64 = 3;

/// Tells `on` each frame of a message; false when the bytes are not frames.
#[must_use]
pub fn walk<'a>(mut message: &'a [u8], mut on: impl FnMut(Seen<'a>)) -> bool {
    while !message.is_empty() {
        let Some(len) = varint(&mut message) else { return false };
        let Some((frame, rest)) = message.split_at_checked(len as usize) else { return false };
        message = rest;
        match delivery(frame) {
            Some(Some(delivery)) => on(Seen::Delivery(delivery)),
            Some(None) => on(Seen::Other(frame)),
            None => return false,
        }
    }
    true
}

/// The delivery in a frame: `None` when malformed, `Some(None)` when it is something else.
fn delivery(frame: &[u8]) -> Option<Option<Delivery<'_>>> {
    let mut found = None;
    fields(frame, |number, value| match (number, value) {
        (SERVER_FRAME_MESSAGE, Value::Bytes(body)) => {
            found = Some((body, MESSAGE_PAYLOAD));
            ControlFlow::Break(())
        }
        (SERVER_FRAME_SIGNAL, Value::Bytes(body)) => {
            found = Some((body, SIGNAL_PAYLOAD));
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })?;
    let Some((body, payload_number)) = found else { return Some(None) };
    let mut delivery = Delivery::default();
    fields(body, |number, value| {
        match value {
            Value::Bytes(room) if number == ROOM => delivery.room = room,
            Value::Bytes(payload) if number == payload_number => delivery.payload = payload,
            Value::Number(offset) if number == MESSAGE_OFFSET => delivery.offset = offset,
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Some(Some(delivery))
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Walks the fields of a Protobuf message; `None` when malformed.
fn fields<'a>(mut bytes: &'a [u8], mut on: impl FnMut(u64, Value<'a>) -> ControlFlow<()>) -> Option<()> {
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            2 => {
                let len = varint(&mut bytes)?;
                let (body, rest) = bytes.split_at_checked(len as usize)?;
                bytes = rest;
                Value::Bytes(body)
            }
            _ => return None,
        };
        if on(key >> 3, value).is_break() {
            return Some(());
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use konvert_protocol::{Encoding, v1};

    #[test]
    fn agrees_with_the_schema() {
        let message = v1::Message {
            room: "a/b".into(),
            offset: 300,
            sender: "u1".into(),
            message_id: "id".into(),
            time_ms: 1_700_000_000_000,
            payload: vec![9u8; 200].into(),
            ordinal: 7,
            ..Default::default()
        };
        let signal = v1::SignalPush { room: "c".into(), sender: "u2".into(), payload: vec![1, 2].into() };
        let mut bytes = Vec::new();
        Encoding::Protobuf.encode_into(&v1::ServerFrame::push(message), &mut bytes);
        Encoding::Protobuf.encode_into(&v1::ServerFrame::reply(5, v1::Pong {}), &mut bytes);
        Encoding::Protobuf.encode_into(&v1::ServerFrame::push(signal), &mut bytes);

        let mut seen = Vec::new();
        assert!(walk(&bytes, |frame| seen.push(frame)));
        let [Seen::Delivery(message), Seen::Other(pong), Seen::Delivery(signal)] = seen[..] else {
            panic!("{seen:?}");
        };
        assert_eq!(message, Delivery { room: b"a/b", offset: 300, payload: &[9; 200] });
        assert_eq!(signal, Delivery { room: b"c", offset: 0, payload: &[1, 2] });
        assert!(!pong.is_empty());
    }

    #[test]
    fn garbage_is_told() {
        for bytes in [&[5u8, 1][..], &[2, 0xa2, 0x01], &[0xff; 12], &[1, 0x0b]] {
            assert!(!walk(bytes, |_| {}), "{bytes:?}");
        }
    }
}
