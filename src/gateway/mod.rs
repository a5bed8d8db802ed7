//! The live edge: WebSocket connections, on threads that own them.
//!
//! ```text
//! accept ─▶ HTTP ─┬▶ upgrade ─▶ shard: connection = socket + codec + outbox + session
//!                 └▶ every other path: the router that was handed in
//! bytes ─▶ codec ─▶ dispatch / attach ─▶ broker          inbox ─▶ shard ─▶ outboxes ─▶ sockets
//! ```
//!
//! Knows sockets, frames and sessions. Knows nothing of storage, and of HTTP only the upgrade.

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
mod heartbeat;
mod listen;
mod outbox;
mod rate_limit;
mod rounds;
mod session;
mod shard;
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
    pub use super::connection::close_for;
    pub use super::outbox::{Outbox, Written};
    pub use super::upgrade::{Handshake, check};
}
