//! Stored files: who may read which, and which nobody needs any more.
//!
//! Owns the rule of access: who uploaded a file reads it, and so does whoever reads a room in which a retained message
//! names it, or sees whose face it is. To everybody else it looks as if it did not exist. Invariant: nobody comes to
//! read a file by naming it, because one names only what one reads.

use std::ops::Range;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use konvert_protocol::{ErrorCode, blob_digest};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, Service, ServiceError, texts};
use crate::auth::{Identity, Permission};
use crate::blobs::{BlobError, is_shown};
use crate::broker::DIALOG_PREFIX;
use crate::directory::{Blob, Directory, DirectoryError};

/// Most rooms that are asked whether a reader by token reads one of them.
const ROOMS_MAX: u32 = 1_000;
/// Files that are deleted, uploads that are given up, and rooms that are looked at in one sweep.
const SWEEP_MAX: u32 = 1_000;
/// Files of one sweep that may fail to be deleted before the rest waits.
const FAILURES_MAX: usize = 3;
/// After a start nothing is deleted for this long, if files stay as long: what was said before the end is followed first.
const QUIET_MS: u64 = 3_600_000;
/// How long bytes may take to come, milliseconds; what is unsettled for longer was left by a crash.
const SETTLE_MS: u64 = 24 * 3_600_000;

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BlobInfo {
    /// The SHA-256 of its bytes, hex.
    pub id: String,
    /// How long it is, bytes.
    pub size_bytes: u64,
    /// Its type, as its bytes show it.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was first stored, milliseconds since 1970.
    pub created_ms: u64,
    /// Whether a browser may show it by itself, rather than save it.
    #[serde(skip)]
    pub is_shown: bool,
}

impl From<Blob> for BlobInfo {
    fn from(blob: Blob) -> Self {
        let Blob { id, size_bytes, kind, created_ms } = blob;
        Self { is_shown: is_shown(&kind), id, size_bytes, kind, created_ms }
    }
}

impl From<BlobError> for ServiceError {
    fn from(error: BlobError) -> Self {
        const RETRY_MS: u32 = 10_000;
        match error {
            BlobError::Gone => ErrorCode::NotFound.into(),
            BlobError::Full => Self {
                retry_after_ms: RETRY_MS,
                ..Self::because(
                    ErrorCode::ReadOnly,
                    "The server has no space for files now; its operator must make some.",
                )
            },
            BlobError::Elsewhere(offset) => {
                let text = format!("The upload stands at {offset}; ask with HEAD and go on from there.");
                Self::because(ErrorCode::OffsetMismatch, text)
            }
            BlobError::TooMany => {
                Self::because(ErrorCode::BodyTooLarge, "There is more than was announced; nothing of it was kept.")
            }
            BlobError::Damaged => ErrorCode::PieceDamaged.into(),
            BlobError::TakenOver => Self::because(
                ErrorCode::OffsetMismatch,
                "Another request has taken the upload over; ask with HEAD where it stands.",
            ),
            BlobError::Failed(reason) => {
                tracing::error!(reason, "the store of files failed");
                let text = "Stored files are out of reach for a while. Wait `retry_after_ms` and try again; the operator \
                     finds the reason in the log.";
                Self { retry_after_ms: RETRY_MS, ..Self::because(ErrorCode::Unavailable, text) }
            }
        }
    }
}

/// There is a row and there are no bytes. Whoever has them can bring them back.
fn lost(id: &str) -> ServiceError {
    tracing::error!(id, "a file is not in the store any more");
    let text = "The bytes of this file are lost. Whoever has them can upload them again.";
    ServiceError::because(ErrorCode::NotFound, text)
}

/// Whether somebody may read all of these files; if so, they stay for a while, because they are about to be named.
pub(super) async fn may_name(
    directory: &Directory,
    identity: &Identity,
    room: &str,
    mut blobs: Vec<String>,
    now_ms: u64,
) -> Result<bool, DirectoryError> {
    // What is no name at all is refused for that, elsewhere.
    blobs.retain(|blob| blob_digest(blob).is_some());
    blobs.sort_unstable();
    blobs.dedup();
    for blob in &blobs {
        if !may_read(directory, identity, blob).await? {
            return Ok(false);
        }
    }
    if blobs.is_empty() {
        return Ok(true);
    }
    if !room.starts_with(DIALOG_PREFIX) {
        directory.follow_from_start(room).await?;
    }
    directory.touch_blobs(&blobs, now_ms).await
}

async fn may_read(directory: &Directory, who: &Identity, blob: &str) -> Result<bool, DirectoryError> {
    let reads = match who.rooms_only {
        true => directory.owns_blob(blob, &who.user).await?,
        false => directory.reads_blob(blob, &who.user).await?,
    };
    if reads {
        return Ok(true);
    }
    let rooms = directory.rooms_naming_blob(blob, ROOMS_MAX).await?;
    Ok(rooms.iter().any(|room| who.grants.allow(room).contains(Permission::Read)))
}

impl Service {
    /// What is known of a file.
    ///
    /// # Errors
    /// `not_found`, also for those who may not read it.
    pub async fn blob(&self, caller: &Caller, id: &str) -> Result<BlobInfo, ServiceError> {
        blob_digest(id).ok_or(ErrorCode::NotFound)?;
        let blob = self.directory.blob(id).await?.ok_or(ErrorCode::NotFound)?;
        match may_read(&self.directory, &caller.identity, id).await? {
            true => Ok(blob.into()),
            false => Err(ErrorCode::NotFound.into()),
        }
    }

    /// A stretch of a file that one may read, as it comes from the store.
    ///
    /// # Errors
    /// `unavailable` when the store fails; `not_found` when it has lost the file, which no waiting brings back.
    pub async fn blob_bytes(
        &self,
        blob: &BlobInfo,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, ServiceError> {
        self.blobs.read(&blob.id, range).await.map_err(|error| match error {
            BlobError::Gone => lost(&blob.id),
            error => error.into(),
        })
    }

    /// Whether the bytes of a file that one may read are there.
    ///
    /// # Errors
    /// As of [`Service::blob_bytes`].
    pub async fn has_blob_bytes(&self, blob: &BlobInfo) -> Result<(), ServiceError> {
        match self.blobs.has(&blob.id).await? {
            true => Ok(()),
            false => Err(lost(&blob.id)),
        }
    }

    /// The name of a file that is to be a face: a picture that the caller reads. It stays for a while.
    ///
    /// # Errors
    /// `bad_request` for what is no name; `not_found`; `type_not_allowed` for what is no picture.
    pub(super) async fn avatar(&self, caller: &Caller, id: &str) -> Result<String, ServiceError> {
        let blob = self.blob(caller, &texts::blob(id)?).await?;
        if !blob.is_shown || !blob.kind.starts_with("image/") {
            return Err(ServiceError::because(ErrorCode::TypeNotAllowed, "An avatar is a picture."));
        }
        match self.directory.touch_blobs(std::slice::from_ref(&blob.id), (self.now_ms)()).await? {
            true => Ok(blob.id),
            false => Err(ErrorCode::NotFound.into()),
        }
    }

    /// Deletes what nobody needs: uploads whose time is over, what trimmed messages named, and files that nothing names.
    /// `after` is where the look at rooms goes on the next time. Call it again and again; each step is small.
    ///
    /// # Errors
    /// When the directory or the store fails; what was done stays done.
    pub async fn sweep_blobs(&self, started_ms: u64, after: &mut String) -> Result<(), ServiceError> {
        let now_ms = (self.now_ms)();
        for id in self.directory.expired_uploads(now_ms, SWEEP_MAX).await? {
            let turn = self.blobs.take_over(&id).await;
            let gone = self.blobs.forget(&id).await;
            self.blobs.let_go(&id, turn);
            gone?;
            self.directory.remove_upload(&id).await?;
        }
        let rooms = self.directory.rooms_with_blobs(after, SWEEP_MAX).await?;
        *after = rooms.last().map(|(room, _)| room.clone()).unwrap_or_default();
        for (room, first_named) in rooms {
            let bounds = self.broker.find(&room).and_then(|info| self.broker.bounds(info.id).ok());
            if let Some(bounds) = bounds.filter(|bounds| bounds.first > first_named) {
                self.directory.trim_blob_refs(&room, bounds.first).await?;
            }
        }
        let unreferenced_ms = self.blobs.config().unreferenced_s * 1_000;
        if now_ms < started_ms + unreferenced_ms.min(QUIET_MS) {
            return Ok(());
        }
        // What was marked by the last sweep goes; what is marked by this one, the next time.
        let mut failures = Vec::new();
        for id in self.directory.blobs_to_delete(now_ms.saturating_sub(SETTLE_MS), SWEEP_MAX).await? {
            // What cannot be deleted keeps nothing else; a store that deletes nothing is left alone until the next time.
            if let Err(error) = self.collect_blob(&id).await {
                failures.push(error);
            }
            if failures.len() == FAILURES_MAX {
                break;
            }
        }
        self.directory.mark_blobs(now_ms.saturating_sub(unreferenced_ms)).await?;
        failures.pop().map_or(Ok(()), Err)
    }

    async fn collect_blob(&self, id: &str) -> Result<(), ServiceError> {
        // Nobody stores the same file meanwhile.
        let _turn = self.blobs.turn(id).await?;
        if self.directory.unsettle_blob(id).await? {
            self.blobs.remove(id).await?;
            self.directory.remove_blob(id).await?;
            self.blobs.counters.collected.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Deletes what is in staging and of which no upload knows. Call it once, before anything is uploaded.
    ///
    /// # Errors
    /// When the directory or the disk fails.
    pub async fn tidy_staging(&self) -> Result<(), ServiceError> {
        for id in self.blobs.staged().await? {
            if self.directory.upload(&id).await?.is_none() {
                self.blobs.forget(&id).await?;
            }
        }
        Ok(())
    }
}
