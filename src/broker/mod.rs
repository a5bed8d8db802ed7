//! The core: rooms.

mod config;

pub use config::{BrokerConfig, RoomConfig};
