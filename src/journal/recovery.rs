//! Reading the write-ahead files again: what an unclean end left behind.
//!
//! Owns the difference between a torn tail and damage. The last batch of the last segment may be torn by a power cut:
//! nobody was told that it is stored, so it is cut off. Anything invalid before it was acknowledged once: recovery
//! refuses with file and offset, and changes nothing. (A flipped bit in the very last batch cannot be told from a tear.)
//!
//! What was read may be in the page cache only: the process before was killed ahead of its sync, or its sync failed and
//! the kernel took the pages for clean. So the last segment is written over with its own bytes and synced before anybody
//! is told about a message in it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::change::Change;
use super::record::Fields;
use super::wal::{self, BATCH_HEADER, BATCH_MAGIC, SEGMENT_HEADER, SEGMENT_MAGIC, header_checksum};

/// Why the files cannot be replayed.
#[derive(Debug)]
pub enum ReplayError {
    /// Something that was on disk is not there any more as it was.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it, bytes.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read or cut.
    Io(io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { file, offset, reason } => {
                write!(f, "{} is damaged at byte {offset}: {reason}", file.display())
            }
            Self::Io(error) => write!(f, "write-ahead file: {error}"),
        }
    }
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where appending goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last segment, zero when there is none.
    pub segment: u64,
    /// Valid bytes of it.
    pub length: u64,
    /// The last valid commit.
    pub commit: u64,
    /// Bytes after that, of a torn batch.
    pub torn: u64,
}

/// One batch read back.
pub(crate) struct Batch {
    pub segment: u64,
    pub commit: u64,
    pub bytes: u64,
    pub changes: Vec<Change>,
}

/// Gives every valid batch after commit `folded` to `apply`, in order. Changes nothing on disk.
pub(crate) fn replay(dir: &Path, folded: u64, seal: u32, mut apply: impl FnMut(Batch)) -> Result<Tail, ReplayError> {
    let segments = wal::segments(dir)?;
    let mut tail = Tail { segment: 0, length: 0, commit: folded, torn: 0 };
    let mut expected = None;
    for (index, segment) in segments.iter().copied().enumerate() {
        let file = wal::path(dir, segment);
        if index > 0 && segment != segments[index - 1] + 1 {
            return Err(damaged(&file, 0, "the segment before it is missing"));
        }
        let bytes = fs::read(&file)?;
        let is_last = index + 1 == segments.len();
        let mut reader = SegmentReader { file: &file, bytes: &bytes, segment, is_last, expected, seal };
        let (length, torn) = reader.read(folded, &mut apply)?;
        expected = reader.expected;
        tail = Tail { segment, length, commit: expected.map_or(folded, |next| next - 1).max(folded), torn };
    }
    if expected.is_some_and(|next| next <= folded) {
        // What is folded was synced here before.
        return Err(damaged(&wal::path(dir, tail.segment), tail.length, "batches that were folded are missing here"));
    }
    Ok(tail)
}

/// Removes a torn batch, durably.
pub(crate) fn cut(dir: &Path, tail: &Tail) -> io::Result<()> {
    if tail.torn == 0 {
        return Ok(());
    }
    let path = wal::path(dir, tail.segment);
    if tail.length < SEGMENT_HEADER as u64 {
        // Not even its header is whole: it was being created.
        fs::remove_file(path)?;
        return wal::sync_dir(dir);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(tail.length)?;
    file.sync_all()
}

/// Makes sure that the last segment is on disk as it was read.
pub(crate) fn settle(dir: &Path, tail: &Tail) -> io::Result<()> {
    let path = wal::path(dir, tail.segment);
    let bytes = fs::read(&path)?;
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    wal::sync_dir(dir)
}

fn damaged(file: &Path, offset: u64, reason: &str) -> ReplayError {
    ReplayError::Damaged { file: file.to_owned(), offset, reason: reason.to_owned() }
}

struct SegmentReader<'a> {
    file: &'a Path,
    bytes: &'a [u8],
    segment: u64,
    is_last: bool,
    /// The next commit's number, once one was seen.
    expected: Option<u64>,
    seal: u32,
}

struct Header {
    commit: u64,
    length: usize,
    checksum: u32,
}

impl SegmentReader<'_> {
    /// Valid bytes and torn bytes.
    fn read(&mut self, folded: u64, apply: &mut impl FnMut(Batch)) -> Result<(u64, u64), ReplayError> {
        let total = self.bytes.len();
        let mut at = SEGMENT_HEADER;
        if total < SEGMENT_HEADER
            || self.bytes[..8] != *SEGMENT_MAGIC
            || self.bytes[8..16] != self.segment.to_le_bytes()
        {
            return self.tear_or_damage(0, "no valid header");
        }
        while at < total {
            let (commit, body) = match batch_at(self.bytes, at, self.seal) {
                Ok(batch) => batch,
                Err(reason) => return self.tear_or_damage(at, reason),
            };
            if self.expected.is_some_and(|expected| expected != commit)
                || (self.expected.is_none() && commit > folded + 1)
            {
                return Err(damaged(self.file, at as u64, "batches before this one are missing"));
            }
            self.expected = Some(commit + 1);
            if commit > folded {
                let changes = changes(body).map_err(|reason| damaged(self.file, at as u64, reason))?;
                apply(Batch { segment: self.segment, commit, bytes: (BATCH_HEADER + body.len()) as u64, changes });
            }
            at += BATCH_HEADER + body.len();
        }
        Ok((at as u64, 0))
    }

    /// A tear is at the end of everything: nothing that was written later follows.
    fn tear_or_damage(&self, at: usize, reason: &str) -> Result<(u64, u64), ReplayError> {
        let later = (at + 1..self.bytes.len()).any(|place| header(&self.bytes[place..], self.seal).is_some());
        if !self.is_last || later {
            return Err(damaged(self.file, at as u64, reason));
        }
        Ok((at as u64, (self.bytes.len() - at).max(1) as u64))
    }
}

fn batch_at(bytes: &[u8], at: usize, seal: u32) -> Result<(u64, &[u8]), &'static str> {
    let header = header(&bytes[at..], seal).ok_or("no valid batch header")?;
    let body = bytes[at + BATCH_HEADER..].get(..header.length).ok_or("the batch is cut short")?;
    if crc32fast::hash(body) != header.checksum {
        return Err("wrong checksum of a batch");
    }
    Ok((header.commit, body))
}

fn header(bytes: &[u8], seal: u32) -> Option<Header> {
    let mut fields = Fields(bytes.get(..BATCH_HEADER)?);
    if fields.fixed_u32().ok()? != BATCH_MAGIC || header_checksum(&bytes[..20], seal) != bytes_u32(&bytes[20..24]) {
        return None;
    }
    let commit = fields.fixed_u64().ok()?;
    Some(Header { commit, length: fields.fixed_u32().ok()? as usize, checksum: fields.fixed_u32().ok()? })
}

fn bytes_u32(bytes: &[u8]) -> u32 {
    Fields(bytes).fixed_u32().unwrap_or_default()
}

fn changes(body: &[u8]) -> Result<Vec<Change>, &'static str> {
    let mut fields = Fields(body);
    let mut changes = Vec::new();
    while !fields.0.is_empty() {
        changes.push(Change::take(&mut fields).map_err(|malformed| malformed.0)?);
    }
    Ok(changes)
}
