//! What users see of their limits, and what administrators set.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::audit::Action;
use super::limits::{LimitKind, LimitRole, Maxima, Set};
use super::{Caller, Service, ServiceError};

/// Where a user sees their limits.
const PATH: &str = "/api/user-limits";
/// The highest limit: what every reader of JSON takes for a whole number.
const MAX: u64 = (1 << 53) - 1;

/// How much one may do, and how much of it one has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserLimits {
    /// One for each kind.
    pub limits: Vec<UserLimit>,
}

/// One kind of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserLimit {
    /// Of what.
    pub kind: LimitKind,
    /// How much; null: no limit.
    pub max: Option<u64>,
    /// How much is used.
    pub used: u64,
    /// How much is left; null: no limit.
    pub remaining: Option<u64>,
    /// When counting begins anew, milliseconds since 1970; null: never, because it is what one has.
    pub reset_ms: Option<u64>,
}

/// How much everybody of a role may do; null: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleMaxima {
    /// Messages in a day.
    #[serde(deserialize_with = "present")]
    pub messages: Option<u64>,
    /// Questions to the assistant in a day.
    #[serde(deserialize_with = "present")]
    pub assistant_calls: Option<u64>,
    /// Bytes of files in all.
    #[serde(deserialize_with = "present")]
    pub storage_bytes: Option<u64>,
    /// Files begun in a day.
    #[serde(deserialize_with = "present")]
    pub uploads: Option<u64>,
    /// Dialogs made in a day.
    #[serde(deserialize_with = "present")]
    pub dialogs: Option<u64>,
}

/// What holds for one user and not for everybody of the role. Absent: as for the role; null: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserMaxima {
    /// Messages in a day.
    #[serde(default, deserialize_with = "set", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub messages: Option<Option<u64>>,
    /// Questions to the assistant in a day.
    #[serde(default, deserialize_with = "set", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub assistant_calls: Option<Option<u64>>,
    /// Bytes of files in all.
    #[serde(default, deserialize_with = "set", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub storage_bytes: Option<Option<u64>>,
    /// Files begun in a day.
    #[serde(default, deserialize_with = "set", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub uploads: Option<Option<u64>>,
    /// Dialogs made in a day.
    #[serde(default, deserialize_with = "set", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub dialogs: Option<Option<u64>>,
}

/// Null, but not absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(deserializer)
}

fn set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl From<Maxima> for RoleMaxima {
    fn from([messages, assistant_calls, storage_bytes, uploads, dialogs]: Maxima) -> Self {
        Self { messages, assistant_calls, storage_bytes, uploads, dialogs }
    }
}

impl From<Set> for UserMaxima {
    fn from([messages, assistant_calls, storage_bytes, uploads, dialogs]: Set) -> Self {
        Self { messages, assistant_calls, storage_bytes, uploads, dialogs }
    }
}

impl Service {
    /// How much the caller may do.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn user_limits(&self, caller: &Caller) -> Result<UserLimits, ServiceError> {
        self.limits_of(&caller.identity.user).await
    }

    async fn limits_of(&self, user: &str) -> Result<UserLimits, ServiceError> {
        let limits = self.roster.limits();
        let mut used = limits.used(user);
        used[LimitKind::StorageBytes as usize] = self.directory.stored_bytes(user).await?;
        let kinds = LimitKind::ALL.into_iter().zip(limits.of_user(user)).zip(used);
        let limit = |((kind, max), used): ((LimitKind, Option<u64>), u64)| UserLimit {
            kind,
            max,
            used,
            remaining: max.map(|max| max.saturating_sub(used)),
            reset_ms: kind.is_daily().then(|| limits.day_ends_ms()),
        };
        Ok(UserLimits { limits: kinds.map(limit).collect() })
    }

    /// What holds for a role.
    ///
    /// # Errors
    /// `forbidden`.
    pub async fn role_limits(&self, caller: &Caller, role: LimitRole) -> Result<RoleMaxima, ServiceError> {
        self.administrator(caller).await?;
        Ok(self.roster.limits().of_role(role).into())
    }

    /// Sets what holds for a role, at once.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`.
    pub async fn set_role_limits(
        &self,
        caller: &Caller,
        role: LimitRole,
        maxima: RoleMaxima,
    ) -> Result<RoleMaxima, ServiceError> {
        self.administrator(caller).await?;
        let RoleMaxima { messages, assistant_calls, storage_bytes, uploads, dialogs } = maxima;
        let new = [messages, assistant_calls, storage_bytes, uploads, dialogs];
        new.into_iter().flatten().try_for_each(possible)?;
        self.roster.limits().change_role(role, new).await?;
        self.audit(&caller.identity.user, Action::LimitsChanged, role.name(), caller.address, &text(&maxima)).await;
        let limits = self.roster.limits();
        for user in self.broker.watching().into_iter().filter(|user| limits.role_of(user) == role) {
            self.tell_limits(&user).await;
        }
        Ok(maxima)
    }

    /// What holds for one user and not for everybody of the role.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn limits_set_for(&self, caller: &Caller, user: &str) -> Result<UserMaxima, ServiceError> {
        self.administrator(caller).await?;
        self.user_row(user).await?;
        Ok(self.roster.limits().set_for(user).into())
    }

    /// Sets that, at once.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `bad_request`.
    pub async fn set_limits_for(
        &self,
        caller: &Caller,
        user: &str,
        maxima: UserMaxima,
    ) -> Result<UserMaxima, ServiceError> {
        self.administrator(caller).await?;
        let UserMaxima { messages, assistant_calls, storage_bytes, uploads, dialogs } = maxima;
        let new = [messages, assistant_calls, storage_bytes, uploads, dialogs];
        new.into_iter().flatten().flatten().try_for_each(possible)?;
        self.user_row(user).await?;
        self.roster.limits().change_user(user, new).await?;
        self.audit(&caller.identity.user, Action::LimitsChanged, user, caller.address, &text(&maxima)).await;
        self.tell_limits(&user.into()).await;
        Ok(maxima)
    }

    /// Tells somebody's sessions how much is left.
    pub(super) async fn tell_limits(&self, user: &Arc<str>) {
        if !self.broker.is_watching(user) {
            return;
        }
        match self.limits_of(user).await {
            Ok(limits) => self.tell(user, PATH.to_owned(), &limits),
            // Whoever looks for themselves sees it.
            Err(error) => tracing::debug!(%error, "limits were not told"),
        }
    }
}

fn possible(max: u64) -> Result<(), ServiceError> {
    match max <= MAX {
        true => Ok(()),
        false => Err(ServiceError::bad(format!("A limit is at most {MAX}, or null for none."))),
    }
}

/// For the audit.
fn text(maxima: &impl Serialize) -> String {
    serde_json::to_string(maxima).unwrap_or_default()
}
