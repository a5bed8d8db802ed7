//! `resume`: everybody is attached, the server is restarted, messages have been missed, and all come back at once with
//! their last position. How long until everybody has everything, with nothing missing and nothing twice?

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use konvert_protocol::v1::{self, server_frame};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::flow::{CONNECT_CONCURRENCY, room_name};
use crate::bench::Bench;
use crate::client::{Connection, Session, Target, subscribe};
use crate::error::{Error, Result, setup};
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Resume};
use crate::payload::Stamp;
use crate::schedule::now_ns;
use crate::stats::{Faults, Latency, Sequence};

/// Everybody must be back within this.
const PATIENCE: Duration = Duration::from_secs(120);
/// Spread of the first attempts to come back, milliseconds: clients use jitter, and so does this.
const JITTER_MS: u64 = 500;

/// Runs `resume`.
pub async fn resume(common: &Common, options: &Resume) -> Result<Outcome> {
    let mut bench = Bench::prepare(common, &[]).await?;
    if bench.server.is_none() {
        return Err(setup("resume restarts the server, so it must start it: leave out --url"));
    }
    let outcome = run(&mut bench, options).await;
    bench.stop().await?;
    outcome
}

struct Follower {
    index: usize,
    room: usize,
    position: Cell<v1::Position>,
    offsets: RefCell<Sequence>,
}

#[derive(Default)]
struct Board {
    faults: RefCell<Faults>,
    latency: RefCell<Latency>,
    caught_up: Cell<u64>,
    retries: Cell<u64>,
    refusals: RefCell<Vec<String>>,
    told: Notify,
}

async fn run(bench: &mut Bench, options: &Resume) -> Result<Outcome> {
    let rooms = options.rooms.max(1);
    publish(&bench.target, rooms, 0, options.messages).await?;
    let sessions: Rc<RefCell<Vec<(usize, Session)>>> = Rc::default();
    bench
        .connect_all(
            options.connections,
            CONNECT_CONCURRENCY,
            |index| vec![subscribe(room_name(index % rooms))],
            |index, session| {
                sessions.borrow_mut().push((index, session));
                std::future::ready(())
            },
        )
        .await?;
    let followers: Vec<Follower> = sessions
        .borrow()
        .iter()
        .map(|(index, session)| {
            let position = session.connected.rooms.first().and_then(|room| room.position).unwrap_or_default();
            let offsets = RefCell::new(Sequence::from(position.offset + 1));
            Follower { index: *index, room: index % rooms, position: Cell::new(position), offsets }
        })
        .collect();
    // Messages that nobody here reads: the sockets are closed before they are published, as in a partition.
    sessions.borrow_mut().clear();
    let server = bench.server.take().ok_or_else(|| setup("the server is gone"))?;
    publish(&bench.target, rooms, options.messages, options.missed).await?;
    server.kill().await?;
    let restart = bench.restart().await?;

    let board = Rc::new(Board::default());
    let begun = now_ns();
    let count = followers.len() as u64;
    let gate = Rc::new(Semaphore::new(options.concurrency.max(1)));
    let mut tasks = JoinSet::new();
    let end = options.messages + options.missed;
    for follower in followers {
        let (target, board, gate) = (bench.target.clone(), Rc::clone(&board), Rc::clone(&gate));
        tasks.spawn_local(come_back(target, follower, end, board, gate, begun));
    }
    let bar = bench.bar("catching up", count);
    let waiting = async {
        while board.caught_up.get() < count {
            board.told.notified().await;
            bar.set_position(board.caught_up.get());
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
    bar.finish_and_clear();
    let all = (now_ns() - begun) as f64 / 1e3;
    let mut outcome = Outcome::new(format!(
        "{count} connections in {rooms} rooms come back after a restart, {} messages missed by each",
        options.missed
    ));
    outcome.count("caught_up", board.caught_up.get());
    outcome.add("caught_up_after", all, Unit::Time);
    outcome.quantiles("", &board.latency.borrow());
    outcome.add("restart", restart.as_micros() as f64, Unit::Time);
    outcome.count("attempts_repeated", board.retries.get());
    outcome.faults(*board.faults.borrow());
    if let Some(usage) = bench.usage()? {
        outcome.add("memory_peak", usage.peak_bytes as f64, Unit::Bytes);
        outcome.add("cpu_per_resume", usage.cpu_us() / count.max(1) as f64, Unit::Time);
    }
    if !in_time {
        outcome.invalid.push(format!("only {} of {count} came back in time", board.caught_up.get()));
    }
    outcome.invalid.extend(board.refusals.borrow().first().cloned());
    outcome.latency = Some(board.latency.borrow().clone());
    Ok(outcome)
}

/// Connects until it works, catches up, and stays.
async fn come_back(target: Target, own: Follower, end: u64, board: Rc<Board>, gate: Rc<Semaphore>, begun: u64) {
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..JITTER_MS))).await;
    let connection = loop {
        let permit = gate.acquire().await;
        match catch_up(&target, &own, end, &board).await {
            Ok(connection) => break connection,
            Err(Error::Refused(error)) if !error.temporary => {
                board.refusals.borrow_mut().push(format!("refused: {} {}", error.code, error.name));
                return;
            }
            Err(_) => board.retries.set(board.retries.get() + 1),
        }
        drop(permit);
        tokio::time::sleep(Duration::from_millis(rand::random_range(50..500))).await;
    };
    board.latency.borrow_mut().record_ns(now_ns() - begun);
    board.caught_up.set(board.caught_up.get() + 1);
    board.told.notify_one();
    // Stay: the server is to hold all of them.
    while connection.pump(|_| true).await.is_ok() {}
}

async fn catch_up(target: &Target, own: &Follower, end: u64, board: &Board) -> Result<Connection> {
    let since = || v1::Subscribe { since: Some(own.position.get()), ..subscribe(room_name(own.room)) };
    let session = target.connect(own.index, &format!("load-{}", own.index), vec![since()]).await?;
    let mut page = session.connected.rooms.into_iter().next().unwrap_or_default();
    loop {
        if let Some(error) = page.error {
            return Err(Error::Refused(error));
        }
        for message in &page.messages {
            let mut faults = board.faults.borrow_mut();
            let stamp = Stamp::read(&message.payload);
            if stamp.is_none_or(|stamp| stamp.counter + 1 != message.offset) {
                faults.foreign += 1;
            }
            own.offsets.borrow_mut().see(message.offset, &mut faults);
            let epoch = own.position.get().epoch;
            own.position.set(v1::Position { epoch, offset: message.offset });
        }
        if !page.more {
            break;
        }
        page = match session.connection.call(since()).await? {
            server_frame::Body::Subscribed(page) => page,
            other => return Err(Error::Protocol(format!("subscribe answered with {other:?}"))),
        };
    }
    own.offsets.borrow_mut().finish(end + 1, &mut board.faults.borrow_mut());
    Ok(session.connection)
}

/// Publishes `count` messages to every room, numbered from `first`, in order within each room.
pub async fn publish(target: &Target, rooms: usize, first: u64, count: u64) -> Result<()> {
    /// Rooms that come into being at a time: a server does a few of one connection only.
    const CREATED_AT_A_TIME: usize = 4;
    const IN_FLIGHT: usize = 1024;
    let connection = target.connect(0, &format!("publisher-{first}"), Vec::new()).await?.connection;
    for counter in first..first + count {
        let in_flight = if counter == 0 { CREATED_AT_A_TIME } else { IN_FLIGHT };
        let numbers: Vec<usize> = (0..rooms).collect();
        for rooms in numbers.chunks(in_flight) {
            publish_one_each(&connection, rooms, counter).await?;
        }
    }
    Ok(())
}

/// Publishes message number `counter` to each of `rooms` and waits for the acks.
async fn publish_one_each(connection: &Connection, rooms: &[usize], counter: u64) -> Result<()> {
    let frame = |&room: &usize| {
        let payload = Stamp { intended_ns: now_ns(), counter }.payload(128);
        let message_id = counter.to_string();
        let publish = v1::Publish { room: room_name(room), message_id, payload, ..Default::default() };
        v1::ClientFrame::new(connection.next_id(), publish)
    };
    for rooms in rooms.chunks(64) {
        connection.send(&rooms.iter().map(frame).collect::<Vec<_>>()).await?;
    }
    let mut acked = 0;
    while acked < rooms.len() {
        match connection.next().await?.body {
            Some(server_frame::Body::Published(_)) => acked += 1,
            Some(server_frame::Body::Error(error)) => return Err(Error::Refused(error)),
            _ => {}
        }
    }
    Ok(())
}
