//! The WebSocket protocol of one connection, without its socket: bytes in, messages and control replies out.
//!
//! The rules of RFC 6455 (masking, fragments, UTF-8, control frames, the close handshake) are tungstenite's. It is fed
//! from a buffer that all connections of a thread share, so that an idle connection holds next to none of its own.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tungstenite::error::{CapacityError, Error};
use tungstenite::protocol::frame::coding::{CloseCode as Number, Control, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Message, Utf8Bytes};

/// Read-ahead of one connection, bytes. The bytes come from memory, so that small steps cost little.
const READ_AHEAD_BYTES: usize = 256;
/// A message may arrive with this much framing beyond its size, bytes: about 4 000 fragments of one byte.
const FRAMING_BYTES_MAX: usize = 32 << 10;

/// Something that arrived.
#[derive(Debug)]
pub enum Arrival {
    /// A whole binary message.
    Binary(Bytes),
    /// A whole text message.
    Text(Bytes),
    /// A ping or a pong; a ping is answered by the codec.
    Control,
    /// The other side says goodbye; the answer is ready to be written.
    Goodbye,
}

/// Why nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// RFC 6455 was broken; close with 1002.
    Protocol,
    /// Text that is not UTF-8; close with 1007.
    Utf8,
    /// A message or frame beyond the limit.
    TooLarge,
    /// Far more framing than content.
    Fragments,
    /// The close handshake is over.
    Closed,
}

/// The protocol state of one connection.
#[derive(Debug)]
pub struct Codec {
    context: WebSocketContext,
    message_bytes: usize,
    /// Bytes since the last whole message.
    unfinished: usize,
}

impl Codec {
    /// For a connection after its handshake.
    pub fn new(message_bytes: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_AHEAD_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes))
            .max_frame_size(Some(message_bytes));
        Self { context: WebSocketContext::new(Role::Server, Some(config)), message_bytes, unfinished: 0 }
    }

    /// Takes the next arrival out of `input`, which is moved forward; what must be answered goes to `replies`. `None`
    /// when the input is used up.
    pub fn next(&mut self, input: &mut &[u8], replies: &mut Vec<u8>) -> Option<Result<Arrival, Fault>> {
        let before = input.len();
        let result = self.context.read(&mut Pipe { input, replies });
        self.unfinished += before - input.len();
        let arrival = match result {
            Ok(message) => {
                self.unfinished = 0;
                match message {
                    Message::Binary(bytes) => Arrival::Binary(bytes),
                    Message::Text(text) => Arrival::Text(text.into()),
                    Message::Close(_) => Arrival::Goodbye,
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Arrival::Control,
                }
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                let is_flood = self.unfinished > self.message_bytes + FRAMING_BYTES_MAX;
                return is_flood.then_some(Err(Fault::Fragments));
            }
            Err(error) => return Some(Err(fault(&error))),
        };
        Some(Ok(arrival))
    }

    /// The close frame to send; from then on only the other side's goodbye is waited for.
    pub fn close(&mut self, number: u16, reason: &'static str) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = CloseFrame { code: Number::from(number), reason: Utf8Bytes::from_static(reason) };
        // An error only says that the other side closed first; then there is nothing to send.
        let _ = self.context.close(&mut Pipe { input: &mut &[][..], replies: &mut out }, Some(frame));
        out
    }
}

/// An unmasked server frame around a whole message.
pub fn framed(is_text: bool, payload: &[u8]) -> Bytes {
    header_and(OpCode::Data(if is_text { Data::Text } else { Data::Binary }), payload)
}

/// A ping without content.
pub fn ping() -> Bytes {
    header_and(OpCode::Control(Control::Ping), &[])
}

fn header_and(opcode: OpCode, payload: &[u8]) -> Bytes {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut out = Vec::with_capacity(header.len(payload.len() as u64) + payload.len());
    // Writing to a Vec does not fail; a header has no invalid state.
    let _ = header.format(payload.len() as u64, &mut out);
    out.extend_from_slice(payload);
    out.into()
}

fn fault(error: &Error) -> Fault {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Fault::TooLarge,
        Error::Utf8(_) => Fault::Utf8,
        Error::ConnectionClosed | Error::AlreadyClosed => Fault::Closed,
        _ => Fault::Protocol,
    }
}

/// Stands in for the socket: reads what has arrived, keeps what must be sent.
struct Pipe<'a, 'b> {
    input: &'a mut &'b [u8],
    replies: &'a mut Vec<u8>,
}

impl Read for Pipe<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(into)
    }
}

impl Write for Pipe<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked client frame, with the mask zero so that the payload reads as written.
    fn client_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
        assert!(payload.len() < 126);
        [&[first_byte, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
    }

    fn arrivals(codec: &mut Codec, mut input: &[u8]) -> (Vec<String>, Vec<u8>) {
        let (mut seen, mut replies) = (Vec::new(), Vec::new());
        while let Some(arrival) = codec.next(&mut input, &mut replies) {
            seen.push(format!("{arrival:?}"));
            if arrival.is_err() {
                break;
            }
        }
        (seen, replies)
    }

    #[test]
    fn messages_arrive_whole_however_they_are_cut() {
        let bytes = [
            client_frame(0x82, b"one"),
            client_frame(0x01, b"tw"),
            client_frame(0x89, b"!"),
            client_frame(0x80, b"o"),
            client_frame(0x88, &[3, 232]),
        ]
        .concat();
        let want = ["Ok(Binary(b\"one\"))", "Ok(Control)", "Ok(Text(b\"two\"))", "Ok(Goodbye)"];
        for step in 1..bytes.len() {
            let mut codec = Codec::new(100);
            let (mut seen, mut replies) = (Vec::new(), Vec::new());
            for chunk in bytes.chunks(step) {
                let (more, answers) = arrivals(&mut codec, chunk);
                seen.extend(more);
                replies.extend(answers);
            }
            assert_eq!(seen[..4], want, "step {step}");
            assert_eq!(replies, [0x8a, 1, b'!', 0x88, 2, 3, 232], "pong, then the answer to the close; step {step}");
        }
    }

    #[test]
    fn faults() {
        let flood: Vec<u8> = [client_frame(0x01, b""), client_frame(0x00, b"").repeat(9_000)].concat();
        for (bytes, want) in [
            (client_frame(0x82, &[0; 101]), Fault::TooLarge),
            (client_frame(0x81, b"\xff"), Fault::Utf8),
            (vec![0x82, 3, 1, 2, 3], Fault::Protocol),
            (client_frame(0xc2, b""), Fault::Protocol),
            (client_frame(0x80, b"lost"), Fault::Protocol),
            (flood, Fault::Fragments),
        ] {
            let (seen, _) = arrivals(&mut Codec::new(100), &bytes);
            assert_eq!(seen.last(), Some(&format!("Err({want:?})")));
        }
    }

    #[test]
    fn server_frames_are_unmasked_with_the_shortest_length() {
        assert_eq!(framed(false, b"ab")[..], [0x82, 2, b'a', b'b']);
        assert_eq!(framed(true, &[b'x'; 200])[..4], [0x81, 126, 0, 200]);
        assert_eq!(framed(false, &[0; 70_000])[..10], [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
        assert_eq!(ping()[..], [0x89, 0]);
    }
}
