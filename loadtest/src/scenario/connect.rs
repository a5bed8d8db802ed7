//! `connect`: how fast sessions come, what one costs, and how long one waits for it.

use std::cell::RefCell;
use std::rc::Rc;

use super::flow::room_name;
use crate::bench::Bench;
use crate::client::{Session, subscribe};
use crate::error::Result;
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Connect};
use crate::schedule::now_ns;
use crate::stats::Latency;

/// Runs `connect`.
pub async fn connect(common: &Common, options: &Connect) -> Result<Outcome> {
    let bench = Bench::prepare(common, &[]).await?;
    let outcome = run(&bench, options).await;
    bench.stop().await?;
    outcome
}

async fn run(bench: &Bench, options: &Connect) -> Result<Outcome> {
    let held: Rc<RefCell<Vec<Session>>> = Rc::default();
    let before = bench.usage()?;
    let begun = now_ns();
    let latency = Rc::new(RefCell::new(Latency::default()));
    let rooms = options.rooms.max(1);
    let started = RefCell::new(vec![0; options.connections]);
    bench
        .connect_all(
            options.connections,
            options.concurrency.max(1),
            |index| {
                started.borrow_mut()[index] = now_ns();
                vec![subscribe(room_name(index % rooms))]
            },
            |index, session| {
                latency.borrow_mut().record_ns(now_ns() - started.borrow()[index]);
                held.borrow_mut().push(session);
                std::future::ready(())
            },
        )
        .await?;
    let seconds = (now_ns() - begun) as f64 / 1e9;
    let count = held.borrow().len();
    let mut outcome = Outcome::new(format!("{count} connections, {} at a time", options.concurrency));
    outcome.count("connected", count as u64);
    outcome.add("connects_per_second", count as f64 / seconds, Unit::PerSecond);
    outcome.quantiles("", &latency.borrow());
    if let Some((before, after)) = before.zip(bench.usage()?) {
        let each = |amount: f64| amount / count.max(1) as f64;
        outcome.add("cpu_per_connect", each(after.cpu_us() - before.cpu_us()), Unit::Time);
        outcome.add("cpu_user_per_connect", each(after.user_us - before.user_us), Unit::Time);
        let grown = after.anonymous_bytes.saturating_sub(before.anonymous_bytes);
        outcome.add("memory_per_connection", each(grown as f64), Unit::Bytes);
    }
    outcome.latency = Some(latency.borrow().clone());
    Ok(outcome)
}
