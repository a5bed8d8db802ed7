//! Whole files by their hash: on the local disk, or in an S3-compatible store.
//!
//! Owns where an object is, and what is told of a failure. Refuses to know staging, types and owners. Invariants: an object
//! that is there is whole, because both stores show it only when all of it has arrived; what is told names no key.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    ClientOptions, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
    WriteMultipart,
};
use parking_lot::Mutex;

use super::config::BlobsConfig;
use super::{BlobError, staging};

/// Sent at once: S3 takes no part but the last one below 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Parts under way at once for one file.
const PARTS_MAX: usize = 2;
/// A service that is there takes a connection within this.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a request is made again that a service did not fulfil.
const RETRIES_MAX: usize = 3;
/// Longest text of a failure, characters: some services answer with whole pages.
const TEXT_MAX: usize = 500;
/// What no object is called.
const NOTHING: &str = "is-anybody-there";

/// The store.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    /// Where it is, when it is on this disk.
    local: Option<PathBuf>,
    telling: Telling,
    /// What the last question to it came to.
    trouble: Mutex<Option<String>>,
}

impl Objects {
    pub fn open(config: &BlobsConfig, directory: &Path) -> Result<Self, BlobError> {
        let telling = Telling::new(config);
        let Some(rest) = config.url.strip_prefix("s3://") else {
            std::fs::create_dir_all(directory)?;
            let store = LocalFileSystem::new_with_prefix(directory).map_err(|error| telling.error(&error))?;
            let store = Arc::new(store.with_fsync(true));
            let (prefix, local, trouble) = (String::new(), Some(directory.into()), Mutex::default());
            return Ok(Self { store, prefix, local, telling, trouble });
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let answer = Duration::from_secs(config.answer_s);
        let client = ClientOptions::new()
            .with_allow_http(config.endpoint.starts_with("http://"))
            .with_connect_timeout(CONNECT.min(answer))
            .with_read_timeout(answer)
            // A file may be read slowly, as long as something of it comes.
            .with_timeout_disabled();
        let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: answer, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&config.region)
            .with_client_options(client)
            .with_retry(retry)
            // Many services that speak S3 do not know the other way to delete.
            .with_disable_bulk_delete(true);
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(config.endpoint.trim_end_matches('/'));
        }
        if !config.access_key_id.is_empty() {
            builder = builder
                .with_access_key_id(&config.access_key_id)
                .with_secret_access_key(config.secret_access_key.reveal());
        }
        let store = builder.build().map_err(|error| telling.error(&error))?;
        let (prefix, trouble) = (prefix.to_owned(), Mutex::default());
        Ok(Self { store: Arc::new(store), prefix, local: None, telling, trouble })
    }

    /// Spread over directories, because some file systems are slow with many files in one.
    fn key(&self, hash: &str) -> Key {
        let spread = hash.get(..2).unwrap_or_default();
        Key::from(format!("{}/{spread}/{hash}", self.prefix))
    }

    /// Whether it is on this disk.
    pub fn is_here(&self) -> bool {
        self.local.is_some()
    }

    /// Why it cannot be used, as far as is known.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// Looks whether it can be used.
    pub async fn check(&self) {
        // Asked for what is not there: only the answer to this tells a missing bucket from a missing object.
        let was_well = self.trouble().is_none();
        let asked = self.store.get(&Key::from(format!("{}/{NOTHING}", self.prefix))).await;
        match self.noted(asked) {
            Err(BlobError::Failed(reason)) if was_well => {
                tracing::warn!(reason, "the store of files is out of reach");
            }
            Err(BlobError::Failed(_)) => {}
            _ if was_well => {}
            _ => tracing::info!("the store of files is back"),
        }
    }

    /// Remembers whether the store could be used, for those who ask how it is.
    fn noted<T>(&self, done: object_store::Result<T>) -> Result<T, BlobError> {
        let outcome = done.map_err(|error| (self.telling.error(&error), error));
        *self.trouble.lock() = match &outcome {
            Err((BlobError::Failed(_), _)) if self.local.is_some() => {
                Some("the disk fails; the log tells how".to_owned())
            }
            Err((BlobError::Failed(_), error)) => Some(brief(error)),
            _ => None,
        };
        outcome.map_err(|(told, _)| told)
    }

    /// Stores what is left of a file. `size_bytes` tells how long it is.
    pub async fn put(&self, hash: &str, file: File, size_bytes: u64) -> Result<(), BlobError> {
        let done = match size_bytes <= PART_BYTES as u64 {
            true => {
                let (_, bytes) = read_part(file).await?;
                self.noted(self.store.put(&self.key(hash), PutPayload::from_bytes(bytes)).await.map(drop))
            }
            false => self.put_parts(&self.key(hash), file).await,
        };
        done.map_err(|error| match error {
            // Not the file, which is on its way there.
            BlobError::Gone => BlobError::Failed("the store lost what was being stored".to_owned()),
            error => error,
        })
    }

    async fn put_parts(&self, key: &Key, file: File) -> Result<(), BlobError> {
        let upload = self.noted(self.store.put_multipart(key).await)?;
        let mut writing = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match self.write_parts(&mut writing, file).await {
            Ok(()) => self.noted(writing.finish().await.map(drop)),
            Err(error) => {
                if let Err(left) = writing.abort().await {
                    let reason = self.telling.text(&left);
                    tracing::warn!(reason, "parts of a file that was not stored may stay in the store");
                }
                Err(error)
            }
        }
    }

    async fn write_parts(&self, writing: &mut WriteMultipart, mut file: File) -> Result<(), BlobError> {
        loop {
            self.noted(writing.wait_for_capacity(PARTS_MAX).await)?;
            let bytes;
            (file, bytes) = read_part(file).await?;
            if bytes.is_empty() {
                return Ok(());
            }
            writing.put(bytes);
        }
    }

    async fn get(&self, hash: &str, range: Range<u64>) -> Result<GetResult, BlobError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        self.noted(self.store.get_opts(&self.key(hash), options).await)
    }

    /// A stretch of an object, as it comes from the store.
    pub async fn read(
        &self,
        hash: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let found = self.get(hash, range).await?;
        let telling = self.telling.clone();
        let told = move |error: object_store::Error| {
            let reason = telling.text(&error);
            tracing::error!(reason, "a file broke off while it was read");
            telling.error(&error)
        };
        Ok(found.into_stream().map(move |part| part.map_err(&told)).boxed())
    }

    /// Whether it is there.
    pub async fn has(&self, hash: &str) -> Result<bool, BlobError> {
        // By its first byte: to a question without a body no store says whether it is the object or the bucket that is missing.
        match self.get(hash, 0..1).await {
            Ok(_) => Ok(true),
            Err(BlobError::Gone) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes an object and what is left of attempts to store it.
    pub async fn remove(&self, hash: &str) -> Result<(), BlobError> {
        match self.noted(self.store.delete(&self.key(hash)).await) {
            Ok(()) | Err(BlobError::Gone) => {}
            Err(error) => return Err(error),
        }
        if let (Some(directory), Some(spread)) = (&self.local, hash.get(..2)) {
            let (directory, hash) = (directory.join(spread), hash.to_owned());
            super::blocking(move || Ok(staging::remove_leftovers(&directory, &hash)?)).await?;
        }
        Ok(())
    }
}

/// What failures are called in the log: by their text, without what the key is called and what it is.
#[derive(Debug, Clone)]
struct Telling(Arc<BlobsConfig>);

impl Telling {
    fn new(config: &BlobsConfig) -> Self {
        Self(Arc::new(config.clone()))
    }

    fn text(&self, error: &object_store::Error) -> String {
        let hidden = [self.0.secret_access_key.reveal(), &self.0.access_key_id];
        let text = hidden.into_iter().filter(|hidden| !hidden.is_empty()).fold(error.to_string(), |text, hidden| {
            // Some services repeat what they were sent.
            text.replace(hidden, "(not shown)")
        });
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_MAX).collect()
    }

    fn error(&self, error: &object_store::Error) -> BlobError {
        let is_full =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if causes(error).filter_map(|cause| cause.downcast_ref()).any(is_full) {
            return BlobError::Full;
        }
        match error {
            object_store::Error::NotFound { .. } if !lacks_bucket(error) => BlobError::Gone,
            error => BlobError::Failed(self.text(error)),
        }
    }
}

fn causes<'a>(error: &'a object_store::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// Whether nothing is there at all, rather than no such object.
fn lacks_bucket(error: &object_store::Error) -> bool {
    error.to_string().contains("NoSuchBucket")
}

/// A failure for everybody who asks how the server is: not what was asked of whom, and what came back.
fn brief(error: &object_store::Error) -> String {
    use object_store::Error as E;
    let text = error.to_string();
    let status = text.split_once("status code: ").and_then(|(_, status)| status.get(..3));
    match (error, status) {
        (E::PermissionDenied { .. } | E::Unauthenticated { .. }, _) => "it refuses the key".to_owned(),
        (error, _) if lacks_bucket(error) => "it has no such bucket".to_owned(),
        (_, Some(status)) => format!("it answers {status}"),
        (_, None) => "it does not answer".to_owned(),
    }
}

async fn read_part(mut file: File) -> Result<(File, Bytes), BlobError> {
    super::blocking(move || {
        let mut part = Vec::new();
        (&mut file).take(PART_BYTES as u64).read_to_end(&mut part)?;
        Ok((file, part.into()))
    })
    .await
}
