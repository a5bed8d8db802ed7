//! What one changes of oneself: how one is shown, the password, whether one is here at all.
//!
//! Invariant: whoever changes a password or goes shows that they know the password, and is signed out everywhere else.

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::accounts::Profile;
use super::audit::Action;
use super::contacts::contact_path;
use super::devices::no_account;
use super::{Caller, Service, ServiceError, texts};
use crate::directory::{Role, User, UserState};

/// Where one finds oneself.
const PATH: &str = "/api/auth/me";

/// What shall be different; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    /// How to be shown: 1 to 64 bytes.
    pub name: Option<String>,
    /// At most 1000 bytes.
    pub about: Option<String>,
    /// Null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// A blob, 64 hex digits; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub avatar: Option<Option<String>>,
}

/// A new password, and that one knows the old one.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one until now.
    pub old_password: String,
    /// The one from now on.
    pub new_password: String,
}

/// That one knows the password.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordProof {
    /// The password.
    pub password: String,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl Service {
    /// Changes how the caller is shown.
    ///
    /// # Errors
    /// `bad_request` says what is not possible; `not_possible` for a name that comes with the token.
    pub async fn change_profile(&self, caller: &Caller, patch: ProfilePatch) -> Result<Profile, ServiceError> {
        let id = &*caller.identity.user;
        if patch.name.is_some() && caller.identity.device.is_none() {
            return Err(ServiceError::because(ErrorCode::NotPossible, "Your name comes with your token."));
        }
        let name = patch.name.as_deref().map(texts::name).transpose()?;
        let about = patch.about.as_deref().map(texts::about).transpose()?;
        let email = patch.email.map(|email| email.as_deref().map(texts::email).transpose()).transpose()?;
        let avatar = match patch.avatar {
            Some(Some(avatar)) => Some(Some(self.avatar(caller, &avatar).await?)),
            unset => unset,
        };
        let is_renamed = name.is_some();
        let is_seen = is_renamed || about.is_some() || avatar.is_some();
        let mut email_before = None;
        let change = |user: &mut User, _| {
            email_before.clone_from(&user.email);
            user.name = name.unwrap_or(std::mem::take(&mut user.name));
            user.about = about.unwrap_or(std::mem::take(&mut user.about));
            user.email = email.unwrap_or(user.email.take());
            user.avatar = avatar.unwrap_or(user.avatar.take());
            Ok::<_, ServiceError>(())
        };
        let (user, _) = self.directory.change_user(id, (self.now_ms)(), change).await?;
        if is_renamed {
            self.roster.rename(id, &user.name).await;
        }
        if is_seen {
            self.look_changed(id);
        }
        if user.email != email_before {
            let detail = if user.email.is_some() { "set" } else { "removed" };
            self.audit(id, Action::EmailChanged, id, caller.address, detail).await;
        }
        let profile = Profile::from(user);
        self.tell_profile(&profile);
        Ok(profile)
    }

    /// Tells somebody's sessions who they are now.
    pub(super) fn tell_profile(&self, profile: &Profile) {
        self.tell(&profile.id, PATH.to_owned(), profile);
    }

    /// Changes the password. Every other sign-in ends.
    ///
    /// # Errors
    /// `wrong_credentials`, `weak_password`, `rate_limited`; `not_possible` without an account.
    pub async fn change_password(&self, caller: &Caller, change: PasswordChange) -> Result<(), ServiceError> {
        let device = caller.identity.device.as_deref().ok_or_else(no_account)?;
        let user = self.prove(caller, &change.old_password).await?;
        self.set_password(&user, &change.new_password).await?;
        self.audit(&user.id, Action::PasswordChanged, &user.id, caller.address, "").await;
        self.sign_out_devices(&user.id, Some(device)).await.map(drop)
    }

    /// Gives somebody another password, if it is good enough. Signs nobody out.
    pub(super) async fn set_password(&self, user: &User, password: &str) -> Result<(), ServiceError> {
        let context = [user.login.clone(), Some(user.name.clone()), user.email.clone()];
        let hashed = self.passwords.hash(password, context.into_iter().flatten().collect()).await?;
        let change = |user: &mut User, _| {
            user.password = Some(hashed);
            Ok::<_, ServiceError>(())
        };
        self.directory.change_user(&user.id, (self.now_ms)(), change).await.map(drop)
    }

    /// Deletes the caller's account. What is left is the id, in messages and in the audit, that it was deleted, and in the
    /// journal the name with each message, which is told to nobody any more.
    ///
    /// # Errors
    /// `wrong_credentials`, `rate_limited`; `not_possible` without an account, and for the last administrator.
    pub async fn delete_account(&self, caller: &Caller, proof: PasswordProof) -> Result<(), ServiceError> {
        caller.identity.device.as_deref().ok_or_else(no_account)?;
        let user = self.prove(caller, &proof.password).await?;
        let erase = |user: &mut User, other_administrators| {
            keep_administrator(user, other_administrators)?;
            (user.login, user.email, user.avatar, user.password) = Default::default();
            (user.name, user.about) = Default::default();
            (user.role, user.state) = (Role::User, UserState::Deleted);
            Ok::<_, ServiceError>(())
        };
        let (user, gone) = self.directory.change_user(&user.id, (self.now_ms)(), erase).await?;
        self.cut_off(&user.id, user.state);
        self.roster.limits().forget(&user.id);
        self.audit(&user.id, Action::AccountDeleted, &user.id, caller.address, "").await;
        for contact in &gone.contacts {
            self.tell_gone(contact, contact_path(&user.id));
        }
        for left in gone.dialogs {
            self.left_by_deletion(&user.id, caller.address, left).await;
        }
        Ok(())
    }

    /// Whether the caller knows their password; a failure counts as one of signing in.
    async fn prove(&self, caller: &Caller, password: &str) -> Result<User, ServiceError> {
        let user = self.user_row(&caller.identity.user).await?;
        let login = user.login.as_deref().unwrap_or_default();
        let attempt = self.attempts.begin(login, caller.address, (self.now_ms)())?;
        let is_right = self.passwords.verify(password, user.password.clone()).await;
        if !matches!(is_right, Ok(false)) {
            attempt.forgive();
        }
        if !is_right? {
            self.audit(&user.id, Action::PasswordWrong, &user.id, caller.address, "").await;
            return Err(ServiceError::because(ErrorCode::WrongCredentials, "The password is wrong."));
        }
        Ok(user)
    }
}

/// Refuses that the last administrator ceases to be one who can come in.
pub(super) fn keep_administrator(user: &User, others: u64) -> Result<(), ServiceError> {
    let is_last = user.role == Role::Administrator && user.state == UserState::Active && others == 0;
    if !is_last {
        return Ok(());
    }
    let why = "The last administrator stays: make somebody else one first.";
    Err(ServiceError::because(ErrorCode::NotPossible, why))
}
