//! `curves`: how cost grows. Each curve changes one thing and keeps the work per second the same; nothing should grow
//! faster than its work.

use std::time::Instant;

use konvert_protocol::v1::{self, server_frame};

use super::fanout::SETTINGS;
use super::flow::{self, Plan, room_name};
use super::{durable, idle, resume};
use crate::bench::Bench;
use crate::error::{Error, Result, setup};
use crate::figures::{Curve, Outcome, Unit};
use crate::options::{Common, Curves, Durable, Idle, Kind, Traffic};

/// Deliveries per second on the curve over subscribers.
const DELIVERIES_PER_SECOND: f64 = 10_000.0;
/// Publishes under way while the log is filled, and while rooms are compared.
const FILL_IN_FLIGHT: usize = 4096;
const ROOMS_IN_FLIGHT: usize = 256;
/// Rooms of the log.
const LOG_ROOMS: usize = 100;
/// Reads of a page when the log's length is varied.
const PAGE: u32 = 50;

/// Runs `curves`.
pub async fn curves(common: &Common, options: &Curves) -> Result<Outcome> {
    let mut outcome = Outcome::new("how cost grows");
    over_connections(common, options, &mut outcome).await?;
    over_subscribers(common, options, &mut outcome).await?;
    over_rooms(common, options, &mut outcome).await?;
    over_messages(common, options, &mut outcome).await?;
    Ok(outcome)
}

/// A curve under construction: one named line per figure.
struct Lines {
    title: &'static str,
    x_name: &'static str,
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    unit: Unit,
    points: Vec<(f64, f64)>,
}

impl Lines {
    fn new(title: &'static str, x_name: &'static str) -> Self {
        Self { title, x_name, lines: Vec::new() }
    }

    fn add(&mut self, name: &'static str, unit: Unit, x: usize, y: f64) {
        let point = (x as f64, y);
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.points.push(point),
            None => self.lines.push(Line { name, unit, points: vec![point] }),
        }
    }

    /// Lines of one unit share a drawing; the last point of each becomes a figure.
    fn finish(self, outcome: &mut Outcome) {
        let mut units: Vec<Unit> = Vec::new();
        for Line { name, unit, points } in &self.lines {
            if let Some((x, y)) = points.last() {
                outcome.add(format!("{}_at_{x}_{}", name.replace(' ', "_"), self.x_name.replace(' ', "_")), *y, *unit);
            }
            if !units.contains(unit) {
                units.push(*unit);
            }
        }
        for unit in units {
            let lines = self.lines.iter().filter(|line| line.unit == unit);
            outcome.curves.push(Curve {
                title: self.title.into(),
                x_name: self.x_name.into(),
                unit,
                lines: lines.map(|line| (line.name.to_owned(), line.points.clone())).collect(),
                logarithmic: true,
            });
        }
    }
}

/// `most` and the powers of ten (and threes between) below it, from `least` on.
fn steps(least: usize, most: usize) -> Vec<usize> {
    let powers = (0..).map(|power| 10usize.pow(power / 2) * if power % 2 == 0 { 1 } else { 3 });
    let mut steps: Vec<usize> = powers.skip_while(|&step| step < least).take_while(|&step| step < most).collect();
    steps.push(most);
    steps
}

async fn over_connections(common: &Common, options: &Curves, outcome: &mut Outcome) -> Result<()> {
    let mut lines = Lines::new("Idle connections, presence on, ten to a room", "connections");
    for connections in steps(1000, options.connections) {
        let bench = Bench::prepare(common, &[]).await?;
        let idle = Idle {
            connections,
            rooms: connections.div_ceil(10),
            no_presence: false,
            seconds: options.seconds.ceil() as u64,
        };
        let found = idle::run(&bench, &idle).await;
        bench.stop().await?;
        let found = found?;
        outcome.invalid.extend(found.invalid.clone());
        let value = |name: &str| found.value(name).unwrap_or(0.0);
        lines.add("memory per connection", Unit::Bytes, connections, value("memory_per_connection"));
        lines.add("CPU per connect", Unit::Time, connections, value("cpu_per_connect"));
        lines.add("CPU while idle", Unit::Share, connections, value("idle_cpu"));
    }
    lines.finish(outcome);
    Ok(())
}

async fn over_subscribers(common: &Common, options: &Curves, outcome: &mut Outcome) -> Result<()> {
    let mut lines = Lines::new("One room, durable messages, the same deliveries per second", "subscribers");
    for subscribers in steps(10, options.subscribers) {
        let traffic = Traffic {
            kind: Kind::Message,
            rate: DELIVERIES_PER_SECOND / subscribers as f64,
            saturate: None,
            payload: 128,
            publishers: 1,
            seconds: options.seconds.max(3.0 * subscribers as f64 / DELIVERIES_PER_SECOND),
            warmup: 1.0,
        };
        let bench = Bench::prepare(common, &SETTINGS).await?;
        let found = flow::run(&bench, &Plan { rooms: 1, members: subscribers, traffic }).await;
        bench.stop().await?;
        let found = found?;
        if found.delivered != found.expected {
            outcome.invalid.push(format!("{} of {} delivered", found.delivered, found.expected));
        }
        lines.add("CPU per delivery", Unit::Time, subscribers, found.cpu_per_delivery().unwrap_or(0.0));
        lines.add("p50", Unit::Time, subscribers, found.latency.quantile_us(0.5));
        lines.add("p99", Unit::Time, subscribers, found.latency.quantile_us(0.99));
    }
    lines.finish(outcome);
    Ok(())
}

async fn over_rooms(common: &Common, options: &Curves, outcome: &mut Outcome) -> Result<()> {
    let mut lines = Lines::new("Durable publishes spread over rooms", "rooms");
    for rooms in steps(1, options.rooms) {
        let bench = Bench::prepare(common, &[]).await?;
        let before = bench.usage()?;
        resume::publish(&bench.target, rooms, 0, 1).await?;
        let durable = durable_options(rooms, options.seconds);
        let found = durable::measure(&bench, &durable, 0, ROOMS_IN_FLIGHT).await;
        let after = bench.usage()?;
        bench.stop().await?;
        let found = found?;
        outcome.invalid.extend(found.problem);
        lines.add("CPU per publish", Unit::Time, rooms, found.cpu_us_each.unwrap_or(0.0));
        lines.add("p50", Unit::Time, rooms, found.latency.quantile_us(0.5));
        lines.add("p99", Unit::Time, rooms, found.latency.quantile_us(0.99));
        if let Some((before, after)) = before.zip(after) {
            let grown = after.anonymous_bytes.saturating_sub(before.anonymous_bytes);
            lines.add("memory in all", Unit::Bytes, rooms, grown as f64);
        }
    }
    lines.finish(outcome);
    Ok(())
}

async fn over_messages(common: &Common, options: &Curves, outcome: &mut Outcome) -> Result<()> {
    let mut lines = Lines::new("Log of messages in 100 rooms, server killed and started", "messages");
    let mut bench = Bench::prepare(common, &[]).await?;
    resume::publish(&bench.target, LOG_ROOMS, 0, 1).await?;
    let (mut stored, mut round, mut cpu) = (LOG_ROOMS as u64, 0, 0.0);
    for messages in steps(10_000, options.messages as usize) {
        while stored < messages as u64 {
            let found = durable::measure(&bench, &durable_options(LOG_ROOMS, 2.0), round, FILL_IN_FLIGHT).await?;
            outcome.invalid.extend(found.problem);
            if found.acked == 0 {
                return Err(setup("the log does not grow"));
            }
            cpu = found.cpu_us_each.unwrap_or(0.0);
            stored += found.acked;
            round += 1;
        }
        if let Some(server) = bench.server.take() {
            server.kill().await?;
        }
        let opened = bench.restart().await?;
        let page = read_newest(&bench).await?;
        let memory = bench.usage()?.map_or(0, |usage| usage.resident_bytes);
        let x = stored as usize;
        lines.add("start after kill -9", Unit::Time, x, opened.as_micros() as f64);
        lines.add("newest 50 of a room", Unit::Time, x, page);
        lines.add("CPU per publish", Unit::Time, x, cpu);
        lines.add("memory after start", Unit::Bytes, x, memory as f64);
    }
    bench.stop().await?;
    lines.finish(outcome);
    Ok(())
}

fn durable_options(rooms: usize, seconds: f64) -> Durable {
    Durable { in_flight: Vec::new(), connections: 8, rooms, payload: 200, seconds, warmup: 0.5 }
}

/// Mean time to read the newest page of a room, over a few rooms, microseconds.
async fn read_newest(bench: &Bench) -> Result<f64> {
    const READS: usize = 20;
    let connection = bench.target.connect(0, "historian", Vec::new()).await?.connection;
    let begun = Instant::now();
    for room in 0..READS {
        let history = v1::History {
            room: room_name(room),
            direction: v1::Direction::Backward as i32,
            limit: PAGE,
            ..Default::default()
        };
        match connection.call(history).await? {
            server_frame::Body::History(page) if !page.messages.is_empty() => {}
            other => return Err(Error::Protocol(format!("history answered with {other:?}"))),
        }
    }
    Ok(begun.elapsed().as_micros() as f64 / READS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_end_at_the_most() {
        assert_eq!(steps(1000, 15_000), [1000, 3000, 10_000, 15_000]);
        assert_eq!(steps(10, 10), [10]);
        assert_eq!(steps(1, 100), [1, 3, 10, 30, 100]);
    }
}
