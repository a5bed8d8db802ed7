//! The live edge.

mod config;

pub use config::GatewayConfig;
