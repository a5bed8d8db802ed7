//! Accounts: how somebody comes to be one, changes it, and goes.
//!
//! Invariant: whoever asks with a wrong login learns no more, and no sooner, than with a wrong password.

use std::net::IpAddr;

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Action;
use super::config::SignUp;
use super::devices::SignedIn;
use super::{Caller, Service, ServiceError, texts};
use crate::auth::{ACCOUNT_PREFIX, random_base32};
use crate::directory::{DirectoryError, Left, MemberRole, Role, User, UserState};

/// Who one is, for oneself and for administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Profile {
    /// The user id, as in messages.
    pub id: String,
    /// What one signs in with; null when others vouch, for guests, and once deleted.
    pub login: Option<String>,
    /// How one is shown.
    pub name: String,
    /// Shown to nobody else but administrators.
    pub email: Option<String>,
    /// What one tells of oneself.
    pub about: String,
    /// A blob: 64 hex digits.
    pub avatar: Option<String>,
    /// What one may do on the whole server.
    pub role: Role,
    /// Whether one may come in.
    pub state: UserState,
    /// `account`, `guest`, or who vouches.
    pub origin: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// What somebody tells to get an account.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// 3 to 32 of the letters a to z, digits, and . _ - after the first; capitals are folded.
    pub login: String,
    /// 8 characters or more, at most 256 bytes, not easy to guess.
    pub password: String,
    /// How to be shown: 1 to 64 bytes.
    pub name: String,
    /// For oneself and administrators.
    pub email: Option<String>,
    /// What the device says of itself.
    #[serde(default)]
    pub agent: String,
}

/// What somebody tells to sign in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The login; capitals are folded.
    pub login: String,
    /// The password.
    pub password: String,
    /// What the device says of itself.
    #[serde(default)]
    pub agent: String,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        let User { id, login, name, email, about, avatar, role, state, origin, created_ms, .. } = user;
        Self { id, login, name, email, about, avatar, role, state, origin, created_ms }
    }
}

impl Service {
    /// Makes an account and signs it in.
    ///
    /// # Errors
    /// `forbidden` when sign-up is closed; `bad_request`, `weak_password`, `login_taken`, `rate_limited`.
    pub async fn sign_up(&self, wanted: NewAccount, address: IpAddr) -> Result<SignedIn, ServiceError> {
        if self.config.sign_up == SignUp::Closed {
            return Err(ServiceError::because(ErrorCode::Forbidden, "Sign-up is closed here; ask an administrator."));
        }
        let agent = texts::agent(&wanted.agent);
        let user = self.new_account(wanted, Role::User).await?;
        self.directory.add_user(&user).await.map_err(taken)?;
        self.audit(&user.id, Action::SignUp, &user.id, address, "").await;
        self.add_device(user, agent, address).await
    }

    /// The row of an account that does not exist yet.
    pub(super) async fn new_account(&self, wanted: NewAccount, role: Role) -> Result<User, ServiceError> {
        let login = texts::login(&wanted.login)?;
        let name = texts::name(&wanted.name)?;
        let email = wanted.email.as_deref().map(texts::email).transpose()?;
        if self.directory.user_by_login(&login).await?.is_some() {
            return Err(ErrorCode::LoginTaken.into());
        }
        let context = [Some(login.clone()), Some(name.clone()), email.clone()].into_iter().flatten().collect();
        let password = Some(self.passwords.hash(&wanted.password, context).await?);
        Ok(User {
            id: format!("{ACCOUNT_PREFIX}{}", random_base32()),
            login: Some(login),
            name,
            email,
            about: String::new(),
            avatar: None,
            password,
            role,
            state: UserState::Active,
            origin: "account".to_owned(),
            created_ms: (self.now_ms)(),
            seen_ms: 0,
        })
    }

    /// Signs somebody in.
    ///
    /// # Errors
    /// `wrong_credentials`, whether or not there is such a login; `revoked` when the user is blocked; `rate_limited`.
    pub async fn sign_in(&self, credentials: Credentials, address: IpAddr) -> Result<SignedIn, ServiceError> {
        let login = credentials.login.to_ascii_lowercase();
        let attempt = self.attempts.begin(&login, address, (self.now_ms)())?;
        let known = self.directory.user_by_login(&login).await?;
        let hashed = known.as_ref().and_then(|user| user.password.clone());
        let is_right = self.passwords.verify(&credentials.password, hashed).await;
        let Some(user) = known.filter(|_| matches!(is_right, Ok(true))) else {
            is_right.inspect_err(|_| attempt.forgive())?;
            self.audit("", Action::SignInFailed, "", address, "wrong credentials").await;
            return Err(ErrorCode::WrongCredentials.into());
        };
        attempt.forgive();
        if user.state != UserState::Active {
            self.audit(&user.id, Action::SignInFailed, &user.id, address, user.state.name()).await;
            let why = "This account is blocked. Ask whoever runs this server.";
            return Err(ServiceError::because(ErrorCode::Revoked, why));
        }
        let id = user.id.clone();
        let signed_in = self.add_device(user, texts::agent(&credentials.agent), address).await?;
        self.audit(&id, Action::SignIn, &id, address, "").await;
        Ok(signed_in)
    }

    /// Who the caller is.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn me(&self, caller: &Caller) -> Result<Profile, ServiceError> {
        Ok(self.user_row(&caller.identity.user).await?.into())
    }

    /// The row of somebody.
    pub(super) async fn user_row(&self, id: &str) -> Result<User, ServiceError> {
        self.directory.user(id).await?.ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// After somebody's account was deleted: the core forgets that they were in this dialog, and those who stay are told.
    pub(super) async fn left_by_deletion(&self, user: &str, address: IpAddr, left: Left) {
        let dialog = &left.dialog_id;
        self.reread(dialog).await;
        self.access_changed(dialog, [user]);
        self.member_gone(dialog, user).await;
        if left.is_removed {
            return self.erase_removed(dialog).await;
        }
        self.tell_member_gone(dialog, user).await;
        match left.heir.as_deref() {
            Some(heir) => {
                let detail = format!("{dialog}: to {}", MemberRole::Owner.name());
                self.audit(user, Action::MemberRoleChanged, heir, address, &detail).await;
                self.members_are(dialog, &[heir], MemberRole::Owner).await;
            }
            None => self.tell_members(dialog).await,
        }
    }
}

/// What is unique of a user, beside a random id, is the login.
pub(super) fn taken(error: DirectoryError) -> ServiceError {
    match error {
        DirectoryError::Exists => ErrorCode::LoginTaken.into(),
        error => error.into(),
    }
}
