//! `limit`: our fan-out beside the bare loop's, in one run and taking turns, so that the machine's mood is the same for
//! both and the ratio holds.

use super::fanout::SETTINGS;
use super::flow::{self, Found, Plan};
use crate::bench::Bench;
use crate::error::Result;
use crate::figures::{Outcome, Unit};
use crate::options::{Common, Kind, Limit, Traffic};

/// One comparison: a load, and up to how many frames the bare loop may put into one write.
struct Case {
    name: &'static str,
    rooms: usize,
    members: usize,
    rate: f64,
    saturate: Option<u64>,
    publishers: usize,
    coalesce: usize,
}

const CASES: [Case; 4] = [
    Case { name: "single", rooms: 1, members: 1000, rate: 100.0, saturate: None, publishers: 1, coalesce: 1 },
    Case { name: "saturated", rooms: 1, members: 1000, rate: 1.0, saturate: Some(256), publishers: 1, coalesce: 64 },
    Case { name: "rooms", rooms: 500, members: 10, rate: 1.0, saturate: Some(512), publishers: 4, coalesce: 1 },
    Case { name: "rooms_rate", rooms: 500, members: 10, rate: 500.0, saturate: None, publishers: 4, coalesce: 1 },
];

/// Whose turn it is.
#[derive(Clone, Copy)]
enum Server {
    Limit,
    Signals,
    Durable,
}

const SERVERS: [(Server, &str); 3] =
    [(Server::Limit, "limit"), (Server::Signals, "signals"), (Server::Durable, "durable")];

/// Runs `limit`.
pub async fn limit(common: &Common, options: &Limit) -> Result<Outcome> {
    let mut outcome = Outcome::new(format!("beside the bare loop, medians of {} rounds", options.rounds));
    for case in &CASES {
        let mut founds: [Vec<Found>; 3] = Default::default();
        for _ in 0..options.rounds.max(1) {
            for ((server, _), founds) in SERVERS.iter().zip(&mut founds) {
                founds.push(measure(common, options, case, *server).await?);
            }
        }
        report(&mut outcome, case, &founds);
    }
    Ok(outcome)
}

async fn measure(common: &Common, options: &Limit, case: &Case, server: Server) -> Result<Found> {
    let kind = if matches!(server, Server::Durable) { Kind::Message } else { Kind::Signal };
    let traffic = Traffic {
        kind,
        rate: case.rate,
        saturate: case.saturate,
        payload: options.payload,
        publishers: case.publishers,
        seconds: options.seconds,
        warmup: 0.5,
    };
    let bench = match server {
        Server::Limit => Bench::limit(common, case.coalesce).await?,
        Server::Signals | Server::Durable => Bench::prepare(common, &SETTINGS).await?,
    };
    let found = flow::run(&bench, &Plan { rooms: case.rooms, members: case.members, traffic }).await;
    bench.stop().await?;
    found
}

fn report(outcome: &mut Outcome, case: &Case, founds: &[Vec<Found>; 3]) {
    let mut limit_cpu = None;
    for ((server, name), founds) in SERVERS.iter().zip(founds) {
        let name = format!("{}_{name}", case.name);
        let lost: u64 = founds.iter().map(|found| found.expected - found.delivered.min(found.expected)).sum();
        if lost > 0 {
            // Signals may be shed under pressure, and the bare loop has no outbox; a message may not.
            let text =
                format!("{name}: {lost} deliveries of {} missing", founds.iter().map(|f| f.expected).sum::<u64>());
            let list = if matches!(server, Server::Durable) { &mut outcome.invalid } else { &mut outcome.notes };
            list.push(text);
        }
        let Some(cpu) = median(founds.iter().filter_map(Found::cpu_per_delivery)) else { continue };
        outcome.add(format!("{name}_cpu"), cpu, Unit::Time);
        match limit_cpu {
            None => limit_cpu = Some(cpu),
            Some(limit) => outcome.add(format!("{name}_ratio"), cpu / limit, Unit::Ratio),
        }
        match case.saturate {
            Some(_) => {
                let rate = median(founds.iter().map(|found| found.measured as f64 / found.seconds));
                outcome.add(format!("{name}_deliveries"), rate.unwrap_or(0.0), Unit::PerSecond);
            }
            None => {
                for (quantile, label) in [(0.5, "p50"), (0.99, "p99")] {
                    let delay = median(founds.iter().map(|found| found.latency.quantile_us(quantile)));
                    outcome.add(format!("{name}_{label}"), delay.unwrap_or(0.0), Unit::Time);
                }
            }
        }
    }
}

/// The middle of some values; the mean of the two middle ones when they are even in number.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([3.0].into_iter()), Some(3.0));
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
    }
}
