//! Those who come in without an account here: guests, and users whom others vouch for by their tokens.
//!
//! Invariant: whoever asks for something over HTTP has a row among the users, under the name that they come with.

use std::sync::Arc;

use konvert_protocol::ErrorCode;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::Profile;
use super::{Service, ServiceError, texts};
use crate::auth::{GuestError, Identity};
use crate::directory::{Role, User, UserState};

/// Most users whose row is remembered to be there.
const REMEMBERED_MAX: usize = 50_000;

/// Whose rows are there, and with which name.
pub(super) type Known = Cache<Arc<str>, Arc<str>>;

pub(super) fn known() -> Known {
    Cache::new(REMEMBERED_MAX)
}

/// How a guest wants to be called.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGuest {
    /// 1 to 64 bytes.
    pub name: String,
}

/// A guest who has just come in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GuestIn {
    /// Who.
    pub user: Profile,
    /// For requests and for `connect`; it cannot be refreshed.
    pub access_token: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
}

impl Service {
    /// Lets a guest in.
    ///
    /// # Errors
    /// `guests_not_allowed`, `bad_request` for the name.
    pub async fn guest(&self, wanted: NewGuest) -> Result<GuestIn, ServiceError> {
        let name = texts::name(&wanted.name)?;
        let (access_token, identity) = self.auth.guest(&name, (self.now_ms)()).map_err(|error| match error {
            GuestError::NotAllowed => ServiceError::from(ErrorCode::GuestsNotAllowed),
            GuestError::BadName => ErrorCode::BadName.into(),
        })?;
        self.enter(&identity).await?;
        let user = self.user_row(&identity.user).await?.into();
        Ok(GuestIn { user, access_token, expires_ms: identity.expires_ms })
    }

    /// Keeps the row of somebody without an account: what belongs to them refers to it.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn enter(&self, identity: &Identity) -> Result<(), ServiceError> {
        let is_known = |name: Arc<str>| *name == *identity.name;
        if identity.device.is_some() || self.known.get(&identity.user).is_some_and(is_known) {
            return Ok(());
        }
        let name = texts::vouched_name(&identity.name);
        let now_ms = (self.now_ms)();
        let row = User {
            id: identity.user.to_string(),
            login: None,
            name: if name.is_empty() { identity.user.to_string() } else { name },
            email: None,
            about: String::new(),
            avatar: None,
            password: None,
            role: Role::User,
            state: UserState::Active,
            origin: identity.origin.to_string(),
            created_ms: now_ms,
            seen_ms: now_ms,
        };
        // Whoever comes without a name keeps the one they have.
        let is_renamed = self.directory.keep_vouched(&row, !identity.name.is_empty()).await?;
        self.known.insert(identity.user.clone(), identity.name.clone());
        if is_renamed {
            self.look_changed(&identity.user);
        }
        Ok(())
    }
}
