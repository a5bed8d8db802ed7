//! Telling programs outside what happens.
//!
//! Owns which endpoint is told of which event, and what it is told. `endpoints.rs` is how administrators look after them,
//! `sender.rs` how deliveries go out, `signature.rs` how the receiver knows whose they are. Events are rows of the directory
//! before anybody is told: those of messages are written together with how far the journal was followed.
//!
//! Overflow policy: of a full queue the newest events are refused, counted in `dropped_count` and told in the log.
//! Invariant: an event has the same id for every endpoint and at every attempt.

mod config;
mod endpoints;
mod sender;
mod signature;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

pub use config::WebhooksConfig;
pub use endpoints::{
    DeliveryView, DeliveryWish, MadeWebhook, NewWebhook, PingView, WebhookChange, WebhookList, WebhookView,
};

use super::outward::{Network, Outward, OutwardError};
use super::{Service, ServiceError};
use crate::auth::{Pattern, random_base32};
use crate::broker::Followed;
use crate::directory::{DirectoryError, MemberRole, Webhook, WebhookRow, WebhookState};
use crate::journal::{Mode, Record, RoomInfo};

/// A kind of event that an endpoint can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum EventKind {
    /// Somebody came into a room that was empty.
    #[serde(rename = "room.occupied")]
    RoomOccupied,
    /// The last one left a room.
    #[serde(rename = "room.vacated")]
    RoomVacated,
    /// A user is connected.
    #[serde(rename = "user.online")]
    UserOnline,
    /// A user is connected no more.
    #[serde(rename = "user.offline")]
    UserOffline,
    /// A message was stored in a room that the server may read.
    #[serde(rename = "message.published")]
    MessagePublished,
    /// A message was stored in a sealed room. Its payload is not told.
    #[serde(rename = "message.sealed")]
    MessageSealed,
    /// Somebody came into a dialog, left it or has another role there.
    #[serde(rename = "member.changed")]
    MemberChanged,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::RoomOccupied,
        Self::RoomVacated,
        Self::UserOnline,
        Self::UserOffline,
        Self::MessagePublished,
        Self::MessageSealed,
        Self::MemberChanged,
    ];

    /// What it tells.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::RoomOccupied => "Somebody came into a room that was empty: `room`.",
            Self::RoomVacated => "The last one left a room: `room`.",
            Self::UserOnline => "A user is connected: `user`.",
            Self::UserOffline => "A user is connected no more: `user`.",
            Self::MessagePublished => {
                "A message was stored in a room that the server may read: `epoch`, and the message as PROTOCOL.md has it."
            }
            Self::MessageSealed => "A message was stored in a sealed room: the same without `payload`.",
            Self::MemberChanged => {
                "Somebody came into a dialog, left it or has another role: `dialog`, `user`, `role`, null when they left."
            }
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoomOccupied => "room.occupied",
            Self::RoomVacated => "room.vacated",
            Self::UserOnline => "user.online",
            Self::UserOffline => "user.offline",
            Self::MessagePublished => "message.published",
            Self::MessageSealed => "message.sealed",
            Self::MemberChanged => "member.changed",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct WebhookEvent {
    /// Of what kind.
    pub kind: EventKind,
    /// In which room; `None`: in none.
    pub room: Option<Arc<str>>,
    /// What is told of it.
    pub data: Value,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
}

/// Rows for the queues of endpoints: whose, and which.
pub type WebhookRows = Vec<(String, Vec<WebhookRow>)>;

/// The endpoints as they are matched, and the way to those who send.
pub struct Webhooks {
    config: WebhooksConfig,
    outward: Outward,
    endpoints: ArcSwap<Vec<Endpoint>>,
    /// Held from reading the endpoints until they are those that are matched, so that of two changes the later one stays.
    reading: tokio::sync::Mutex<()>,
    /// How often somebody changed an endpoint: whoever sends looks at it anew then.
    changes: AtomicU64,
    /// Who sends to which endpoint.
    senders: Mutex<HashMap<String, sender::Sender>>,
}

#[derive(Clone)]
struct Endpoint {
    id: String,
    events: BTreeSet<EventKind>,
    rooms: Pattern,
    /// What happened before is not told, milliseconds since 1970.
    since_ms: u64,
}

impl Endpoint {
    fn of(webhook: &Webhook) -> Option<Self> {
        let rooms = Pattern::new(&webhook.rooms).ok()?;
        Some(Self { id: webhook.id.clone(), events: events(&webhook.events), rooms, since_ms: webhook.since_ms })
    }

    fn wants(&self, kind: EventKind, room: Option<&str>) -> bool {
        self.events.contains(&kind) && room.is_none_or(|room| self.rooms.matches(room))
    }
}

fn events(names: &str) -> BTreeSet<EventKind> {
    EventKind::ALL.into_iter().filter(|kind| names.split(' ').any(|name| name == kind.name())).collect()
}

/// Of what kind a message in a room is.
fn message_kind(info: &RoomInfo) -> EventKind {
    match info.mode {
        Mode::ServerReadable => EventKind::MessagePublished,
        Mode::E2ee => EventKind::MessageSealed,
    }
}

impl Webhooks {
    /// # Errors
    /// When a network of the settings is none, or the system gives no certificates.
    pub fn new(config: WebhooksConfig) -> Result<Self, OutwardError> {
        let allowed =
            config.allow_private.iter().map(|network| network.parse::<Network>().map_err(OutwardError::BadUrl));
        let outward = Outward::new(&allowed.collect::<Result<Vec<_>, _>>()?, config::ANSWER)?;
        let (endpoints, reading, changes) = (ArcSwap::default(), tokio::sync::Mutex::default(), AtomicU64::new(0));
        Ok(Self { config, outward, endpoints, reading, changes, senders: Mutex::default() })
    }

    /// Has those who send look again.
    fn wake<'a>(&self, webhooks: impl Iterator<Item = &'a str>) {
        let senders = self.senders.lock();
        webhooks.filter_map(|id| senders.get(id)).for_each(sender::Sender::wake);
    }
}

/// The row of an event. What happened in a room at a place has an id of that place, so that it is known again when the
/// journal is followed from an earlier place; everything else has a random one.
fn row(event: &WebhookEvent, place: Option<(u64, u64)>) -> WebhookRow {
    let id = match (place, &event.room) {
        (Some((epoch, offset)), Some(room)) => {
            let digest = Sha256::digest(format!("{}\n{room}\n{epoch}\n{offset}", event.kind.name()));
            digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
        }
        _ => format!("{}{}", random_base32(), random_base32()),
    };
    let body = json!({"type": event.kind.name(), "time_ms": event.time_ms, "data": event.data});
    WebhookRow {
        id: format!("evt_{id}"),
        event: event.kind.name(),
        body: body.to_string().into(),
        at_ms: event.time_ms,
    }
}

impl Service {
    /// Who is to be told of an event; nobody, mostly.
    fn rows_for(
        &self,
        event: impl FnOnce() -> WebhookEvent,
        kind: EventKind,
        room: Option<&str>,
        place: Option<(u64, u64)>,
        time_ms: u64,
    ) -> WebhookRows {
        let endpoints = self.webhooks.endpoints.load();
        let wants = |endpoint: &&Endpoint| endpoint.since_ms <= time_ms && endpoint.wants(kind, room);
        let mut wanting = endpoints.iter().filter(wants).peekable();
        if wanting.peek().is_none() {
            return Vec::new();
        }
        let row = row(&event(), place);
        wanting.map(|endpoint| (endpoint.id.clone(), vec![row.clone()])).collect()
    }

    /// What endpoints are to be told of a message that was stored.
    pub(super) fn message_rows(&self, info: &RoomInfo, epoch: u64, record: &Record) -> WebhookRows {
        let kind = message_kind(info);
        let event = || {
            let mut message = crate::broker::message(record, info.name.to_string());
            if info.mode == Mode::E2ee {
                message.payload = bytes::Bytes::new();
            }
            let mut data = serde_json::to_value(message).unwrap_or_default();
            data["epoch"] = epoch.into();
            WebhookEvent { kind, room: Some(info.name.clone()), data, time_ms: record.time_ms }
        };
        self.rows_for(event, kind, Some(&info.name), Some((epoch, record.offset)), record.time_ms)
    }

    /// What endpoints are to be told of somebody who came or went.
    pub(super) fn presence_rows(&self, fact: &Followed) -> WebhookRows {
        let (kind, room, user) = match fact {
            Followed::Occupied { room } => (EventKind::RoomOccupied, Some(room), None),
            Followed::Vacated { room } => (EventKind::RoomVacated, Some(room), None),
            Followed::Online { user } => (EventKind::UserOnline, None, Some(user)),
            Followed::Offline { user, .. } => (EventKind::UserOffline, None, Some(user)),
            Followed::Stored { .. } | Followed::Marked { .. } | Followed::Lost => return Vec::new(),
        };
        let time_ms = (self.now_ms)();
        let event = || {
            let data = match (room, user) {
                (Some(room), _) => json!({"room": &**room}),
                (_, user) => json!({"user": user.map(|user| &**user)}),
            };
            WebhookEvent { kind, room: room.cloned(), data, time_ms }
        };
        self.rows_for(event, kind, room.map(|room| &**room), None, time_ms)
    }

    /// Since when endpoints are to be told of messages of a room, milliseconds since 1970; `None`: none is.
    pub(super) fn webhooks_since(&self) -> impl Fn(&RoomInfo) -> Option<u64> + Send + use<> {
        let endpoints = self.webhooks.endpoints.load_full();
        move |info| {
            let kind = message_kind(info);
            let wanting = endpoints.iter().filter(|endpoint| endpoint.wants(kind, Some(&info.name)));
            wanting.map(|endpoint| endpoint.since_ms).min()
        }
    }

    /// Rows were committed: those who send shall look.
    pub(super) fn webhooks_written(&self, rows: &WebhookRows) {
        self.webhooks.wake(rows.iter().map(|(id, _)| id.as_str()));
    }

    /// Most events that wait for one endpoint.
    pub(super) fn webhook_waiting_max(&self) -> u64 {
        self.webhooks.config.waiting_max
    }

    /// Tells of something that the journal knows nothing of. It is stored when this returns.
    pub async fn webhook(&self, event: WebhookEvent) {
        let (kind, room, time_ms) = (event.kind, event.room.clone(), event.time_ms);
        let rows = self.rows_for(|| event, kind, room.as_deref(), None, time_ms);
        if rows.is_empty() {
            return;
        }
        match self.directory.queue_deliveries(&rows, self.webhooks.config.waiting_max).await {
            Ok(dropped) => {
                if dropped > 0 {
                    tracing::warn!(event = kind.name(), "the queue of a webhook is full; the event was not taken");
                }
                self.webhooks_written(&rows);
            }
            Err(error) => tracing::error!(%error, event = kind.name(), "an event for webhooks could not be stored"),
        }
    }

    /// Tells of somebody who came into a dialog, left it, or has another role there.
    pub(super) async fn webhook_member(&self, dialog: &str, user: &str, role: Option<MemberRole>) {
        let data = json!({"dialog": dialog, "user": user, "role": role});
        let (kind, time_ms) = (EventKind::MemberChanged, (self.now_ms)());
        self.webhook(WebhookEvent { kind, room: Some(dialog.into()), data, time_ms }).await;
    }

    /// Reads the endpoints, and has somebody send to each. Call it at the start, and it is called after every change.
    ///
    /// # Errors
    /// When the directory does not answer; then the endpoints are as before.
    pub async fn start_webhooks(self: &Arc<Self>) -> Result<(), DirectoryError> {
        self.webhooks.changes.fetch_add(1, Ordering::Release);
        let _turn = self.webhooks.reading.lock().await;
        let webhooks = self.match_webhooks().await?;
        let mut senders = self.webhooks.senders.lock();
        senders.retain(|id, _| webhooks.iter().any(|webhook| webhook.id == *id));
        for webhook in webhooks {
            senders.entry(webhook.id.clone()).or_insert_with(|| sender::Sender::start(self, webhook.id)).wake();
        }
        Ok(())
    }

    /// An endpoint wants nothing any more.
    async fn webhook_gone(&self, id: &str) -> Result<(), DirectoryError> {
        self.directory.webhook_gone(id).await?;
        let _turn = self.webhooks.reading.lock().await;
        self.match_webhooks().await.map(drop)
    }

    /// Matches events with the endpoints that there are now, in one's turn; all of them.
    async fn match_webhooks(&self) -> Result<Vec<Webhook>, DirectoryError> {
        let webhooks = self.directory.webhooks().await?;
        let matched = webhooks.iter().filter(|webhook| webhook.state != WebhookState::Gone).filter_map(Endpoint::of);
        self.webhooks.endpoints.store(Arc::new(matched.collect()));
        Ok(webhooks)
    }
}
