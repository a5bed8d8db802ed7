//! sled, held so that it keeps its word.
//!
//! Owns the guards, each of which was shown to be needed: `flush` of sled 0.34.7 does not make anything durable on
//! Linux, so we sync its file ourselves; values that push a leaf beyond a quarter of a segment go to files that nobody
//! syncs, so segments are large, values small, and a file in `blobs/` is an alarm; opening may panic on damage.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::wal::sync_dir;

/// sled's log segment: a leaf of 17 values of at most 100 KiB stays below a quarter of it.
const SEGMENT_BYTES: usize = 8 << 20;

/// How long to wait for a database that is being closed by this process.
const CLOSING_MAX: Duration = Duration::from_secs(10);

/// A sled database whose syncs are real.
pub(crate) struct Engine {
    pub db: sled::Db,
    file: File,
    path: PathBuf,
}

impl Engine {
    /// Opens or creates the database and makes its files durable. One that `must_exist` is not created.
    pub fn open(path: &Path, cache_bytes: u64, must_exist: bool) -> Result<Self, String> {
        if must_exist && !path.join("db").is_file() {
            return Err(format!("{} is missing", path.display()));
        }
        let config = sled::Config::new()
            .path(path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(cache_bytes.max(1 << 20))
            .flush_every_ms(None);
        let opened = open_when_free(&config).map_err(|error| format!("{}: {error}", path.display()))?;
        let io = |error| format!("{}: {error}", path.display());
        let file = File::open(path.join("db")).map_err(io)?;
        File::open(path.join("conf")).and_then(|conf| conf.sync_all()).map_err(io)?;
        let engine = Self { db: opened, file, path: path.to_owned() };
        engine.sync()?;
        sync_dir(path).map_err(io)?;
        if let Some(parent) = path.parent() {
            sync_dir(parent).map_err(io)?;
        }
        Ok(engine)
    }

    pub fn tree(&self, name: &str) -> Result<sled::Tree, String> {
        guarded(|| self.db.open_tree(name))
    }

    /// Returns after everything written before is on disk.
    pub fn sync(&self) -> Result<(), String> {
        guarded(|| self.db.flush())?;
        if crate::sabotage::is("skip_sync") {
            return Ok(());
        }
        self.file.sync_data().map_err(|error| format!("sync of {}: {error}", self.path.display()))
    }

    /// Bytes of its file on disk.
    pub fn disk_bytes(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        self.file.metadata().map_or(0, |metadata| metadata.blocks() * 512)
    }

    /// Whether sled wrote a file that nobody syncs.
    pub fn has_blobs(&self) -> bool {
        self.path.join("blobs").read_dir().is_ok_and(|mut entries| entries.next().is_some())
    }
}

/// After a database is closed, sled's own threads may hold its file a moment longer. Other processes are kept out by the
/// lock of the whole directory, so waiting is enough.
fn open_when_free(config: &sled::Config) -> Result<sled::Db, String> {
    let deadline = Instant::now() + CLOSING_MAX;
    loop {
        match guarded(|| config.open()) {
            Err(error) if error.contains("could not acquire lock") && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

/// The items of an iterator of sled, whose panics become errors. An error is the last item.
pub(crate) fn each<T>(items: impl Iterator<Item = sled::Result<T>>) -> impl Iterator<Item = Result<T, String>> {
    let mut left = Some(items);
    std::iter::from_fn(move || {
        let item = guarded(|| left.as_mut().and_then(Iterator::next).transpose()).transpose();
        if !matches!(item, Some(Ok(_))) {
            left = None;
        }
        item
    })
}

/// Runs a call into sled; its panics become errors.
pub(crate) fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("sled failed: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panic")))
        }
    }
}
