//! May this be published? The rules for a message's form, for what a room of its mode carries, and for who may relate
//! to whose message. Pure: the room, the rights and the target are handed in.

use konvert_protocol::{check_message_id, v1};

use super::error::BrokerError;
use super::sealed::{self, Misplaced};
use super::wire;
use crate::journal::{Kind, Mode, Record, Relation, RelationKind};

/// A publish whose form is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// Whether it counts.
    pub kind: Kind,
    /// What it relates to; the target is still to be checked with [`target`].
    pub relation: Option<Relation>,
}

/// Checks everything about a publish that needs no look at the log.
pub fn form(publish: &v1::Publish, mode: Mode, payload_bytes: usize) -> Result<Admitted, BrokerError> {
    check_message_id(&publish.message_id).map_err(|why| BrokerError::BadName("message id", why))?;
    if publish.payload.len() > payload_bytes {
        return Err(BrokerError::PayloadTooLarge(payload_bytes));
    }
    let kind = wire::kind_in(publish.kind).ok_or(BrokerError::BadCommand("The kind is not one that exists."))?;
    let relation = match &publish.relation {
        None => None,
        Some(relation) => Some(
            wire::relation_in(relation)
                .filter(|relation| relation.offset > 0)
                .ok_or(BrokerError::BadCommand("A relation needs a kind that exists and an offset from 1 on."))?,
        ),
    };
    if relation.is_some_and(|relation| relation.kind == RelationKind::Delete) {
        // A delete says nothing but whom it erases, so that it is the same in sealed rooms.
        if !publish.payload.is_empty() {
            return Err(BrokerError::BadRelation("A delete carries no payload."));
        }
    } else if !crate::sabotage::is("accept_plaintext") {
        sealed::check(mode, &publish.payload).map_err(|misplaced| match misplaced {
            Misplaced::Plaintext => BrokerError::NotSealed,
            Misplaced::Sealed => BrokerError::Sealed,
        })?;
    }
    Ok(Admitted { kind, relation })
}

/// Whether `author` may relate to `target` like this. An erased target is left to the journal, which knows whether
/// this is the retry of the very delete that erased it.
pub fn target(relation: Relation, target: &Record, author: &str, moderates: bool) -> Result<(), BrokerError> {
    let is_own = *target.sender == *author;
    let is_content = target.relation.is_none_or(|relation| relation.kind == RelationKind::Reply);
    let refuse = |why| Err(BrokerError::BadRelation(why));
    match relation.kind {
        RelationKind::Edit | RelationKind::Delete if !is_own && !moderates => Err(BrokerError::NotAllowed("moderate")),
        RelationKind::Append if !is_own => refuse("Only the sender of a message may append to it."),
        RelationKind::Edit | RelationKind::Append | RelationKind::Reaction if !is_content => {
            refuse("The target is itself a remark on another message; relate to that one.")
        }
        RelationKind::Delete if target.relation.is_some_and(|relation| relation.kind == RelationKind::Delete) => {
            refuse("A delete cannot be deleted.")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use konvert_protocol::NameError;

    use super::*;

    fn publish(relation: Option<(v1::RelationKind, u64)>) -> v1::Publish {
        v1::Publish {
            room: "r".into(),
            message_id: "m".into(),
            payload: Bytes::from_static(b"text"),
            relation: relation.map(|(kind, offset)| v1::Relation { kind: kind as i32, offset }),
            ..Default::default()
        }
    }

    #[test]
    fn forms() {
        let check = |publish: v1::Publish, want: Result<(), BrokerError>| {
            assert_eq!(form(&publish, Mode::ServerReadable, 8).map(drop), want, "{publish:?}");
        };
        check(publish(None), Ok(()));
        check(v1::Publish { payload: vec![7; 8].into(), ..publish(None) }, Ok(()));
        check(v1::Publish { payload: vec![7; 9].into(), ..publish(None) }, Err(BrokerError::PayloadTooLarge(8)));
        check(
            v1::Publish { message_id: String::new(), ..publish(None) },
            Err(BrokerError::BadName("message id", NameError::Empty)),
        );
        let impossible = BrokerError::BadCommand("A relation needs a kind that exists and an offset from 1 on.");
        check(publish(Some((v1::RelationKind::RelationReply, 0))), Err(impossible.clone()));
        check(publish(Some((v1::RelationKind::RelationNone, 3))), Err(impossible));
        check(
            publish(Some((v1::RelationKind::RelationDelete, 3))),
            Err(BrokerError::BadRelation("A delete carries no payload.")),
        );
        check(
            v1::Publish { kind: 77, ..publish(None) },
            Err(BrokerError::BadCommand("The kind is not one that exists.")),
        );
    }

    #[test]
    fn a_sealed_room_takes_no_text_by_any_relation() {
        use v1::RelationKind as R;
        let relations = [R::RelationReply, R::RelationEdit, R::RelationReaction, R::RelationAppend];
        for relation in relations.into_iter().map(|kind| Some((kind, 1))).chain([None]) {
            let text = publish(relation);
            assert_eq!(form(&text, Mode::E2ee, 99), Err(BrokerError::NotSealed), "{text:?}");
            let sealed = v1::Publish { payload: sealed::private_message_around(b"x").into(), ..text };
            assert!(form(&sealed, Mode::E2ee, 99).is_ok());
            assert_eq!(form(&sealed, Mode::ServerReadable, 99), Err(BrokerError::Sealed));
        }
        let delete = v1::Publish { payload: Bytes::new(), ..publish(Some((R::RelationDelete, 1))) };
        assert!(form(&delete, Mode::E2ee, 99).is_ok());
    }

    #[test]
    fn who_may_relate_to_what() {
        let record = |sender: &str, relation: Option<RelationKind>| Record {
            offset: 1,
            ordinal: 1,
            time_ms: 0,
            kind: Kind::Message,
            relation: relation.map(|kind| Relation { kind, offset: 1 }),
            sender: sender.into(),
            sender_name: "".into(),
            message_id: "m".into(),
            payload: Bytes::new(),
            erased: false,
        };
        use RelationKind::*;
        for (kind, sender, to, moderates, allowed) in [
            (Reply, "bob", None, false, true),
            (Reply, "bob", Some(Reaction), false, true),
            (Edit, "ann", None, false, true),
            (Edit, "bob", None, false, false),
            (Edit, "bob", None, true, true),
            (Edit, "ann", Some(Edit), false, false),
            (Edit, "ann", Some(Reply), false, true),
            (Delete, "bob", None, false, false),
            (Delete, "bob", None, true, true),
            (Delete, "ann", Some(Reaction), false, true),
            (Delete, "ann", Some(Delete), false, false),
            (Reaction, "bob", None, false, true),
            (Reaction, "bob", Some(Edit), false, false),
            (Append, "ann", None, false, true),
            (Append, "bob", None, true, false),
        ] {
            let got = target(Relation { kind, offset: 1 }, &record(sender, to), "ann", moderates);
            assert_eq!(got.is_ok(), allowed, "{kind:?} by ann on {sender}'s {to:?}, moderates {moderates}: {got:?}");
        }
    }
}
