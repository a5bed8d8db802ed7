//! The core: rooms, who is in them, and the way of a message from a publish to everybody who is subscribed.
//!
//! Knows rooms, rights and positions. Knows no socket, no HTTP, no clock and no storage engine: sessions are keys,
//! time is handed in, and the log is behind the [`Journal`] trait.
//!
//! ```text
//! publish ─▶ admit ─▶ journal ─▶ fanout ─▶ inbox of each shard ─▶ audience ─▶ bytes for each subscriber
//! subscribe ─▶ room (acquire) ─▶ resume (what is missing) ─▶ audience (add)
//! ```

mod access;
mod admit;
mod audience;
mod config;
mod directory;
mod errand;
mod error;
mod fanout;
mod follow;
mod form;
mod inbox;
mod online;
mod outside;
mod presence;
mod push;
mod resume;
mod room;
mod sealed;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use konvert_protocol::{check_room, v1};

pub use admit::{Author, Submitted, Target};
pub use audience::{Audience, Framed};
pub use config::{BrokerConfig, RoomConfig};
pub use directory::{DIALOG_PREFIX, Directory, NoDirectory, is_dialog};
pub use errand::{Act, Declined, Errand};
pub use error::BrokerError;
pub use fanout::Fanout;
pub use follow::{Followed, Follower};
pub use form::Form;
pub use inbox::{AccessChange, Delivery, Inbox};
pub use online::Lease;
pub use outside::Stored;
pub use push::{Push, SessionKey};
pub use resume::{Budget, Start, Want};
pub use room::{Room, SHARDS_MAX};
pub use wire::{direction_in, message, mode, place, place_in, position};

use crate::auth::{Identity, Permission, Permissions};
use crate::journal::{
    Append, Bounds, Direction, Done, Entry, Health, Journal, Kind, Marker, Mode, Outcome, Page, ReadError, ReadRange,
    Record, RoomId, RoomInfo, Stats, Ticket,
};
use watch::Watchers;

/// The handle to the core.
#[derive(Clone)]
pub struct Broker {
    config: Arc<BrokerConfig>,
    journal: Arc<dyn Journal>,
    fanout: Arc<Fanout>,
    directory: Arc<dyn Directory>,
    watchers: Arc<Watchers>,
}

impl Broker {
    /// Over a journal whose sink is `fanout`.
    pub fn new(
        config: BrokerConfig,
        journal: Arc<dyn Journal>,
        fanout: Arc<Fanout>,
        directory: Arc<dyn Directory>,
    ) -> Self {
        Self { config: Arc::new(config), journal, fanout, directory, watchers: Arc::default() }
    }

    /// A room by its name, whoever asks.
    pub fn find(&self, name: &str) -> Option<RoomInfo> {
        self.journal.find(name)
    }

    /// The settings of rooms.
    pub fn config(&self) -> &BrokerConfig {
        &self.config
    }

    /// A room by its name on the wire, with what `who` may do there. Rooms that do not exist and rooms that one may
    /// know nothing of look the same, except to those who may create the room: for them it is `None`.
    pub fn room(&self, who: &Identity, name: &str) -> Result<(Option<RoomInfo>, Permissions), BrokerError> {
        check_room(name).map_err(|why| BrokerError::BadName("room name", why))?;
        let allow = self.allow(who, name).ok_or(BrokerError::Unreadable)?;
        let found = self.journal.find(name);
        let may_create = allow.contains(Permission::Create) && !name.starts_with(DIALOG_PREFIX);
        if allow.is_empty() || (found.is_none() && !may_create) {
            return Err(BrokerError::UnknownRoom);
        }
        if let Some(info) = &found
            && info.mode == Mode::ServerReadable
            && who.grants.e2ee(name)
        {
            return Err(BrokerError::ModeMismatch);
        }
        Ok((found, allow))
    }

    /// Creates a room, or finds it.
    pub async fn ensure(&self, name: &str, e2ee: bool) -> Result<RoomInfo, BrokerError> {
        if let Some(info) = self.journal.find(name) {
            return Ok(info);
        }
        if self.journal.stats().rooms >= self.config.rooms_max as u64 {
            return Err(BrokerError::Overloaded);
        }
        let (ticket, outcome) = self.fanout.expect();
        if let Err(refusal) = self.journal.submit(creation(name, e2ee), ticket) {
            self.fanout.forget(ticket);
            return Err(refusal.into());
        }
        match outcome.await {
            Ok(Outcome { result: Ok(Done::Room(info)), .. }) => Ok(info),
            Ok(Outcome { result: Err(refusal), .. }) => Err(refusal.into()),
            _ => Err(BrokerError::Unknown),
        }
    }

    /// Makes a shard interested in a room. From the return on every commit reaches the shard's inbox.
    pub fn acquire(&self, info: &RoomInfo, shard: u16) -> Arc<Room> {
        self.fanout.acquire(info, shard)
    }

    /// Gives back one [`Broker::acquire`].
    pub fn release(&self, room: &Arc<Room>, shard: u16) {
        self.fanout.release(room, shard);
    }

    /// What a subscriber gets first; call it after [`Broker::acquire`].
    pub fn start(&self, room: RoomId, want: Want, budget: Budget) -> Result<Start, BrokerError> {
        let mut start = resume::start(self.journal.as_ref(), room, want, budget)?;
        if let Start::Attached { records, .. } | Start::Page { records, .. } = &mut start {
            self.blank(records);
        }
        Ok(start)
    }

    /// Most of one page.
    pub fn page_budget(&self) -> Budget {
        Budget { count: self.config.history_page, bytes: self.config.history_page_bytes }
    }

    /// What of a history command is wanted of the journal.
    pub fn history_range(&self, bounds: &Bounds, command: &v1::History) -> Result<ReadRange, BrokerError> {
        let direction =
            direction_in(command.direction).ok_or(BrokerError::BadCommand("The direction is not one that exists."))?;
        let from = match (direction, command.from) {
            (Direction::Forward, 0) => bounds.first,
            (Direction::Backward, 0) => bounds.last,
            (Direction::Forward, from) if from < bounds.first => return Err(BrokerError::Trimmed(*bounds)),
            (_, from) => from,
        };
        let Budget { count, bytes } = self.page_budget();
        let limit = match command.limit {
            0 => count,
            limit => count.min(limit as usize),
        };
        Ok(ReadRange { from, direction, limit, bytes_max: bytes })
    }

    /// A page from memory; `None` when the disk is needed.
    pub fn recent(&self, room: RoomId, range: ReadRange) -> Option<Result<Page, BrokerError>> {
        Some(self.journal.recent(room, range)?.map_err(BrokerError::from).map(|page| self.blanked(page)))
    }

    /// A page from memory or disk. Blocks.
    pub fn read(&self, room: RoomId, range: ReadRange) -> Result<Page, BrokerError> {
        Ok(self.blanked(self.journal.read(room, range)?))
    }

    fn blanked(&self, mut page: Page) -> Page {
        self.blank(&mut page.records);
        page
    }

    /// Takes the names of those who deleted their account from what they said: records stay as they were stored, so that
    /// it is done whenever they are read.
    fn blank(&self, records: &mut [Arc<Record>]) {
        for record in records {
            if !record.sender_name.is_empty() && self.directory.is_deleted(&record.sender) {
                *record = Arc::new(Record { sender_name: "".into(), ..Record::clone(record) });
            }
        }
    }

    /// Where a room stands.
    pub fn bounds(&self, room: RoomId) -> Result<Bounds, BrokerError> {
        self.journal.bounds(room).ok_or(BrokerError::UnknownRoom)
    }

    /// A member's read marker.
    pub fn marker(&self, room: RoomId, user: &str) -> Marker {
        self.journal.marker(room, user)
    }

    /// Checks a publish and queues it.
    pub fn publish(
        &self,
        author: Author<'_>,
        info: &RoomInfo,
        publish: v1::Publish,
        target: &Target,
        now_ms: u64,
        ticket: Ticket,
    ) -> Result<Submitted, BrokerError> {
        let Author { identity, allow } = author;
        if !allow.contains(Permission::Publish) {
            return Err(BrokerError::NotAllowed("publish"));
        }
        let admitted = admit::form(&publish, info.mode, self.config.payload_bytes)?;
        if let Some(relation) = admitted.relation {
            match self.target(info.id, relation.offset, target)? {
                Target::NotRead => return Ok(Submitted::NeedsTarget(relation.offset)),
                Target::Record(record) => {
                    admit::target(relation, &record, &identity.user, allow.contains(Permission::Moderate))?;
                }
                // The journal decides, because it knows whether this is a retry.
                Target::Gone => {}
            }
        }
        let append = Append {
            room: info.id,
            sender: identity.user.clone(),
            sender_name: self.name(identity),
            message_id: publish.message_id.into(),
            kind: admitted.kind,
            relation: admitted.relation,
            // A copy, because the slice would hold on to the whole message that it came in.
            payload: Bytes::copy_from_slice(&publish.payload),
            extras: admitted.extras,
            expected: publish.expected.map(place_in),
            time_ms: now_ms,
        };
        self.journal.submit(Entry::Append(append), ticket)?;
        Ok(Submitted::Queued)
    }

    fn target(&self, room: RoomId, offset: u64, known: &Target) -> Result<Target, BrokerError> {
        if !matches!(known, Target::NotRead) {
            return Ok(known.clone());
        }
        let bounds = self.bounds(room)?;
        if !(bounds.first..=bounds.last).contains(&offset) {
            return Ok(Target::Gone);
        }
        match self.journal.recent(room, single(offset)) {
            None => Ok(Target::NotRead),
            Some(page) => as_target(page, offset),
        }
    }

    /// The message that a publish relates to, from disk. Blocks.
    pub fn read_target(&self, room: RoomId, offset: u64) -> Result<Target, BrokerError> {
        as_target(self.journal.read(room, single(offset)), offset)
    }

    /// Queues the move of a read marker.
    pub fn mark(&self, room: RoomId, user: &Arc<str>, offset: u64, ticket: Ticket) -> Result<(), BrokerError> {
        Ok(self.journal.submit(Entry::Mark { room, user: user.clone(), offset }, ticket)?)
    }

    /// Gives a signal to everybody in the room but the session it comes from.
    pub fn signal(&self, from: SessionKey, who: &Identity, room: &Room, payload: Bytes) -> Result<(), BrokerError> {
        if payload.len() > self.config.signal_bytes {
            return Err(BrokerError::PayloadTooLarge(self.config.signal_bytes));
        }
        if crate::sabotage::is("store_signals") {
            self.store_signal(who, room, &payload);
        }
        let push = Push::signal(
            room.info.id,
            room.info.name.clone(),
            who.user.clone(),
            Bytes::copy_from_slice(&payload),
            from,
        );
        self.fanout.cast(room, &push);
        Ok(())
    }

    /// A fault: a signal in the log.
    fn store_signal(&self, who: &Identity, room: &Room, payload: &Bytes) {
        let append = Append {
            room: room.info.id,
            sender: who.user.clone(),
            sender_name: who.name.clone(),
            message_id: "signal".into(),
            kind: Kind::Service,
            relation: None,
            payload: payload.clone(),
            extras: None,
            expected: None,
            time_ms: 0,
        };
        // Nobody waits for the outcome.
        let _ = self.journal.submit(Entry::Append(append), self.fanout.expect().0);
    }

    /// Tells everybody in a room something.
    pub fn announce(&self, room: &RoomInfo, body: impl Into<v1::server_frame::Body>) {
        if let Some(room) = self.fanout.live(room.id) {
            self.fanout.cast(&room, &Push::notice(room.info.id, room.info.name.clone(), body));
        }
    }

    /// A session becomes present in a room that it has acquired.
    pub fn join(&self, room: &Arc<Room>, who: &Identity) {
        // Asked for under the lock: of a rename either this knows, or it finds the user here.
        let mut presence = room.presence.lock();
        presence.join(&who.user, &self.name(who));
        drop(presence);
        self.fanout.unsettle(room);
    }

    /// A session is present no more: at once after a goodbye, a little later if its connection broke.
    pub fn leave(&self, room: &Arc<Room>, who: &Identity, now_ms: u64, clean: bool) {
        let until_ms = if clean { now_ms } else { now_ms + self.config.presence_linger_ms };
        room.presence.lock().leave(&who.user, now_ms, until_ms);
        self.fanout.unsettle(room);
    }

    /// Changes what others see of a user who is present.
    pub fn update_presence(&self, room: &Arc<Room>, who: &Identity, state: Bytes) -> Result<(), BrokerError> {
        const STATE_BYTES_MAX: usize = 256;
        if state.len() > STATE_BYTES_MAX {
            return Err(BrokerError::PayloadTooLarge(STATE_BYTES_MAX));
        }
        if !room.presence.lock().update(&who.user, Bytes::copy_from_slice(&state)) {
            return Err(BrokerError::NotSubscribed);
        }
        self.fanout.unsettle(room);
        Ok(())
    }

    /// Who is in a room.
    pub fn presence(&self, info: &RoomInfo, users: &[String]) -> v1::PresenceState {
        match self.fanout.live(info.id) {
            Some(room) => room.presence.lock().snapshot(&info.name, users, self.config.presence_list_max),
            None => v1::PresenceState { room: info.name.to_string(), ..Default::default() },
        }
    }

    /// Tells the changes of presence that have gathered, and who has left for good; call it every `presence_tick_ms`.
    /// `now_ms` is steady, `wall_ms` the same moment since 1970.
    pub fn presence_tick(&self, now_ms: u64, wall_ms: u64) {
        self.sweep(now_ms, wall_ms);
        let BrokerConfig { presence_tick_ms, presence_list_max, .. } = *self.config;
        self.fanout.settle(|room| {
            let name = &room.info.name;
            let diff = room.presence.lock().diff(name, now_ms, presence_tick_ms, presence_list_max)?;
            Some(Push::presence(room.info.id, name.clone(), diff))
        });
    }

    /// What an operator should know of the journal.
    pub fn health(&self) -> Health {
        self.journal.health()
    }

    /// The journal's counters.
    pub fn stats(&self) -> Stats {
        self.journal.stats()
    }
}

fn creation(name: &str, e2ee: bool) -> Entry {
    Entry::Create { name: name.into(), mode: if e2ee { Mode::E2ee } else { Mode::ServerReadable } }
}

fn single(offset: u64) -> ReadRange {
    ReadRange { from: offset, direction: Direction::Forward, limit: 1, bytes_max: usize::MAX }
}

fn as_target(page: Result<Page, ReadError>, offset: u64) -> Result<Target, BrokerError> {
    match page {
        Ok(page) => Ok(match page.records.into_iter().next() {
            Some(record) if record.offset == offset => Target::Record(record),
            _ => Target::Gone,
        }),
        Err(ReadError::Trimmed(_)) => Ok(Target::Gone),
        Err(error) => Err(error.into()),
    }
}
