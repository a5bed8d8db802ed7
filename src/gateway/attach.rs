//! How a session comes into a room and out of it: subscribe, the rooms named at connect, history. What memory does not
//! hold is read from disk on another thread, and the command goes on when the page is there.

use std::sync::Arc;

use konvert_protocol::v1;
use konvert_protocol::v1::client_frame::Body as Command;
use konvert_protocol::v1::server_frame::Body as Reply;

use super::dispatch::{Answer, Caller, known};
use super::session::Subscription;
use super::shard::Shard;
use crate::auth::{Permission, Permissions};
use crate::broker::{self, BrokerError, Budget, Start, Want};
use crate::journal::{Bounds, Direction, Page, Position, ReadRange, Record, RoomId, RoomInfo};

/// A subscribe whose rights are checked.
#[derive(Debug, Clone)]
struct Entry {
    info: RoomInfo,
    allow: Permissions,
    presence: bool,
    want: Want,
}

/// How far an entry came.
enum Progress {
    /// Attached, or a page with more to come.
    Answered(Box<v1::Subscribed>),
    /// This must be read first.
    Disk(ReadRange),
    /// The reply is long enough without it.
    Spent,
}

/// What is told of a room that could not be found in memory: it exists as soon as it was created.
enum Found {
    Entry(Box<Entry>),
    Missing,
}

impl Shard {
    /// The rooms named at connect: created if need be, entered in their order, answered in one reply.
    pub(super) fn enter_rooms(&mut self, caller: Caller, rooms: Vec<v1::Subscribe>, token: String) {
        let shared = self.shared.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return };
        let identity = session.identity.clone();
        let missing: Vec<_> = rooms
            .iter()
            .filter(|command| matches!(shared.broker.room(&identity, &command.room), Ok((None, _))))
            .map(|command| (command.room.clone(), identity.grants.e2ee(&command.room)))
            .collect();
        let loads: Vec<_> = rooms
            .iter()
            .filter(|command| shared.broker.must_load(&identity, &command.room))
            .map(|command| shared.broker.directory().load(&command.room))
            .collect();
        if missing.is_empty() && loads.is_empty() {
            return self.finish_connect(caller, rooms, token);
        }
        let me = self.me.clone();
        tokio::task::spawn_local(async move {
            futures_util::future::join_all(loads).await;
            for (name, e2ee) in missing {
                // A failure shows as an unknown room in the answer.
                let _ = shared.broker.ensure(&name, e2ee).await;
            }
            let Some(shard) = me.upgrade() else { return };
            let mut shard = shard.borrow_mut();
            shard.finish_connect(caller, rooms, token);
            shard.flush();
        });
    }

    fn finish_connect(&mut self, caller: Caller, rooms: Vec<v1::Subscribe>, token: String) {
        let shared = self.shared.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return };
        let identity = session.identity.clone();
        let key = self.key(caller.slot, caller.generation);
        // All rooms share one budget, so that the reply to many is not longer than that to one.
        let mut budget = shared.broker.page_budget();
        let answers = rooms.into_iter().map(|command| self.enter_one(caller, command, &mut budget)).collect();
        let (config, rules) = (&shared.config, shared.broker.config());
        let connected = v1::Connected {
            session: format!("{}-{}-{}", key.shard, key.slot, key.generation),
            user: identity.user.to_string(),
            name: shared.broker.name(&identity).to_string(),
            time_ms: self.clock.now_ms(),
            heartbeat_ms: config.heartbeat_ms as u32,
            token_expires_ms: identity.expires_ms,
            token,
            limits: Some(v1::Limits {
                payload_bytes: rules.payload_bytes as u32,
                message_bytes: config.message_bytes as u32,
                frames_per_message: config.frames_per_message as u32,
                rooms_per_connection: config.rooms_per_connection as u32,
                publishes_per_second: config.publishes_per_second,
                signal_bytes: rules.signal_bytes as u32,
                history_page: rules.history_page as u32,
                signals_per_second: config.signals_per_second,
            }),
            rooms: answers,
        };
        self.answer(caller, Ok(Some(connected.into())));
    }

    fn enter_one(&mut self, caller: Caller, command: v1::Subscribe, budget: &mut Budget) -> v1::Subscribed {
        let room = command.room.clone();
        let refused = |error: BrokerError| v1::Subscribed { room, error: Some(error.into()), ..Default::default() };
        let entry = match self.check_entry(caller, command) {
            Ok(Found::Entry(entry)) => entry,
            Ok(Found::Missing) => return refused(BrokerError::UnknownRoom),
            Err(error) => return refused(error),
        };
        let progress = match budget.bytes {
            0 => Ok(Progress::Spent),
            _ => self.enter(caller, &entry, *budget, Vec::new()),
        };
        match progress {
            Ok(Progress::Answered(subscribed)) => {
                budget.bytes = budget.bytes.saturating_sub(cost(&subscribed));
                *subscribed
            }
            // Too much for one reply, or too old for memory: the client asks for the pages one by one.
            Ok(Progress::Disk(_) | Progress::Spent) => match self.shared.broker.bounds(entry.info.id) {
                Ok(bounds) => self.subscribed(caller, &entry, &bounds, &[], true),
                Err(error) => refused(error),
            },
            Err(error) => refused(error),
        }
    }

    pub(super) fn subscribe(&mut self, caller: Caller, command: v1::Subscribe) -> Answer {
        let again = command.clone();
        let entry = match self.check_entry(caller, command)? {
            Found::Entry(entry) => *entry,
            Found::Missing => return self.create_then(caller, again.room.clone(), Command::Subscribe(again)),
        };
        let budget = self.shared.broker.page_budget();
        match self.enter(caller, &entry, budget, Vec::new())? {
            Progress::Answered(subscribed) => Ok(Some((*subscribed).into())),
            Progress::Disk(range) => {
                let room = entry.info.id;
                self.read_then(caller, room, range, move |shard, page| {
                    // Rights may have changed while the disk was read.
                    let Found::Entry(entry) = shard.check_entry(caller, again)? else {
                        return Err(BrokerError::UnknownRoom.into());
                    };
                    let last = page.records.last().map_or(range.from - 1, |record| record.offset);
                    let want = Want::Since(Position { epoch: page.bounds.epoch, offset: last });
                    let entry = Entry { want, ..*entry };
                    match shard.enter(caller, &entry, budget, page.records.clone())? {
                        Progress::Answered(subscribed) => Ok(Some((*subscribed).into())),
                        Progress::Disk(_) | Progress::Spent => {
                            Ok(Some(shard.subscribed(caller, &entry, &page.bounds, &page.records, true).into()))
                        }
                    }
                })?;
                Ok(None)
            }
            Progress::Spent => Ok(None),
        }
    }

    fn check_entry(&mut self, caller: Caller, command: v1::Subscribe) -> Result<Found, BrokerError> {
        let shared = self.shared.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return Err(BrokerError::UnknownRoom) };
        let (info, allow) = shared.broker.room(&session.identity, &command.room)?;
        let want = match (command.since, command.last) {
            (Some(_), last) if last > 0 => return Err(BrokerError::BadCommand("Use one of `since` and `last`.")),
            (Some(since), _) => Want::Since(broker::place_in(since)),
            (None, 0) => Want::Now,
            (None, last) => Want::Last(last.into()),
        };
        if !allow.contains(Permission::Read) {
            return Err(BrokerError::NotAllowed(Permission::Read.name()));
        }
        if command.presence && !allow.contains(Permission::Presence) {
            return Err(BrokerError::NotAllowed(Permission::Presence.name()));
        }
        let Some(info) = info else { return Ok(Found::Missing) };
        let max = shared.config.rooms_per_connection;
        if session.subscriptions().len() >= max
            && session.subscription(info.id).is_none()
            && !crate::sabotage::is("no_limits")
        {
            return Err(BrokerError::TooManyRooms(max));
        }
        Ok(Found::Entry(Box::new(Entry { info, allow, presence: command.presence, want })))
    }

    /// The attach order: acquire, read what is missing, add. `before` was read from disk already.
    fn enter(
        &mut self,
        caller: Caller,
        entry: &Entry,
        budget: Budget,
        before: Vec<Arc<Record>>,
    ) -> Result<Progress, BrokerError> {
        // Coming again is coming anew.
        self.leave(caller, entry.info.id);
        let broker = self.shared.broker.clone();
        let room = broker.acquire(&entry.info, self.index);
        let start = broker.start(entry.info.id, entry.want, budget);
        let (records, bounds, next) = match start {
            Ok(Start::Attached { records, next, bounds }) => (records, bounds, Some(next)),
            Ok(Start::Page { records, bounds }) => (records, bounds, None),
            Ok(Start::Disk { range }) => {
                broker.release(&room, self.index);
                return Ok(Progress::Disk(range));
            }
            Err(error) => {
                broker.release(&room, self.index);
                return Err(error);
            }
        };
        let records = [before, records].concat();
        let Some(next) = next else {
            broker.release(&room, self.index);
            return Ok(Progress::Answered(Box::new(self.subscribed(caller, entry, &bounds, &records, true))));
        };
        let Some(connection) = self.get(caller.slot, caller.generation) else {
            broker.release(&room, self.index);
            return Err(BrokerError::NotSubscribed);
        };
        let form = connection.transport.form();
        let Some(session) = connection.session() else {
            broker.release(&room, self.index);
            return Err(BrokerError::NotSubscribed);
        };
        if entry.presence {
            broker.join(&room, &session.identity);
        }
        session.subscribe(Subscription { room: room.clone(), allow: entry.allow, presence: entry.presence });
        self.audience.add(&room, caller.slot, form, entry.presence, next);
        Ok(Progress::Answered(Box::new(self.subscribed(caller, entry, &bounds, &records, false))))
    }

    fn subscribed(
        &mut self,
        caller: Caller,
        entry: &Entry,
        bounds: &Bounds,
        records: &[Arc<Record>],
        more: bool,
    ) -> v1::Subscribed {
        let broker = self.shared.broker.clone();
        let info = &entry.info;
        let user = self.session(caller.slot, caller.generation).map(|session| session.identity.user.clone());
        let marker = user.map(|user| broker.marker(info.id, &user)).unwrap_or_default();
        v1::Subscribed {
            room: info.name.to_string(),
            position: Some(broker::position(bounds)),
            first_offset: bounds.first,
            messages: records.iter().map(|record| broker::message(record, String::new())).collect(),
            more,
            presence: (entry.presence && !more).then(|| broker.presence(info, &[])),
            read_offset: marker.offset,
            unread: bounds.ordinal.saturating_sub(marker.ordinal),
            mode: broker::mode(info.mode),
            error: None,
        }
    }

    pub(super) fn unsubscribe(&mut self, caller: Caller, command: v1::Unsubscribe) -> Answer {
        let shared = self.shared.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        let (info, _) = shared.broker.room(&session.identity, &command.room)?;
        let Some(info) = info.filter(|info| session.subscription(info.id).is_some()) else {
            return Err(BrokerError::NotSubscribed.into());
        };
        self.leave(caller, info.id);
        Ok(Some(v1::Unsubscribed { room: command.room }.into()))
    }

    pub(super) fn leave(&mut self, caller: Caller, room: RoomId) {
        let Some(session) = self.session(caller.slot, caller.generation) else { return };
        let Some(subscription) = session.unsubscribe(room) else { return };
        let identity = session.identity.clone();
        self.detach(caller.slot, &identity, &subscription, true);
    }

    /// The session may no longer be seen in a room, nor see who is.
    pub(super) fn hide(&mut self, caller: Caller, room: RoomId) {
        let (broker, now_ms) = (self.shared.broker.clone(), self.clock.steady_ms());
        let Some(session) = self.session(caller.slot, caller.generation) else { return };
        let Some(subscription) = session.unsubscribe(room) else { return };
        broker.leave(&subscription.room, &session.identity, now_ms, true);
        session.subscribe(Subscription { presence: false, ..subscription });
        self.audience.hide(room, caller.slot);
    }

    pub(super) fn history(&mut self, caller: Caller, command: v1::History) -> Answer {
        let broker = self.shared.broker.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        let info = known(&broker, &session.identity, &command.room, Permission::Read)?;
        let bounds = broker.bounds(info.id)?;
        let range = broker.history_range(&bounds, &command)?;
        let is_beyond = match range.direction {
            Direction::Forward => range.from > bounds.last,
            Direction::Backward => range.from < bounds.first,
        };
        if is_beyond {
            let page = Page { records: Vec::new(), bounds, more: false };
            return Ok(Some(history_page(&info, &page)));
        }
        match broker.recent(info.id, range) {
            Some(page) => Ok(Some(history_page(&info, &page?))),
            None => {
                self.read_then(caller, info.id, range, move |shard, page| {
                    // Rights may have changed while the disk was read.
                    if let Some(session) = shard.session(caller.slot, caller.generation) {
                        known(&broker, &session.identity, &info.name, Permission::Read)?;
                    }
                    Ok(Some(history_page(&info, &page)))
                })?;
                Ok(None)
            }
        }
    }
}

/// About what an answer takes in the reply, bytes: payloads, extras and a round figure for all that surrounds them.
fn cost(subscribed: &v1::Subscribed) -> usize {
    const AROUND: usize = 256;
    let extras = |message: &v1::Message| message.mentions.iter().chain(&message.blobs).map(String::len).sum::<usize>();
    let messages = subscribed.messages.iter().map(|message| message.payload.len() + extras(message) + AROUND);
    let members = subscribed.presence.iter().flat_map(|presence| &presence.members);
    AROUND / 4 + messages.sum::<usize>() + members.map(|member| member.state.len() + AROUND).sum::<usize>()
}

fn history_page(info: &RoomInfo, page: &Page) -> Reply {
    v1::HistoryPage {
        room: info.name.to_string(),
        position: Some(broker::position(&page.bounds)),
        first_offset: page.bounds.first,
        messages: page.records.iter().map(|record| broker::message(record, String::new())).collect(),
        more: page.more,
    }
    .into()
}
