//! Messages over REST: history, saying something, read markers.
//!
//! Owns nothing of its own: what may be said is judged by the core's one choke point, as for a socket. The id of a
//! dialog may also be the name of any room that the caller's grants open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use konvert_protocol::{ErrorCode, check_room, v1};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::dialogs::{no_such_user, user_id};
use super::message::{MessageKind, MessageRelation, MessageView, Place, RelationView};
use super::view::DialogMode;
use super::{Caller, Service, ServiceError};
use crate::auth::{Permission, Permissions};
use crate::broker::{BrokerError, Target};
use crate::directory::{MemberRole, UserState};
use crate::journal::{Relation, RelationKind, RoomInfo};

/// Which way a history runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HistoryDirection {
    /// Towards newer messages.
    Forward,
    /// Towards older messages.
    #[default]
    Backward,
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// The first one wanted; absent: the newest when going backward, the oldest retained when going forward.
    pub from: Option<u64>,
    /// Which way; absent: backward.
    #[serde(default)]
    #[param(inline)]
    pub direction: HistoryDirection,
    /// Most at once; absent or too many: as many as a page of the server holds.
    pub limit: Option<u32>,
}

/// Part of a room's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct History {
    /// In rising order, without holes.
    pub messages: Vec<MessageView>,
    /// Where the room stands.
    pub position: Place,
    /// The first message that is retained.
    pub first_offset: u64,
    /// There is more in the direction asked for.
    pub more: bool,
}

/// Something to say.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The sender's key against repetitions, 1 to 64 bytes; absent: a random one, so that a repetition is a new message, but
    /// a repeated delete is the same.
    pub message_id: Option<String>,
    /// What is said, as text.
    pub text: Option<String>,
    /// What is said, base64; instead of `text`.
    pub payload: Option<String>,
    /// Whether it counts as unread.
    #[serde(default)]
    pub kind: MessageKind,
    /// What it relates to.
    pub relation: Option<RelationView>,
    /// User ids that it should count for.
    #[serde(default)]
    pub mentions: Vec<String>,
    /// Stored files that belong to it: 64 hex digits each.
    #[serde(default)]
    pub blobs: Vec<String>,
    /// Store it only if the room stands exactly here.
    pub expected: Option<Place>,
}

/// Where a message was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Published {
    /// The room.
    pub dialog_id: String,
    /// Where.
    pub position: Place,
    /// When, milliseconds since 1970.
    pub time_ms: u64,
    /// It was stored before under the same message id.
    pub duplicate: bool,
}

/// A text to somebody or into a dialog.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    /// Into which dialog or room.
    pub dialog_id: Option<String>,
    /// To which user instead: into the direct dialog with them, which is made if there is none.
    pub to: Option<String>,
    /// What is said.
    pub text: String,
    /// The sender's key against repetitions; absent: a random one.
    pub message_id: Option<String>,
}

/// How far one has read.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadUpTo {
    /// Everything up to here is read. It never moves back.
    pub offset: u64,
}

/// Somebody's read marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// Whose.
    pub user: String,
    /// Everything up to here is read.
    pub offset: u64,
    /// Messages up to it that count.
    pub ordinal: u64,
}

impl Service {
    /// Part of a room's history.
    ///
    /// # Errors
    /// `not_found`, `not_allowed`, `trimmed`.
    pub async fn history(&self, caller: &Caller, id: &str, query: HistoryQuery) -> Result<History, ServiceError> {
        let info = self.known_room(caller, id, Permission::Read).await?;
        let direction = match query.direction {
            HistoryDirection::Forward => v1::Direction::Forward,
            HistoryDirection::Backward => v1::Direction::Backward,
        };
        if query.limit == Some(0) {
            return Err(ServiceError::bad("`limit` is from 1 on."));
        }
        let command = v1::History {
            room: id.to_owned(),
            from: query.from.unwrap_or_default(),
            direction: direction.into(),
            limit: query.limit.unwrap_or_default(),
        };
        let range = self.broker.history_range(&self.broker.bounds(info.id)?, &command)?;
        let page = match self.broker.recent(info.id, range) {
            Some(page) => page?,
            None => {
                let broker = self.broker.clone();
                super::blocking(move || broker.read(info.id, range)).await??
            }
        };
        Ok(History {
            messages: page.records.iter().map(|record| MessageView::of(record)).collect(),
            position: Place { epoch: page.bounds.epoch, offset: page.bounds.last },
            first_offset: page.bounds.first,
            more: page.more,
        })
    }

    /// Says something.
    ///
    /// # Errors
    /// Those of a publish over a socket, and `bad_request` for a body that says two things or none.
    pub async fn publish(&self, caller: &Caller, id: &str, message: NewMessage) -> Result<Published, ServiceError> {
        let payload = match (message.text, message.payload) {
            (Some(_), Some(_)) => return Err(ServiceError::bad("Give `text` or `payload`, not both.")),
            (Some(text), None) => {
                let is_new = message.relation.as_ref().is_none_or(|relation| relation.kind == MessageRelation::Reply);
                if text.is_empty() && message.blobs.is_empty() && is_new {
                    return Err(nothing_said());
                }
                Bytes::from(text)
            }
            (None, Some(payload)) => {
                let bytes = STANDARD.decode(payload);
                bytes.map_err(|_| ServiceError::bad("`payload` is not base64."))?.into()
            }
            (None, None) => match message.relation {
                Some(RelationView { kind: MessageRelation::Delete, .. }) => Bytes::new(),
                _ => return Err(ServiceError::bad("Give `text` or `payload`.")),
            },
        };
        let publish = v1::Publish {
            room: id.to_owned(),
            message_id: message.message_id.unwrap_or_else(|| match message.relation {
                // What is deleted stays deleted, so that a repetition is told what the first was.
                Some(RelationView { kind: MessageRelation::Delete, offset }) => format!("delete-{offset}"),
                _ => crate::auth::random_base32(),
            }),
            kind: match message.kind {
                MessageKind::Message => v1::Kind::Message,
                MessageKind::Service => v1::Kind::Service,
            }
            .into(),
            payload,
            relation: message
                .relation
                .map(|relation| v1::Relation { kind: relation_in(relation.kind).into(), offset: relation.offset }),
            expected: message.expected.map(|place| v1::Position { epoch: place.epoch, offset: place.offset }),
            mentions: message.mentions,
            blobs: message.blobs,
        };
        let info = match self.room(caller, id).await?.0 {
            Some(info) => info,
            // It comes into being, as by a publish over a socket.
            None => self.broker.ensure(id, caller.identity.grants.e2ee(id)).await?,
        };
        let stored = self.broker.publish_and_wait(&caller.identity, &info, publish, (self.now_ms)()).await?;
        Ok(Published {
            dialog_id: id.to_owned(),
            position: stored.position.into(),
            time_ms: stored.time_ms,
            duplicate: stored.duplicate,
        })
    }

    /// Takes one's remark on a message back.
    ///
    /// # Errors
    /// `not_found` when there is no such remark on this message, and those of [`Service::publish`].
    pub async fn take_back_reaction(
        &self,
        caller: &Caller,
        id: &str,
        offset: u64,
        reaction: u64,
    ) -> Result<Published, ServiceError> {
        let info = self.known_room(caller, id, Permission::Read).await?;
        let bounds = self.broker.bounds(info.id)?;
        if !(bounds.first..=bounds.last).contains(&reaction) {
            return Err(ErrorCode::NotFound.into());
        }
        let broker = self.broker.clone();
        let target = super::blocking(move || broker.read_target(info.id, reaction)).await??;
        let is_it = matches!(target, Target::Record(record) if record.relation
            == Some(Relation { kind: RelationKind::Reaction, offset }));
        if !is_it {
            return Err(ErrorCode::NotFound.into());
        }
        let relation = Some(RelationView { kind: MessageRelation::Delete, offset: reaction });
        self.publish(caller, id, NewMessage { relation, ..NewMessage::default() }).await
    }

    /// Says a text to somebody or into a dialog.
    ///
    /// # Errors
    /// Those of [`Service::publish`] and of making a direct dialog.
    pub async fn say(&self, caller: &Caller, message: ChatMessage) -> Result<Published, ServiceError> {
        let id = match (message.dialog_id, message.to) {
            (Some(id), None) => id,
            (None, Some(_)) if caller.identity.rooms_only => {
                let why = "This token opens rooms only: give `dialog_id`.";
                return Err(ServiceError::because(ErrorCode::Forbidden, why));
            }
            (None, Some(to)) => {
                let me = &*caller.identity.user;
                if message.text.is_empty() {
                    // Before a dialog is made for it.
                    return Err(nothing_said());
                }
                let person = self.directory.people(&[user_id(&to)?]).await?.pop();
                let can = person.is_some_and(|person| person.state == UserState::Active) && to != me;
                if !can {
                    return Err(no_such_user());
                }
                self.direct_dialog(me, &to, DialogMode::ServerReadable).await?.0.id
            }
            _ => return Err(ServiceError::bad("Give `dialog_id` or `to`, one of them.")),
        };
        let message = NewMessage { text: Some(message.text), message_id: message.message_id, ..NewMessage::default() };
        self.publish(caller, &id, message).await
    }

    /// Moves the caller's read marker.
    ///
    /// # Errors
    /// `not_found`, `not_allowed`.
    pub async fn read(&self, caller: &Caller, id: &str, up_to: ReadUpTo) -> Result<Receipt, ServiceError> {
        let info = self.known_room(caller, id, Permission::Read).await?;
        let marker = self.broker.mark_and_wait(&info, &caller.identity.user, up_to.offset).await?;
        Ok(Receipt { user: caller.identity.user.to_string(), offset: marker.offset, ordinal: marker.ordinal })
    }

    /// How far the members of a dialog have read: of as many as the core names at most, those who have read something.
    ///
    /// # Errors
    /// `not_found` when the caller is none of them.
    pub async fn receipts(&self, caller: &Caller, id: &str) -> Result<Vec<Receipt>, ServiceError> {
        self.seat(caller, id, MemberRole::Reader).await?;
        let Some(info) = self.broker.find(id) else { return Ok(Vec::new()) };
        let members = self.roster.members(id).await?;
        let most = self.broker.config().presence_list_max;
        let mut users: Vec<Box<str>> = members.keys().cloned().collect();
        users.sort_unstable();
        users.truncate(most);
        let broker = self.broker.clone();
        let receipts = super::blocking(move || {
            let receipt = |user: Box<str>| {
                let marker = broker.marker(info.id, &user);
                Receipt { user: user.into(), offset: marker.offset, ordinal: marker.ordinal }
            };
            users.into_iter().map(receipt).filter(|receipt| receipt.offset > 0).collect()
        });
        receipts.await
    }

    /// A room that exists and where the caller may do this.
    async fn known_room(&self, caller: &Caller, id: &str, permission: Permission) -> Result<RoomInfo, ServiceError> {
        let (info, allow) = self.room(caller, id).await?;
        let info = info.ok_or(ErrorCode::NotFound)?;
        match allow.contains(permission) {
            true => Ok(info),
            false => Err(BrokerError::NotAllowed(permission.name()).into()),
        }
    }

    /// A room with what the caller may do in it; `None`: they may bring it into being.
    async fn room(&self, caller: &Caller, id: &str) -> Result<(Option<RoomInfo>, Permissions), ServiceError> {
        if check_room(id).is_err() {
            return Err(ErrorCode::NotFound.into());
        }
        if self.broker.must_load(&caller.identity, id) {
            self.roster.members(id).await?;
        }
        self.broker.room(&caller.identity, id).map_err(|error| match error {
            BrokerError::UnknownRoom => ErrorCode::NotFound.into(),
            error => error.into(),
        })
    }
}

fn relation_in(kind: MessageRelation) -> v1::RelationKind {
    match kind {
        MessageRelation::Reply => v1::RelationKind::RelationReply,
        MessageRelation::Edit => v1::RelationKind::RelationEdit,
        MessageRelation::Delete => v1::RelationKind::RelationDelete,
        MessageRelation::Reaction => v1::RelationKind::RelationReaction,
        MessageRelation::Append => v1::RelationKind::RelationAppend,
    }
}

fn nothing_said() -> ServiceError {
    ServiceError::bad("`text` is empty. Say something, or name files in `blobs`.")
}
