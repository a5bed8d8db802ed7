//! May this be published? The rules for a message's form, for what a room of its mode carries, and for who may relate
//! to whose message. Pure: the room, the rights and the target are handed in.

use std::collections::HashSet;
use std::sync::Arc;

use konvert_protocol::{BLOBS_MAX, MENTIONS_MAX, blob_digest, check_message_id, check_user, v1};

use super::error::BrokerError;
use super::sealed::{self, Misplaced};
use super::wire;
use crate::auth::{Identity, Permissions};
use crate::journal::{Extras, Kind, Mode, Record, Relation, RelationKind};

/// What became of a publish so far.
#[derive(Debug)]
pub enum Submitted {
    /// In the journal's queue; the outcome follows.
    Queued,
    /// The message it relates to must be read from disk first, with [`super::Broker::read_target`]; then publish again with it.
    NeedsTarget(u64),
}

/// Who publishes, and what they may do in the room.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// In this room.
    pub allow: Permissions,
}

/// The message that a publish relates to, as far as it is known.
#[derive(Debug, Clone)]
pub enum Target {
    /// Not looked for yet.
    NotRead,
    /// This one.
    Record(Arc<Record>),
    /// Trimmed or never there.
    Gone,
}

/// A publish whose form is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Whether it counts.
    pub kind: Kind,
    /// What it relates to; the target is still to be checked with [`target`].
    pub relation: Option<Relation>,
    /// Mentions and files.
    pub extras: Option<Box<Extras>>,
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
    let extras = extras(publish)?;
    if relation.is_some_and(|relation| relation.kind == RelationKind::Delete) {
        // A delete says nothing but whom it erases, so that it is the same in sealed rooms.
        if !publish.payload.is_empty() || extras.is_some() {
            return Err(BrokerError::BadRelation("A delete carries no payload, no mentions and no blobs."));
        }
    } else if !crate::sabotage::is("accept_plaintext") {
        sealed::check(mode, &publish.payload).map_err(|misplaced| match misplaced {
            Misplaced::Plaintext => BrokerError::NotSealed,
            Misplaced::Sealed => BrokerError::Sealed,
        })?;
    }
    Ok(Admitted { kind, relation, extras })
}

/// Mentions and files: few, well-formed, each once.
fn extras(publish: &v1::Publish) -> Result<Option<Box<Extras>>, BrokerError> {
    let v1::Publish { mentions, blobs, .. } = publish;
    if mentions.len() > MENTIONS_MAX {
        return Err(BrokerError::BadCommand("A message mentions at most 64 users."));
    }
    if blobs.len() > BLOBS_MAX {
        return Err(BrokerError::BadCommand("At most 16 blobs belong to a message."));
    }
    for user in mentions {
        check_user(user).map_err(|why| BrokerError::BadName("mentioned user id", why))?;
    }
    let digests = blobs.iter().map(|name| blob_digest(name)).collect::<Option<Box<[_]>>>();
    let digests = digests.ok_or(BrokerError::BadCommand("A blob is 64 lower-case hex digits, the file's SHA-256."))?;
    if repeats(mentions) || repeats(blobs) {
        return Err(BrokerError::BadCommand("A mention or a blob is there twice: name each once."));
    }
    Ok(Extras::new(mentions.iter().map(|user| Arc::from(user.as_str())).collect(), digests))
}

fn repeats(names: &[String]) -> bool {
    let mut seen = HashSet::with_capacity(names.len());
    !names.iter().all(|name| seen.insert(name))
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
            Err(BrokerError::BadRelation("A delete carries no payload, no mentions and no blobs.")),
        );
        check(
            v1::Publish { kind: 77, ..publish(None) },
            Err(BrokerError::BadCommand("The kind is not one that exists.")),
        );
    }

    #[test]
    fn mentions_and_blobs_are_few_well_formed_and_there_once() {
        let with = |mentions: &[&str], blobs: &[&str]| v1::Publish {
            mentions: mentions.iter().map(ToString::to_string).collect(),
            blobs: blobs.iter().map(ToString::to_string).collect(),
            ..publish(None)
        };
        let extras = |publish: &v1::Publish| form(publish, Mode::ServerReadable, 99).map(|admitted| admitted.extras);
        let (blob, longest) = ("0a".repeat(32), "u".repeat(128));
        let names: Vec<String> = (0..65).map(|n| format!("u{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let digests: Vec<String> = (0..17).map(|n| format!("{n:064x}")).collect();
        let digests: Vec<&str> = digests.iter().map(String::as_str).collect();

        assert_eq!(extras(&with(&[], &[])), Ok(None));
        let found = extras(&with(&["bob", &longest], &[&blob])).unwrap().unwrap();
        assert_eq!((&*found.mentions[1], found.mentions.len()), (longest.as_str(), 2));
        assert_eq!(*found.blobs, [[10; 32]]);
        let most = extras(&with(&names[..64], &digests[..16])).unwrap().unwrap();
        assert_eq!((most.mentions.len(), most.blobs.len()), (64, 16));

        let bad = |mentions: &[&str], blobs: &[&str], why: &str| match extras(&with(mentions, blobs)) {
            Err(BrokerError::BadCommand(text)) => assert!(text.contains(why), "{text}"),
            other => panic!("{mentions:?} {blobs:?}: {other:?}"),
        };
        bad(&names, &[], "64 users");
        bad(&[], &digests, "16 blobs");
        bad(&["bob", "ann", "bob"], &[], "twice");
        bad(&[], &[&blob, &blob], "twice");
        bad(&[], &[&blob.to_uppercase()], "hex");
        bad(&[], &["0a"], "hex");
        for (user, why) in
            [("", NameError::Empty), ("a b", NameError::Character(' ')), (&"u".repeat(129), NameError::TooLong(128))]
        {
            assert_eq!(extras(&with(&[user], &[])), Err(BrokerError::BadName("mentioned user id", why)));
        }
        let delete = publish(Some((v1::RelationKind::RelationDelete, 3)));
        let delete = v1::Publish { payload: Bytes::new(), mentions: vec!["bob".into()], ..delete };
        assert!(matches!(extras(&delete), Err(BrokerError::BadRelation(_))));
    }

    #[test]
    fn extras_travel_beside_what_is_sealed() {
        let sealed = sealed::private_message_around(b"x").into();
        let publish = v1::Publish { payload: sealed, mentions: vec!["bob".into()], ..publish(None) };
        let admitted = form(&publish, Mode::E2ee, 99).unwrap();
        assert_eq!(*admitted.extras.unwrap().mentions[0], *"bob");
    }

    /// The journal takes whatever is admitted.
    #[test]
    fn the_most_extras_fit_into_the_journal() {
        let user = |n: usize| format!("{n:0>128}");
        let most = v1::Publish {
            mentions: (0..MENTIONS_MAX).map(user).collect(),
            blobs: (0..BLOBS_MAX).map(|n| format!("{n:064x}")).collect(),
            ..publish(None)
        };
        let extras = form(&most, Mode::ServerReadable, 99).unwrap().extras.unwrap();
        assert!(extras.weight() <= crate::journal::EXTRAS_BYTES_MAX, "{}", extras.weight());
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
            extras: None,
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
