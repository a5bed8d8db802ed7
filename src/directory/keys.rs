//! The table of API keys: programs that come in by themselves.

use super::Directory;
use super::sql::{DirectoryError, Row, sql};

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// Its id, also in the key.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the secret part, hex.
    pub secret_hash: String,
    /// What it may do; words separated by spaces.
    pub scopes: String,
    /// In which rooms.
    pub rooms: String,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
    /// When it was last used, give or take a minute, milliseconds since 1970; 0: never.
    pub used_ms: u64,
    /// When it was taken back, milliseconds since 1970; 0: it was not.
    pub revoked_ms: u64,
}

impl ApiKeyRow {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            name: row.text("name")?,
            secret_hash: row.text("secret_hash")?,
            scopes: row.text("scopes")?,
            rooms: row.text("rooms")?,
            created_by: row.text("created_by")?,
            created_ms: row.count("created_ms")?,
            expires_ms: row.count("expires_ms")?,
            used_ms: row.count("used_ms")?,
            revoked_ms: row.count("revoked_ms")?,
        })
    }
}

impl Directory {
    /// A key by id, whether or not it still holds.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKeyRow>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM api_keys WHERE id = $1").bind(id)).await?;
        row.as_ref().map(ApiKeyRow::of).transpose()
    }

    /// Up to `limit` keys made before the given one, the newest first.
    pub async fn api_keys(&self, before: (u64, &str), limit: u64) -> Result<Vec<ApiKeyRow>, DirectoryError> {
        let statement = sql("SELECT * FROM api_keys WHERE created_ms < $1 OR (created_ms = $1 AND id < $2) \
             ORDER BY created_ms DESC, id DESC LIMIT $3");
        let rows = self.db.all(statement.bind(before.0).bind(before.1).bind(limit)).await?;
        rows.iter().map(ApiKeyRow::of).collect()
    }

    /// Adds a key.
    pub async fn add_api_key(&self, key: &ApiKeyRow) -> Result<(), DirectoryError> {
        let statement = sql("INSERT INTO api_keys (id, name, secret_hash, scopes, rooms, created_by, created_ms, \
             expires_ms, used_ms, revoked_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)")
        .bind(&key.id)
        .bind(&key.name)
        .bind(&key.secret_hash)
        .bind(&key.scopes)
        .bind(&key.rooms)
        .bind(&key.created_by)
        .bind(key.created_ms)
        .bind(key.expires_ms);
        self.db.run(statement).await.map(drop)
    }

    /// Takes a key back; whether it held until now.
    pub async fn revoke_api_key(&self, id: &str, now_ms: u64) -> Result<bool, DirectoryError> {
        let statement = sql("UPDATE api_keys SET revoked_ms = $2 WHERE id = $1 AND revoked_ms = 0");
        Ok(self.db.run(statement.bind(id).bind(now_ms)).await? > 0)
    }

    /// Keeps when a key was used.
    pub async fn api_key_used(&self, id: &str, now_ms: u64) -> Result<(), DirectoryError> {
        let statement = sql("UPDATE api_keys SET used_ms = $2 WHERE id = $1 AND used_ms < $2");
        self.db.run(statement.bind(id).bind(now_ms)).await.map(drop)
    }
}
