//! What programs do with an API key: publish, read, see, end connections, vouch for users.
//!
//! Owns what a key may do where; `publication.rs` and `request.rs` are how it is asked. Invariants: a message of a program is
//! judged by the core like any other; a room that the key does not reach looks like one that does not exist; a program
//! never speaks as an account or a guest of this server.

mod publication;
mod request;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use konvert_protocol::{ErrorCode, check_message_id, check_room, check_user, v1};
use sha2::{Digest as _, Sha256};

pub use publication::{
    Base64, Broadcast, BroadcastResult, CountedKind, Payload, Publication, PublishReceipt, Refused, Related,
    RelatedKind, RoomResult, Speaker,
};
pub use request::{
    Disconnect, HistoryView, HistoryWish, MadeToken, NewRoom, NewToken, PresenceView, PresenceWish, PresentUser,
    RoomMode, RoomView, VouchedUser, VouchedView, Way,
};

use super::audit::Action;
use super::keys::{ApiKey, Scope};
use super::{Service, ServiceError, texts};
use crate::auth::{
    ACCOUNT_PREFIX, Claims, GUEST_PREFIX, Grant, Grants, Identity, NAME_BYTES_MAX, Pattern, Permission, Seconds,
};
use crate::broker::AccessChange;
use crate::directory::{Role, User, UserState};
use crate::journal::{Mode, RoomInfo};

/// Most rooms of one broadcast.
const BROADCAST_MAX: usize = 100;
/// Most users whose presence is asked for at once.
const PRESENCE_MAX: usize = 100;
/// How long a token may hold, seconds: 30 days.
const TOKEN_S_MAX: u64 = 30 * 24 * 3_600;

impl Service {
    /// Publishes to a room.
    ///
    /// # Errors
    /// `forbidden` without the scope `publish`, `unknown_room`, and whatever the core refuses.
    pub async fn key_publish(&self, key: &ApiKey, publication: Publication) -> Result<PublishReceipt, ServiceError> {
        key.must(Scope::Publish)?;
        self.deposit(key, publication).await
    }

    /// Publishes to many rooms. Some may refuse; the same request again completes it.
    ///
    /// # Errors
    /// `forbidden` without the scope `broadcast`, `bad_request`, `bad_name`.
    pub async fn key_broadcast(&self, key: &ApiKey, broadcast: Broadcast) -> Result<BroadcastResult, ServiceError> {
        key.must(Scope::Broadcast)?;
        let names: HashSet<_> = broadcast.rooms.iter().collect();
        if names.is_empty() || broadcast.rooms.len() > BROADCAST_MAX || names.len() < broadcast.rooms.len() {
            return Err(ServiceError::bad("rooms: name 1 to 100 rooms, each once."));
        }
        check_message_id(&broadcast.message_id).map_err(|why| named("message_id", why))?;
        let sent = broadcast.rooms.iter().map(|room| {
            let publication = broadcast.to(room, id_in(room, &broadcast.message_id));
            self.deposit(key, publication)
        });
        let results = futures_util::future::join_all(sent).await;
        let told = |(room, result): (&String, Result<PublishReceipt, ServiceError>)| match result {
            Ok(receipt) => RoomResult { room: room.clone(), receipt: Some(receipt), error: None },
            Err(error) => RoomResult { room: room.clone(), receipt: None, error: Some(error.into()) },
        };
        Ok(BroadcastResult { rooms: broadcast.rooms.iter().zip(results).map(told).collect() })
    }

    async fn deposit(&self, key: &ApiKey, publication: Publication) -> Result<PublishReceipt, ServiceError> {
        let Speaker { user, name } = publication.speaker.clone();
        self.check_vouched(&user, &name)?;
        let info = self.key_room(key, &publication.room)?;
        // In this room everything, whoever is a member of it.
        let grant = Grant { room: publication.room.clone(), allow: Permission::ALL.into(), mode: None };
        let identity = Identity {
            user: user.into(),
            name: name.into(),
            expires_ms: u64::MAX,
            grants: Arc::new(Grants::new(&[grant]).map_err(|_| ErrorCode::Internal)?),
            device: None,
            rooms_only: true,
            origin: "token".into(),
        };
        let publish = publication.into_publish()?;
        let done = self.broker.publish_and_wait(&identity, &info, publish, (self.now_ms)()).await?;
        Ok(PublishReceipt { epoch: done.position.epoch, offset: done.position.offset, duplicate: done.duplicate })
    }

    /// A room that the key reaches.
    fn key_room(&self, key: &ApiKey, room: &str) -> Result<RoomInfo, ServiceError> {
        check_room(room).map_err(|why| named("room", why))?;
        let found = if key.reaches(room) { self.broker.find(room) } else { None };
        found.ok_or_else(|| {
            ServiceError::because(ErrorCode::UnknownRoom, "There is no such room, or the API key does not reach it.")
        })
    }

    /// A page of what was said.
    ///
    /// # Errors
    /// `forbidden` without the scope `history`, `unknown_room`, `trimmed`, `bad_request` for a limit of 0.
    pub async fn key_history(&self, key: &ApiKey, wish: HistoryWish) -> Result<HistoryView, ServiceError> {
        key.must(Scope::History)?;
        let info = self.key_room(key, &wish.room)?;
        if wish.limit == Some(0) {
            return Err(ServiceError::bad("`limit` is 1 or more."));
        }
        let direction = match wish.direction {
            Way::Forward => v1::Direction::Forward,
            Way::Backward => v1::Direction::Backward,
        } as i32;
        let asked = v1::History { room: wish.room, from: wish.from, direction, limit: wish.limit.unwrap_or_default() };
        let range = self.broker.history_range(&self.broker.bounds(info.id)?, &asked)?;
        let page = match self.broker.recent(info.id, range) {
            Some(page) => page?,
            None => {
                let broker = self.broker.clone();
                let read = tokio::task::spawn_blocking(move || broker.read(info.id, range));
                read.await.map_err(|_| ErrorCode::Internal)??
            }
        };
        let mut messages: Vec<_> =
            page.records.iter().map(|record| crate::broker::message(record, info.name.to_string())).collect();
        if matches!(wish.direction, Way::Backward) {
            messages.reverse();
        }
        let bounds = page.bounds;
        let (epoch, first_offset, last_offset) = (bounds.epoch, bounds.first, bounds.last);
        Ok(HistoryView { epoch, first_offset, last_offset, messages, more: page.more })
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// `forbidden` without the scope `presence`, `unknown_room`.
    pub fn key_presence(&self, key: &ApiKey, wish: &PresenceWish) -> Result<PresenceView, ServiceError> {
        key.must(Scope::Presence)?;
        let info = self.key_room(key, &wish.room)?;
        let users: Vec<_> = wish.users.split(',').filter(|user| !user.is_empty()).map(str::to_owned).collect();
        if users.len() > PRESENCE_MAX {
            return Err(ServiceError::bad("users: at most 100 at once."));
        }
        let state = self.broker.presence(&info, &users);
        let users = state.members.into_iter().map(|member| PresentUser { user: member.user, name: member.name });
        Ok(PresenceView { room: state.room, user_count: state.count, users: users.collect() })
    }

    /// Ends the live connections of a user. Their tokens go on holding: whoever shall stay away is blocked.
    ///
    /// # Errors
    /// `forbidden` without the scope `disconnect`, `bad_name`.
    pub async fn key_disconnect(&self, key: &ApiKey, address: IpAddr, whom: Disconnect) -> Result<(), ServiceError> {
        key.must(Scope::Disconnect)?;
        check_user(&whom.user).map_err(|why| named("user", why))?;
        if let Some(device) = &whom.device {
            // It is called by the same rule.
            check_user(device).map_err(|why| named("device", why))?;
        }
        let user: Arc<str> = whom.user.into();
        self.broker.access_changed(AccessChange::Revoked {
            user: user.clone(),
            devices: whom.device.map(|device| [Arc::from(device)].into()),
        });
        self.audit(&key.id, Action::UserDisconnected, &user, address, "").await;
        Ok(())
    }

    /// Makes a token for a user that the program vouches for, in rooms of the key only. What the user is a member of counts
    /// with the scope `dialogs` alone.
    ///
    /// # Errors
    /// `forbidden` without the scope `tokens` or beyond the key's rooms, `bad_request`, `bad_name`, `not_possible` when others
    /// vouch for the user.
    pub async fn key_token(&self, key: &ApiKey, address: IpAddr, new: NewToken) -> Result<MadeToken, ServiceError> {
        key.must(Scope::Tokens)?;
        self.check_vouched(&new.user, &new.name)?;
        if !(1..=TOKEN_S_MAX).contains(&new.ttl_s) {
            return Err(ServiceError::bad(format!("ttl_s: 1 to {TOKEN_S_MAX} seconds.")));
        }
        for grant in &new.grants {
            let rooms = Pattern::new(&grant.room).map_err(|why| ServiceError::bad(format!("grants: {why}.")))?;
            if !key.covers(&rooms) {
                let why = format!(
                    "The grant for {:?} goes beyond the rooms of the API key; names that could begin with dialog- need the \
                     scope `dialogs`.",
                    grant.room
                );
                return Err(ServiceError::because(ErrorCode::Forbidden, why));
            }
        }
        let now_ms = (self.now_ms)();
        // Kept before there is a token, so that nobody else can come to vouch for the same user.
        let name = match texts::vouched_name(&new.name) {
            name if name.is_empty() => new.user.clone(),
            name => name,
        };
        let user = vouched(key, new.user.clone(), name, String::new(), now_ms);
        if !self.directory.claim_vouched(&user).await? {
            return Err(somebody_elses());
        }
        let expires_ms = now_ms + new.ttl_s * 1_000;
        let detail = format!("{} grants for {} s", new.grants.len(), new.ttl_s);
        let claims = Claims {
            sub: new.user,
            name: new.name,
            exp: Some(Seconds::from_ms(expires_ms)),
            rooms_only: !key.has(Scope::Dialogs),
            grants: new.grants,
            ..Claims::default()
        };
        let token = self.auth.mint(&claims).map_err(|error| ServiceError::bad(format!("{error}.")))?;
        self.audit(&key.id, Action::TokenMade, &claims.sub, address, &detail).await;
        Ok(MadeToken { token, expires_ms })
    }

    /// Creates a room, or finds it.
    ///
    /// # Errors
    /// `forbidden` without the scope `publish` or beyond the key's rooms, `mode_mismatch` when it exists with another mode.
    pub async fn key_room_create(&self, key: &ApiKey, address: IpAddr, new: NewRoom) -> Result<RoomView, ServiceError> {
        key.must(Scope::Publish)?;
        check_room(&new.room).map_err(|why| named("room", why))?;
        if !key.reaches(&new.room) || new.room.starts_with(crate::broker::DIALOG_PREFIX) {
            let why = "The room is beyond those of the API key. Dialogs are made by their members.";
            return Err(ServiceError::because(ErrorCode::Forbidden, why));
        }
        let is_new = self.broker.find(&new.room).is_none();
        let info = self.broker.ensure(&new.room, new.mode == RoomMode::E2ee).await?;
        if is_new {
            self.audit(&key.id, Action::RoomCreated, &new.room, address, "").await;
        }
        let mode = if info.mode == Mode::E2ee { RoomMode::E2ee } else { RoomMode::ServerReadable };
        if mode != new.mode {
            return Err(ErrorCode::ModeMismatch.into());
        }
        let bounds = self.broker.bounds(info.id)?;
        Ok(RoomView { room: new.room, mode, epoch: bounds.epoch, last_offset: bounds.last })
    }

    /// A program speaks for its own users only, never for those of this server or of a published key set.
    fn check_vouched(&self, user: &str, name: &str) -> Result<(), ServiceError> {
        check_user(user).map_err(|why| named("user", why))?;
        if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(ServiceError::bad(format!("name: at most {NAME_BYTES_MAX} bytes without control characters.")));
        }
        let sets = self.auth.key_sets().map(|set| set.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        match [ACCOUNT_PREFIX, GUEST_PREFIX].into_iter().chain(sets).find(|prefix| user.starts_with(prefix)) {
            Some(prefix) => Err(ServiceError::because(
                ErrorCode::Forbidden,
                format!("User ids that begin with {prefix} are others'; a program cannot speak for them."),
            )),
            None => Ok(()),
        }
    }

    /// Keeps a user that programs vouch for, so that people can find and invite them.
    ///
    /// # Errors
    /// `forbidden` without the scope `tokens`, `bad_request`, `not_possible` when others vouch for them.
    pub async fn key_user(
        &self,
        key: &ApiKey,
        address: IpAddr,
        wanted: VouchedUser,
    ) -> Result<VouchedView, ServiceError> {
        key.must(Scope::Tokens)?;
        self.check_vouched(&wanted.user, &wanted.name)?;
        let (name, about) = (texts::name(&wanted.name)?, texts::about(&wanted.about)?);
        let user = vouched(key, wanted.user, name, about, (self.now_ms)());
        let before = self.directory.people(&[&user.id]).await?.pop();
        if !self.directory.vouch(&user).await? {
            return Err(somebody_elses());
        }
        self.audit(&key.id, Action::UserVouched, &user.id, address, "").await;
        if before.is_some_and(|before| (&before.name, &before.about) != (&user.name, &user.about)) {
            self.look_changed(&user.id);
        }
        Ok(VouchedView { user: user.id, name: user.name, about: user.about, origin: user.origin })
    }
}

/// The message id of a broadcast in one room: as long as the sender's ids may be, and another one in each room.
fn id_in(room: &str, message_id: &str) -> String {
    let digest = Sha256::digest(format!("{message_id}\n{room}"));
    digest[..24].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The row of somebody whom a program vouches for.
fn vouched(key: &ApiKey, id: String, name: String, about: String, now_ms: u64) -> User {
    User {
        id,
        login: None,
        name,
        email: None,
        about,
        avatar: None,
        password: None,
        role: Role::User,
        state: UserState::Active,
        origin: format!("key {}", key.id),
        created_ms: now_ms,
        seen_ms: 0,
    }
}

fn somebody_elses() -> ServiceError {
    let why = "Others vouch for the user of this id, or it is that of a deleted one. Choose another.";
    ServiceError::because(ErrorCode::NotPossible, why)
}

fn named(what: &str, why: konvert_protocol::NameError) -> ServiceError {
    ServiceError::because(ErrorCode::BadName, format!("The {what} {why}."))
}

impl From<ServiceError> for Refused {
    fn from(error: ServiceError) -> Self {
        let ServiceError { code, message, .. } = error;
        Self { code: code.number(), name: code.name(), detail: message.into_owned(), temporary: code.is_temporary() }
    }
}
