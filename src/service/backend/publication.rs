//! How programs say what is to be published, and what came of it. Forms only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use konvert_protocol::v1;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::service::ServiceError;

/// Bytes in JSON: a text, or what is no text in base64.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Payload {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Base64),
}

/// Bytes that are no text.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Base64 {
    /// The bytes in base64.
    pub base64: String,
}

impl Default for Payload {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Payload {
    fn bytes(self) -> Result<Bytes, ServiceError> {
        match self {
            Self::Text(text) => Ok(text.into()),
            Self::Bytes(Base64 { base64 }) => match STANDARD.decode(base64) {
                Ok(bytes) => Ok(bytes.into()),
                Err(_) => Err(ServiceError::bad("payload: base64 is not base64.")),
            },
        }
    }
}

/// Whom a program speaks for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Speaker {
    /// The user id; not one of an account or a guest of this server.
    #[schema(example = "shop")]
    pub user: String,
    /// How they are shown, at most 64 bytes.
    #[serde(default)]
    #[schema(example = "The shop")]
    pub name: String,
}

/// Whether a message counts as unread.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedKind {
    /// It counts.
    #[default]
    Message,
    /// It does not.
    Service,
}

/// How a message relates to an earlier one.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelatedKind {
    /// It answers it.
    Reply,
    /// It replaces its payload.
    Edit,
    /// It erases its payload.
    Delete,
    /// It is a remark on it.
    Reaction,
    /// It is its next part.
    Append,
}

/// An earlier message of the same room.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Related {
    /// How.
    pub kind: RelatedKind,
    /// To which offset, from 1 on.
    pub offset: u64,
}

/// A message for one room.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Where.
    #[schema(example = "shop-orders")]
    pub room: String,
    /// Idempotency key: the same one again is answered like the first. 1 to 64 printable ASCII characters.
    #[schema(example = "order-4711-sent")]
    pub message_id: String,
    /// What is said; `text` is another name for it.
    #[serde(alias = "text", default)]
    #[schema(example = "Your order has been sent.")]
    pub payload: Payload,
    /// Whether it counts as unread.
    #[serde(default)]
    pub kind: CountedKind,
    /// What it relates to.
    #[serde(default)]
    pub relation: Option<Related>,
    /// User ids that it should count for, at most 64.
    #[serde(default)]
    pub mentions: Vec<String>,
    /// Who says it.
    #[serde(rename = "as")]
    pub speaker: Speaker,
}

/// A message for many rooms.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    /// Where: 1 to 100 rooms, each once.
    #[schema(example = json!(["shop-orders", "shop-news"]))]
    pub rooms: Vec<String>,
    /// Idempotency key; in each room the message gets an id made of it and the room's name.
    #[schema(example = "closing-2026-12-24")]
    pub message_id: String,
    /// What is said; `text` is another name for it.
    #[serde(alias = "text", default)]
    #[schema(example = "We close at six today.")]
    pub payload: Payload,
    /// Whether it counts as unread.
    #[serde(default)]
    pub kind: CountedKind,
    /// User ids that it should count for, at most 64.
    #[serde(default)]
    pub mentions: Vec<String>,
    /// Who says it.
    #[serde(rename = "as")]
    pub speaker: Speaker,
}

/// Where a message is.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishReceipt {
    /// The room's numbering.
    pub epoch: u64,
    /// Its number in the room.
    pub offset: u64,
    /// It was there already, from an earlier request with the same id.
    pub duplicate: bool,
}

/// What came of a broadcast in one room.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomResult {
    /// Which room.
    pub room: String,
    /// Where the message is; absent if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<PublishReceipt>,
    /// Why it was refused; absent if it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Refused>,
}

/// Why something was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refused {
    /// The stable number.
    pub code: u32,
    /// Its name.
    pub name: &'static str,
    /// What to do.
    pub detail: String,
    /// The same may succeed later, with the same message id.
    pub temporary: bool,
}

/// What came of a broadcast.
#[derive(Debug, Serialize, ToSchema)]
pub struct BroadcastResult {
    /// By room, in the order of the request.
    pub rooms: Vec<RoomResult>,
}

impl Publication {
    pub(super) fn into_publish(self) -> Result<v1::Publish, ServiceError> {
        use v1::RelationKind as R;
        let kind_of = |kind| match kind {
            RelatedKind::Reply => R::RelationReply,
            RelatedKind::Edit => R::RelationEdit,
            RelatedKind::Delete => R::RelationDelete,
            RelatedKind::Reaction => R::RelationReaction,
            RelatedKind::Append => R::RelationAppend,
        };
        let relation =
            self.relation.map(|Related { kind, offset }| v1::Relation { offset, kind: kind_of(kind) as i32 });
        let kind = match self.kind {
            CountedKind::Message => v1::Kind::Message,
            CountedKind::Service => v1::Kind::Service,
        };
        Ok(v1::Publish {
            room: self.room,
            message_id: self.message_id,
            kind: kind as i32,
            payload: self.payload.bytes()?,
            relation,
            mentions: self.mentions,
            ..Default::default()
        })
    }
}

impl Broadcast {
    /// The message for one of the rooms.
    pub(super) fn to(&self, room: &str, message_id: String) -> Publication {
        Publication {
            room: room.to_owned(),
            message_id,
            payload: self.payload.clone(),
            kind: self.kind,
            relation: None,
            mentions: self.mentions.clone(),
            speaker: self.speaker.clone(),
        }
    }
}
