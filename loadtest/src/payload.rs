//! What a load message carries in its payload: when it was meant to be sent and its number. The rest is filling.

use bytes::Bytes;

/// Least payload, bytes: the two numbers.
pub const PAYLOAD_BYTES_MIN: usize = 16;

/// The measured part of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Intended send time, nanoseconds of the run's clock.
    pub intended_ns: u64,
    /// Number of the message within its room, from zero.
    pub counter: u64,
}

impl Stamp {
    /// A payload of `len` bytes (at least [`PAYLOAD_BYTES_MIN`]) with this stamp in front.
    pub fn payload(self, len: usize) -> Bytes {
        let mut payload = vec![b'.'; len.max(PAYLOAD_BYTES_MIN)];
        payload[..8].copy_from_slice(&self.intended_ns.to_le_bytes());
        payload[8..16].copy_from_slice(&self.counter.to_le_bytes());
        payload.into()
    }

    /// The stamp of a payload; `None` when it is not one of ours.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (intended, rest) = payload.split_first_chunk()?;
        let counter = rest.first_chunk()?;
        Some(Self { intended_ns: u64::from_le_bytes(*intended), counter: u64::from_le_bytes(*counter) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let stamp = Stamp { intended_ns: 1 << 40, counter: 77 };
        for len in [0, PAYLOAD_BYTES_MIN, 128] {
            let payload = stamp.payload(len);
            assert_eq!(payload.len(), len.max(PAYLOAD_BYTES_MIN));
            assert_eq!(Stamp::read(&payload), Some(stamp));
        }
        assert_eq!(Stamp::read(b"short"), None);
    }
}
