//! `rest`: lists, history pages and publishes over HTTP by a fixed schedule, in a town of many users and dialogs; then
//! sockets beside a flood of sign-ins, which must not be felt there.
//!
//! The schedule is run twice. First (`fresh_…`) on a server that was started after the town was made and has come to rest: it
//! has nothing of the town in memory but where rooms stand, so that nearly every list, page and publish is the first of its
//! user or dialog. Then, when everybody has looked at their list once, as they have in a server that has been up for a
//! while. What the operating system keeps of the files is warm both times.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use konvert_protocol::v1::{self, server_frame};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::populate::{self, Town};
use crate::bench::Bench;
use crate::client::subscribe;
use crate::error::{Error, Result, setup};
use crate::figures::{Outcome, Unit};
use crate::http::Http;
use crate::options::{Common, Rest};
use crate::payload::Stamp;
use crate::schedule::{PreciseTimer, Schedule, now_ns};
use crate::stats::Latency;

/// Settings that would measure themselves rather than the server.
const SETTINGS: [&str; 4] = [
    "service.requests_per_second=100000",
    "service.requests_burst=100000",
    "service.address_requests_per_second=100000",
    "service.address_requests_burst=100000",
];
/// Messages per second on the socket whose delay is watched.
const SOCKET_RATE: f64 = 100.0;
/// Addresses that the flood of sign-ins comes from.
const FLOOD_ADDRESSES: u16 = 512;
/// The server is at rest when it used less than this share of a processor in so many looks on end, this far apart.
const AT_REST: (f64, u32, Duration) = (0.05, 4, Duration::from_millis(500));
/// How long it may take for that.
const REST_WITHIN: Duration = Duration::from_secs(120);
/// Users who look at their lists at the same time, when all of them do so.
const LOOKING: usize = 8;

/// A list of dialogs.
const LIST: &str = "/api/dialogs?limit=30";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    BusyList,
    History,
    Publish,
}

impl Kind {
    const ALL: [Self; 4] = [Self::List, Self::BusyList, Self::History, Self::Publish];

    fn name(self) -> &'static str {
        match self {
            Self::List => "list_",
            Self::BusyList => "busy_list_",
            Self::History => "history_",
            Self::Publish => "publish_",
        }
    }

    /// 38 % lists, 2 % lists of the busiest user, 40 % history pages, 20 % publishes.
    fn of(dice: u32) -> Self {
        match dice % 50 {
            0 => Self::BusyList,
            1..20 => Self::List,
            20..40 => Self::History,
            _ => Self::Publish,
        }
    }
}

#[derive(Default)]
struct Board {
    latency: [Latency; 4],
    failed: u64,
    reason: String,
}

/// Runs `rest`.
pub async fn rest(common: &Common, options: &Rest, seed: u64) -> Result<Outcome> {
    let mut bench = Bench::prepare(common, &SETTINGS).await?;
    let outcome = run(&mut bench, common, options, seed).await;
    bench.stop().await?;
    outcome
}

async fn run(bench: &mut Bench, common: &Common, options: &Rest, seed: u64) -> Result<Outcome> {
    let mut outcome = Outcome::new(format!(
        "{} requests/s over HTTP among {} users, {} dialogs, {} messages",
        options.rate, options.users, options.dialogs, options.messages
    ));
    let begun = Instant::now();
    let (town, is_new) = populate::town(bench, common.dir.as_deref(), options, seed).await?;
    match bench.server.take_if(|_| is_new) {
        Some(server) => {
            outcome.add("populated_in", begun.elapsed().as_micros() as f64, Unit::Time);
            server.stop().await?;
            bench.restart().await?;
        }
        None if is_new => outcome.notes.push("The server is the one that the town was made on: it knows it.".into()),
        None => {}
    }
    match at_rest(bench).await? {
        Some(after) => outcome.add("at_rest_after", after.as_micros() as f64, Unit::Time),
        None => outcome.notes.push("The server's process is not known: nobody waited for it to come to rest.".into()),
    }
    let (http, town) = (Http::new(&bench.target)?, Rc::new(town));
    measure(bench, &http, &town, options, seed, ("fresh_", &mut outcome)).await?;
    let begun = Instant::now();
    everybody_looks(bench, &http, &town).await?;
    outcome.add("everybody_looked_in", begun.elapsed().as_micros() as f64, Unit::Time);
    let lists = measure(bench, &http, &town, options, seed ^ 2, ("", &mut outcome)).await?;

    let quiet = socket(bench, options.flood_seconds).await?;
    let flood = tokio::task::spawn_local(flood(neighbours(bench)?, options.sign_ins, options.flood_seconds + 2.0));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let flooded = socket(bench, options.flood_seconds).await?;
    let (answered, refused) = flood.await.map_err(|error| Error::Protocol(error.to_string()))??;
    outcome.quantiles("socket_quiet_", &quiet);
    outcome.quantiles("socket_flooded_", &flooded);
    outcome.add("flood_ratio", flooded.quantile_us(0.99) / quiet.quantile_us(0.99).max(1.0), Unit::Ratio);
    outcome.count("sign_ins_answered", answered);
    outcome.count("sign_ins_put_off", refused);
    outcome.latency = Some(lists);
    Ok(outcome)
}

/// Runs the schedule once; its figures begin with the given word. Returns how long lists took.
async fn measure(
    bench: &Bench,
    http: &Http,
    town: &Rc<Town>,
    options: &Rest,
    seed: u64,
    (prefix, outcome): (&str, &mut Outcome),
) -> Result<Latency> {
    let before = bench.usage()?;
    let mut board = mix(bench, http, town, options, seed).await?;
    let used = before.zip(bench.usage()?).map(|(before, after)| after.cpu_us() - before.cpu_us());
    let mut asked = 0;
    for kind in Kind::ALL {
        let latency = &board.latency[kind as usize];
        asked += latency.count();
        outcome.quantiles(&format!("{prefix}{}", kind.name()), latency);
    }
    outcome.count(format!("{prefix}requests"), asked);
    outcome.count(format!("{prefix}failed"), board.failed);
    if let Some(used) = used {
        outcome.add(format!("{prefix}cpu_per_request"), used / asked.max(1) as f64, Unit::Time);
    }
    if board.failed > 0 {
        outcome.invalid.push(format!("{} requests failed, one with: {}", board.failed, board.reason));
    }
    Ok(std::mem::take(&mut board.latency[Kind::List as usize]))
}

/// Has every user look at their list, a few at a time.
async fn everybody_looks(bench: &Bench, http: &Http, town: &Rc<Town>) -> Result<()> {
    let bar = bench.bar("everybody looks", town.tokens.len() as u64);
    let looks = stream::iter(&town.tokens).map(|token| http.ask(Method::GET, LIST, token, None));
    let mut looks = looks.buffer_unordered(LOOKING);
    while let Some(answer) = looks.next().await {
        answer?.good()?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Waits until the server has put away what it had to; how long that took, if its process is known.
async fn at_rest(bench: &Bench) -> Result<Option<Duration>> {
    let (share, looks, apart) = AT_REST;
    let (begun, mut quiet) = (Instant::now(), 0);
    let Some(mut before) = bench.usage()? else { return Ok(None) };
    while quiet < looks {
        if begun.elapsed() > REST_WITHIN {
            return Err(setup(format!("the server did not come to rest within {} s", REST_WITHIN.as_secs())));
        }
        tokio::time::sleep(apart).await;
        let Some(now) = bench.usage()? else { return Ok(None) };
        let is_quiet = now.cpu_us() - before.cpu_us() < share * apart.as_micros() as f64;
        (quiet, before) = (if is_quiet { quiet + 1 } else { 0 }, now);
    }
    Ok(Some(begun.elapsed()))
}

/// Asks by the schedule, whatever the answers do.
async fn mix(bench: &Bench, http: &Http, town: &Rc<Town>, options: &Rest, seed: u64) -> Result<Board> {
    let board = Rc::new(RefCell::new(Board::default()));
    let mut random = SmallRng::seed_from_u64(seed ^ 1);
    let timer = PreciseTimer::new()?;
    let schedule = Schedule::new(now_ns(), options.rate);
    let (count, mut tasks) = ((options.rate * options.seconds) as u64, JoinSet::new());
    // A town may be asked again: what is said is new each time.
    let run: u64 = rand::random();
    let bar = bench.bar("requests", count);
    for number in 0..count {
        let due_ns = schedule.due_ns(number);
        timer.until(due_ns).await?;
        let (kind, pick) = (Kind::of(random.random()), random.random::<u32>() as usize);
        let (http, town, board) = (http.clone(), Rc::clone(town), Rc::clone(&board));
        tasks.spawn_local(async move {
            let answer = ask(&http, &town, kind, pick, (run, number)).await;
            let mut board = board.borrow_mut();
            match answer {
                Ok(()) => board.latency[kind as usize].record_ns(now_ns() - due_ns),
                Err(error) => {
                    board.failed += 1;
                    board.reason = error.to_string();
                }
            }
        });
        bar.inc(1);
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    bar.finish_and_clear();
    Ok(board.take())
}

async fn ask(http: &Http, town: &Town, kind: Kind, pick: usize, (run, number): (u64, u64)) -> Result<()> {
    let (dialog, member) = &town.dialogs[pick % town.dialogs.len()];
    let token = &town.tokens[*member];
    let answer = match kind {
        Kind::List => {
            let token = &town.tokens[1 + pick % (town.tokens.len() - 1)];
            http.ask(Method::GET, LIST, token, None).await?
        }
        Kind::BusyList => http.ask(Method::GET, LIST, &town.tokens[town.busy], None).await?,
        Kind::History => {
            let path = format!("/api/dialogs/{dialog}/messages?direction=backward&limit=50");
            http.ask(Method::GET, &path, token, None).await?
        }
        Kind::Publish => {
            let path = format!("/api/dialogs/{dialog}/messages");
            let body = json!({"message_id": format!("rest-{run}-{number}"), "text": "Something new over HTTP."});
            http.ask(Method::POST, &path, token, Some(&body)).await?
        }
    };
    answer.good()
}

/// Delays from publish to delivery of one message at a time on the socket.
async fn socket(bench: &Bench, seconds: f64) -> Result<Latency> {
    let room = "rest-watched";
    let reader = bench.target.connect(0, "rest-reader", vec![subscribe(room)]).await?.connection;
    let writer = bench.target.connect(1, "rest-writer", Vec::new()).await?.connection;
    let (timer, schedule) = (PreciseTimer::new()?, Schedule::new(now_ns(), SOCKET_RATE));
    let mut latency = Latency::default();
    let tag: u64 = rand::random();
    for counter in 0..(SOCKET_RATE * seconds) as u64 {
        let intended_ns = schedule.due_ns(counter);
        timer.until(intended_ns).await?;
        let payload = Stamp { intended_ns, counter }.payload(128);
        let message_id = format!("{tag}-{counter}");
        let publish = v1::Publish { room: room.into(), message_id, payload, ..Default::default() };
        writer.send(&[v1::ClientFrame::new(writer.next_id(), publish)]).await?;
        loop {
            if let Some(server_frame::Body::Message(message)) = reader.next().await?.body
                && Stamp::read(&message.payload).is_some_and(|stamp| stamp.counter == counter)
            {
                latency.record_ns(now_ns() - intended_ns);
                break;
            }
        }
    }
    Ok(latency)
}

/// So many that no address is put off for itself: what is left is how many passwords the server checks at once.
fn neighbours(bench: &Bench) -> Result<Vec<Http>> {
    (0..FLOOD_ADDRESSES).map(|index| Http::neighbour(&bench.target, index)).collect()
}

/// Wrong sign-ins by a fixed schedule: how many were answered, and how many put off.
async fn flood(neighbours: Vec<Http>, rate: f64, seconds: f64) -> Result<(u64, u64)> {
    let (timer, schedule, counts) =
        (PreciseTimer::new()?, Schedule::new(now_ns(), rate), Rc::new(RefCell::new((0, 0))));
    let mut tasks = JoinSet::new();
    for number in 0..(rate * seconds) as u64 {
        timer.until(schedule.due_ns(number)).await?;
        let (http, counts) = (neighbours[number as usize % neighbours.len()].clone(), Rc::clone(&counts));
        tasks.spawn_local(async move {
            let body = json!({"login": format!("nobody{}", number % 997), "password": "not-the-password"});
            if let Ok(answer) = http.ask(Method::POST, "/api/auth/sign-in", "", Some(&body)).await {
                let mut counts = counts.borrow_mut();
                match answer.status {
                    429 | 503 => counts.1 += 1,
                    _ => counts.0 += 1,
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    let counts = *counts.borrow();
    Ok(counts)
}
