//! What is limited, and for whom limits are set together.

use super::config::{LimitsConfig, RoleLimits};
use crate::auth::GUEST_PREFIX;
use crate::directory::Role;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Messages that one publishes in a day.
    Messages,
    /// Questions to the assistant in a day.
    AssistantCalls,
    /// Bytes of the files that one has uploaded, in all.
    StorageBytes,
    /// Files that one begins to upload in a day.
    Uploads,
    /// Dialogs that one makes in a day.
    Dialogs,
}

/// For whom limits are set together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitRole {
    /// Who has no account.
    Guest,
    /// Who has one, or whom others vouch for.
    User,
    /// Who answers visitors.
    Operator,
    /// Who may do everything.
    Administrator,
}

/// How much of each kind, in the order of [`LimitKind::ALL`]; `None`: no limit.
pub type Maxima = [Option<u64>; LimitKind::ALL.len()];
/// What was set of that; `None`: nothing was.
pub type Set = [Option<Option<u64>>; LimitKind::ALL.len()];

impl LimitKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Messages, Self::AssistantCalls, Self::StorageBytes, Self::Uploads, Self::Dialogs];

    /// Its name in tables and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::AssistantCalls => "assistant_calls",
            Self::StorageBytes => "storage_bytes",
            Self::Uploads => "uploads",
            Self::Dialogs => "dialogs",
        }
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Whether it is counted anew each day.
    pub fn is_daily(self) -> bool {
        self != Self::StorageBytes
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl LimitRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Guest, Self::User, Self::Operator, Self::Administrator];

    /// Its name in tables and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::User => "user",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// That of somebody who has no other one.
    pub(super) fn plain(user: &str) -> Self {
        if user.starts_with(GUEST_PREFIX) { Self::Guest } else { Self::User }
    }
}

impl From<Role> for LimitRole {
    fn from(role: Role) -> Self {
        match role {
            Role::User => Self::User,
            Role::Operator => Self::Operator,
            Role::Administrator => Self::Administrator,
        }
    }
}

impl LimitsConfig {
    /// What the settings say of a role.
    pub(super) fn maxima(&self, role: LimitRole) -> Maxima {
        let RoleLimits { messages, assistant_calls, storage_bytes, uploads, dialogs } = match role {
            LimitRole::Guest => self.guest,
            LimitRole::User => self.user,
            LimitRole::Operator => self.operator,
            LimitRole::Administrator => self.administrator,
        };
        [messages, assistant_calls, storage_bytes, uploads, dialogs].map(|most| (most > 0).then_some(most))
    }
}

/// What holds: what was set, else what stands below it.
pub(super) fn over(set: &Set, below: &Maxima) -> Maxima {
    std::array::from_fn(|index| set[index].unwrap_or(below[index]))
}
