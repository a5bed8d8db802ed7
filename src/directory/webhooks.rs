//! The table of webhooks: who outside wants to be told of what, and where.

use super::Directory;
use super::sql::{DirectoryError, Row, Tx, sql};

/// Whether an endpoint is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookState {
    /// Yes.
    Active,
    /// Its events gather meanwhile.
    Paused,
    /// It answered 410: it wants nothing any more. Nothing gathers.
    Gone,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where it is told.
    pub url: String,
    /// What its deliveries are signed with.
    pub secret: String,
    /// Which events; names separated by spaces.
    pub events: String,
    /// Events of which rooms.
    pub rooms: String,
    /// Whether it is told.
    pub state: WebhookState,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Messages stored before are not told, milliseconds since 1970.
    pub since_ms: u64,
    /// Deliveries that wait.
    pub waiting_count: u64,
    /// Events that were not taken because too many waited.
    pub dropped_count: u64,
}

impl WebhookState {
    /// Its name in the table and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Gone => "gone",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "active" => Self::Active,
            "gone" => Self::Gone,
            _ => Self::Paused,
        }
    }
}

impl Webhook {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            url: row.text("url")?,
            secret: row.text("secret")?,
            events: row.text("events")?,
            rooms: row.text("rooms")?,
            state: WebhookState::of(&row.text("state")?),
            created_by: row.text("created_by")?,
            created_ms: row.count("created_ms")?,
            since_ms: row.count("since_ms")?,
            waiting_count: row.count("waiting_count")?,
            dropped_count: row.count("dropped_count")?,
        })
    }
}

impl Directory {
    /// An endpoint by id.
    pub async fn webhook(&self, id: &str) -> Result<Option<Webhook>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM webhooks WHERE id = $1").bind(id)).await?;
        row.as_ref().map(Webhook::of).transpose()
    }

    /// Every endpoint, the oldest first; there are few.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, DirectoryError> {
        let rows = self.db.all(sql("SELECT * FROM webhooks ORDER BY created_ms, id")).await?;
        rows.iter().map(Webhook::of).collect()
    }

    /// Adds an endpoint, unless there are `max` already; whether it was added.
    pub async fn add_webhook(&self, webhook: &Webhook, max: u64) -> Result<bool, DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.lock("webhooks").await?;
        let count = tx.one(sql("SELECT COUNT(*) AS n FROM webhooks")).await?;
        if count.map_or(Ok(0), |row| row.count("n"))? >= max {
            return Ok(false);
        }
        let statement = sql("INSERT INTO webhooks (id, url, secret, events, rooms, state, created_by, created_ms, since_ms, last_number, waiting_count, dropped_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0)")
        .bind(&webhook.id)
        .bind(&webhook.url)
        .bind(&webhook.secret)
        .bind(&webhook.events)
        .bind(&webhook.rooms)
        .bind(webhook.state.name())
        .bind(&webhook.created_by)
        .bind(webhook.created_ms)
        .bind(webhook.since_ms);
        tx.run(statement).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes where an endpoint is, what it is told, and whether: `change` is told the row as it is and makes it what it
    /// shall be. No other change of the endpoint comes between. What waits is due at once. Returns the row.
    ///
    /// # Errors
    /// What `change` says; then nothing changed. [`DirectoryError::Missing`] when it is not there.
    pub async fn change_webhook<E: From<DirectoryError>>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Webhook) -> Result<(), E> + Send,
    ) -> Result<Webhook, E> {
        let mut tx = self.begin_with_webhook(id).await?;
        // Deliveries first, as when one was tried, or the two would wait for each other.
        let due = sql("UPDATE deliveries SET next_ms = 0 WHERE webhook_id = $1 AND state = 'waiting' AND next_ms > 0");
        tx.run(due.bind(id)).await?;
        let row = tx.one(sql("SELECT * FROM webhooks WHERE id = $1").bind(id)).await?.ok_or(DirectoryError::Missing)?;
        let mut webhook = Webhook::of(&row)?;
        change(&mut webhook)?;
        let statement =
            sql("UPDATE webhooks SET url = $2, events = $3, rooms = $4, state = $5, since_ms = $6 WHERE id = $1")
                .bind(&webhook.id)
                .bind(&webhook.url)
                .bind(&webhook.events)
                .bind(&webhook.rooms)
                .bind(webhook.state.name())
                .bind(webhook.since_ms);
        tx.run(statement).await?;
        tx.commit().await?;
        Ok(webhook)
    }

    /// The endpoint wants nothing any more.
    pub async fn webhook_gone(&self, id: &str) -> Result<(), DirectoryError> {
        let mut tx = self.begin_with_webhook(id).await?;
        tx.run(sql("UPDATE webhooks SET state = 'gone' WHERE id = $1").bind(id)).await?;
        tx.commit().await
    }

    /// Removes an endpoint with everything that waits for it; whether it was there.
    pub async fn remove_webhook(&self, id: &str) -> Result<bool, DirectoryError> {
        let mut tx = self.begin_with_webhook(id).await?;
        // Deliveries first here too.
        tx.run(sql("DELETE FROM deliveries WHERE webhook_id = $1").bind(id)).await?;
        let removed = tx.run(sql("DELETE FROM webhooks WHERE id = $1").bind(id)).await?;
        tx.commit().await?;
        Ok(removed > 0)
    }

    /// Holds the endpoint against every other change of it, also against events that are queued for it.
    async fn begin_with_webhook(&self, id: &str) -> Result<Tx, DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.lock(&format!("webhook {id}")).await?;
        Ok(tx)
    }
}
