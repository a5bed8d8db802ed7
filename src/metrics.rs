//! What the server tells Prometheus: every name in one table, with its unit.
//!
//! Parts count in plain integers of their own and know nothing of this file; a collector per part, registered by
//! `server.rs`, copies those integers at each scrape, so that counting costs nothing between scrapes. Nothing here is
//! global: each [`MetricsHandle`] has its own registry, and several servers may live in one process.
//!
//! Invariant: no metric is labelled by room or user, whose number has no bound.

use std::fmt::Write as _;
use std::sync::Arc;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use parking_lot::Mutex;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Rises until the server restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often a duration fell into each bucket.
    Histogram,
}

/// Every metric: name (its end is the unit), kind, meaning.
pub const METRICS: &[(&str, MetricKind, &str)] = &[
    ("konvert_connections", MetricKind::Gauge, "Connections that are authenticated."),
    ("konvert_transport_connections", MetricKind::Gauge, "Connections by what they speak by, also those pending."),
    ("konvert_connections_pending", MetricKind::Gauge, "Connections that have not authenticated yet."),
    ("konvert_connects_total", MetricKind::Counter, "Connections that authenticated."),
    ("konvert_rooms", MetricKind::Gauge, "Rooms that exist."),
    ("konvert_rooms_active", MetricKind::Gauge, "Rooms held in memory because somebody is there."),
    ("konvert_commands_total", MetricKind::Counter, "Commands received."),
    ("konvert_messages_stored_total", MetricKind::Counter, "Messages stored."),
    ("konvert_messages_duplicate_total", MetricKind::Counter, "Publishes answered from idempotency."),
    ("konvert_deliveries_total", MetricKind::Counter, "Pushes put into outboxes."),
    ("konvert_signals_total", MetricKind::Counter, "Signals accepted."),
    ("konvert_pushes_shed_total", MetricKind::Counter, "Pushes not queued for a shard that was too far behind."),
    ("konvert_slow_consumers_total", MetricKind::Counter, "Connections closed because they read too slowly."),
    ("konvert_closes_total", MetricKind::Counter, "Connections closed by the server, by close code."),
    ("konvert_errors_total", MetricKind::Counter, "Commands answered with an error, by error code."),
    ("konvert_publish_seconds", MetricKind::Histogram, "From taking a publish to its ack in the outbox."),
    ("konvert_journal_commit_seconds", MetricKind::Histogram, "One commit of the journal: a write and a sync."),
    ("konvert_journal_commits_total", MetricKind::Counter, "Commits of the journal."),
    ("konvert_journal_commit_bytes_total", MetricKind::Counter, "Bytes written by commits."),
    ("konvert_journal_folds_total", MetricKind::Counter, "Fold passes into the long-term store."),
    ("konvert_journal_queued", MetricKind::Gauge, "Entries waiting to be committed."),
    ("konvert_journal_unfolded_bytes", MetricKind::Gauge, "Bytes committed but not yet in the long-term store."),
    ("konvert_journal_free_bytes", MetricKind::Gauge, "Free bytes on the journal's file system."),
    ("konvert_journal_read_only", MetricKind::Gauge, "1 when no writes are accepted."),
    ("konvert_journal_damage", MetricKind::Gauge, "Damaged places found since start."),
    ("konvert_blobs_stored_total", MetricKind::Counter, "Files stored, each content once."),
    ("konvert_blobs_stored_bytes_total", MetricKind::Counter, "Bytes of the files stored."),
    ("konvert_blobs_received_bytes_total", MetricKind::Counter, "Bytes of uploads received."),
    ("konvert_blobs_collected_total", MetricKind::Counter, "Files deleted because nothing named them."),
    ("process_resident_memory_bytes", MetricKind::Gauge, "Memory the process holds."),
    ("process_open_fds", MetricKind::Gauge, "File descriptors the process holds."),
    ("process_cpu_seconds_total", MetricKind::Counter, "Processor time the process has used."),
];

/// Copies a part's integers into a scrape.
pub type Collector = Box<dyn Fn(&mut Scrape) + Send + Sync>;

/// One registry; cheap to clone.
#[derive(Clone)]
pub struct MetricsHandle(Arc<Registry>);

struct Registry {
    recorder: PrometheusRecorder,
    /// In the order they were registered; also makes scrapes take turns.
    collectors: Mutex<Vec<Collector>>,
}

/// Makes a registry that knows every name of [`METRICS`] and tells about the process.
pub fn install() -> MetricsHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for &(name, kind, meaning) in METRICS {
            match kind {
                MetricKind::Counter => describe_counter!(name, meaning),
                MetricKind::Gauge => describe_gauge!(name, meaning),
                MetricKind::Histogram => {} // Rendered here, see Scrape::histogram.
            }
        }
    });
    let handle = MetricsHandle(Arc::new(Registry { recorder, collectors: Mutex::new(Vec::new()) }));
    handle.collect(Box::new(process));
    handle
}

impl MetricsHandle {
    /// Has this collector run at each scrape.
    pub fn collect(&self, collector: Collector) {
        self.0.collectors.lock().push(collector);
    }

    /// Runs the collectors and tells everything in Prometheus' text form.
    pub fn render(&self) -> String {
        let mut scrape = Scrape { text: String::new() };
        let collectors = self.0.collectors.lock();
        metrics::with_local_recorder(&self.0.recorder, || collectors.iter().for_each(|collect| collect(&mut scrape)));
        self.0.recorder.handle().render() + &scrape.text
    }

    /// Lets the registry tidy up; call it every few seconds.
    pub fn run_upkeep(&self) {
        self.0.recorder.handle().run_upkeep();
    }
}

/// Takes the numbers of one scrape. Names are those of [`METRICS`].
pub struct Scrape {
    /// What the registry cannot take: counts of buckets, and counters with fractions.
    text: String,
}

impl Scrape {
    /// A count since start.
    pub fn counter(&mut self, name: &'static str, value: u64) {
        debug_assert_eq!(kind(name), Some(MetricKind::Counter), "{name}");
        counter!(name).absolute(value);
    }

    /// A count since start of one error or close code.
    pub fn counter_by_code(&mut self, name: &'static str, code: u32, value: u64) {
        debug_assert_eq!(kind(name), Some(MetricKind::Counter), "{name}");
        counter!(name, "code" => code.to_string()).absolute(value);
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &'static str, value: u64) {
        debug_assert_eq!(kind(name), Some(MetricKind::Gauge), "{name}");
        // Exact below 2^53.
        gauge!(name).set(value as f64);
    }

    /// A number that goes up and down, of one transport.
    pub fn gauge_by_transport(&mut self, name: &'static str, transport: &'static str, value: u64) {
        debug_assert_eq!(kind(name), Some(MetricKind::Gauge), "{name}");
        gauge!(name, "transport" => transport).set(value as f64);
    }

    /// Durations as a part counted them: one count per upper bound in microseconds, and one for those above all. The
    /// registry takes single samples only; keeping those between scrapes would cost memory per publish.
    pub fn histogram(&mut self, name: &'static str, bounds_us: &[u64], counts: &[u64], sum_us: Option<u64>) {
        debug_assert_eq!(kind(name), Some(MetricKind::Histogram), "{name}");
        self.head(name);
        let mut total = 0;
        for (bound, count) in bounds_us.iter().zip(counts) {
            total += count;
            self.line(format_args!("{name}_bucket{{le=\"{}\"}} {total}", seconds(*bound)));
        }
        total += counts.iter().skip(bounds_us.len()).sum::<u64>();
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {total}"));
        if let Some(sum) = sum_us {
            self.line(format_args!("{name}_sum {}", seconds(sum)));
        }
        self.line(format_args!("{name}_count {total}"));
    }

    fn head(&mut self, name: &str) {
        if let Some(&(_, kind, meaning)) = METRICS.iter().find(|metric| metric.0 == name) {
            let kind = format!("{kind:?}").to_lowercase();
            self.line(format_args!("# HELP {name} {meaning}\n# TYPE {name} {kind}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn kind(name: &str) -> Option<MetricKind> {
    METRICS.iter().find(|metric| metric.0 == name).map(|metric| metric.1)
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// What the process costs. A number that the system does not tell is left out.
fn process(scrape: &mut Scrape) {
    if let Some(bytes) = resident_bytes() {
        scrape.gauge("process_resident_memory_bytes", bytes);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // The listing itself holds one.
        scrape.gauge("process_open_fds", (entries.count() as u64).saturating_sub(1));
    }
    let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    scrape.head("process_cpu_seconds_total");
    scrape.line(format_args!("process_cpu_seconds_total {}.{:09}", cpu.tv_sec, cpu.tv_nsec));
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB");
    Some(kib.parse::<u64>().ok()? * 1_024)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_end_in_their_unit() {
        let mut names = HashSet::new();
        for &(name, kind, meaning) in METRICS {
            assert!(names.insert(name), "{name} twice");
            assert_eq!(kind == MetricKind::Counter, name.ends_with("_total"), "{name}");
            assert_eq!(
                kind == MetricKind::Histogram,
                name.starts_with("konvert_") && name.ends_with("_seconds"),
                "{name}"
            );
            assert!(meaning.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_scrape_tells_what_the_parts_count() {
        let handle = install();
        handle.collect(Box::new(|scrape| {
            scrape.counter("konvert_signals_total", 7);
            scrape.counter_by_code("konvert_errors_total", 501, 3);
            scrape.gauge("konvert_rooms", 2);
            scrape.histogram("konvert_publish_seconds", &[50, 1_000], &[1, 2, 4], Some(1_500_000));
        }));
        for _ in 0..2 {
            let text = handle.render();
            for line in [
                "# TYPE konvert_signals_total counter",
                "konvert_signals_total 7",
                "konvert_errors_total{code=\"501\"} 3",
                "konvert_rooms 2",
                "# TYPE konvert_publish_seconds histogram",
                "konvert_publish_seconds_bucket{le=\"0.00005\"} 1",
                "konvert_publish_seconds_bucket{le=\"0.001\"} 3",
                "konvert_publish_seconds_bucket{le=\"+Inf\"} 7",
                "konvert_publish_seconds_sum 1.5",
                "konvert_publish_seconds_count 7",
            ] {
                assert!(text.lines().any(|told| told == line), "{line} is missing in\n{text}");
            }
            assert!(text.contains("process_cpu_seconds_total "), "{text}");
            assert!(!text.contains("process_open_fds 0\n"), "{text}");
        }
        // Registries do not share.
        assert!(!install().render().contains("konvert_signals_total 7"));
    }
}
