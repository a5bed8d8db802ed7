//! Settings of webhooks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long an endpoint has for its answer.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// What of an answer is read, bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 4 << 10;
/// Most endpoints.
pub(super) const ENDPOINTS_MAX: u64 = 100;

/// How programs outside are told of what happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Networks that requests may go to although they are private, such as `10.0.0.0/8`.
    pub allow_private: Vec<String>,
    /// How long a delivery is tried, seconds; then it is given up and the next one goes.
    pub give_up_after_s: u64,
    /// The first wait after a failure, milliseconds; it doubles up to an hour.
    pub retry_ms: u64,
    /// Most deliveries that wait for one endpoint; newer events are dropped then.
    pub waiting_max: u64,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self { allow_private: Vec::new(), give_up_after_s: 24 * 3_600, retry_ms: 1_000, waiting_max: 100_000 }
    }
}
