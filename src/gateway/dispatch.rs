//! Frames in, commands to the core, replies out: what each verb does for a session.
//!
//! A verb is answered at once where memory is enough. Where the journal must store or the disk must be read, the
//! command waits in the shard, never the shard for it.

use std::sync::Arc;
use std::time::Instant;

use konvert_protocol::v1::client_frame::Body as Command;
use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{CloseCode, DecodeError, ErrorCode, v1};

use super::connection::{From, Stage};
use super::publishing::Publishing;
use super::session::{IN_FLIGHT_MAX, Session};
use super::shard::Shard;
use super::transport::Transport;
use crate::auth::{GuestError, Identity, Permission, TokenError};
use crate::broker::{self, BrokerError};
use crate::journal::{Done, Outcome, Refusal, RoomInfo, Ticket};

/// Commands refused for their pace beyond those accepted, after which the connection is closed.
const REFUSALS_MAX: u32 = 2_000;

/// A command that waits for the journal.
#[derive(Debug)]
pub struct Pending {
    slot: u32,
    generation: u32,
    id: u32,
    since: Instant,
    what: Awaited,
}

/// What the journal is to decide.
#[derive(Debug)]
pub(super) enum Awaited {
    /// A message of this user, which was taken from their quota.
    Message(Arc<str>),
    /// A read marker in this room.
    Marker(RoomInfo),
}

/// Whose command it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub slot: u32,
    pub generation: u32,
    /// The command's id.
    pub id: u32,
}

/// `None`: the answer follows.
pub(super) type Answer = Result<Option<Reply>, v1::Error>;

impl Shard {
    /// The frames of a whole message.
    pub(super) fn on_frames(
        &mut self,
        slot: u32,
        generation: u32,
        frames: impl Iterator<Item = Result<v1::ClientFrame, DecodeError>>,
    ) {
        for (count, frame) in frames.enumerate() {
            let Some(connection) = self.get(slot, generation).filter(|c| !c.is_closing()) else { return };
            let is_pending = matches!(connection.stage, Stage::Pending(_));
            if count == self.shared.config.frames_per_message && !crate::sabotage::is("no_limits") {
                let error = v1::Error::new(ErrorCode::TooManyFrames);
                return self.answer(Caller { slot, generation, id: 0 }, Err(error));
            }
            match frame {
                Ok(frame) if is_pending => self.on_first_frame(slot, generation, frame),
                Ok(frame) => self.on_frame(slot, generation, frame),
                Err(_) => return self.close(slot, generation, CloseCode::BadFrame),
            }
            self.relieve(slot, generation);
        }
    }

    fn on_frame(&mut self, slot: u32, generation: u32, frame: v1::ClientFrame) {
        self.tally.commands += 1;
        let caller = Caller { slot, generation, id: frame.id };
        let (rate, now_ms) = (self.shared.config.commands_per_second, self.clock.steady_ms());
        let Some(session) = self.session(slot, generation) else { return };
        if let Err(wait_ms) = session.commands.take(rate, now_ms)
            && !crate::sabotage::is("no_limits")
        {
            session.refusals += 1;
            if session.refusals > REFUSALS_MAX {
                return self.close(slot, generation, CloseCode::Flood);
            }
            return self.answer(caller, Err(BrokerError::RateLimited(wait_ms).into()));
        }
        session.refusals = session.refusals.saturating_sub(1);
        let Some(command) = frame.body else {
            return self.answer(caller, Err(v1::Error::new(ErrorCode::BadCommand)));
        };
        let may_be_silent = matches!(command, Command::Signal(_) | Command::Read(_) | Command::Ping(_));
        let answer = match frame.id {
            0 if !may_be_silent => Err(v1::Error::new(ErrorCode::IdRequired)),
            _ => match self.loaded(caller, command) {
                Ok(Some(command)) => self.on_command(caller, command),
                Ok(None) => Ok(None),
                Err(error) => Err(error.into()),
            },
        };
        self.answer(caller, answer);
    }

    pub(super) fn on_command(&mut self, caller: Caller, command: Command) -> Answer {
        match command {
            Command::Connect(_) => Err(v1::Error::new(ErrorCode::AlreadyConnected)),
            Command::Refresh(command) => self.refresh(caller, &command),
            Command::Subscribe(command) => self.subscribe(caller, command),
            Command::Unsubscribe(command) => self.unsubscribe(caller, command),
            Command::Publish(command) => self.publish(caller, command, Publishing::New),
            Command::Signal(command) => self.signal(caller, command),
            Command::History(command) => self.history(caller, command),
            Command::Presence(command) => self.presence(caller, &command),
            Command::PresenceUpdate(command) => self.update_presence(caller, command),
            Command::Read(command) => self.read(caller, &command),
            Command::Ping(_) => Ok(Some(v1::Pong {}.into())),
        }
    }

    /// Sends a reply or an error, unless the command asked for none or its answer follows.
    pub(super) fn answer(&mut self, caller: Caller, answer: Answer) {
        let body = match answer {
            Ok(None) => return,
            Ok(Some(reply)) => reply,
            Err(error) => {
                self.tally.refused(error.code);
                error.into()
            }
        };
        if caller.id != 0 || matches!(body, Reply::Error(_)) {
            let frame = v1::ServerFrame { id: caller.id, body: Some(body) };
            self.push(caller.slot, caller.generation, &frame);
        }
    }

    // ---- who it is ------------------------------------------------------------------------------------------------

    fn on_first_frame(&mut self, slot: u32, generation: u32, frame: v1::ClientFrame) {
        self.tally.commands += 1;
        let caller = Caller { slot, generation, id: frame.id };
        let result = match frame.body {
            Some(Command::Connect(_)) if frame.id == 0 => Err(v1::Error::new(ErrorCode::IdRequired)),
            Some(Command::Connect(command)) if command.rooms.len() > self.shared.config.rooms_per_connection => {
                Err(BrokerError::TooManyRooms(self.shared.config.rooms_per_connection).into())
            }
            Some(Command::Connect(command)) => {
                self.identify(caller, &command).map(|known| (known, command.changes, command.rooms))
            }
            _ => Err(v1::Error::new(ErrorCode::NotConnected)),
        };
        let ((token, identity), watches, rooms) = match result {
            Ok(known) => known,
            Err(error) => {
                self.answer(caller, Err(error));
                return self.close(slot, generation, CloseCode::NotAuthenticated);
            }
        };
        let Some(place) = self.shared.admission.enter(&identity.user) else {
            return self.close(slot, generation, CloseCode::TooManyConnections);
        };
        let lease = self.shared.broker.enter(&identity.user);
        let key = self.key(slot, generation);
        // What changes is told of dialogs, people and the account.
        let rooms_only = identity.rooms_only;
        let Some(connection) = self.get(slot, generation) else { return };
        let live = Stage::Live(Box::new(Session::new(identity, place, lease)));
        if let (Stage::Pending(pending), Transport::Poll(poll)) =
            (std::mem::replace(&mut connection.stage, live), &mut connection.transport)
        {
            // It costs whoever began it no connection, so its place is kept until a second request shows the pass.
            poll.unproven = Some(pending);
        }
        if let Some(introduction) = connection.transport.introduction(key) {
            // Not marked as something new, so that it is written together with the answer to connect.
            connection.outbox.push(introduction, 1);
        }
        if watches && !rooms_only {
            self.watch(caller);
        }
        self.enter_rooms(caller, rooms, token);
    }

    /// The identity, and the token of one who is new.
    fn identify(&mut self, caller: Caller, command: &v1::Connect) -> Result<(String, Identity), v1::Error> {
        let now_ms = self.clock.now_ms();
        let from = self.get(caller.slot, caller.generation).map(|connection| connection.from);
        if !command.token.is_empty() {
            return Ok((String::new(), self.verify(&command.token, from)?));
        }
        // A page always names its origin, and the origin was checked; whatever else connects needs a token.
        if !from.is_some_and(|from| from.has_origin) {
            return Err(v1::Error::because(
                ErrorCode::GuestsNotAllowed,
                "A token is needed: guests come from pages, which name their origin.",
            ));
        }
        self.take_try(from)?;
        self.shared.auth.guest(&command.name, now_ms).map_err(|error| match error {
            GuestError::NotAllowed => v1::Error::new(ErrorCode::GuestsNotAllowed),
            GuestError::BadName => v1::Error::because(
                ErrorCode::BadName,
                "A guest's name has 1 to 64 bytes, not only spaces, and no control characters.",
            ),
        })
    }

    /// Whom a token names. Whoever tries tokens is slowed down as in requests, and those who have a good one are not.
    fn verify(&self, token: &str, from: Option<From>) -> Result<Identity, v1::Error> {
        let verified = self.shared.auth.verify(token, self.clock.now_ms()).map_err(|error| match error {
            TokenError::Expired => v1::Error::new(ErrorCode::TokenExpired),
            TokenError::Bad(_) => v1::Error::because(ErrorCode::BadToken, error.to_string()),
        });
        let refused = match verified {
            Ok(identity) => match self.shared.broker.directory().refusal(&identity) {
                Some(code) => v1::Error::new(code),
                None => return Ok(identity),
            },
            Err(error) => error,
        };
        self.take_try(from)?;
        Err(refused)
    }

    fn take_try(&self, from: Option<From>) -> Result<(), BrokerError> {
        let directory = self.shared.broker.directory();
        let taken = from.map_or(Ok(()), |from| directory.take_try(from.address));
        taken.map_err(BrokerError::RateLimited)
    }

    fn refresh(&mut self, caller: Caller, command: &v1::Refresh) -> Answer {
        let from = self.get(caller.slot, caller.generation).map(|connection| connection.from);
        let identity = self.verify(&command.token, from)?;
        let token_expires_ms = identity.expires_ms;
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        if session.identity.user != identity.user {
            return Err(v1::Error::new(ErrorCode::OtherUser));
        }
        session.identity = identity;
        session.warned = false;
        let identity = session.identity.clone();
        let hears_no_more = identity.rooms_only && std::mem::take(&mut session.watches);
        let rooms: Vec<_> = session.subscriptions().iter().map(|s| (s.room.info.clone(), s.allow)).collect();
        for (info, before) in rooms {
            if self.shared.broker.allow(&identity, &info.name) != Some(before) {
                self.follow_rights(caller, &identity, &info);
            }
        }
        if hears_no_more {
            self.unwatch(caller.slot, &identity.user);
        }
        Ok(Some(v1::Refreshed { token_expires_ms }.into()))
    }

    // ---- saying something -----------------------------------------------------------------------------------------

    /// The ticket of the next command that will wait for the journal.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket { owner: self.index.into(), command: self.pending.vacant_key() as u32 }
    }

    pub(super) fn await_outcome(&mut self, caller: Caller, what: Awaited) {
        let Caller { slot, generation, id } = caller;
        self.pending.insert(Pending { slot, generation, id, since: Instant::now(), what });
    }

    /// The journal has decided.
    pub(super) fn on_outcome(&mut self, outcome: Outcome) {
        let Some(pending) = self.pending.try_remove(outcome.ticket.command as usize) else { return };
        let caller = Caller { slot: pending.slot, generation: pending.generation, id: pending.id };
        if let Some(session) = self.session(caller.slot, caller.generation) {
            session.in_flight = session.in_flight.saturating_sub(1);
        }
        let is_stored = matches!(outcome.result, Ok(Done::Stored { .. }) | Err(Refusal::Unknown(_)));
        if let Awaited::Message(user) = &pending.what
            && !is_stored
        {
            self.shared.broker.directory().give_back_message(user);
        }
        let answer = match outcome.result {
            Ok(Done::Stored { epoch, record, .. }) => {
                self.tally.acked(pending.since.elapsed().as_micros() as u64);
                let position = v1::Position { epoch, offset: record.offset };
                Ok(Some(v1::Published { position: Some(position), time_ms: record.time_ms, duplicate: false }.into()))
            }
            Ok(Done::Duplicate { position, time_ms }) => {
                let position = Some(broker::place(position));
                Ok(Some(v1::Published { position, time_ms, duplicate: true }.into()))
            }
            Ok(Done::Marked { marker, moved, .. }) => Ok(self.on_marked(caller, pending.what, marker, moved)),
            Ok(Done::Room(_)) => Ok(None),
            Err(refusal) => Err(BrokerError::from(refusal).into()),
        };
        self.answer(caller, answer);
    }

    fn on_marked(
        &mut self,
        caller: Caller,
        what: Awaited,
        marker: crate::journal::Marker,
        moved: bool,
    ) -> Option<Reply> {
        let Awaited::Marker(room) = what else { return None };
        let user = self.session(caller.slot, caller.generation)?.identity.user.to_string();
        let marker =
            v1::ReadMarker { room: room.name.to_string(), user, offset: marker.offset, ordinal: marker.ordinal };
        if moved {
            self.shared.broker.announce(&room, Reply::ReadMarker(marker.clone()));
        }
        Some(Reply::Read(marker))
    }

    fn signal(&mut self, caller: Caller, command: v1::Signal) -> Answer {
        let (shared, now_ms) = (self.shared.clone(), self.clock.steady_ms());
        let key = self.key(caller.slot, caller.generation);
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        session.signals.take(shared.config.signals_per_second, now_ms).map_err(BrokerError::RateLimited)?;
        let (info, _) = shared.broker.room(&session.identity, &command.room)?;
        let subscription = info.and_then(|info| session.subscription(info.id)).ok_or(BrokerError::NotSubscribed)?;
        if !subscription.allow.contains(Permission::Signal) {
            return Err(BrokerError::NotAllowed("signal").into());
        }
        shared.broker.signal(key, &session.identity, &subscription.room, command.payload)?;
        self.tally.signals += 1;
        Ok(Some(v1::Signaled {}.into()))
    }

    // ---- who is here, who has read what ---------------------------------------------------------------------------

    fn presence(&mut self, caller: Caller, command: &v1::Presence) -> Answer {
        let shared = self.shared.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        if command.users.len() > shared.broker.config().presence_list_max {
            return Err(BrokerError::BadCommand("Ask for fewer users at once.").into());
        }
        let info = known(&shared.broker, &session.identity, &command.room, Permission::Presence)?;
        Ok(Some(shared.broker.presence(&info, &command.users).into()))
    }

    fn update_presence(&mut self, caller: Caller, command: v1::PresenceUpdate) -> Answer {
        let shared = self.shared.clone();
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        let info = known(&shared.broker, &session.identity, &command.room, Permission::Presence)?;
        let subscription = session.subscription(info.id).filter(|s| s.presence).ok_or(BrokerError::NotSubscribed)?;
        shared.broker.update_presence(&subscription.room, &session.identity, command.state)?;
        Ok(Some(shared.broker.presence(&info, &[session.identity.user.to_string()]).into()))
    }

    fn read(&mut self, caller: Caller, command: &v1::Read) -> Answer {
        let (shared, ticket, now_ms) = (self.shared.clone(), self.ticket(), self.clock.steady_ms());
        let Some(session) = self.session(caller.slot, caller.generation) else { return Ok(None) };
        // A marker is stored and told to the room, as a message is.
        session.publishes.take(shared.config.publishes_per_second, now_ms).map_err(BrokerError::RateLimited)?;
        if session.in_flight >= IN_FLIGHT_MAX {
            return Err(BrokerError::Overloaded.into());
        }
        let info = known(&shared.broker, &session.identity, &command.room, Permission::Read)?;
        shared.broker.mark(info.id, &session.identity.user, command.offset, ticket)?;
        session.in_flight += 1;
        self.await_outcome(caller, Awaited::Marker(info));
        Ok(None)
    }
}

/// A room that exists and where this is allowed.
pub(super) fn known(
    broker: &broker::Broker,
    who: &Identity,
    name: &str,
    permission: Permission,
) -> Result<RoomInfo, BrokerError> {
    let (info, allow) = broker.room(who, name)?;
    let info = info.ok_or(BrokerError::UnknownRoom)?;
    match allow.contains(permission) {
        true => Ok(info),
        false => Err(BrokerError::NotAllowed(permission.name())),
    }
}
