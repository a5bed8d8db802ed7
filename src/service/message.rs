//! How messages look over REST, and which of a dialog is the newest that people would see.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use konvert_protocol::blob_name;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::broker::Broker;
use crate::journal::{Bounds, Direction, Kind, Position, ReadRange, Record, RelationKind, RoomId};

/// A place in a room's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Identity of the numbering.
    pub epoch: u64,
    /// The message; 0 is before the first.
    pub offset: u64,
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self { epoch: position.epoch, offset: position.offset }
    }
}

/// Whether a message counts as unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// It does, unless it is a remark on another one.
    #[default]
    Message,
    /// It does not.
    Service,
}

/// How a message relates to an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageRelation {
    /// Answers it.
    Reply,
    /// Replaces its payload.
    Edit,
    /// Erases it.
    Delete,
    /// A remark on it.
    Reaction,
    /// Its next part.
    Append,
}

/// A link to an earlier message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RelationView {
    /// How.
    pub kind: MessageRelation,
    /// To which.
    pub offset: u64,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MessageView {
    /// Its number in the room.
    pub offset: u64,
    /// Messages that count up to and including this one.
    pub ordinal: u64,
    /// When it was stored, milliseconds since 1970.
    pub time_ms: u64,
    /// Who said it.
    pub sender: String,
    /// How they were shown then.
    pub sender_name: String,
    /// The sender's key against repetitions.
    pub message_id: String,
    /// Whether it counts.
    pub kind: MessageKind,
    /// What it relates to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<RelationView>,
    /// The payload when it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The payload when it is not, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// User ids that it should count for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// Stored files that belong to it: 64 hex digits each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<String>,
    /// Whether a later delete erased it.
    pub erased: bool,
    /// Whether what is shown is that of a later edit; only in lists of dialogs, where edits are applied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// Whether there is more of the payload than is shown; only in lists of dialogs, which show the first 4 KiB.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl MessageView {
    /// As it was stored.
    pub(super) fn of(record: &Record) -> Self {
        Self::with(record, &record.payload)
    }

    fn with(record: &Record, payload: &[u8]) -> Self {
        let text = std::str::from_utf8(payload).ok().filter(|_| !record.erased).map(str::to_owned);
        let extras = record.extras.as_deref();
        Self {
            offset: record.offset,
            ordinal: record.ordinal,
            time_ms: record.time_ms,
            sender: record.sender.to_string(),
            sender_name: record.sender_name.to_string(),
            message_id: record.message_id.to_string(),
            kind: match record.kind {
                Kind::Message => MessageKind::Message,
                Kind::Service => MessageKind::Service,
            },
            relation: record
                .relation
                .map(|relation| RelationView { kind: relation_out(relation.kind), offset: relation.offset }),
            payload: (text.is_none() && !record.erased).then(|| STANDARD.encode(payload)),
            text,
            mentions: extras.iter().flat_map(|extras| &extras.mentions).map(|user| user.to_string()).collect(),
            blobs: extras.iter().flat_map(|extras| &extras.blobs).map(blob_name).collect(),
            erased: record.erased,
            edited: false,
            cut: false,
        }
    }
}

fn relation_out(kind: RelationKind) -> MessageRelation {
    match kind {
        RelationKind::Reply => MessageRelation::Reply,
        RelationKind::Edit => MessageRelation::Edit,
        RelationKind::Delete => MessageRelation::Delete,
        RelationKind::Reaction => MessageRelation::Reaction,
        RelationKind::Append => MessageRelation::Append,
    }
}

/// Whether a record is something said, and no remark on another.
pub(super) fn is_content(record: &Record) -> bool {
    record.kind == Kind::Message && record.relation.is_none_or(|relation| relation.kind == RelationKind::Reply)
}

/// How far back the newest message is looked for, records.
const LOOK_BACK: u64 = 256;
/// How many records are read first, and how many at most at once: nearly always the last one is the message, and those
/// before it lie in other blocks of the store.
const LOOK_BACK_STEPS: (usize, usize) = (1, 32);
/// Payload bytes that are read at once, and after how many nothing older is read.
const LOOK_BACK_BYTES: (usize, usize) = (256 << 10, 1 << 20);
/// What of a payload is shown in lists: it is read for every dialog of a page, and told to everybody who watches.
const PREVIEW_BYTES: usize = 4 << 10;

/// The newest message that is still there, with its edits and appended parts, as far as lists show it. Blocks. `None`
/// when there is none among the last records.
pub(super) fn newest(broker: &Broker, room: RoomId, bounds: &Bounds) -> Option<MessageView> {
    let (mut limit, limit_most) = LOOK_BACK_STEPS;
    let lowest = bounds.first.max(bounds.last.saturating_sub(LOOK_BACK - 1));
    let (bytes_max, bytes_most) = LOOK_BACK_BYTES;
    let (mut later, mut bytes) = (Vec::new(), 0);
    let mut from = bounds.last;
    while from >= lowest && from > 0 && bytes < bytes_most {
        let range = ReadRange { from, direction: Direction::Backward, limit, bytes_max };
        let page = broker.recent(room, range).unwrap_or_else(|| broker.read(room, range)).ok()?;
        from = page.records.first()?.offset - 1;
        for record in page.records.into_iter().rev() {
            if is_content(&record) && !record.erased {
                return Some(folded(&record, later.iter().rev().map(AsRef::as_ref)));
            }
            bytes += record.payload.len();
            later.push(record);
        }
        limit = (limit * 8).min(limit_most);
    }
    None
}

/// A message with what later records made of it, as far as lists show it; `later` in rising order.
fn folded<'a>(record: &Record, later: impl Iterator<Item = &'a Record>) -> MessageView {
    let mut payload = Vec::new();
    take(&mut payload, &record.payload);
    let mut edited = false;
    for remark in later.filter(|remark| !remark.erased) {
        match remark.relation {
            Some(relation) if relation.offset != record.offset => {}
            Some(relation) if relation.kind == RelationKind::Edit => {
                payload.clear();
                take(&mut payload, &remark.payload);
                edited = true;
            }
            Some(relation) if relation.kind == RelationKind::Append => take(&mut payload, &remark.payload),
            _ => {}
        }
    }
    let cut = payload.len() > PREVIEW_BYTES;
    MessageView { edited, cut, ..MessageView::with(record, preview(&payload)) }
}

/// Takes one byte more than is shown, by which one sees that there is more.
fn take(payload: &mut Vec<u8>, part: &Bytes) {
    let wanted = PREVIEW_BYTES + 1 - payload.len();
    payload.extend_from_slice(&part[..wanted.min(part.len())]);
}

/// What is shown of a payload: no character of a text is cut in two.
fn preview(payload: &[u8]) -> &[u8] {
    let shown = &payload[..payload.len().min(PREVIEW_BYTES)];
    match std::str::from_utf8(shown) {
        Err(error) if error.error_len().is_none() && shown.len() < payload.len() => &shown[..error.valid_up_to()],
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Relation;

    fn record(offset: u64, relation: Option<(RelationKind, u64)>, payload: &'static [u8]) -> Record {
        Record {
            offset,
            ordinal: offset,
            time_ms: 0,
            kind: Kind::Message,
            relation: relation.map(|(kind, offset)| Relation { kind, offset }),
            sender: "ann".into(),
            sender_name: "".into(),
            message_id: "m".into(),
            payload: Bytes::from_static(payload),
            extras: None,
            erased: false,
        }
    }

    #[test]
    fn edits_and_parts_are_applied_in_their_order() {
        use RelationKind::{Append, Edit, Reaction};
        let message = record(5, None, b"one");
        let later = [
            record(6, Some((Append, 5)), b" two"),
            record(7, Some((Edit, 5)), b"new"),
            record(8, Some((Append, 5)), b" end"),
            record(9, Some((Reaction, 5)), b"+"),
            record(10, Some((Edit, 4)), b"other"),
        ];
        let text = |count: usize| folded(&message, later[..count].iter()).text.unwrap();
        assert_eq!([text(0), text(1), text(2), text(5)], ["one", "one two", "new", "new end"]);
        assert!(folded(&message, later.iter()).edited && !folded(&message, later[..1].iter()).edited);
    }

    #[test]
    fn lists_show_the_beginning_of_what_is_long() {
        let whole = |parts: usize, part: &'static str| {
            let message = record(1, None, part.as_bytes());
            let parts: Vec<_> =
                (2..=parts as u64).map(|n| record(n, Some((RelationKind::Append, 1)), part.as_bytes())).collect();
            folded(&message, parts.iter())
        };
        let fits = whole(256, "sixteen bytes...");
        assert_eq!((fits.text.unwrap().len(), fits.cut), (PREVIEW_BYTES, false));
        let cut = whole(257, "sixteen bytes...");
        assert_eq!((cut.text.unwrap().len(), cut.cut), (PREVIEW_BYTES, true));
        // Three bytes each, so that the last one does not fit whole.
        let signs = whole(9_000, "€");
        assert_eq!((signs.text.unwrap().chars().count(), signs.cut), (PREVIEW_BYTES / 3, true));
        // An edit begins anew.
        let long: Vec<_> = (2..400).map(|n| record(n, Some((RelationKind::Append, 1)), b"sixteen bytes...")).collect();
        let edit = [record(400, Some((RelationKind::Edit, 1)), b"short")];
        let short = folded(&record(1, None, b""), long.iter().chain(&edit));
        assert_eq!((short.text.as_deref(), short.cut, short.edited), (Some("short"), false, true));
    }

    #[test]
    fn what_is_no_text_is_base64_and_what_is_erased_is_nothing() {
        let bytes = MessageView::of(&record(1, None, b"\xff\x00"));
        assert_eq!((bytes.text, bytes.payload.as_deref()), (None, Some("/wA=")));
        let erased = MessageView::of(&Record { erased: true, ..record(1, None, b"") });
        assert_eq!((erased.text, erased.payload, erased.erased), (None, None, true));
    }
}
