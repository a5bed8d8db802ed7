//! What a journal does with space: bytes that must go, space that must come back, a disk that is full; and that ids are
//! known wherever their record has gone.

use super::super::record;
use super::super::verify::verify;
use std::path::PathBuf;

use super::disk::{disk_bytes, holds, open};
use super::*;

#[test]
fn an_erased_payload_leaves_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let within = JournalConfig::default().erase_within_ms;
    let bed = open(dir.path());
    let room = bed.room("r");
    let canary = "canary-in-a-coal-mine";
    bed.store(append(room, "ann", "1", canary));
    bed.store(related(append(room, "ann", "2", canary), RelationKind::Edit, 1));
    bed.journal.close();
    drop(bed);
    for folded_before in [true, false] {
        let bed = open(dir.path());
        let target = if folded_before { 1 } else { bed.store(append(room, "ann", "3", canary)).offset };
        bed.store(append(room, "ann", if folded_before { "4" } else { "5" }, "kept"));
        assert!(holds(dir.path(), canary));
        let id = if folded_before { "6" } else { "7" };
        bed.store(related(append(room, "ann", id, ""), RelationKind::Delete, target));
        assert!(bed.forward(room, target, 1).unwrap().records[0].erased);
        bed.journal.maintain(1_000 + within);
        bed.journal.maintain(1_000 + within);
        assert!(!holds(dir.path(), canary), "folded before: {folded_before}");
        assert_eq!(bed.everything(room).len() as u64, bed.bounds(room).last);
    }
    assert_eq!(verify(dir.path()).unwrap().problems, Vec::<String>::new());
    let bed = open(dir.path());
    assert!(bed.forward(room, 1, 2).unwrap().records.iter().all(|record| record.erased));
    let retry = bed.one(Entry::Append(append(room, "ann", "1", canary)));
    assert!(matches!(retry, Ok(Done::Duplicate { .. })));
}

#[test]
fn retention_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = JournalConfig { partition_bytes: 40 << 20, ..small() };
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    let room = bed.room("r");
    let text = "0123456789".repeat(6_000);
    for round in 0..30 {
        let entries = (0..50).map(|n| Entry::Append(append(room, "ann", &format!("{round} {n}"), &text)));
        assert!(bed.all(entries.collect()).iter().all(Result::is_ok));
    }
    bed.journal.close();
    drop(bed);
    let before = disk_bytes(dir.path());
    assert!(before > 80 << 20, "{before}");
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    bed.journal.trim(room, 1_491).unwrap();
    bed.journal.close();
    drop(bed);
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    for _ in 0..10 {
        bed.journal.maintain(1);
    }
    bed.journal.close();
    assert_eq!(bed.everything(room).len(), 10);
    drop(bed);
    let after = disk_bytes(dir.path());
    assert!(after < before / 3, "{before} → {after}");
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    assert_eq!(bed.everything(room).len(), 10);
    let kept = bed.one(Entry::Append(append(room, "ann", "29 49", &text)));
    assert!(matches!(kept, Ok(Done::Duplicate { .. })), "compaction keeps the ids");
    let gone = bed.one(Entry::Append(append(room, "ann", "0 0", &text)));
    assert!(matches!(gone, Ok(Done::Stored { .. })));
}

#[test]
fn what_was_copied_is_not_copied_again() {
    let dir = tempfile::tempdir().unwrap();
    let bed = open(dir.path());
    // Many small blocks: sled's files are then many times what is in them, however often they are copied.
    let made = |done| match done {
        Ok(Done::Room(info)) => info.id,
        other => panic!("{other:?}"),
    };
    let mut rooms = Vec::new();
    for tens in 0..7 {
        let create = |n| Entry::Create { name: format!("r{tens} {n}").into(), mode: Mode::ServerReadable };
        let created: Vec<_> = bed.all((0..10_000).map(create).collect()).into_iter().map(made).collect();
        let entries = created.iter().map(|room| Entry::Append(append(*room, "ann", "1", "x"))).collect();
        assert!(bed.all(entries).iter().all(Result::is_ok));
        rooms.extend(created);
    }
    bed.journal.close();
    drop(bed);
    let bed = open(dir.path());
    bed.store(related(append(rooms[0], "ann", "4", ""), RelationKind::Delete, 1));
    bed.journal.close();
    drop(bed);
    let bed = open(dir.path());
    let partitions = || {
        let names = dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("blocks-")).collect();
        names.sort();
        names
    };
    let before = partitions();
    for _ in 0..2 {
        bed.journal.maintain(u64::MAX / 2);
    }
    let copied = partitions();
    assert_ne!(before, copied);
    for _ in 0..2 {
        bed.journal.maintain(u64::MAX / 2);
    }
    assert_eq!(copied, partitions());
}

#[test]
fn low_space_closes_for_writing_and_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = JournalConfig { free_bytes_min: u64::MAX, ..small() };
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    let entry = || Entry::Create { name: "r".into(), mode: Mode::ServerReadable };
    assert!(matches!(bed.journal.submit(entry(), Ticket { owner: 1, command: 1 }), Err(Refusal::ReadOnly(_))));
    assert!(bed.journal.health().read_only.is_some());
    drop(bed);
    let dir = tempfile::tempdir().unwrap();
    let bed = open(dir.path());
    let room = bed.room("r");
    (1..=3).for_each(|n| drop(bed.store(append(room, "ann", &n.to_string(), "some text"))));
    drop(bed);
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    assert_eq!(bed.journal.trim(room, 3).unwrap().first, 3, "what gives space back goes on");
    drop(bed);
    let gate = super::super::gate::Gate::default();
    gate.set_space(Some("full".into()));
    assert!(gate.closed_because().is_some());
    gate.set_space(None);
    assert!(gate.closed_because().is_none());
    gate.poison("broken".into());
    gate.set_space(None);
    assert_eq!(gate.closed_because().as_deref(), Some("broken"), "a failed write is for good");
    open(dir.path()).room("r");
}

#[test]
fn ids_are_known_at_any_age_and_in_any_place() {
    let dir = tempfile::tempdir().unwrap();
    let id = |n: u64| format!("id {n}");
    for round in 0..6_u64 {
        let bed = open(dir.path());
        let room = bed.room("r");
        let numbers = || round * 700..(round + 1) * 700;
        let entries = || numbers().map(|n| Entry::Append(append(room, "ann", &id(n), "x"))).collect();
        assert!(bed.all(entries()).iter().all(|done| matches!(done, Ok(Done::Stored { .. }))));
        assert!(bed.all(entries()).iter().all(|done| matches!(done, Ok(Done::Duplicate { .. }))));
        if round % 2 == 0 {
            bed.journal.close();
        }
    }
    let bed = open(dir.path());
    let room = bed.room("r");
    for (n, done) in
        bed.all((0..4_200).map(|n| Entry::Append(append(room, "ann", &id(n), "x"))).collect()).iter().enumerate()
    {
        assert!(
            matches!(done, Ok(Done::Duplicate { position, .. }) if position.offset == n as u64 + 1),
            "{n}: {done:?}"
        );
    }
}

#[test]
#[ignore = "needs an empty file system of about 400 MiB, named by KONVERT_SMALL_DISK"]
fn a_full_disk_loses_nothing_and_opens_again() {
    let disk = PathBuf::from(std::env::var("KONVERT_SMALL_DISK").unwrap());
    let config = JournalConfig { ballast_bytes: 48 << 20, ..small() };
    let dir = disk.join("journal");
    let text = "x".repeat(20_000);
    let mut acked = 0;
    for round in 0..2 {
        let bed = Bed::open_with(&dir, &config).unwrap();
        let room = bed.room("r");
        assert_eq!(bed.everything(room).len(), acked);
        let refused = (acked..20_000).find_map(|n| {
            let entry = Entry::Append(append(room, "ann", &n.to_string(), &text));
            let submitted = bed.journal.submit(entry, Ticket { owner: 1, command: 1 });
            let result = submitted.and_then(|()| bed.outcomes(1).remove(0).result);
            acked += usize::from(result.is_ok());
            result.err()
        });
        println!("round {round}: {acked} stored, then {refused:?}");
        assert!(matches!(refused, Some(Refusal::ReadOnly(_) | Refusal::Unknown(_))));
        assert!(bed.journal.health().read_only.is_some());
        assert_eq!(bed.everything(room).len(), acked, "reads go on");
    }
}

proptest::proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(0_u8..=255, 0..200)) {
        let mut fields = record::Fields(&bytes);
        while fields.stored().is_ok() {}
        let mut fields = record::Fields(&bytes);
        while super::super::change::Change::take(&mut fields).is_ok() {}
        super::super::partition::open_block(1, &bytes);
    }
}
