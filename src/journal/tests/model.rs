//! Random entries, reads, trims, restarts and maintenance against a trivial model of a journal.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Room, sender, message id, body (odd: with a mention) and relation of an append.
type Drawn = (u64, u8, u8, u8, Option<(RelationKind, u64)>);

#[derive(Debug, Clone)]
enum Step {
    /// Several appends submitted at once.
    Appends(Vec<Drawn>),
    Mark(u64, u8, u64),
    Trim(u64, u64),
    Read(u64, u64, bool, usize),
    Close,
    Drop,
    Maintain,
}

const ROOMS: u64 = 3;

fn relation() -> impl Strategy<Value = Option<(RelationKind, u64)>> {
    let kinds = prop::sample::select(vec![
        RelationKind::Reply,
        RelationKind::Edit,
        RelationKind::Delete,
        RelationKind::Reaction,
        RelationKind::Append,
    ]);
    prop::option::weighted(0.4, (kinds, 1..12_u64))
}

fn step() -> impl Strategy<Value = Step> {
    let append = (1..=ROOMS, 0..2_u8, 0..40_u8, 0..4_u8, relation());
    prop_oneof![
        8 => prop::collection::vec(append, 1..12).prop_map(Step::Appends),
        2 => (1..=ROOMS, 0..2_u8, 0..30_u64).prop_map(|(room, user, offset)| Step::Mark(room, user, offset)),
        1 => (1..=ROOMS, 0..20_u64).prop_map(|(room, first)| Step::Trim(room, first)),
        4 => (1..=ROOMS, 0..40_u64, any::<bool>(), 1..9_usize).prop_map(|(room, from, back, limit)| {
            Step::Read(room, from, back, limit)
        }),
        2 => Just(Step::Close),
        2 => Just(Step::Drop),
        1 => Just(Step::Maintain),
    ]
}

#[derive(Default)]
struct Room {
    records: Vec<Record>,
    first: u64,
    markers: BTreeMap<u8, Marker>,
}

enum Verdict {
    Stored(u64, Vec<u64>),
    Duplicate(u64),
    Other(u64),
    BadRelation,
}

impl Room {
    fn last(&self) -> u64 {
        self.records.len() as u64
    }

    fn append(&mut self, append: &Append) -> Verdict {
        let retained = &self.records[self.first as usize - 1..];
        let original =
            retained.iter().find(|record| record.sender == append.sender && record.message_id == append.message_id);
        if let Some(original) = original {
            let says_the_same = original.payload == append.payload && original.extras == append.extras;
            let same = original.relation == append.relation && (original.erased || says_the_same);
            return if same { Verdict::Duplicate(original.offset) } else { Verdict::Other(original.offset) };
        }
        let mut erased = Vec::new();
        if let Some(relation) = append.relation {
            let there = (self.first..=self.last()).contains(&relation.offset);
            if !there || self.records[relation.offset as usize - 1].erased {
                return Verdict::BadRelation;
            }
            if relation.kind == RelationKind::Delete {
                let first = self.first;
                for record in self.records.iter_mut().filter(|record| record.offset >= first && !record.erased) {
                    let part = record.relation.is_some_and(|own| {
                        own.offset == relation.offset && matches!(own.kind, RelationKind::Edit | RelationKind::Append)
                    });
                    if part || record.offset == relation.offset {
                        (record.erased, record.payload, record.extras) = (true, Bytes::new(), None);
                        erased.push(record.offset);
                    }
                }
            }
        }
        let counts = append.relation.is_none_or(|relation| relation.kind == RelationKind::Reply);
        self.records.push(Record {
            offset: self.last() + 1,
            ordinal: self.records.last().map_or(0, |record| record.ordinal) + u64::from(counts),
            time_ms: append.time_ms,
            kind: append.kind,
            relation: append.relation,
            sender: append.sender.clone(),
            sender_name: append.sender_name.clone(),
            message_id: append.message_id.clone(),
            payload: append.payload.clone(),
            extras: append.extras.clone(),
            erased: false,
        });
        Verdict::Stored(self.last(), erased)
    }

    fn check(&self, bed: &Bed, id: RoomId) {
        let bounds = bed.bounds(id);
        let ordinal = self.records.last().map_or(0, |record| record.ordinal);
        assert_eq!((bounds.first, bounds.last, bounds.ordinal), (self.first, self.last(), ordinal));
        let shown: Vec<Record> = bed.everything(id).iter().map(|record| (**record).clone()).collect();
        assert_eq!(shown, self.records[self.first as usize - 1..]);
        for (user, marker) in &self.markers {
            assert_eq!(bed.journal.marker(id, &format!("user {user}")).offset, marker.offset);
        }
    }

    fn read(&self, bed: &Bed, id: RoomId, from: u64, back: bool, limit: usize) {
        let from = if back { from } else { from.min(self.last() + 1) };
        let page = if back { bed.backward(id, from, limit) } else { bed.forward(id, from.max(1), limit) };
        match page {
            Ok(page) => {
                let found = offsets(&page);
                assert!(found.windows(2).all(|pair| pair[1] == pair[0] + 1));
                assert!(found.iter().all(|offset| (self.first..=self.last()).contains(offset)));
                let end = if back { found.last() } else { found.first() };
                assert!(end.is_none_or(|end| *end == if back { from.min(self.last()) } else { from.max(1) }));
            }
            Err(ReadError::Trimmed(bounds)) => assert!(from.max(u64::from(!back)) < bounds.first),
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn run(steps: Vec<Step>, begin: impl Fn() -> Bed) {
    let mut rooms: Vec<Room> = (0..ROOMS).map(|_| Room { first: 1, ..Room::default() }).collect();
    let mut bed = Some(begin());
    for id in 1..=ROOMS {
        assert_eq!(bed.as_ref().unwrap().room(&id.to_string()), RoomId(id));
    }
    for step in steps {
        let now = bed.as_ref().unwrap();
        match step {
            Step::Appends(list) => {
                let entry = |(room, sender, id, text, relation): (u64, u8, u8, u8, Option<(RelationKind, u64)>)| {
                    let base =
                        append(RoomId(room), &format!("s{sender}"), &format!("{id}"), &format!("text {}", text / 2));
                    let base = if text % 2 == 1 { mentioning(base, &["bob"]) } else { base };
                    relation.map_or(base.clone(), |(kind, offset)| related(base, kind, offset))
                };
                let list: Vec<Append> = list.into_iter().map(entry).collect();
                let done = now.all(list.iter().cloned().map(Entry::Append).collect());
                for (append, done) in list.iter().zip(done) {
                    match (rooms[append.room.0 as usize - 1].append(append), done) {
                        (Verdict::Stored(offset, erased), Ok(Done::Stored { record, erased: told, .. })) => {
                            assert_eq!((record.offset, told), (offset, erased));
                        }
                        (Verdict::Duplicate(offset), Ok(Done::Duplicate { position, .. }))
                        | (Verdict::Other(offset), Err(Refusal::DuplicateConflict(position))) => {
                            assert_eq!(position.offset, offset);
                        }
                        (Verdict::BadRelation, Err(Refusal::BadRelation)) => {}
                        (_, done) => panic!("{append:?} → {done:?}"),
                    }
                }
            }
            Step::Mark(id, user, offset) => {
                let room = &mut rooms[id as usize - 1];
                let marker = room.markers.entry(user).or_default();
                marker.offset = marker.offset.max(offset.min(room.records.len() as u64));
                now.one(Entry::Mark { room: RoomId(id), user: format!("user {user}").into(), offset }).unwrap();
            }
            Step::Trim(id, first) => {
                let room = &mut rooms[id as usize - 1];
                room.first = room.first.max(first.min(room.last() + 1));
                assert_eq!(now.journal.trim(RoomId(id), first).unwrap().first, room.first);
            }
            Step::Read(id, from, back, limit) => rooms[id as usize - 1].read(now, RoomId(id), from, back, limit),
            Step::Maintain => now.journal.maintain(u64::MAX / 2),
            Step::Close | Step::Drop => {
                if matches!(step, Step::Close) {
                    now.journal.close();
                }
                // Gone before the next one comes: the directory is locked.
                drop(bed.take());
                bed = Some(begin());
            }
        }
        let now = bed.as_ref().unwrap();
        rooms.iter().zip(1..).for_each(|(room, id)| room.check(now, RoomId(id)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_durable_journal_is_the_model(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        run(steps, || Bed::open_with(dir.path(), &small()).unwrap());
        let report = super::super::verify(dir.path()).unwrap();
        prop_assert_eq!(report.problems, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_twin_is_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let stays = |step: &Step| !matches!(step, Step::Close | Step::Drop);
        run(steps.into_iter().filter(stays).collect(), || Bed::memory_with(&small()));
    }
}
