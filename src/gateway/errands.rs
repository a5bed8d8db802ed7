//! Sessions without a socket of their own: how they begin, and what comes for them by requests that may have arrived on
//! another shard's thread.

use bytes::Bytes;
use konvert_protocol::v1;
use tokio_util::sync::DropGuard;

use super::admission::{ConnectionPlace, PendingPlace};
use super::connection::{From, Stage};
use super::shard::Shard;
use super::transport::{Answer, Poll, Stream, StreamBody, Transport};
use crate::broker::{Act, Declined, Errand, SessionKey};

/// Who comes in by a request.
#[derive(Debug)]
pub struct Entrant {
    /// What it says; the first should be `connect`.
    pub frames: Vec<v1::ClientFrame>,
    /// Where it came from.
    pub from: From,
    /// Its place among those that have not authenticated.
    pub pending: PendingPlace,
    /// Its place among the connections.
    pub place: ConnectionPlace,
}

impl Shard {
    /// Begins a session whose stream is the answer's body. `over` is dropped when the session has ended.
    pub fn open_stream(&mut self, entrant: Entrant, over: DropGuard) -> StreamBody {
        let transport = Transport::Stream(Stream::new(over, self.clock.second()));
        let (slot, generation) = self.begin(transport, entrant, None);
        StreamBody { shard: self.me.clone(), slot, generation }
    }

    /// Begins a session that is polled; the first answer tells how.
    pub fn open_poll(&mut self, entrant: Entrant, answer: Answer) {
        self.begin(Transport::Poll(Poll::new()), entrant, Some(answer));
    }

    fn begin(&mut self, transport: Transport, entrant: Entrant, answer: Option<Answer>) -> (u32, u32) {
        let Entrant { frames, from, pending, place } = entrant;
        let (slot, generation) = self.seat(transport, from, pending, place);
        if let Some(answer) = answer {
            self.wait(slot, generation, answer);
        }
        self.on_frames(slot, generation, frames.into_iter().map(Ok));
        self.flush();
        if self.is_draining {
            self.send_away(slot, generation);
            self.flush();
        }
        (slot, generation)
    }

    /// Does what was asked of a session, if it was proven to come from its owner.
    pub fn on_errand(&mut self, errand: Errand) {
        let Errand { session: SessionKey { slot, generation, .. }, proof, act, frames, proven, result, .. } = errand;
        let second = self.clock.second();
        let connection = self.get(slot, generation).filter(|connection| connection.transport.is_proof(proof));
        let Some(connection) = connection else { return decline(result, Declined::Ended(None)) };
        connection.heard_s = second;
        // Whoever stopped waiting does not care.
        let _ = proven.send(());
        if let Transport::Poll(poll) = &mut connection.transport {
            poll.unproven = None;
        }
        match (&connection.transport, &connection.stage, act) {
            (Transport::Stream(_), _, Act::Poll) => return decline(result, Declined::HasStream),
            (_, Stage::Closing(code), Act::Send) => return decline(result, Declined::Ended(Some(*code))),
            (_, Stage::Closing(code), Act::Poll) if connection.outbox.is_empty() => {
                return decline(result, Declined::Ended(Some(*code)));
            }
            _ => {}
        }
        if act == Act::Poll
            && let Err(wait_ms) = self.take_from_pace(slot, generation)
        {
            return decline(result, Declined::TooMany(wait_ms));
        }
        self.on_frames(slot, generation, frames.into_iter().map(Ok));
        match act {
            Act::Send => agree(result),
            Act::Poll => {
                self.wait(slot, generation, result);
                self.write(slot, generation);
            }
            Act::Close => {
                self.on_goodbye(slot, generation);
                if self.get(slot, generation).is_some_and(|c| matches!(c.transport, Transport::Poll(_))) {
                    // Nobody will ask what is left to say.
                    self.end(slot, generation);
                }
                agree(result);
            }
        }
        self.flush();
    }

    /// A poll costs as much as a command.
    fn take_from_pace(&mut self, slot: u32, generation: u32) -> Result<(), u32> {
        let (rate, now_ms) = (self.shared.config.commands_per_second, self.clock.steady_ms());
        self.session(slot, generation).map_or(Ok(()), |session| session.commands.take(rate, now_ms))
    }

    fn wait(&mut self, slot: u32, generation: u32, answer: Answer) {
        let second = self.clock.second();
        if let Some(Transport::Poll(poll)) = self.get(slot, generation).map(|connection| &mut connection.transport) {
            poll.wait(answer, second);
            self.attend(slot, generation);
        }
    }
}

fn agree(result: Answer) {
    let _ = result.send(Ok(Bytes::new()));
}

fn decline(result: Answer, why: Declined) {
    let _ = result.send(Err(why));
}
