//! An event stream: the answer to one request, which goes on for as long as the session does.
//!
//! Nothing is held here. The body takes from the session's outbox whenever the socket below takes more, so that a slow
//! reader's bytes wait in the outbox and are counted there.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio_util::sync::DropGuard;

use crate::gateway::outbox::{Outbox, Written};
use crate::gateway::pass::Proof;
use crate::gateway::shard::Shard;

/// The shard's end.
#[derive(Debug)]
pub struct Stream {
    /// What proves that somebody speaks for this session.
    pub proof: Proof,
    /// When something was taken last, seconds of the shard's clock.
    pub said_s: u64,
    /// The body that waits for something to take.
    taker: Option<Waker>,
    /// Dropped with this: then the request has no reason to live on.
    _over: DropGuard,
}

impl Stream {
    /// A stream whose body will ask for what it has.
    pub fn new(over: DropGuard, now_s: u64) -> Self {
        Self { proof: Proof::new(), said_s: now_s, taker: None, _over: over }
    }

    /// Has the body take what waits.
    pub fn write(&mut self, outbox: &Outbox) -> Written {
        if outbox.is_empty() {
            return Written::All;
        }
        self.wake();
        Written::Blocked
    }

    /// Who is to be woken when there is something to take.
    pub fn wait(&mut self, taker: &Waker) {
        self.taker = Some(taker.clone());
    }

    fn wake(&mut self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

impl Drop for Stream {
    /// The body finds that there is no session any more, and ends.
    fn drop(&mut self) {
        self.wake();
    }
}

/// The request's end. When it is dropped the session ends: nobody else can take what it says.
#[derive(Debug)]
pub struct StreamBody {
    /// The shard of the session, on whose thread the request is served.
    pub shard: Weak<RefCell<Shard>>,
    /// The session's place there.
    pub slot: u32,
    /// Which of those that had this place.
    pub generation: u32,
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(shard) = self.shard.upgrade() else { return Poll::Ready(None) };
        let taken = shard.borrow_mut().take(self.slot, self.generation, context.waker());
        taken.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        if let Some(shard) = self.shard.upgrade()
            && let Ok(mut shard) = shard.try_borrow_mut()
        {
            shard.end(self.slot, self.generation);
            shard.flush();
        }
    }
}
