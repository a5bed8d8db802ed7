//! The contract, run against the in-memory twin, the durable journal, and the durable journal with a restart before
//! everything that is checked: once closed (everything folded) and once dropped (everything replayed).

use super::*;

/// How to get a journal, and what happens to it between doing and checking.
enum Subject {
    Memory,
    Durable,
    Closed,
    Dropped,
}

pub(super) struct Stage {
    subject: Subject,
    dir: tempfile::TempDir,
    config: JournalConfig,
}

impl Stage {
    pub fn begin(&self) -> Bed {
        match self.subject {
            Subject::Memory => Bed::memory_with(&self.config),
            _ => Bed::open_with(self.dir.path(), &self.config).unwrap(),
        }
    }

    /// The restart, if the subject has one.
    pub fn again(&self, bed: Bed) -> Bed {
        match self.subject {
            Subject::Memory | Subject::Durable => return bed,
            Subject::Closed => bed.journal.close(),
            Subject::Dropped => {}
        }
        drop(bed);
        self.begin()
    }
}

fn check_with(config: &JournalConfig, test: impl Fn(&Stage)) {
    for subject in [Subject::Memory, Subject::Durable, Subject::Closed, Subject::Dropped] {
        test(&Stage { subject, dir: tempfile::tempdir().unwrap(), config: config.clone() });
    }
}

pub(super) fn check(test: impl Fn(&Stage)) {
    check_with(&small(), test);
}

#[test]
fn numbers_rise_by_one_and_reads_see_them_all() {
    check(|stage| {
        let bed = stage.begin();
        let (first, second) = (bed.room("first"), bed.room("second"));
        assert_ne!(first, second);
        let entries = (0..50).map(|n| {
            let room = if n % 3 == 0 { second } else { first };
            Entry::Append(append(room, "ann", &format!("m{n}"), &format!("text {n}")))
        });
        let done = bed.all(entries.collect());
        assert!(done.iter().all(Result::is_ok));
        let bed = stage.again(bed);
        let records = bed.everything(first);
        assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), (1..=33).collect::<Vec<_>>());
        assert_eq!(records[0].payload, "text 1");
        assert_eq!(records[32].payload, "text 49");
        assert_eq!(bed.bounds(second).last, 17);
        assert_eq!(bed.bounds(second).ordinal, 17);
        assert_eq!(bed.journal.find("second").unwrap().id, second);
        assert!(bed.journal.find("third").is_none());
    });
}

#[test]
fn a_room_is_created_once_and_keeps_mode_and_epoch() {
    check(|stage| {
        let bed = stage.begin();
        let make = |mode| Entry::Create { name: "r".into(), mode };
        let done = bed.all(vec![make(Mode::E2ee), make(Mode::ServerReadable)]);
        let Ok(Done::Room(info)) = &done[1] else { panic!("{done:?}") };
        assert_eq!(info.mode, Mode::E2ee);
        let epoch = bed.bounds(info.id).epoch;
        assert!((1..1 << 53).contains(&epoch));
        let bed = stage.again(bed);
        let Ok(Done::Room(again)) = bed.one(make(Mode::ServerReadable)) else { panic!() };
        assert_eq!(again, *info);
        assert_eq!(bed.bounds(info.id), Bounds { epoch, first: 1, last: 0, ordinal: 0, time_ms: 0 });
        assert_ne!(bed.room("other"), info.id);
    });
}

#[test]
fn every_room_is_shown_once_where_it_stands() {
    check(|stage| {
        let bed = stage.begin();
        let make = |n: u64| Entry::Create { name: format!("room {n}").into(), mode: Mode::E2ee };
        let done = bed.all((0..100).map(make).collect());
        for done in done.iter().take(3) {
            let Ok(Done::Room(info)) = done else { panic!("{done:?}") };
            bed.store(append(info.id, "ann", "id", "x"));
        }
        let bed = stage.again(bed);
        let mut seen = std::collections::BTreeMap::new();
        bed.journal.each_room(&mut |info, bounds| {
            assert_eq!(bed.journal.info(info.id).as_ref(), Some(info));
            assert_eq!(bed.bounds(info.id), *bounds, "what is shown may be looked at: no lock is held");
            assert!(seen.insert(info.name.to_string(), bounds.last).is_none(), "{} is shown twice", info.name);
        });
        assert_eq!((seen.len(), seen.values().sum::<u64>()), (100, 3));
        assert_eq!((seen["room 2"], seen["room 3"]), (1, 0));
        assert_eq!(bed.journal.info(RoomId(101)), None);
    });
}

#[test]
fn a_message_id_is_stored_once() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        let entry = || Entry::Append(append(room, "ann", "id", "text"));
        let done = bed.all(vec![entry(), entry(), Entry::Append(append(room, "bob", "id", "text"))]);
        let original = stored(done[0].clone());
        assert!(matches!(done[1], Ok(Done::Duplicate { position, .. }) if position.offset == original.offset));
        assert_eq!(stored(done[2].clone()).offset, 2, "another sender's id is another id");
        let bed = stage.again(bed);
        for _ in 0..2 {
            let Ok(Done::Duplicate { position, time_ms }) = bed.one(entry()) else { panic!("stored twice") };
            assert_eq!(position, Position { epoch: bed.bounds(room).epoch, offset: 1 });
            assert_eq!(time_ms, original.time_ms);
        }
        let other = bed.one(Entry::Append(append(room, "ann", "id", "other text")));
        assert!(matches!(other, Err(Refusal::DuplicateConflict(position)) if position.offset == 1));
        let kind = bed.one(Entry::Append(Append { kind: Kind::Service, ..append(room, "ann", "id", "text") }));
        assert!(matches!(kind, Err(Refusal::DuplicateConflict(_))));
        let relation = related(append(room, "ann", "id", "text"), RelationKind::Reply, 2);
        assert!(matches!(bed.one(Entry::Append(relation)), Err(Refusal::DuplicateConflict(_))));
        assert_eq!(bed.bounds(room).last, 2);
        assert_eq!(bed.everything(room).len(), 2);
    });
}

#[test]
fn expected_positions_are_compared_after_idempotency() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        let epoch = bed.bounds(room).epoch;
        let at = |offset| Some(Position { epoch, offset });
        let entry = |id: &str, expected| Entry::Append(Append { expected, ..append(room, "ann", id, "x") });
        let done = bed.all(vec![entry("a", at(0)), entry("b", at(0)), entry("c", at(1)), entry("a", at(0))]);
        assert!(done[0].is_ok());
        assert!(matches!(&done[1], Err(Refusal::Conflict(bounds)) if bounds.last == 1));
        assert!(done[2].is_ok());
        assert!(matches!(done[3], Ok(Done::Duplicate { .. })));
        let bed = stage.again(bed);
        let wrong_epoch = Some(Position { epoch: epoch ^ 1, offset: 2 });
        assert!(matches!(bed.one(entry("d", wrong_epoch)), Err(Refusal::Conflict(_))));
        assert!(bed.one(entry("d", at(2))).is_ok());
    });
}

#[test]
fn only_messages_and_replies_count() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        let kinds = [RelationKind::Reply, RelationKind::Edit, RelationKind::Reaction, RelationKind::Append];
        bed.store(append(room, "ann", "first", "x"));
        for (n, kind) in kinds.into_iter().enumerate() {
            bed.store(related(append(room, "ann", &n.to_string(), "x"), kind, 1));
        }
        bed.store(Append { kind: Kind::Service, ..append(room, "ann", "service", "x") });
        let bed = stage.again(bed);
        let ordinals: Vec<u64> = bed.everything(room).iter().map(|record| record.ordinal).collect();
        assert_eq!(ordinals, [1, 2, 2, 2, 2, 2]);
        assert_eq!(bed.bounds(room).ordinal, 2);
        assert_eq!(bed.store(append(room, "ann", "last", "x")).ordinal, 3);
    });
}

#[test]
fn a_delete_erases_the_target_its_edits_and_its_parts() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        bed.store(append(room, "ann", "target", "secret"));
        bed.store(related(append(room, "ann", "edit", "secret 2"), RelationKind::Edit, 1));
        bed.store(append(room, "ann", "other", "kept"));
        bed.store(related(append(room, "ann", "part", "secret 3"), RelationKind::Append, 1));
        bed.store(related(append(room, "ann", "like", "kept"), RelationKind::Reaction, 1));
        let bed = stage.again(bed);
        let delete = related(append(room, "ann", "delete", ""), RelationKind::Delete, 1);
        let again = related(append(room, "ann", "delete again", ""), RelationKind::Delete, 1);
        let late = related(append(room, "ann", "late", "x"), RelationKind::Edit, 1);
        let done = bed.all(vec![Entry::Append(delete.clone()), Entry::Append(again), Entry::Append(late.clone())]);
        let Ok(Done::Stored { erased, .. }) = &done[0] else { panic!("{done:?}") };
        assert_eq!(*erased, [1, 2, 4]);
        assert!(matches!(done[1], Err(Refusal::BadRelation)));
        assert!(matches!(done[2], Err(Refusal::BadRelation)));
        let bed = stage.again(bed);
        let shown: Vec<(bool, bool)> = bed.everything(room).iter().map(|r| (r.erased, r.payload.is_empty())).collect();
        let (gone, kept) = ((true, true), (false, false));
        assert_eq!(shown, [gone, gone, kept, gone, kept, (false, true)]);
        let retry = bed.one(Entry::Append(append(room, "ann", "target", "secret")));
        assert!(matches!(retry, Ok(Done::Duplicate { position, .. }) if position.offset == 1));
        assert!(matches!(bed.one(Entry::Append(delete)), Ok(Done::Duplicate { .. })));
        assert!(matches!(bed.one(Entry::Append(late)), Err(Refusal::BadRelation)));
        let nowhere = related(append(room, "ann", "nowhere", "x"), RelationKind::Reply, 99);
        assert!(matches!(bed.one(Entry::Append(nowhere)), Err(Refusal::BadRelation)));
    });
}

#[test]
fn trimmed_is_gone_and_said_so() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        for n in 1..=20 {
            bed.store(append(room, "ann", &n.to_string(), "x"));
        }
        assert_eq!(bed.journal.trim(room, 11).unwrap().first, 11);
        let bed = stage.again(bed);
        assert_eq!(bed.journal.trim(room, 5).unwrap().first, 11, "never back");
        assert!(matches!(bed.forward(room, 10, 5), Err(ReadError::Trimmed(bounds)) if bounds.first == 11));
        assert_eq!(offsets(&bed.forward(room, 11, 3).unwrap()), [11, 12, 13]);
        assert!(matches!(bed.backward(room, 10, 5), Err(ReadError::Trimmed(_))));
        let page = bed.backward(room, 13, 50).unwrap();
        assert_eq!((offsets(&page), page.more), (vec![11, 12, 13], false));
        let again = bed.store(append(room, "ann", "3", "x"));
        assert_eq!((again.offset, again.ordinal), (21, 21), "a trimmed id may be used again; ordinals go on");
        let reply = related(append(room, "ann", "reply", "x"), RelationKind::Reply, 10);
        assert!(matches!(bed.one(Entry::Append(reply)), Err(Refusal::BadRelation)));
        assert_eq!(bed.journal.trim(room, 99).unwrap().first, 22);
        let bed = stage.again(bed);
        assert_eq!(bed.bounds(room).last, 21);
        assert!(bed.backward(room, u64::MAX, 5).unwrap().records.is_empty());
        assert!(bed.forward(room, 22, 5).unwrap().records.is_empty());
        assert_eq!(bed.store(append(room, "ann", "next", "x")).offset, 22);
        assert!(matches!(bed.journal.trim(RoomId(99), 1), Err(Refusal::UnknownRoom)));
    });
}

#[test]
fn pages_obey_limits_and_directions() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        for n in 1..=100 {
            bed.store(append(room, "ann", &n.to_string(), "0123456789"));
        }
        let bed = stage.again(bed);
        let page = |from, direction, limit, bytes_max| {
            let page = bed.journal.read(room, ReadRange { from, direction, limit, bytes_max }).unwrap();
            (offsets(&page), page.more)
        };
        assert_eq!(page(1, Direction::Forward, 3, 1000), (vec![1, 2, 3], true));
        assert_eq!(page(98, Direction::Forward, 9, 1000), (vec![98, 99, 100], false));
        assert_eq!(page(101, Direction::Forward, 9, 1000), (vec![], false));
        assert_eq!(page(10, Direction::Forward, 9, 25), (vec![10, 11], true));
        assert_eq!(page(10, Direction::Forward, 9, 0), (vec![10], true));
        assert_eq!(page(u64::MAX, Direction::Backward, 3, 1000), (vec![98, 99, 100], true));
        assert_eq!(page(3, Direction::Backward, 9, 1000), (vec![1, 2, 3], false));
        assert_eq!(page(50, Direction::Backward, 9, 25), (vec![49, 50], true));
        assert_eq!(page(50, Direction::Backward, 9, 0), (vec![50], true));
        let unknown = ReadRange { from: 1, direction: Direction::Forward, limit: 1, bytes_max: 1 };
        assert!(matches!(bed.journal.read(RoomId(77), unknown), Err(ReadError::UnknownRoom)));
        assert!(matches!(bed.one(Entry::Append(append(RoomId(77), "a", "b", "c"))), Err(Refusal::UnknownRoom)));
    });
}

#[test]
fn recent_is_what_read_says_or_nothing() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        for n in 1..=30 {
            bed.store(append(room, "ann", &n.to_string(), "x"));
        }
        let bed = stage.again(bed);
        for from in 1..=31 {
            let range = ReadRange { from, direction: Direction::Forward, limit: 4, bytes_max: 1000 };
            let read = bed.journal.read(room, range).unwrap();
            if let Some(recent) = bed.journal.recent(room, range) {
                assert_eq!(offsets(&recent.unwrap()), offsets(&read));
            }
        }
    });
}

#[test]
fn markers_only_move_forward() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        bed.store(append(room, "ann", "1", "x"));
        bed.store(related(append(room, "ann", "2", "x"), RelationKind::Reaction, 1));
        bed.store(append(room, "ann", "3", "x"));
        let mark = |user: &str, offset| Entry::Mark { room, user: user.into(), offset };
        let done = bed.all(vec![mark("ann", 2), mark("ann", 1), mark("bob", 99)]);
        let at = |offset, ordinal| Marker { offset, ordinal };
        assert!(
            matches!(done[0], Ok(Done::Marked { ref user, marker, moved: true }) if marker == at(2, 1) && **user == *"ann")
        );
        assert!(
            matches!(done[1], Ok(Done::Marked { ref user, marker, moved: false }) if marker == at(2, 1) && **user == *"ann")
        );
        let bed = stage.again(bed);
        assert_eq!(bed.journal.marker(room, "ann"), at(2, 1));
        assert_eq!(bed.journal.marker(room, "bob"), at(3, 2));
        assert_eq!(bed.journal.marker(room, "eve"), Marker::default());
        assert!(matches!(bed.one(mark("ann", 1)), Ok(Done::Marked { moved: false, .. })));
        bed.store(append(room, "ann", "4", "x"));
        bed.journal.trim(room, 4).unwrap();
        assert!(matches!(bed.one(mark("ann", 3)), Ok(Done::Marked { marker, .. }) if marker == at(3, 2)));
    });
}

#[test]
fn time_never_falls_inside_a_room() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        bed.store(Append { time_ms: 5_000, ..append(room, "ann", "1", "x") });
        let bed = stage.again(bed);
        assert_eq!(bed.store(Append { time_ms: 4_000, ..append(room, "ann", "2", "x") }).time_ms, 5_000);
        assert_eq!(bed.store(Append { time_ms: 6_000, ..append(room, "ann", "3", "x") }).time_ms, 6_000);
    });
}

#[test]
fn retention_removes_what_is_beyond_any_limit() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        for n in 1..=100_u64 {
            bed.store(Append { time_ms: n * 1_000, ..append(room, "ann", &n.to_string(), "0123456789") });
        }
        let bed = stage.again(bed);
        let keep = |retention| {
            bed.journal.set_retention(room, retention);
            bed.journal.maintain(100_000);
            bed.bounds(room).first
        };
        assert_eq!(keep(Retention::default()), 1);
        assert_eq!(keep(Retention { count: 90, ..Retention::default() }), 11);
        assert_eq!(keep(Retention { bytes: 805, ..Retention::default() }), 21);
        assert_eq!(keep(Retention { age_s: 50, ..Retention::default() }), 50);
        assert_eq!(keep(Retention { age_s: 60, count: 95, bytes: 100_000 }), 50, "never back");
        let bed = stage.again(bed);
        assert_eq!(bed.bounds(room).first, 50);
        assert_eq!(bed.everything(room).len(), 51);
    });
}

#[test]
fn the_queue_is_bounded() {
    let config = JournalConfig { queue_count: 3, queue_bytes: 100_000, ..small() };
    check_with(&config, |stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        let large = "x".repeat(60_000);
        let ticket = Ticket { owner: 1, command: 1 };
        let mut accepted = 0;
        let refused = (0..100_000).find_map(|n| {
            let result = bed.journal.submit(Entry::Append(append(room, "a", &n.to_string(), &large)), ticket);
            accepted += usize::from(result.is_ok());
            result.err()
        });
        assert_eq!(refused, Some(Refusal::Overloaded));
        assert_eq!(bed.outcomes(accepted).len(), accepted);
        let too_large = "x".repeat(PAYLOAD_BYTES_MAX + 1);
        let result = bed.journal.submit(Entry::Append(append(room, "a", "large", &too_large)), ticket);
        assert!(matches!(result, Err(Refusal::ReadOnly(_))));
    });
}

#[test]
fn after_close_nothing_is_accepted_and_all_before_is_answered() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        for n in 0..100 {
            let entry = Entry::Append(append(room, "a", &n.to_string(), "x"));
            bed.journal.submit(entry, Ticket { owner: 1, command: n }).unwrap();
        }
        bed.journal.close();
        assert!(bed.outcomes(100).iter().all(|outcome| outcome.result.is_ok()));
        let late = bed.journal.submit(Entry::Append(append(room, "a", "late", "x")), Ticket { owner: 1, command: 1 });
        assert!(matches!(late, Err(Refusal::ReadOnly(_))));
        assert_eq!(bed.bounds(room).last, 100);
        let stats = bed.journal.stats();
        assert_eq!((stats.stored, stats.rooms, stats.queued), (100, 1, 0));
        assert_eq!(stats.commit_us.iter().sum::<u64>(), stats.commits);
    });
}
