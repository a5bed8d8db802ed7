//! What waits to be written to one connection, or taken by it. Bounded in frames and bytes; who does not read is cut off and comes back
//! to the log, so that a slow reader costs a bounded amount and delays nobody.
//!
//! Chunks are shared bytes, so that what waits for a thousand readers is held once. An idle outbox owns no memory, and
//! neither does one through which a single chunk passes, which is what an outbox does most of its life.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

/// Chunks are gathered into one write up to this many bytes: a system call costs as much as copying about this much.
pub const GATHER_BYTES: usize = 64 << 10;

/// Where a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Nothing is left.
    All,
    /// The socket takes no more now.
    Blocked,
}

/// The bounded send queue of a connection.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The chunk to write first, with the number of its frames; none only if nothing waits.
    front: Option<(Bytes, u32)>,
    /// The others.
    rest: VecDeque<(Bytes, u32)>,
    frames: usize,
    bytes: usize,
    /// The front chunk is partly written: it must be finished before anything else may be.
    torn: bool,
}

impl Outbox {
    /// Adds bytes that hold so many frames.
    pub fn push(&mut self, bytes: Bytes, frames: usize) {
        self.bytes += bytes.len();
        self.frames += frames;
        let chunk = (bytes, frames as u32);
        match self.front {
            None => self.front = Some(chunk),
            Some(_) => self.rest.push_back(chunk),
        }
    }

    /// Whether more waits than is allowed.
    pub fn is_over(&self, frames_max: usize, bytes_max: usize) -> bool {
        self.frames > frames_max || self.bytes > bytes_max
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all that waits, but for the rest of a frame that was begun.
    pub fn clear(&mut self) {
        let rest = self.front.take().filter(|_| self.torn);
        *self = Self::default();
        if let Some((bytes, frames)) = rest {
            self.push(bytes, frames as usize);
            self.torn = true;
        }
    }

    /// Writes as much as the socket takes. `gather` is scratch space shared by all connections of a thread.
    pub fn write(&mut self, socket: &TcpStream, gather: &mut Vec<u8>) -> io::Result<Written> {
        while let Some((front, _)) = &self.front {
            let written = if self.rest.is_empty() || front.len() >= GATHER_BYTES {
                socket.try_write(front)
            } else {
                self.gather(GATHER_BYTES, gather);
                socket.try_write(gather)
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Written::Blocked),
                Err(error) => return Err(error),
            }
        }
        self.rest = VecDeque::new();
        Ok(Written::All)
    }

    /// Takes out the chunks at the front in one piece, which has at most `bytes_max` bytes unless the first alone has more;
    /// one chunk alone stays shared. `None` when nothing waits.
    pub fn take(&mut self, bytes_max: usize) -> Option<Bytes> {
        let (front, _) = self.front.as_ref()?;
        let taken = if self.rest.is_empty() || front.len() >= bytes_max {
            front.clone()
        } else {
            let mut whole = Vec::with_capacity(self.bytes.min(bytes_max));
            self.gather(bytes_max, &mut whole);
            whole.into()
        };
        self.advance(taken.len());
        if self.front.is_none() {
            self.rest = VecDeque::new();
        }
        Some(taken)
    }

    /// Copies the chunks at the front that fit into so many bytes.
    fn gather(&self, bytes_max: usize, into: &mut Vec<u8>) {
        into.clear();
        for (chunk, _) in self.front.iter().chain(&self.rest) {
            if into.len() + chunk.len() > bytes_max {
                break;
            }
            into.extend_from_slice(chunk);
        }
    }

    fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some((front, frames)) = &mut self.front {
            if count < front.len() {
                front.advance(count);
                self.torn |= count > 0;
                return;
            }
            count -= front.len();
            self.frames -= *frames as usize;
            self.torn = false;
            self.front = self.rest.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waiting(outbox: &Outbox) -> Vec<(Bytes, u32)> {
        outbox.front.iter().chain(&outbox.rest).cloned().collect()
    }

    #[test]
    fn bounds() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"12345"), 2);
        assert!(!outbox.is_over(2, 5));
        assert!(outbox.is_over(1, 5));
        assert!(outbox.is_over(2, 4));
    }

    #[test]
    fn clearing_keeps_the_rest_of_a_frame_that_was_begun() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"first"), 1);
        outbox.push(Bytes::from_static(b"second"), 1);
        outbox.advance(2);
        outbox.clear();
        assert_eq!(waiting(&outbox), [(Bytes::from_static(b"rst"), 1)]);
        outbox.advance(3);
        outbox.push(Bytes::from_static(b"third"), 1);
        outbox.clear();
        assert_eq!((waiting(&outbox).len(), outbox.bytes()), (0, 0));
    }

    #[test]
    fn taking_goes_by_whole_chunks() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.take(10), None);
        ["one", "two", "three", "a long one", "end"].into_iter().for_each(|chunk| outbox.push(chunk.into(), 2));
        let taken: Vec<_> = std::iter::from_fn(|| outbox.take(6)).collect();
        assert_eq!(taken, ["onetwo", "three", "a long one", "end"]);
        assert_eq!((outbox.bytes, outbox.frames, outbox.rest.capacity()), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn any_steps_keep_the_counts(
            chunks in prop::collection::vec(1..20usize, 1..20), steps in prop::collection::vec(1..30usize, 1..20),
        ) {
            let mut outbox = Outbox::default();
            for len in chunks {
                outbox.push(vec![0; len].into(), 3);
            }
            for step in steps {
                outbox.advance(step.min(outbox.bytes()));
                prop_assert_eq!(outbox.bytes, waiting(&outbox).iter().map(|(chunk, _)| chunk.len()).sum::<usize>());
                prop_assert_eq!(outbox.frames, waiting(&outbox).len() * 3);
            }
        }
    }
}
