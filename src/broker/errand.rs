//! What somebody asks of a session of a shard from outside its connection, by the secret that only its owner was told.
//! Plain data, because it may come from another thread than the shard's.

use std::fmt;

use bytes::Bytes;
use konvert_protocol::v1;
use tokio::sync::oneshot;

use super::push::SessionKey;

/// Something to be done for a session.
pub struct Errand {
    /// Whose it should be.
    pub session: SessionKey,
    /// The secret that proves it.
    pub proof: u128,
    /// What to do.
    pub act: Act,
    /// What the session says; done before anything else.
    pub frames: Vec<v1::ClientFrame>,
    /// Bytes that the frames came in.
    pub bytes: usize,
    /// Told as soon as the proof was found right; the result may take its time.
    pub proven: oneshot::Sender<()>,
    /// Where the result goes. Whoever does not wait for it any more drops the other end.
    pub result: oneshot::Sender<Result<Bytes, Declined>>,
}

/// What an errand is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// To say something.
    Send,
    /// To fetch what waits, or the first thing that comes; nothing after a heartbeat of silence.
    Poll,
    /// To say goodbye.
    Close,
}

/// Why an errand was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// There is no such session, or no more; the close code, if it is still known.
    Ended(Option<u16>),
    /// The session has a stream, and that is where everything is said.
    HasStream,
    /// Too many at a time; when to try again, milliseconds.
    TooMany(u32),
}

impl fmt::Debug for Errand {
    /// Without what proves it and what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errand({:?} for {:?})", self.act, self.session)
    }
}
