//! Settings of the directory.

use serde::{Deserialize, Serialize};

/// Where accounts, dialogs and memberships are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryConfig {
    /// `postgres://user:password@host/database`; empty: SQLite in the data directory.
    pub url: String,
    /// Most connections to PostgreSQL.
    pub connections_max: u32,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self { url: String::new(), connections_max: 16 }
    }
}
