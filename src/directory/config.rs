//! Settings of the directory.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Where accounts, dialogs and memberships are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryConfig {
    /// `postgres://user:password@host/database`; empty: SQLite in the data directory.
    pub url: DatabaseUrl,
    /// Most connections to PostgreSQL.
    pub connections_max: u32,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self { url: DatabaseUrl::default(), connections_max: 16 }
    }
}

/// Where the database is. It holds a password, so that it is never shown: not in logs, not by `konvert config print`.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "(not shown)" }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.shown(), f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_shows_nowhere() {
        let config: DirectoryConfig = toml::from_str("url = \"postgres://u:hunter2@h/d\"").unwrap();
        assert_eq!(config.url.reveal(), "postgres://u:hunter2@h/d");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!toml::to_string(&config).unwrap().contains("hunter2"));
        assert!(toml::to_string(&DirectoryConfig::default()).unwrap().contains("url = \"\""));
    }
}
