//! The scenarios: each drives a server in its own way and returns what it found.

pub mod connect;
pub mod curves;
pub mod durable;
pub mod fanout;
pub mod flow;
pub mod idle;
pub mod limit;
mod populate;
mod publisher;
pub mod rest;
pub mod resume;
pub mod slow;
