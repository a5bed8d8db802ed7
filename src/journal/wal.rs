//! The write-ahead file: the front door of the log, on whose sync every acknowledgement rests.
//!
//! Owns the segment files `wal-000001.log`, …: appending, syncing, rotating, deleting. Reading them is recovery's.
//!
//! ```text
//! segment   "KVWAL\0\0\1" · number u64 LE · batches
//! batch     magic u32 · commit number u64 · length of body u32 · CRC-32 of body u32 · CRC-32 of these 20 bytes u32 · body
//! body      changes, one after another
//! ```
//! The header's checksum is seeded with the store's own key, so that no payload can look like a batch.
//! Invariant: a batch is written only after the one before it is synced. So only the last batch of the last segment can
//! be torn; anything invalid before it is damage.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::change::Change;
use super::group_commit::WriteError;

pub(crate) const SEGMENT_MAGIC: &[u8; 8] = b"KVWAL\0\0\x01";
pub(crate) const SEGMENT_HEADER: usize = 16;
pub(crate) const BATCH_MAGIC: u32 = 0x4b56_4241;
pub(crate) const BATCH_HEADER: usize = 24;
/// A segment is closed at this size: what is folded is deleted by whole segments.
const SEGMENT_BYTES: u64 = 32 << 20;

/// The file being appended to.
pub(crate) struct Wal {
    dir: PathBuf,
    file: File,
    segment: u64,
    length: u64,
    buffer: Vec<u8>,
    seal: u32,
}

impl Wal {
    /// Starts a new segment and makes its existence durable.
    pub fn create(dir: &Path, segment: u64, seal: u32) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path(dir, segment))?;
        file.write_all(SEGMENT_MAGIC)?;
        file.write_all(&segment.to_le_bytes())?;
        file.sync_all()?;
        sync_dir(dir)?;
        Ok(Self { dir: dir.to_owned(), file, segment, length: SEGMENT_HEADER as u64, buffer: Vec::new(), seal })
    }

    /// Continues a segment at its verified length.
    pub fn resume(dir: &Path, segment: u64, length: u64, seal: u32) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(path(dir, segment))?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { dir: dir.to_owned(), file, segment, length, buffer: Vec::new(), seal })
    }

    /// Number of the segment being written.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Whether the segment has no batches.
    pub fn is_empty(&self) -> bool {
        self.length <= SEGMENT_HEADER as u64
    }

    /// Appends a batch and returns its size after it is on disk.
    pub fn append(&mut self, commit: u64, changes: &[Change]) -> Result<u64, WriteError> {
        if self.length >= SEGMENT_BYTES {
            self.rotate().map_err(|error| undone("cannot start a segment", &error))?;
        }
        encode(&mut self.buffer, commit, changes, self.seal);
        if let Err(error) = self.file.write_all(&self.buffer) {
            // Not synced and cut off again: the batch is not there. If even the cut fails, nobody knows.
            let undone = self.file.set_len(self.length).and_then(|()| self.file.sync_data()).is_ok();
            return Err(WriteError { reason: format!("write failed: {error}"), undone });
        }
        if !crate::sabotage::is("skip_sync") && !crate::sabotage::is("ack_before_store") {
            let unknown = |error| WriteError { reason: format!("sync failed: {error}"), undone: false };
            self.file.sync_data().map_err(unknown)?;
        }
        let bytes = self.buffer.len() as u64;
        self.length += bytes;
        // A single giant batch must not keep its memory for ever.
        self.buffer.shrink_to(4 << 20);
        Ok(bytes)
    }

    /// Goes on in a new segment, so that the present one can be deleted once it is folded.
    pub fn rotate(&mut self) -> io::Result<()> {
        if !self.is_empty() {
            *self = Self::create(&self.dir, self.segment + 1, self.seal)?;
        }
        Ok(())
    }
}

fn undone(what: &str, error: &io::Error) -> WriteError {
    WriteError { reason: format!("{what}: {error}"), undone: true }
}

fn encode(buffer: &mut Vec<u8>, commit: u64, changes: &[Change], seal: u32) {
    buffer.clear();
    buffer.resize(BATCH_HEADER, 0);
    changes.iter().for_each(|change| change.put(buffer));
    let (header, body) = buffer.split_at_mut(BATCH_HEADER);
    header[..4].copy_from_slice(&BATCH_MAGIC.to_le_bytes());
    header[4..12].copy_from_slice(&commit.to_le_bytes());
    header[12..16].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[16..20].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    let checksum = header_checksum(&header[..20], seal);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
}

pub(crate) fn header_checksum(header: &[u8], seal: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seal);
    hasher.update(header);
    hasher.finalize()
}

pub(crate) fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("wal-{segment:06}.log"))
}

/// Numbers of the segments there are, rising.
pub(crate) fn segments(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in dir.read_dir()? {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.strip_prefix("wal-")?.strip_suffix(".log")?.parse::<u64>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Deletes the segments before `segment`, durably.
pub(crate) fn delete_before(dir: &Path, segment: u64) -> io::Result<()> {
    let old: Vec<u64> = segments(dir)?.into_iter().filter(|number| *number < segment).collect();
    for number in old.iter().copied() {
        match std::fs::remove_file(path(dir, number)) {
            // The fold and the maintenance may both be at it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if old.is_empty() { Ok(()) } else { sync_dir(dir) }
}

/// Makes creations, renames and deletions in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
