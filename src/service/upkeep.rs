//! What is done now and then: forgetting what is of no more use.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::{Service, ServiceError};

/// How often revocations are looked through, and after how many times the tables are.
const SWEEP: Duration = Duration::from_secs(60);
const SWEEPS_PER_TRIM: u32 = 60;
/// Devices stay for so long after their end, longer than any access token of theirs.
const ENDED_DEVICE_MS: u64 = 2 * 24 * 3_600 * 1_000;
/// Removed dialogs that are looked at in one sweep.
const REMOVED_MAX: u32 = 1_000;
/// What was published before a dialog was removed is stored or refused by then.
const UNDER_WAY_MS: u64 = 60_000;

impl Service {
    /// Goes on until it is dropped.
    pub async fn keep_up(self: Arc<Self>) {
        let mut tick = tokio::time::interval(SWEEP);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for round in 0_u32.. {
            tick.tick().await;
            let now_ms = (self.now_ms)();
            self.roster.sweep(now_ms);
            if let Err(error) = self.erase_dialogs(now_ms).await {
                tracing::warn!(%error, "messages of removed dialogs were not all erased; it is tried again");
            }
            if round % SWEEPS_PER_TRIM == 0
                && let Err(error) = self.trim(now_ms).await
            {
                tracing::warn!(%error, "old devices and records of the audit could not be removed");
            }
        }
    }

    /// Erases what is left of dialogs that were removed: by a crash, by a full queue, or because it was published while they
    /// were.
    async fn erase_dialogs(&self, now_ms: u64) -> Result<(), ServiceError> {
        for (dialog, removed_ms) in self.directory.removed_dialogs(REMOVED_MAX).await? {
            self.erase(&dialog).await?;
            if removed_ms.saturating_add(UNDER_WAY_MS) <= now_ms {
                self.directory.forget_removed_dialog(&dialog).await?;
            }
        }
        Ok(())
    }

    async fn trim(&self, now_ms: u64) -> Result<(), crate::directory::DirectoryError> {
        self.directory.trim_devices(now_ms.saturating_sub(ENDED_DEVICE_MS)).await?;
        self.directory.trim_audit(now_ms.saturating_sub(self.config.audit_s * 1_000)).await?;
        Ok(())
    }
}
