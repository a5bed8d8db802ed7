//! A shard: one thread that owns its connections and their subscriptions, and does everything for them.
//!
//! Nothing of a shard is shared, so nothing of it is locked. What comes from outside comes through its inbox: pushes to
//! rooms, outcomes of commits, errands for its sessions, the order to drain. A batch of pushes is offered to subscribers room by room, then every
//! connection that got something is written to once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use ipnet::IpNet;
use konvert_protocol::{CloseCode, v1};
use slab::Slab;

use super::access::Loading;
use super::admission::{Admission, ConnectionPlace, PendingPlace};
use super::clock::Clock;
use super::config::GatewayConfig;
use super::connection::{Connection, From, Stage};
use super::counters::{Counters, Tally};
use super::dispatch::Pending;
use super::heartbeat::Wheel;
use super::outbox::{Outbox, Written};
use super::session::{Session, Subscription};
use super::transport::Transport;
use crate::auth::Auth;
use crate::broker::{Audience, Broker, SessionKey};

/// What one read takes from a socket, bytes; shared by all connections of the shard.
const READ_BYTES: usize = 64 << 10;
/// The close code of RFC 6455 for an end that the client wanted.
const NORMAL: u16 = 1000;

/// What all shards share.
pub struct Shared {
    /// Settings of the live edge.
    pub config: GatewayConfig,
    /// Proxies whose word counts for where somebody is.
    pub trusted_proxies: Vec<IpNet>,
    /// The core.
    pub broker: Broker,
    /// Who is who.
    pub auth: Arc<Auth>,
    /// Who may take a place.
    pub admission: Arc<Admission>,
    /// What was counted, for the metrics.
    pub counters: Arc<Counters>,
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
    /// Commands that wait for their dialog to be loaded, by dialog.
    pub(super) loading: Loading,
    /// Sessions that want to hear of changes, by user.
    pub(super) watchers: HashMap<Arc<str>, Vec<u32>>,
    pub(super) clock: Clock,
    pub(super) tally: Tally,
    pub(super) is_draining: bool,
    /// For the tasks that a shard starts for itself.
    pub(super) me: Weak<RefCell<Shard>>,
    generations: u32,
    pub(super) dirty: Vec<u32>,
    /// Connections to look at every second: those that are blocked, closing or polled.
    pub(super) watched: Vec<(u32, u32)>,
    pub(super) wheel: Wheel<(u32, u32)>,
    pub(super) read_buffer: Vec<u8>,
    pub(super) gather: Vec<u8>,
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
                loading: Loading::default(),
                watchers: HashMap::new(),
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

    /// Gives a connection its slot: slot and generation.
    pub(super) fn seat(
        &mut self,
        transport: Transport,
        from: From,
        pending: PendingPlace,
        place: ConnectionPlace,
    ) -> (u32, u32) {
        self.generations = self.generations.wrapping_add(1);
        let generation = self.generations;
        let connection = Connection {
            transport,
            generation,
            stage: Stage::Pending(pending),
            from,
            outbox: Outbox::default(),
            is_dirty: false,
            is_watched: false,
            blocked_since_s: None,
            heard_s: self.clock.second(),
            stage_since_s: self.clock.second(),
            _place: place,
        };
        let slot = self.connections.insert(Box::new(connection)) as u32;
        self.wheel.schedule((slot, generation), super::rounds::PENDING_LOOK_S);
        self.tally.opened += 1;
        (slot, generation)
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

    /// The other side closes: its presence ends at once.
    pub(super) fn on_goodbye(&mut self, slot: u32, generation: u32) {
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

    pub(super) fn close_with(&mut self, slot: u32, generation: u32, number: u16, reason: &'static str) {
        let second = self.clock.second();
        let Some(connection) = self.get(slot, generation).filter(|c| !c.is_closing()) else { return };
        // Of what waits, those who lost access get nothing any more, and slow ones resume from the log.
        if [CloseCode::SlowConsumer, CloseCode::Revoked, CloseCode::TokenEnded].iter().any(|c| c.number() == number) {
            connection.outbox.clear();
        }
        let session = connection.close(number, reason, second);
        self.tally.closed(number);
        self.attend(slot, generation);
        self.mark_dirty(slot);
        if let Some(session) = session {
            self.end_session(slot, *session, false);
        }
    }

    fn take_session(&mut self, slot: u32, generation: u32) -> Option<Box<Session>> {
        let connection = self.get(slot, generation)?;
        match std::mem::replace(&mut connection.stage, Stage::Closing(NORMAL)) {
            Stage::Live(session) => Some(session),
            _ => None,
        }
    }

    /// Lets go of all that a session held.
    fn end_session(&mut self, slot: u32, session: Session, clean: bool) {
        for subscription in session.subscriptions() {
            self.detach(slot, &session.identity, subscription, clean);
        }
        if session.watches {
            self.unwatch(slot, &session.identity.user);
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
            self.shared.broker.leave(room, identity, self.clock.steady_ms(), clean);
        }
        self.shared.broker.release(room, self.index);
    }

    /// Ends a connection at once.
    pub(super) fn end(&mut self, slot: u32, generation: u32) {
        if self.get(slot, generation).is_none() {
            return;
        }
        if let Some(session) = self.take_session(slot, generation) {
            self.end_session(slot, *session, false);
        }
        self.connections.remove(slot as usize);
        self.tally.ended += 1;
    }

    /// Ends a connection once what waits is written, or after a moment.
    pub(super) fn end_after_flush(&mut self, slot: u32, generation: u32) {
        let second = self.clock.second();
        if let Some(session) = self.take_session(slot, generation) {
            self.end_session(slot, *session, false);
        }
        let Some(connection) = self.get(slot, generation) else { return };
        connection.stage_since_s = second;
        let mut gather = std::mem::take(&mut self.gather);
        let Some(connection) = self.get(slot, generation) else { return };
        let written = connection.write(&mut gather, second);
        self.gather = gather;
        match written {
            Ok(Written::Blocked) => self.attend(slot, generation),
            _ => self.end(slot, generation),
        }
    }

    /// Has the connection looked at every second until it needs that no more.
    pub(super) fn attend(&mut self, slot: u32, generation: u32) {
        if let Some(connection) = self.get(slot, generation)
            && !std::mem::replace(&mut connection.is_watched, true)
        {
            self.watched.push((slot, generation));
        }
    }

    // ---- the end --------------------------------------------------------------------------------------------------

    /// Begins to drain: no new publishes; those under way get their answer; then everybody is told to go.
    pub(super) fn drain(&mut self) {
        self.is_draining = true;
        let me = self.me.clone();
        tokio::task::spawn_local(async move { super::drain::run(me).await });
    }

    /// Slots and generations of all connections.
    pub(super) fn everybody(&self) -> Vec<(u32, u32)> {
        self.connections.iter().map(|(slot, connection)| (slot as u32, connection.generation)).collect()
    }
}
