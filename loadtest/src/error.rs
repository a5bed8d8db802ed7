//! What can go wrong in a run. Knows nothing of scenarios; every variant says enough to act on.

use std::fmt;
use std::io;

use konvert_protocol::v1;

/// Result of anything that may end a run or a connection.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a connection or a run ended.
#[derive(Debug)]
pub enum Error {
    /// The operating system refused.
    Io(io::Error),
    /// The server closed the connection, with this code and reason (code 1006: without saying why).
    Closed(u16, String),
    /// The server answered a command with a numbered error.
    Refused(v1::Error),
    /// The server broke the protocol.
    Protocol(String),
    /// The run cannot be done as asked; the text says what to change.
    Setup(String),
    /// Nothing came within the time allowed; the text says what was awaited.
    Timeout(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => error.fmt(f),
            Error::Closed(code, reason) => write!(f, "the server closed the connection: {code} {reason}"),
            Error::Refused(error) => write!(f, "refused with {} {}: {}", error.code, error.name, error.message),
            Error::Protocol(what) => write!(f, "the server broke the protocol: {what}"),
            Error::Setup(what) => f.write_str(what),
            Error::Timeout(what) => write!(f, "timed out waiting for {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Io(error)
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(error: rustix::io::Errno) -> Self {
        Error::Io(error.into())
    }
}

/// Shorthand for [`Error::Setup`].
pub fn setup(what: impl Into<String>) -> Error {
    Error::Setup(what.into())
}
