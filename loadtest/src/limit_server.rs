//! The limit that fan-out is measured against: one thread, one epoll loop, ready-made frames, and nothing else. No
//! tokens are checked, nothing is stored, nobody is too slow. It speaks just enough of the protocol that the same load
//! runs against it and against a real server: connect with rooms, publish and signal (both fan out), ping.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;

use bytes::Bytes;
use konvert_protocol::v1::{self, client_frame, server_frame};
use konvert_protocol::{Encoding, Frame};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::error::Result;
use crate::websocket::write_server_head;

const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 256 << 10;

/// Serves until the process is ended. Up to `coalesce` frames travel in one write to each subscriber.
pub fn serve(port: u16, coalesce: usize) -> Result<()> {
    let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port).into())?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut limit = Limit { connections: Vec::new(), rooms: HashMap::new(), coalesce, dirty: Vec::new() };
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                limit.accept(&listener, &poll)?;
                continue;
            }
            if event.is_writable() {
                limit.write(event.token().0);
            }
            if event.is_readable() {
                limit.read(event.token().0, &mut buffer);
            }
        }
        limit.write_dirty();
    }
}

struct Limit {
    connections: Vec<Option<Peer>>,
    rooms: HashMap<String, Vec<usize>>,
    coalesce: usize,
    /// Connections with frames gathered but not written.
    dirty: Vec<usize>,
}

struct Peer {
    stream: TcpStream,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    /// Frames gathered in `outbound` since the last write.
    gathered: usize,
    upgraded: bool,
}

impl Limit {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.connections.len());
            poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            let (inbound, outbound) = (Vec::new(), Vec::new());
            self.connections.push(Some(Peer { stream, inbound, outbound, gathered: 0, upgraded: false }));
        }
    }

    fn read(&mut self, at: usize, buffer: &mut [u8]) {
        loop {
            let Some(peer) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
            match peer.stream.read(buffer) {
                Ok(len) if len > 0 => peer.inbound.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => return self.connections[at] = None,
            }
            self.take_inbound(at);
        }
    }

    fn take_inbound(&mut self, at: usize) {
        let Some(peer) = &mut self.connections[at] else { return };
        let mut inbound = std::mem::take(&mut peer.inbound);
        if !peer.upgraded {
            let Some(end) = inbound.windows(4).position(|four| four == b"\r\n\r\n") else {
                peer.inbound = inbound;
                return;
            };
            peer.upgraded = true;
            peer.outbound.extend_from_slice(upgrade_answer(&String::from_utf8_lossy(&inbound[..end])).as_bytes());
            inbound.drain(..end + 4);
            self.write(at);
        }
        let mut used = 0;
        while let Some((message, len)) = unmask(&inbound[used..]) {
            used += len;
            if let Some(message) = message {
                for frame in Encoding::Protobuf.decode::<v1::ClientFrame>(message).flatten() {
                    self.command(at, frame);
                }
            }
        }
        inbound.drain(..used);
        if let (Some(peer), false) = (&mut self.connections[at], inbound.is_empty()) {
            peer.inbound = inbound;
        }
    }

    fn command(&mut self, at: usize, frame: v1::ClientFrame) {
        let id = frame.id;
        match frame.body {
            Some(client_frame::Body::Connect(connect)) => {
                let mut connected =
                    v1::Connected { session: at.to_string(), heartbeat_ms: 60_000, ..Default::default() };
                for subscribe in connect.rooms {
                    self.rooms.entry(subscribe.room.clone()).or_default().push(at);
                    connected.rooms.push(v1::Subscribed { room: subscribe.room, ..Default::default() });
                }
                self.reply(at, id, connected);
            }
            Some(client_frame::Body::Publish(publish)) => {
                let message = v1::Message {
                    room: publish.room.clone(),
                    message_id: publish.message_id,
                    payload: publish.payload,
                    ..Default::default()
                };
                self.fan_out(&publish.room, at, v1::ServerFrame::push(message));
                self.reply(at, id, v1::Published::default());
            }
            Some(client_frame::Body::Signal(signal)) => {
                let push = v1::SignalPush { room: signal.room.clone(), payload: signal.payload, ..Default::default() };
                self.fan_out(&signal.room, at, v1::ServerFrame::push(push));
                if id != 0 {
                    self.reply(at, id, v1::Signaled {});
                }
            }
            _ => self.reply(at, id, v1::Pong {}),
        }
    }

    fn reply(&mut self, at: usize, id: u32, body: impl Into<server_frame::Body>) {
        let ready = ready_made(&v1::ServerFrame::reply(id, body));
        self.offer(at, &ready);
    }

    fn fan_out(&mut self, room: &str, sender: usize, frame: v1::ServerFrame) {
        let ready = ready_made(&frame);
        let Some(subscribers) = self.rooms.remove(room) else { return };
        for &at in subscribers.iter().filter(|&&at| at != sender) {
            self.offer(at, &ready);
        }
        self.rooms.insert(room.to_owned(), subscribers);
    }

    fn offer(&mut self, at: usize, ready: &[u8]) {
        let Some(peer) = &mut self.connections[at] else { return };
        if self.coalesce == 1 && peer.outbound.is_empty() {
            // The common case of the limit: straight from the ready-made frame to the socket.
            let taken = peer.stream.write(ready).unwrap_or(0);
            peer.outbound.extend_from_slice(&ready[taken..]);
            return;
        }
        peer.outbound.extend_from_slice(ready);
        if peer.gathered == 0 {
            self.dirty.push(at);
        }
        peer.gathered += 1;
        if peer.gathered >= self.coalesce {
            self.write(at);
        }
    }

    fn write_dirty(&mut self) {
        while let Some(at) = self.dirty.pop() {
            self.write(at);
        }
    }

    fn write(&mut self, at: usize) {
        let Some(peer) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
        peer.gathered = 0;
        while !peer.outbound.is_empty() {
            match peer.stream.write(&peer.outbound) {
                Ok(len) => drop(peer.outbound.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.connections[at] = None,
            }
        }
    }
}

fn upgrade_answer(request: &str) -> String {
    let header = request.lines().filter_map(|line| line.split_once(": "));
    let key = header.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let accept = tungstenite::handshake::derive_accept_key(key.map_or("", |(_, key)| key.trim()).as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
         Sec-WebSocket-Protocol: {}\r\n\r\n",
        Encoding::Protobuf.subprotocol()
    )
}

/// The first whole frame of a client: its body (`None` for control frames) and its length on the wire.
fn unmask(bytes: &[u8]) -> Option<(Option<Bytes>, usize)> {
    let &[first, second, ref rest @ ..] = bytes else { return None };
    let (len, skip) = match (second & 0x7f, rest) {
        (126, &[a, b, ..]) => (usize::from(u16::from_be_bytes([a, b])), 2),
        (127, &[a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([a, b, c, d, e, f, g, h]) as usize, 8),
        (126 | 127, _) => return None,
        (len, _) => (usize::from(len), 0),
    };
    let mask = rest.get(skip..skip + 4)?;
    let body = rest.get(skip + 4..skip + 4 + len)?;
    let total = 2 + skip + 4 + len;
    let message =
        (first & 0x0f == 2).then(|| body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect());
    Some((message, total))
}

/// A frame as the bytes of a whole WebSocket message.
fn ready_made<F: Frame>(frame: &F) -> Vec<u8> {
    let body = Encoding::Protobuf.encode(frame);
    let mut out = Vec::with_capacity(body.len() + 10);
    write_server_head(body.len(), &mut out);
    out.extend_from_slice(&body);
    out
}
