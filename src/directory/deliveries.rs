//! The table of deliveries: what is to be told to which endpoint, in order, and what came of it.
//!
//! Invariant: an event is there at most once for an endpoint, however often it is queued.

use std::sync::Arc;

use super::Directory;
use super::sql::{DirectoryError, Row, Tx, assembled, places, sql};

/// Answered deliveries that are kept to look at, of each endpoint.
const DONE_KEPT: u64 = 1_000;
/// How long a delivery that was given up is kept, milliseconds: 30 days.
const DEAD_KEPT_MS: u64 = 30 * 24 * 3_600_000;
/// Rows in one statement.
const ROWS: usize = 100;

/// Something that happened, ready to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// The same for every endpoint and at every attempt.
    pub id: String,
    /// What kind of event.
    pub event: &'static str,
    /// What is told; the same text for every endpoint.
    pub body: Arc<str>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Nothing yet, or the last attempt failed.
    Waiting,
    /// The endpoint has it.
    Done,
    /// It was given up.
    Dead,
}

/// One event for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the endpoint's order.
    pub number: u64,
    /// The event's id.
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
    /// Not to be tried before this, milliseconds since 1970.
    pub next_ms: u64,
    /// The last answer's status; 0: none came.
    pub status: u64,
    /// Why the last attempt was no success; empty if it was.
    pub error: String,
}

impl DeliveryState {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "dead" => Self::Dead,
            _ => Self::Waiting,
        }
    }
}

impl Delivery {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            number: row.count("number")?,
            event_id: row.text("event_id")?,
            event: row.text("event")?,
            body: row.text("body")?,
            state: DeliveryState::of(&row.text("state")?),
            since_ms: row.count("since_ms")?,
            changed_ms: row.count("changed_ms")?,
            attempts: row.count("attempts")?,
            next_ms: row.count("next_ms")?,
            status: row.count("status")?,
            error: row.text("error")?,
        })
    }
}

/// Puts events into the queues of endpoints, within a change of something else. Of a full queue the newest are refused and
/// counted; how many were.
pub(super) async fn queue_all(
    tx: &mut Tx,
    rows: &[(String, Vec<WebhookRow>)],
    waiting_max: u64,
) -> Result<u64, DirectoryError> {
    let mut dropped = 0;
    // Whoever takes the locks of several endpoints takes them in the same order, or two would wait for each other.
    let mut ordered: Vec<_> = rows.iter().collect();
    ordered.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (webhook, rows) in ordered {
        dropped += queue(tx, webhook, rows, waiting_max).await?;
    }
    Ok(dropped)
}

async fn queue(tx: &mut Tx, webhook: &str, rows: &[WebhookRow], waiting_max: u64) -> Result<u64, DirectoryError> {
    tx.lock(&format!("webhook {webhook}")).await?;
    let found = sql("SELECT last_number, waiting_count FROM webhooks WHERE id = $1 AND state <> 'gone'");
    let Some(found) = tx.one(found.bind(webhook)).await? else { return Ok(0) };
    let (mut number, waiting) = (found.count("last_number")?, found.count("waiting_count")?);
    let room = usize::try_from(waiting_max.saturating_sub(waiting)).unwrap_or(usize::MAX).min(rows.len());
    let mut added = 0;
    for rows in rows[..room].chunks(ROWS) {
        let values = (0..rows.len()).map(|row| {
            let at = 1 + 6 * row;
            format!(
                "(${}, ${}, ${}, ${}, ${}, 'waiting', ${}, ${}, 0, 0, 0, '')",
                at,
                at + 1,
                at + 2,
                at + 3,
                at + 4,
                at + 5,
                at + 5
            )
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let mut statement = assembled(format!(
            "INSERT INTO deliveries (webhook_id, number, event_id, event, body, state, since_ms, changed_ms, attempts, \
             next_ms, status, error) VALUES {values} ON CONFLICT (webhook_id, event_id) DO NOTHING"
        ));
        for row in rows {
            number += 1;
            statement =
                statement.bind(webhook).bind(number).bind(&row.id).bind(row.event).bind(&*row.body).bind(row.at_ms);
        }
        added += tx.run(statement).await?;
    }
    let dropped = (rows.len() - room) as u64;
    let counted = sql("UPDATE webhooks SET last_number = $2, waiting_count = waiting_count + $3, \
         dropped_count = dropped_count + $4 WHERE id = $1");
    tx.run(counted.bind(webhook).bind(number).bind(added).bind(dropped)).await?;
    Ok(dropped)
}

impl Directory {
    /// Puts events into the queues of endpoints, all or none; how many were refused because a queue was full.
    pub async fn queue_deliveries(
        &self,
        rows: &[(String, Vec<WebhookRow>)],
        waiting_max: u64,
    ) -> Result<u64, DirectoryError> {
        let mut tx = self.db.begin().await?;
        let dropped = queue_all(&mut tx, rows, waiting_max).await?;
        tx.commit().await?;
        Ok(dropped)
    }

    /// What is to be told next, in order.
    pub async fn waiting_deliveries(&self, webhook: &str, limit: u64) -> Result<Vec<Delivery>, DirectoryError> {
        let statement =
            sql("SELECT * FROM deliveries WHERE webhook_id = $1 AND state = 'waiting' ORDER BY number LIMIT $2");
        let rows = self.db.all(statement.bind(webhook).bind(limit)).await?;
        rows.iter().map(Delivery::of).collect()
    }

    /// Deliveries with a number below `before`, the newest first.
    pub async fn deliveries(
        &self,
        webhook: &str,
        state: Option<DeliveryState>,
        before: u64,
        limit: u64,
    ) -> Result<Vec<Delivery>, DirectoryError> {
        let statement = match state {
            None => sql("SELECT * FROM deliveries WHERE webhook_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3")
                .bind(webhook)
                .bind(before)
                .bind(limit),
            Some(state) => sql("SELECT * FROM deliveries WHERE webhook_id = $1 AND number < $2 AND state = $4 \
                 ORDER BY number DESC LIMIT $3")
            .bind(webhook)
            .bind(before)
            .bind(limit)
            .bind(state.name()),
        };
        let rows = self.db.all(statement).await?;
        rows.iter().map(Delivery::of).collect()
    }

    /// An attempt failed; the next one is due at `next_ms`, or never when it was given up. `status` is 0 if no answer came.
    pub async fn delivery_failed(&self, webhook: &str, delivery: &Delivery, now_ms: u64) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        let statement = sql("UPDATE deliveries SET state = $3, attempts = $4, next_ms = $5, status = $6, error = $7, \
             changed_ms = $8, since_ms = $9 WHERE webhook_id = $1 AND number = $2 AND state = 'waiting'")
        .bind(webhook)
        .bind(delivery.number)
        .bind(delivery.state.name())
        .bind(delivery.attempts)
        .bind(delivery.next_ms)
        .bind(delivery.status)
        .bind(&delivery.error)
        .bind(now_ms)
        .bind(delivery.since_ms);
        let changed = tx.run(statement).await?;
        if delivery.state == DeliveryState::Dead {
            tx.run(counted(webhook, changed)).await?;
        }
        tx.commit().await
    }

    /// The endpoint has these. What is too old to be looked at goes.
    pub async fn deliveries_done(
        &self,
        webhook: &str,
        numbers: &[u64],
        status: u64,
        now_ms: u64,
    ) -> Result<(), DirectoryError> {
        let Some(last) = numbers.last() else { return Ok(()) };
        let mut tx = self.db.begin().await?;
        let statement = assembled(format!(
            "UPDATE deliveries SET state = 'done', attempts = attempts + 1, next_ms = 0, status = $2, error = '', \
             changed_ms = $3 WHERE webhook_id = $1 AND state = 'waiting' AND number IN ({})",
            places(4, numbers.len())
        ));
        let statement = statement.bind(webhook).bind(status).bind(now_ms).bind_all(numbers.iter().copied());
        let changed = tx.run(statement).await?;
        tx.run(counted(webhook, changed)).await?;
        let old = sql("DELETE FROM deliveries WHERE webhook_id = $1 AND state = 'done' AND number < $2");
        tx.run(old.bind(webhook).bind(last.saturating_sub(DONE_KEPT))).await?;
        let old = sql("DELETE FROM deliveries WHERE webhook_id = $1 AND state = 'dead' AND changed_ms < $2");
        tx.run(old.bind(webhook).bind(now_ms.saturating_sub(DEAD_KEPT_MS))).await?;
        tx.commit().await
    }

    /// Has a delivery that was given up tried again, before all later ones; whether there is such a one.
    pub async fn retry_delivery(&self, webhook: &str, number: u64, now_ms: u64) -> Result<bool, DirectoryError> {
        let mut tx = self.db.begin().await?;
        let statement = sql("UPDATE deliveries SET state = 'waiting', attempts = 0, next_ms = 0, since_ms = $3, \
             changed_ms = $3 WHERE webhook_id = $1 AND number = $2 AND state = 'dead'");
        let changed = tx.run(statement.bind(webhook).bind(number).bind(now_ms)).await?;
        let more = sql("UPDATE webhooks SET waiting_count = waiting_count + $2 WHERE id = $1");
        tx.run(more.bind(webhook).bind(changed)).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }
}

/// That many wait no more.
fn counted(webhook: &str, changed: u64) -> super::sql::Statement {
    sql("UPDATE webhooks SET waiting_count = waiting_count - $2 WHERE id = $1").bind(webhook).bind(changed)
}
