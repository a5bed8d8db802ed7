//! Files on their way here, by the protocol tus 1.0.0, from their announcement to the stored file.
//!
//! Invariant: an upload is known to its user alone. What it becomes is decided by its bytes: the hash that was announced
//! is compared, the type is looked up in them.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, stream};
use konvert_protocol::{ErrorCode, blob_digest, blob_name};

use super::limits::LimitKind;
use super::{BlobInfo, Caller, Service, ServiceError};
use crate::auth::random_base32;
use crate::blobs::admit;
use crate::directory::{Blob, Refused, Upload};

/// A file that somebody wants to upload.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// How long it will be, bytes.
    pub size_bytes: u64,
    /// What the uploader says of it, as it came.
    pub metadata: String,
    /// What its SHA-256 is to be, hex.
    pub sha256: Option<String>,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy)]
pub struct PieceHead {
    /// Where it begins.
    pub offset: u64,
    /// How long it is, bytes, where that is known before.
    pub size_bytes: Option<u64>,
    /// Its SHA-256.
    pub checksum: Option<[u8; 32]>,
}

/// Where an upload stands.
#[derive(Debug, Clone)]
pub struct UploadState {
    /// The upload; its `blob` is set when it is complete.
    pub upload: Upload,
    /// How much has arrived, bytes.
    pub offset: u64,
}

impl Service {
    /// The longest file, bytes.
    pub fn blob_bytes_max(&self) -> u64 {
        self.blobs.config().size_bytes_max
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// `body_too_large`, `bad_request`, `quota_exceeded`, `rate_limited` when too many are not finished, `read_only` when
    /// the disk is full.
    pub async fn begin_upload(&self, caller: &Caller, new: NewUpload) -> Result<UploadState, ServiceError> {
        let config = self.blobs.config();
        let NewUpload { size_bytes, metadata, sha256 } = new;
        if size_bytes > config.size_bytes_max {
            let text = format!("A file has at most {} bytes.", config.size_bytes_max);
            return Err(ServiceError::because(ErrorCode::BodyTooLarge, text));
        }
        if size_bytes == 0 {
            return Err(ServiceError::bad("A file has at least one byte."));
        }
        if sha256.as_ref().is_some_and(|hash| blob_digest(hash).is_none()) {
            return Err(ServiceError::bad("`sha256` is 64 digits from 0 to 9 and a to f."));
        }
        let user = &caller.identity.user;
        let upload = Upload {
            id: format!("upl-{}", random_base32()),
            user_id: user.to_string(),
            size_bytes,
            metadata,
            sha256,
            expires_ms: (self.now_ms)() + config.upload_expires_s * 1_000,
            blob: None,
        };
        let limits = self.roster.limits();
        limits.take(user, LimitKind::Uploads).map_err(ServiceError::used_up)?;
        match self.add_upload(&upload).await {
            Ok(()) => {
                let stored = self.directory.stored_bytes(user).await?;
                limits.grown(user, LimitKind::StorageBytes, stored.saturating_sub(size_bytes), stored);
                Ok(UploadState { upload, offset: 0 })
            }
            Err(error) => {
                limits.give_back(user, LimitKind::Uploads);
                Err(error)
            }
        }
    }

    async fn add_upload(&self, upload: &Upload) -> Result<(), ServiceError> {
        const RETRY_MS: u32 = 60_000;
        let bytes_max = self.roster.limits().of_user(&upload.user_id)[LimitKind::StorageBytes as usize];
        match self.directory.add_upload(upload, self.blobs.config().uploads_per_user, bytes_max).await? {
            Ok(()) => {}
            Err(Refused::TooMany) => {
                let text = "Too many uploads are not finished. Finish or delete some first.";
                let error = ServiceError::because(ErrorCode::RateLimited, text);
                return Err(ServiceError { retry_after_ms: RETRY_MS, ..error });
            }
            Err(Refused::TooMuch(most)) => {
                let text = format!("With this file yours would be more than {most} bytes; delete messages with files.");
                return Err(ServiceError::because(ErrorCode::QuotaExceeded, text));
            }
        }
        let begun = self.blobs.begin(&upload.id, upload.size_bytes).await;
        if begun.is_err() {
            self.directory.remove_upload(&upload.id).await?;
        }
        Ok(begun?)
    }

    /// Where an upload of the caller stands.
    ///
    /// # Errors
    /// `not_found`, also for those of others and those whose time is over.
    pub async fn upload(&self, caller: &Caller, id: &str) -> Result<UploadState, ServiceError> {
        let found = self.directory.upload(id).await?;
        let is_theirs =
            |upload: &Upload| upload.user_id == *caller.identity.user && upload.expires_ms > (self.now_ms)();
        let upload = found.filter(is_theirs).ok_or(ErrorCode::NotFound)?;
        let offset = match upload.blob {
            Some(_) => upload.size_bytes,
            None => self.blobs.arrived(id).await?,
        };
        Ok(UploadState { upload, offset })
    }

    /// Where an upload of the caller stands. What has arrived and was not stored, because of a crash or because the store was
    /// out of reach, is stored now: whoever is told that all is there need do nothing more.
    ///
    /// # Errors
    /// As of [`Service::upload`] and of [`Service::continue_upload`] with the last piece.
    pub async fn settled_upload(&self, caller: &Caller, id: &str) -> Result<UploadState, ServiceError> {
        let state = self.upload(caller, id).await?;
        if state.upload.blob.is_some() || state.offset < state.upload.size_bytes {
            return Ok(state);
        }
        let nothing = PieceHead { offset: state.offset, size_bytes: Some(0), checksum: None };
        self.continue_upload(caller, id, nothing, stream::empty::<Result<Bytes, Infallible>>()).await
    }

    /// Adds a piece to an upload of the caller. The last one makes it a stored file.
    ///
    /// # Errors
    /// `not_found`, `offset_mismatch`, `body_too_large`, `piece_damaged`; with the last piece `hash_mismatch` and
    /// `type_not_allowed`, after which the upload is gone.
    pub async fn continue_upload<E>(
        &self,
        caller: &Caller,
        id: &str,
        piece: PieceHead,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<UploadState, ServiceError> {
        // Judged before anybody is interrupted.
        self.upload(caller, id).await?;
        let turn = self.blobs.take_over(id).await;
        let done = async {
            let UploadState { upload, offset } = self.upload(caller, id).await?;
            if offset != piece.offset {
                return Err(crate::blobs::BlobError::Elsewhere(offset).into());
            }
            if piece.size_bytes.is_some_and(|bytes| bytes > upload.size_bytes - offset) {
                return Err(crate::blobs::BlobError::TooMany.into());
            }
            if upload.blob.is_some() {
                return Ok(UploadState { upload, offset });
            }
            let (whole, checksum) = ((offset, upload.size_bytes), piece.checksum);
            let offset = self.blobs.append(&turn, id, whole, body, checksum).await?;
            match offset == upload.size_bytes {
                true => Ok(UploadState { upload: self.finish_upload(upload).await?, offset }),
                false => Ok(UploadState { upload, offset }),
            }
        };
        let done = done.await;
        self.blobs.let_go(id, turn);
        done
    }

    /// Stores a file whose hash is known, in one piece.
    ///
    /// # Errors
    /// As for an upload; `bad_request` when less than all of it came.
    pub async fn put_blob<E>(
        &self,
        caller: &Caller,
        hash: String,
        size_bytes: u64,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<BlobInfo, ServiceError> {
        let new = NewUpload { size_bytes, metadata: String::new(), sha256: Some(hash.clone()) };
        let id = self.begin_upload(caller, new).await?.upload.id;
        let piece = PieceHead { offset: 0, size_bytes: Some(size_bytes), checksum: None };
        let arrived = self.continue_upload(caller, &id, piece, body).await;
        // Nobody knows of the upload, so that nobody could go on with it.
        self.drop_upload(&id).await?;
        if arrived.as_ref().is_err_and(|error| error.code.is_temporary()) {
            self.roster.limits().give_back(&caller.identity.user, LimitKind::Uploads);
        }
        match arrived?.upload.blob {
            Some(_) => self.blob(caller, &hash).await,
            None => Err(ServiceError::bad("The body was shorter than `content-length`.")),
        }
    }

    /// Makes a stored file of what has arrived.
    async fn finish_upload(&self, upload: Upload) -> Result<Upload, ServiceError> {
        let arrived = self.blobs.examine(&upload.id).await?;
        let hash = blob_name(&arrived.hash);
        if upload.sha256.as_ref().is_some_and(|announced| *announced != hash) {
            self.drop_upload(&upload.id).await?;
            return Err(ErrorCode::HashMismatch.into());
        }
        let Some(kind) = admit(&self.blobs.config().types, arrived.kind) else {
            self.drop_upload(&upload.id).await?;
            let text = format!("Files of the type {} are not taken here.", arrived.kind);
            return Err(ServiceError::because(ErrorCode::TypeNotAllowed, text));
        };
        let now_ms = (self.now_ms)();
        let blob = Blob { id: hash, size_bytes: upload.size_bytes, kind: kind.to_owned(), created_ms: now_ms };
        {
            // Nobody deletes the same file meanwhile.
            let _turn = self.blobs.turn(&blob.id).await?;
            let is_here = self.directory.expect_blob(&blob).await? && self.blobs.has(&blob.id).await?;
            if !is_here {
                self.blobs.store(&upload.id, &blob.id).await?;
            }
            self.directory.settle_blob(&blob.id, &upload.id, &upload.user_id, now_ms).await?;
        }
        self.blobs.forget(&upload.id).await?;
        Ok(Upload { blob: Some(blob.id), ..upload })
    }

    /// Gives an upload of the caller up. What has become a file stays one.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete_upload(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.upload(caller, id).await?;
        let turn = self.blobs.take_over(id).await;
        let dropped = self.drop_upload(id).await;
        self.blobs.let_go(id, turn);
        dropped
    }

    async fn drop_upload(&self, id: &str) -> Result<(), ServiceError> {
        self.directory.remove_upload(id).await?;
        Ok(self.blobs.forget(id).await?)
    }
}
