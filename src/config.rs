//! Every setting: read, checked, and ready to be handed to the part it belongs to.
//!
//! Owns where settings come from and which of them make no sense together. Each part owns the type of its own settings;
//! this file is their sum. Refuses to know what the settings do. Only this module and the command line look at the
//! environment.
//!
//! ```text
//! defaults ─▶ the file named by --config or KONVERT_CONFIG ─▶ KONVERT_<SECTION>__<KEY> ─▶ flags ─▶ check ─▶ Config
//! ```
//! No file is read unless it is named: what `konvert serve` does must not depend on the directory it is started in.
//!
//! Invariant: a [`Config`] from [`Config::load`] has passed every check.

mod check;
mod layers;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::auth::{Auth, AuthConfig, SECRET_BYTES_MIN};
use crate::blobs::BlobsConfig;
use crate::broker::BrokerConfig;
use crate::directory::DirectoryConfig;
use crate::gateway::GatewayConfig;
use crate::journal::JournalConfig;
use crate::service::{LimitsConfig, ServiceConfig, WebhooksConfig};

pub use layers::{Flag, environment};

/// All settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the server listens and keeps its files.
    pub server: ServerConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    /// Who may enter.
    pub auth: AuthConfig,
    /// What a connection may do and cost.
    pub gateway: GatewayConfig,
    /// What a room may carry and how it behaves.
    pub broker: BrokerConfig,
    /// How messages are kept.
    pub journal: JournalConfig,
    /// Where accounts and dialogs are kept.
    pub directory: DirectoryConfig,
    /// How accounts and dialogs behave.
    pub service: ServiceConfig,
    /// How programs outside are told of what happens.
    pub webhooks: WebhooksConfig,
    /// Which files are taken, and where they are kept.
    pub blobs: BlobsConfig,
    /// How much users may do, by role.
    pub limits: LimitsConfig,
}

/// Where the server listens and keeps its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The address to listen on. Every one by default, because a container's port leads to none but these.
    pub bind: IpAddr,
    /// The port to listen on; zero takes a free one.
    pub port: u16,
    /// The directory of everything the server keeps.
    pub data: PathBuf,
    /// Proxies whose `X-Forwarded-For` is believed: addresses and networks such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { bind: Ipv4Addr::UNSPECIFIED.into(), port: 3001, data: "data".into(), trusted_proxies: Vec::new() }
    }
}

/// What is logged, and how. Logs go to standard error.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The least important that is still logged.
    pub level: LogLevel,
    /// For people or for machines.
    pub format: LogFormat,
}

/// How important something logged is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something will fail or was refused.
    Warn,
    /// Start, stop, and changes of state; nothing per message.
    #[default]
    Info,
    /// Per connection.
    Debug,
    /// Everything.
    Trace,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// Lays the sources over each other and checks the sum. `environment` is usually [`environment()`]; of it, only
    /// variables beginning with `KONVERT_` are looked at.
    ///
    /// # Errors
    /// Every problem found, each with where it is and what to do.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[Flag],
    ) -> Result<Self, ConfigError> {
        let layers = layers::collect(file, environment, flags)?;
        let mut config: Self = layers.merge()?;
        let mut problems = check::check(&config);
        problems.extend(config.read_key_files(file));
        if problems.is_empty() {
            problems.extend(config.try_keys().err());
        }
        for problem in &mut problems {
            let source = layers.source_of(&problem.key).or_else(|| layers.source_of(problem.other?));
            problem.source = source.unwrap_or("the defaults").to_owned();
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    /// Names of the rooms opened to guests.
    pub fn guest_rooms(&self) -> Vec<String> {
        self.broker.rooms.iter().filter(|room| room.guests).map(|room| room.name.clone()).collect()
    }

    /// Makes the real thing, with a secret of no meaning, so that a key that cannot work stops the start here.
    fn try_keys(&self) -> Result<(), Problem> {
        let made = Auth::new(&self.auth, &[0; SECRET_BYTES_MIN], self.guest_rooms());
        made.map(drop).map_err(|error| Problem::new("auth", format!("{error}."), ""))
    }

    /// Puts the contents of `pem_file` into `pem`, so that nothing behind this module reads files of settings.
    fn read_key_files(&mut self, config_file: Option<&Path>) -> Vec<Problem> {
        let directory = config_file.and_then(Path::parent).unwrap_or(Path::new(""));
        let mut problems = Vec::new();
        for (i, key) in self.auth.keys.iter_mut().enumerate() {
            let Some(path) = key.pem_file.take().map(|path| directory.join(path)) else { continue };
            match std::fs::read_to_string(&path) {
                Ok(pem) => key.pem = Some(pem),
                Err(error) => problems.push(Problem::new(
                    format!("auth.keys.{i}.pem_file"),
                    format!("{} cannot be read: {error}", path.display()),
                    "Relative paths start at the configuration file's directory.",
                )),
            }
        }
        problems
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the setting comes from: a file, a variable, a flag, the defaults.
    pub source: String,
    /// The setting, dotted; empty when the whole source is meant.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
    /// The setting that it contradicts: whoever set only that one is to be told.
    other: Option<&'static str>,
}

impl Problem {
    fn new(key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { source: String::new(), key: key.into(), message: message.into(), hint: hint.into(), other: None }
    }

    fn at(self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, " {}", self.hint) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}
