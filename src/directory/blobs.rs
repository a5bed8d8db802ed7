//! The tables of stored files and of who has uploaded them.
//!
//! A file is `unsettled` while its bytes come or go, so that neither a crash nor an upload at the same moment leaves a
//! row without bytes that somebody could read, or bytes that no row knows of.

use super::Directory;
use super::sql::{DirectoryError, Row, assembled, places, sql};

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The SHA-256 of its bytes, hex.
    pub id: String,
    /// How long it is, bytes.
    pub size_bytes: u64,
    /// Its type, such as `image/png`.
    pub kind: String,
    /// When it was first stored, milliseconds since 1970.
    pub created_ms: u64,
}

/// What keeps a file: a message, somebody's face, a dialog's.
const IS_UNREFERENCED: &str = "NOT EXISTS (SELECT 1 FROM blob_refs r WHERE r.blob = blobs.id) \
     AND NOT EXISTS (SELECT 1 FROM users u WHERE u.avatar = blobs.id) \
     AND NOT EXISTS (SELECT 1 FROM dialogs d WHERE d.avatar = blobs.id)";

impl Blob {
    fn of(row: &Row) -> Result<Self, DirectoryError> {
        Ok(Self {
            id: row.text("id")?,
            size_bytes: row.count("size_bytes")?,
            kind: row.text("kind")?,
            created_ms: row.count("created_ms")?,
        })
    }
}

impl Directory {
    /// A file, whoever may read it.
    pub async fn blob(&self, id: &str) -> Result<Option<Blob>, DirectoryError> {
        let row = self.db.one(sql("SELECT * FROM blobs WHERE id = $1 AND state <> 'unsettled'").bind(id)).await?;
        row.as_ref().map(Blob::of).transpose()
    }

    /// Whether somebody may read a file as who uploaded it, as a member of a dialog that names it or shows it, or
    /// because it is the face of a user.
    pub async fn reads_blob(&self, id: &str, user: &str) -> Result<bool, DirectoryError> {
        let statement = sql("SELECT 1 AS x WHERE \
             EXISTS (SELECT 1 FROM blob_owners o WHERE o.blob = $1 AND o.user_id = $2) \
             OR EXISTS (SELECT 1 FROM blob_refs r JOIN members m ON m.dialog_id = r.room \
                 WHERE r.blob = $1 AND m.user_id = $2) \
             OR EXISTS (SELECT 1 FROM users u WHERE u.avatar = $1 AND u.state = 'active') \
             OR EXISTS (SELECT 1 FROM dialogs d JOIN members m ON m.dialog_id = d.id \
                 WHERE d.avatar = $1 AND m.user_id = $2)")
        .bind(id)
        .bind(user);
        Ok(self.db.one(statement).await?.is_some())
    }

    /// Whether somebody reads a file whatever they are a member of: they uploaded it, or it is somebody's face.
    pub async fn owns_blob(&self, id: &str, user: &str) -> Result<bool, DirectoryError> {
        let statement = sql("SELECT 1 AS x WHERE \
             EXISTS (SELECT 1 FROM blob_owners o WHERE o.blob = $1 AND o.user_id = $2) \
             OR EXISTS (SELECT 1 FROM users u WHERE u.avatar = $1 AND u.state = 'active')")
        .bind(id)
        .bind(user);
        Ok(self.db.one(statement).await?.is_some())
    }

    /// Makes the row of a file whose bytes are to be stored now. Returns whether they are
    /// here already.
    pub async fn expect_blob(&self, blob: &Blob) -> Result<bool, DirectoryError> {
        let statement = sql("INSERT INTO blobs (id, size_bytes, kind, created_ms, touched_ms, state) \
             VALUES ($1, $2, $3, $4, $4, 'unsettled') ON CONFLICT (id) DO UPDATE SET touched_ms = excluded.touched_ms")
        .bind(&blob.id)
        .bind(blob.size_bytes)
        .bind(&blob.kind)
        .bind(blob.created_ms);
        self.db.run(statement).await?;
        Ok(self.blob(&blob.id).await?.is_some())
    }

    /// The bytes are here, and this upload has become the file.
    pub async fn settle_blob(&self, id: &str, upload: &str, user: &str, now_ms: u64) -> Result<(), DirectoryError> {
        let mut tx = self.db.begin().await?;
        let settle = sql("UPDATE blobs SET state = 'here', touched_ms = $2 WHERE id = $1");
        tx.run(settle.bind(id).bind(now_ms)).await?;
        let own = sql("INSERT INTO blob_owners (blob, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        tx.run(own.bind(id).bind(user)).await?;
        tx.run(sql("UPDATE uploads SET blob = $1 WHERE id = $2").bind(id).bind(upload)).await?;
        tx.commit().await
    }

    /// Keeps files from being deleted for a while, because they are about to be named. Returns whether all are there.
    pub async fn touch_blobs(&self, ids: &[String], now_ms: u64) -> Result<bool, DirectoryError> {
        let text = format!(
            "UPDATE blobs SET touched_ms = $1, state = 'here' WHERE state <> 'unsettled' AND id IN ({})",
            places(2, ids.len())
        );
        let touched = self.db.run(assembled(text).bind(now_ms).bind_all(ids)).await?;
        Ok(touched == ids.len() as u64)
    }

    /// Marks what nothing names and nobody touched since `before_ms`.
    pub async fn mark_blobs(&self, before_ms: u64) -> Result<u64, DirectoryError> {
        let text =
            format!("UPDATE blobs SET state = 'marked' WHERE state = 'here' AND touched_ms < $1 AND {IS_UNREFERENCED}");
        self.db.run(assembled(text).bind(before_ms)).await
    }

    /// What was marked; then what was left unsettled since `before_ms`, or could not be deleted the last time.
    pub async fn blobs_to_delete(&self, before_ms: u64, most: u32) -> Result<Vec<String>, DirectoryError> {
        let statement =
            sql("SELECT id FROM blobs WHERE state = 'marked' OR (state = 'unsettled' AND touched_ms < $1) \
             ORDER BY state, touched_ms LIMIT $2")
            .bind(before_ms)
            .bind(most);
        self.db.all(statement).await?.iter().map(|row| row.text("id")).collect()
    }

    /// Has nobody know of a file any more whose bytes go next, and go at the next sweep if they do not go in this one;
    /// unless something names it now: then its mark goes.
    pub async fn unsettle_blob(&self, id: &str) -> Result<bool, DirectoryError> {
        let text = format!(
            "UPDATE blobs SET state = 'unsettled', touched_ms = 0 \
             WHERE id = $1 AND state <> 'here' AND {IS_UNREFERENCED}"
        );
        if self.db.run(assembled(text).bind(id)).await? > 0 {
            return Ok(true);
        }
        let unmark = sql("UPDATE blobs SET state = 'here' WHERE id = $1 AND state = 'marked'");
        self.db.run(unmark.bind(id)).await.map(|_| false)
    }

    /// The bytes of a file are gone.
    pub async fn remove_blob(&self, id: &str) -> Result<(), DirectoryError> {
        self.db.run(sql("DELETE FROM blobs WHERE id = $1 AND state = 'unsettled'").bind(id)).await.map(drop)
    }

    /// How many bytes of files count as a user's: what they uploaded, and what they are uploading.
    pub async fn stored_bytes(&self, user: &str) -> Result<u64, DirectoryError> {
        let row = self.db.one(stored_bytes(user)).await?;
        row.map_or(Ok(0), |row| row.count("bytes"))
    }

    /// How many files there are, and their bytes.
    pub async fn blob_totals(&self) -> Result<(u64, u64), DirectoryError> {
        let text = "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) AS bytes FROM blobs";
        let row = self.db.one(sql(text)).await?;
        row.map_or(Ok((0, 0)), |row| Ok((row.count("files")?, row.count("bytes")?)))
    }
}

pub(super) fn stored_bytes(user: &str) -> super::sql::Statement {
    sql("SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) AS bytes FROM (\
         SELECT b.size_bytes FROM blob_owners o JOIN blobs b ON b.id = o.blob WHERE o.user_id = $1 \
         UNION ALL SELECT size_bytes FROM uploads WHERE user_id = $1 AND blob IS NULL) AS mine")
    .bind(user)
}
