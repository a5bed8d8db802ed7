//! One connection to the server: handshake, connect, commands and what comes back. Speaks Protobuf. Owns the socket;
//! knows no scenario. Single-threaded: many tasks may share a connection, no borrow lives across an await.
//!
//! Reading has two ways: [`Connection::next`] decodes every frame; [`Connection::pump`] hands over raw messages, for
//! those who measure. A connection at rest holds no buffer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use konvert_protocol::v1::{self, client_frame, server_frame};
use konvert_protocol::{Encoding, Frame};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::error::{Error, Result, setup};
use crate::token::Tokens;
use crate::websocket::{Inbound, Opcode, Piece, write_frame};

/// What one read may take, bytes; shared by all connections of the process.
const READ_BYTES: usize = 256 << 10;
/// Longest answer to the upgrade request, bytes.
const UPGRADE_BYTES_MAX: usize = 16 << 10;
/// A server that answers neither handshake nor connect within this has failed.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Base64 of 16 bytes, as RFC 6455 asks; freshness guards against caches, which a load test has none of.
const WEBSOCKET_KEY: &str = "S29udmVydExvYWRUZXN0IQ==";
/// Connections spread over this many source addresses when the server is on the loopback: each has 28 000 ports, and
/// the server's limits per address stay what they are.
const LOOPBACK_SOURCES: usize = 32;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// Where the server is and as whom to come.
#[derive(Clone)]
pub struct Target {
    /// Address of the server.
    pub address: SocketAddr,
    /// Path of the WebSocket.
    pub path: String,
    /// Credentials.
    pub tokens: Tokens,
    /// What is set on every socket's receive buffer, bytes; `None` leaves the system's default.
    pub receive_buffer_bytes: Option<u32>,
}

impl Target {
    /// Reads `ws://host:port/path`, `http://host:port` or `host:port`.
    pub fn parse(url: &str, tokens: Tokens) -> Result<Self> {
        use std::net::ToSocketAddrs;
        let rest = url.trim_start_matches("ws://").trim_start_matches("http://");
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let address = host
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next())
            .ok_or_else(|| setup(format!("{url}: want ws://HOST:PORT[/PATH], without TLS")))?;
        let path = if path.len() > 1 { path } else { "/api/websocket" };
        Ok(Self { address, path: path.into(), tokens, receive_buffer_bytes: None })
    }

    /// Connects as `user`, subscribing to `rooms` at once. `index` spreads connections over source addresses.
    pub async fn connect(&self, index: usize, user: &str, rooms: Vec<v1::Subscribe>) -> Result<Session> {
        let token = self.tokens.of(user)?;
        let work = async {
            let connection = Connection::open(self, index).await?;
            let agent = concat!("konvert-loadtest/", env!("CARGO_PKG_VERSION")).to_owned();
            match connection.call(v1::Connect { token, agent, rooms, ..Default::default() }).await? {
                server_frame::Body::Connected(connected) => Ok(Session { connection, connected }),
                other => Err(Error::Protocol(format!("connect answered with {other:?}"))),
            }
        };
        timeout(CONNECT_TIMEOUT, work).await.map_err(|_| Error::Timeout("the answer to connect"))?
    }

    async fn stream(&self, index: usize) -> Result<TcpStream> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let IpAddr::V4(address) = self.address.ip()
            && address.is_loopback()
        {
            let source = Ipv4Addr::new(127, 0, 0, 2 + (index % LOOPBACK_SOURCES) as u8);
            socket.bind((source, 0).into())?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A connection that the server has let in.
pub struct Session {
    /// The socket.
    pub connection: Connection,
    /// What the server said about it.
    pub connected: v1::Connected,
}

/// A WebSocket to the server.
pub struct Connection {
    stream: TcpStream,
    inbound: RefCell<Inbound>,
    /// What is written but not yet taken by the socket.
    outbound: RefCell<Vec<u8>>,
    /// Frames that were read while something else was awaited.
    waiting: RefCell<VecDeque<v1::ServerFrame>>,
    /// The server's close frame, or a broken message, seen while reading.
    ended: RefCell<Option<Error>>,
    last_id: Cell<u32>,
}

impl Connection {
    async fn open(target: &Target, index: usize) -> Result<Self> {
        let connection = Self {
            stream: target.stream(index).await?,
            inbound: RefCell::default(),
            outbound: RefCell::default(),
            waiting: RefCell::default(),
            ended: RefCell::default(),
            last_id: Cell::new(0),
        };
        connection.upgrade(target).await?;
        Ok(connection)
    }

    async fn upgrade(&self, target: &Target) -> Result<()> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
            target.path,
            target.address,
            Encoding::Protobuf.subprotocol(),
        );
        self.outbound.borrow_mut().extend_from_slice(request.as_bytes());
        self.flush().await?;
        let mut answer = Vec::new();
        let head_end = loop {
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if answer.len() > UPGRADE_BYTES_MAX {
                return Err(Error::Protocol("an endless answer to the upgrade".into()));
            }
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut answer) {
                Ok(0) => return Err(Error::Closed(1006, "during the handshake".into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        };
        check_upgrade(&String::from_utf8_lossy(&answer[..head_end]))?;
        self.feed(&answer[head_end..], |message| keep(&self.waiting, message))
    }

    /// A fresh command id.
    pub fn next_id(&self) -> u32 {
        let id = self.last_id.get().checked_add(1).unwrap_or(1);
        self.last_id.set(id);
        id
    }

    /// Sends frames in one WebSocket message and waits until the socket took them.
    pub async fn send(&self, frames: &[v1::ClientFrame]) -> Result<()> {
        let mut body = Vec::with_capacity(256 * frames.len());
        for frame in frames {
            Encoding::Protobuf.encode_into(frame, &mut body);
        }
        self.send_encoded(&body).await
    }

    /// Sends the encoded frames of one WebSocket message.
    pub async fn send_encoded(&self, body: &[u8]) -> Result<()> {
        write_frame(Opcode::Binary, body, rand::random(), &mut self.outbound.borrow_mut());
        self.flush().await
    }

    /// Sends a command and waits for its reply; pushes that come before it wait for [`Connection::next`].
    pub async fn call(&self, body: impl Into<client_frame::Body>) -> Result<server_frame::Body> {
        let id = self.next_id();
        self.send(&[v1::ClientFrame::new(id, body)]).await?;
        loop {
            let found = self.waiting.borrow().iter().position(|frame| frame.id == id);
            if let Some(at) = found {
                let frame = self.waiting.borrow_mut().remove(at).unwrap_or_default();
                return match frame.body {
                    Some(server_frame::Body::Error(error)) => Err(Error::Refused(error)),
                    Some(body) => Ok(body),
                    None => Err(Error::Protocol("a frame without body".into())),
                };
            }
            self.pump(|message| keep(&self.waiting, message)).await?;
        }
    }

    /// The next frame, in order of arrival. Safe to cancel.
    pub async fn next(&self) -> Result<v1::ServerFrame> {
        loop {
            if let Some(frame) = self.waiting.borrow_mut().pop_front() {
                return Ok(frame);
            }
            self.pump(|message| keep(&self.waiting, message)).await?;
        }
    }

    /// Frames that have arrived but were not asked for yet.
    pub fn take_waiting(&self) -> VecDeque<v1::ServerFrame> {
        std::mem::take(&mut self.waiting.borrow_mut())
    }

    /// Waits until the socket has something and hands over the messages in it; `on` answers whether they are well
    /// formed. Safe to cancel.
    pub async fn pump(&self, on: impl FnMut(&[u8]) -> bool) -> Result<()> {
        if let Some(error) = self.ended.borrow_mut().take() {
            return Err(error);
        }
        self.stream.readable().await?;
        READ_BUFFER.with_borrow_mut(|buffer| match self.stream.try_read(buffer) {
            Ok(0) => Err(Error::Closed(1006, "without a close frame".into())),
            Ok(len) => self.feed(&buffer[..len], on),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        })
    }

    /// Cuts messages out of `chunk`; remembers an end until everything before it was handed over.
    fn feed(&self, chunk: &[u8], mut on: impl FnMut(&[u8]) -> bool) -> Result<()> {
        let mut end = None;
        self.inbound.borrow_mut().feed(chunk, |piece| match piece {
            Piece::Message(message) if end.is_none() => {
                if !on(message) {
                    end = Some(Error::Protocol("a message that is not frames".into()));
                }
            }
            Piece::Ping(body) => write_frame(Opcode::Pong, body, rand::random(), &mut self.outbound.borrow_mut()),
            Piece::Close(code, reason) => end = end.take().or(Some(Error::Closed(code, reason))),
            Piece::Message(_) | Piece::Pong => {}
        })?;
        *self.ended.borrow_mut() = end;
        self.try_flush().map(drop)
    }

    /// Writes what the socket takes; true when nothing is left.
    fn try_flush(&self) -> Result<bool> {
        let mut outbound = self.outbound.borrow_mut();
        while !outbound.is_empty() {
            match self.stream.try_write(&outbound) {
                Ok(len) => drop(outbound.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        *outbound = Vec::new();
        Ok(true)
    }

    async fn flush(&self) -> Result<()> {
        while !self.try_flush()? {
            self.stream.writable().await?;
        }
        Ok(())
    }
}

/// Decodes the frames of a message into the queue; false when they are not frames.
fn keep(waiting: &RefCell<VecDeque<v1::ServerFrame>>, message: &[u8]) -> bool {
    let mut waiting = waiting.borrow_mut();
    decode(message, |frame| waiting.push_back(frame))
}

/// Decodes every frame of a message; false when they are not frames.
pub fn decode<F: Frame>(message: &[u8], mut on: impl FnMut(F)) -> bool {
    for frame in Encoding::Protobuf.decode(bytes::Bytes::copy_from_slice(message)) {
        match frame {
            Ok(frame) => on(frame),
            Err(_) => return false,
        }
    }
    true
}

fn check_upgrade(head: &str) -> Result<()> {
    let status = head.lines().next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 101") {
        return Err(Error::Protocol(format!("the upgrade was answered with {status:?}")));
    }
    let header = |name: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let value = |name: &str| header(name).map_or("", |(_, value)| value.trim());
    if value("sec-websocket-accept") != tungstenite::handshake::derive_accept_key(WEBSOCKET_KEY.as_bytes()) {
        return Err(Error::Protocol("a wrong Sec-WebSocket-Accept".into()));
    }
    if value("sec-websocket-protocol") != Encoding::Protobuf.subprotocol() {
        return Err(Error::Protocol("the subprotocol was not taken".into()));
    }
    Ok(())
}

/// A subscription to `room` from now on.
pub fn subscribe(room: impl Into<String>) -> v1::Subscribe {
    v1::Subscribe { room: room.into(), ..Default::default() }
}
