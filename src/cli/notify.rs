//! Telling systemd that the server is ready, so that what depends on it starts no sooner.
//!
//! The protocol is one datagram to the socket named by `NOTIFY_SOCKET`; without systemd there is none, and nothing to do.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says that the server listens. A failure costs nothing but the telling.
pub(super) fn ready() {
    if let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
        && let Err(error) = tell(&name, b"READY=1")
    {
        tracing::warn!(%error, "the service manager could not be told that the server is ready");
    }
}

fn tell(name: &OsString, message: &[u8]) -> io::Result<()> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}
