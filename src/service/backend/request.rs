//! What programs ask beside publishing, and what they are answered. Forms only.

use konvert_protocol::v1;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Grant;

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryWish {
    /// Of which room.
    pub room: String,
    /// The first offset to be given; absent: the room's end in that direction.
    #[serde(default)]
    pub from: u64,
    /// From `from` towards newer messages, or older.
    #[serde(default)]
    #[param(inline)]
    pub direction: Way,
    /// At most so many, from 1 on; absent or too many: as many as a page holds.
    pub limit: Option<u32>,
}

/// In which direction to read.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Towards newer messages.
    #[default]
    Forward,
    /// Towards older ones.
    Backward,
}

/// A page of messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryView {
    /// The room's numbering.
    pub epoch: u64,
    /// The first offset that is kept.
    pub first_offset: u64,
    /// The last offset; 0: nothing was ever said.
    pub last_offset: u64,
    /// The messages as PROTOCOL.md describes `message` in JSON, in the direction asked for.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<v1::Message>,
    /// There is more in this direction.
    pub more: bool,
}

/// Whose presence is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PresenceWish {
    /// Of which room.
    pub room: String,
    /// Only these user ids, with commas between; needed above `broker.presence_list_max`.
    #[serde(default)]
    pub users: String,
}

/// Who is in a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceView {
    /// Which room.
    pub room: String,
    /// How many users are there.
    pub user_count: u64,
    /// Those who are named: all, up to `broker.presence_list_max`, or those asked for.
    pub users: Vec<PresentUser>,
}

/// Somebody who is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresentUser {
    /// The user id.
    pub user: String,
    /// How they are shown.
    pub name: String,
}

/// Whose connections are to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    /// The user id.
    pub user: String,
    /// Only those of this device of an account.
    #[serde(default)]
    pub device: Option<String>,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// For whom: a user id; not one of an account or a guest of this server.
    #[schema(example = "u-17")]
    pub user: String,
    /// How they are shown, at most 64 bytes.
    #[serde(default)]
    #[schema(example = "Anna")]
    pub name: String,
    /// What they may do, only in rooms of the key.
    #[schema(value_type = Vec<Object>, example = json!([{"room": "shop-*", "allow": ["read", "publish"]}]))]
    pub grants: Vec<Grant>,
    /// How long it holds, seconds: 1 to 2592000.
    #[serde(default = "an_hour")]
    #[schema(default = 3600)]
    pub ttl_s: u64,
}

fn an_hour() -> u64 {
    3_600
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeToken {
    /// The token.
    pub token: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: u64,
}

/// What a room's payloads are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomMode {
    /// The server may read them.
    #[default]
    ServerReadable,
    /// They are MLS messages.
    E2ee,
}

/// A room to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoom {
    /// Its name.
    #[schema(example = "shop-orders")]
    pub room: String,
    /// What its payloads are; fixed for ever.
    #[serde(default)]
    pub mode: RoomMode,
}

/// A room.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomView {
    /// Its name.
    pub room: String,
    /// What its payloads are.
    pub mode: RoomMode,
    /// The room's numbering.
    pub epoch: u64,
    /// The last offset; 0: nothing was ever said.
    pub last_offset: u64,
}

/// A user to be vouched for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VouchedUser {
    /// The user id; not one of an account or a guest of this server.
    #[schema(example = "u-17")]
    pub user: String,
    /// How they are shown: 1 to 64 bytes.
    #[schema(example = "Anna")]
    pub name: String,
    /// What is told of them.
    #[serde(default)]
    pub about: String,
}

/// A user that is vouched for.
#[derive(Debug, Serialize, ToSchema)]
pub struct VouchedView {
    /// The user id.
    pub user: String,
    /// How they are shown.
    pub name: String,
    /// What is told of them.
    pub about: String,
    /// Which key vouches for them.
    pub origin: String,
}
