//! The table of files on their way here.

use super::Directory;
use super::blobs::stored_bytes;
use super::sql::{DirectoryError, Row, sql};

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// Whose.
    pub user_id: String,
    /// How long it will be, bytes.
    pub size_bytes: u64,
    /// What the uploader said of it, as it came.
    pub metadata: String,
    /// What its SHA-256 is to be, hex.
    pub sha256: Option<String>,
    /// When it is given up, milliseconds since 1970.
    pub expires_ms: u64,
    /// What it became.
    pub blob: Option<String>,
}

/// Why one more upload was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// As many as allowed are not finished.
    TooMany,
    /// The user's files would be more than this many bytes.
    TooMuch(u64),
}

impl Upload {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            user_id: row.text("user_id")?,
            size_bytes: row.count("size_bytes")?,
            metadata: row.text("metadata")?,
            sha256: row.maybe_text("sha256")?,
            expires_ms: row.count("expires_ms")?,
            blob: row.maybe_text("blob")?,
        })
    }
}

impl Directory {
    /// An upload by id.
    pub async fn upload(&self, id: &str) -> Result<Option<Upload>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM uploads WHERE id = $1").bind(id)).await?;
        row.as_ref().map(Upload::of).transpose()
    }

    /// Adds an upload if, with it, its user has no more than `pending_max` that are not finished, and no more than
    /// `bytes_max` of files.
    pub async fn add_upload(
        &self,
        upload: &Upload,
        pending_max: u32,
        bytes_max: Option<u64>,
    ) -> Result<Result<(), Refused>, DirectoryError> {
        let mut tx = self.db.begin().await?;
        tx.lock(&format!("uploads {}", upload.user_id)).await?;
        let pending = sql("SELECT COUNT(*) AS uploads FROM uploads WHERE user_id = $1 AND blob IS NULL");
        let pending = tx.one(pending.bind(&upload.user_id)).await?.map_or(Ok(0), |row| row.count("uploads"))?;
        if pending >= u64::from(pending_max) {
            return Ok(Err(Refused::TooMany));
        }
        if let Some(most) = bytes_max {
            let stored = tx.one(stored_bytes(&upload.user_id)).await?.map_or(Ok(0), |row| row.count("bytes"))?;
            if stored.saturating_add(upload.size_bytes) > most {
                return Ok(Err(Refused::TooMuch(most)));
            }
        }
        let statement = sql("INSERT INTO uploads (id, user_id, size_bytes, metadata, sha256, expires_ms, blob) \
             VALUES ($1, $2, $3, $4, $5, $6, NULL)")
        .bind(&upload.id)
        .bind(&upload.user_id)
        .bind(upload.size_bytes)
        .bind(&upload.metadata)
        .bind(upload.sha256.as_deref())
        .bind(upload.expires_ms);
        tx.run(statement).await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Removes an upload.
    pub async fn remove_upload(&self, id: &str) -> Result<(), DirectoryError> {
        self.db.run(sql("DELETE FROM uploads WHERE id = $1").bind(id)).await.map(drop)
    }

    /// Uploads whose time is over.
    pub async fn expired_uploads(&self, now_ms: u64, most: u32) -> Result<Vec<String>, DirectoryError> {
        let statement = sql("SELECT id FROM uploads WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2");
        let rows = self.db.all(statement.bind(now_ms).bind(most)).await?;
        rows.iter().map(|row| row.text("id")).collect()
    }
}
