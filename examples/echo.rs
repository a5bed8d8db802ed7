//! An echo server for the Autobahn suite (`.ci/autobahn`): text comes back as text, binary as binary.
//!
//! Owns nothing but the loop: the handshake, the protocol, the close codes and the writing are the gateway's own, so
//! that what the suite says of this server is true of the broker's sockets. Knows no session, room or limit but one.
//!
//! Prints the port it listens on.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use konvert::gateway::socket::{Arrival, Codec, Outbox, Written, check, close_for, framed};
use tokio::net::{TcpListener, TcpStream};

/// The suite sends messages of 16 MiB, in fragments down to 64 bytes.
const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// As much as a shard reads at once, bytes.
const READ_BYTES: usize = 64 << 10;
/// How long the other side may take to answer a close frame, as in a shard.
const CLOSING: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    tokio::task::LocalSet::new()
        .run_until(async {
            loop {
                let (socket, _) = listener.accept().await?;
                socket.set_nodelay(true)?;
                tokio::task::spawn_local(serve(socket));
            }
        })
        .await
}

async fn serve(socket: TcpStream) {
    let service = service_fn(async |request| Ok::<_, Infallible>(respond(request)));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    let _ = connection.with_upgrades().await;
}

fn respond(mut request: Request<Incoming>) -> Response<Body> {
    match check(&request, &[]) {
        Ok(handshake) => {
            tokio::task::spawn_local(upgraded(hyper::upgrade::on(&mut request)));
            handshake.response
        }
        Err(response) => *response,
    }
}

async fn upgraded(upgrading: OnUpgrade) {
    let Ok(stream) = upgrading.await else { return };
    let Ok(parts) = stream.downcast::<TokioIo<TcpStream>>() else { return };
    let connection = Connection {
        socket: parts.io.into_inner(),
        codec: Codec::new(MESSAGE_BYTES_MAX),
        outbox: Outbox::default(),
        is_closing: false,
    };
    // A connection that broke has nobody left to tell.
    let _ = connection.run(parts.read_buf).await;
}

struct Connection {
    socket: TcpStream,
    codec: Codec,
    outbox: Outbox,
    is_closing: bool,
}

impl Connection {
    async fn run(mut self, early: Bytes) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut goes_on = self.take(&early);
        loop {
            self.flush().await?;
            if !goes_on {
                return Ok(());
            }
            let readable = self.socket.readable();
            match self.is_closing {
                true => tokio::time::timeout(CLOSING, readable).await??,
                false => readable.await?,
            }
            goes_on = match self.socket.try_read(&mut buffer) {
                Ok(0) => false,
                Ok(count) => self.take(&buffer[..count]),
                Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            };
        }
    }

    /// Echoes what arrived; false when the connection is over once the outbox is written.
    fn take(&mut self, mut input: &[u8]) -> bool {
        loop {
            let mut replies = Vec::new();
            let arrival = self.codec.next(&mut input, &mut replies);
            if !replies.is_empty() {
                self.outbox.push(replies.into(), 1);
            }
            match arrival {
                None => return true,
                Some(Ok(Arrival::Binary(message))) => self.echo(false, &message),
                Some(Ok(Arrival::Text(message))) => self.echo(true, &message),
                Some(Ok(Arrival::Control)) => {}
                Some(Ok(Arrival::Goodbye)) => return false,
                Some(Err(fault)) => {
                    let Some((number, reason)) = close_for(fault) else { return false };
                    if !std::mem::replace(&mut self.is_closing, true) {
                        self.outbox.push(self.codec.close(number, reason).into(), 1);
                    }
                    return true;
                }
            }
        }
    }

    fn echo(&mut self, is_text: bool, message: &[u8]) {
        if !self.is_closing {
            self.outbox.push(framed(is_text, message), 1);
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut gather = Vec::new();
        while self.outbox.write(&self.socket, &mut gather)? == Written::Blocked {
            self.socket.writable().await?;
        }
        Ok(())
    }
}
