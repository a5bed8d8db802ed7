//! What administrators do to users, what they may look up, and how the first of them comes to be.
//!
//! Invariants: there is always an administrator who can come in, once there was one. The one-time code of the first is
//! known to whoever started the server, and here only by its hash.

use std::net::IpAddr;

use konvert_protocol::ErrorCode;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::accounts::{NewAccount, Profile, taken};
use super::audit::Action;
use super::page::{List, Page, limit};
use super::profile::keep_administrator;
use super::{Caller, Service, ServiceError, SignedIn};
use crate::auth::random_base32;
use crate::directory::{AuditEntry, Role, User, UserState};

/// The fact that lets somebody become the first administrator: the hash of the code.
const FACT: &str = "first_administrator";

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageOf {
    /// Most items, 1 to 100; 50 when absent.
    pub limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    pub cursor: Option<String>,
}

/// Which users.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    /// Words that login or name hold, or an id; absent: everybody.
    pub query: Option<String>,
    /// Most items, 1 to 100; 50 when absent.
    pub limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    pub cursor: Option<String>,
}

/// What shall be different of somebody; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// What they may do on the whole server.
    pub role: Option<Role>,
    /// `active` or `blocked`.
    pub state: Option<UserState>,
}

/// Somebody to whom an administrator gives an account.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// As for any account.
    pub login: String,
    /// What they sign in with the first time; as for any account.
    pub password: String,
    /// As for any account.
    pub name: String,
    /// For themselves and administrators.
    pub email: Option<String>,
    /// What they may do on the whole server.
    #[serde(default = "plain")]
    pub role: Role,
}

fn plain() -> Role {
    Role::User
}

/// A password given by an administrator.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// From now on.
    pub password: String,
}

/// What the first administrator tells.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstAdministrator {
    /// The code that the server printed when it started.
    pub code: String,
    /// As for any account.
    pub login: String,
    /// As for any account.
    pub password: String,
    /// As for any account.
    pub name: String,
}

/// Words of a search, at most.
const WORDS_MAX: usize = 8;
/// Longest search, bytes: an id may be one.
const QUERY_BYTES_MAX: usize = konvert_protocol::USER_ID_BYTES_MAX;

impl Service {
    /// The caller's row, if they are an administrator.
    pub(super) async fn administrator(&self, caller: &Caller) -> Result<User, ServiceError> {
        let user = self.user_row(&caller.identity.user).await?;
        match user.role {
            Role::Administrator => Ok(user),
            _ => Err(ErrorCode::Forbidden.into()),
        }
    }

    /// Users, the newest first.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`.
    pub async fn users(&self, caller: &Caller, query: UserQuery) -> Result<Page<Profile>, ServiceError> {
        let me = self.administrator(caller).await?;
        let limit = limit(query.limit)?;
        let text = query.query.unwrap_or_default().to_lowercase();
        if text.len() > QUERY_BYTES_MAX || text.chars().any(char::is_control) {
            let why = format!("`query` is at most {QUERY_BYTES_MAX} bytes, without control characters.");
            return Err(ServiceError::bad(why));
        }
        let words: Vec<_> = text.split_whitespace().take(WORDS_MAX).map(str::to_owned).collect();
        let name = format!("users {}", words.join(" "));
        let list = List { name: &name, caller: &me.id };
        let (at_ms, id) = before(list.after(query.cursor.as_deref())?);
        let users = self.directory.users(&words, (at_ms, &id), limit + 1).await?;
        Ok(Page::cut(users, limit, list, |last| (last.created_ms, last.id.clone())).map(Profile::from))
    }

    /// Somebody.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn user(&self, caller: &Caller, id: &str) -> Result<Profile, ServiceError> {
        self.administrator(caller).await?;
        Ok(self.user_row(id).await?.into())
    }

    /// Gives somebody an account, also where sign-up is closed. It signs nobody in.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`, `weak_password`, `login_taken`.
    pub async fn make_user(&self, caller: &Caller, wanted: NewUser) -> Result<Profile, ServiceError> {
        self.administrator(caller).await?;
        let NewUser { login, password, name, email, role } = wanted;
        let account = NewAccount { login, password, name, email, agent: String::new() };
        let user = self.new_account(account, role).await?;
        self.directory.add_user(&user).await.map_err(taken)?;
        self.roster.limits().set_role(&user.id, user.role.into());
        self.audit(&caller.identity.user, Action::UserCreated, &user.id, caller.address, role.name()).await;
        Ok(user.into())
    }

    /// Changes what somebody may do, or whether they may come in.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `bad_request`; `not_possible` for the last administrator and for who is deleted.
    pub async fn change_user(&self, caller: &Caller, id: &str, patch: UserPatch) -> Result<Profile, ServiceError> {
        self.administrator(caller).await?;
        if patch.state == Some(UserState::Deleted) {
            return Err(ServiceError::bad("state: `active` or `blocked`; people delete their accounts themselves."));
        }
        let mut before = None;
        let change = |user: &mut User, others| {
            if user.state == UserState::Deleted {
                return Err(ServiceError::because(ErrorCode::NotPossible, "This account was deleted."));
            }
            before = Some((user.role, user.state));
            let (role, state) = (patch.role.unwrap_or(user.role), patch.state.unwrap_or(user.state));
            if (role, state) != (Role::Administrator, UserState::Active) {
                keep_administrator(user, others)?;
            }
            (user.role, user.state) = (role, state);
            Ok(())
        };
        let (user, _) = self.directory.change_user(id, (self.now_ms)(), change).await?;
        let (role, state) = before.unwrap_or((user.role, user.state));
        let me = &caller.identity.user;
        if user.state != state {
            self.cut_off(id, user.state);
            let action = if user.state == UserState::Blocked { Action::Blocked } else { Action::Unblocked };
            self.audit(me, action, id, caller.address, "").await;
        }
        if user.role != role {
            self.roster.limits().set_role(id, user.role.into());
            self.tell_limits(&id.into()).await;
            let detail = format!("{} to {}", role.name(), user.role.name());
            self.audit(me, Action::RoleChanged, id, caller.address, &detail).await;
        }
        let profile = Profile::from(user);
        self.tell_profile(&profile);
        Ok(profile)
    }

    /// Ends every sign-in of somebody.
    ///
    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn end_sign_ins_of(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.administrator(caller).await?;
        let user = self.user_row(id).await?;
        let count = self.sign_out_devices(&user.id, None).await?;
        let detail = format!("{count} devices");
        self.audit(&caller.identity.user, Action::SignInsEnded, id, caller.address, &detail).await;
        Ok(())
    }

    /// Gives somebody a password, and ends every sign-in of theirs.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `weak_password`, `rate_limited`; `not_possible` for whoever has no login.
    pub async fn reset_password(&self, caller: &Caller, id: &str, new: NewPassword) -> Result<(), ServiceError> {
        self.administrator(caller).await?;
        let user = self.user_row(id).await?;
        if user.login.is_none() {
            return Err(ServiceError::because(ErrorCode::NotPossible, "They sign in with no password here."));
        }
        self.set_password(&user, &new.password).await?;
        self.audit(&caller.identity.user, Action::PasswordReset, id, caller.address, "").await;
        self.sign_out_devices(id, None).await.map(drop)
    }

    /// What was done that matters for security, the newest first.
    ///
    /// # Errors
    /// `forbidden`, `bad_request`.
    pub async fn audit_entries(&self, caller: &Caller, page: PageOf) -> Result<Page<AuditEntry>, ServiceError> {
        let me = self.administrator(caller).await?;
        let limit = limit(page.limit)?;
        let list = List { name: "audit", caller: &me.id };
        let (at_ms, id) = before(list.after(page.cursor.as_deref())?);
        let entries = self.directory.audit((at_ms, &id), limit + 1).await?;
        Ok(Page::cut(entries, limit, list, |last| (last.at_ms, last.id.clone())))
    }

    /// Whether somebody is an administrator.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn has_administrator(&self) -> Result<bool, ServiceError> {
        Ok(self.directory.has_administrator().await?)
    }

    /// A code by which somebody becomes the first administrator, for as long as there is none. The one before it is of
    /// no more use.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn first_administrator_code(&self) -> Result<Option<String>, ServiceError> {
        if self.directory.has_administrator().await? {
            return Ok(None);
        }
        let code = format!("{}{}", random_base32(), random_base32());
        self.directory.set_fact(FACT, &hash(&code)).await?;
        Ok(Some(code))
    }

    /// Makes the first administrator and signs them in.
    ///
    /// # Errors
    /// `forbidden` without the newest code, or when there is one; and as for any account.
    pub async fn first_administrator(
        &self,
        wanted: FirstAdministrator,
        address: IpAddr,
    ) -> Result<SignedIn, ServiceError> {
        let refused = || {
            let why = "This is not the code that the server printed at its last start, or it was used.";
            ServiceError::because(ErrorCode::Forbidden, why)
        };
        let FirstAdministrator { code, login, password, name } = wanted;
        let hashed = hash(&code);
        if self.directory.fact(FACT).await?.is_none_or(|fact| fact != hashed) {
            self.audit("", Action::FirstAdministratorRefused, "", address, "").await;
            return Err(refused());
        }
        let account = NewAccount { login, password, name, email: None, agent: String::new() };
        let user = self.new_account(account, Role::Administrator).await?;
        if !self.directory.add_first_administrator(&user, FACT, &hashed).await.map_err(taken)? {
            return Err(refused());
        }
        self.roster.limits().set_role(&user.id, user.role.into());
        self.audit(&user.id, Action::FirstAdministrator, &user.id, address, "").await;
        self.add_device(user, String::new(), address).await
    }
}

/// Where a list that goes back in time begins.
fn before(key: Option<(u64, String)>) -> (u64, String) {
    key.unwrap_or((i64::MAX as u64, String::new()))
}

fn hash(code: &str) -> String {
    Sha256::digest(code.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
