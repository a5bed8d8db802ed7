//! The command line: what the operator types, and what they read back.
//!
//! Owns the subcommands, one file each, and how failures look: one line on standard error that says what to do, and an
//! exit code (1 failed, 2 wrongly typed). Refuses to know how anything is done.

mod banner;
mod config;
mod doctor;
mod health;
mod journal;
mod key;
mod notify;
mod serve;
mod token;

use std::fmt::Display;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Flag, environment};

/// A realtime message broker for chat: one binary, one port, one data directory.
#[derive(Parser)]
#[command(name = "konvert", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  konvert serve                                start on port 3001, keep everything in ./data
  konvert serve --port 0 --data /tmp/k         a free port, another directory
  konvert token --user anna --room lobby       a token for one user and one room
  konvert key create --name shop --scope publish   a key for a program
  konvert config print > konvert.toml          a file to start from
  KONVERT_SERVER__PORT=80 konvert serve        any setting as KONVERT_<SECTION>__<KEY>
  konvert doctor                               is this machine fit for it?";

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop (SIGTERM or Ctrl-C).
    Serve(serve::Serve),
    /// Print a token signed with the server's secret.
    Token(token::Token),
    /// Check or print the settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make, list or take back the API keys of programs.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Look at the stored messages.
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Ask the running server whether it is ready; the exit code tells.
    Health(health::Health),
    /// Check whether this machine is fit to run the server, and say what to change.
    Doctor(doctor::Doctor),
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::Config(config) => config.run(),
        Command::Key(key) => key.run(),
        Command::Journal(journal) => journal.run(),
        Command::Health(health) => health.run(),
        Command::Doctor(doctor) => doctor.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            for line in message.lines() {
                // Nobody is left to be told when standard error is gone.
                let _ = writeln!(std::io::stderr(), "konvert: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Why a subcommand failed, and what to do, for people.
struct Failure(String);

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

type Done = Result<(), Failure>;

/// Where the settings come from; the same for every subcommand.
#[derive(Args)]
struct Settings {
    /// Read settings from this file. None is read unless it is named.
    #[arg(long, value_name = "FILE", env = "KONVERT_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on [default: 0.0.0.0].
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// Port to listen on; 0 takes a free one [default: 3001].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Directory of everything the server keeps [default: data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Settings {
    fn load(&self) -> Result<Config, Failure> {
        let text = |path: &PathBuf| path.to_str().map(str::to_owned).ok_or("--data: the path must be UTF-8");
        let data = self.data.as_ref().map(text).transpose()?;
        let flags: Vec<_> = [
            self.bind.map(|bind| Flag { name: "--bind", key: "server.bind", value: bind.to_string().into() }),
            self.port.map(|port| Flag { name: "--port", key: "server.port", value: port.into() }),
            data.map(|data| Flag { name: "--data", key: "server.data", value: data.into() }),
        ]
        .into_iter()
        .flatten()
        .collect();
        Ok(Config::load(self.config.as_deref(), environment(), &flags)?)
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Writes to standard output; a reader that has gone away is no failure.
fn print(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
