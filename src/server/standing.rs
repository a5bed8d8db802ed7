//! How the parts are: what is asked of them for `/api/health` and for the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;

use crate::blobs::Blobs;
use crate::broker::{Broker, Inbox};
use crate::directory::Directory;
use crate::gateway::{self, Admission, Counters};
use crate::metrics::Scrape;
use crate::rest::HealthFacts;

/// How often the directory is asked whether it answers, and how long it may take.
const WATCH: Duration = Duration::from_secs(5);

/// Keeps what is wrong with the directory for whoever asks.
pub(super) async fn watch_directory(directory: Directory, trouble: Arc<Mutex<Option<String>>>) {
    let mut tick = tokio::time::interval(WATCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let answer = tokio::time::timeout(WATCH, directory.check()).await;
        *trouble.lock() = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it does not answer".to_owned()),
        };
    }
}

/// How the parts are, asked of each at once.
pub(super) fn health_facts(
    broker: Broker,
    free_bytes_min: u64,
    is_draining: Arc<AtomicBool>,
    directory: Arc<Mutex<Option<String>>>,
    blobs: Arc<Blobs>,
) -> Arc<dyn Fn() -> HealthFacts + Send + Sync> {
    Arc::new(move || {
        let health = broker.health();
        HealthFacts {
            read_only: health.read_only,
            directory: directory.lock().clone(),
            files: blobs.trouble(),
            damage: health.damage,
            free_bytes: health.free_bytes,
            free_bytes_min,
            draining: is_draining.load(Ordering::Relaxed),
        }
    })
}

/// Copies what the live edge counted into a scrape.
pub(super) fn gateway_collector(
    counters: Arc<Counters>,
    admission: Arc<Admission>,
    inboxes: Vec<Arc<Inbox>>,
) -> impl Fn(&mut Scrape) {
    move |scrape| {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        scrape.gauge("konvert_connections", admission.connections() as u64);
        for (kind, connections) in admission.connections_by_kind() {
            scrape.gauge_by_transport("konvert_transport_connections", kind.name(), connections as u64);
        }
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

/// Copies what the journal counted into a scrape.
pub(super) fn journal_collector(broker: Broker) -> impl Fn(&mut Scrape) {
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
