//! What does it cost to continue where one left off?
//!
//! Hypothesis: who missed little is served from the window of recent messages, at the price of handing out references;
//! who missed more costs one read of consecutive blocks of the long-term store, however old the position is.
//!
//! Budget: 30 µs for a page of 50 and 100 µs for a page of 200 from the recent window; 1 ms for either from the store, so
//! that one core brings 10 000 clients of one page each up in 10 s after a restart.
//!
//! `cargo bench --bench resume`. The long-term store's own cache is kept small; the file system's cache is warm.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group};
use konvert::broker::{Broker, BrokerConfig, Budget, Fanout, NoDirectory, Start, Want};
use konvert::journal::{
    Append, CommitSink, DurableJournal, Entry, Journal, JournalConfig, Kind, Mode, Outcome, Position, RoomId, Ticket,
};
use parking_lot::{Condvar, Mutex};

const PAYLOAD: usize = 200;
const ROOMS: u64 = 100;
const MESSAGES: u64 = 2_000;
const IN_FLIGHT: u64 = 4_096;
const PAGES: [u64; 2] = [50, 200];

/// Counts what is stored; the submitter waits for it.
#[derive(Default)]
struct Meter {
    done: Mutex<u64>,
    changed: Condvar,
}

impl CommitSink for Meter {
    fn committed(&self, outcomes: Vec<Outcome>) {
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        *self.done.lock() += outcomes.len() as u64;
        self.changed.notify_one();
    }
}

impl Meter {
    fn wait_for(&self, count: u64) {
        let mut done = self.done.lock();
        while *done < count {
            self.changed.wait(&mut done);
        }
    }
}

fn entry(n: u64, sender: &Arc<str>, payload: &Bytes) -> Entry {
    if n < ROOMS {
        return Entry::Create { name: format!("room {n}").into(), mode: Mode::ServerReadable };
    }
    Entry::Append(Append {
        room: RoomId(n % ROOMS + 1),
        sender: sender.clone(),
        sender_name: sender.clone(),
        message_id: format!("{n:016x}").into(),
        kind: Kind::Message,
        relation: None,
        payload: payload.clone(),
        extras: None,
        expected: None,
        time_ms: n,
    })
}

/// A journal whose messages are all in the window of recent ones.
fn filled(dir: &Path) -> Arc<DurableJournal> {
    let meter = Arc::new(Meter::default());
    let config = JournalConfig { recent_bytes: 1 << 30, ..JournalConfig::default() };
    let journal = DurableJournal::open(dir, &config, meter.clone()).expect("open");
    let (sender, payload): (Arc<str>, _) = ("somebody".into(), Bytes::from(vec![b'x'; PAYLOAD]));
    for n in 0..ROOMS * (MESSAGES + 1) {
        // Rooms first, then everything else.
        meter.wait_for(if n == ROOMS { ROOMS } else { (n + 1).saturating_sub(IN_FLIGHT) });
        journal.submit(entry(n, &sender, &payload), Ticket { owner: 0, command: n as u32 }).expect("submit");
    }
    meter.wait_for(ROOMS * (MESSAGES + 1));
    journal
}

/// After a restart nothing is in that window.
fn reopened(dir: &Path) -> Arc<DurableJournal> {
    let config = JournalConfig { cache_bytes: 4 << 20, ..JournalConfig::default() };
    DurableJournal::open(dir, &config, Arc::new(Meter::default())).expect("open")
}

fn broker(journal: Arc<dyn Journal>) -> Broker {
    Broker::new(BrokerConfig::default(), journal, Fanout::new(Vec::new()), Arc::new(NoDirectory))
}

/// What a resume does: the verdict from memory, and from the store what is not in memory. Returns the number of
/// messages and whether the store was needed.
fn resume(broker: &Broker, room: RoomId, offset: u64, page: u64) -> (usize, bool) {
    let epoch = broker.bounds(room).expect("bounds").epoch;
    let budget = Budget { count: page as usize, ..broker.page_budget() };
    match broker.start(room, Want::Since(Position { epoch, offset }), budget).expect("a start") {
        Start::Attached { records, .. } | Start::Page { records, .. } => (records.len(), false),
        Start::Disk { range } => (broker.read(room, range).expect("a page").records.len(), true),
    }
}

fn resumes(criterion: &mut Criterion) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("directory");
    let journal = filled(dir.path());
    pages(criterion, "from memory", &broker(journal.clone()), false);
    journal.close();
    drop(journal);
    pages(criterion, "from the store", &broker(reopened(dir.path())), true);
}

/// The newest page of any room, and one from anywhere in the older half.
fn pages(criterion: &mut Criterion, place: &str, broker: &Broker, needs_store: bool) {
    let mut group = criterion.benchmark_group(format!("resume {place}"));
    group.sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for page in PAGES {
        group.throughput(Throughput::Elements(page));
        let mut turn = 0;
        let mut check = |offset: fn(u64, u64) -> u64| {
            turn += 37;
            let found = resume(broker, RoomId(turn % ROOMS + 1), offset(turn, page), page);
            assert_eq!(found, (page as usize, needs_store));
        };
        group.bench_function(format!("the newest {page}"), |bench| bench.iter(|| check(|_, page| MESSAGES - page)));
        group.bench_function(format!("an old {page}"), |bench| {
            bench.iter(|| check(|turn, _| turn * 53 % (MESSAGES / 2)))
        });
    }
    group.finish();
}

criterion_group!(benches, resumes);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
}
