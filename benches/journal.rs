//! How fast is the journal, beside the fastest thing that could take its place?
//!
//! Hypothesis: with a write-ahead file in front, committing costs little more than appending to a bare file with the
//! same grouping and one fdatasync per group; folding into the long-term store in the background stays affordable.
//!
//! Budget: at 64 and 512 in flight at least 0.6 × the bare file in the same run, and at most 8 µs of CPU per message
//! (everything included: sequencing, idempotency, CRC, fold). A warm page of 50 in 30 µs, a cold one in 1 ms.
//!
//! `cargo bench --bench journal` prints the table of appends and then runs the reads.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use bytes::Bytes;
use criterion::{Criterion, criterion_group};
use konvert::journal::{
    Append, CommitSink, Direction, DurableJournal, Entry, Journal, JournalConfig, Kind, MemoryJournal, Mode, Outcome,
    ReadRange, RoomId, Ticket,
};
use parking_lot::{Condvar, Mutex};

/// Messages per second and CPU µs per message: of the bare file, the durable journal, the journal in memory.
type Round = [(f64, f64); 3];

const PAYLOAD: usize = 200;
const ROOMS: u64 = 500;
const ROUNDS: usize = 3;

/// Counts what is stored; the submitter waits for it.
#[derive(Default)]
struct Meter {
    done: Mutex<u64>,
    changed: Condvar,
    refused: AtomicU64,
}

impl CommitSink for Meter {
    fn committed(&self, outcomes: Vec<Outcome>) {
        for refusal in outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()) {
            if self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                eprintln!("refused: {refusal:?}");
            }
        }
        self.count(outcomes.len() as u64);
    }
}

impl Meter {
    fn count(&self, messages: u64) {
        *self.done.lock() += messages;
        self.changed.notify_one();
    }

    fn wait_for(&self, count: u64) {
        let mut done = self.done.lock();
        while *done < count {
            self.changed.wait(&mut done);
        }
    }
}

fn cpu_us() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Messages per second and CPU microseconds per message.
fn measured(count: u64, run: impl FnOnce()) -> (f64, f64) {
    let (begun, cpu) = (Instant::now(), cpu_us());
    run();
    (count as f64 / begun.elapsed().as_secs_f64(), (cpu_us() - cpu) / count as f64)
}

/// The limit: a thread that writes whatever has come meanwhile and syncs, and does nothing else.
fn bare_file(dir: &Path, count: u64, in_flight: u64) -> (f64, f64) {
    let mut file = File::create(dir.join("bare")).expect("create");
    let meter = Arc::new(Meter::default());
    let (sender, receiver) = sync_channel::<Bytes>(in_flight as usize);
    let done = meter.clone();
    let writer = std::thread::spawn(move || {
        let mut group = Vec::new();
        while let Ok(first) = receiver.recv() {
            group.clear();
            group.extend_from_slice(&first);
            let mut messages = 1;
            while let Ok(next) = receiver.try_recv() {
                group.extend_from_slice(&next);
                messages += 1;
            }
            file.write_all(&group).expect("write");
            file.sync_data().expect("sync");
            done.count(messages);
        }
    });
    let message = Bytes::from(vec![b'x'; PAYLOAD + 60]);
    let result = measured(count, || {
        for n in 0..count {
            meter.wait_for((n + 1).saturating_sub(in_flight));
            sender.send(message.clone()).expect("writer");
        }
        meter.wait_for(count);
    });
    drop(sender);
    writer.join().expect("writer");
    result
}

fn entry(n: u64, sender: &Arc<str>, payload: &Bytes) -> Entry {
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

fn ticket(n: u64) -> Ticket {
    Ticket { owner: n, command: n as u32 }
}

fn make_rooms(journal: &dyn Journal, meter: &Meter) {
    for n in 0..ROOMS {
        let entry = Entry::Create { name: format!("room {n}").into(), mode: Mode::ServerReadable };
        journal.submit(entry, ticket(n)).expect("room");
    }
    meter.wait_for(ROOMS);
}

fn appends(journal: &dyn Journal, meter: &Meter, count: u64, in_flight: u64) -> (f64, f64) {
    make_rooms(journal, meter);
    let (sender, payload): (Arc<str>, _) = ("somebody".into(), Bytes::from(vec![b'x'; PAYLOAD]));
    let result = measured(count, || {
        for n in 0..count {
            meter.wait_for((ROOMS + n + 1).saturating_sub(in_flight));
            journal.submit(entry(n, &sender, &payload), ticket(n)).expect("append");
        }
        meter.wait_for(ROOMS + count);
    });
    assert_eq!(meter.refused.load(Ordering::Relaxed), 0);
    result
}

/// Bytes this process has caused to be written to disk.
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The bare file and the journal take turns, because a disk's speed changes from minute to minute: only the ratio of
/// neighbours says something.
fn table() {
    println!("{PAYLOAD}-byte payloads, {ROOMS} rooms, medians of {ROUNDS}; CPU is of the whole process");
    println!(
        "in flight | bare file/s | journal/s | ratio | CPU µs bare | journal | in memory | bytes written per message"
    );
    for (in_flight, count) in [(1, 1_000), (64, 200_000), (512, 600_000), (4096, 600_000)] {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("directory");
            let bare = bare_file(dir.path(), count, in_flight);
            let (meter, before) = (Arc::new(Meter::default()), written());
            let journal = DurableJournal::open(dir.path(), &JournalConfig::default(), meter.clone()).expect("open");
            let durable = appends(&*journal, &meter, count, in_flight);
            journal.close();
            bytes = (written() - before) / count;
            let meter = Arc::new(Meter::default());
            let journal = MemoryJournal::new(&JournalConfig::default(), meter.clone()).expect("start");
            rows.push([bare, durable, appends(&journal, &meter, count, in_flight)]);
        }
        let of = |pick: &dyn Fn(&Round) -> f64| middle(rows.iter().map(pick).collect());
        println!(
            "{in_flight:9} | {:11.0} | {:9.0} | {:5.2} | {:11.1} | {:7.1} | {:9.1} | {bytes:9}",
            of(&|row| row[0].0),
            of(&|row| row[1].0),
            of(&|row| row[1].0 / row[0].0),
            of(&|row| row[0].1),
            of(&|row| row[1].1),
            of(&|row| row[2].1),
        );
    }
}

fn reads(criterion: &mut Criterion) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("directory");
    let meter = Arc::new(Meter::default());
    let config = JournalConfig { recent_bytes: 8 << 20, ..JournalConfig::default() };
    let journal = DurableJournal::open(dir.path(), &config, meter.clone()).expect("open");
    appends(&*journal, &meter, 500_000, 4096);
    journal.close();
    drop(journal);
    let journal = DurableJournal::open(dir.path(), &config, meter.clone()).expect("open");
    let last = |room| ReadRange { from: room, direction: Direction::Backward, limit: 50, bytes_max: 1 << 20 };
    criterion.bench_function("last 50, warm", |bench| {
        bench.iter(|| journal.read(RoomId(7), last(u64::MAX)).expect("page").records.len())
    });
    let mut room = 0;
    criterion.bench_function("50 of the middle, any room", |bench| {
        bench.iter(|| {
            room = (room + 77) % ROOMS;
            journal.read(RoomId(room + 1), last(500)).expect("page").records.len()
        })
    });
    let mut outcome_seen = 0;
    criterion.bench_function("find a duplicate of any age", |bench| {
        let (sender, payload): (Arc<str>, _) = ("somebody".into(), Bytes::from(vec![b'x'; PAYLOAD]));
        let base = *meter.done.lock();
        bench.iter(|| {
            outcome_seen += 1;
            journal.submit(entry(outcome_seen * 7919 % 500_000, &sender, &payload), ticket(1)).expect("submit");
            meter.wait_for(base + outcome_seen);
        });
    });
}

criterion_group!(benches, reads);

fn main() {
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        table();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
