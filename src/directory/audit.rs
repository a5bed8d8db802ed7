//! The table of actions that matter for security.

use super::Directory;
use super::sql::{DirectoryError, Row, sql};

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: String,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Who did it: a user's id, the id of an API key, or empty when nobody is known.
    pub actor: String,
    /// What, such as `sign_in_failed`.
    pub action: String,
    /// To whom or what; an id, or empty.
    pub target: String,
    /// From where.
    pub address: String,
    /// More of it, for people.
    pub detail: String,
}

impl AuditEntry {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            at_ms: row.count("at_ms")?,
            actor: row.text("actor")?,
            action: row.text("action")?,
            target: row.text("target")?,
            address: row.text("address")?,
            detail: row.text("detail")?,
        })
    }
}

impl Directory {
    /// Adds an action.
    pub async fn add_audit(&self, entry: &AuditEntry) -> Result<(), DirectoryError> {
        let statement = sql("INSERT INTO audit (id, at_ms, actor, action, target, address, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&entry.id)
        .bind(entry.at_ms)
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.target)
        .bind(&entry.address)
        .bind(&entry.detail);
        self.db.run(statement).await.map(drop)
    }

    /// The newest `limit` actions before the one of this time and id, newest first.
    pub async fn audit(&self, before: (u64, &str), limit: usize) -> Result<Vec<AuditEntry>, DirectoryError> {
        let statement = sql("SELECT * FROM audit WHERE (at_ms, id) < ($1, $2) ORDER BY at_ms DESC, id DESC LIMIT $3")
            .bind(before.0)
            .bind(before.1)
            .bind(limit as u64);
        self.db.all(statement).await?.iter().map(AuditEntry::of).collect()
    }

    /// Forgets what was done before `before_ms`.
    pub async fn trim_audit(&self, before_ms: u64) -> Result<u64, DirectoryError> {
        self.db.run(sql("DELETE FROM audit WHERE at_ms < $1").bind(before_ms)).await
    }
}
