//! The on-disk form of a record, the same in the write-ahead file and in blocks.
//!
//! Owns its bytes, version and checksum. Refuses to know files. Decoding is total: any bytes give a record or a reason,
//! never a panic and never an allocation larger than the input.
//!
//! ```text
//! frame   length of body u32 LE · CRC-32 of body u32 LE · body
//! body    version u8 · flags u8 · offset · ordinal · time · volume · [target] · sender · sender name · message id · payload
//! ```
//! Numbers of the body are LEB128, texts carry their length, the payload is what remains.

use std::sync::Arc;

use bytes::Bytes;

use super::{Kind, Record, Relation, RelationKind};

const VERSION: u8 = 1;
const HEADER: usize = 8;
const SERVICE: u8 = 1;
const ERASED: u8 = 2;
const RELATION_SHIFT: u8 = 2;

/// A record with what only the journal wants to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// What readers get.
    pub record: Arc<Record>,
    /// Payload bytes of the room before this record, counted from its beginning: retention by bytes searches by it.
    pub volume: u64,
}

impl Stored {
    /// The same record without its payload.
    pub fn erase(&self) -> Self {
        let record = Record { payload: Bytes::new(), erased: true, ..(*self.record).clone() };
        Self { record: Arc::new(record), volume: self.volume }
    }
}

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Takes fields off the front of a slice.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub fn fixed_u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub fn fixed_u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from(self.fixed_u32()?) | u64::from(self.fixed_u32()?) << 32)
    }

    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("number too long"))
    }

    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed("text too long"))?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed("text is not UTF-8"))
    }

    /// The body of the next frame, its checksum verified, and how long the frame was.
    pub fn frame(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.fixed_u32()? as usize;
        let checksum = self.fixed_u32()?;
        let body = self.take(length)?;
        if crc32fast::hash(body) != checksum && !crate::sabotage::is("serve_damaged") {
            return Err(Malformed("wrong checksum"));
        }
        Ok(body)
    }

    /// The next record.
    pub fn stored(&mut self) -> Result<Stored, Malformed> {
        decode_body(self.frame()?)
    }
}

/// Appends the record's frame.
pub(crate) fn put_stored(out: &mut Vec<u8>, stored: &Stored) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    put_body(out, stored);
    let length = (out.len() - start - HEADER) as u32;
    let checksum = crc32fast::hash(&out[start + HEADER..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + HEADER].copy_from_slice(&checksum.to_le_bytes());
}

fn put_body(out: &mut Vec<u8>, stored: &Stored) {
    let record = &stored.record;
    let mut flags = record.relation.map_or(0, |relation| relation_code(relation.kind)) << RELATION_SHIFT;
    if record.kind == Kind::Service {
        flags |= SERVICE;
    }
    if record.erased {
        flags |= ERASED;
    }
    out.extend_from_slice(&[VERSION, flags]);
    for number in [record.offset, record.ordinal, record.time_ms, stored.volume] {
        put_number(out, number);
    }
    if let Some(relation) = record.relation {
        put_number(out, relation.offset);
    }
    for text in [&*record.sender, &*record.sender_name, &*record.message_id] {
        put_text(out, text);
    }
    out.extend_from_slice(&record.payload);
}

fn decode_body(body: &[u8]) -> Result<Stored, Malformed> {
    let mut fields = Fields(body);
    if fields.byte()? != VERSION {
        return Err(Malformed("unknown version of a record"));
    }
    let flags = fields.byte()?;
    let (offset, ordinal, time_ms) = (fields.number()?, fields.number()?, fields.number()?);
    let volume = fields.number()?;
    let relation = match relation_kind(flags >> RELATION_SHIFT)? {
        Some(kind) => Some(Relation { kind, offset: fields.number()? }),
        None => None,
    };
    let record = Record {
        offset,
        ordinal,
        time_ms,
        kind: if flags & SERVICE == 0 { Kind::Message } else { Kind::Service },
        relation,
        sender: fields.text()?.into(),
        sender_name: fields.text()?.into(),
        message_id: fields.text()?.into(),
        payload: Bytes::copy_from_slice(fields.0),
        erased: flags & ERASED != 0,
    };
    Ok(Stored { record: Arc::new(record), volume })
}

fn relation_code(kind: RelationKind) -> u8 {
    match kind {
        RelationKind::Reply => 1,
        RelationKind::Edit => 2,
        RelationKind::Delete => 3,
        RelationKind::Reaction => 4,
        RelationKind::Append => 5,
    }
}

fn relation_kind(code: u8) -> Result<Option<RelationKind>, Malformed> {
    Ok(Some(match code {
        0 => return Ok(None),
        1 => RelationKind::Reply,
        2 => RelationKind::Edit,
        3 => RelationKind::Delete,
        4 => RelationKind::Reaction,
        5 => RelationKind::Append,
        _ => return Err(Malformed("unknown relation")),
    }))
}

/// Whether a record like this raises the ordinal.
pub(crate) fn counts(kind: Kind, relation: Option<Relation>) -> bool {
    kind == Kind::Message && relation.is_none_or(|relation| relation.kind == RelationKind::Reply)
}
