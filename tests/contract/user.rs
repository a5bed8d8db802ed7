//! Somebody who speaks the protocol to the real server: asks and gets the reply, waits for pushes, sees the close code.

#![allow(dead_code, unused_imports, reason = "each test that includes this uses its own part")]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use konvert::auth::{Auth, AuthConfig, Claims, Grant, Seconds};
use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::v1::{self, client_frame};
use konvert_protocol::{Encoding, ErrorCode};
use tokio::time::Instant;

pub use crate::link::open_socket as open;
use crate::link::{By, Link};
use crate::server::Server;

/// Whatever takes longer than this will not happen, however slow the machine is.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Everything a user may do, in one word.
pub const ALL: &str = "read publish signal presence create";

/// One connection of a user.
pub struct User {
    link: Link,
    next_id: u32,
    pushes: VecDeque<Reply>,
    replies: VecDeque<v1::ServerFrame>,
    /// The answer to connect.
    pub connected: v1::Connected,
}

/// A token of this server for a user who may do `allow` in rooms like `room`.
pub fn token(server: &Server, user: &str, room: &str, allow: &str) -> String {
    token_in_mode(server, user, room, allow, false)
}

/// The same, for a grant that makes end-to-end encrypted rooms if it makes any.
pub fn token_in_mode(server: &Server, user: &str, room: &str, allow: &str, e2ee: bool) -> String {
    let grant = serde_json::json!({
        "room": room,
        "allow": allow.split_whitespace().collect::<Vec<_>>(),
        "mode": if e2ee { "e2ee" } else { "server_readable" },
    });
    let grant: Grant = serde_json::from_value(grant).expect("a grant");
    let claims = Claims {
        sub: user.to_owned(),
        name: user.to_uppercase(),
        exp: Some(Seconds::from_ms(konvert::gateway::now_ms() + 3_600_000)),
        grants: vec![grant],
        ..Claims::default()
    };
    mint(server, &claims)
}

/// Any claims, signed with the server's secret.
pub fn mint(server: &Server, claims: &Claims) -> String {
    let auth = Auth::new(&AuthConfig::default(), &server.secret(), Vec::new()).expect("the server's secret");
    auth.mint(claims).expect("a token")
}

tokio::task_local! {
    /// What the users of a test speak by, where the test is run for several.
    static BY: By;
}

/// Runs a test with users who speak by this.
pub async fn speaking<T>(by: By, test: impl Future<Output = T>) -> T {
    BY.scope(by, test).await
}

/// What this test's users speak by.
pub fn by() -> By {
    BY.try_with(|by| *by).unwrap_or(By::Socket(Encoding::Protobuf))
}

impl User {
    /// Connects with every right in every room.
    pub async fn connect(server: &Server, user: &str) -> Self {
        Self::connect_by(server, by(), token(server, user, "*", ALL), Vec::new()).await
    }

    /// Connects with a token, and to rooms; in this encoding, where the test's transport leaves the choice.
    pub async fn connect_with(server: &Server, token: String, encoding: Encoding, rooms: Vec<v1::Subscribe>) -> Self {
        let by = if matches!(by(), By::Socket(_)) { By::Socket(encoding) } else { by() };
        Self::connect_by(server, by, token, rooms).await
    }

    /// The same by a transport of one's own choice.
    pub async fn connect_by(server: &Server, by: By, token: String, rooms: Vec<v1::Subscribe>) -> Self {
        Self::connect_as(server, by, v1::Connect { token, rooms, ..Default::default() }).await
    }

    /// Connects to hear of changes.
    pub async fn watch(server: &Server, token: &str) -> Self {
        let connect = v1::Connect { token: token.to_owned(), changes: true, ..Default::default() };
        Self::connect_as(server, by(), connect).await
    }

    async fn connect_as(server: &Server, by: By, connect: v1::Connect) -> Self {
        let connect = v1::Connect { agent: "tests".into(), ..connect };
        let encoding = if let By::Socket(encoding) = by { encoding } else { Encoding::Json };
        let mut user = Self {
            link: Link::open(server, by, encoding.encode(&v1::ClientFrame::new(1, connect))).await,
            next_id: 2,
            pushes: VecDeque::new(),
            replies: VecDeque::new(),
            connected: v1::Connected::default(),
        };
        match user.reply(1).await {
            Reply::Connected(connected) => user.connected = connected,
            other => panic!("connect got {other:?}"),
        }
        user
    }

    /// Sends a command without waiting; the id that its reply will have.
    pub async fn tell(&mut self, command: impl Into<client_frame::Body>) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        let bytes = self.link.encoding().encode(&v1::ClientFrame::new(id, command));
        self.link.send(bytes).await;
        id
    }

    /// Sends the bytes of a message.
    pub async fn send(&mut self, bytes: Vec<u8>) {
        self.link.send(bytes).await;
    }

    /// The encoding it speaks.
    pub fn encoding(&self) -> Encoding {
        self.link.encoding()
    }

    /// The secret of a session that is spoken for by requests.
    pub fn pass(&self) -> &str {
        match &self.link {
            Link::Stream(_, session) | Link::Poll(session) => &session.pass,
            Link::Socket(..) => "",
        }
    }

    /// Says goodbye.
    pub async fn goodbye(self) {
        self.link.goodbye().await;
    }

    /// Sends a command and waits for its reply.
    pub async fn ask(&mut self, command: impl Into<client_frame::Body>) -> Reply {
        let id = self.tell(command).await;
        self.reply(id).await
    }

    /// Waits for the reply to a command.
    pub async fn reply(&mut self, id: u32) -> Reply {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(place) = self.replies.iter().position(|frame| frame.id == id) {
                return self.replies.remove(place).and_then(|frame| frame.body).expect("a reply has a body");
            }
            self.receive(end).await.unwrap_or_else(|code| panic!("closed with {code} before the reply to {id}"));
        }
    }

    /// Waits for the next push.
    pub async fn push(&mut self) -> Reply {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return push;
            }
            self.receive(end).await.unwrap_or_else(|code| panic!("closed with {code} before the push"));
        }
    }

    /// Waits for the next message, passing over other pushes.
    pub async fn message(&mut self) -> v1::Message {
        loop {
            if let Reply::Message(message) = self.push().await {
                return message;
            }
        }
    }

    /// Pushes that have come so far: everything before the answer to a ping.
    pub async fn pushes(&mut self) -> Vec<Reply> {
        assert!(matches!(self.ask(v1::Ping {}).await, Reply::Pong(_)));
        self.pushes.drain(..).collect()
    }

    /// Waits until the server closes; the close code, or 1006 when the socket just ended.
    pub async fn closed(&mut self) -> u16 {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Err(code) = self.receive(end).await {
                return code;
            }
        }
    }

    /// Takes what comes next. The end is that of the whole wait: heartbeats come, too, and are not waited for.
    async fn receive(&mut self, end: Instant) -> Result<(), u16> {
        let frames = tokio::time::timeout_at(end, self.link.receive()).await.expect("it arrives in time");
        for frame in frames? {
            match frame.id {
                0 => self.pushes.push_back(frame.body.expect("a push has a body")),
                _ => self.replies.push_back(frame),
            }
        }
        Ok(())
    }

    /// Subscribes from now on; the reply.
    pub async fn subscribe(&mut self, room: &str) -> v1::Subscribed {
        self.enter(v1::Subscribe { room: room.into(), ..Default::default() }).await
    }

    /// Subscribes; the reply.
    pub async fn enter(&mut self, command: v1::Subscribe) -> v1::Subscribed {
        match self.ask(command).await {
            Reply::Subscribed(subscribed) => subscribed,
            other => panic!("subscribe got {other:?}"),
        }
    }

    /// Publishes a text; where it is stored.
    pub async fn publish(&mut self, room: &str, message_id: &str, text: &str) -> v1::Published {
        match self.ask(publish(room, message_id, text)).await {
            Reply::Published(published) => published,
            other => panic!("publish got {other:?}"),
        }
    }

    /// Sends a command that must fail; the error.
    pub async fn refused(&mut self, command: impl Into<client_frame::Body>) -> v1::Error {
        match self.ask(command).await {
            Reply::Error(error) => error,
            other => panic!("instead of an error came {other:?}"),
        }
    }

    /// Everything retained of a room, read in pages from its beginning.
    pub async fn history(&mut self, room: &str) -> Vec<v1::Message> {
        let mut all: Vec<v1::Message> = Vec::new();
        loop {
            let from = all.last().map_or(0, |message| message.offset + 1);
            match self.ask(v1::History { room: room.into(), from, ..Default::default() }).await {
                Reply::History(page) => {
                    all.extend(page.messages);
                    if !page.more {
                        return all;
                    }
                }
                other => panic!("history got {other:?}"),
            }
        }
    }
}

/// A publish of a text.
pub fn publish(room: &str, message_id: &str, text: &str) -> v1::Publish {
    v1::Publish {
        room: room.into(),
        message_id: message_id.into(),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        ..Default::default()
    }
}

/// The offset of an ack.
pub fn offset(published: &v1::Published) -> u64 {
    published.position.as_ref().expect("an ack has a position").offset
}

/// The number and the name of an error, for comparison with the table.
pub fn is(error: &v1::Error, code: ErrorCode) -> bool {
    error.code == code.number() && error.name == code.name() && error.temporary == code.is_temporary()
}
