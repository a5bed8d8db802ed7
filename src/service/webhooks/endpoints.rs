//! How administrators, and keys with the scope `webhooks`, look after endpoints.

use std::collections::BTreeSet;
use std::sync::Arc;

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::config::ENDPOINTS_MAX;
use super::{EventKind, Service, ServiceError, events, signature};
use crate::auth::{Pattern, random_base32};
use crate::directory::{Delivery, DeliveryState, Webhook, WebhookState};
use crate::service::Steward;
use crate::service::audit::Action;
use crate::service::page::{self, List, Page};

/// An endpoint to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where it is told: `https://…` or `http://…`, not in a private network.
    #[schema(example = "https://example.org/konvert")]
    pub url: String,
    /// What it is told of; at least one.
    pub events: BTreeSet<EventKind>,
    /// Of which rooms: a name, a beginning and `*`, or `*`. Events of users are of no room.
    #[serde(default = "everywhere")]
    #[schema(default = "*", example = "shop-*")]
    pub rooms: String,
}

fn everywhere() -> String {
    "*".into()
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookChange {
    /// Where it is told.
    pub url: Option<String>,
    /// What it is told of.
    pub events: Option<BTreeSet<EventKind>>,
    /// Of which rooms.
    pub rooms: Option<String>,
    /// `active` or `paused`. Events of a paused one gather; one that is gone comes back with `active`.
    pub state: Option<WebhookState>,
}

/// An endpoint, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: String,
    /// Where it is told.
    pub url: String,
    /// What it is told of.
    pub events: BTreeSet<EventKind>,
    /// Of which rooms.
    pub rooms: String,
    /// Whether it is told.
    pub state: WebhookState,
    /// Who made it: a user or a key.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Deliveries that wait.
    pub waiting_count: u64,
    /// Events that were not taken because too many waited.
    pub dropped_count: u64,
}

/// An endpoint that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeWebhook {
    /// What its deliveries are signed with. It is told this once.
    #[schema(example = "whsec_…")]
    pub secret: String,
    /// What it is.
    pub webhook: WebhookView,
}

/// Every endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    /// The oldest first, at most 100.
    pub webhooks: Vec<WebhookView>,
}

/// What came of a ping.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingView {
    /// Whether the endpoint answered with 2xx.
    pub ok: bool,
    /// The answer's status; 0: none came.
    pub status: u16,
    /// Why it is no success; empty if it is.
    pub error: String,
}

/// Which deliveries are wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeliveryWish {
    /// Only those in this state; `dead` are those that were given up.
    #[param(inline)]
    pub state: Option<DeliveryState>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// At most so many, 1 to 100; 50 if absent.
    pub limit: Option<u32>,
}

/// One event for the endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its place in the endpoint's order.
    pub number: u64,
    /// What `webhook-id` says; the same at every attempt.
    pub event_id: String,
    /// What kind of event.
    pub event: String,
    /// What is told.
    pub body: String,
    /// What became of it.
    pub state: DeliveryState,
    /// Since when it is tried, milliseconds since 1970.
    pub since_ms: u64,
    /// When its state last changed, milliseconds since 1970.
    pub changed_ms: u64,
    /// How often it was tried.
    pub attempts: u64,
    /// When it is tried again, milliseconds since 1970.
    pub next_ms: u64,
    /// The last answer's status; 0: none came.
    pub status: u64,
    /// Why the last attempt was no success; empty if it was.
    pub error: String,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            events: events(&webhook.events),
            id: webhook.id,
            url: webhook.url,
            rooms: webhook.rooms,
            state: webhook.state,
            created_by: webhook.created_by,
            created_ms: webhook.created_ms,
            waiting_count: webhook.waiting_count,
            dropped_count: webhook.dropped_count,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            number: delivery.number,
            event_id: delivery.event_id,
            event: delivery.event,
            body: delivery.body,
            state: delivery.state,
            since_ms: delivery.since_ms,
            changed_ms: delivery.changed_ms,
            attempts: delivery.attempts,
            next_ms: delivery.next_ms,
            status: delivery.status,
            error: delivery.error,
        }
    }
}

impl Service {
    /// Makes an endpoint.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`, `not_possible` when there are as many as may be.
    pub async fn create_webhook(
        self: &Arc<Self>,
        steward: &Steward,
        new: NewWebhook,
    ) -> Result<MadeWebhook, ServiceError> {
        self.must_steward(steward).await?;
        let webhook = Webhook {
            id: format!("wh-{}", random_base32()),
            url: self.checked_url(&new.url)?,
            secret: signature::secret(),
            events: names(&new.events)?,
            rooms: checked_rooms(steward, new.rooms)?,
            state: WebhookState::Active,
            created_by: steward.name().to_owned(),
            created_ms: (self.now_ms)(),
            since_ms: (self.now_ms)(),
            waiting_count: 0,
            dropped_count: 0,
        };
        if !self.directory.add_webhook(&webhook, ENDPOINTS_MAX).await? {
            let why = format!("There are {ENDPOINTS_MAX} webhooks already, and no more may be. Remove one.");
            return Err(ServiceError::because(ErrorCode::NotPossible, why));
        }
        self.start_webhooks().await?;
        self.audit_steward(steward, Action::WebhookCreated, &webhook.id).await;
        Ok(MadeWebhook { secret: webhook.secret.clone(), webhook: webhook.into() })
    }

    /// Every endpoint; to a program, those within its key's rooms.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn list_webhooks(&self, steward: &Steward) -> Result<WebhookList, ServiceError> {
        self.must_steward(steward).await?;
        let mut webhooks = self.directory.webhooks().await?;
        webhooks.retain(|webhook| steward.reaches(&webhook.rooms));
        Ok(WebhookList { webhooks: webhooks.into_iter().map(WebhookView::from).collect() })
    }

    /// One endpoint.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn one_webhook(&self, steward: &Steward, id: &str) -> Result<WebhookView, ServiceError> {
        Ok(self.stewarded(steward, id).await?.into())
    }

    /// Changes an endpoint.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `bad_request`.
    pub async fn change_webhook(
        self: &Arc<Self>,
        steward: &Steward,
        id: &str,
        change: WebhookChange,
    ) -> Result<WebhookView, ServiceError> {
        self.stewarded(steward, id).await?;
        let WebhookChange { url, events, rooms, state } = change;
        let url = url.map(|url| self.checked_url(&url)).transpose()?;
        let events = events.map(|events| names(&events)).transpose()?;
        let rooms = rooms.map(|rooms| checked_rooms(steward, rooms)).transpose()?;
        if state == Some(WebhookState::Gone) {
            return Err(ServiceError::bad("The state can be set to active or paused."));
        }
        let now_ms = (self.now_ms)();
        let change = |webhook: &mut Webhook| {
            if !steward.reaches(&webhook.rooms) {
                // Somebody was faster, and it is out of reach by now.
                return Err(ServiceError::from(ErrorCode::NotFound));
            }
            if events.is_some() || rooms.is_some() {
                webhook.since_ms = now_ms;
            }
            webhook.url = url.unwrap_or(std::mem::take(&mut webhook.url));
            webhook.events = events.unwrap_or(std::mem::take(&mut webhook.events));
            webhook.rooms = rooms.unwrap_or(std::mem::take(&mut webhook.rooms));
            webhook.state = state.unwrap_or(webhook.state);
            Ok(())
        };
        let webhook = self.directory.change_webhook(id, change).await?;
        self.start_webhooks().await?;
        self.audit_steward(steward, Action::WebhookChanged, id).await;
        Ok(webhook.into())
    }

    /// Removes an endpoint with everything that waits for it.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn remove_webhook(self: &Arc<Self>, steward: &Steward, id: &str) -> Result<(), ServiceError> {
        self.stewarded(steward, id).await?;
        if !self.directory.remove_webhook(id).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.start_webhooks().await?;
        self.audit_steward(steward, Action::WebhookRemoved, id).await;
        Ok(())
    }

    /// Tells an endpoint something that did not happen, at once and beside the queue.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn ping_webhook(&self, steward: &Steward, id: &str) -> Result<PingView, ServiceError> {
        let webhook = self.stewarded(steward, id).await?;
        let body = json!({"type": "ping", "time_ms": (self.now_ms)(), "data": {"webhook": id}});
        let event_id = format!("evt_{}{}", random_base32(), random_base32());
        let attempt = self.attempt(&webhook, &event_id, &body.to_string()).await;
        Ok(PingView { ok: attempt.is_success(), status: attempt.status, error: attempt.error })
    }

    /// What an endpoint was told, and what came of it.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `bad_request`.
    pub async fn deliveries(
        &self,
        steward: &Steward,
        id: &str,
        wish: DeliveryWish,
    ) -> Result<Page<DeliveryView>, ServiceError> {
        self.stewarded(steward, id).await?;
        let name = format!("deliveries {id} {}", wish.state.map_or("", DeliveryState::name));
        let (list, limit) = (List { name: &name, caller: steward.name() }, page::limit(wish.limit)?);
        let before = list.after(wish.cursor.as_deref())?.unwrap_or(i64::MAX as u64);
        let deliveries = self.directory.deliveries(id, wish.state, before, limit as u64 + 1).await?;
        Ok(Page::cut(deliveries, limit, list, |last| last.number).map(DeliveryView::from))
    }

    /// Has a delivery that was given up tried again.
    ///
    /// # Errors
    /// `forbidden`, `not_found` when there is no such one.
    pub async fn retry_delivery(&self, steward: &Steward, id: &str, number: u64) -> Result<(), ServiceError> {
        self.stewarded(steward, id).await?;
        if !self.directory.retry_delivery(id, number, (self.now_ms)()).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.webhooks.wake(std::iter::once(id));
        self.audit_steward(steward, Action::DeliveryRetried, &format!("{id}/{number}")).await;
        Ok(())
    }

    async fn stewarded(&self, steward: &Steward, id: &str) -> Result<Webhook, ServiceError> {
        self.must_steward(steward).await?;
        let webhook = self.directory.webhook(id).await?.filter(|webhook| steward.reaches(&webhook.rooms));
        Ok(webhook.ok_or(ErrorCode::NotFound)?)
    }

    fn checked_url(&self, url: &str) -> Result<String, ServiceError> {
        let url = self.webhooks.outward.check(url).map_err(|error| ServiceError::bad(format!("url: {error}.")))?;
        Ok(url.into())
    }
}

fn checked_rooms(steward: &Steward, rooms: String) -> Result<String, ServiceError> {
    Pattern::new(&rooms).map_err(|why| ServiceError::bad(format!("rooms: {why}.")))?;
    if steward.reaches(&rooms) {
        return Ok(rooms);
    }
    let why =
        "rooms: beyond those of the API key. What could begin with dialog-, such as *, needs the scope `dialogs`.";
    Err(ServiceError::because(ErrorCode::Forbidden, why))
}

fn names(events: &BTreeSet<EventKind>) -> Result<String, ServiceError> {
    if events.is_empty() {
        return Err(ServiceError::bad("Name at least one event; an endpoint without any would be told nothing."));
    }
    Ok(events.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" "))
}
