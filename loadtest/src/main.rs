//! `konvert-loadtest`: drives a Konvert server over real sockets, measures what it costs, and tries to make it lose a
//! message. A client of the protocol; knows nothing of the server but its command line and what the kernel tells.
//!
//! ```text
//! options ─▶ scenario/*  ─▶ figures ─▶ report/* , thresholds ─▶ exit code
//!               │
//!             bench      a server, ours or somebody's: server_process, token
//!             client     one connection: websocket, delivery (the fast path)
//!             http       requests with JSON
//!             schedule   open-loop times        payload  what a load message carries
//!             stats      delays, loss, duplicates, order
//! limit_server           the bare loop to compare with
//! ```

mod advice;
mod bench;
mod client;
mod delivery;
mod error;
mod figures;
mod http;
mod limit_server;
mod options;
mod payload;
mod report;
mod scenario;
mod schedule;
mod server_process;
mod stats;
mod thresholds;
mod token;
mod torture;
mod websocket;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use error::{Result, setup};
use figures::Outcome;
use options::{Common, Options, Scenario};
use scenario::{connect, curves, durable, fanout, idle, limit, rest, resume, slow};

/// Figures that fail a run without being asked for.
const MUST_BE_ZERO: [&str; 11] = [
    "lost",
    "duplicates",
    "out_of_order",
    "foreign",
    "unexpected",
    "gaps",
    "order",
    "wrong_content",
    "wrong_acks",
    "acked_after_failure",
    "flips_silent",
];

fn main() -> ExitCode {
    let mut options = Options::parse();
    let seed = *options.common.seed.get_or_insert_with(rand::random);
    if let Scenario::LimitServer(limit) = &options.scenario {
        return exit(limit_server::serve(limit.port, limit.coalesce).map(|()| true));
    }
    exit(run(&options, seed))
}

fn exit(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("konvert-loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the scenario and reports; true when every demand was met.
fn run(options: &Options, seed: u64) -> Result<bool> {
    // One thread: on a small machine the tester must leave the other core to the server, and needs no more.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for advice in advice::prepare(options.scenario.connections()) {
        eprintln!("advice: {advice}");
    }
    let work = async {
        // Ended from outside, the run still takes down what it put up.
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            outcome = scenario(options, seed) => outcome,
            _ = terminated.recv() => Err(setup("terminated")),
            _ = tokio::signal::ctrl_c() => Err(setup("interrupted")),
        }
    };
    let outcome = runtime.block_on(LocalSet::new().run_until(work))?;
    report(&options.common, &outcome, seed)
}

async fn scenario(options: &Options, seed: u64) -> Result<Outcome> {
    let common = &options.common;
    match &options.scenario {
        Scenario::Fanout(options) => fanout::fanout(common, options).await,
        Scenario::Rooms(options) => fanout::rooms(common, options).await,
        Scenario::Connect(options) => connect::connect(common, options).await,
        Scenario::Idle(options) => idle::idle(common, options).await,
        Scenario::Durable(options) => durable::durable(common, options).await,
        Scenario::Resume(options) => resume::resume(common, options).await,
        Scenario::Slow(options) => slow::slow(common, options).await,
        Scenario::Limit(options) => limit::limit(common, options).await,
        Scenario::Curves(options) => curves::curves(common, options).await,
        Scenario::Rest(options) => rest::rest(common, options, seed).await,
        Scenario::Torture(options) => torture::torture(common, options, seed).await,
        Scenario::LimitServer(_) => Err(setup("not a scenario")),
    }
}

fn report(common: &Common, outcome: &Outcome, seed: u64) -> Result<bool> {
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let json = serde_json::to_string_pretty(&report::json::json(outcome, &command, seed))
        .map_err(|error| setup(error.to_string()))?;
    match &common.json {
        Some(path) if path == Path::new("-") => println!("{json}"),
        Some(path) => std::fs::write(path, json)?,
        None => {}
    }
    if common.json.as_deref() != Some(Path::new("-")) {
        println!("{}", report::table::table(outcome));
    }
    let failures = failures(common, outcome);
    if let Some(path) = &common.html {
        std::fs::write(path, report::html::html(outcome, &failures, &command, seed))?;
    }
    for failure in &failures {
        eprintln!("FAILED  {failure}");
    }
    Ok(failures.is_empty())
}

/// Demands that are not met, and whatever makes a run fail without being asked for.
fn failures(common: &Common, outcome: &Outcome) -> Vec<String> {
    let mut failures: Vec<String> = common.thresholds.iter().filter_map(|demand| demand.judge(outcome)).collect();
    for name in MUST_BE_ZERO {
        if outcome.value(name).is_some_and(|count| count > 0.0) {
            failures.push(format!("{name} is not zero"));
        }
    }
    failures.extend(outcome.invalid.iter().map(|reason| format!("the run does not count: {reason}")));
    failures
}
