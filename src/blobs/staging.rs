//! Files that are on their way here: one for each upload, as long as what has arrived.
//!
//! Owns the directory of unfinished uploads. Refuses to know whose they are. Invariants: only ids made by this server
//! become file names; what is confirmed was synced; a piece that is refused leaves the file as it was. Everything blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::BlobError;
use super::kind::HEAD_BYTES;

/// Read at once from a file.
const READ_BYTES: usize = 256 << 10;

/// The directory.
#[derive(Debug)]
pub(super) struct Staging {
    directory: PathBuf,
    /// Less than this stays free for the journal, bytes.
    free_bytes_min: u64,
}

impl Staging {
    pub fn open(directory: PathBuf, free_bytes_min: u64) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, free_bytes_min })
    }

    fn path(&self, id: &str) -> Result<PathBuf, BlobError> {
        let is_ours = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if is_ours { Ok(self.directory.join(id)) } else { Err(BlobError::Gone) }
    }

    /// Whether this many more bytes leave enough space.
    pub fn has_space(&self, bytes: u64) -> Result<(), BlobError> {
        let free = rustix::fs::statvfs(&self.directory).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
        // Where it is not known, the write itself will tell.
        match free {
            Ok(free) if free < self.free_bytes_min.saturating_add(bytes) => Err(BlobError::Full),
            _ => Ok(()),
        }
    }

    pub fn create(&self, id: &str) -> Result<(), BlobError> {
        OpenOptions::new().write(true).create_new(true).open(self.path(id)?)?;
        Ok(File::open(&self.directory)?.sync_all()?)
    }

    /// How much has arrived.
    pub fn len(&self, id: &str) -> Result<u64, BlobError> {
        Ok(fs::metadata(self.path(id)?)?.len())
    }

    /// The file, at its end, which must be at `offset`.
    pub fn append(&self, id: &str, offset: u64) -> Result<Piece, BlobError> {
        let mut file = OpenOptions::new().append(true).open(self.path(id)?)?;
        let at = file.seek(SeekFrom::End(0))?;
        match at == offset {
            true => Ok(Piece { file, start: offset, at, hash: Sha256::new() }),
            false => Err(BlobError::Elsewhere(at)),
        }
    }

    pub fn read(&self, id: &str) -> Result<File, BlobError> {
        Ok(File::open(self.path(id)?)?)
    }

    /// The SHA-256 of the whole, and its beginning.
    pub fn digest(&self, id: &str) -> Result<([u8; 32], Vec<u8>), BlobError> {
        let (mut file, mut hash) = (self.read(id)?, Sha256::new());
        let (mut head, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => return Ok((hash.finalize().into(), head)),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            hash.update(&buffer[..count]);
            let missing = HEAD_BYTES - head.len();
            head.extend_from_slice(&buffer[..count.min(missing)]);
        }
    }

    pub fn remove(&self, id: &str) -> Result<(), BlobError> {
        match fs::remove_file(self.path(id)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The ids of every file there is.
    pub fn list(&self) -> Result<Vec<String>, BlobError> {
        let entries = fs::read_dir(&self.directory)?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }
}

/// What one request adds to a file.
#[derive(Debug)]
pub(super) struct Piece {
    file: File,
    start: u64,
    at: u64,
    hash: Sha256,
}

impl Piece {
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Where the file ends now.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Keeps what was added; returns where the file ends.
    pub fn keep(self) -> Result<u64, BlobError> {
        self.file.sync_data()?;
        Ok(self.at)
    }

    /// Whether what was added has this SHA-256.
    pub fn is(&self, wanted: &[u8; 32]) -> bool {
        <[u8; 32]>::from(self.hash.clone().finalize()) == *wanted
    }

    /// Leaves the file as it was.
    pub fn discard(self) -> Result<(), BlobError> {
        Ok(self.file.set_len(self.start)?)
    }
}

/// Removes what an earlier attempt to store an object in `directory` left beside it.
pub(super) fn remove_leftovers(directory: &Path, name: &str) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let found = entry.file_name();
        if found.to_str().is_some_and(|found| found.len() > name.len() && found.starts_with(name)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_grows_by_what_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let staging = Staging::open(directory.path().join("s"), 0).unwrap();
        staging.create("up-1").unwrap();
        let mut piece = staging.append("up-1", 0).unwrap();
        piece.write(b"one").unwrap();
        assert!(piece.is(&Sha256::digest(b"one").into()) && !piece.is(&[0; 32]));
        assert_eq!(piece.keep().unwrap(), 3);
        let mut piece = staging.append("up-1", 3).unwrap();
        piece.write(b"wrong").unwrap();
        piece.discard().unwrap();
        assert_eq!(staging.len("up-1").unwrap(), 3);
        assert!(matches!(staging.append("up-1", 8), Err(BlobError::Elsewhere(3))));
        assert_eq!(staging.digest("up-1").unwrap(), (Sha256::digest(b"one").into(), b"one".to_vec()));
        assert_eq!(staging.list().unwrap(), ["up-1"]);
        staging.remove("up-1").unwrap();
        staging.remove("up-1").unwrap();
        assert!(matches!(staging.len("up-1"), Err(BlobError::Gone)));
    }

    #[test]
    fn no_id_leads_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let staging = Staging::open(directory.path().join("s"), 0).unwrap();
        for id in ["", "..", "../secret", "a/b", "a\0b", "/etc/passwd", &"a".repeat(65)] {
            assert!(matches!(staging.create(id), Err(BlobError::Gone)), "{id:?}");
        }
    }

    #[test]
    fn space_is_left_for_others() {
        let directory = tempfile::tempdir().unwrap();
        let staging = Staging::open(directory.path().into(), 1).unwrap();
        assert!(staging.has_space(1).is_ok());
        let staging = Staging::open(directory.path().into(), u64::MAX / 2).unwrap();
        assert!(matches!(staging.has_space(1), Err(BlobError::Full)));
    }
}
