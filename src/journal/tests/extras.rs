//! The contract for what a record carries beside its payload, over every implementation and both restarts.

use super::contract::check;
use super::*;

#[test]
fn extras_are_content() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        let plain = || append(room, "ann", "plain", "x");
        let target = || mentioning(append(room, "ann", "target", "x"), &["bob", "carl"]);
        let edit = || related(mentioning(append(room, "ann", "edit", "y"), &["dora"]), RelationKind::Edit, 2);
        for entry in [plain(), target(), edit()] {
            bed.store(entry);
        }
        let bed = stage.again(bed);
        let users = |record: &Record| {
            let extras = record.extras.as_ref();
            extras
                .map(|extras| (extras.mentions.iter().map(ToString::to_string).collect::<Vec<_>>(), extras.blobs.len()))
        };
        let shown = |bed: &Bed| bed.everything(room).iter().map(|record| users(record)).collect::<Vec<_>>();
        let (both, one) = (vec!["bob".to_owned(), "carl".to_owned()], vec!["dora".to_owned()]);
        assert_eq!(shown(&bed), [None, Some((both, 1)), Some((one, 1))]);
        for entry in [plain(), target(), edit()] {
            assert!(matches!(bed.one(Entry::Append(entry)), Ok(Done::Duplicate { .. })), "the same content again");
        }
        for other in [Append { extras: None, ..target() }, mentioning(plain(), &[]), mentioning(target(), &["bob"])] {
            assert!(matches!(bed.one(Entry::Append(other)), Err(Refusal::DuplicateConflict(_))));
        }
        let delete = related(append(room, "ann", "delete", ""), RelationKind::Delete, 2);
        assert!(matches!(&bed.one(Entry::Append(delete)), Ok(Done::Stored { erased, .. }) if *erased == [2, 3]));
        assert_eq!(shown(&bed), vec![None; 4]);
        let bed = stage.again(bed);
        assert_eq!(shown(&bed), vec![None; 4]);
        assert!(matches!(bed.one(Entry::Append(target())), Ok(Done::Duplicate { .. })));
    });
}

#[test]
fn extras_count_in_pages_and_are_bounded() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        for n in 1..=6 {
            bed.store(mentioning(append(room, "ann", &n.to_string(), "0123456789"), &["0123456789"]));
        }
        let bed = stage.again(bed);
        let weight = bed.everything(room)[0].weight();
        assert!(weight >= 10 + 10 + 32, "{weight}");
        for (from, direction) in [(1, Direction::Forward), (6, Direction::Backward)] {
            let range = ReadRange { from, direction, limit: 9, bytes_max: 3 * weight };
            assert_eq!(bed.journal.read(room, range).unwrap().records.len(), 3, "{direction:?}");
        }
        let large = "u".repeat(EXTRAS_BYTES_MAX + 1);
        let large = Entry::Append(mentioning(append(room, "ann", "large", "x"), &[&large]));
        let refused = bed.journal.submit(large, Ticket { owner: 1, command: 1 });
        assert!(matches!(refused, Err(Refusal::ReadOnly(_))));
    });
}

#[test]
fn bounds_tell_when_the_last_record_was_stored() {
    check(|stage| {
        let bed = stage.begin();
        let room = bed.room("r");
        assert_eq!(bed.bounds(room).time_ms, 0);
        for (id, time_ms) in [("1", 5_000), ("2", 7_000)] {
            bed.store(Append { time_ms, ..append(room, "ann", id, "x") });
        }
        let bed = stage.again(bed);
        assert_eq!(bed.bounds(room).time_ms, 7_000);
        bed.journal.trim(room, 3).unwrap();
        assert_eq!(bed.bounds(room).time_ms, 7_000, "also when nothing is retained");
    });
}
