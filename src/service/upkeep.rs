//! What is done now and then: forgetting what is of no more use.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Service;

/// How often revocations are looked through, and after how many times the tables are.
const SWEEP: Duration = Duration::from_secs(60);
const SWEEPS_PER_TRIM: u32 = 60;
/// Devices stay for so long after their end, longer than any access token of theirs.
const ENDED_DEVICE_MS: u64 = 2 * 24 * 3_600 * 1_000;

impl Service {
    /// Goes on until it is dropped.
    pub async fn keep_up(self: Arc<Self>) {
        let mut tick = tokio::time::interval(SWEEP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for round in 0_u32.. {
            tick.tick().await;
            let now_ms = (self.now_ms)();
            self.roster.sweep(now_ms);
            if round % SWEEPS_PER_TRIM == 0
                && let Err(error) = self.trim(now_ms).await
            {
                tracing::warn!(%error, "old devices and records of the audit could not be removed");
            }
        }
    }

    async fn trim(&self, now_ms: u64) -> Result<(), crate::directory::DirectoryError> {
        self.directory.trim_devices(now_ms.saturating_sub(ENDED_DEVICE_MS)).await?;
        self.directory.trim_audit(now_ms.saturating_sub(self.config.audit_s * 1_000)).await?;
        Ok(())
    }
}
