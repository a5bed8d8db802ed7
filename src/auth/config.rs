//! Settings of who may enter, each with its unit; the same text stands in `config.toml`.

use std::fmt;
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
    /// Keys of others who sign tokens for this server.
    pub keys: Vec<KeyConfig>,
    /// Where others publish the keys that they sign with.
    pub jwks: Vec<JwksConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            guests: true,
            guest_token_s: 30 * 24 * 3_600,
            audience: "konvert".into(),
            issuer: String::new(),
            keys: Vec::new(),
            jwks: Vec::new(),
        }
    }
}

/// A key that verifies tokens naming it in their header's `kid`: an Ed25519 public key for EdDSA, or a secret for HS256.
/// Exactly one of `pem`, `pem_file` and `secret`.
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
    /// A secret of at least 32 bytes. Never printed.
    #[serde(skip_serializing)]
    pub secret: Option<Secret>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A published set of keys (JWKS), and what the tokens signed with them look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JwksConfig {
    /// Where it is: `https://…`, or `http://…` inside a network that one trusts.
    pub url: String,
    /// What the tokens' `iss` must be.
    pub issuer: String,
    /// What the tokens' `aud` must be or contain. Empty: not checked.
    pub audience: String,
    /// What user ids begin with here, before what the token says. Keeps users of several issuers apart.
    pub prefix: String,
    /// Which claims tell what.
    pub claims: ClaimNames,
    /// How often it is fetched, seconds.
    pub refresh_s: u64,
}

impl Default for JwksConfig {
    fn default() -> Self {
        let (url, issuer, audience, prefix) = Default::default();
        Self { url, issuer, audience, prefix, claims: ClaimNames::default(), refresh_s: 3_600 }
    }
}

/// Which claims tell what; `a.b` is the claim `b` inside the claim `a`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimNames {
    /// Who.
    pub user: String,
    /// How to show them.
    pub name: String,
    /// What they may do, in this server's form.
    pub grants: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { user: "sub".into(), name: "name".into(), grants: "grants".into() }
    }
}
