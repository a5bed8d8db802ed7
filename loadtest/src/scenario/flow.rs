//! Publishing through rooms to their subscribers, measured: the engine under `fanout`, `rooms` and whatever compares
//! them. Publisher p owns rooms p, p + P, …, so that within a room there is one writer, whose numbers rise by one:
//! every delivery is checked against them, and durable ones against the room's offsets too.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use konvert_protocol::v1::{self, server_frame};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::publisher::Publisher;
use crate::bench::Bench;
use crate::client::{Connection, Session, subscribe};
use crate::delivery::{Delivery, Seen, walk};
use crate::error::{Error, Result};
use crate::figures::{Outcome, Unit};
use crate::options::{Kind, Traffic};
use crate::payload::Stamp;
use crate::schedule::{PreciseTimer, Schedule, now_ns};
use crate::stats::{Faults, Latency, Sequence};

/// Handshakes under way at a time.
pub const CONNECT_CONCURRENCY: usize = 64;
/// Deliveries are awaited as long as they keep coming; after this without any the rest is lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Rooms, their subscribers and the traffic.
pub struct Plan {
    /// Rooms.
    pub rooms: usize,
    /// Subscribers of each.
    pub members: usize,
    /// How publishing goes.
    pub traffic: Traffic,
}

/// What came of it.
pub struct Found {
    /// Delays of deliveries from intended send time.
    pub latency: Latency,
    /// Delays from intended send time to the ack, for messages.
    pub ack_latency: Latency,
    /// What was wrong.
    pub faults: Faults,
    /// Deliveries that should have come, in all.
    pub expected: u64,
    /// Deliveries that came, in all.
    pub delivered: u64,
    /// Why the server refused publishes, one error each.
    pub refused: Vec<v1::Error>,
    /// Deliveries while measuring.
    pub measured: u64,
    /// How long was measured, seconds.
    pub seconds: f64,
    /// CPU of the server while measuring: user and system, microseconds.
    pub cpu_us: Option<(f64, f64)>,
    /// Heap of the server per subscriber, before any traffic, bytes.
    pub memory_per_connection: Option<f64>,
    /// Memory of the server at its highest, bytes.
    pub peak_bytes: Option<u64>,
}

impl Found {
    /// CPU of the server per delivery, microseconds.
    pub fn cpu_per_delivery(&self) -> Option<f64> {
        self.cpu_us.map(|(user, system)| (user + system) / self.measured.max(1) as f64)
    }

    /// As figures.
    pub fn into_outcome(self, title: String) -> Outcome {
        let mut outcome = Outcome::new(title);
        outcome.quantiles("", &self.latency);
        if self.ack_latency.count() > 0 {
            outcome.quantiles("ack_", &self.ack_latency);
        }
        outcome.add("deliveries_per_second", self.measured as f64 / self.seconds, Unit::PerSecond);
        outcome.count("expected", self.expected);
        outcome.count("delivered", self.delivered);
        outcome.faults(self.faults);
        outcome.count("refused", self.refused.len() as u64);
        if let Some(first) = self.refused.first() {
            outcome.invalid.push(format!("publishes were refused, the first with {} {}", first.code, first.name));
        }
        if let (Some((user, system)), Some(all)) = (self.cpu_us, self.cpu_per_delivery()) {
            let each = self.measured.max(1) as f64;
            outcome.add("cpu_per_delivery", all, Unit::Time);
            outcome.add("cpu_user_per_delivery", user / each, Unit::Time);
            outcome.add("cpu_system_per_delivery", system / each, Unit::Time);
            outcome.add("cpu", (user + system) / self.seconds / 1e6, Unit::Share);
        }
        if let Some(bytes) = self.memory_per_connection {
            outcome.add("memory_per_connection", bytes, Unit::Bytes);
        }
        if let Some(bytes) = self.peak_bytes {
            outcome.add("memory_peak", bytes as f64, Unit::Bytes);
        }
        if self.measured == 0 {
            outcome.invalid.push("nothing was delivered while measuring".into());
        }
        outcome.latency = Some(self.latency);
        outcome
    }
}

/// Name of room number `index`.
pub fn room_name(index: usize) -> String {
    format!("load-{index}")
}

/// What all readers and publishers of a run share.
#[derive(Default)]
pub struct Board {
    latency: RefCell<Latency>,
    pub(super) ack_latency: RefCell<Latency>,
    faults: RefCell<Faults>,
    pub(super) delivered: Cell<u64>,
    pub(super) refused: RefCell<Vec<v1::Error>>,
    /// Deliveries of what was to be sent before this are not measured, nanoseconds.
    pub(super) measure_from_ns: Cell<u64>,
    /// Told when this many were delivered.
    wake_at: Cell<u64>,
    pub(super) progress: Notify,
    /// Why connections ended that should not have.
    ends: RefCell<Vec<String>>,
}

impl Board {
    fn delivered_one(&self) {
        let delivered = self.delivered.get() + 1;
        self.delivered.set(delivered);
        if delivered >= self.wake_at.get() {
            self.wake_at.set(u64::MAX);
            self.progress.notify_waiters();
        }
    }

    /// Waits until `count` were delivered; false when deliveries stopped coming before.
    pub(super) async fn wait_delivered(&self, count: u64) -> bool {
        loop {
            let before = self.delivered.get();
            if before >= count {
                return true;
            }
            let told = self.progress.notified();
            self.wake_at.set(self.wake_at.get().min(count));
            if tokio::time::timeout(PATIENCE, told).await.is_err() && self.delivered.get() == before {
                return false;
            }
        }
    }
}

/// What one subscriber has seen.
struct Subscriber {
    counters: RefCell<Sequence>,
    /// The next offset; zero until the first delivery.
    next_offset: Cell<u64>,
}

impl Subscriber {
    fn see(&self, board: &Board, delivery: Delivery<'_>, now_ns: u64) {
        let mut faults = board.faults.borrow_mut();
        let Some(stamp) = Stamp::read(delivery.payload) else {
            faults.foreign += 1;
            return;
        };
        let in_order = self.counters.borrow_mut().see(stamp.counter, &mut faults);
        if delivery.offset != 0 {
            let next = self.next_offset.replace(delivery.offset + 1);
            if in_order && next != 0 && delivery.offset != next {
                faults.out_of_order += 1;
            }
        }
        if stamp.intended_ns >= board.measure_from_ns.get() {
            board.latency.borrow_mut().record_ns(now_ns.saturating_sub(stamp.intended_ns));
        }
        board.delivered_one();
    }
}

/// Runs the plan on a server without other load.
pub async fn run(bench: &Bench, plan: &Plan) -> Result<Found> {
    let board = Rc::new(Board::default());
    board.measure_from_ns.set(u64::MAX);
    board.wake_at.set(u64::MAX);
    let count = plan.rooms * plan.members;
    let before = bench.usage()?;
    let subscribers: Rc<Vec<Subscriber>> =
        Rc::new((0..count).map(|_| Subscriber { counters: RefCell::default(), next_offset: Cell::new(0) }).collect());
    let mut readers = JoinSet::new();
    let sessions: Rc<RefCell<Vec<(usize, Session)>>> = Rc::default();
    let members = plan.members;
    bench
        .connect_all(
            count,
            CONNECT_CONCURRENCY,
            |index| vec![subscribe(room_name(index / members))],
            |index, session| {
                sessions.borrow_mut().push((index, session));
                std::future::ready(())
            },
        )
        .await?;
    let connected = bench.usage()?;
    for (index, session) in sessions.take() {
        let (board, subscribers) = (Rc::clone(&board), Rc::clone(&subscribers));
        readers.spawn_local(async move { read(&board, &subscribers[index], session.connection).await });
    }

    let sent = publish_all(bench, plan, &board).await?;
    let mut expected = 0;
    for (index, subscriber) in subscribers.iter().enumerate() {
        let sent = sent.per_room[index / members];
        expected += sent;
        subscriber.counters.borrow_mut().finish(sent, &mut board.faults.borrow_mut());
    }
    readers.abort_all();
    if let Some(end) = board.ends.borrow().first() {
        return Err(Error::Protocol(format!("{} connections ended; the first: {end}", board.ends.borrow().len())));
    }
    let memory_per_connection = before.zip(connected).map(|(before, after)| {
        (after.anonymous_bytes.saturating_sub(before.anonymous_bytes)) as f64 / count.max(1) as f64
    });
    Ok(Found {
        latency: board.latency.borrow().clone(),
        ack_latency: board.ack_latency.borrow().clone(),
        faults: *board.faults.borrow(),
        expected,
        delivered: board.delivered.get(),
        refused: board.refused.take(),
        measured: sent.measured,
        seconds: sent.seconds,
        cpu_us: sent.cpu_us,
        memory_per_connection,
        peak_bytes: bench.usage()?.map(|usage| usage.peak_bytes),
    })
}

async fn read(board: &Board, subscriber: &Subscriber, connection: Connection) {
    // A delivery may have come in one read with the answer to connect.
    for frame in connection.take_waiting() {
        if let Some(server_frame::Body::Message(message)) = &frame.body {
            let delivery = Delivery { room: b"", offset: message.offset, payload: &message.payload };
            subscriber.see(board, delivery, now_ns());
        }
        if let Some(server_frame::Body::Signal(signal)) = &frame.body {
            subscriber.see(board, Delivery { payload: &signal.payload, ..Delivery::default() }, now_ns());
        }
    }
    loop {
        let read = connection.pump(|message| {
            let now = now_ns();
            walk(message, |seen| {
                if let Seen::Delivery(delivery) = seen {
                    subscriber.see(board, delivery, now);
                }
            })
        });
        if let Err(error) = read.await {
            board.ends.borrow_mut().push(error.to_string());
            return;
        }
    }
}

/// What the publishers did.
struct Sent {
    per_room: Vec<u64>,
    measured: u64,
    seconds: f64,
    cpu_us: Option<(f64, f64)>,
}

async fn publish_all(bench: &Bench, plan: &Plan, board: &Rc<Board>) -> Result<Sent> {
    let traffic = &plan.traffic;
    let publishers = traffic.publishers.clamp(1, plan.rooms);
    let mut connections = Vec::new();
    for p in 0..publishers {
        // A signal may be sent by those only who are in the room; they do not get it back.
        let rooms = (p..plan.rooms).step_by(publishers).map(|room| subscribe(room_name(room)));
        let rooms = if traffic.kind == Kind::Signal { rooms.collect() } else { Vec::new() };
        connections.push(bench.target.connect(p, &format!("publisher-{p}"), rooms).await?.connection);
    }
    let bar = bench.bar("publishing", traffic.seconds.ceil() as u64);
    let start_ns = now_ns() + 20_000_000;
    let measure_ns = start_ns + (traffic.warmup * 1e9) as u64;
    let end_ns = measure_ns + (traffic.seconds * 1e9) as u64;
    board.measure_from_ns.set(measure_ns);
    let shared_sent: Rc<Cell<u64>> = Rc::default();
    let mut tasks = JoinSet::new();
    for (p, connection) in connections.into_iter().enumerate() {
        // A saturating publisher needs no schedule; any rate will do then.
        let rate = if traffic.saturate.is_some() { 1.0 } else { traffic.rate };
        let publisher = Publisher {
            rooms: RefCell::new((p..plan.rooms).step_by(publishers).map(|room| (room, 0)).collect()),
            first_id: connection.next_id() + 1,
            intended: RefCell::default(),
            answered: Cell::new(0),
            schedule: Schedule::new(start_ns + (p as f64 * 1e9 / rate) as u64, rate / publishers as f64),
            connection,
            traffic: traffic.clone(),
            members: plan.members as u64,
            board: Rc::clone(board),
            shared_sent: Rc::clone(&shared_sent),
        };
        tasks.spawn_local(publisher.run(end_ns));
    }
    let timer = PreciseTimer::new()?;
    timer.until(measure_ns).await?;
    let (usage_before, delivered_before) = (bench.usage()?, board.delivered.get());
    while now_ns() < end_ns {
        timer.until(end_ns.min(now_ns() + 500_000_000)).await?;
        bar.set_position(((now_ns().saturating_sub(measure_ns)) / 1_000_000_000).min(traffic.seconds.ceil() as u64));
    }
    let mut per_room = vec![0; plan.rooms];
    while let Some(done) = tasks.join_next().await {
        let rooms = done.map_err(|error| Error::Protocol(format!("a publisher broke: {error}")))??;
        rooms.into_iter().for_each(|(room, sent)| per_room[room] = sent);
    }
    let expected = per_room.iter().sum::<u64>() * plan.members as u64;
    board.wait_delivered(expected).await;
    let cpu_us = usage_before
        .zip(bench.usage()?)
        .map(|(before, after)| (after.user_us - before.user_us, after.system_us - before.system_us));
    bar.finish_and_clear();
    let seconds = (now_ns() - measure_ns) as f64 / 1e9;
    Ok(Sent { per_room, measured: board.delivered.get() - delivered_before, seconds, cpu_us })
}
