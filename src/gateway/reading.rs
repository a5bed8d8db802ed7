//! From the sockets to the frames: takes in an upgraded socket, reads whenever there is something, and ends what breaks
//! the protocol.

use std::rc::Rc;

use bytes::Bytes;
use konvert_protocol::{CloseCode, Encoding};
use tokio::net::TcpStream;

use super::admission::{ConnectionPlace, PendingPlace};
use super::codec::{Arrival, Fault};
use super::connection::From;
use super::shard::Shard;
use super::transport::{Socket, Transport, close_for};

/// Pings and pongs per second of one connection, sustained; twice as many in a burst.
const CONTROLS_PER_SECOND: u32 = 50;

/// A socket after its upgrade.
pub struct Upgraded {
    /// The socket.
    pub socket: TcpStream,
    /// Bytes that came with the request.
    pub early: Bytes,
    /// As negotiated.
    pub encoding: Encoding,
    /// Where it came from.
    pub from: From,
    /// Its place among those that have not authenticated.
    pub pending: PendingPlace,
    /// Its place among the connections.
    pub place: ConnectionPlace,
}

impl Shard {
    /// Takes in an upgraded socket and starts reading from it.
    pub fn adopt(&mut self, upgraded: Upgraded) {
        let Upgraded { socket, early, encoding, from, pending, place } = upgraded;
        let socket = Rc::new(socket);
        let transport = Socket::new(socket.clone(), encoding, self.shared.config.message_bytes);
        let (slot, generation) = self.seat(Transport::Socket(transport), from, pending, place);
        if !early.is_empty() {
            self.on_bytes(slot, generation, &early);
            self.flush();
        }
        if self.is_draining {
            self.send_away(slot, generation);
            self.flush();
        }
        if self.get(slot, generation).is_none() {
            return;
        }
        let me = self.me.clone();
        let reader = tokio::task::spawn_local(async move {
            while socket.readable().await.is_ok() {
                let Some(shard) = me.upgrade() else { return };
                if !shard.borrow_mut().on_readable(slot, generation, &socket) {
                    return;
                }
                // A socket that never runs dry must not keep the others waiting.
                tokio::task::yield_now().await;
            }
        });
        if let Some(socket) = self.socket(slot, generation) {
            socket.reader = Some(reader.abort_handle());
        }
    }

    /// Reads once. False when the connection is over.
    fn on_readable(&mut self, slot: u32, generation: u32, socket: &TcpStream) -> bool {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let goes_on = match socket.try_read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.on_bytes(slot, generation, &buffer[..count]);
                true
            }
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        };
        self.read_buffer = buffer;
        if !goes_on {
            self.end(slot, generation);
        }
        self.flush();
        self.get(slot, generation).is_some()
    }

    fn on_bytes(&mut self, slot: u32, generation: u32, mut input: &[u8]) {
        let (second, steady_ms) = (self.clock.second(), self.clock.steady_ms());
        loop {
            let Some(connection) = self.get(slot, generation) else { return };
            let Transport::Socket(socket) = &mut connection.transport else { return };
            connection.heard_s = second;
            let mut replies = Vec::new();
            let arrival = socket.codec.next(&mut input, &mut replies);
            let controls_fit = !matches!(arrival, Some(Ok(Arrival::Control)))
                || socket.controls.take(CONTROLS_PER_SECOND, steady_ms).is_ok();
            let encoding = socket.encoding;
            if arrival.is_none() {
                let since_s = socket.unfinished_since_s.unwrap_or(second);
                socket.unfinished_since_s = socket.codec.is_midway().then_some(since_s);
            }
            if !replies.is_empty() {
                connection.outbox.push(replies.into(), 1);
                self.mark_dirty(slot);
            }
            match arrival {
                None => return,
                Some(Ok(Arrival::Binary(message))) => self.on_message(slot, generation, message, encoding, false),
                Some(Ok(Arrival::Text(message))) => self.on_message(slot, generation, message, encoding, true),
                Some(Ok(Arrival::Control)) if !controls_fit => self.close(slot, generation, CloseCode::Flood),
                Some(Ok(Arrival::Control)) => {}
                Some(Ok(Arrival::Goodbye)) => self.on_goodbye(slot, generation),
                Some(Err(fault)) => return self.on_fault(slot, generation, fault),
            }
        }
    }

    /// A whole WebSocket message.
    fn on_message(&mut self, slot: u32, generation: u32, message: Bytes, encoding: Encoding, is_text: bool) {
        // A message without a frame is no message; it would be the cheapest of floods.
        if encoding.is_text() != is_text || message.is_empty() {
            return self.close(slot, generation, CloseCode::BadFrame);
        }
        self.on_frames(slot, generation, encoding.decode(message));
    }

    fn on_fault(&mut self, slot: u32, generation: u32, fault: Fault) {
        match close_for(fault) {
            Some((number, reason)) => self.close_with(slot, generation, number, reason),
            None => self.end_after_flush(slot, generation),
        }
    }

    /// The connection's socket, if it has one.
    pub(super) fn socket(&mut self, slot: u32, generation: u32) -> Option<&mut Socket> {
        match &mut self.get(slot, generation)?.transport {
            Transport::Socket(socket) => Some(socket),
            _ => None,
        }
    }
}
