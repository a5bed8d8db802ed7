//! The bytes of stored files: where they are while they arrive, and where they stay, under the SHA-256 of what they hold.
//!
//! Owns staging and the object store, which is the local disk or S3. Refuses to know users, messages and tables: who may
//! read what, and what is still needed, is decided above. Invariants: no file is ever whole in memory; an object is
//! what its name says; only what is needed for the journal to live on stays free of files.

mod config;
mod kind;
mod objects;
mod staging;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dashmap::DashMap;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

pub use config::{BlobsConfig, Secret};
pub use kind::{ANY, admit, is_shown};

use objects::Objects;
use staging::{Piece, Staging};

use crate::metrics::Scrape;

/// Gathered before it is written, so that not every packet is a task of its own.
const GATHER_BYTES: usize = 256 << 10;
/// A sender that is silent for this long has gone; what arrived stays.
const SILENCE: Duration = Duration::from_secs(30);
/// Files that are hashed and stored at once; others wait.
const FINISHING_MAX: usize = 2;
/// How often it is asked whether the place where files stay answers: so long a failure is told after it has passed.
const WATCH: Duration = Duration::from_secs(10);
/// Nobody waits for those before them longer than this many times what the store may take to answer.
const WAITS_MAX: u32 = 10;
/// Changes of the same file follow each other; this many of different ones may run at once.
const TURNS: usize = 64;

/// Why bytes were not taken or not given.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such file.
    #[error("there is no such file")]
    Gone,
    /// The disk has no space to spare.
    #[error("the disk has no space to spare")]
    Full,
    /// The upload ends here, not where the piece begins.
    #[error("the upload stands at {0}")]
    Elsewhere(u64),
    /// More bytes than were announced.
    #[error("more bytes than were announced")]
    TooMany,
    /// The piece does not have the checksum that came with it.
    #[error("the piece is damaged")]
    Damaged,
    /// Somebody else writes to the upload now.
    #[error("another request has taken the upload over")]
    TakenOver,
    /// The disk or the store failed.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// What was done since the start.
#[derive(Debug, Default)]
pub struct BlobCounters {
    /// Files that were stored, each content once.
    pub stored: AtomicU64,
    /// Their bytes.
    pub stored_bytes: AtomicU64,
    /// Bytes that arrived.
    pub received_bytes: AtomicU64,
    /// Files that were deleted because nothing named them.
    pub collected: AtomicU64,
}

/// What an upload turned out to be.
#[derive(Debug)]
pub struct Arrived {
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// What its bytes say that it is.
    pub kind: &'static str,
}

/// A request's right to write to an upload: nobody else does meanwhile, but somebody else may ask for it to end.
#[derive(Debug)]
pub struct Turn {
    _alone: OwnedMutexGuard<()>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Writer {
    alone: Arc<Mutex<()>>,
    stop: CancellationToken,
}

/// Staging and objects.
#[derive(Debug)]
pub struct Blobs {
    config: BlobsConfig,
    staging: Arc<Staging>,
    objects: Objects,
    /// Uploads that a request writes to.
    writers: DashMap<Box<str>, Writer>,
    turns: [Mutex<()>; TURNS],
    finishing: Semaphore,
    /// For the metrics.
    pub counters: BlobCounters,
}

impl Blobs {
    /// Opens the store below `directory`; at least `free_bytes_min` of that disk are left free.
    ///
    /// # Errors
    /// When the directory cannot be made or the settings of the store cannot work.
    pub fn open(config: BlobsConfig, directory: &Path, free_bytes_min: u64) -> Result<Self, BlobError> {
        Ok(Self {
            staging: Arc::new(Staging::open(directory.join("staging"), free_bytes_min)?),
            objects: Objects::open(&config, &directory.join("objects"))?,
            config,
            writers: DashMap::new(),
            turns: std::array::from_fn(|_| Mutex::new(())),
            finishing: Semaphore::new(FINISHING_MAX),
            counters: BlobCounters::default(),
        })
    }

    /// Copies what was counted into a scrape.
    pub fn collector(self: Arc<Self>) -> impl Fn(&mut Scrape) {
        move |scrape| {
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            scrape.counter("konvert_blobs_stored_total", count(&self.counters.stored));
            scrape.counter("konvert_blobs_stored_bytes_total", count(&self.counters.stored_bytes));
            scrape.counter("konvert_blobs_received_bytes_total", count(&self.counters.received_bytes));
            scrape.counter("konvert_blobs_collected_total", count(&self.counters.collected));
        }
    }

    /// The settings.
    pub fn config(&self) -> &BlobsConfig {
        &self.config
    }

    /// Makes room for an upload that will be this long.
    pub async fn begin(&self, id: &str, size_bytes: u64) -> Result<(), BlobError> {
        // Once while it arrives, and once where it stays.
        let times = if self.objects.is_here() { 2 } else { 1 };
        self.on_staging(id, move |staging, id| {
            staging.has_space(size_bytes.saturating_mul(times))?;
            staging.create(id)
        })
        .await
    }

    /// How much of an upload has arrived.
    pub async fn arrived(&self, id: &str) -> Result<u64, BlobError> {
        self.on_staging(id, |staging, id| staging.len(id)).await
    }

    /// Takes an upload over: whoever writes to it ends, and what they wrote stays.
    pub async fn take_over(&self, id: &str) -> Turn {
        let stop = CancellationToken::new();
        let alone = {
            let mut writer = self.writers.entry(id.into()).or_default();
            writer.stop.cancel();
            writer.stop = stop.clone();
            writer.alone.clone()
        };
        Turn { _alone: alone.lock_owned().await, stop }
    }

    /// Nobody writes to this upload any more.
    pub fn let_go(&self, id: &str, turn: Turn) {
        drop(turn);
        self.writers.remove_if(id, |_, writer| Arc::strong_count(&writer.alone) == 1);
    }

    /// Adds what comes to an upload, at `offset`, until it is `size_bytes` long. What arrived before a connection broke
    /// stays, unless a `checksum` (SHA-256) was to be kept. Returns how much there is now.
    ///
    /// # Errors
    /// See [`BlobError`]; then nothing was added.
    pub async fn append<E>(
        &self,
        turn: &Turn,
        id: &str,
        (offset, size_bytes): (u64, u64),
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        checksum: Option<[u8; 32]>,
    ) -> Result<u64, BlobError> {
        let mut piece = self.on_staging(id, move |staging, id| staging.append(id, offset)).await?;
        let mut gathered = BytesMut::new();
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout(SILENCE, body.next()) => next.ok().flatten(),
                () = turn.stop.cancelled() => None,
            };
            let is_last = match next {
                Some(Ok(bytes)) => {
                    self.counters.received_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    gathered.extend_from_slice(&bytes);
                    false
                }
                // The end, a break, silence: what was meant by it shows in the offset.
                Some(Err(_)) | None => true,
            };
            if piece.at() + gathered.len() as u64 > size_bytes {
                blocking(move || piece.discard()).await?;
                return Err(BlobError::TooMany);
            }
            if is_last || gathered.len() >= GATHER_BYTES {
                piece = self.write(piece, gathered.split().freeze()).await?;
            }
            if is_last {
                break;
            }
        }
        if checksum.is_some_and(|checksum| !piece.is(&checksum)) {
            blocking(move || piece.discard()).await?;
            return Err(if turn.stop.is_cancelled() { BlobError::TakenOver } else { BlobError::Damaged });
        }
        blocking(move || piece.keep()).await
    }

    /// Writes, or leaves the file as it was before the piece.
    async fn write(&self, mut piece: Piece, bytes: Bytes) -> Result<Piece, BlobError> {
        let staging = self.staging.clone();
        blocking(move || match staging.has_space(bytes.len() as u64).and_then(|()| piece.write(&bytes)) {
            Ok(()) => Ok(piece),
            Err(error) => {
                piece.discard()?;
                Err(error)
            }
        })
        .await
    }

    /// One of the places for files that are finished.
    async fn place(&self) -> Result<SemaphorePermit<'_>, BlobError> {
        self.after_others(self.finishing.acquire())
            .await?
            .map_err(|_| BlobError::Failed("no files are taken".to_owned()))
    }

    /// Waits for those before: long while the store is well, because large files take their time, but behind one that does
    /// not answer no longer than it may take to.
    async fn after_others<T>(&self, wait: impl Future<Output = T>) -> Result<T, BlobError> {
        let mut wait = std::pin::pin!(wait);
        for _ in 0..WAITS_MAX {
            match tokio::time::timeout(Duration::from_secs(self.config.answer_s), &mut wait).await {
                Ok(done) => return Ok(done),
                Err(_) if self.objects.trouble().is_some() => break,
                Err(_) => {}
            }
        }
        Err(BlobError::Failed("files before this one are not finished yet".to_owned()))
    }

    /// What an upload that is complete is.
    pub async fn examine(&self, id: &str) -> Result<Arrived, BlobError> {
        let _place = self.place().await?;
        let (hash, head) = self.on_staging(id, |staging, id| staging.digest(id)).await?;
        Ok(Arrived { hash, kind: kind::kind_of(&head) })
    }

    /// The right to change what is known of a file and its object together. Files are many and share few of these.
    ///
    /// # Errors
    /// [`BlobError::Failed`] when those before take too long.
    pub async fn turn(&self, hash: &str) -> Result<MutexGuard<'_, ()>, BlobError> {
        let index = usize::from_str_radix(hash.get(..2).unwrap_or_default(), 16).unwrap_or(0);
        self.after_others(self.turns[index % TURNS].lock()).await
    }

    /// Stores an upload under its hash.
    pub async fn store(&self, id: &str, hash: &str) -> Result<(), BlobError> {
        let _place = self.place().await?;
        let (file, size_bytes) =
            self.on_staging(id, move |staging, id| Ok((staging.read(id)?, staging.len(id)?))).await?;
        self.objects.put(hash, file, size_bytes).await?;
        self.counters.stored.fetch_add(1, Ordering::Relaxed);
        self.counters.stored_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Why the place where files stay does not give or take them, as far as is known now.
    pub fn trouble(&self) -> Option<String> {
        self.objects.trouble()
    }

    /// Asks again and again whether it does, for ever.
    pub async fn watch(self: Arc<Self>) {
        let mut tick = tokio::time::interval(WATCH);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.objects.check().await;
        }
    }

    /// Whether an object is there.
    pub async fn has(&self, hash: &str) -> Result<bool, BlobError> {
        self.objects.has(hash).await
    }

    /// A stretch of a file, as it comes from the store.
    pub async fn read(
        &self,
        hash: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        self.objects.read(hash, range).await
    }

    /// Deletes a file.
    pub async fn remove(&self, hash: &str) -> Result<(), BlobError> {
        self.objects.remove(hash).await
    }

    /// Deletes what has arrived of an upload.
    pub async fn forget(&self, id: &str) -> Result<(), BlobError> {
        self.on_staging(id, |staging, id| staging.remove(id)).await
    }

    /// Every upload of which something is on the disk.
    pub async fn staged(&self) -> Result<Vec<String>, BlobError> {
        self.on_staging("", |staging, _| staging.list()).await
    }

    async fn on_staging<T: Send + 'static>(
        &self,
        id: &str,
        act: impl FnOnce(&Staging, &str) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let (staging, id) = (self.staging.clone(), id.to_owned());
        blocking(move || act(&staging, &id)).await
    }
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    let done = tokio::task::spawn_blocking(act).await;
    done.unwrap_or_else(|_| Err(BlobError::Failed("a task ended without a result".to_owned())))
}
