//! A writer: publishes to random rooms with several messages under way, repeats what has no outcome with the same id,
//! and now and then repeats what was acked long ago, with the same content (the original ack is due) or with another
//! (a conflict is due). Everything goes into the history before it is sent and when its answer comes.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use konvert_protocol::ErrorCode;
use konvert_protocol::v1::{self, server_frame};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore};
use tokio::sync::watch;
use tokio::time::timeout;

use super::history::{Event, Notebook};
use super::message::{Content, Key, payload};
use super::{Phase, room_name};
use crate::client::{Connection, Target};
use crate::error::{Error, Result};

/// An answer that takes longer is given up: the outcome is unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before trying to connect again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// Pause before repeating what the server could not take at the moment.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// Acked messages remembered for being repeated.
const REMEMBERED_MAX: usize = 4096;

/// What writers are like.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Rooms.
    pub rooms: u32,
    /// Messages under way per writer.
    pub in_flight: usize,
    /// Longest filling of a payload, bytes.
    pub filling_bytes_max: usize,
}

/// One writer.
pub struct Writer {
    /// Its number.
    pub number: u32,
    /// Where to connect.
    pub target: Target,
    /// What it is like.
    pub habits: Habits,
    /// Where everything is written down.
    pub notebook: Rc<RefCell<Notebook>>,
    /// What it should do.
    pub phase: watch::Receiver<Phase>,
    /// Its dice.
    pub dice: SmallRng,
}

/// A message without an outcome, or one that was acked before.
#[derive(Clone)]
struct Letter {
    content: Content,
    payload: Bytes,
}

/// What a command under way is.
enum Asked {
    /// A message, for the first time or after an unknown outcome.
    Message(Letter),
    /// An acked message again.
    Repeat(Letter),
    /// An acked message's id with other content.
    Other(Letter),
}

/// What outlives a connection.
struct Desk {
    counter: u32,
    /// Without an outcome, in order.
    outbox: VecDeque<Letter>,
    remembered: Vec<Letter>,
}

impl Writer {
    /// Writes until told to stop and until everything has an outcome, or until told to give up.
    pub async fn run(mut self) {
        let mut desk = Desk { counter: 0, outbox: VecDeque::new(), remembered: Vec::new() };
        loop {
            let mut phase = self.phase.clone();
            let mut paused = self.phase.clone();
            let _ = paused.wait_for(|phase| *phase != Phase::Paused).await;
            let worked = tokio::select! {
                worked = self.work(&mut desk) => worked,
                _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
            };
            if worked.is_ok() {
                return;
            }
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }

    /// One connection's work; ends well when nothing is left to do.
    async fn work(&mut self, desk: &mut Desk) -> Result<()> {
        let session = self.target.connect(self.number as usize, &Key::user(self.number), Vec::new()).await?;
        let connection = session.connection;
        let mut asked: HashMap<u32, Asked> = HashMap::new();
        let again: Vec<Letter> = desk.outbox.drain(..).collect();
        let result = self.converse(&connection, desk, &mut asked, again).await;
        // Whatever has no answer yet has an unknown outcome, and goes first next time, in its order.
        let mut unknown: Vec<(u32, Letter)> = Vec::new();
        for (id, asked) in asked {
            if let Asked::Message(letter) = asked {
                unknown.push((id, letter));
            }
        }
        unknown.sort_by_key(|(id, _)| *id);
        unknown.into_iter().rev().for_each(|(_, letter)| desk.outbox.push_front(letter));
        result
    }

    async fn converse(
        &mut self,
        connection: &Connection,
        desk: &mut Desk,
        asked: &mut HashMap<u32, Asked>,
        again: Vec<Letter>,
    ) -> Result<()> {
        let mut batch: Vec<Asked> = again.into_iter().map(Asked::Message).collect();
        loop {
            let phase = *self.phase.borrow();
            let may_write = phase == Phase::Writing;
            let refused: Vec<Letter> = desk.outbox.drain(..).collect();
            if !refused.is_empty() {
                tokio::time::sleep(REFUSED_PAUSE).await;
                batch.extend(refused.into_iter().map(Asked::Message));
            }
            while may_write && asked.len() + batch.len() < self.habits.in_flight {
                batch.push(self.invent(desk));
            }
            let frames: Vec<v1::ClientFrame> = batch.drain(..).map(|one| self.ask(connection, asked, one)).collect();
            for frames in frames.chunks(64) {
                connection.send(frames).await?;
            }
            if asked.is_empty() {
                match phase {
                    Phase::Writing => continue,
                    Phase::Paused => return Err(Error::Closed(1000, "paused".into())),
                    Phase::Draining | Phase::Over => return Ok(()),
                }
            }
            let frame = timeout(ANSWER_TIMEOUT, connection.next()).await.map_err(|_| Error::Timeout("an ack"))??;
            self.answer(desk, asked, frame)?;
            // Take what else came with it, so that the next batch is as large as the last.
            for frame in connection.take_waiting() {
                self.answer(desk, asked, frame)?;
            }
        }
    }

    /// The next thing to send: mostly a new message.
    fn invent(&mut self, desk: &mut Desk) -> Asked {
        if !desk.remembered.is_empty() && self.dice.random_ratio(1, 20) {
            let letter = desk.remembered[self.dice.random_range(0..desk.remembered.len())].clone();
            return if self.dice.random_ratio(1, 4) { Asked::Other(letter) } else { Asked::Repeat(letter) };
        }
        let key = Key { writer: self.number, counter: desk.counter };
        desk.counter += 1;
        let mut filling = vec![0; self.dice.random_range(0..=self.habits.filling_bytes_max)];
        self.dice.fill_bytes(&mut filling);
        let room = self.dice.random_range(0..self.habits.rooms);
        let (payload, content) = payload(key, room, &filling);
        Asked::Message(Letter { content, payload })
    }

    /// Writes it down and makes the command.
    fn ask(&self, connection: &Connection, asked: &mut HashMap<u32, Asked>, one: Asked) -> v1::ClientFrame {
        let id = connection.next_id();
        let (Asked::Message(letter) | Asked::Repeat(letter) | Asked::Other(letter)) = &one;
        let Content { key, room, .. } = letter.content;
        let payload = match one {
            Asked::Other(_) => Bytes::from_static(b"something else"),
            Asked::Message(_) | Asked::Repeat(_) => {
                self.notebook.borrow_mut().push(Event::Sent(letter.content));
                letter.payload.clone()
            }
        };
        asked.insert(id, one);
        let message_id = key.message_id();
        v1::ClientFrame::new(id, v1::Publish { room: room_name(room), message_id, payload, ..Default::default() })
    }

    fn answer(&mut self, desk: &mut Desk, asked: &mut HashMap<u32, Asked>, frame: v1::ServerFrame) -> Result<()> {
        let Some(one) = asked.remove(&frame.id) else { return Ok(()) };
        match frame.body {
            Some(server_frame::Body::Published(published)) => self.acked(desk, one, &published),
            Some(server_frame::Body::Error(error)) => self.refused(desk, one, &error),
            body => return Err(Error::Protocol(format!("publish answered with {body:?}"))),
        }
        Ok(())
    }

    fn acked(&mut self, desk: &mut Desk, one: Asked, published: &v1::Published) {
        let position = published.position.unwrap_or_default();
        let mut notebook = self.notebook.borrow_mut();
        let letter = match one {
            Asked::Other(letter) => return notebook.push(Event::OtherAccepted { key: letter.content.key }),
            Asked::Message(letter) | Asked::Repeat(letter) => letter,
        };
        let (key, duplicate) = (letter.content.key, published.duplicate);
        notebook.push(Event::Acked { key, epoch: position.epoch, offset: position.offset, duplicate });
        if desk.remembered.len() < REMEMBERED_MAX {
            desk.remembered.push(letter);
        } else {
            let at = self.dice.random_range(0..REMEMBERED_MAX);
            desk.remembered[at] = letter;
        }
    }

    fn refused(&mut self, desk: &mut Desk, one: Asked, error: &v1::Error) {
        let mut notebook = self.notebook.borrow_mut();
        let conflict = error.code == ErrorCode::DuplicateConflict.number();
        match one {
            Asked::Other(letter) if conflict => {
                let offset = error.position.unwrap_or_default().offset;
                notebook.push(Event::Conflicted { key: letter.content.key, offset });
            }
            Asked::Message(letter) | Asked::Repeat(letter) if conflict => {
                notebook.push(Event::FalseConflict { key: letter.content.key });
            }
            Asked::Other(_) | Asked::Repeat(_) => {}
            Asked::Message(letter) => {
                // An unknown outcome is no refusal; whatever else is, is kept and tried again.
                if error.code != ErrorCode::Unknown.number() {
                    notebook.push(Event::Refused { key: letter.content.key, code: error.code });
                }
                desk.outbox.push_back(letter);
            }
        }
    }
}
