//! How does the cost of a delivery grow with the number of subscribers?
//!
//! Hypothesis: it does not. Offering a push costs one comparison and one shared reference per subscriber, so that it
//! takes little more than a bare loop that puts the same bytes into the same outboxes; what rises with the number is the
//! price of memory that no longer fits the caches, and the bare loop pays it too.
//!
//! Budget: at most 1.3 × the bare loop at every size up to a million, in the same run; a run of 64 pushes costs about
//! what a single one costs. Joining and leaving a room of 100 000 costs what it costs in a room of 100: at most 2 µs.
//!
//! `cargo bench --bench fanout` prints the table and then runs joins and leaves. Outboxes are the gateway's own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group};
use konvert::broker::{Audience, Broker, BrokerConfig, Fanout, Form, Inbox, NoDirectory, Push, Room};
use konvert::gateway::socket::{Outbox, framed};
use konvert::journal::{CommitSink, JournalConfig, Kind, MemoryJournal, Mode, Outcome, Record, RoomId, RoomInfo};
use konvert_protocol::{Encoding, v1};
use rustix::time::{ClockId, clock_gettime};

const ROOM: RoomId = RoomId(1);
const PAYLOAD: usize = 128;
const RUN: u64 = 64;
/// Deliveries of one measurement, at least.
const DELIVERIES: usize = 2_000_000;
const ROUNDS: usize = 7;

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _: Vec<Outcome>) {}
}

fn room() -> Arc<Room> {
    let journal = MemoryJournal::new(&JournalConfig::default(), Arc::new(Nobody)).expect("a journal");
    let broker = Broker::new(
        BrokerConfig::default(),
        Arc::new(journal),
        Fanout::new(vec![Arc::new(Inbox::default())]),
        Arc::new(NoDirectory),
    );
    broker.acquire(&RoomInfo { id: ROOM, name: "lobby".into(), mode: Mode::ServerReadable }, 0)
}

/// A message as it comes from the journal; the subscriber's encodings take turns.
fn message(offset: u64) -> Arc<Push> {
    let record = Record {
        offset,
        ordinal: offset,
        time_ms: 1_795_230_000_123,
        kind: Kind::Message,
        relation: None,
        sender: "user-0001".into(),
        sender_name: "Alice".into(),
        message_id: "0123456789abcdef".into(),
        payload: Bytes::from_static(&[b'x'; PAYLOAD]),
        extras: None,
        erased: false,
    };
    Push::message(ROOM, "lobby".into(), Arc::new(record))
}

fn on_wire(form: Form, frame: &v1::ServerFrame) -> Bytes {
    let Form::Message(encoding) = form else { unreachable!("the crowd has sockets only") };
    framed(encoding.is_text(), &encoding.encode(frame))
}

/// A room full of subscribers, each with an outbox.
struct Crowd {
    audience: Audience,
    outboxes: Vec<Outbox>,
    /// Slots by [`Encoding::index`], in the audience's order.
    slots: [Vec<u32>; Encoding::ALL.len()],
    next: u64,
}

impl Crowd {
    fn of(count: usize, room: &Arc<Room>) -> Self {
        let (mut audience, mut slots) = (Audience::new(0), <[Vec<u32>; Encoding::ALL.len()]>::default());
        for n in 0..count {
            let (slot, encoding) = (scattered(n, count), Encoding::ALL[n % Encoding::ALL.len()]);
            audience.add(room, slot, Form::Message(encoding), false, 1);
            slots[encoding.index()].push(slot);
        }
        Self { audience, outboxes: (0..count).map(|_| Outbox::default()).collect(), slots, next: 1 }
    }

    /// Offers so many pushes at once; every outbox gets them and is emptied, as by a write that took everything.
    fn offer(&mut self, run: u64) {
        let pushes: Vec<_> = (self.next..self.next + run).map(message).collect();
        self.next += run;
        let Self { audience, outboxes, .. } = self;
        let mut frames_seen = 0;
        let lagging = audience.offer(ROOM, &pushes, on_wire, |slot, bytes, frames| {
            frames_seen += frames;
            deliver(&mut outboxes[slot as usize], bytes, frames);
        });
        assert!(lagging.is_empty() && frames_seen == outboxes.len() * run as usize);
    }

    /// What the offer is measured against: the same bytes into the same outboxes, without asking who needs what.
    fn bare_loop(&mut self) {
        let push = message(self.next);
        for encoding in Encoding::ALL {
            let bytes = push.bytes(Form::Message(encoding), on_wire);
            for slot in &self.slots[encoding.index()] {
                deliver(&mut self.outboxes[*slot as usize], bytes, 1);
            }
        }
    }
}

/// Each of `count` slots once, far from the one before, as after long coming and going: the step shares no factor with
/// the sizes.
fn scattered(n: usize, count: usize) -> u32 {
    (n * 7_919 % count) as u32
}

fn deliver(outbox: &mut Outbox, bytes: &Bytes, frames: usize) {
    outbox.push(bytes.clone(), frames);
    outbox.clear();
}

/// CPU nanoseconds per subscriber, over as many turns as make enough deliveries. Not wall time: others share the cores.
fn ns(crowd: &mut Crowd, turn: impl Fn(&mut Crowd)) -> f64 {
    let count = crowd.outboxes.len();
    let turns = (DELIVERIES / count).max(1);
    let before = clock_gettime(ClockId::ThreadCPUTime);
    (0..turns).for_each(|_| turn(crowd));
    let after = clock_gettime(ClockId::ThreadCPUTime);
    let spent_ns = (after.tv_sec - before.tv_sec) as f64 * 1e9 + (after.tv_nsec - before.tv_nsec) as f64;
    spent_ns / (turns * count) as f64
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// All three take turns, because a shared machine's speed changes: only neighbours can be compared.
fn table() {
    let room = room();
    println!("CPU ns per subscriber, medians of {ROUNDS}");
    println!("subscribers | bare loop | one push | ratio | a run of {RUN} | per frame of the run");
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let mut crowd = Crowd::of(count, &room);
        crowd.offer(1);
        let rows: Vec<_> = (0..ROUNDS)
            .map(|_| {
                [
                    ns(&mut crowd, Crowd::bare_loop),
                    ns(&mut crowd, |crowd| crowd.offer(1)),
                    ns(&mut crowd, |crowd| crowd.offer(RUN)),
                ]
            })
            .collect();
        let of = |pick: fn(&[f64; 3]) -> f64| middle(rows.iter().map(pick).collect());
        let (bare, single, ratio, run) =
            (of(|row| row[0]), of(|row| row[1]), of(|row| row[1] / row[0]), of(|row| row[2]));
        println!("{count:11} | {bare:9.1} | {single:8.1} | {ratio:5.2} | {run:11.1} | {:.2}", run / RUN as f64);
    }
}

fn joins(criterion: &mut Criterion) {
    let room = room();
    let mut group = criterion.benchmark_group("leave and join");
    group.sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for count in [100, 10_000, 100_000] {
        let mut audience = Crowd::of(count, &room).audience;
        let mut n = 0;
        group.bench_function(format!("a room of {count}"), |bench| {
            bench.iter(|| {
                n += 1;
                let slot = scattered(n, count);
                assert!(audience.remove(ROOM, slot));
                audience.add(&room, slot, Form::Message(Encoding::Protobuf), false, 1);
            })
        });
    }
    group.finish();
}

criterion_group!(benches, joins);

fn main() {
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        table();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
