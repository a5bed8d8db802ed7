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
//! blobs        the bytes of stored files: staging, and objects on disk or in S3
//! directory    accounts, dialogs, memberships, in SQL: SQLite or PostgreSQL
//! service      the rules over them: who may do what to whom, and who is told
//! address      where somebody is: what counts as one address, proxies
//! auth         tokens in, identity and rights out
//! rest         everything over HTTP that is not live; the page
//! rate_limit   a token bucket in eight bytes
//! origin       which pages may talk to this server
//! metrics      every number told to Prometheus
//! sabotage     faults for the negative controls of the tests; none in a release
//! ```

pub mod address;
pub mod auth;
pub mod blobs;
pub mod broker;
pub mod cli;
pub mod config;
pub mod directory;
pub mod gateway;
pub mod journal;
pub mod metrics;
pub mod origin;
pub mod rate_limit;
pub mod rest;
pub mod sabotage;
pub mod secrets;
pub mod server;
pub mod service;
