//! The composition root: the only place that sees every part. Opens the journal, wires it to the core and the core to
//! the live edge, keeps the clockwork running, and brings everything to an end in the right order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use crate::auth::{Auth, AuthConfigError};
use crate::broker::{Broker, BrokerError, Fanout, Inbox, RoomConfig, SHARDS_MAX};
use crate::config::Config;
use crate::gateway::{self, Admission, Counters, Gateway, Shared, now_ms, steady_ms};
use crate::journal::{DurableJournal, Journal, Mode, OpenError};
use crate::metrics::{self, MetricsHandle, Scrape};
use crate::rest::{self, HealthFacts, RestState};

/// Connections that the kernel may keep waiting to be accepted; more than come in the time of one busy turn.
const BACKLOG: u32 = 4_096;
/// How often the journal tidies up.
const MAINTAIN: Duration = Duration::from_secs(1);

/// Why the server did not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken or not allowed.
    #[error("cannot listen on {address}: {source}. Choose another port with --port, or 0 for any free one")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The journal cannot be opened.
    #[error("cannot open the journal in {}: {source}", directory.display())]
    Journal {
        /// Where.
        directory: PathBuf,
        /// Why not.
        source: OpenError,
    },
    /// The keys cannot be used.
    #[error(transparent)]
    Auth(#[from] AuthConfigError),
    /// A room of the configuration cannot be had.
    #[error("cannot open the room {room:?} of the configuration: {reason}")]
    Room {
        /// Its name.
        room: String,
        /// Why not.
        reason: String,
    },
    /// The machine does not give what is needed.
    #[error("cannot start: {0}")]
    Machine(#[from] io::Error),
}

/// Runs the server until it is told to end by SIGTERM or SIGINT. `on_ready` is called when it listens.
///
/// # Errors
/// When it could not start. After `on_ready` it ends well.
pub fn serve(config: Config, secret: Vec<u8>, on_ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    end_with_a_shard();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(&config, &secret).await?;
        // Before anybody is told that it runs, so that nobody can end it unheard.
        let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        on_ready(server.address);
        server.run_until_told(signals).await
    })
}

struct Server {
    address: SocketAddr,
    broker: Broker,
    journal: Arc<dyn Journal>,
    gateway: Gateway,
    metrics: MetricsHandle,
    is_draining: Arc<AtomicBool>,
}

impl Server {
    async fn start(config: &Config, secret: &[u8]) -> Result<Self, ServeError> {
        let listener = listen(SocketAddr::new(config.server.bind, config.server.port))?;
        let address = listener.local_addr()?;
        let inboxes: Vec<_> = (0..shard_count(config.gateway.shards)).map(|_| Arc::new(Inbox::default())).collect();
        let fanout = Fanout::new(inboxes.clone());
        let directory = config.server.data.join("journal");
        let journal: Arc<dyn Journal> = DurableJournal::open(&directory, &config.journal, fanout.clone())
            .map_err(|source| ServeError::Journal { directory, source })?;
        let broker = Broker::new(config.broker.clone(), journal.clone(), fanout.clone());
        open_rooms(&broker, journal.as_ref(), &config.broker.rooms).await?;

        let admission = Admission::new(config.gateway.clone());
        let counters = Arc::new(Counters::default());
        let metrics = metrics::install();
        metrics.collect(Box::new(gateway_collector(counters.clone(), admission.clone(), inboxes.clone())));
        metrics.collect(Box::new(journal_collector(broker.clone())));
        let is_draining = Arc::new(AtomicBool::new(false));
        let router = rest::router(RestState {
            health: health_facts(broker.clone(), config.journal.free_bytes_min, is_draining.clone()),
            metrics: metrics.clone(),
            started: Instant::now(),
        });
        let shared = Arc::new(Shared {
            config: config.gateway.clone(),
            broker: broker.clone(),
            auth: Auth::new(&config.auth, secret, config.guest_rooms())?,
            admission,
            counters,
        });
        let gateway = Gateway::start(&listener, shared, inboxes, router)?;
        Ok(Self { address, broker, journal, gateway, metrics, is_draining })
    }

    async fn run_until_told(self, (mut terminate, mut interrupt): (Signal, Signal)) -> Result<(), ServeError> {
        let presence = tokio::spawn(presence_ticks(self.broker.clone()));
        let upkeep = tokio::spawn(upkeep(self.journal.clone(), self.metrics.clone()));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining");
        self.is_draining.store(true, Ordering::Relaxed);
        let (gateway, journal) = (self.gateway, self.journal);
        // Connections first, so that what they published last is still committed and acknowledged.
        let ended = tokio::task::spawn_blocking(move || {
            gateway.drain();
            journal.close();
        });
        if ended.await.is_err() {
            tracing::error!("the end was not orderly; the journal recovers at the next start");
        }
        presence.abort();
        upkeep.abort();
        tracing::info!("ended");
        Ok(())
    }
}

/// A panic on a shard's thread ends the process: half of the connections would hang in a server that says it is well,
/// while a restart loses nothing that was acknowledged.
fn end_with_a_shard() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if std::thread::current().name().is_some_and(|name| name.starts_with("shard-")) {
            std::process::abort();
        }
    }));
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bind = || {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        // So that a restart need not wait for the last connections' TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    bind().map_err(|source| ServeError::Listen { address, source })
}

fn shard_count(wanted: usize) -> usize {
    let count = match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        wanted => wanted,
    };
    count.min(SHARDS_MAX)
}

async fn open_rooms(broker: &Broker, journal: &dyn Journal, rooms: &[RoomConfig]) -> Result<(), ServeError> {
    for room in rooms {
        let refused = |reason: String| ServeError::Room { room: room.name.clone(), reason };
        let wanted = if room.e2ee { Mode::E2ee } else { Mode::ServerReadable };
        let info = match broker.ensure(&room.name, room.e2ee).await {
            Ok(info) => info,
            Err(BrokerError::ReadOnly) => {
                tracing::warn!(room = room.name, "the journal is read-only, so this room cannot be created");
                continue;
            }
            Err(error) => return Err(refused(konvert_protocol::v1::Error::from(error).message)),
        };
        if info.mode != wanted {
            return Err(refused("it exists with another mode, and a mode never changes; name another room".to_owned()));
        }
        if let Some(retention) = room.retention {
            journal.set_retention(info.id, retention);
        }
    }
    Ok(())
}

async fn presence_ticks(broker: Broker) {
    let mut tick = tokio::time::interval(Duration::from_millis(broker.config().presence_tick_ms.max(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        broker.presence_tick(steady_ms());
    }
}

async fn upkeep(journal: Arc<dyn Journal>, metrics: MetricsHandle) {
    let mut tick = tokio::time::interval(MAINTAIN);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let journal = journal.clone();
        if tokio::task::spawn_blocking(move || journal.maintain(now_ms())).await.is_err() {
            tracing::error!("a step of the journal's upkeep failed");
        }
        metrics.run_upkeep();
    }
}

fn health_facts(
    broker: Broker,
    free_bytes_min: u64,
    is_draining: Arc<AtomicBool>,
) -> Arc<dyn Fn() -> HealthFacts + Send + Sync> {
    Arc::new(move || {
        let health = broker.health();
        HealthFacts {
            read_only: health.read_only,
            damage: health.damage,
            free_bytes: health.free_bytes,
            free_bytes_min,
            draining: is_draining.load(Ordering::Relaxed),
        }
    })
}

fn gateway_collector(
    counters: Arc<Counters>,
    admission: Arc<Admission>,
    inboxes: Vec<Arc<Inbox>>,
) -> impl Fn(&mut Scrape) {
    move |scrape| {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        scrape.gauge("konvert_connections", admission.connections() as u64);
        scrape.gauge("konvert_connections_pending", admission.pending() as u64);
        scrape.counter("konvert_connects_total", count(&counters.opened));
        scrape.counter("konvert_commands_total", count(&counters.commands));
        scrape.counter("konvert_deliveries_total", count(&counters.deliveries));
        scrape.counter("konvert_signals_total", count(&counters.signals));
        scrape.counter("konvert_slow_consumers_total", count(&counters.slow_consumers));
        scrape.counter("konvert_pushes_shed_total", inboxes.iter().map(|inbox| inbox.shed()).sum());
        for (code, closes) in counters.closes_by_code() {
            scrape.counter_by_code("konvert_closes_total", code, closes);
        }
        for (code, errors) in counters.errors_by_code() {
            scrape.counter_by_code("konvert_errors_total", code, errors);
        }
        let publishes = counters.publish_us.each_ref().map(count);
        let sum = count(&counters.publish_us_sum);
        scrape.histogram("konvert_publish_seconds", &gateway::PUBLISH_BUCKETS_US, &publishes, Some(sum));
    }
}

fn journal_collector(broker: Broker) -> impl Fn(&mut Scrape) {
    move |scrape| {
        let (stats, health) = (broker.stats(), broker.health());
        scrape.gauge("konvert_rooms", stats.rooms);
        scrape.gauge("konvert_rooms_active", broker.live_rooms() as u64);
        scrape.counter("konvert_messages_stored_total", stats.stored);
        scrape.counter("konvert_messages_duplicate_total", stats.duplicates);
        scrape.counter("konvert_journal_commits_total", stats.commits);
        scrape.counter("konvert_journal_commit_bytes_total", stats.commit_bytes);
        scrape.counter("konvert_journal_folds_total", stats.folds);
        scrape.gauge("konvert_journal_queued", stats.queued);
        scrape.gauge("konvert_journal_unfolded_bytes", health.unfolded_bytes);
        scrape.gauge("konvert_journal_free_bytes", health.free_bytes.unwrap_or(0));
        scrape.gauge("konvert_journal_read_only", u64::from(health.read_only.is_some()));
        scrape.gauge("konvert_journal_damage", health.damage.len() as u64);
        let bounds = &crate::journal::COMMIT_BUCKETS_US;
        scrape.histogram("konvert_journal_commit_seconds", bounds, &stats.commit_us, None);
    }
}
