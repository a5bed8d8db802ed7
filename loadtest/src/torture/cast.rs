//! The writers and readers of a run together: on stage, paused, drained, and what they leave behind as evidence.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use konvert_protocol::v1;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Phase;
use super::history::{Event, History, Notebook, RoomListing};
use super::reader::{Reader, list_room, list_rooms};
use super::verdict::{Verdict, judge};
use super::writer::{Habits, Writer};
use crate::client::Target;
use crate::error::{Error, Result};

/// Everybody must be attached within this.
const ENTER_TIMEOUT: Duration = Duration::from_secs(60);
/// Writers must have their outcomes within this.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Readers that have not got everything and got nothing for this long are not going to.
const SETTLE_SILENCE: Duration = Duration::from_secs(10);
/// A check reads this many messages again that were read before: what was stored must not change.
const OVERLAP: u64 = 5;
const POLL: Duration = Duration::from_millis(5);

/// How many of whom.
#[derive(Debug, Clone, Copy)]
pub struct Company {
    /// Writers.
    pub writers: u32,
    /// Readers; the first is steady, the others lose their connections at random.
    pub readers: u32,
    /// What writers are like.
    pub habits: Habits,
}

/// Writers and readers at work.
pub struct Cast {
    /// Where everything is written down.
    pub notebook: Rc<RefCell<Notebook>>,
    target: Target,
    rooms: u32,
    readers: u32,
    phase: watch::Sender<Phase>,
    writers: JoinSet<()>,
    followers: JoinSet<()>,
    positions: Vec<Rc<RefCell<Vec<Option<v1::Position>>>>>,
    disconnects: Rc<RefCell<u64>>,
    /// What was read of each room so far.
    listings: Vec<RoomListing>,
}

impl Cast {
    /// Readers attach to every room, then writers begin.
    pub async fn enter(target: &Target, company: Company, dice: &mut SmallRng) -> Result<Self> {
        let rooms = company.habits.rooms;
        let mut cast = Self {
            notebook: Rc::default(),
            target: target.clone(),
            rooms,
            readers: company.readers,
            phase: watch::Sender::new(Phase::Writing),
            writers: JoinSet::new(),
            followers: JoinSet::new(),
            positions: Vec::new(),
            disconnects: Rc::default(),
            listings: vec![RoomListing::default(); rooms as usize],
        };
        for number in 0..company.readers {
            cast.add_reader(number, dice);
        }
        let begun = Instant::now();
        while !cast.positions.iter().all(|rooms| rooms.borrow().iter().all(Option::is_some)) {
            if begun.elapsed() > ENTER_TIMEOUT {
                return Err(Error::Timeout("all readers to attach"));
            }
            sleep(POLL).await;
        }
        for number in 0..company.writers {
            let writer = Writer {
                number,
                target: cast.target.clone(),
                habits: company.habits,
                notebook: Rc::clone(&cast.notebook),
                phase: cast.phase.subscribe(),
                dice: SmallRng::seed_from_u64(dice.random()),
            };
            cast.writers.spawn_local(writer.run());
        }
        Ok(cast)
    }

    fn add_reader(&mut self, number: u32, dice: &mut SmallRng) {
        let positions = Rc::new(RefCell::new(vec![None; self.rooms as usize]));
        self.positions.push(Rc::clone(&positions));
        let reader = Reader {
            number,
            target: self.target.clone(),
            rooms: self.rooms,
            restless: number > 0,
            notebook: Rc::clone(&self.notebook),
            phase: self.phase.subscribe(),
            disconnects: Rc::clone(&self.disconnects),
            dice: SmallRng::seed_from_u64(dice.random()),
            positions,
        };
        self.followers.spawn_local(reader.run());
    }

    /// Acks so far.
    pub fn acks(&self) -> u64 {
        self.notebook.borrow().acks
    }

    /// Connections that readers lost on purpose so far.
    pub fn disconnects(&self) -> u64 {
        *self.disconnects.borrow()
    }

    /// Waits until there are `acks` in all; false when that takes longer than `limit`.
    pub async fn wait_acks(&self, acks: u64, limit: Duration) -> bool {
        let begun = Instant::now();
        while self.acks() < acks {
            if begun.elapsed() > limit {
                return false;
            }
            sleep(POLL).await;
        }
        true
    }

    /// Writes down that the server is hurt now, and keeps writers from connecting again until [`Cast::go_on`].
    pub fn fault(&self) {
        self.notebook.borrow_mut().push(Event::Fault);
        self.phase.send_replace(Phase::Paused);
    }

    /// Writers write again.
    pub fn go_on(&self) {
        self.phase.send_replace(Phase::Writing);
    }

    /// Judges what is there now. Only while no writer writes.
    pub async fn check(&mut self) -> Result<Verdict> {
        let session = self.target.connect(201, "checker", Vec::new()).await?;
        for room in 0..self.rooms {
            let known = &self.listings[room as usize];
            let from = (known.stored.last().map_or(1, |last| last.offset + 1)).saturating_sub(OVERLAP).max(1);
            let news = list_room(&session.connection, room, from).await?;
            self.merge(room, from, news);
        }
        let mut notebook = self.notebook.borrow_mut();
        notebook.history.readers = self.readers;
        notebook.history.rooms = self.listings.clone();
        Ok(judge(&notebook.history))
    }

    /// Adds what was read from offset `from` on; what was there before must be there again.
    fn merge(&mut self, room: u32, from: u64, news: RoomListing) {
        let listing = &mut self.listings[room as usize];
        let keep = listing.stored.iter().position(|stored| stored.offset >= from).unwrap_or(listing.stored.len());
        let again = &listing.stored[keep..];
        if news.stored.len() < again.len() || news.stored[..again.len()] != *again {
            self.notebook.borrow_mut().push(Event::ListedOtherwise { room });
        }
        listing.stored.truncate(keep);
        listing.stored.extend_from_slice(&news.stored);
        (listing.epoch, listing.first_offset) = (news.epoch, news.first_offset);
        listing.last_offset = news.last_offset;
    }

    /// Lets writers get their outcomes and readers everything, reads all rooms twice, and hands over the evidence.
    pub async fn leave(mut self) -> Result<History> {
        self.phase.send_replace(Phase::Draining);
        let drained = async { while self.writers.join_next().await.is_some() {} };
        if tokio::time::timeout(SETTLE_TIMEOUT, drained).await.is_err() {
            return Err(Error::Timeout("outcomes of all messages"));
        }
        let rooms = list_rooms(&self.target, "lister-1", self.rooms).await?;
        self.settle(&rooms).await;
        let again = list_rooms(&self.target, "lister-2", self.rooms).await?;
        self.phase.send_replace(Phase::Over);
        while self.followers.join_next().await.is_some() {}
        let mut history = std::mem::take(&mut self.notebook.borrow_mut().history);
        for (room, (one, other)) in (0..).zip(rooms.iter().zip(&again)) {
            if one != other {
                history.events.push(Event::ListedOtherwise { room });
            }
        }
        history.readers = self.readers;
        history.rooms = rooms;
        history.settled = true;
        Ok(history)
    }

    /// Waits until readers have everything, as long as anything still comes.
    async fn settle(&self, rooms: &[RoomListing]) {
        let (mut events, mut last_event) = (0, Instant::now());
        while !self.caught_up(rooms) && last_event.elapsed() < SETTLE_SILENCE {
            let now = self.notebook.borrow().history.events.len();
            if now != events {
                (events, last_event) = (now, Instant::now());
            }
            sleep(POLL).await;
        }
    }

    fn caught_up(&self, rooms: &[RoomListing]) -> bool {
        let has_all = |(position, listing): (&Option<v1::Position>, &RoomListing)| {
            position.is_some_and(|position| position.offset >= listing.last_offset)
        };
        self.positions.iter().all(|positions| positions.borrow().iter().zip(rooms).all(has_all))
    }
}
