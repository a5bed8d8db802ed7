//! The data directory as a whole: one process at a time, the free-space floor, and the reserve for a full disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

/// Holds the directory for this process until dropped.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// `None` when another process has it.
    pub fn take(dir: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        let taken = fs4::fs_std::FileExt::try_lock_exclusive(&file)?;
        Ok(taken.then_some(Self { _file: file }))
    }
}

/// Free bytes on the file system of `dir`, for us.
pub(crate) fn free_bytes(dir: &Path) -> io::Result<u64> {
    fs4::available_space(dir)
}

/// What the long-term store may need for a pass of the fold, bytes: sled writes up to ten times what it is given.
const RESERVE_BYTES: u64 = 128 << 20;

/// Why there is not enough space, if so; `floor` is what the settings require.
pub(crate) fn shortage(dir: &Path, floor: u64) -> Option<String> {
    let floor = floor.max(RESERVE_BYTES);
    let free = free_bytes(dir).ok()?;
    (free < floor).then(|| format!("only {free} bytes are free on the journal's disk, {floor} are required"))
}

/// Whether not even what gives space back may be begun: it writes first, and a failed write is for good.
pub(crate) fn is_nearly_full(dir: &Path) -> bool {
    free_bytes(dir).is_ok_and(|free| free < RESERVE_BYTES / 2)
}

/// A file whose deletion gives a full disk enough space to start again.
pub(crate) struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    pub fn new(dir: &Path, bytes: u64) -> Self {
        Self { path: dir.join("ballast"), bytes }
    }

    /// Gives the reserve away.
    pub fn release(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reserves again, when `free` is plenty.
    pub fn restore(&self, free: u64, floor: u64) -> io::Result<()> {
        let floor = floor.max(RESERVE_BYTES);
        if self.bytes == 0 || free < floor.saturating_mul(2).saturating_add(self.bytes) {
            return Ok(());
        }
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == self.bytes) {
            return Ok(());
        }
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&self.path)?;
        Ok(rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, self.bytes)?)
    }
}
