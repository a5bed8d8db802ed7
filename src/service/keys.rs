//! API keys: how programs come in by themselves, without being anybody.
//!
//! Owns their form `kk_<id>_<secret>`, what they may do, and who makes and ends them. Invariants: the secret is told once
//! and kept by its hash only; a key that was taken back is refused from the next request on, whoever took it back, because
//! nothing of it is kept in memory; a key is not a token and a token is not a key.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use super::audit::Action;
use super::page::{self, List, Page};
use super::{Caller, Service, ServiceError};
use crate::auth::{Pattern, random_base32};
use crate::broker::DIALOG_PREFIX;
use crate::directory::{ApiKeyRow, Directory};

/// What every key begins with.
pub const KEY_PREFIX: &str = "kk_";
/// Its last use is written down at most this often, milliseconds.
const USED_MS: u64 = 60_000;
/// Longest name, bytes.
const NAME_BYTES_MAX: usize = 100;

/// Something that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Create rooms and publish to one at a time.
    Publish,
    /// Publish to many rooms at once.
    Broadcast,
    /// Read what was said.
    History,
    /// See who is there.
    Presence,
    /// End the connections of users.
    Disconnect,
    /// Vouch for users: keep them and make tokens for them.
    Tokens,
    /// Look after webhooks.
    Webhooks,
    /// Do all of this in the rooms of dialogs too.
    Dialogs,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 8] = [
        Self::Publish,
        Self::Broadcast,
        Self::History,
        Self::Presence,
        Self::Disconnect,
        Self::Tokens,
        Self::Webhooks,
        Self::Dialogs,
    ];

    /// Its name in requests and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Broadcast => "broadcast",
            Self::History => "history",
            Self::Presence => "presence",
            Self::Disconnect => "disconnect",
            Self::Tokens => "tokens",
            Self::Webhooks => "webhooks",
            Self::Dialogs => "dialogs",
        }
    }

    /// By its name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A program that has come in.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key's id.
    pub id: String,
    scopes: BTreeSet<Scope>,
    rooms: Pattern,
}

impl ApiKey {
    /// Whether the key has the scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// # Errors
    /// `forbidden` when the key has not the scope.
    pub fn must(&self, scope: Scope) -> Result<(), ServiceError> {
        match self.has(scope) {
            true => Ok(()),
            false => Err(ServiceError::because(
                ErrorCode::Forbidden,
                format!("The API key has not the scope `{}`. Make one that has.", scope.name()),
            )),
        }
    }

    /// Whether the key may know of a room.
    pub fn reaches(&self, room: &str) -> bool {
        let is_dialog = room.starts_with(DIALOG_PREFIX);
        self.rooms.matches(room) && (!is_dialog || self.has(Scope::Dialogs))
    }

    /// Whether everything that a pattern matches is within the key's rooms.
    pub fn covers(&self, rooms: &Pattern) -> bool {
        self.rooms.covers(rooms) && (!rooms.meets(DIALOG_PREFIX) || self.has(Scope::Dialogs))
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it: 1 to 100 bytes.
    #[schema(example = "shop backend")]
    pub name: String,
    /// What it may do; at least one.
    pub scopes: BTreeSet<Scope>,
    /// In which rooms: a name, a beginning and `*`, or `*`.
    #[serde(default = "everywhere")]
    #[schema(default = "*", example = "shop-*")]
    pub rooms: String,
    /// When it ends, milliseconds since 1970; absent: never.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

fn everywhere() -> String {
    "*".into()
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// In which rooms.
    pub rooms: String,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
    /// When it was last used, give or take a minute, milliseconds since 1970; 0: never.
    pub used_ms: u64,
    /// When it was taken back, milliseconds since 1970; 0: it was not.
    pub revoked_ms: u64,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeKey {
    /// The key itself. It is told this once.
    #[schema(example = "kk_…")]
    pub secret: String,
    /// What it is.
    pub key: KeyView,
}

impl From<ApiKeyRow> for KeyView {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            scopes: scopes(&row.scopes),
            rooms: row.rooms,
            created_by: row.created_by,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            used_ms: row.used_ms,
            revoked_ms: row.revoked_ms,
        }
    }
}

/// How often each key may ask.
pub(super) type KeyLimiter = DefaultKeyedRateLimiter<String>;

pub(super) fn limiter(per_second: u32) -> KeyLimiter {
    RateLimiter::keyed(Quota::per_second(NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN)))
}

/// Makes a key and stores it; also for the command line, which has no service.
///
/// # Errors
/// `bad_request` when it could do nothing or nowhere.
pub async fn make_key(directory: &Directory, new: NewKey, by: &str, now_ms: u64) -> Result<MadeKey, ServiceError> {
    let name = new.name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(ServiceError::bad("The name must be 1 to 100 bytes without control characters."));
    }
    if new.scopes.is_empty() {
        return Err(ServiceError::bad("Name at least one scope; a key without any could do nothing."));
    }
    Pattern::new(&new.rooms).map_err(|why| ServiceError::bad(format!("rooms: {why}")))?;
    // Events of users are of no room.
    if new.scopes.contains(&Scope::Webhooks) && new.rooms != "*" {
        return Err(ServiceError::bad("The scope `webhooks` goes with all rooms only: leave `rooms` away."));
    }
    if new.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
        return Err(ServiceError::bad("expires_ms is in the past."));
    }
    let (id, secret) = (random_base32(), format!("{}{}", random_base32(), random_base32()));
    let row = ApiKeyRow {
        name: name.to_owned(),
        secret_hash: hash(&secret),
        scopes: new.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "),
        rooms: new.rooms,
        created_by: by.to_owned(),
        created_ms: now_ms,
        expires_ms: new.expires_ms.unwrap_or(0),
        used_ms: 0,
        revoked_ms: 0,
        id,
    };
    directory.add_api_key(&row).await?;
    Ok(MadeKey { secret: format!("{KEY_PREFIX}{}_{secret}", row.id), key: row.into() })
}

fn scopes(text: &str) -> BTreeSet<Scope> {
    text.split(' ').filter_map(Scope::of).collect()
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Service {
    /// Whose key this is, if it holds now and is not used too fast.
    ///
    /// # Errors
    /// `bad_token`, `token_expired`, `revoked`, `rate_limited`.
    pub async fn authenticate(&self, key: &str) -> Result<ApiKey, ServiceError> {
        let unknown =
            || ServiceError::because(ErrorCode::BadToken, "An API key is needed here, like kk_…; this is none.");
        let (id, secret) = key.strip_prefix(KEY_PREFIX).and_then(|key| key.split_once('_')).ok_or_else(unknown)?;
        let row = self.directory.api_key(id).await?.ok_or_else(unknown)?;
        if !bool::from(hash(secret).as_bytes().ct_eq(row.secret_hash.as_bytes())) {
            return Err(unknown());
        }
        let now_ms = (self.now_ms)();
        if row.revoked_ms > 0 {
            return Err(ServiceError::because(ErrorCode::Revoked, "This API key was taken back."));
        }
        if row.expires_ms > 0 && row.expires_ms <= now_ms {
            return Err(ServiceError::because(ErrorCode::TokenExpired, "This API key has ended."));
        }
        self.key_limiter.check_key(&row.id).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            ServiceError::too_fast(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1))
        })?;
        if row.used_ms.saturating_add(USED_MS) <= now_ms {
            self.directory.api_key_used(&row.id, now_ms).await?;
        }
        let rooms = Pattern::new(&row.rooms).map_err(|_| ErrorCode::Internal)?;
        Ok(ApiKey { id: row.id, scopes: scopes(&row.scopes), rooms })
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `forbidden` to all but administrators; `bad_request`.
    pub async fn create_key(&self, caller: &Caller, new: NewKey) -> Result<MadeKey, ServiceError> {
        self.administrator(caller).await?;
        let made = make_key(&self.directory, new, &caller.identity.user, (self.now_ms)()).await?;
        self.audit(&caller.identity.user, Action::KeyCreated, &made.key.id, caller.address, "").await;
        Ok(made)
    }

    /// The keys, the newest first, also those that were taken back.
    ///
    /// # Errors
    /// `forbidden` to all but administrators; `bad_request`.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<KeyView>, ServiceError> {
        self.administrator(caller).await?;
        let (list, limit) = (List { name: "keys", caller: &caller.identity.user }, page::limit(limit)?);
        let (before_ms, id) = list.after(cursor)?.unwrap_or((i64::MAX as u64, String::new()));
        let keys = self.directory.api_keys((before_ms, &id), limit as u64 + 1).await?;
        Ok(Page::cut(keys, limit, list, |last| (last.created_ms, last.id.clone())).map(KeyView::from))
    }

    /// Takes a key back, at once and for ever.
    ///
    /// # Errors
    /// `forbidden` to all but administrators; `not_found` when it does not hold.
    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        self.administrator(caller).await?;
        if !self.directory.revoke_api_key(id, (self.now_ms)()).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.audit(&caller.identity.user, Action::KeyRevoked, id, caller.address, "").await;
        Ok(())
    }
}
