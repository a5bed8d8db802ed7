//! Who is in which dialog and who may not come in any more, in memory, for the core to ask.
//!
//! Owns the cache over the directory's memberships, and the revocations. Invariants: after [`Roster::reload`] the answers
//! are not older than the call; what is not known is never guessed.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use futures_util::future::BoxFuture;
use konvert_protocol::ErrorCode;
use quick_cache::DefaultHashBuilder;
use quick_cache::sync::Cache;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

use super::cache::{Lists, lists};
use super::config::ServiceConfig;
use super::limits::{LimitKind, Limits};
use super::pace::Pace;
use crate::auth::{Identity, Permission, Permissions};
use crate::broker::{self, BrokerError};
use crate::directory::{Directory, DirectoryError, MemberRole, UserState};

/// Reloads of the same dialog follow each other; this many of different ones may run at once.
const RELOAD_LOCKS: usize = 64;

type Roles = Arc<HashMap<Box<str>, MemberRole>>;

/// The longest that an access token can hold, whatever the settings were when it was made: a day.
const TOKEN_MS_MAX: u64 = 24 * 3_600_000;

/// Dialogs that do not exist, remembered so that asking for them again costs nothing.
const ABSENT_MAX: usize = 10_000;

/// The cache and the revocations.
pub struct Roster {
    directory: Directory,
    /// Where the directory is asked: shards have other things to do.
    runtime: Handle,
    dialogs: Lists<Roles>,
    absent: Cache<Box<str>, ()>,
    limits: Arc<Limits>,
    pace: Pace,
    reloading: [Mutex<()>; RELOAD_LOCKS],
    hasher: DefaultHashBuilder,
    /// Users who may not come in: blocked, or deleted.
    users: DashMap<Box<str>, UserState>,
    /// Devices that were signed out, until the last token of theirs has ended, milliseconds since 1970.
    devices: DashMap<Box<str>, u64>,
    /// The names of accounts that have tokens with an older one, or may: until the last of these has ended, milliseconds
    /// since 1970.
    names: DashMap<Box<str>, (Arc<str>, u64)>,
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("dialogs", &self.dialogs.len()).finish_non_exhaustive()
    }
}

impl Roster {
    /// Knows the revocations, and no dialog yet.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn new(
        directory: Directory,
        runtime: Handle,
        config: &ServiceConfig,
        limits: Arc<Limits>,
    ) -> Result<Arc<Self>, DirectoryError> {
        let memberships_max = config.memberships_cached_max;
        let since_ms = limits.now_ms().saturating_sub(TOKEN_MS_MAX);
        let (devices, users) = directory.revocations(since_ms).await?;
        let names = directory.changed_accounts(since_ms).await?;
        let until = |changed_ms: u64| changed_ms.saturating_add(TOKEN_MS_MAX);
        Ok(Arc::new(Self {
            directory,
            runtime,
            dialogs: lists(memberships_max, 8, |roles| roles.len()),
            absent: Cache::new(ABSENT_MAX),
            limits,
            pace: Pace::new(config),
            reloading: std::array::from_fn(|_| Mutex::new(())),
            hasher: DefaultHashBuilder::default(),
            users: users.into_iter().map(|(id, state)| (id.into(), state)).collect(),
            devices: devices.into_iter().map(|(id, revoked_ms)| (id.into(), until(revoked_ms))).collect(),
            names: names.into_iter().map(|(id, name, at_ms)| (id.into(), (name.into(), until(at_ms)))).collect(),
        }))
    }

    /// The quotas.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// How fast requests and tries may come.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// What somebody is in a dialog: from memory, or from the directory.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn role(&self, dialog: &str, user: &str) -> Result<Option<MemberRole>, DirectoryError> {
        Ok(self.members(dialog).await?.get(user).copied())
    }

    /// Who is in a dialog, and as what.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn members(&self, dialog: &str) -> Result<Roles, DirectoryError> {
        if let Some(roles) = self.known(dialog) {
            return Ok(roles);
        }
        let _turn = self.turn(dialog).await;
        match self.known(dialog) {
            // Read by whoever had the turn before.
            Some(roles) => Ok(roles),
            None => self.read(dialog).await,
        }
    }

    /// Asks the directory again; call it after every change of a dialog's members.
    ///
    /// # Errors
    /// When the directory does not answer; then nothing is known of the dialog.
    pub async fn reload(&self, dialog: &str) -> Result<Roles, DirectoryError> {
        // So that of two reloads the later one wins.
        let _turn = self.turn(dialog).await;
        self.read(dialog).await
    }

    /// Asks the directory again about some users; call it after every change of what they are in a dialog of many. How many
    /// others are in it makes no difference.
    ///
    /// # Errors
    /// When the directory does not answer; then nothing is known of the dialog.
    pub async fn reload_some(&self, dialog: &str, users: &[&str]) -> Result<(), DirectoryError> {
        let _turn = self.turn(dialog).await;
        self.absent.remove(dialog);
        if !self.dialogs.contains_key(dialog) {
            // Whoever asks has it read whole.
            return Ok(());
        }
        let now = self.directory.roles_of(dialog, users).await.inspect_err(|_| drop(self.dialogs.remove(dialog)))?;
        // Taken out, so that it is changed in its place and not copied. Whoever asks meanwhile waits for their turn.
        let Some((name, mut roles)) = self.dialogs.remove(dialog) else { return Ok(()) };
        let known = Arc::make_mut(&mut roles);
        for user in users {
            known.remove(*user);
        }
        known.extend(now.into_iter().map(|(user, role)| (user.into(), role)));
        match known.is_empty() {
            true => self.absent.insert(name, ()),
            false => self.dialogs.insert(name, roles),
        }
        Ok(())
    }

    /// How many are in a dialog, if that is in memory.
    pub fn known_count(&self, dialog: &str) -> Option<u64> {
        self.known(dialog).map(|roles| roles.len() as u64)
    }

    fn known(&self, dialog: &str) -> Option<Roles> {
        self.dialogs.get(dialog).or_else(|| self.absent.get(dialog).map(|()| Roles::default()))
    }

    async fn turn(&self, dialog: &str) -> MutexGuard<'_, ()> {
        let lock = std::hash::BuildHasher::hash_one(&self.hasher, dialog) as usize % RELOAD_LOCKS;
        self.reloading[lock].lock().await
    }

    /// Reads who is in a dialog, in one's turn.
    async fn read(&self, dialog: &str) -> Result<Roles, DirectoryError> {
        let roles = self.directory.roles(dialog).await.inspect_err(|_| {
            self.dialogs.remove(dialog);
            self.absent.remove(dialog);
        })?;
        let roles: Roles = Arc::new(roles.into_iter().map(|(user, role)| (user.into(), role)).collect());
        match roles.is_empty() {
            true => {
                self.dialogs.remove(dialog);
                self.absent.insert(dialog.into(), ());
            }
            false => {
                self.dialogs.insert(dialog.into(), roles.clone());
                self.absent.remove(dialog);
            }
        }
        Ok(roles)
    }

    /// A user may not come in any more, or may again.
    pub fn set_state(&self, user: &str, state: UserState) {
        match state {
            UserState::Active => drop(self.users.remove(user)),
            state => drop(self.users.insert(user.into(), state)),
        }
        if state == UserState::Deleted {
            self.names.remove(user);
        }
    }

    /// An account has another name, here the one just stored: it counts at once, whatever its tokens say.
    pub async fn rename(&self, user: &str, name: &str) {
        // Of two renames the later one wins: each looks again at what is stored now, in its turn.
        let _turn = self.turn(user).await;
        let name = match self.directory.people(&[user]).await.as_deref() {
            Ok([person]) => person.name.as_str().into(),
            _ => name.into(),
        };
        if self.users.get(user).is_none_or(|state| *state != UserState::Deleted) {
            self.names.insert(user.into(), (name, self.limits.now_ms().saturating_add(TOKEN_MS_MAX)));
        }
    }

    /// A device was signed out; `until_ms` is when its last token has ended.
    pub fn revoke(&self, device: &str, until_ms: u64) {
        self.devices.insert(device.into(), until_ms);
    }

    /// Forgets devices whose tokens have all ended, and names that all tokens say by now.
    pub fn sweep(&self, now_ms: u64) {
        self.devices.retain(|_, until_ms| *until_ms > now_ms);
        self.names.retain(|_, (_, until_ms)| *until_ms > now_ms);
    }
}

impl broker::Directory for Arc<Roster> {
    fn allow(&self, dialog: &str, user: &str) -> Option<Permissions> {
        let roles = self.known(dialog)?;
        Some(roles.get(user).map(|role| permissions(*role)).unwrap_or_default())
    }

    fn load(&self, dialog: &str) -> BoxFuture<'static, ()> {
        let (roster, dialog) = (self.clone(), dialog.to_owned());
        let loading = self.runtime.spawn(async move {
            if let Err(error) = roster.members(&dialog).await {
                tracing::error!(%error, "memberships could not be read");
            }
        });
        Box::pin(async move {
            // A panic there shows as a dialog that is not loaded.
            let _ = loading.await;
        })
    }

    fn refusal(&self, identity: &Identity) -> Option<ErrorCode> {
        let is_revoked = identity.device.as_deref().is_some_and(|device| self.devices.contains_key(device));
        (is_revoked || self.users.contains_key(&*identity.user)).then_some(ErrorCode::Revoked)
    }

    fn is_deleted(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|state| *state == UserState::Deleted)
    }

    fn name(&self, account: &str) -> Option<Arc<str>> {
        self.names.get(account).map(|name| name.0.clone())
    }

    fn take_message(&self, identity: &Identity, again: bool) -> Result<(), BrokerError> {
        self.limits.take_message(&identity.user, again)
    }

    fn give_back_message(&self, user: &str) {
        self.limits.give_back(user, LimitKind::Messages);
    }

    fn take_try(&self, address: IpAddr) -> Result<(), u32> {
        self.pace.take_from_address(address)
    }

    fn may_name(&self, identity: &Identity, room: &str, blobs: Vec<String>) -> BoxFuture<'static, Option<bool>> {
        let (directory, identity, now_ms) = (self.directory.clone(), identity.clone(), self.limits.now_ms());
        let room = room.to_owned();
        let asking = async move { super::blobs::may_name(&directory, &identity, &room, blobs, now_ms).await };
        let asking = self.runtime.spawn(asking);
        Box::pin(async move {
            match asking.await.ok()? {
                Ok(may_name) => Some(may_name),
                Err(error) => {
                    tracing::error!(%error, "who may read files could not be read");
                    None
                }
            }
        })
    }
}

/// What a role allows in the room.
pub(super) fn permissions(role: MemberRole) -> Permissions {
    use Permission::{Moderate, Presence, Publish, Read, Signal};
    let all: &[Permission] = match role {
        MemberRole::Reader => &[Read, Presence],
        MemberRole::Member => &[Read, Publish, Signal, Presence],
        MemberRole::Admin | MemberRole::Owner => &[Read, Publish, Signal, Presence, Moderate],
    };
    all.iter().copied().collect()
}
