//! The journal's root: which partitions there are, and up to which commit everything is folded.
//!
//! One small text file, replaced as a whole (write aside, sync, rename, sync the directory), so that it is either the
//! old or the new one. Its first field is the format number of the data directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Format of the data directory. A binary refuses every other one.
pub(crate) const FORMAT: u32 = 1;
const NAME: &str = "manifest";

/// See the head of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub format: u32,
    /// Random: the key of the hashes of message ids.
    pub key: u64,
    /// Everything up to this commit is in the partitions.
    pub folded: u64,
    /// Oldest first; a room's offsets rise from partition to partition.
    pub partitions: Vec<PartitionEntry>,
    /// The next partition's number.
    pub next_partition: u64,
}

/// One sled database of blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionEntry {
    pub number: u64,
    /// Bytes of blocks that are retained, roughly.
    pub live_bytes: u64,
    /// Since when its files have payloads that were erased, milliseconds since 1970; zero when they have none.
    pub dirty_since_ms: u64,
    /// How many times what is live in it its files were when it had just been copied; zero when it never was.
    #[serde(default)]
    pub copied_factor: u64,
}

impl Manifest {
    pub fn new(key: u64) -> Self {
        Self { format: FORMAT, key, folded: 0, partitions: Vec::new(), next_partition: 1 }
    }

    /// What the checksums of the write-ahead file are seeded with.
    pub fn seal(&self) -> u32 {
        crc32fast::hash(&self.key.to_le_bytes())
    }

    /// `None` when there is none yet.
    pub fn read(dir: &Path) -> Result<Option<Self>, String> {
        let text = match fs::read_to_string(dir.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("manifest: {error}")),
        };
        let (json, checksum) = text.trim_end().rsplit_once('\n').ok_or("manifest: cut short")?;
        if format!("{:08x}", crc32fast::hash(json.as_bytes())) != checksum {
            return Err("manifest: wrong checksum".into());
        }
        let value: serde_json::Value = serde_json::from_str(json).map_err(|error| format!("manifest: {error}"))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if format != u64::from(FORMAT) {
            return Err(format!("the data directory has format {format}, this binary knows only format {FORMAT}"));
        }
        serde_json::from_value(value).map(Some).map_err(|error| format!("manifest: {error}"))
    }

    /// Replaces the file, durably.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let json = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        let aside = dir.join("manifest.new");
        let mut file = File::create(&aside)?;
        writeln!(file, "{json}\n{:08x}", crc32fast::hash(json.as_bytes()))?;
        file.sync_all()?;
        fs::rename(&aside, dir.join(NAME))?;
        super::wal::sync_dir(dir)
    }
}
