//! The composition root: the only place that sees every part. Opens the journal, wires it to the core and the core to
//! the live edge, keeps the clockwork running, and brings everything to an end in the right order.

mod standing;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::address::network;
use crate::auth::{Auth, AuthConfigError};
use crate::blobs::{BlobError, Blobs};
use crate::broker::{Broker, BrokerError, Fanout, Inbox, RoomConfig, SHARDS_MAX};
use crate::config::Config;
use crate::directory::{Directory, DirectoryError};
use crate::gateway::{Admission, Counters, Gateway, Shared, now_ms, steady_ms};
use crate::journal::{DurableJournal, Journal, Mode, OpenError};
use crate::metrics::{self, MetricsHandle};
use crate::rest::{self, Edge, RestState};
use crate::service::{Ground, Limits, OutwardError, Roster, Service, Webhooks, follow_key_sets};
use standing::{gateway_collector, health_facts, journal_collector, watch_directory};

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
    /// The directory cannot be opened or does not answer.
    #[error("cannot open the directory of accounts: {0}")]
    Directory(#[from] DirectoryError),
    /// The store of files cannot be opened.
    #[error("cannot open the store of files: {0}")]
    Blobs(#[from] BlobError),
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
    /// Webhooks cannot be sent.
    #[error("cannot send webhooks: {0}")]
    Webhooks(#[from] OutwardError),
    /// The machine does not give what is needed.
    #[error("cannot start: {0}")]
    Machine(#[from] io::Error),
}

/// Runs the server until it is told to end by SIGTERM or SIGINT. `on_ready` is called when it listens.
///
/// # Errors
/// When it could not start. After `on_ready` it ends well.
pub fn serve(config: Config, secret: Vec<u8>, on_ready: impl FnOnce(Ready)) -> Result<(), ServeError> {
    end_with_a_shard();
    // For requests over HTTP and what goes on in the background; the shards have runtimes of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("rest").enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(&config, &secret).await?;
        // Before anybody is told that it runs, so that nobody can end it unheard.
        let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        on_ready(Ready { address: server.address, first_administrator: server.first_administrator.clone() });
        server.run_until_told(signals).await
    })
}

/// What is told when the server listens.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Where.
    pub address: SocketAddr,
    /// The code by which somebody becomes the first administrator, for as long as there is none.
    pub first_administrator: Option<String>,
}

struct Server {
    address: SocketAddr,
    first_administrator: Option<String>,
    auth: Arc<Auth>,
    service: Arc<Service>,
    broker: Broker,
    journal: Arc<dyn Journal>,
    directory: Directory,
    gateway: Gateway,
    metrics: MetricsHandle,
    is_draining: Arc<AtomicBool>,
    /// What the service does beside requests, and how it is told to end.
    housekeeping: (JoinHandle<()>, CancellationToken),
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
        let directory = open_directory(config).await?;
        let runtime = tokio::runtime::Handle::current();
        let pace = config.gateway.publishes_per_second;
        let (limits, notices) = Limits::load(directory.clone(), config.limits.clone(), pace, now_ms).await?;
        let roster = Roster::new(directory.clone(), runtime.clone(), &config.service, limits).await?;
        let broker = Broker::new(config.broker.clone(), journal.clone(), fanout.clone(), Arc::new(roster.clone()));
        open_rooms(&broker, journal.as_ref(), &config.broker.rooms).await?;

        let admission = Admission::new(config.gateway.clone());
        let counters = Arc::new(Counters::default());
        let metrics = metrics::install();
        metrics.collect(Box::new(gateway_collector(counters.clone(), admission.clone(), inboxes.clone())));
        metrics.collect(Box::new(journal_collector(broker.clone())));
        let is_draining = Arc::new(AtomicBool::new(false));
        let trouble = Arc::<Mutex<Option<String>>>::default();
        tokio::spawn(watch_directory(directory.clone(), trouble.clone()));
        let auth = Arc::new(Auth::new(&config.auth, secret, config.guest_rooms())?);
        let blobs =
            Blobs::open(config.blobs.clone(), &config.server.data.join("blobs"), config.journal.free_bytes_min)?;
        let blobs = Arc::new(blobs);
        metrics.collect(Box::new(blobs.clone().collector()));
        tokio::spawn(blobs.clone().watch());
        let webhooks = Webhooks::new(config.webhooks.clone())?;
        let (tables, core) = (directory.clone(), broker.clone());
        let free_bytes_min = config.journal.free_bytes_min;
        let health = health_facts(broker.clone(), free_bytes_min, is_draining.clone(), trouble.clone(), blobs.clone());
        let ground = Ground { directory: tables, roster, broker: core, auth: auth.clone(), blobs, webhooks, now_ms };
        let service = Arc::new(Service::new(config.service.clone(), ground));
        service.start_webhooks().await?;
        let first_administrator = service.first_administrator_code().await.unwrap_or_else(|error| {
            tracing::error!(%error, "there is no code for a first administrator");
            None
        });
        let edge = edge(config);
        let trusted_proxies = edge.trusted_proxies.clone();
        let router = rest::router(RestState {
            health,
            metrics: metrics.clone(),
            started: Instant::now(),
            edge: Arc::new(edge),
            service: service.clone(),
            runtime,
        });
        let (settings, keys, core) = (config.gateway.clone(), auth.clone(), broker.clone());
        let shared = Shared { config: settings, trusted_proxies, broker: core, auth: keys, admission, counters };
        let gateway = Gateway::start(&listener, Arc::new(shared), inboxes, router)?;
        let stop = CancellationToken::new();
        let housekeeping = (tokio::spawn(service.clone().keep_house(notices, stop.clone())), stop);
        Ok(Self {
            address,
            first_administrator,
            auth,
            service,
            broker,
            journal,
            directory,
            gateway,
            metrics,
            is_draining,
            housekeeping,
        })
    }

    async fn run_until_told(self, (mut terminate, mut interrupt): (Signal, Signal)) -> Result<(), ServeError> {
        let presence = tokio::spawn(presence_ticks(self.broker.clone()));
        let upkeep = tokio::spawn(upkeep(self.journal.clone(), self.metrics.clone()));
        let follower = tokio::spawn(self.service.clone().follow());
        let looks = tokio::spawn(self.service.clone().tell_looks());
        let service_upkeep = tokio::spawn(self.service.keep_up());
        let key_sets = tokio::spawn(follow_key_sets(self.auth));
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
        // What it has not written it reads again at the next start.
        follower.abort();
        looks.abort();
        service_upkeep.abort();
        key_sets.abort();
        let (housekeeping, stop) = self.housekeeping;
        stop.cancel();
        if housekeeping.await.is_err() {
            tracing::error!("what was counted last is not stored");
        }
        self.directory.close().await;
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

/// From where requests may come. What is no network was refused with the settings.
fn edge(config: &Config) -> Edge {
    let proxies = config.server.trusted_proxies.iter().filter_map(|text| network(text));
    Edge { origins: config.gateway.origins.clone(), trusted_proxies: proxies.collect() }
}

async fn open_directory(config: &Config) -> Result<Directory, DirectoryError> {
    Directory::open(&config.directory, &config.server.data).await
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
        broker.presence_tick(steady_ms(), now_ms());
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
