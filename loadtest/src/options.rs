//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::thresholds::Threshold;

/// Load, loss and torture tester for Konvert.
///
/// Every scenario starts a server of its own unless --url names one. Figures it prints can be demanded by
/// --assert NAME<=NUMBER[UNIT]; a demand that fails, a lost message or an invalid run end with exit code 1.
#[derive(Debug, Parser)]
#[command(version, name = "konvert-loadtest")]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub scenario: Scenario,
    /// Settings of all scenarios.
    #[command(flatten)]
    pub common: Common,
}

/// Settings of all scenarios.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// A running server: ws://HOST:PORT[/PATH]. Without it the tester starts one.
    #[arg(long, global = true)]
    pub url: Option<String>,
    /// The server binary to start; by default `konvert` beside this program.
    #[arg(long, global = true, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// A setting of the started server, such as gateway.shards=1. May be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Token for every connection to --url.
    #[arg(long, global = true, env = "KONVERT_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Secret of the server at --url, to make a token for each user: <data>/secret.
    #[arg(long, global = true, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Process id of the server at --url, to measure its CPU and memory.
    #[arg(long, global = true)]
    pub pid: Option<u32>,
    /// Where the started server keeps its data; by default a temporary directory, removed afterwards.
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Bind the started server to core 0 and the tester to core 1.
    #[arg(long, global = true)]
    pub pin: bool,
    /// Seed of everything random; printed, and random itself when absent.
    #[arg(long, global = true)]
    pub seed: Option<u64>,
    /// Write the report as JSON to this file, or to the output with `-`.
    #[arg(long, global = true, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report as one self-contained HTML page.
    #[arg(long, global = true, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Demand on a figure, such as 'p99<=5ms' or 'lost==0'. May be repeated.
    #[arg(long = "assert", global = true, value_name = "CONDITION")]
    pub thresholds: Vec<Threshold>,
    /// No progress bars.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Scenario {
    /// One room with many subscribers: delay, loss and the server's CPU per delivery.
    Fanout(Fanout),
    /// Many rooms with few subscribers each.
    Rooms(Rooms),
    /// Connections per second and the server's CPU per connection.
    Connect(Connect),
    /// Connections that only are there: memory of each, CPU of all.
    Idle(Idle),
    /// Publishes acked when they are on disk: acks per second, delay, CPU, beside a bare file.
    Durable(Durable),
    /// Everybody comes back at once after a restart and catches up.
    Resume(Resume),
    /// Some subscribers stop reading: what it costs the server and the others.
    Slow(Slow),
    /// Fan-out beside a bare loop that does nothing else, in one run.
    Limit(Limit),
    /// How cost grows with connections, subscribers, rooms and messages, as curves.
    Curves(Curves),
    /// Lists, history and publishes over HTTP in a town of many dialogs, just started and after everybody has looked once, and sockets
    /// beside a flood of sign-ins; with --dir the town is made once and asked again.
    Rest(Rest),
    /// Kills, power cuts, disconnects, a full disk, failing writes, flipped bits: nothing acked may be lost.
    Torture(Torture),
    /// The bare loop that fan-out is measured against; `limit` starts it by itself.
    LimitServer(LimitServer),
}

impl Scenario {
    /// Connections the tester will hold at most.
    pub fn connections(&self) -> u64 {
        let most = match self {
            Scenario::Fanout(options) => options.subscribers,
            Scenario::Rooms(options) => options.rooms * options.members,
            Scenario::Connect(options) => options.connections,
            Scenario::Idle(options) => options.connections,
            Scenario::Durable(options) => options.connections,
            Scenario::Resume(options) => options.connections,
            Scenario::Slow(options) => options.subscribers + options.stalled,
            Scenario::Limit(_) => 5_000,
            Scenario::Curves(options) => options.connections.max(options.subscribers),
            Scenario::Rest(_) => 1_000,
            Scenario::Torture(_) | Scenario::LimitServer(_) => 100,
        };
        most as u64
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a number above zero".into()),
    }
}

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Durable messages.
    Message,
    /// Signals, which are never stored.
    Signal,
}

/// How publishing goes.
#[derive(Debug, Clone, Args)]
pub struct Traffic {
    /// What is published.
    #[arg(long, value_enum, default_value = "message")]
    pub kind: Kind,
    /// Publishes per second, all rooms together, by a fixed schedule.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    pub rate: f64,
    /// Publish as fast as deliveries come back, this many publishes under way, instead of by --rate.
    #[arg(long, value_name = "IN_FLIGHT")]
    pub saturate: Option<u64>,
    /// Bytes of a payload, at least 16.
    #[arg(long, default_value_t = 128)]
    pub payload: usize,
    /// Publishing connections.
    #[arg(long, default_value_t = 1)]
    pub publishers: usize,
    /// Measure for this long, seconds.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Publish for this long before measuring, seconds.
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
}

/// One room.
#[derive(Debug, Clone, Args)]
pub struct Fanout {
    /// Subscribers of the room.
    #[arg(long, default_value_t = 1000)]
    pub subscribers: usize,
    /// How publishing goes.
    #[command(flatten)]
    pub traffic: Traffic,
}

/// Many rooms.
#[derive(Debug, Clone, Args)]
pub struct Rooms {
    /// Rooms.
    #[arg(long, default_value_t = 500)]
    pub rooms: usize,
    /// Subscribers of each room.
    #[arg(long, default_value_t = 10)]
    pub members: usize,
    /// How publishing goes.
    #[command(flatten)]
    pub traffic: Traffic,
}

/// Connections.
#[derive(Debug, Clone, Args)]
pub struct Connect {
    /// Connections to make; all are held to the end.
    #[arg(long, default_value_t = 5000)]
    pub connections: usize,
    /// Handshakes under way at a time.
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    /// Rooms that the connections are spread over.
    #[arg(long, default_value_t = 100)]
    pub rooms: usize,
}

/// Idle connections.
#[derive(Debug, Clone, Args)]
pub struct Idle {
    /// Connections.
    #[arg(long, default_value_t = 15_000)]
    pub connections: usize,
    /// Rooms they are spread over.
    #[arg(long, default_value_t = 1_500)]
    pub rooms: usize,
    /// Subscribe without presence.
    #[arg(long)]
    pub no_presence: bool,
    /// Measure for this long, seconds; should be longer than a heartbeat.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
}

/// Durable publishes.
#[derive(Debug, Clone, Args)]
pub struct Durable {
    /// Publishes under way, all connections together; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,64,512")]
    pub in_flight: Vec<usize>,
    /// Publishing connections.
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Rooms published to.
    #[arg(long, default_value_t = 100)]
    pub rooms: usize,
    /// Bytes of a payload, at least 16.
    #[arg(long, default_value_t = 200)]
    pub payload: usize,
    /// Measure each for this long, seconds.
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Publish for this long before measuring, seconds.
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
}

/// Resume after a restart.
#[derive(Debug, Clone, Args)]
pub struct Resume {
    /// Connections.
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
    /// Rooms they are spread over.
    #[arg(long, default_value_t = 100)]
    pub rooms: usize,
    /// Messages in each room before.
    #[arg(long, default_value_t = 100)]
    pub messages: u64,
    /// Messages each connection misses.
    #[arg(long, default_value_t = 20)]
    pub missed: u64,
    /// Attempts to connect under way at a time.
    #[arg(long, default_value_t = 256)]
    pub concurrency: usize,
}

/// Slow readers.
#[derive(Debug, Clone, Args)]
pub struct Slow {
    /// Healthy subscribers.
    #[arg(long, default_value_t = 190)]
    pub subscribers: usize,
    /// Subscribers that stop reading.
    #[arg(long, default_value_t = 10)]
    pub stalled: usize,
    /// Messages per second.
    #[arg(long, default_value_t = 300.0, value_parser = positive)]
    pub rate: f64,
    /// Bytes of a payload, at least 16.
    #[arg(long, default_value_t = 2_048)]
    pub payload: usize,
    /// Everybody reads for this long, seconds.
    #[arg(long, default_value_t = 10.0)]
    pub before: f64,
    /// Then some do not, for this long, seconds.
    #[arg(long, default_value_t = 20.0)]
    pub seconds: f64,
}

/// Comparison with the bare loop.
#[derive(Debug, Clone, Args)]
pub struct Limit {
    /// Rounds; the figures are their medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Measure each for this long, seconds.
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Bytes of a payload, at least 16.
    #[arg(long, default_value_t = 128)]
    pub payload: usize,
}

/// Curves.
#[derive(Debug, Clone, Args)]
pub struct Curves {
    /// Most connections.
    #[arg(long, default_value_t = 15_000)]
    pub connections: usize,
    /// Most subscribers of one room.
    #[arg(long, default_value_t = 10_000)]
    pub subscribers: usize,
    /// Most rooms.
    #[arg(long, default_value_t = 100_000)]
    pub rooms: usize,
    /// Most messages in the log.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Measure each point for this long, seconds.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

/// Requests over HTTP.
#[derive(Debug, Clone, Args)]
pub struct Rest {
    /// Users.
    #[arg(long, default_value_t = 10_000)]
    pub users: usize,
    /// Groups between them.
    #[arg(long, default_value_t = 100_000)]
    pub dialogs: usize,
    /// Groups that one busy user is in.
    #[arg(long, default_value_t = 10_000)]
    pub busy_dialogs: usize,
    /// Messages in the groups.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Requests per second.
    #[arg(long, default_value_t = 500.0, value_parser = positive)]
    pub rate: f64,
    /// Measure for this long, seconds.
    #[arg(long, default_value_t = 20.0)]
    pub seconds: f64,
    /// Sign-ins per second of the flood.
    #[arg(long, default_value_t = 100.0, value_parser = positive)]
    pub sign_ins: f64,
    /// Watch the sockets for this long without the flood, and as long with it, seconds.
    #[arg(long, default_value_t = 10.0)]
    pub flood_seconds: f64,
}

/// Torture. Naming any of the acts runs only those named; naming none runs all of them, briefly.
#[derive(Debug, Clone, Args)]
pub struct Torture {
    /// Kill -9 the server this often.
    #[arg(long)]
    pub kills: Option<u64>,
    /// Cut the power of the server's file system this often. Needs root.
    #[arg(long)]
    pub power_cuts: Option<u64>,
    /// Let readers lose their connection and resume this often.
    #[arg(long)]
    pub disconnects: Option<u64>,
    /// Turn a bit of the stopped server's files this often.
    #[arg(long)]
    pub flip_bits: Option<u64>,
    /// Fill the disk and free it again. Needs root.
    #[arg(long)]
    pub disk_full: bool,
    /// Let syncs and writes fail.
    #[arg(long)]
    pub write_errors: bool,
    /// Writers.
    #[arg(long, default_value_t = 8)]
    pub writers: u32,
    /// Messages under way per writer.
    #[arg(long, default_value_t = 16)]
    pub in_flight: usize,
    /// Readers; all but the first lose their connections at random.
    #[arg(long, default_value_t = 3)]
    pub readers: u32,
    /// Rooms.
    #[arg(long, default_value_t = 50)]
    pub rooms: u32,
    /// Longest filling of a payload, bytes.
    #[arg(long, default_value_t = 400)]
    pub filling: usize,
    /// A fault comes within this after writing is under way again, milliseconds.
    #[arg(long, default_value_t = 300)]
    pub pause_ms: u64,
    /// Save the evidence here, with the act's name added; a failed act's is saved anyway.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Only judge evidence that was saved before.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Run against a server that is broken on purpose, in several ways, and demand that each is caught.
    #[arg(long)]
    pub negative_controls: bool,
}

/// The bare loop.
#[derive(Debug, Clone, Args)]
pub struct LimitServer {
    /// Port; zero takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Most frames in one write to a subscriber.
    #[arg(long, default_value_t = 1)]
    pub coalesce: usize,
}
