//! Konvert, a realtime message broker server for chat: one binary, one port, one data directory.
//!
//! ```text
//! cli          the command line: serve, token, config, journal, health, doctor
//! config       every setting: defaults, file, environment, flags, checked
//! secrets      the server's secret in the data directory
//! server       composition root: opens, wires, drains; the only place that sees every part
//! gateway      live edge: sockets, sessions, outboxes, heartbeats; one thread per shard
//! broker       the core: rooms, fan-out, presence, resume; knows no socket, no clock, no storage engine
//! journal      the durable log behind one seam: write-ahead file, sled, memory
//! auth         tokens in, identity and rights out
//! rest         health, metrics, the page
//! metrics      every number told to Prometheus
//! sabotage     faults for the negative controls of the tests; none in a release
//! ```

pub mod auth;
pub mod broker;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod journal;
pub mod metrics;
pub mod rest;
pub mod sabotage;
pub mod secrets;
pub mod server;
