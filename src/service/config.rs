//! Settings of accounts, dialogs and what belongs to them.

use serde::{Deserialize, Serialize};

/// How accounts, dialogs and what belongs to them behave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Who may make an account.
    pub sign_up: SignUp,
    /// How long an access token holds, seconds; then it is refreshed.
    pub access_token_s: u64,
    /// A device that is not used for this long must sign in again, seconds.
    pub device_s: u64,
    /// Requests per second of one account, sustained.
    pub requests_per_second: u32,
    /// Requests of one account at once.
    pub requests_burst: u32,
    /// Requests per second of one address to paths that need no token, sustained.
    pub address_requests_per_second: u32,
    /// Requests of one address at once to paths that need no token.
    pub address_requests_burst: u32,
    /// How long actions that matter for security are remembered, seconds.
    pub audit_s: u64,
    /// Most memberships kept in memory for deciding rights, and as many for lists of dialogs.
    pub memberships_cached_max: usize,
    /// Most members of a dialog.
    pub members_max: u64,
    /// Most dialogs that somebody may be a member of.
    pub memberships_per_user: u64,
    /// Most requests of one API key in a second.
    pub key_requests_per_second: u32,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Open,
            access_token_s: 900,
            device_s: 90 * 24 * 3_600,
            requests_per_second: 50,
            requests_burst: 200,
            address_requests_per_second: 20,
            address_requests_burst: 100,
            audit_s: 365 * 24 * 3_600,
            memberships_cached_max: 1_000_000,
            members_max: 100_000,
            memberships_per_user: 20_000,
            key_requests_per_second: 200,
        }
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Everybody.
    Open,
    /// Nobody; administrators do it for them.
    Closed,
}
