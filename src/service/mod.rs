//! What a chat product needs around the core: accounts, dialogs, contacts, limits, stored files, webhooks.
//!
//! Owns the rules: who may do what to whom, and what is told to whom when something changed. The directory has the rows,
//! the broker what is live, the journal what was said. Refuses to know HTTP and SQL. One file per subject.
//!
//! Invariants: every rule about whose something is stands here and nowhere else. What may be known of by nobody looks
//! like what does not exist. A change is confirmed after it is stored and before anybody is told of it.

mod accounts;
mod administration;
mod advice;
mod appearance;
mod attempts;
mod audit;
mod backend;
mod blobs;
mod cache;
mod catch_up;
mod config;
mod contacts;
mod devices;
mod dialogs;
mod entry;
mod error;
mod follow;
mod housekeeping;
mod invites;
mod key_sets;
mod keys;
mod limits;
mod listing;
mod live;
mod members;
mod message;
mod messages;
mod outward;
mod pace;
mod page;
mod passwords;
mod people;
mod profile;
mod quotas;
mod roster;
mod shelf;
mod steward;
mod texts;
mod upkeep;
mod uploads;
mod view;
mod webhooks;

use std::sync::Arc;

use hmac::Hmac;
use sha2::Sha256;

pub use crate::directory::AuditEntry;
pub use accounts::{Credentials, NewAccount, Profile};
pub use administration::{FirstAdministrator, NewPassword, NewUser, PageOf, UserPatch, UserQuery};
pub use advice::Advice;
pub use audit::Action;
pub use backend::*;
pub use blobs::BlobInfo;
pub use config::{ServiceConfig, SignUp};
pub use contacts::{ContactAct, ContactView, ContactsQuery};
pub use devices::{RefreshToken, SignIn, SignedIn, Tokens};
pub use dialogs::{DialogPatch, DialogSettings, NewDialog};
pub use entry::{GuestIn, NewGuest};
pub use error::ServiceError;
pub use invites::{InviteTarget, InviteView, NewInvite};
pub use key_sets::follow_key_sets;
pub use keys::{ApiKey, KEY_PREFIX, KeyView, MadeKey, NewKey, Scope, make_key};
pub use limits::{LimitKind, LimitRole, Limits, LimitsConfig, RoleLimits};
pub use listing::DialogsQuery;
pub use members::{MemberView, NewMembers, PageQuery, RoleChange};
pub use message::{MessageKind, MessageRelation, MessageView, Place, RelationView};
pub use messages::{ChatMessage, History, HistoryQuery, NewMessage, Published, ReadUpTo, Receipt};
pub use outward::{Network, Outward, OutwardError, is_public};
pub use page::{PAGE_MAX, Page};
pub use people::PeopleQuery;
pub use profile::{PasswordChange, PasswordProof, ProfilePatch};
pub use quotas::{RoleMaxima, UserLimit, UserLimits, UserMaxima};
pub use roster::Roster;
pub use steward::Steward;
pub use uploads::{NewUpload, PieceHead, UploadState};
pub use view::{DialogMode, DialogView, PersonView};
pub use webhooks::{
    DeliveryView, DeliveryWish, EventKind, MadeWebhook, NewWebhook, PingView, WebhookChange, WebhookEvent, WebhookList,
    WebhookRows, WebhookView, Webhooks, WebhooksConfig,
};

use appearance::Appearances;
use attempts::Attempts;
use entry::Known;
use konvert_protocol::ErrorCode;
use passwords::Passwords;
use shelf::Shelves;

use crate::auth::{Auth, Identity};
use crate::blobs::Blobs;
use crate::broker::Broker;
use crate::directory::Directory;

/// The rules, over everything they need.
pub struct Service {
    config: ServiceConfig,
    directory: Directory,
    roster: Arc<Roster>,
    shelves: Shelves,
    broker: Broker,
    auth: Arc<Auth>,
    blobs: Arc<Blobs>,
    passwords: Passwords,
    attempts: Attempts,
    appearances: Appearances,
    /// Users without an account whose row is there.
    known: Known,
    /// What refresh tokens are signed with.
    refresh_key: Hmac<Sha256>,
    /// The time, milliseconds since 1970.
    now_ms: fn() -> u64,
    key_limiter: keys::KeyLimiter,
    webhooks: Webhooks,
}

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub identity: Identity,
    /// The address that counts for limits and the audit.
    pub address: std::net::IpAddr,
}

/// What the rules stand on.
pub struct Ground {
    /// The open tables.
    pub directory: Directory,
    /// Memberships and revocations, which the core asks.
    pub roster: Arc<Roster>,
    /// The core.
    pub broker: Broker,
    /// Tokens.
    pub auth: Arc<Auth>,
    /// The bytes of stored files.
    pub blobs: Arc<Blobs>,
    /// The way to programs that are told.
    pub webhooks: Webhooks,
    /// The time, milliseconds since 1970.
    pub now_ms: fn() -> u64,
}

impl Service {
    /// Over everything it stands on.
    pub fn new(config: ServiceConfig, ground: Ground) -> Self {
        let Ground { directory, roster, broker, auth, blobs, webhooks, now_ms } = ground;
        let (passwords, attempts) = (Passwords::start(), Attempts::new());
        let refresh_key = auth.derived_key("refresh token");
        let shelves = Shelves::new(directory.clone(), broker.clone(), config.memberships_cached_max);
        let key_limiter = keys::limiter(config.key_requests_per_second);
        Self {
            config,
            directory,
            roster,
            shelves,
            broker,
            auth,
            blobs,
            passwords,
            attempts,
            appearances: Appearances::default(),
            known: entry::known(),
            refresh_key,
            now_ms,
            key_limiter,
            webhooks,
        }
    }

    /// Longest payload of a message.
    pub fn payload_bytes(&self) -> usize {
        self.broker.config().payload_bytes
    }

    /// Who a token says somebody is, if they may still come in.
    ///
    /// # Errors
    /// `bad_token`, `token_expired`, `revoked`.
    pub fn identify(&self, token: &str) -> Result<Identity, ServiceError> {
        let identity = self.auth.verify(token, (self.now_ms)())?;
        match crate::broker::Directory::refusal(&self.roster, &identity) {
            Some(code) => Err(code.into()),
            None => Ok(identity),
        }
    }
}

/// Does something that may wait for the disk or take long, where nobody else is kept waiting; so many at once.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServiceError> {
    const AT_ONCE: usize = 64;
    static PLACES: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(AT_ONCE);
    let _place = PLACES.acquire().await.map_err(|_| ErrorCode::Internal)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| ErrorCode::Internal.into())
}
