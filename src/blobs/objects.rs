//! Whole files by their hash: on the local disk, or in an S3-compatible store.
//!
//! Owns where an object is. Refuses to know staging, types and owners. Invariant: an object that is there is whole,
//! because both stores show it only when all of it has arrived.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};

use super::config::BlobsConfig;
use super::{BlobError, staging};

/// Sent at once: S3 takes no part but the last one below 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// Parts under way at once for one file.
const PARTS_MAX: usize = 2;

/// The store.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    /// Where it is, when it is on this disk.
    local: Option<PathBuf>,
}

impl Objects {
    pub fn open(config: &BlobsConfig, directory: &Path) -> Result<Self, BlobError> {
        let Some(rest) = config.url.strip_prefix("s3://") else {
            std::fs::create_dir_all(directory)?;
            let store = LocalFileSystem::new_with_prefix(directory)?.with_fsync(true);
            return Ok(Self { store: Arc::new(store), prefix: String::new(), local: Some(directory.into()) });
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_region(&config.region);
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(&config.endpoint).with_allow_http(config.endpoint.starts_with("http://"));
        }
        if !config.access_key_id.is_empty() {
            builder = builder
                .with_access_key_id(&config.access_key_id)
                .with_secret_access_key(config.secret_access_key.reveal());
        }
        Ok(Self { store: Arc::new(builder.build()?), prefix: prefix.to_owned(), local: None })
    }

    /// Spread over directories, because some file systems are slow with many files in one.
    fn key(&self, hash: &str) -> Key {
        let spread = hash.get(..2).unwrap_or_default();
        Key::from(format!("{}/{spread}/{hash}", self.prefix))
    }

    /// Stores what is left of a file. `size_bytes` tells how long it is.
    pub async fn put(&self, hash: &str, mut file: File, size_bytes: u64) -> Result<(), BlobError> {
        let key = self.key(hash);
        if size_bytes <= PART_BYTES as u64 {
            let (_, bytes) = read_part(file).await?;
            self.store.put(&key, PutPayload::from_bytes(bytes)).await?;
            return Ok(());
        }
        let mut writing = WriteMultipart::new_with_chunk_size(self.store.put_multipart(&key).await?, PART_BYTES);
        loop {
            if let Err(error) = writing.wait_for_capacity(PARTS_MAX).await {
                writing.abort().await?;
                return Err(error.into());
            }
            let bytes;
            (file, bytes) = read_part(file).await?;
            if bytes.is_empty() {
                break;
            }
            writing.put(bytes);
        }
        writing.finish().await?;
        Ok(())
    }

    /// A stretch of an object, as it comes from the store.
    pub async fn read(
        &self,
        hash: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(&self.key(hash), options).await?;
        Ok(found.into_stream().map(|part| part.map_err(BlobError::from)).boxed())
    }

    /// Whether it is there.
    pub async fn has(&self, hash: &str) -> Result<bool, BlobError> {
        match self.store.head(&self.key(hash)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an object and what is left of attempts to store it.
    pub async fn remove(&self, hash: &str) -> Result<(), BlobError> {
        match self.store.delete(&self.key(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let (Some(directory), Some(spread)) = (&self.local, hash.get(..2)) {
            let (directory, hash) = (directory.join(spread), hash.to_owned());
            super::blocking(move || Ok(staging::remove_leftovers(&directory, &hash)?)).await?;
        }
        Ok(())
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
