//! Frames ⇄ the bytes of one WebSocket message. A message holds one frame or several in a row: Protobuf frames each
//! behind their length as a varint, MessagePack values back to back, JSON values separated by newlines. MessagePack
//! and Protobuf travel in binary messages, JSON in text messages.

use std::fmt;
use std::io::Cursor;

use bytes::{Buf, Bytes};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Deepest nesting a MessagePack frame may have; the schema needs 4, unknown fields may bring more.
const MSGPACK_DEPTH_MAX: usize = 16;

/// How the frames of a connection are written, chosen by the WebSocket subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `konvert.v1.protobuf`
    Protobuf,
    /// `konvert.v1.msgpack`
    Msgpack,
    /// `konvert.v1.json`
    Json,
}

/// Either of the two frames.
pub trait Frame: Message + Serialize + DeserializeOwned + Default {}

impl Frame for crate::v1::ClientFrame {}
impl Frame for crate::v1::ServerFrame {}

/// Bytes that are not frames in the connection's encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

impl Encoding {
    /// All encodings, most compact first; the index of each is [`Encoding::index`].
    pub const ALL: [Encoding; 3] = [Encoding::Protobuf, Encoding::Msgpack, Encoding::Json];

    /// The name in `Sec-WebSocket-Protocol`.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Encoding::Protobuf => "konvert.v1.protobuf",
            Encoding::Msgpack => "konvert.v1.msgpack",
            Encoding::Json => "konvert.v1.json",
        }
    }

    /// The encoding a subprotocol stands for, if it is one of ours.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.subprotocol() == name)
    }

    /// Place in [`Encoding::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Whether messages are WebSocket text messages rather than binary ones.
    pub fn is_text(self) -> bool {
        self == Encoding::Json
    }

    /// Appends one frame to a message under construction.
    pub fn encode_into<F: Frame>(self, frame: &F, out: &mut Vec<u8>) {
        // Writing into a Vec cannot fail, and every value of the schema has a form in every encoding.
        match self {
            Encoding::Protobuf => frame.encode_length_delimited(out).expect("a Vec grows"),
            Encoding::Msgpack => {
                let mut serializer = rmp_serde::Serializer::new(out).with_struct_map();
                frame.serialize(&mut serializer).expect("a Vec grows");
            }
            Encoding::Json => {
                if !out.is_empty() {
                    out.push(b'\n');
                }
                serde_json::to_writer(out, frame).expect("a Vec grows");
            }
        }
    }

    /// One frame as the bytes of a whole message.
    pub fn encode<F: Frame>(self, frame: &F) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(frame, &mut out);
        out
    }

    /// The frames of a message, decoded one at a time. After an error the iterator ends.
    pub fn decode<F: Frame>(self, message: Bytes) -> Frames<F> {
        Frames { encoding: self, rest: message, frame: std::marker::PhantomData }
    }
}

/// Iterator over the frames of one message, see [`Encoding::decode`].
#[derive(Debug)]
pub struct Frames<F> {
    encoding: Encoding,
    rest: Bytes,
    frame: std::marker::PhantomData<F>,
}

impl<F: Frame> Frames<F> {
    fn next_protobuf(&mut self) -> Result<F, DecodeError> {
        let len = prost::decode_length_delimiter(&mut self.rest).map_err(refused)?;
        if len > self.rest.len() {
            return Err(DecodeError(format!("a frame of {len} bytes in {} bytes", self.rest.len())));
        }
        F::decode(self.rest.split_to(len)).map_err(refused)
    }

    fn next_msgpack(&mut self) -> Result<F, DecodeError> {
        let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(self.rest.as_ref()));
        deserializer.set_max_depth(MSGPACK_DEPTH_MAX);
        let frame = F::deserialize(&mut deserializer).map_err(refused)?;
        let used = deserializer.position() as usize;
        self.rest.advance(used);
        Ok(frame)
    }

    fn next_json(&mut self) -> Result<F, DecodeError> {
        let mut stream = serde_json::Deserializer::from_slice(&self.rest).into_iter::<F>();
        let frame = stream.next().unwrap_or_else(|| Ok(F::default())).map_err(refused)?;
        let used = stream.byte_offset();
        self.rest.advance(used);
        let blank = self.rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.rest.advance(blank);
        Ok(frame)
    }
}

impl<F: Frame> Iterator for Frames<F> {
    type Item = Result<F, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = match self.encoding {
            Encoding::Protobuf => self.next_protobuf(),
            Encoding::Msgpack => self.next_msgpack(),
            Encoding::Json => self.next_json(),
        };
        if frame.is_err() {
            self.rest.clear();
        }
        Some(frame)
    }
}

fn refused(error: impl fmt::Display) -> DecodeError {
    DecodeError(error.to_string())
}
