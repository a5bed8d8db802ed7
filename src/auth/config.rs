//! Settings of who may enter, each with its unit; the same text stands in `config.toml`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whose tokens are accepted, and whether guests are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Whether somebody without a token may enter, as a guest, the rooms opened to guests.
    pub guests: bool,
    /// A guest stays the same user for this long, seconds.
    pub guest_token_s: u64,
    /// What a token's `aud` must be or contain. Empty: not checked.
    pub audience: String,
    /// What a token's `iss` must be. Empty: not checked.
    pub issuer: String,
    /// Public keys of others who sign tokens for this server.
    pub keys: Vec<KeyConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            guests: true,
            guest_token_s: 30 * 24 * 3_600,
            audience: "konvert".into(),
            issuer: String::new(),
            keys: Vec::new(),
        }
    }
}

/// An Ed25519 public key that verifies tokens naming it in their header's `kid`. Exactly one of `pem` and `pem_file`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyConfig {
    /// Its name.
    pub kid: String,
    /// The key itself, `-----BEGIN PUBLIC KEY-----…`. Filled from `pem_file` when the configuration is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
    /// Where the key is; a relative path starts at the configuration file's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pem_file: Option<PathBuf>,
}
