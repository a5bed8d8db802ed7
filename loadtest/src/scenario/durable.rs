//! `durable`: publishes that are acked when they are on disk, a fixed number under way: acks per second, delay, CPU of
//! each. Beside it, in the same run, the limit: a bare file, appended and synced by as many bytes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Write;
use std::rc::Rc;
use std::time::Instant;

use konvert_protocol::v1::{self, server_frame};
use tokio::task::JoinSet;

use super::flow::room_name;
use crate::bench::Bench;
use crate::client::{Connection, decode};
use crate::error::{Error, Result};
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Durable};
use crate::payload::Stamp;
use crate::schedule::now_ns;
use crate::stats::Latency;

/// What the log adds to a payload, roughly: head, names, id, checksum.
const RECORD_HEAD_BYTES: usize = 72;

/// Runs `durable`.
pub async fn durable(common: &Common, options: &Durable) -> Result<Outcome> {
    let bench = Bench::prepare(common, &[]).await?;
    let outcome = run(&bench, options).await;
    bench.stop().await?;
    outcome
}

#[derive(Default)]
struct Board {
    latency: RefCell<Latency>,
    measure_from_ns: Cell<u64>,
    end_ns: Cell<u64>,
    acked: Cell<u64>,
    refused: RefCell<Option<v1::Error>>,
    wrong: Cell<u64>,
}

async fn run(bench: &Bench, options: &Durable) -> Result<Outcome> {
    let mut outcome = Outcome::new(format!(
        "durable publishes of {} B over {} connections to {} rooms",
        options.payload, options.connections, options.rooms
    ));
    // Rooms exist before: making one is another matter.
    super::resume::publish(&bench.target, options.rooms.max(1), 0, 1).await?;
    let scratch = tempfile::Builder::new().prefix("konvert-bare-").tempdir()?;
    for (round, &in_flight) in options.in_flight.iter().enumerate() {
        let found = measure(bench, options, round, in_flight).await?;
        let bare = bare_file(scratch.path(), in_flight, options.payload + RECORD_HEAD_BYTES, options.seconds.min(2.0))?;
        let name = |what: &str| format!("{what}_{in_flight}");
        outcome.add(name("acks"), found.per_second, Unit::PerSecond);
        outcome.add(name("bare_file"), bare, Unit::PerSecond);
        outcome.add(name("ratio"), found.per_second / bare, Unit::Ratio);
        outcome.add(name("p50"), found.latency.quantile_us(0.5), Unit::Time);
        outcome.add(name("p99"), found.latency.quantile_us(0.99), Unit::Time);
        outcome.add(name("max"), found.latency.quantile_us(1.0), Unit::Time);
        if let Some(cpu) = found.cpu_us_each {
            outcome.add(name("cpu"), cpu, Unit::Time);
        }
        outcome.invalid.extend(found.problem);
        outcome.latency = Some(found.latency);
    }
    outcome.notes.push("bare_file: append + fdatasync of as many bytes, as many to a sync as are under way".into());
    Ok(outcome)
}

/// What came of one number in flight.
pub struct Found {
    /// Acks per second.
    pub per_second: f64,
    /// Acks in all, warming up included.
    pub acked: u64,
    /// Delays from send to ack.
    pub latency: Latency,
    /// CPU of the server per ack, microseconds.
    pub cpu_us_each: Option<f64>,
    /// Why it does not count.
    pub problem: Option<String>,
}

/// Publishes with `in_flight` under way; `round` keeps the message ids of several calls apart.
pub async fn measure(bench: &Bench, options: &Durable, round: usize, in_flight: usize) -> Result<Found> {
    let board = Rc::new(Board::default());
    let connections = options.connections.clamp(1, in_flight.max(1));
    let start_ns = now_ns();
    board.measure_from_ns.set(start_ns + (options.warmup * 1e9) as u64);
    board.end_ns.set(board.measure_from_ns.get() + (options.seconds * 1e9) as u64);
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let user = format!("durable-{round}-{number}");
        let connection = bench.target.connect(number, &user, Vec::new()).await?.connection;
        // What does not divide goes to the first ones.
        let share = in_flight / connections + usize::from(number < in_flight % connections);
        let publisher = Publisher {
            connection,
            room_first: number,
            rooms: options.rooms.max(1),
            payload: options.payload,
            tag: format!("{round}.{number}"),
            board: Rc::clone(&board),
        };
        tasks.spawn_local(publisher.run(share));
    }
    let bar = bench.bar(&format!("{in_flight} in flight"), options.seconds.ceil() as u64);
    tokio::time::sleep(std::time::Duration::from_secs_f64(options.warmup)).await;
    let (usage, acked, begun) = (bench.usage()?, board.acked.get(), Instant::now());
    while begun.elapsed().as_secs_f64() < options.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        bar.set_position(begun.elapsed().as_secs());
    }
    let (seconds, acked) = (begun.elapsed().as_secs_f64(), board.acked.get() - acked);
    let used = usage.zip(bench.usage()?).map(|(before, after)| after.cpu_us() - before.cpu_us());
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| Error::Protocol(error.to_string()))??;
    }
    bar.finish_and_clear();
    let refused = board.refused.take().map(|error| format!("a publish was refused: {} {}", error.name, error.message));
    let wrong = (board.wrong.get() > 0).then(|| format!("{} acks without a new position", board.wrong.get()));
    let latency = board.latency.borrow().clone();
    Ok(Found {
        per_second: acked as f64 / seconds,
        acked: board.acked.get(),
        latency,
        cpu_us_each: used.map(|used| used / acked.max(1) as f64),
        problem: refused.or(wrong),
    })
}

struct Publisher {
    connection: Connection,
    room_first: usize,
    rooms: usize,
    payload: usize,
    tag: String,
    board: Rc<Board>,
}

impl Publisher {
    /// Keeps `share` messages under way until the end; then waits for the last acks.
    async fn run(self, share: usize) -> Result<()> {
        let mut under_way: VecDeque<(u32, u64)> = VecDeque::new();
        let mut sent = 0;
        while now_ns() < self.board.end_ns.get() || !under_way.is_empty() {
            if now_ns() < self.board.end_ns.get() {
                let free = share - under_way.len();
                let frames: Vec<v1::ClientFrame> =
                    (sent..sent + free).map(|n| self.publish(n, &mut under_way)).collect();
                sent += free;
                for frames in frames.chunks(64) {
                    self.connection.send(frames).await?;
                }
            }
            self.connection
                .pump(|message| {
                    let now = now_ns();
                    decode(message, |frame: v1::ServerFrame| self.answer(frame, now, &mut under_way))
                })
                .await?;
        }
        Ok(())
    }

    fn publish(&self, n: usize, under_way: &mut VecDeque<(u32, u64)>) -> v1::ClientFrame {
        let (id, now) = (self.connection.next_id(), now_ns());
        under_way.push_back((id, now));
        let room = room_name((self.room_first + n) % self.rooms);
        let payload = Stamp { intended_ns: now, counter: n as u64 }.payload(self.payload);
        let message_id = format!("{}.{n}", self.tag);
        v1::ClientFrame::new(id, v1::Publish { room, message_id, payload, ..Default::default() })
    }

    fn answer(&self, frame: v1::ServerFrame, now: u64, under_way: &mut VecDeque<(u32, u64)>) {
        let Some(at) = under_way.iter().position(|(id, _)| *id == frame.id) else { return };
        let Some((_, sent)) = under_way.remove(at) else { return };
        match frame.body {
            Some(server_frame::Body::Published(published)) => {
                self.board.acked.set(self.board.acked.get() + 1);
                let placed = !published.duplicate && published.position.is_some_and(|position| position.offset > 0);
                self.board.wrong.set(self.board.wrong.get() + u64::from(!placed));
                if sent >= self.board.measure_from_ns.get() {
                    self.board.latency.borrow_mut().record_ns(now - sent);
                }
            }
            Some(server_frame::Body::Error(error)) => *self.board.refused.borrow_mut() = Some(error),
            _ => {}
        }
    }
}

/// Appends per second of a bare file that is synced after every `batch` records of `bytes` bytes.
fn bare_file(dir: &std::path::Path, batch: usize, bytes: usize, seconds: f64) -> Result<f64> {
    let mut file = std::fs::File::create(dir.join("bare"))?;
    let records = vec![0xa5; bytes * batch];
    let (begun, mut written) = (Instant::now(), 0);
    while begun.elapsed().as_secs_f64() < seconds {
        file.write_all(&records)?;
        file.sync_data()?;
        written += batch;
    }
    Ok(written as f64 / begun.elapsed().as_secs_f64())
}
