//! Settings of limits: what holds for a role as long as no administrator has set anything else.

use serde::{Deserialize, Serialize};

/// How much users may do, by role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Who has no account.
    pub guest: RoleLimits,
    /// Who has one, or whom others vouch for.
    pub user: RoleLimits,
    /// Who answers visitors.
    pub operator: RoleLimits,
    /// Who may do everything.
    pub administrator: RoleLimits,
}

/// How much each user of a role may do; 0: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleLimits {
    /// Messages in a day.
    pub messages: u64,
    /// Questions to the assistant in a day.
    pub assistant_calls: u64,
    /// Bytes of files in all.
    pub storage_bytes: u64,
    /// Files begun in a day.
    pub uploads: u64,
    /// Dialogs made in a day.
    pub dialogs: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            guest: RoleLimits {
                storage_bytes: 256 << 20,
                uploads: 100,
                assistant_calls: 50,
                dialogs: 50,
                ..RoleLimits::default()
            },
            user: RoleLimits {
                storage_bytes: 10 << 30,
                uploads: 1_000,
                assistant_calls: 500,
                dialogs: 500,
                ..RoleLimits::default()
            },
            operator: RoleLimits::default(),
            administrator: RoleLimits::default(),
        }
    }
}
