//! A shard: one thread that owns its connections and their subscriptions, and does everything for them.
//!
//! Nothing of a shard is shared, so nothing of it is locked. What comes from outside comes through its inbox: pushes to
//! rooms, outcomes of commits, the order to drain. A batch of pushes is offered to subscribers room by room, then every
//! connection that got something is written to once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use bytes::Bytes;
use konvert_protocol::{CloseCode, v1};
use slab::Slab;
use tokio::net::TcpStream;

use super::admission::{Admission, ConnectionPlace, PendingPlace};
use super::clock::Clock;
use super::codec::{self, Arrival, Codec};
use super::config::GatewayConfig;
use super::connection::{Connection, Stage, close_for, framed};
use super::counters::{Counters, Tally};
use super::dispatch::Pending;
use super::heartbeat::Wheel;
use super::outbox::{Outbox, Written};
use super::session::{Session, Subscription};
use crate::auth::Auth;
use crate::broker::{Audience, Broker, Budget, Delivery, Push, SessionKey, Start, Want};
use crate::journal::{Position, RoomId};

/// What one read takes from a socket, bytes; shared by all connections of the shard.
const READ_BYTES: usize = 64 << 10;
/// How long the other side may take to answer a close frame, seconds.
const CLOSING_S: u64 = 2;
/// A connection that has not authenticated is looked at this often, seconds, so that one that does comes into the
/// rhythm of its heartbeat and its token soon after.
const PENDING_LOOK_S: u64 = 1;
/// A client is told that its token ends this long before, milliseconds.
const TOKEN_WARNING_MS: u64 = 60_000;
/// Beyond two heartbeats a silent connection has this long, seconds.
const HEARTBEAT_GRACE_S: u64 = 5;

/// What all shards share.
pub struct Shared {
    /// Settings of the live edge.
    pub config: GatewayConfig,
    /// The core.
    pub broker: Broker,
    /// Who is who.
    pub auth: Auth,
    /// Who may take a place.
    pub admission: Arc<Admission>,
    /// What was counted, for the metrics.
    pub counters: Arc<Counters>,
}

/// A socket after its upgrade.
pub struct Upgraded {
    /// The socket.
    pub socket: TcpStream,
    /// Bytes that came with the request.
    pub early: Bytes,
    /// As negotiated.
    pub encoding: konvert_protocol::Encoding,
    /// Whether the request named an origin.
    pub has_origin: bool,
    /// Its place among those that have not authenticated.
    pub pending: PendingPlace,
    /// Its place among the connections.
    pub place: ConnectionPlace,
}

/// The state of a shard.
pub struct Shard {
    /// Its number.
    pub(super) index: u16,
    pub(super) shared: Arc<Shared>,
    pub(super) connections: Slab<Box<Connection>>,
    pub(super) audience: Audience,
    /// Commands that wait for the journal, by ticket.
    pub(super) pending: Slab<Pending>,
    pub(super) clock: Clock,
    pub(super) tally: Tally,
    pub(super) is_draining: bool,
    /// For the tasks that a shard starts for itself.
    pub(super) me: Weak<RefCell<Shard>>,
    generations: u32,
    dirty: Vec<u32>,
    /// Connections to look at every second: those that are blocked or closing.
    watched: Vec<(u32, u32)>,
    wheel: Wheel<(u32, u32)>,
    read_buffer: Vec<u8>,
    gather: Vec<u8>,
}

impl Shard {
    /// A shard without connections.
    pub fn new(index: u16, shared: Arc<Shared>) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me| {
            RefCell::new(Self {
                index,
                shared,
                connections: Slab::new(),
                audience: Audience::new(index),
                pending: Slab::new(),
                clock: Clock::start(),
                tally: Tally::default(),
                is_draining: false,
                me: me.clone(),
                generations: 0,
                dirty: Vec::new(),
                watched: Vec::new(),
                wheel: Wheel::new(),
                read_buffer: vec![0; READ_BYTES],
                gather: Vec::new(),
            })
        })
    }

    /// Whether the order to drain has come.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Whether there is nobody left.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    // ---- connections ----------------------------------------------------------------------------------------------

    /// Takes in an upgraded socket and starts reading from it.
    pub fn adopt(&mut self, upgraded: Upgraded) {
        let Upgraded { socket, early, encoding, has_origin, pending, place } = upgraded;
        self.generations = self.generations.wrapping_add(1);
        let generation = self.generations;
        let socket = Rc::new(socket);
        let connection = Connection {
            socket: socket.clone(),
            generation,
            encoding,
            stage: Stage::Pending(pending),
            has_origin,
            codec: Codec::new(self.shared.config.message_bytes),
            outbox: Outbox::default(),
            is_dirty: false,
            blocked_since_s: None,
            heard_s: self.clock.second(),
            stage_since_s: self.clock.second(),
            reader: None,
            _place: place,
        };
        let slot = self.connections.insert(Box::new(connection)) as u32;
        self.wheel.schedule((slot, generation), PENDING_LOOK_S);
        self.tally.opened += 1;
        if !early.is_empty() {
            self.on_bytes(slot, generation, &early);
            self.flush();
        }
        let me = self.me.clone();
        let reader = tokio::task::spawn_local(async move {
            while socket.readable().await.is_ok() {
                let Some(shard) = me.upgrade() else { return };
                if !shard.borrow_mut().on_readable(slot, generation, &socket) {
                    return;
                }
            }
        });
        if let Some(connection) = self.get(slot, generation) {
            connection.reader = Some(reader.abort_handle());
        }
    }

    /// The connection, if it is still the one that is meant.
    pub(super) fn get(&mut self, slot: u32, generation: u32) -> Option<&mut Connection> {
        self.connections.get_mut(slot as usize).filter(|c| c.generation == generation).map(Box::as_mut)
    }

    /// The connection's session, if it is live.
    pub(super) fn session(&mut self, slot: u32, generation: u32) -> Option<&mut Session> {
        self.get(slot, generation)?.session()
    }

    /// The key under which others know a session.
    pub(super) fn key(&self, slot: u32, generation: u32) -> SessionKey {
        SessionKey { shard: self.index, slot, generation }
    }

    /// Reads once. False when the connection is over.
    fn on_readable(&mut self, slot: u32, generation: u32, socket: &TcpStream) -> bool {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let goes_on = match socket.try_read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.on_bytes(slot, generation, &buffer[..count]);
                true
            }
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        };
        self.read_buffer = buffer;
        if !goes_on {
            self.end(slot, generation);
        }
        self.flush();
        self.get(slot, generation).is_some()
    }

    fn on_bytes(&mut self, slot: u32, generation: u32, mut input: &[u8]) {
        let (second, mut controls) = (self.clock.second(), 0u32);
        loop {
            let Some(connection) = self.get(slot, generation) else { return };
            connection.heard_s = second;
            let mut replies = Vec::new();
            let arrival = connection.codec.next(&mut input, &mut replies);
            if !replies.is_empty() {
                connection.outbox.push(replies.into(), 1);
                self.mark_dirty(slot);
            }
            match arrival {
                None => return,
                Some(Ok(Arrival::Binary(message))) => self.on_message(slot, generation, message, false),
                Some(Ok(Arrival::Text(message))) => self.on_message(slot, generation, message, true),
                Some(Ok(Arrival::Control)) => {
                    controls += 1;
                    // A kernel buffer full of pings is an attack on the replies.
                    if controls > self.shared.config.commands_per_second {
                        self.close(slot, generation, CloseCode::Flood);
                    }
                }
                Some(Ok(Arrival::Goodbye)) => self.on_goodbye(slot, generation),
                Some(Err(fault)) => return self.on_fault(slot, generation, fault),
            }
        }
    }

    fn on_fault(&mut self, slot: u32, generation: u32, fault: codec::Fault) {
        match close_for(fault) {
            Some((number, reason)) => self.close_with(slot, generation, number, reason),
            None => self.end_after_flush(slot, generation),
        }
    }

    /// The other side closes: its presence ends at once.
    fn on_goodbye(&mut self, slot: u32, generation: u32) {
        if let Some(session) = self.take_session(slot, generation) {
            self.end_session(slot, *session, true);
        }
        self.end_after_flush(slot, generation);
    }

    /// Queues the reply or push and has it written with the others of this turn.
    pub(super) fn push(&mut self, slot: u32, generation: u32, frame: &v1::ServerFrame) {
        if let Some(connection) = self.get(slot, generation)
            && !connection.is_closing()
        {
            connection.push(frame);
            self.mark_dirty(slot);
        }
    }

    /// Closes with a reason of ours.
    pub(super) fn close(&mut self, slot: u32, generation: u32, code: CloseCode) {
        self.close_with(slot, generation, code.number(), code.name());
    }

    fn close_with(&mut self, slot: u32, generation: u32, number: u16, reason: &'static str) {
        let second = self.clock.second();
        let Some(connection) = self.get(slot, generation).filter(|c| !c.is_closing()) else { return };
        if number == CloseCode::SlowConsumer.number() {
            connection.outbox.clear();
        }
        let session = connection.close(number, reason, second);
        self.tally.closed(number);
        self.watched.push((slot, generation));
        self.mark_dirty(slot);
        if let Some(session) = session {
            self.end_session(slot, *session, false);
        }
    }

    fn take_session(&mut self, slot: u32, generation: u32) -> Option<Box<Session>> {
        let connection = self.get(slot, generation)?;
        match std::mem::replace(&mut connection.stage, Stage::Closing) {
            Stage::Live(session) => Some(session),
            _ => None,
        }
    }

    /// Lets go of all that a session held.
    fn end_session(&mut self, slot: u32, session: Session, clean: bool) {
        for subscription in session.subscriptions() {
            self.detach(slot, &session.identity, subscription, clean);
        }
    }

    /// Ends a subscription that its session has forgotten already.
    pub(super) fn detach(
        &mut self,
        slot: u32,
        identity: &crate::auth::Identity,
        subscription: &Subscription,
        clean: bool,
    ) {
        let Subscription { room, presence, .. } = subscription;
        self.audience.remove(room.info.id, slot);
        if *presence {
            self.shared.broker.leave(room, identity, self.clock.now_ms(), clean);
        }
        self.shared.broker.release(room, self.index);
    }

    /// Ends a connection at once.
    fn end(&mut self, slot: u32, generation: u32) {
        if self.get(slot, generation).is_none() {
            return;
        }
        if let Some(session) = self.take_session(slot, generation) {
            self.end_session(slot, *session, false);
        }
        let connection = self.connections.remove(slot as usize);
        if let Some(reader) = &connection.reader {
            reader.abort();
        }
        self.tally.ended += 1;
    }

    /// Ends a connection once what waits is written, or after a moment.
    fn end_after_flush(&mut self, slot: u32, generation: u32) {
        let second = self.clock.second();
        let Some(connection) = self.get(slot, generation) else { return };
        connection.stage = Stage::Closing;
        connection.stage_since_s = second;
        let mut gather = std::mem::take(&mut self.gather);
        let Some(connection) = self.get(slot, generation) else { return };
        let written = connection.write(&mut gather, second);
        self.gather = gather;
        match written {
            Ok(Written::Blocked) => self.watched.push((slot, generation)),
            _ => self.end(slot, generation),
        }
    }

    // ---- writing --------------------------------------------------------------------------------------------------

    pub(super) fn mark_dirty(&mut self, slot: u32) {
        if let Some(connection) = self.connections.get_mut(slot as usize)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push(slot);
        }
    }

    /// Writes to every connection that has something new.
    pub(super) fn flush(&mut self) {
        while !self.dirty.is_empty() {
            for slot in std::mem::take(&mut self.dirty) {
                if let Some(connection) = self.connections.get_mut(slot as usize) {
                    connection.is_dirty = false;
                    let generation = connection.generation;
                    // A blocked connection has a task that writes as soon as the socket takes more.
                    if connection.blocked_since_s.is_none() {
                        self.write(slot, generation);
                    }
                    self.check_bounds(slot, generation);
                }
            }
        }
        self.tally.publish(&self.shared.counters);
    }

    /// Writes; false when nothing more is to be written for now.
    fn write(&mut self, slot: u32, generation: u32) -> bool {
        let second = self.clock.second();
        let mut gather = std::mem::take(&mut self.gather);
        let Some(connection) = self.get(slot, generation) else { return false };
        let was_blocked = connection.blocked_since_s.is_some();
        let written = connection.write(&mut gather, second);
        self.gather = gather;
        match written {
            Ok(Written::All) => false,
            Ok(Written::Blocked) => {
                if !was_blocked {
                    self.write_when_possible(slot, generation);
                }
                true
            }
            Err(_) => {
                self.end(slot, generation);
                false
            }
        }
    }

    fn write_when_possible(&mut self, slot: u32, generation: u32) {
        let Some(connection) = self.get(slot, generation) else { return };
        let (socket, me) = (connection.socket.clone(), self.me.clone());
        self.watched.push((slot, generation));
        tokio::task::spawn_local(async move {
            while socket.writable().await.is_ok() {
                let Some(shard) = me.upgrade() else { return };
                if !shard.borrow_mut().write(slot, generation) {
                    return;
                }
            }
        });
    }

    /// The slow-consumer policy: who has more waiting than allowed is closed, and resumes from the log.
    fn check_bounds(&mut self, slot: u32, generation: u32) {
        if crate::sabotage::is("unbounded_outbox") {
            return;
        }
        let GatewayConfig { outbox_count, outbox_bytes, .. } = self.shared.config;
        if self.get(slot, generation).is_some_and(|c| !c.is_closing() && c.outbox.is_over(outbox_count, outbox_bytes)) {
            self.tally.slow_consumers += 1;
            self.close(slot, generation, CloseCode::SlowConsumer);
        }
    }

    // ---- deliveries -----------------------------------------------------------------------------------------------

    /// Does what came through the inbox.
    pub fn on_deliveries(&mut self, deliveries: &mut Vec<Delivery>) {
        let mut rooms: Vec<(RoomId, Vec<Arc<Push>>)> = Vec::new();
        let mut places: HashMap<RoomId, usize> = HashMap::new();
        for delivery in deliveries.drain(..) {
            match delivery {
                Delivery::Push(push) => {
                    let room = push.room();
                    match rooms.last_mut() {
                        Some((last, pushes)) if *last == room => pushes.push(push),
                        _ => {
                            let place = *places.entry(room).or_insert(rooms.len());
                            match rooms.get_mut(place) {
                                Some((_, pushes)) => pushes.push(push),
                                None => rooms.push((room, vec![push])),
                            }
                        }
                    }
                }
                Delivery::Outcome(outcome) => self.on_outcome(outcome),
                Delivery::Lost => self.bring_all_up(),
                Delivery::Drain => self.drain(),
            }
        }
        for (room, pushes) in rooms {
            self.offer(room, &pushes);
        }
        self.flush();
    }

    fn offer(&mut self, room: RoomId, pushes: &[Arc<Push>]) {
        let Self { audience, connections, dirty, tally, .. } = self;
        let lagging = audience.offer(room, pushes, framed, |slot, bytes, frames| {
            let Some(connection) = connections.get_mut(slot as usize) else { return };
            connection.outbox.push(bytes.clone(), frames);
            tally.deliveries += frames as u64;
            if !std::mem::replace(&mut connection.is_dirty, true) {
                dirty.push(slot);
            }
        });
        for slot in lagging {
            self.bring_up(room, slot);
        }
    }

    /// Pushes were shed: everybody who missed messages gets them from the log.
    fn bring_all_up(&mut self) {
        let rooms: Vec<_> = self.audience.rooms().map(|room| room.info.id).collect();
        for room in rooms {
            let Ok(bounds) = self.shared.broker.bounds(room) else { continue };
            for slot in self.audience.behind(room, bounds.last) {
                self.bring_up(room, slot);
            }
        }
    }

    /// Gives a subscriber what it missed, from memory; one that missed more is closed and resumes.
    fn bring_up(&mut self, room: RoomId, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        let (generation, encoding) = (connection.generation, connection.encoding);
        let Some(next) = self.audience.next_mut(room, slot) else { return };
        let (broker, budget) = (&self.shared.broker, self.shared.broker.page_budget());
        let Ok(bounds) = broker.bounds(room) else { return };
        let since = Want::Since(Position { epoch: bounds.epoch, offset: *next - 1 });
        match broker.start(room, since, Budget { count: usize::MAX, bytes: budget.bytes }) {
            Ok(Start::Attached { records, next: now_next, .. }) => {
                *next = now_next;
                let name = connection.session().and_then(|s| s.subscription(room)).map(|s| s.room.info.name.clone());
                for record in records {
                    let push = Push::message(room, name.clone().unwrap_or_default(), record);
                    connection.outbox.push(push.form(encoding, framed).clone(), 1);
                }
                self.mark_dirty(slot);
            }
            _ => {
                self.tally.slow_consumers += 1;
                self.close(slot, generation, CloseCode::SlowConsumer);
            }
        }
    }

    // ---- time -----------------------------------------------------------------------------------------------------

    /// A second went by.
    pub fn on_second(&mut self) {
        self.clock.tick();
        for (slot, generation) in self.wheel.tick() {
            if let Some(wait_s) = self.look_at(slot, generation) {
                self.wheel.schedule((slot, generation), wait_s);
            }
        }
        let second = self.clock.second();
        let stall_s = self.shared.config.outbox_stall_ms.div_ceil(1_000);
        for (slot, generation) in std::mem::take(&mut self.watched) {
            let Some(connection) = self.get(slot, generation) else { continue };
            if connection.is_closing() {
                match second >= connection.stage_since_s + CLOSING_S {
                    true => self.end(slot, generation),
                    false => self.watched.push((slot, generation)),
                }
            } else if let Some(since_s) = connection.blocked_since_s {
                if second >= since_s + stall_s {
                    self.tally.slow_consumers += 1;
                    // Puts it back on the list, as closing.
                    self.close(slot, generation, CloseCode::SlowConsumer);
                } else {
                    self.watched.push((slot, generation));
                }
            }
        }
        self.flush();
    }

    /// A connection's turn in the wheel: when to look again, seconds; `None` when it need not be looked at any more.
    fn look_at(&mut self, slot: u32, generation: u32) -> Option<u64> {
        let (second, now_ms) = (self.clock.second(), self.clock.now_ms());
        let heartbeat_s = self.shared.config.heartbeat_ms.div_ceil(1_000);
        let dead_s = 2 * heartbeat_s + HEARTBEAT_GRACE_S;
        let timeout_s = self.shared.config.connect_timeout_ms.div_ceil(1_000);
        let connection = self.get(slot, generation)?;
        let silence_s = second.saturating_sub(connection.heard_s);
        let session = match &mut connection.stage {
            Stage::Closing => return None,
            Stage::Pending(_) => {
                if second < connection.stage_since_s + timeout_s {
                    return Some(PENDING_LOOK_S);
                }
                self.close(slot, generation, CloseCode::ConnectTimeout);
                return None;
            }
            Stage::Live(session) => session,
        };
        let left_ms = session.identity.expires_ms.saturating_sub(now_ms);
        if left_ms == 0 || silence_s >= dead_s {
            let code = if left_ms == 0 { CloseCode::TokenEnded } else { CloseCode::HeartbeatTimeout };
            self.close(slot, generation, code);
            return None;
        }
        let mut wait_s =
            if silence_s >= heartbeat_s { heartbeat_s.min(dead_s - silence_s) } else { heartbeat_s - silence_s };
        if left_ms <= TOKEN_WARNING_MS {
            wait_s = wait_s.min(left_ms.div_ceil(1_000));
            if !std::mem::replace(&mut session.warned, true) {
                let frame = v1::ServerFrame::push(v1::TokenExpiring { expires_ms: session.identity.expires_ms });
                connection.push(&frame);
                self.mark_dirty(slot);
            }
        } else {
            wait_s = wait_s.min((left_ms - TOKEN_WARNING_MS).div_ceil(1_000));
        }
        if silence_s >= heartbeat_s
            && let Some(connection) = self.get(slot, generation)
        {
            connection.outbox.push(codec::ping(), 1);
            self.mark_dirty(slot);
        }
        Some(wait_s)
    }

    /// Begins to drain: no new publishes; those under way get their answer; then everybody is told to go.
    fn drain(&mut self) {
        self.is_draining = true;
        let me = self.me.clone();
        tokio::task::spawn_local(async move { super::drain::run(me).await });
    }

    /// Slots and generations of all connections.
    pub(super) fn everybody(&self) -> Vec<(u32, u32)> {
        self.connections.iter().map(|(slot, connection)| (slot as u32, connection.generation)).collect()
    }
}
