//! Wire types ⇄ the core's types. They differ on purpose: what is on disk and what travels change at different times.

use konvert_protocol::{blob_name, v1};

use crate::journal::{Bounds, Direction, Kind, Mode, Position, Record, Relation, RelationKind};

/// A stored message as it travels; `room` is empty inside replies that name the room themselves.
pub fn message(record: &Record, room: String) -> v1::Message {
    v1::Message {
        room,
        offset: record.offset,
        sender: record.sender.to_string(),
        sender_name: record.sender_name.to_string(),
        message_id: record.message_id.to_string(),
        time_ms: record.time_ms,
        kind: match record.kind {
            Kind::Message => v1::Kind::Message,
            Kind::Service => v1::Kind::Service,
        } as i32,
        relation: record.relation.map(relation_out),
        payload: record.payload.clone(),
        ordinal: record.ordinal,
        erased: record.erased,
        mentions: record.extras.iter().flat_map(|extras| &extras.mentions).map(|user| user.to_string()).collect(),
        blobs: record.extras.iter().flat_map(|extras| &extras.blobs).map(blob_name).collect(),
    }
}

/// Where a room stands.
pub fn position(bounds: &Bounds) -> v1::Position {
    v1::Position { epoch: bounds.epoch, offset: bounds.last }
}

/// A single place.
pub fn place(position: Position) -> v1::Position {
    v1::Position { epoch: position.epoch, offset: position.offset }
}

/// A place that a client named.
pub fn place_in(position: v1::Position) -> Position {
    Position { epoch: position.epoch, offset: position.offset }
}

/// What a room's payloads are.
pub fn mode(mode: Mode) -> i32 {
    match mode {
        Mode::ServerReadable => v1::Mode::ServerReadable as i32,
        Mode::E2ee => v1::Mode::E2ee as i32,
    }
}

/// `None` for a number that is no kind.
pub fn kind_in(kind: i32) -> Option<Kind> {
    Some(match v1::Kind::try_from(kind).ok()? {
        v1::Kind::Message => Kind::Message,
        v1::Kind::Service => Kind::Service,
    })
}

/// `None` for a number that is no direction.
pub fn direction_in(direction: i32) -> Option<Direction> {
    Some(match v1::Direction::try_from(direction).ok()? {
        v1::Direction::Forward => Direction::Forward,
        v1::Direction::Backward => Direction::Backward,
    })
}

/// `None` for a relation without a kind, or with one that is not known.
pub fn relation_in(relation: &v1::Relation) -> Option<Relation> {
    let kind = match v1::RelationKind::try_from(relation.kind).ok()? {
        v1::RelationKind::RelationNone => return None,
        v1::RelationKind::RelationReply => RelationKind::Reply,
        v1::RelationKind::RelationEdit => RelationKind::Edit,
        v1::RelationKind::RelationDelete => RelationKind::Delete,
        v1::RelationKind::RelationReaction => RelationKind::Reaction,
        v1::RelationKind::RelationAppend => RelationKind::Append,
    };
    Some(Relation { kind, offset: relation.offset })
}

fn relation_out(relation: Relation) -> v1::Relation {
    let kind = match relation.kind {
        RelationKind::Reply => v1::RelationKind::RelationReply,
        RelationKind::Edit => v1::RelationKind::RelationEdit,
        RelationKind::Delete => v1::RelationKind::RelationDelete,
        RelationKind::Reaction => v1::RelationKind::RelationReaction,
        RelationKind::Append => v1::RelationKind::RelationAppend,
    };
    v1::Relation { kind: kind as i32, offset: relation.offset }
}
