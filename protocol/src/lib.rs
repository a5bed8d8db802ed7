//! What travels between Konvert and everybody who talks to it.
//!
//! Owns the schema (`konvert.proto`), the types made from it, the three encodings, the numbered errors and close
//! codes, the rules for names and the default limits. Knows no socket, no clock, no storage and no rules of rooms.
//!
//! ```text
//! konvert.proto ─ build.rs ─▶ v1          the types
//!                             frame        serde of the two frames: {"id": 1, "publish": {…}}
//!                             serde_forms  how bytes and enums look in MessagePack and JSON
//!                             encoding     frames ⇄ the bytes of one WebSocket message
//!                             codes        error numbers and close codes, one table each
//!                             names        what a room, a user, a message id, a file may be called
//! vectors/                                 golden vectors shared by every client implementation
//! ```

mod codes;
mod encoding;
mod frame;
mod names;
mod serde_forms;

pub use codes::{CloseAdvice, CloseCode, ErrorCode};
pub use encoding::{DecodeError, Encoding, Frame, Frames};
pub use names::{
    BLOBS_MAX, MENTIONS_MAX, MESSAGE_ID_BYTES_MAX, NameError, ROOM_NAME_BYTES_MAX, USER_ID_BYTES_MAX, blob_digest,
    blob_name, check_message_id, check_room, check_user,
};

/// Types made from `konvert.proto`.
pub mod v1 {
    #![allow(missing_docs, clippy::all)]
    include!(concat!(env!("OUT_DIR"), "/konvert.v1.rs"));
}
