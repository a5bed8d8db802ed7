//! `slow`: some subscribers of a room stop reading while it is busy. The healthy ones should not notice, the server
//! should hold little for the stalled and then close them, and they should get everything from the log afterwards.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use konvert_protocol::v1::{self, server_frame};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::flow::{CONNECT_CONCURRENCY, room_name};
use crate::bench::Bench;
use crate::client::{Connection, Session, Target, subscribe};
use crate::delivery::{Seen, walk};
use crate::error::{Error, Result};
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Slow};
use crate::payload::Stamp;
use crate::schedule::{PreciseTimer, Schedule, now_ns};
use crate::stats::{Faults, Latency, Sequence};

/// Receive buffer of those who stall, bytes: what they do not read should wait in the server, not in the kernel.
const STALLED_BUFFER_BYTES: u32 = 8 << 10;
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
const SLOW_CONSUMER: u16 = 4001;

/// Runs `slow`.
pub async fn slow(common: &Common, options: &Slow) -> Result<Outcome> {
    let mut bench = Bench::prepare(common, &[]).await?;
    let outcome = run(&mut bench, options).await;
    bench.stop().await?;
    outcome
}

struct Board {
    /// Deliveries sent before it are of the time when everybody read, nanoseconds.
    stall_ns: Cell<u64>,
    before: RefCell<Latency>,
    during: RefCell<Latency>,
    faults: RefCell<Faults>,
    /// Offset of the last message; told when the publishing is over.
    end: watch::Sender<Option<u64>>,
    done: Cell<u64>,
    codes: RefCell<Vec<u16>>,
    told: Notify,
    problems: RefCell<Vec<String>>,
}

async fn run(bench: &mut Bench, options: &Slow) -> Result<Outcome> {
    let board = Rc::new(Board {
        stall_ns: Cell::new(u64::MAX),
        before: RefCell::default(),
        during: RefCell::default(),
        faults: RefCell::default(),
        end: watch::Sender::new(None),
        done: Cell::new(0),
        codes: RefCell::default(),
        told: Notify::new(),
        problems: RefCell::default(),
    });
    let mut tasks = JoinSet::new();
    for (count, stalls) in [(options.subscribers, false), (options.stalled, true)] {
        bench.target.receive_buffer_bytes = stalls.then_some(STALLED_BUFFER_BYTES);
        for (index, session) in attach(bench, count).await? {
            let (board, target) = (Rc::clone(&board), bench.target.clone());
            let reader =
                Reader { index, target, position: Cell::default(), offsets: RefCell::default(), board, stalls };
            tasks.spawn_local(reader.run(session));
        }
    }
    bench.target.receive_buffer_bytes = None;
    let held = drive(bench, options, &board).await?;
    let all = (options.subscribers + options.stalled) as u64;
    let settled = async {
        while board.done.get() < all {
            board.told.notified().await;
        }
    };
    let in_time = tokio::time::timeout(SETTLE_TIMEOUT, settled).await.is_ok();
    tasks.abort_all();
    Ok(report(options, &board, held, in_time))
}

async fn attach(bench: &Bench, count: usize) -> Result<Vec<(usize, Session)>> {
    let sessions: Rc<RefCell<Vec<(usize, Session)>>> = Rc::default();
    let room = |_| vec![subscribe(room_name(0))];
    let keep = |index, session| {
        sessions.borrow_mut().push((index, session));
        std::future::ready(())
    };
    bench.connect_all(count, CONNECT_CONCURRENCY, room, keep).await?;
    Ok(sessions.take())
}

/// Publishes through both phases; returns what the server held for the stalled, bytes, if its process is known.
async fn drive(bench: &Bench, options: &Slow, board: &Rc<Board>) -> Result<Option<f64>> {
    let publisher = bench.target.connect(0, "publisher", Vec::new()).await?.connection;
    let start_ns = now_ns() + 20_000_000;
    let stall_ns = start_ns + (options.before * 1e9) as u64;
    let end_ns = stall_ns + (options.seconds * 1e9) as u64;
    board.stall_ns.set(stall_ns);
    let bar = bench.bar("publishing", (options.before + options.seconds) as u64);
    let memory = || Ok::<_, Error>(bench.usage()?.map(|usage| usage.anonymous_bytes));
    let watching = async {
        // The log's memory grows with every message, stalled readers or not: that part is measured before the stall,
        // over its second half, when buffers have their size, and taken off.
        let half = stall_ns - (stall_ns - start_ns) / 2;
        sleep_until(half).await;
        let early = memory()?;
        sleep_until(stall_ns).await;
        let calm = memory()?;
        let growth_per_ns =
            early.zip(calm).map(|(early, calm)| calm.saturating_sub(early) as f64 / (stall_ns - half) as f64);
        let mut held = growth_per_ns.map(|_| 0.0f64);
        while now_ns() < end_ns {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bar.set_position((now_ns() - start_ns) / 1_000_000_000);
            if let (Some(calm), Some(now), Some(growth)) = (calm, memory()?, growth_per_ns) {
                let expected = calm as f64 + growth * now_ns().saturating_sub(stall_ns) as f64;
                held = held.map(|held| held.max(now as f64 - expected));
            }
        }
        bar.finish_and_clear();
        Ok(held)
    };
    let (held, last) = tokio::join!(watching, publish(&publisher, options, start_ns, end_ns));
    board.end.send_replace(Some(last?));
    held
}

async fn sleep_until(deadline_ns: u64) {
    tokio::time::sleep(Duration::from_nanos(deadline_ns.saturating_sub(now_ns()))).await;
}

/// Publishes by schedule; returns the offset of the last message.
async fn publish(connection: &Connection, options: &Slow, start_ns: u64, end_ns: u64) -> Result<u64> {
    let (schedule, timer) = (Schedule::new(start_ns, options.rate), PreciseTimer::new()?);
    let (mut sent, mut acked, mut last) = (0u64, 0u64, 0u64);
    loop {
        let due_ns = schedule.due_ns(sent);
        let over = due_ns >= end_ns;
        if over && acked == sent {
            return Ok(last);
        }
        tokio::select! {
            waited = timer.until(due_ns), if !over => {
                waited?;
                let payload = Stamp { intended_ns: due_ns, counter: sent }.payload(options.payload);
                let publish =
                    v1::Publish { room: room_name(0), message_id: sent.to_string(), payload, ..Default::default() };
                connection.send(&[v1::ClientFrame::new(connection.next_id(), publish)]).await?;
                sent += 1;
            }
            frame = connection.next() => match frame?.body {
                Some(server_frame::Body::Published(published)) => {
                    acked += 1;
                    last = last.max(published.position.unwrap_or_default().offset);
                }
                Some(server_frame::Body::Error(error)) => return Err(Error::Refused(error)),
                _ => {}
            },
        }
    }
}

struct Reader {
    index: usize,
    target: Target,
    position: Cell<v1::Position>,
    offsets: RefCell<Sequence>,
    board: Rc<Board>,
    stalls: bool,
}

impl Reader {
    async fn run(self, session: Session) {
        let room = session.connected.rooms.first();
        let position = room.and_then(|room| room.position).unwrap_or_default();
        self.position.set(position);
        *self.offsets.borrow_mut() = Sequence::from(position.offset + 1);
        if let Err(error) = self.follow(session.connection).await {
            self.board.problems.borrow_mut().push(error.to_string());
        }
        self.board.done.set(self.board.done.get() + 1);
        self.board.told.notify_one();
    }

    /// Reads, perhaps stalls, comes back if it was closed, and ends when it has everything.
    async fn follow(&self, mut connection: Connection) -> Result<()> {
        let mut end = self.board.end.subscribe();
        loop {
            if self.stalls && now_ns() >= self.board.stall_ns.get() && end.borrow().is_none() {
                // Over when the publishing is over; the sender lives as long as the board.
                let _ = end.wait_for(Option::is_some).await;
            }
            if end.borrow().is_some_and(|last| self.position.get().offset >= last) {
                return Ok(());
            }
            let read = tokio::select! {
                read = connection.pump(|message| self.take(message)) => read,
                _ = end.changed() => Ok(()),
            };
            match read {
                Ok(()) => {}
                Err(Error::Closed(code, reason)) if self.stalls => {
                    if code != SLOW_CONSUMER && code != 1006 {
                        return Err(Error::Closed(code, reason));
                    }
                    self.board.codes.borrow_mut().push(code);
                    connection = self.come_back().await?;
                }
                // What was on its way when the server gave up is gone with the connection: a reset.
                Err(Error::Io(_)) if self.stalls => {
                    self.board.codes.borrow_mut().push(1006);
                    connection = self.come_back().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn come_back(&self) -> Result<Connection> {
        let since = || v1::Subscribe { since: Some(self.position.get()), ..subscribe(room_name(0)) };
        let session = self.target.connect(self.index, &format!("load-{}", self.index), vec![since()]).await?;
        let mut page = session.connected.rooms.into_iter().next().unwrap_or_default();
        loop {
            if let Some(error) = page.error {
                return Err(Error::Refused(error));
            }
            page.messages.iter().for_each(|message| self.got(message.offset));
            if !page.more {
                return Ok(session.connection);
            }
            page = match session.connection.call(since()).await? {
                server_frame::Body::Subscribed(page) => page,
                other => return Err(Error::Protocol(format!("subscribe answered with {other:?}"))),
            };
        }
    }

    fn take(&self, message: &[u8]) -> bool {
        let now = now_ns();
        walk(message, |seen| {
            let Seen::Delivery(delivery) = seen else { return };
            self.got(delivery.offset);
            let Some(stamp) = Stamp::read(delivery.payload).filter(|_| !self.stalls) else { return };
            let calm = stamp.intended_ns < self.board.stall_ns.get();
            let latency = if calm { &self.board.before } else { &self.board.during };
            latency.borrow_mut().record_ns(now.saturating_sub(stamp.intended_ns));
        })
    }

    fn got(&self, offset: u64) {
        self.offsets.borrow_mut().see(offset, &mut self.board.faults.borrow_mut());
        let epoch = self.position.get().epoch;
        self.position.set(v1::Position { epoch, offset });
    }
}

fn report(options: &Slow, board: &Board, held: Option<f64>, in_time: bool) -> Outcome {
    let Slow { subscribers, stalled, rate, payload, seconds, .. } = options;
    let mut outcome = Outcome::new(format!(
        "{stalled} of {} subscribers stop reading for {seconds} s at {rate}/s of {payload} B",
        subscribers + stalled
    ));
    outcome.quantiles("before_", &board.before.borrow());
    outcome.quantiles("", &board.during.borrow());
    let p99 = |latency: &RefCell<Latency>| latency.borrow().quantile_us(0.99);
    outcome.add("p99_ratio", p99(&board.during) / p99(&board.before).max(1.0), Unit::Ratio);
    if let Some(held) = held {
        outcome.add("memory_per_stalled", held / (*stalled).max(1) as f64, Unit::Bytes);
    }
    let codes = board.codes.borrow();
    outcome.count("closed", codes.len() as u64);
    outcome.count("closed_slow_consumer", codes.iter().filter(|&&code| code == SLOW_CONSUMER).count() as u64);
    outcome.faults(*board.faults.borrow());
    if codes.len() < *stalled {
        let few =
            format!("{} of {stalled} were closed: not enough was sent to fill what the kernel holds", codes.len());
        outcome.notes.push(few);
    }
    if !in_time {
        outcome.invalid.push("not everybody had everything in time".into());
    }
    outcome.invalid.extend(board.problems.borrow().first().cloned());
    outcome.latency = Some(board.during.borrow().clone());
    outcome
}
