//! `konvert health`: is the running server ready? Used by the container's health check, which is why it needs nothing
//! but this binary.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;

use super::{Done, Failure, Settings, print};

/// Long enough for a busy server, short enough for a health check.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Far above any answer.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

#[derive(Args)]
pub(super) struct Health {
    #[command(flatten)]
    settings: Settings,
}

impl Health {
    pub(super) fn run(self) -> Done {
        let server = self.settings.load()?.server;
        if server.port == 0 {
            return Err(Failure("port 0 is a free port; say with --port which one the server took".into()));
        }
        let address = SocketAddr::new(reachable(server.bind), server.port);
        let answer = ask(address, "/api/health/ready").map_err(|error| {
            Failure(format!("http://{address} does not answer ({error}); is the server running, and on this port?"))
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        match head.split(' ').nth(1) {
            Some("200") => {
                print(body);
                Ok(())
            }
            Some("503") => Err(Failure(format!("the server is not ready: {body}"))),
            _ => Err(Failure(format!("http://{address} is something else: {}", head.lines().next().unwrap_or("")))),
        }
    }
}

/// The address that leads to a server bound to `bind` from this machine.
pub(super) fn reachable(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
