//! A reader: follows every room, loses its connection at random, and resumes from the last position it has. What it
//! gets goes into the history in the order it comes; whether that is right, the verdict says.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use konvert_protocol::ErrorCode;
use konvert_protocol::v1::{self, server_frame};
use rand::Rng;
use rand::rngs::SmallRng;
use tokio::sync::watch;

use super::history::{Event, Notebook, RoomListing, State, Stored};
use super::{Phase, message, room_name};
use crate::client::{Connection, Target};
use crate::error::{Error, Result};

/// Pause before trying to connect again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// A connection lives at least and at most this long when it is to be lost at random, milliseconds.
const LIFETIME_MS: std::ops::Range<u64> = 20..600;

/// One reader.
pub struct Reader {
    /// Its number.
    pub number: u32,
    /// Where to connect.
    pub target: Target,
    /// Rooms.
    pub rooms: u32,
    /// Whether it loses its connection by itself, or only with the server.
    pub restless: bool,
    /// Where everything is written down.
    pub notebook: Rc<RefCell<Notebook>>,
    /// What it should do.
    pub phase: watch::Receiver<Phase>,
    /// Connections lost on purpose, all readers together.
    pub disconnects: Rc<RefCell<u64>>,
    /// Its dice.
    pub dice: SmallRng,
    /// The last position in each room; `None` before the first answer.
    pub positions: Rc<RefCell<Vec<Option<v1::Position>>>>,
}

impl Reader {
    /// Reads until told that it is over.
    pub async fn run(mut self) {
        loop {
            let mut phase = self.phase.clone();
            let lifetime = self.restless.then(|| Duration::from_millis(self.dice.random_range(LIFETIME_MS)));
            let resting = self.phase.clone();
            tokio::select! {
                _ = self.follow() => tokio::time::sleep(RECONNECT_PAUSE).await,
                () = lost_after(lifetime, resting, Rc::clone(&self.positions)) => *self.disconnects.borrow_mut() += 1,
                _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
            }
        }
    }

    /// One connection's reading; ends with the connection.
    async fn follow(&self) -> Result<()> {
        let rooms = (0..self.rooms).map(|room| self.subscription(room)).collect();
        let user = format!("reader-{}", self.number);
        let session = self.target.connect(100 + self.number as usize, &user, rooms).await?;
        for (room, answer) in (0..).zip(&session.connected.rooms) {
            match &answer.error {
                Some(error) if !error.temporary => self.resume_refused(room, error)?,
                Some(_) => self.catch_up(&session.connection, room, true).await?,
                None => {
                    let more = self.take_page(room, answer);
                    self.catch_up(&session.connection, room, more).await?;
                }
            }
        }
        loop {
            let frame = session.connection.next().await?;
            if let Some(server_frame::Body::Message(message)) = frame.body {
                let room = room_number(&message.room)?;
                self.got(room, &message);
            }
        }
    }

    fn subscription(&self, room: u32) -> v1::Subscribe {
        // From the very beginning: the place before the first message, whatever the epoch turns out to be.
        let since = self.positions.borrow()[room as usize];
        v1::Subscribe { room: room_name(room), since, last: 0, presence: false }
    }

    /// Asks for page after page until attached; `more` tells whether the last one was not the end.
    async fn catch_up(&self, connection: &Connection, room: u32, mut more: bool) -> Result<()> {
        while more {
            match connection.call(self.subscription(room)).await {
                Ok(server_frame::Body::Subscribed(page)) => more = self.take_page(room, &page),
                Ok(other) => return Err(Error::Protocol(format!("subscribe answered with {other:?}"))),
                Err(Error::Refused(error)) if error.temporary => {
                    tokio::time::sleep(Duration::from_millis(u64::from(error.retry_after_ms.max(10)))).await;
                }
                Err(Error::Refused(error)) => return self.resume_refused(room, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the messages of a page; true when there is more.
    fn take_page(&self, room: u32, page: &v1::Subscribed) -> bool {
        let known = self.positions.borrow()[room as usize].is_some();
        let position = page.position.unwrap_or_default();
        if !known {
            // The first answer tells the epoch; what was there before is asked for from the beginning.
            self.positions.borrow_mut()[room as usize] = Some(v1::Position { epoch: position.epoch, offset: 0 });
            return position.offset > 0;
        }
        page.messages.iter().for_each(|message| self.got(room, message));
        page.more
    }

    fn got(&self, room: u32, message: &v1::Message) {
        let content = message::read(&message.sender, &message.message_id, &message.payload);
        let event = Event::Delivered { reader: self.number, room, offset: message.offset, content };
        self.notebook.borrow_mut().push(event);
        if let Some(position) = &mut self.positions.borrow_mut()[room as usize] {
            position.offset = message.offset;
        }
    }

    fn resume_refused(&self, room: u32, error: &v1::Error) -> Result<()> {
        if error.code != ErrorCode::Damaged.number() {
            let event = Event::ResumeRefused { reader: self.number, room, code: error.code };
            self.notebook.borrow_mut().push(event);
        }
        Err(Error::Refused(error.clone()))
    }
}

/// Ends `lifetime` after everything was attached once, while there is writing; without a lifetime it never ends.
async fn lost_after(
    lifetime: Option<Duration>,
    mut phase: watch::Receiver<Phase>,
    positions: Rc<RefCell<Vec<Option<v1::Position>>>>,
) {
    let Some(lifetime) = lifetime else { return std::future::pending().await };
    while !positions.borrow().iter().all(Option::is_some) {
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
    tokio::time::sleep(lifetime).await;
    if phase.wait_for(|phase| *phase == Phase::Writing).await.is_err() {
        std::future::pending().await
    }
}

fn room_number(name: &str) -> Result<u32> {
    let number = name.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    number.ok_or_else(|| Error::Protocol(format!("a message of room {name:?}, to which nobody subscribed")))
}

/// Reads a room's stored messages from the `from`-th on, page by page; damage that the server reports is stepped over
/// message by message.
pub async fn list_room(connection: &Connection, room: u32, from: u64) -> Result<RoomListing> {
    let mut listing = RoomListing::default();
    let (mut next, mut limit) = (from, 0);
    loop {
        let history = v1::History { room: room_name(room), from: next, limit, ..Default::default() };
        match connection.call(history).await {
            Ok(server_frame::Body::History(page)) => {
                let end = add_page(&mut listing, &page);
                if !page.more || end.is_none() {
                    return Ok(listing);
                }
                (next, limit) = (end.unwrap_or(next), 0);
            }
            Ok(other) => return Err(Error::Protocol(format!("history answered with {other:?}"))),
            Err(Error::Refused(error)) if error.code == ErrorCode::UnknownRoom.number() => return Ok(listing),
            Err(Error::Refused(error)) if error.code == ErrorCode::Damaged.number() && limit == 1 => {
                listing.stored.push(Stored { offset: next, state: State::ReportedDamaged });
                next += 1;
                listing.last_offset = last_offset(connection, room).await?;
                if next > listing.last_offset {
                    return Ok(listing);
                }
            }
            Err(Error::Refused(error)) if error.code == ErrorCode::Damaged.number() => limit = 1,
            Err(error) => return Err(error),
        }
    }
}

/// Adds a page to the listing; the offset behind it, unless it is empty.
fn add_page(listing: &mut RoomListing, page: &v1::HistoryPage) -> Option<u64> {
    let position = page.position.unwrap_or_default();
    (listing.epoch, listing.first_offset, listing.last_offset) = (position.epoch, page.first_offset, position.offset);
    for message in &page.messages {
        let content = message::read(&message.sender, &message.message_id, &message.payload);
        let state = content.map_or(State::Foreign, State::Whole);
        listing.stored.push(Stored { offset: message.offset, state });
    }
    page.messages.last().map(|message| message.offset + 1)
}

/// Where a room ends, when its history cannot be read: every answer to subscribe tells.
async fn last_offset(connection: &Connection, room: u32) -> Result<u64> {
    match connection.call(v1::Subscribe { room: room_name(room), ..Default::default() }).await? {
        server_frame::Body::Subscribed(answer) => Ok(answer.position.unwrap_or_default().offset),
        other => Err(Error::Protocol(format!("subscribe answered with {other:?}"))),
    }
}

/// Reads what is stored in all `rooms`.
pub async fn list_rooms(target: &Target, user: &str, rooms: u32) -> Result<Vec<RoomListing>> {
    let session = target.connect(200, user, Vec::new()).await?;
    let mut listings = Vec::new();
    for room in 0..rooms {
        listings.push(list_room(&session.connection, room, 1).await?);
    }
    Ok(listings)
}
