//! Settings of the journal, each with its unit; the same text stands in `config.toml`.

use serde::{Deserialize, Serialize};

/// How the log is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// Most entries waiting to be committed; beyond it publishers get `overloaded`.
    pub queue_count: usize,
    /// Most bytes waiting to be committed.
    pub queue_bytes: usize,
    /// Most memory for recent messages of active rooms, bytes.
    pub recent_bytes: usize,
    /// Most memory for the long-term store's page cache, bytes.
    pub cache_bytes: u64,
    /// Below this much free space the journal turns read-only, bytes.
    pub free_bytes_min: u64,
    /// Size of the reserve file that is deleted to start again after the disk was full, bytes.
    pub ballast_bytes: u64,
    /// A partition of the long-term store is closed at this size, bytes; space is given back by whole partitions.
    pub partition_bytes: u64,
    /// An erased payload is gone from the disk after at most this, milliseconds.
    pub erase_within_ms: u64,
    /// What may be deleted in a room that has no retention of its own.
    pub retention: Retention,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            queue_count: 65_536,
            queue_bytes: 64 << 20,
            recent_bytes: 64 << 20,
            cache_bytes: 64 << 20,
            free_bytes_min: 256 << 20,
            ballast_bytes: 16 << 20,
            partition_bytes: 1 << 30,
            erase_within_ms: 3_600_000,
            retention: Retention::default(),
        }
    }
}

/// What may be deleted: whatever is beyond any of the three. Zero means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Messages older than this, seconds.
    pub age_s: u64,
    /// All but this many of the newest messages of a room.
    pub count: u64,
    /// All but this many of the newest bytes of payload of a room.
    pub bytes: u64,
}
