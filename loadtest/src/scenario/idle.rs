//! `idle`: many connections that only are there, each in a room with presence, heartbeats answered both ways. What they
//! cost: memory each, and CPU of the server over a while of nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use konvert_protocol::v1;
use tokio::task::JoinSet;

use super::flow::{CONNECT_CONCURRENCY, room_name};
use crate::bench::Bench;
use crate::client::{Session, subscribe};
use crate::error::{Error, Result};
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Idle};

/// After connecting, this passes before the measuring: presence diffs are still on their way.
const SETTLE: Duration = Duration::from_secs(3);

/// Runs `idle`.
pub async fn idle(common: &Common, options: &Idle) -> Result<Outcome> {
    let bench = Bench::prepare(common, &[]).await?;
    let outcome = run(&bench, options).await;
    bench.stop().await?;
    outcome
}

#[derive(Default)]
struct Counts {
    heard: Cell<u64>,
    beats: Cell<u64>,
    ended: Cell<u64>,
    reason: RefCell<String>,
}

/// Holds the connections of `options` on a server without other load.
pub async fn run(bench: &Bench, options: &Idle) -> Result<Outcome> {
    let before = bench.usage()?;
    let (rooms, presence) = (options.rooms.max(1), !options.no_presence);
    let counts = Rc::new(Counts::default());
    let tasks = Rc::new(RefCell::new(JoinSet::new()));
    let begun = std::time::Instant::now();
    bench
        .connect_all(
            options.connections,
            CONNECT_CONCURRENCY,
            |index| vec![v1::Subscribe { presence, ..subscribe(room_name(index % rooms)) }],
            |_, session| {
                tasks.borrow_mut().spawn_local(sit(session, Rc::clone(&counts)));
                std::future::ready(())
            },
        )
        .await?;
    let connecting = begun.elapsed();
    tokio::time::sleep(SETTLE).await;
    let settled = bench.usage()?;
    let (heard, beats) = (counts.heard.get(), counts.beats.get());
    let bar = bench.bar("idling", options.seconds);
    for _ in 0..options.seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let after = bench.usage()?;
    tasks.borrow_mut().abort_all();

    let count = options.connections as f64;
    let with = if presence { "with presence" } else { "without presence" };
    let mut outcome = Outcome::new(format!("{} idle connections in {rooms} rooms, {with}", options.connections));
    outcome.count("connections", options.connections as u64);
    outcome.add("connects_per_second", count / connecting.as_secs_f64(), Unit::PerSecond);
    if let (Some(before), Some(settled), Some(after)) = (before, settled, after) {
        let grown = |after: u64, before: u64| after.saturating_sub(before) as f64 / count;
        outcome.add("memory_per_connection", grown(after.anonymous_bytes, before.anonymous_bytes), Unit::Bytes);
        outcome.add("memory_resident", after.resident_bytes as f64, Unit::Bytes);
        outcome.add("memory_peak", after.peak_bytes as f64, Unit::Bytes);
        let cpu = (after.cpu_us() - settled.cpu_us()) / (options.seconds as f64 * 1e6);
        outcome.add("idle_cpu", cpu, Unit::Share);
        outcome.add("cpu_per_connect", (settled.cpu_us() - before.cpu_us()) / count, Unit::Time);
    }
    outcome.count("heard_while_idle", counts.heard.get() - heard);
    outcome.count("heartbeats_sent", counts.beats.get() - beats);
    outcome.count("ended", counts.ended.get());
    if counts.ended.get() > 0 {
        outcome.invalid.push(format!("{} connections ended, one with: {}", counts.ended.get(), counts.reason.borrow()));
    }
    Ok(outcome)
}

/// Reads what comes and says something at least once per heartbeat, each connection at its own moment.
async fn sit(session: Session, counts: Rc<Counts>) {
    let interval = Duration::from_millis(u64::from(session.connected.heartbeat_ms.max(1000)));
    let mut next = tokio::time::Instant::now() + interval.mul_f64(rand::random_range(0.05..0.95));
    let error = loop {
        let read = session.connection.pump(|_| {
            counts.heard.set(counts.heard.get() + 1);
            true
        });
        match tokio::time::timeout_at(next, read).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => break error,
            Err(_) => {
                next += interval.mul_f64(0.95);
                counts.beats.set(counts.beats.get() + 1);
                if let Err(error) = session.connection.send(&[v1::ClientFrame::new(0, v1::Ping {})]).await {
                    break error;
                }
            }
        }
    };
    if !matches!(error, Error::Timeout(_)) {
        counts.ended.set(counts.ended.get() + 1);
        *counts.reason.borrow_mut() = error.to_string();
    }
}
