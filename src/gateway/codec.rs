//! The WebSocket protocol of one connection, without its socket: bytes in, messages and control replies out.
//!
//! The rules of RFC 6455 (masking, fragments, UTF-8, control frames, the close handshake) are tungstenite's. It is fed
//! from a buffer that all connections of a thread share, so that an idle connection holds next to none of its own.

use std::io::{self, Cursor, Read, Write};

use bytes::Bytes;
use tungstenite::error::{CapacityError, Error};
use tungstenite::protocol::frame::coding::{CloseCode as Number, Control, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Message, Utf8Bytes};

/// What the protocol state reads at a time, bytes; held only while something is under way.
const READ_AHEAD_BYTES: usize = 4 << 10;
/// Frames that any message may arrive in. Libraries cut at 16 KiB and more, never at a few bytes.
const FRAGMENTS_MIN: usize = 4_096;
/// Where messages may be big there may be more: one frame for this many bytes of the biggest message.
const BYTES_PER_FRAGMENT: usize = 64;

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
    /// A message in far too many frames.
    Fragments,
    /// The close handshake is over.
    Closed,
}

/// The protocol state of one connection.
#[derive(Debug)]
pub struct Codec {
    /// Nothing while nothing is under way: between two whole messages there is no state to keep, and most connections
    /// are between two messages most of the time.
    context: Option<Box<WebSocketContext>>,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// Frames so far of a message whose last frame has not arrived.
    fragments: usize,
    message_bytes: usize,
}

impl Codec {
    /// For a connection after its handshake.
    pub fn new(message_bytes: usize) -> Self {
        Self { context: None, partial: Vec::new(), fragments: 0, message_bytes }
    }

    /// Takes the next arrival out of `input`, which is moved forward; what must be answered goes to `replies`. `None`
    /// when the input is used up.
    pub fn next(&mut self, input: &mut &[u8], replies: &mut Vec<u8>) -> Option<Result<Arrival, Fault>> {
        loop {
            let result = if self.partial.is_empty() {
                match self.measure(input) {
                    Ok(Some(len)) if len <= input.len() => {
                        let (frame, rest) = input.split_at(len);
                        *input = rest;
                        self.read(frame, replies)
                    }
                    Ok(_) => {
                        self.partial.extend_from_slice(input);
                        *input = &[];
                        self.rest_if_idle();
                        return None;
                    }
                    Err(fault) => Err(fault),
                }
            } else {
                match self.complete_partial(input) {
                    Ok(false) => return None,
                    Ok(true) => {
                        let frame = std::mem::take(&mut self.partial);
                        self.read(&frame, replies)
                    }
                    Err(fault) => Err(fault),
                }
            };
            if let Some(arrival) = result.transpose() {
                return Some(arrival);
            }
        }
    }

    /// The length of the frame that `bytes` begin with, header and all; `None` when the header is not whole.
    fn measure(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut cursor = Cursor::new(bytes);
        let Some((header, len)) = FrameHeader::parse(&mut cursor).map_err(|error| fault(&error))? else {
            return Ok(None);
        };
        if len > self.message_bytes as u64 {
            return Err(Fault::TooLarge);
        }
        let whole = cursor.position() as usize + len as usize;
        if whole <= bytes.len() && matches!(header.opcode, OpCode::Data(_)) {
            self.fragments = if header.is_final { 0 } else { self.fragments + 1 };
            if self.fragments > FRAGMENTS_MIN.max(self.message_bytes / BYTES_PER_FRAGMENT) {
                return Err(Fault::Fragments);
            }
        }
        Ok(Some(whole))
    }

    /// Moves bytes over until the partial frame is whole; false when they do not suffice.
    fn complete_partial(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        loop {
            let partial = std::mem::take(&mut self.partial);
            let whole = self.measure(&partial);
            self.partial = partial;
            let missing = match whole? {
                Some(whole) if whole == self.partial.len() => return Ok(true),
                Some(whole) => whole - self.partial.len(),
                // A header is short; its length shows byte by byte.
                None => 1,
            };
            if input.is_empty() {
                return Ok(false);
            }
            let (taken, rest) = input.split_at(missing.min(input.len()));
            self.partial.extend_from_slice(taken);
            *input = rest;
        }
    }

    /// Gives a whole frame to the protocol; `None` when it only continues a message.
    fn read(&mut self, frame: &[u8], replies: &mut Vec<u8>) -> Result<Option<Arrival>, Fault> {
        let context = self.context();
        let arrival = match context.read(&mut Pipe { input: frame, replies }) {
            Ok(Message::Binary(bytes)) => Arrival::Binary(bytes),
            Ok(Message::Text(text)) => Arrival::Text(text.into()),
            Ok(Message::Close(_)) => Arrival::Goodbye,
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Arrival::Control,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(fault(&error)),
        };
        if matches!(arrival, Arrival::Control | Arrival::Goodbye) {
            // Writes the pong or the answer to the close; after the latter an error only says that all is over.
            let _ = context.flush(&mut Pipe { input: &[], replies });
        }
        Ok(Some(arrival))
    }

    /// Whether a message has begun whose end has not arrived.
    pub fn is_midway(&self) -> bool {
        self.fragments > 0 || !self.partial.is_empty()
    }

    fn context(&mut self) -> &mut WebSocketContext {
        self.context.get_or_insert_with(|| {
            let config = WebSocketConfig::default()
                .read_buffer_size(READ_AHEAD_BYTES)
                .write_buffer_size(0)
                .max_message_size(Some(self.message_bytes))
                .max_frame_size(Some(self.message_bytes));
            Box::new(WebSocketContext::new(Role::Server, Some(config)))
        })
    }

    /// Between two messages of an open connection there is nothing to remember.
    fn rest_if_idle(&mut self) {
        if self.fragments == 0 && self.context.as_ref().is_some_and(|context| context.can_write()) {
            self.context = None;
        }
    }

    /// The close frame to send; from then on only the other side's goodbye is waited for.
    pub fn close(&mut self, number: u16, reason: &'static str) -> Vec<u8> {
        let mut out = Vec::new();
        let frame = CloseFrame { code: Number::from(number), reason: Utf8Bytes::from_static(reason) };
        // An error only says that the other side closed first; then there is nothing to send.
        let _ = self.context().close(&mut Pipe { input: &[], replies: &mut out }, Some(frame));
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
struct Pipe<'a> {
    input: &'a [u8],
    replies: &'a mut Vec<u8>,
}

impl Read for Pipe<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(into)
    }
}

impl Write for Pipe<'_> {
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

    /// 9 000 frames of one message.
    fn flood() -> Vec<u8> {
        [client_frame(0x01, b""), client_frame(0x00, b"").repeat(9_000)].concat()
    }

    #[test]
    fn where_messages_may_be_big_they_may_come_in_more_frames() {
        let (seen, _) = arrivals(&mut Codec::new(1 << 20), &[flood(), client_frame(0x80, b"end")].concat());
        assert_eq!(seen, ["Ok(Text(b\"end\"))"]);
    }

    #[test]
    fn faults() {
        for (bytes, want) in [
            (client_frame(0x82, &[0; 101]), Fault::TooLarge),
            (client_frame(0x81, b"\xff"), Fault::Utf8),
            (vec![0x82, 3, 1, 2, 3], Fault::Protocol),
            (client_frame(0xc2, b""), Fault::Protocol),
            (client_frame(0x80, b"lost"), Fault::Protocol),
            (flood(), Fault::Fragments),
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
