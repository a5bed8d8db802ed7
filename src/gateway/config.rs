//! Settings of the live edge, each with its unit; the same text stands in `config.toml`.

use serde::{Deserialize, Serialize};

/// What a connection may do and cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Threads that own connections; zero means one per core.
    pub shards: usize,
    /// Most connections in all.
    pub connections_max: usize,
    /// Most connections of one user.
    pub connections_per_user: usize,
    /// Most connections from one address that have not authenticated yet.
    pub pending_per_address: usize,
    /// Most connections in all that have not authenticated yet.
    pub pending_max: usize,
    /// A request must be complete, and then a connection authenticated, within this, milliseconds.
    pub connect_timeout_ms: u64,
    /// Interval of heartbeats, milliseconds; a connection silent for two of them and five seconds is closed.
    pub heartbeat_ms: u64,
    /// Longest WebSocket message from a client, bytes.
    pub message_bytes: usize,
    /// Most frames in one WebSocket message.
    pub frames_per_message: usize,
    /// Most rooms one connection may be subscribed to.
    pub rooms_per_connection: usize,
    /// Commands per second of one connection, all verbs together, sustained; twice as many in a burst.
    pub commands_per_second: u32,
    /// Publishes per second of one account, over all its connections and over HTTP, sustained; twice as many in a burst.
    pub publishes_per_second: u32,
    /// Signals per second of one connection, sustained; twice as many in a burst.
    pub signals_per_second: u32,
    /// Most pushes and replies waiting for one connection.
    pub outbox_count: usize,
    /// Most bytes waiting for one connection.
    pub outbox_bytes: usize,
    /// A connection that takes nothing of what waits for it for this long is closed, milliseconds.
    pub outbox_stall_ms: u64,
    /// Clients are told to come back spread over this much time when the server drains, milliseconds.
    pub drain_jitter_ms: u64,
    /// Origins whose pages may connect, compared exactly. Empty: only the page served here. `*`: any.
    pub origins: Vec<String>,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            shards: 0,
            connections_max: 100_000,
            connections_per_user: 100,
            pending_per_address: 1_000,
            pending_max: 10_000,
            connect_timeout_ms: 5_000,
            heartbeat_ms: 25_000,
            message_bytes: 256 << 10,
            frames_per_message: 128,
            rooms_per_connection: 1_000,
            commands_per_second: 2_000,
            publishes_per_second: 1_000,
            signals_per_second: 1_000,
            outbox_count: 8_192,
            outbox_bytes: 1 << 20,
            outbox_stall_ms: 10_000,
            drain_jitter_ms: 3_000,
            origins: Vec::new(),
        }
    }
}
