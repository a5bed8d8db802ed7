//! Settings of rooms, each with its unit; the same text stands in `config.toml`.

use serde::{Deserialize, Serialize};

use crate::journal::Retention;

/// What a room may carry and how it behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerConfig {
    /// Longest payload of a publish, bytes.
    pub payload_bytes: usize,
    /// Longest payload of a signal, bytes.
    pub signal_bytes: usize,
    /// Most messages in one history page and in one page of a resume.
    pub history_page: usize,
    /// Most payload bytes in one such page.
    pub history_page_bytes: usize,
    /// Presence changes are gathered for this long before they are told, milliseconds.
    pub presence_tick_ms: u64,
    /// A user whose connection broke is still shown for this long, milliseconds.
    pub presence_linger_ms: u64,
    /// Above this many users a room tells how many are there, and names only those asked for.
    pub presence_list_max: usize,
    /// Most rooms; creating one more is refused.
    pub rooms_max: usize,
    /// Rooms that exist from the start.
    pub rooms: Vec<RoomConfig>,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            payload_bytes: 64 << 10,
            signal_bytes: 4 << 10,
            history_page: 200,
            history_page_bytes: 128 << 10,
            presence_tick_ms: 250,
            presence_linger_ms: 5_000,
            presence_list_max: 500,
            rooms_max: 1_000_000,
            rooms: vec![RoomConfig { name: "lobby".into(), guests: true, ..RoomConfig::default() }],
        }
    }
}

/// A room that exists from the start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomConfig {
    /// Its name.
    pub name: String,
    /// Whether it carries sealed payloads only; fixed once the room exists.
    pub e2ee: bool,
    /// Whether guests may read and write here.
    pub guests: bool,
    /// What may be deleted here; absent means the journal's default.
    pub retention: Option<Retention>,
}
