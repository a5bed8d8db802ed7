//! `konvert serve`: settings, log, secret, and then the server until it is told to stop.

use std::io::IsTerminal as _;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{Done, Settings, banner, notify, print};
use crate::config::{LogConfig, LogFormat, LogLevel};
use crate::{secrets, server};

#[derive(Args)]
#[command(after_help = "\
Nothing is needed: without any flag or file the server listens on port 3001 and keeps everything in ./data, which it
makes. Any setting of config.toml can also be given as KONVERT_<SECTION>__<KEY>. SIGTERM or Ctrl-C drains: clients are
told to come back, everything accepted is stored, and the exit code is 0.

Examples:
  konvert serve
  konvert serve --config /etc/konvert.toml --data /var/lib/konvert
  konvert serve --bind 127.0.0.1 --port 0")]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    pub(super) fn run(self) -> Done {
        let config = self.settings.load()?;
        start_log(&config.log);
        // Whatever the server writes is for its user alone, also in a directory that others may enter.
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
        let secret = secrets::load_or_create(&config.server.data)?;
        raise_descriptor_limit();
        let told = config.clone();
        let on_ready = move |ready: server::Ready| {
            print(banner::banner(&told, &ready));
            notify::ready();
        };
        Ok(server::serve(config, secret, on_ready)?)
    }
}

/// To standard error, so that standard output holds the banner alone.
fn start_log(config: &LogConfig) {
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries tell whole frames below this, tokens and payloads with them.
    let libraries = level.min(LevelFilter::INFO);
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let targets = Targets::new().with_target("konvert", level).with_default(libraries);
    match config.format {
        LogFormat::Text => log.finish().with(targets).init(),
        LogFormat::Json => log.json().flatten_event(true).finish().with(targets).init(),
    }
}

/// Every connection needs a descriptor, and the usual soft limit of 1024 is for programs that use `select`.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, current = ?limit.current, "the limit of descriptors could not be raised");
    }
}
