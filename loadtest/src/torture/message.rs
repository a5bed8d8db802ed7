//! What a torture message carries: who wrote it, its number and its room, some filling, and a CRC over all of it, so
//! that a message can be judged by itself wherever it turns up. Pure.

use bytes::Bytes;

/// Identity of a message: its writer and the writer's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Number of the writer.
    pub writer: u32,
    /// The writer's count of messages, from zero.
    pub counter: u32,
}

impl Key {
    /// User id of the writer.
    pub fn user(writer: u32) -> String {
        format!("writer-{writer}")
    }

    /// The idempotency key.
    pub fn message_id(self) -> String {
        format!("{}-{}", self.writer, self.counter)
    }
}

/// What a message says, as far as the verdict cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Whose and which.
    pub key: Key,
    /// Number of the room it was meant for.
    pub room: u32,
    /// CRC of the payload before it.
    pub crc: u32,
}

const HEAD_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// A payload for `key` in `room` with `filling` random-looking bytes, and its content.
pub fn payload(key: Key, room: u32, filling: &[u8]) -> (Bytes, Content) {
    let mut payload = Vec::with_capacity(HEAD_BYTES + filling.len() + CRC_BYTES);
    for number in [key.writer, key.counter, room] {
        payload.extend_from_slice(&number.to_le_bytes());
    }
    payload.extend_from_slice(filling);
    let crc = crc32fast::hash(&payload);
    payload.extend_from_slice(&crc.to_le_bytes());
    (payload.into(), Content { key, room, crc })
}

/// The content of a stored message; `None` when it is not what a writer wrote under that name.
pub fn read(sender: &str, message_id: &str, payload: &[u8]) -> Option<Content> {
    let (body, crc) = payload.split_last_chunk::<CRC_BYTES>()?;
    let crc = u32::from_le_bytes(*crc);
    let number = |at: usize| Some(u32::from_le_bytes(*body.get(at..)?.first_chunk()?));
    let content = Content { key: Key { writer: number(0)?, counter: number(4)? }, room: number(8)?, crc };
    let whole = crc32fast::hash(body) == crc;
    let named = content.key.message_id() == message_id && Key::user(content.key.writer) == sender;
    (whole && named).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let key = Key { writer: 3, counter: 70_000 };
        let (payload, content) = payload(key, 9, b"filling");
        assert_eq!(read("writer-3", "3-70000", &payload), Some(content));
        assert_eq!(read("writer-4", "3-70000", &payload), None);
        assert_eq!(read("writer-3", "3-70001", &payload), None);
        for at in 0..payload.len() {
            let mut damaged = payload.to_vec();
            damaged[at] ^= 4;
            assert_eq!(read("writer-3", "3-70000", &damaged), None, "byte {at}");
        }
        assert_eq!(read("writer-3", "3-70000", b""), None);
    }
}
