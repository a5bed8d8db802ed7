//! What a commit does, in the one form that is written ahead, applied to memory and folded into the long-term store.
//!
//! Owns the encoding of a change in the write-ahead file. A change says everything: applying it needs no look at what
//! was before, so replaying is the same code as committing.

use std::sync::Arc;

use super::record::{Fields, Malformed, Stored, put_number, put_stored, put_text};
use super::{Marker, Mode};

/// One effect of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A room came to be. Ids rise by one.
    Room { id: u64, name: Arc<str>, mode: Mode, epoch: u64 },
    /// A message was stored, and erased these payloads.
    Record { room: u64, stored: Stored, erased: Vec<u64> },
    /// A read marker stands here.
    Marker { room: u64, user: Arc<str>, marker: Marker },
    /// Everything before `first` is removed.
    Trim { room: u64, first: u64 },
}

const ROOM: u8 = 1;
const RECORD: u8 = 2;
const MARKER: u8 = 3;
const TRIM: u8 = 4;

impl Change {
    /// Appends the change's bytes.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Room { id, name, mode, epoch } => {
                out.extend_from_slice(&[ROOM, mode_code(*mode)]);
                put_number(out, *id);
                put_number(out, *epoch);
                put_text(out, name);
            }
            Self::Record { room, stored, erased } => {
                out.push(RECORD);
                put_number(out, *room);
                put_number(out, erased.len() as u64);
                erased.iter().for_each(|offset| put_number(out, *offset));
                put_stored(out, stored);
            }
            Self::Marker { room, user, marker } => {
                out.push(MARKER);
                [*room, marker.offset, marker.ordinal].iter().for_each(|number| put_number(out, *number));
                put_text(out, user);
            }
            Self::Trim { room, first } => {
                out.push(TRIM);
                put_number(out, *room);
                put_number(out, *first);
            }
        }
    }

    /// Takes a change off the front.
    pub fn take(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        match fields.byte()? {
            ROOM => {
                let mode = mode_of(fields.byte()?)?;
                Ok(Self::Room { id: fields.number()?, mode, epoch: fields.number()?, name: fields.text()?.into() })
            }
            RECORD => {
                let room = fields.number()?;
                let count = fields.number()?;
                let mut erased = Vec::new();
                for _ in 0..count {
                    erased.push(fields.number()?);
                }
                Ok(Self::Record { room, stored: fields.stored()?, erased })
            }
            MARKER => {
                let room = fields.number()?;
                let marker = Marker { offset: fields.number()?, ordinal: fields.number()? };
                Ok(Self::Marker { room, marker, user: fields.text()?.into() })
            }
            TRIM => Ok(Self::Trim { room: fields.number()?, first: fields.number()? }),
            _ => Err(Malformed("unknown change")),
        }
    }
}

pub(crate) fn mode_code(mode: Mode) -> u8 {
    match mode {
        Mode::ServerReadable => 0,
        Mode::E2ee => 1,
    }
}

pub(crate) fn mode_of(code: u8) -> Result<Mode, Malformed> {
    match code {
        0 => Ok(Mode::ServerReadable),
        1 => Ok(Mode::E2ee),
        _ => Err(Malformed("unknown mode")),
    }
}
