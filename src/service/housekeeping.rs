//! What goes on beside requests: counts are stored, users hear of their limits, files that nobody needs go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Service;

/// How often counts are stored: as much as a crash forgets of them.
const STORE: Duration = Duration::from_secs(5);
/// How often files are looked through, at most and at least, seconds.
const SWEEP_S: (u64, u64) = (1, 60);

impl Service {
    /// Goes on until `stop`; then everything that was counted is stored. `notices` are users who have used much.
    pub async fn keep_house(self: Arc<Self>, mut notices: mpsc::Receiver<Arc<str>>, stop: CancellationToken) {
        let counting = async {
            let mut store = every(STORE);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = store.tick() => self.store_counts().await,
                    Some(user) = notices.recv() => self.tell_limits(&user).await,
                }
            }
        };
        // Beside each other, because a sweep may take long; it is broken off by the end, as by a crash.
        tokio::select! {
            () = counting => {}
            () = self.sweep_files() => {}
        }
        self.store_counts().await;
    }

    /// Looks through files for ever.
    async fn sweep_files(&self) {
        let started_ms = (self.now_ms)();
        let files = self.blobs.config();
        let sweep_s = (files.unreferenced_s.min(files.upload_expires_s) / 2).clamp(SWEEP_S.0, SWEEP_S.1);
        if let Err(error) = self.tidy_staging().await {
            tracing::warn!(%error, "what was left of uploads was not looked through");
        }
        let (mut sweep, mut after) = (every(Duration::from_secs(sweep_s)), String::new());
        loop {
            sweep.tick().await;
            if let Err(error) = self.sweep_blobs(started_ms, &mut after).await {
                tracing::warn!(%error, "files were not looked through to the end; the next time goes on");
            }
        }
    }

    async fn store_counts(&self) {
        if let Err(error) = self.roster.limits().store().await {
            tracing::warn!(%error, "counts were not stored; the next time does it");
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
