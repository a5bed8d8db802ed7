//! The client's half of WebSocket (RFC 6455), as lean as fifteen thousand connections in one process need: no buffer
//! while nothing is half received, no copy of what arrives whole. Pure: bytes in, pieces out; knows no socket and
//! nothing of what the messages mean.

use crate::error::{Error, Result};

/// Longest message accepted, bytes; a page of a resume is the longest a server sends.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// An emptied buffer larger than this is given back.
const KEEP_BYTES_MAX: usize = 4096;

/// One thing the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole text or binary message.
    Message(&'a [u8]),
    /// A ping, to be answered with the same bytes.
    Ping(&'a [u8]),
    /// A pong, awaited or not.
    Pong,
    /// The close frame with its code and reason.
    Close(u16, String),
}

/// Cuts the byte stream from the server into pieces.
#[derive(Debug, Default)]
pub struct Inbound {
    /// An unfinished frame, as received so far.
    partial: Vec<u8>,
    /// The earlier fragments of an unfinished message.
    fragments: Vec<u8>,
}

impl Inbound {
    /// Takes what was read and tells `on` each piece that is now complete.
    pub fn feed(&mut self, chunk: &[u8], mut on: impl FnMut(Piece<'_>)) -> Result<()> {
        if self.partial.is_empty() {
            let used = self.parse(chunk, &mut on)?;
            self.partial.extend_from_slice(&chunk[used..]);
            return Ok(());
        }
        let mut partial = std::mem::take(&mut self.partial);
        partial.extend_from_slice(chunk);
        let used = self.parse(&partial, &mut on)?;
        partial.drain(..used);
        if !partial.is_empty() || partial.capacity() <= KEEP_BYTES_MAX {
            self.partial = partial;
        }
        Ok(())
    }

    /// Parses whole frames from the start of `bytes`; returns how many bytes they took.
    fn parse(&mut self, bytes: &[u8], on: &mut impl FnMut(Piece<'_>)) -> Result<usize> {
        let mut used = 0;
        while let Some(frame) = FrameHead::read(&bytes[used..])? {
            let start = used + frame.head_len;
            let Some(body) = bytes.get(start..start + frame.body_len) else { break };
            self.frame(frame.opcode, frame.last, body, on)?;
            used = start + frame.body_len;
        }
        Ok(used)
    }

    fn frame(&mut self, opcode: u8, last: bool, body: &[u8], on: &mut impl FnMut(Piece<'_>)) -> Result<()> {
        match opcode {
            1 | 2 if last => on(Piece::Message(body)),
            0..=2 => {
                self.fragments.extend_from_slice(body);
                if self.fragments.len() > MESSAGE_BYTES_MAX {
                    return Err(Error::Protocol("a message that does not end".into()));
                }
                if last {
                    let message = std::mem::take(&mut self.fragments);
                    on(Piece::Message(&message));
                }
            }
            8 => {
                let code = body.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                let reason = String::from_utf8_lossy(body.get(2..).unwrap_or_default()).into_owned();
                on(Piece::Close(code, reason));
            }
            9 => on(Piece::Ping(body)),
            10 => on(Piece::Pong),
            _ => return Err(Error::Protocol(format!("opcode {opcode}"))),
        }
        Ok(())
    }
}

/// The head of a frame from the server.
struct FrameHead {
    opcode: u8,
    last: bool,
    head_len: usize,
    body_len: usize,
}

impl FrameHead {
    /// Reads a head; `None` when it is not complete yet.
    fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 || second & 0x80 != 0 {
            return Err(Error::Protocol("reserved bits, or a masked frame".into()));
        }
        let (head_len, body_len) = match (second, rest) {
            (126, &[a, b, ..]) => (4, usize::from(u16::from_be_bytes([a, b]))),
            (127, &[a, b, c, d, e, f, g, h, ..]) => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize),
            (126 | 127, _) => return Ok(None),
            (short, _) => (2, usize::from(short)),
        };
        if body_len > MESSAGE_BYTES_MAX {
            return Err(Error::Protocol(format!("a frame of {body_len} bytes")));
        }
        Ok(Some(Self { opcode: first & 0x0f, last: first & 0x80 != 0, head_len, body_len }))
    }
}

/// Kinds of frames a client writes.
#[derive(Debug, Clone, Copy)]
pub enum Opcode {
    /// A whole binary message.
    Binary = 2,
    /// Answer to a ping.
    Pong = 10,
}

/// Appends one masked frame, as clients must write them.
pub fn write_frame(opcode: Opcode, body: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.reserve(body.len() + 14);
    out.push(0x80 | opcode as u8);
    match body.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Appends the head of an unmasked frame, as servers write them.
pub fn write_server_head(body_len: usize, out: &mut Vec<u8>) {
    out.push(0x82);
    match body_len {
        0..126 => out.push(body_len as u8),
        126..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(body_len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(body_len as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(chunks: &[&[u8]]) -> Result<Vec<String>> {
        let (mut inbound, mut seen) = (Inbound::default(), Vec::new());
        for chunk in chunks {
            inbound.feed(chunk, |piece| {
                seen.push(match piece {
                    Piece::Message(body) => format!("message of {} by {:?}", body.len(), body.first()),
                    piece => format!("{piece:?}"),
                });
            })?;
        }
        Ok(seen)
    }

    fn server_message(len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        write_server_head(len, &mut out);
        out.resize(out.len() + len, 7);
        out
    }

    proptest! {
        /// However the stream is cut, the same pieces come out.
        #[test]
        fn cutting_does_not_matter(lens in prop::collection::vec(prop_oneof![0usize..300, Just(70_000)], 1..6),
                                   cuts in prop::collection::vec(1usize..5000, 1..30)) {
            let stream: Vec<u8> = lens.iter().flat_map(|&len| server_message(len)).collect();
            let whole = collect(&[&stream]).unwrap();
            prop_assert_eq!(whole.len(), lens.len());
            let mut chunks = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = tail;
            }
            prop_assert_eq!(collect(&chunks).unwrap(), whole);
        }
    }

    #[test]
    fn fragments_controls_and_close() {
        let stream = [0x02, 1, b'a', 0x89, 0, 0x80, 1, b'b', 0x88, 4, 0x0f, 0xa1, b'n', b'o'];
        let want = ["Ping([])", "message of 2 by Some(97)", "Close(4001, \"no\")"];
        assert_eq!(collect(&[&stream]).unwrap(), want);
    }

    #[test]
    fn masked_or_reserved_is_refused() {
        assert!(collect(&[&[0x82, 0x81, 0, 0, 0, 0, 1]]).is_err());
        assert!(collect(&[&[0xc2, 0x01, 1]]).is_err());
    }

    #[test]
    fn what_we_write_a_websocket_server_reads() {
        for len in [0, 125, 126, 65_535, 65_536] {
            let body: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut out = Vec::new();
            write_frame(Opcode::Binary, &body, [1, 2, 3, 4], &mut out);
            let stream = std::io::Cursor::new(out);
            let role = tungstenite::protocol::Role::Server;
            let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, None);
            assert_eq!(socket.read().unwrap().into_data(), body);
        }
    }
}
