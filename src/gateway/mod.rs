//! The live edge: connections, on threads that own them.
//!
//! ```text
//! accept ─▶ HTTP ─┬▶ upgrade ─▶ shard: connection = transport + outbox + session
//!                 ├▶ requests ─▶ errands for a session, on its shard
//!                 └▶ every other path: the router that was handed in
//! bytes ─▶ codec ─▶ dispatch / attach ─▶ broker          inbox ─▶ shard ─▶ outboxes ─▶ transports
//! ```
//!
//! Knows sockets, frames and sessions. Knows nothing of storage, and of HTTP only how a session comes by it.

mod access;
mod admission;
mod attach;
mod clock;
mod codec;
mod config;
mod connection;
mod counters;
mod delivery;
mod dispatch;
mod drain;
mod errands;
mod heartbeat;
mod listen;
mod outbox;
mod pass;
mod problem;
mod publishing;
mod reading;
mod requests;
mod rounds;
mod session;
mod shard;
mod transport;
mod upgrade;
mod waiting;
mod writing;

pub use admission::Admission;
pub use clock::{now_ms, steady_ms};
pub use config::GatewayConfig;
pub use counters::{Counters, PUBLISH_BUCKETS_US};
pub use listen::{Gateway, Shared};

/// What the live edge knows of a socket, without sessions: for the echo server that the Autobahn suite is run against.
/// Not an interface for anybody else.
#[doc(hidden)]
pub mod socket {
    pub use super::codec::{Arrival, Codec, Fault, framed};
    pub use super::outbox::{Outbox, Written};
    pub use super::transport::close_for;
    pub use super::upgrade::{Handshake, check};
}
