//! Sending what waits for one endpoint, in order.
//!
//! Owns a task per endpoint: the next delivery goes only when the endpoint has the one before it, or that was given up.
//! Endpoints do not wait for each other. Everything is in the directory, so that the task can end at any moment: what was
//! sent and not yet marked is sent again, with the same id.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::config::ANSWER_BYTES_MAX;
use super::{Service, signature};
use crate::directory::{Delivery, DeliveryState, DirectoryError, Webhook, WebhookState};

/// Deliveries that are read, and marked, together.
const BATCH: u64 = 32;
/// How long to wait when there is nothing to do; a change made by another process is seen then.
const IDLE: Duration = Duration::from_secs(30);
/// The longest wait between two attempts, milliseconds.
const RETRY_MS_MAX: u64 = 3_600_000;
/// The endpoint wants nothing any more.
const STATUS_GONE: u16 = 410;

/// The task of an endpoint; it ends when this is dropped.
pub(super) struct Sender {
    notify: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Sender {
    pub fn start(service: &Arc<Service>, id: String) -> Self {
        let notify = Arc::<Notify>::default();
        let task = tokio::spawn(run(Arc::downgrade(service), id, notify.clone()));
        Self { notify, task }
    }

    /// Has it look at once.
    pub fn wake(&self) {
        self.notify.notify_one();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is to be done after a look.
enum Next {
    /// Look again.
    Now,
    /// Look again after that long, or when something changed.
    After(Duration),
    /// There is no such endpoint.
    Never,
}

async fn run(service: Weak<Service>, id: String, notify: Arc<Notify>) {
    loop {
        let Some(service) = service.upgrade() else { return };
        let next = service.send_waiting(&id).await.unwrap_or_else(|error| {
            tracing::error!(%error, webhook = id, "deliveries could not be read or marked");
            Next::After(IDLE)
        });
        drop(service);
        match next {
            Next::Now => {}
            Next::After(wait) => {
                // A time that is over or a change: both mean to look again.
                let _ = tokio::time::timeout(wait, notify.notified()).await;
            }
            Next::Never => return,
        }
    }
}

/// How an attempt ended.
pub(super) struct Attempt {
    /// The answer's status; 0: none came.
    pub status: u16,
    /// Why it is no success; empty if it is.
    pub error: String,
}

impl Attempt {
    pub fn is_success(&self) -> bool {
        self.error.is_empty()
    }
}

impl Service {
    /// Sends what waits until there is nothing, or something fails.
    async fn send_waiting(&self, id: &str) -> Result<Next, DirectoryError> {
        let changes = self.webhooks.changes.load(Ordering::Acquire);
        let Some(webhook) = self.directory.webhook(id).await? else { return Ok(Next::Never) };
        if webhook.state != WebhookState::Active {
            return Ok(Next::After(IDLE));
        }
        let deliveries = self.directory.waiting_deliveries(id, BATCH).await?;
        if deliveries.is_empty() {
            return Ok(Next::After(IDLE));
        }
        if crate::sabotage::is("forget_webhooks") {
            let all: Vec<_> = deliveries.iter().map(|delivery| delivery.number).collect();
            self.directory.deliveries_done(id, &all, 200, (self.now_ms)()).await?;
        }
        let (mut done, mut status, mut failure) = (Vec::new(), 0, None);
        for delivery in deliveries {
            if self.webhooks.changes.load(Ordering::Acquire) != changes {
                // It may be paused by now, or elsewhere.
                break;
            }
            let wait_ms = delivery.next_ms.saturating_sub((self.now_ms)());
            if wait_ms > 0 {
                self.directory.deliveries_done(id, &done, status, (self.now_ms)()).await?;
                return Ok(Next::After(Duration::from_millis(wait_ms)));
            }
            let attempt = self.attempt(&webhook, &delivery.event_id, &delivery.body).await;
            if !attempt.is_success() {
                failure = Some((delivery, attempt));
                break;
            }
            done.push(delivery.number);
            status = attempt.status.into();
        }
        self.directory.deliveries_done(id, &done, status, (self.now_ms)()).await?;
        if let Some((delivery, attempt)) = failure {
            self.failed(&webhook, delivery, attempt).await?;
        }
        Ok(Next::Now)
    }

    /// Keeps the failure; the delivery is tried again later, or given up, or the endpoint is.
    async fn failed(&self, webhook: &Webhook, mut delivery: Delivery, attempt: Attempt) -> Result<(), DirectoryError> {
        let now_ms = (self.now_ms)();
        let is_gone = attempt.status == STATUS_GONE;
        if delivery.attempts == 0 {
            // Its time begins now and not when it happened: what waited behind another one has its own.
            delivery.since_ms = now_ms;
        }
        delivery.attempts += 1;
        delivery.status = attempt.status.into();
        delivery.error = attempt.error;
        let age_ms = now_ms.saturating_sub(delivery.since_ms);
        if age_ms >= self.webhooks.config.give_up_after_s * 1_000 && !is_gone {
            delivery.state = DeliveryState::Dead;
            tracing::warn!(webhook = webhook.id, number = delivery.number, "a delivery was given up");
        } else {
            delivery.next_ms = now_ms + backoff_ms(self.webhooks.config.retry_ms, delivery.attempts);
        }
        self.directory.delivery_failed(&webhook.id, &delivery, now_ms).await?;
        if is_gone {
            tracing::warn!(webhook = webhook.id, "the endpoint answered 410 and is told nothing any more");
            self.webhook_gone(&webhook.id).await?;
        }
        Ok(())
    }

    /// One request.
    pub(super) async fn attempt(&self, webhook: &Webhook, event_id: &str, body: &str) -> Attempt {
        let failed = |error: String| Attempt { status: 0, error };
        let Some(headers) = signature::headers(&webhook.secret, event_id, (self.now_ms)() / 1_000, body) else {
            return failed("the endpoint's secret is damaged".into());
        };
        match self.webhooks.outward.post(&webhook.url, &headers, body.to_owned(), ANSWER_BYTES_MAX).await {
            Err(error) => failed(error.to_string()),
            Ok((status @ 200..300, _)) => Attempt { status, error: String::new() },
            Ok((status @ 300..400, _)) => {
                Attempt { status, error: format!("status {status}; redirects are not followed") }
            }
            Ok((status, body)) => {
                let said: String =
                    String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
                Attempt { status, error: format!("status {status}: {said}") }
            }
        }
    }
}

/// How long to wait after so many failures: doubling from `first_ms` up to an hour, the half of it by chance, so that
/// endpoints that failed together are not asked together.
fn backoff_ms(first_ms: u64, failures: u64) -> u64 {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(32);
    let full = first_ms.saturating_mul(1 << doublings).clamp(1, RETRY_MS_MAX);
    rand::rng().random_range(full / 2..=full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        for (failures, most) in
            [(1, 1_000), (2, 2_000), (5, 16_000), (12, 2_048_000), (13, 3_600_000), (999, 3_600_000)]
        {
            for _ in 0..50 {
                let wait = backoff_ms(1_000, failures);
                assert!((most / 2..=most).contains(&wait), "{failures}: {wait}");
            }
        }
        assert!(backoff_ms(0, u64::MAX) <= 1);
    }
}
