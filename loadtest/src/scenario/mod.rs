//! The scenarios: each drives a server in its own way and returns what it found.

pub mod connect;
pub mod fanout;
pub mod flow;
