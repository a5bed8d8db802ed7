//! What only a disk can do to a journal: tears, flipped bits, a second process, no space, and bytes that must go.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::verify::verify;
use super::super::wal;
use super::*;

pub(super) fn open(dir: &Path) -> Bed {
    Bed::open_with(dir, &small()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

pub(super) fn holds(dir: &Path, needle: &str) -> bool {
    let found = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    files(dir).iter().any(found)
}

pub(super) fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    files(dir).iter().map(|path| fs::metadata(path).unwrap().blocks() * 512).sum()
}

/// A journal with this many commits in its first segment, dropped without folding; where each batch ended.
fn unfolded(dir: &Path, commits: u64) -> Vec<u64> {
    let bed = open(dir);
    let length = || fs::metadata(wal::path(dir, 1)).unwrap().len();
    let room = bed.room("r");
    let mut ends = vec![length()];
    for n in 1..=commits {
        bed.store(append(room, "ann", &n.to_string(), &format!("text {n}")));
        ends.push(length());
    }
    ends
}

#[test]
fn every_truncation_leaves_the_prefix_of_whole_batches() {
    let origin = tempfile::tempdir().unwrap();
    let ends = unfolded(origin.path(), 4);
    let bytes = fs::read(wal::path(origin.path(), 1)).unwrap();
    for length in ends[1]..=*ends.last().unwrap() {
        let dir = tempfile::tempdir().unwrap();
        copy(origin.path(), dir.path());
        fs::write(wal::path(dir.path(), 1), &bytes[..length as usize]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count() as u64 - 1;
        let bed = open(dir.path());
        let room = bed.journal.find("r").unwrap().id;
        assert_eq!(bed.bounds(room).last, whole, "cut at {length}");
        assert_eq!(bed.everything(room).len() as u64, whole);
        assert_eq!(bed.store(append(room, "ann", "next", "x")).offset, whole + 1);
        drop(bed);
        let bed = open(dir.path());
        assert_eq!(bed.bounds(room).last, whole + 1, "what follows a cut is kept");
    }
}

#[test]
fn a_torn_tail_may_be_garbage_or_zeros() {
    for tail in [vec![0; 300], vec![0xff; 300], b"BAVK".repeat(20)] {
        let dir = tempfile::tempdir().unwrap();
        unfolded(dir.path(), 3);
        let path = wal::path(dir.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(&tail);
        fs::write(&path, bytes).unwrap();
        assert_eq!(verify(dir.path()).unwrap().torn_bytes, tail.len() as u64);
        let bed = open(dir.path());
        assert_eq!(bed.bounds(RoomId(1)).last, 3);
    }
}

#[test]
fn a_flipped_bit_before_the_last_batch_is_refused_with_its_place() {
    let origin = tempfile::tempdir().unwrap();
    let ends = unfolded(origin.path(), 4);
    let path = wal::path(origin.path(), 1);
    let bytes = fs::read(&path).unwrap();
    let last_batch = ends[ends.len() - 2] as usize;
    for at in 0..last_batch {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).unwrap();
        match Bed::open_with(origin.path(), &small()) {
            Err(OpenError::Damaged(report)) => assert!(report.contains("wal-000001.log"), "{report}"),
            other => panic!("byte {at}: {:?}", other.err()),
        }
        assert_eq!(fs::read(&path).unwrap(), damaged, "nothing is healed");
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(open(origin.path()).bounds(RoomId(1)).last, 4);
}

#[test]
fn a_missing_write_ahead_file_or_manifest_is_damage() {
    for (name, rename) in [("wal-000001.log", "aside"), ("manifest", "aside")] {
        let dir = tempfile::tempdir().unwrap();
        let bed = open(dir.path());
        bed.room("r");
        bed.journal.close();
        drop(bed);
        fs::rename(dir.path().join(name), dir.path().join(rename)).unwrap();
        assert!(matches!(Bed::open_with(dir.path(), &small()), Err(OpenError::Damaged(_))), "{name}");
    }
}

#[test]
fn what_is_replayed_is_written_again_before_it_is_served() {
    let dir = tempfile::tempdir().unwrap();
    unfolded(dir.path(), 3);
    let path = wal::path(dir.path(), 1);
    let (bytes, long_ago) = (fs::read(&path).unwrap(), std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    let bed = open(dir.path());
    assert_ne!(fs::metadata(&path).unwrap().modified().unwrap(), long_ago);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(bed.everything(RoomId(1)).len(), 3);
}

#[test]
fn a_lost_database_is_damage() {
    for name in ["rooms", "blocks-000001"] {
        let dir = tempfile::tempdir().unwrap();
        let bed = open(dir.path());
        let room = bed.room("r");
        bed.store(append(room, "ann", "1", "some text"));
        bed.journal.close();
        drop(bed);
        fs::remove_dir_all(dir.path().join(name)).unwrap();
        match Bed::open_with(dir.path(), &small()) {
            Err(OpenError::Damaged(report)) => assert!(report.contains("is missing"), "{report}"),
            other => panic!("{name}: {:?}", other.err()),
        }
    }
}

#[test]
fn rooms_that_lost_their_end_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    for id in ["1", "2"] {
        let bed = open(dir.path());
        let room = bed.room("r");
        bed.store(append(room, "ann", id, "some text"));
        bed.journal.close();
        drop(bed);
        if id == "1" {
            copy(&dir.path().join("rooms"), aside.path());
        }
    }
    fs::remove_dir_all(dir.path().join("rooms")).unwrap();
    copy(aside.path(), &dir.path().join("rooms"));
    match Bed::open_with(dir.path(), &small()) {
        Err(OpenError::Damaged(report)) => assert!(report.contains("as of commit"), "{report}"),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_flipped_bit_in_the_rooms_never_loses_a_room_silently() {
    let origin = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        let bed = open(origin.path());
        let room = bed.room(name);
        bed.store(append(room, "ann", "1", "some text"));
        bed.journal.close();
    }
    let bytes = fs::read(origin.path().join("rooms/db")).unwrap();
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let mut refused = 0;
    for at in used.iter().step_by(used.len() / 40 + 1).copied() {
        let dir = tempfile::tempdir().unwrap();
        copy(origin.path(), dir.path());
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(dir.path().join("rooms/db"), damaged).unwrap();
        match Bed::open_with(dir.path(), &small()) {
            Ok(bed) => ["a", "b", "c"].iter().for_each(|name| {
                let room = bed.journal.find(name).unwrap_or_else(|| panic!("byte {at}: {name} is lost"));
                assert_eq!(bed.everything(room.id).len(), 1, "byte {at}");
            }),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_write_ahead_file_that_ends_before_the_rooms_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let bed = open(dir.path());
    let room = bed.room("r");
    bed.store(append(room, "ann", "1", "some text"));
    bed.journal.close();
    drop(bed);
    let before = fs::read(dir.path().join("manifest")).unwrap();
    let bed = open(dir.path());
    let whole = fs::metadata(wal::path(dir.path(), 1)).unwrap().len();
    bed.store(append(room, "ann", "2", "some text"));
    bed.journal.close();
    drop(bed);
    // As if a power cut came before the manifest, and the last batch was damaged.
    fs::write(dir.path().join("manifest"), before).unwrap();
    fs::File::options().write(true).open(wal::path(dir.path(), 1)).unwrap().set_len(whole).unwrap();
    match Bed::open_with(dir.path(), &small()) {
        Err(OpenError::Damaged(report)) => assert!(report.contains("ends at"), "{report}"),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_repeated_pass_goes_to_the_partition_it_was_cut_short_in() {
    let dir = tempfile::tempdir().unwrap();
    let config = JournalConfig { partition_bytes: 1, ..small() };
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    let room = bed.room("r");
    bed.store(append(room, "ann", "1", "some text"));
    bed.journal.close();
    drop(bed);
    // The pass wrote its blocks and was cut short before its mark.
    let manifest = fs::read_to_string(dir.path().join("manifest")).unwrap();
    let json = manifest.trim_end().rsplit_once('\n').unwrap().0.replace("\"folded\": 2", "\"folded\": 0");
    assert!(json.contains("\"folded\": 0"), "{json}");
    fs::write(dir.path().join("manifest"), format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()))).unwrap();
    let bed = Bed::open_with(dir.path(), &config).unwrap();
    bed.journal.close();
    drop(bed);
    assert!(!dir.path().join("blocks-000002").exists());
    assert_eq!(verify(dir.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("manifest");
    let text = fs::read_to_string(&path).unwrap();
    let json = text.trim_end().rsplit_once('\n').unwrap().0.replace("\"format\": 1", "\"format\": 2");
    fs::write(&path, format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()))).unwrap();
    match Bed::open_with(dir.path(), &small()) {
        Err(OpenError::Damaged(report)) => assert!(report.contains("format 2"), "{report}"),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(Bed::open_with(dir.path(), &small()), Err(OpenError::InUse(_))));
    drop(first);
    open(dir.path());
}

/// A folded journal whose block of room 1 is changed by `damage`.
fn with_damaged_block(dir: &Path, damage: impl FnOnce(&mut Vec<u8>)) {
    let bed = open(dir);
    let room = bed.room("r");
    for n in 1..=10 {
        bed.store(append(room, "ann", &n.to_string(), "some text"));
    }
    bed.journal.close();
    drop(bed);
    let db = sled::Config::new().path(dir.join("blocks-000001")).segment_size(8 << 20).open().unwrap();
    let blocks = db.open_tree("blocks").unwrap();
    let (key, value) = blocks.first().unwrap().unwrap();
    let mut value = value.to_vec();
    damage(&mut value);
    blocks.insert(key, value).unwrap();
    db.flush().unwrap();
}

#[test]
fn a_damaged_record_is_reported_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    with_damaged_block(dir.path(), |value| {
        let middle = value.len() / 2;
        value[middle] ^= 4;
    });
    let report = verify(dir.path()).unwrap();
    assert!(report.problem_count >= 1, "{report:?}");
    let bed = open(dir.path());
    let room = bed.journal.find("r").unwrap().id;
    let sound = bed.forward(room, 1, 100).unwrap();
    let count = sound.records.len() as u64;
    assert!(sound.more && (1..10).contains(&count));
    let Err(ReadError::Damaged { offset, .. }) = bed.forward(room, count + 1, 100) else { panic!("served") };
    assert_eq!(offset, count + 1);
    assert!(matches!(bed.backward(room, u64::MAX, 100), Err(ReadError::Damaged { .. })));
    assert_eq!(bed.journal.health().damage.len(), 2);
    assert!(bed.journal.health().read_only.is_none());
    let retry = bed.one(Entry::Append(append(room, "ann", "10", "some text")));
    assert!(matches!(retry, Err(Refusal::Unknown(_))), "{retry:?}");
    assert_eq!(bed.store(append(room, "ann", "11", "x")).offset, 11, "others go on");
    bed.journal.close();
    drop(bed);
    let bed = open(dir.path());
    assert_eq!(offsets(&bed.forward(room, 11, 1).unwrap()), [11]);
    assert!(matches!(bed.forward(room, count + 1, 1), Err(ReadError::Damaged { .. })), "never healed by deleting");
}

#[test]
fn a_missing_block_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    with_damaged_block(dir.path(), |value| value.truncate(1));
    assert!(verify(dir.path()).unwrap().problem_count >= 1);
    let bed = open(dir.path());
    assert!(matches!(bed.forward(RoomId(1), 1, 100), Err(ReadError::Damaged { offset: 1, .. })));
}

#[test]
fn verify_finds_nothing_wrong_in_a_sound_journal() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let bed = open(dir.path());
        for name in ["a", "b", "c"] {
            let room = bed.room(name);
            for n in 0..20 {
                bed.store(append(room, "ann", &format!("{round} {n}"), "some text"));
            }
        }
        bed.journal.trim(RoomId(2), 5 + round * 10).unwrap();
        if round != 1 {
            bed.journal.close();
        }
        drop(bed);
        let report = verify(dir.path()).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(report.rooms, 3);
        assert!(report.records >= 60 * (round + 1) - 25);
    }
}
