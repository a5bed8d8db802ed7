//! Why a command failed, and the one place where that becomes a numbered error.

use konvert_protocol::{ErrorCode, v1};

use super::wire;
use crate::journal::{Bounds, Position, ReadError, Refusal};

/// A refused command. It changed nothing, except where the variant says that this is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerError {
    /// A field is missing or impossible.
    BadCommand(&'static str),
    /// A name breaks the rules for names: which, and how.
    BadName(&'static str, konvert_protocol::NameError),
    /// No such room, or none that this user may know of.
    UnknownRoom,
    /// The grants do not include this permission.
    NotAllowed(&'static str),
    /// The command needs a subscription.
    NotSubscribed,
    /// Retention removed what comes after the position.
    Trimmed(Bounds),
    /// The room's numbering is another one.
    EpochChanged(Bounds),
    /// The position is beyond the room's end.
    AheadOfLog(Bounds),
    /// The room exists with another mode.
    ModeMismatch,
    /// Over this many bytes.
    PayloadTooLarge(usize),
    /// Same message id, other content.
    DuplicateConflict(Position),
    /// The room is elsewhere than expected.
    Conflict(Bounds),
    /// The target cannot be related to like this, because.
    BadRelation(&'static str),
    /// Plaintext in a sealed room.
    NotSealed,
    /// MLS in a readable room.
    Sealed,
    /// A file that is not there, or that the author may not read.
    UnknownBlob,
    /// As many subscriptions as allowed.
    TooManyRooms(usize),
    /// The quota of messages is used up; how long to wait, milliseconds.
    QuotaExceeded(u32),
    /// Too fast; how long to wait, milliseconds.
    RateLimited(u32),
    /// The journal's queue is full, or the server has as many rooms as allowed.
    Overloaded,
    /// The journal takes nothing.
    ReadOnly,
    /// Stored or not: not known.
    Unknown,
    /// Stored records are damaged.
    Damaged,
    /// The disk did not answer.
    Unreadable,
    /// The server is draining.
    ShuttingDown,
}

impl BrokerError {
    /// What follows from the answer of [`super::Directory::may_name`].
    pub fn of_naming(may_name: Option<bool>) -> Result<(), Self> {
        match may_name {
            Some(true) => Ok(()),
            Some(false) => Err(Self::UnknownBlob),
            None => Err(Self::Unreadable),
        }
    }
}

/// What a client waits before trying again when the journal's queue was full, milliseconds.
const OVERLOADED_RETRY_MS: u32 = 200;
/// What a client waits before trying again when the journal is read-only, milliseconds.
const READ_ONLY_RETRY_MS: u32 = 10_000;

impl From<BrokerError> for v1::Error {
    fn from(error: BrokerError) -> Self {
        use BrokerError as E;
        let new = v1::Error::new;
        match error {
            E::BadCommand(what) => v1::Error::because(ErrorCode::BadCommand, what),
            E::BadName(what, why) => v1::Error::because(ErrorCode::BadName, format!("The {what} {why}.")),
            E::UnknownRoom => new(ErrorCode::UnknownRoom),
            E::NotAllowed(permission) => v1::Error::because(
                ErrorCode::NotAllowed,
                format!("This needs the right `{permission}` in this room, and you do not have it."),
            ),
            E::NotSubscribed => new(ErrorCode::NotSubscribed),
            E::Trimmed(bounds) => at(ErrorCode::Trimmed, &bounds),
            E::EpochChanged(bounds) => at(ErrorCode::EpochChanged, &bounds),
            E::AheadOfLog(bounds) => at(ErrorCode::AheadOfLog, &bounds),
            E::ModeMismatch => new(ErrorCode::ModeMismatch),
            E::PayloadTooLarge(max) => {
                v1::Error::because(ErrorCode::PayloadTooLarge, format!("The payload is over {max} bytes. Send less."))
            }
            E::DuplicateConflict(position) => {
                v1::Error { position: Some(wire::place(position)), ..new(ErrorCode::DuplicateConflict) }
            }
            E::Conflict(bounds) => at(ErrorCode::Conflict, &bounds),
            E::BadRelation(why) => v1::Error::because(ErrorCode::BadRelation, why),
            E::NotSealed => new(ErrorCode::NotSealed),
            E::Sealed => new(ErrorCode::Sealed),
            E::UnknownBlob => v1::Error::because(
                ErrorCode::NotFound,
                "One of the files is not there, or you may not read it. Upload it first.",
            ),
            E::TooManyRooms(max) => v1::Error::because(
                ErrorCode::TooManyRooms,
                format!("At most {max} rooms to a connection. Unsubscribe from one first."),
            ),
            E::RateLimited(ms) => v1::Error { retry_after_ms: ms, ..new(ErrorCode::RateLimited) },
            E::QuotaExceeded(ms) => v1::Error { retry_after_ms: ms, ..new(ErrorCode::QuotaExceeded) },
            E::Overloaded => v1::Error { retry_after_ms: OVERLOADED_RETRY_MS, ..new(ErrorCode::Overloaded) },
            E::ReadOnly => v1::Error { retry_after_ms: READ_ONLY_RETRY_MS, ..new(ErrorCode::ReadOnly) },
            E::Unknown => new(ErrorCode::Unknown),
            E::Damaged => new(ErrorCode::Damaged),
            E::Unreadable => v1::Error { retry_after_ms: READ_ONLY_RETRY_MS, ..new(ErrorCode::Unreadable) },
            E::ShuttingDown => new(ErrorCode::ShuttingDown),
        }
    }
}

impl From<Refusal> for BrokerError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownRoom => Self::UnknownRoom,
            Refusal::Conflict(bounds) => Self::Conflict(bounds),
            Refusal::DuplicateConflict(position) => Self::DuplicateConflict(position),
            Refusal::BadRelation => Self::BadRelation("The target is gone or erased."),
            Refusal::Overloaded => Self::Overloaded,
            Refusal::ReadOnly(_) => Self::ReadOnly,
            Refusal::Unknown(_) => Self::Unknown,
        }
    }
}

impl From<ReadError> for BrokerError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownRoom => Self::UnknownRoom,
            ReadError::Trimmed(bounds) => Self::Trimmed(bounds),
            ReadError::Damaged { .. } => Self::Damaged,
            ReadError::Io(_) => Self::Unreadable,
        }
    }
}

fn at(code: ErrorCode, bounds: &Bounds) -> v1::Error {
    v1::Error { position: Some(wire::position(bounds)), first_offset: bounds.first, ..v1::Error::new(code) }
}
