//! The on-disk form of a record, the same in the write-ahead file and in blocks.
//!
//! Owns its bytes, version and checksum. Refuses to know files. Decoding is total: any bytes give a record or a reason,
//! never a panic and never an allocation larger than the input.
//!
//! ```text
//! frame   length of body u32 LE · CRC-32 of body u32 LE · body
//! body    version u8 · flags u8 · offset · ordinal · time · volume · [target] · sender · sender name · message id ·
//!         [mentions · blobs] · payload
//! ```
//! Numbers of the body are LEB128, texts carry their length, the payload is what remains. Version 2 is version 1 with
//! mentions (their count, texts) and blobs (their count, 32 bytes each); what has none of them is version 1.

use std::sync::Arc;

use bytes::Bytes;

use super::{Extras, Kind, Record, Relation, RelationKind};

const VERSION: u8 = 1;
const VERSION_WITH_EXTRAS: u8 = 2;
const HEADER: usize = 8;
const SERVICE: u8 = 1;
const ERASED: u8 = 2;
const RELATION_SHIFT: u8 = 2;

/// A record with what only the journal wants to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// What readers get.
    pub record: Arc<Record>,
    /// Bytes of the room before this record, counted from its beginning as in `Record::weight`: retention by bytes
    /// searches by it.
    pub volume: u64,
}

impl Stored {
    /// The same record without its payload and extras.
    pub fn erase(&self) -> Self {
        let record = Record { payload: Bytes::new(), extras: None, erased: true, ..(*self.record).clone() };
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
    out.extend_from_slice(&[if record.extras.is_some() { VERSION_WITH_EXTRAS } else { VERSION }, flags]);
    for number in [record.offset, record.ordinal, record.time_ms, stored.volume] {
        put_number(out, number);
    }
    if let Some(relation) = record.relation {
        put_number(out, relation.offset);
    }
    for text in [&*record.sender, &*record.sender_name, &*record.message_id] {
        put_text(out, text);
    }
    if let Some(extras) = &record.extras {
        put_number(out, extras.mentions.len() as u64);
        extras.mentions.iter().for_each(|user| put_text(out, user));
        put_number(out, extras.blobs.len() as u64);
        extras.blobs.iter().for_each(|digest| out.extend_from_slice(digest));
    }
    out.extend_from_slice(&record.payload);
}

fn take_extras(fields: &mut Fields<'_>) -> Result<Box<Extras>, Malformed> {
    let (mut mentions, mut blobs) = (Vec::new(), Vec::new());
    for _ in 0..fields.number()? {
        mentions.push(fields.text()?.into());
    }
    for _ in 0..fields.number()? {
        blobs.push(fields.take(32)?.try_into().map_err(|_| Malformed("cut short"))?);
    }
    Ok(Box::new(Extras { mentions: mentions.into(), blobs: blobs.into() }))
}

fn decode_body(body: &[u8]) -> Result<Stored, Malformed> {
    let mut fields = Fields(body);
    let version = fields.byte()?;
    if ![VERSION, VERSION_WITH_EXTRAS].contains(&version) {
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
        extras: if version == VERSION { None } else { Some(take_extras(&mut fields)?) },
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(extras: Option<Box<Extras>>) -> Stored {
        let record = Record {
            offset: 300,
            ordinal: 7,
            time_ms: 1,
            kind: Kind::Service,
            relation: Some(Relation { kind: RelationKind::Reply, offset: 2 }),
            sender: "ann".into(),
            sender_name: "A".into(),
            message_id: "id".into(),
            payload: Bytes::from_static(b"hi"),
            extras,
            erased: false,
        };
        Stored { record: Arc::new(record), volume: 9 }
    }

    fn extras(users: Vec<String>, blobs: Vec<[u8; 32]>) -> Option<Box<Extras>> {
        Extras::new(users.iter().map(|user| Arc::from(user.as_str())).collect(), blobs.into())
    }

    fn frame(stored: &Stored) -> Vec<u8> {
        let mut out = Vec::new();
        put_stored(&mut out, stored);
        out
    }

    /// A body behind its length and checksum.
    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_le_bytes(), &crc32fast::hash(body).to_le_bytes(), body].concat()
    }

    const ENVELOPE: &[u8] = b"\x05\xac\x02\x07\x01\x09\x02\x03ann\x01A\x02id";

    #[test]
    fn records_without_extras_are_what_they_were() {
        let body = [b"\x01", ENVELOPE, b"hi"].concat();
        assert_eq!(frame(&stored(None)), framed(&body));
    }

    #[test]
    fn extras_lie_between_envelope_and_payload() {
        let with = stored(extras(vec!["bob".into(), "c".into()], vec![[7; 32]]));
        let body = [b"\x02", ENVELOPE, b"\x02\x03bob\x01c\x01", &[7; 32], b"hi"].concat();
        assert_eq!(frame(&with), framed(&body));
        assert_eq!(Fields(&framed(&body)).stored(), Ok(with));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for version in [0, 3, 255] {
            let body = [&[version], ENVELOPE, b"\x00\x00hi"].concat();
            assert_eq!(Fields(&framed(&body)).stored(), Err(Malformed("unknown version of a record")));
        }
        // Counts that go beyond what is there.
        for tail in [&b"\xff\xff\xff\xff\x0f\x01x"[..], b"\x00\x01short", b"\x01\xff\x01x", b""] {
            let body = [b"\x02", ENVELOPE, tail].concat();
            assert!(Fields(&framed(&body)).stored().is_err(), "{tail:?}");
        }
    }

    #[test]
    fn no_extras_cost_a_pointer() {
        assert_eq!(size_of::<Option<Box<Extras>>>(), 8);
    }

    proptest! {
        #[test]
        fn records_survive(
            users in prop::collection::vec("[!-~]{1,128}", 0..65),
            blobs in prop::collection::vec(any::<[u8; 32]>(), 0..17),
        ) {
            let stored = stored(extras(users, blobs));
            let bytes = frame(&stored);
            let mut fields = Fields(&bytes);
            prop_assert_eq!(fields.stored(), Ok(stored));
            prop_assert!(fields.0.is_empty());
        }

        #[test]
        fn any_body_ends(body in prop::collection::vec(any::<u8>(), 0..120)) {
            for version in [1, 2] {
                let _ = Fields(&framed(&[&[version], &body[..]].concat())).stored();
                let _ = Fields(&framed(&[&[version], ENVELOPE, &body[..]].concat())).stored();
            }
        }
    }
}
