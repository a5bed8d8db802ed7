//! The index of message ids of one partition: immutable sorted runs of `(hash, offset)` with a filter each in memory.
//!
//! An index row per message would halve the throughput; a run of some thousand entries is a few values. A miss, which is
//! the rule, costs one cache line per run; a hit is decided by the record it points at. Runs are merged like a binary
//! counter, so there are few; a merged run is in the list before what it was made of is removed.
//!
//! ```text
//! key    run u32 BE · chunk u32 BE              value   up to 2048 × (hash u64 LE · offset u64 LE), sorted
//! key    run u32 BE · u32::MAX                  value   number of entries u64 LE: the run is complete
//! ```

use std::sync::Arc;

use parking_lot::RwLock;

use super::engine::{each, guarded};
use super::record::Fields;

/// Entries per chunk: 32 KiB.
const CHUNK: usize = 2048;
/// Runs are not merged beyond this: a merge must stay a short step.
const MERGE_MAX: u64 = 1 << 20;

type Entry = (u64, u64);

/// A filter with one cache line per key: 16 bits a key, one miss in a thousand wrong.
struct Filter {
    lines: Vec<[u64; 8]>,
}

impl Filter {
    fn new(entries: u64) -> Self {
        Self { lines: vec![[0; 8]; (entries / 32 + 1) as usize] }
    }

    fn line(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.lines.len() as u128) >> 64) as usize
    }

    /// One bit in each of six words of the line, chosen by other bits than the line.
    fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
        let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = (mixed >> 61) as usize;
        (0..6).map(move |index| ((start + index) % 8, 1 << ((mixed >> (index * 6)) & 63)))
    }

    fn insert(&mut self, hash: u64) {
        let line = self.line(hash);
        for (word, bit) in Self::bits(hash) {
            self.lines[line][word] |= bit;
        }
    }

    fn may_have(&self, hash: u64) -> bool {
        let line = &self.lines[self.line(hash)];
        Self::bits(hash).all(|(word, bit)| line[word] & bit != 0)
    }
}

struct Run {
    number: u32,
    entries: u64,
    filter: Filter,
    /// First hash of each chunk.
    fences: Vec<u64>,
}

/// See the head of the file.
pub(crate) struct Runs {
    tree: sled::Tree,
    runs: RwLock<Arc<Vec<Arc<Run>>>>,
}

impl Runs {
    /// Reads the runs there are; what an unfinished merge left is removed.
    pub fn open(tree: sled::Tree) -> Result<Self, String> {
        let mut runs: Vec<Arc<Run>> = Vec::new();
        let mut next = guarded(|| tree.first())?;
        while let Some((key, _)) = next {
            let number = u32_be(&key, 0);
            match guarded(|| tree.get(run_key(number, u32::MAX)))? {
                Some(footer) => runs.push(Arc::new(load(&tree, number, &footer)?)),
                None => remove_run(&tree, number)?,
            }
            next = guarded(|| tree.get_gt(run_key(number, u32::MAX)))?;
        }
        Ok(Self { tree, runs: RwLock::new(Arc::new(runs)) })
    }

    /// Offsets under this hash, newest run first.
    pub fn find(&self, hash: u64) -> Result<Vec<u64>, String> {
        loop {
            let runs = self.runs.read().clone();
            if let Some(offsets) = self.find_in(&runs, hash)? {
                return Ok(offsets);
            }
            // A merge has removed a chunk of a run in this list; then there is a newer list by now.
            if Arc::ptr_eq(&runs, &self.runs.read()) {
                return Err("a chunk of the id index is missing".into());
            }
        }
    }

    fn find_in(&self, runs: &[Arc<Run>], hash: u64) -> Result<Option<Vec<u64>>, String> {
        let mut offsets = Vec::new();
        for run in runs.iter().rev().filter(|run| run.filter.may_have(hash)) {
            let chunk_after = run.fences.partition_point(|fence| *fence <= hash);
            // Equal hashes may lie on both sides of a fence.
            let first = run.fences[..chunk_after].partition_point(|fence| *fence < hash).saturating_sub(1);
            for chunk in first..chunk_after {
                let Some(value) = guarded(|| self.tree.get(run_key(run.number, chunk as u32)))? else {
                    return Ok(None);
                };
                offsets.extend(entries(&value).iter().filter(|entry| entry.0 == hash).map(|entry| entry.1));
            }
        }
        Ok(Some(offsets))
    }

    /// Adds entries as a run, merged with the runs before it that are not much larger.
    pub fn add(&self, mut added: Vec<Entry>) -> Result<(), String> {
        if added.is_empty() {
            return Ok(());
        }
        let mut runs = self.runs.read().to_vec();
        let number = runs.last().map_or(1, |run| run.number + 1);
        let mut replaced = Vec::new();
        while let Some(last) =
            runs.pop_if(|last| last.entries <= 2 * added.len() as u64 && last.entries + added.len() as u64 <= MERGE_MAX)
        {
            for chunk in 0..last.fences.len() {
                let value = guarded(|| self.tree.get(run_key(last.number, chunk as u32)))?;
                added.extend(entries(&value.ok_or("a chunk of the id index is missing")?));
            }
            replaced.push(last);
        }
        added.sort_unstable();
        added.dedup();
        runs.push(Arc::new(self.write(number, &added)?));
        *self.runs.write() = Arc::new(runs);
        self.remove(&replaced)
    }

    fn write(&self, number: u32, sorted: &[Entry]) -> Result<Run, String> {
        let mut run =
            Run { number, entries: sorted.len() as u64, filter: Filter::new(sorted.len() as u64), fences: vec![] };
        for (chunk, part) in sorted.chunks(CHUNK).enumerate() {
            let mut value = Vec::with_capacity(part.len() * 16);
            for (hash, offset) in part {
                run.filter.insert(*hash);
                value.extend_from_slice(&hash.to_le_bytes());
                value.extend_from_slice(&offset.to_le_bytes());
            }
            run.fences.push(part[0].0);
            guarded(|| self.tree.insert(run_key(number, chunk as u32), value))?;
        }
        guarded(|| self.tree.insert(run_key(number, u32::MAX), &run.entries.to_le_bytes()))?;
        Ok(run)
    }

    /// Removes runs that are in no list any more. A crash before leaves entries twice, which does no harm.
    fn remove(&self, replaced: &[Arc<Run>]) -> Result<(), String> {
        let mut batch = sled::Batch::default();
        for old in replaced {
            (0..old.fences.len()).for_each(|chunk| batch.remove(&run_key(old.number, chunk as u32)));
            batch.remove(&run_key(old.number, u32::MAX));
        }
        guarded(|| self.tree.apply_batch(batch))
    }
}

fn load(tree: &sled::Tree, number: u32, footer: &[u8]) -> Result<Run, String> {
    let count = Fields(footer).fixed_u64().map_err(|malformed| malformed.0)?;
    let chunks = || tree.range(run_key(number, 0)..run_key(number, u32::MAX));
    // The number is believed before memory is taken for it only if there are as many chunks.
    if each(chunks().keys()).count() as u64 != count.div_ceil(CHUNK as u64) {
        return Err("the id index is not complete".into());
    }
    let mut run = Run { number, entries: 0, filter: Filter::new(count), fences: Vec::new() };
    for item in each(chunks()) {
        let (_, value) = item?;
        let entries = entries(&value);
        run.fences.push(entries.first().ok_or("an empty chunk of the id index")?.0);
        entries.iter().for_each(|entry| run.filter.insert(entry.0));
        run.entries += entries.len() as u64;
    }
    if run.entries == count { Ok(run) } else { Err("the id index is not complete".into()) }
}

fn remove_run(tree: &sled::Tree, number: u32) -> Result<(), String> {
    for key in each(tree.range(run_key(number, 0)..=run_key(number, u32::MAX)).keys()) {
        let key = key?;
        guarded(|| tree.remove(key))?;
    }
    Ok(())
}

fn entries(value: &[u8]) -> Vec<Entry> {
    let mut fields = Fields(value);
    std::iter::from_fn(|| Some((fields.fixed_u64().ok()?, fields.fixed_u64().ok()?))).collect()
}

fn run_key(run: u32, chunk: u32) -> [u8; 8] {
    (u64::from(run) << 32 | u64::from(chunk)).to_be_bytes()
}

fn u32_be(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |part| u32::from_be_bytes([part[0], part[1], part[2], part[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> Runs {
        let db = sled::Config::new().temporary(true).open().unwrap();
        Runs::open(db.open_tree("ids").unwrap()).unwrap()
    }

    fn hash(n: u64) -> u64 {
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n << 40
    }

    #[test]
    fn what_was_added_is_found_after_any_merges_and_a_restart() {
        let runs = runs();
        for round in 0..60_u64 {
            let size = 1 + round * round % 700;
            runs.add((0..size).map(|n| (hash(round * 1_000 + n), n)).collect()).unwrap();
        }
        assert!(runs.runs.read().len() < 15);
        let again = Runs::open(runs.tree.clone()).unwrap();
        for runs in [&runs, &again] {
            for round in 0..60_u64 {
                for n in 0..1 + round * round % 700 {
                    assert!(runs.find(hash(round * 1_000 + n)).unwrap().contains(&n));
                }
            }
        }
    }

    #[test]
    fn a_filter_is_rarely_wrong_and_never_misses() {
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|n| filter.insert(hash(n)));
        assert!((0..10_000).all(|n| filter.may_have(hash(n))));
        let wrong = (10_000..110_000).filter(|n| filter.may_have(hash(*n))).count();
        assert!(wrong < 1_000, "{wrong} of 100 000");
    }

    #[test]
    fn looking_and_merging_at_the_same_time_miss_nothing() {
        let runs = Arc::new(runs());
        runs.add((0..3_000).map(|n| (hash(n), n)).collect()).unwrap();
        let writer = {
            let runs = runs.clone();
            std::thread::spawn(move || {
                for round in 1..20_u64 {
                    runs.add((0..500).map(|n| (hash(round * 10_000 + n), n)).collect()).unwrap();
                }
            })
        };
        while !writer.is_finished() {
            for n in (0..3_000).step_by(17) {
                assert_eq!(runs.find(hash(n)).unwrap(), [n]);
            }
        }
        writer.join().unwrap();
    }
}
