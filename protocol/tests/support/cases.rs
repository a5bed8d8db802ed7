//! What the golden vectors are made of: every body of both frames with every field set at least once, and the edges
//! where implementations usually differ.

use bytes::Bytes;
use konvert_protocol::v1::client_frame::Body as ClientBody;
use konvert_protocol::v1::server_frame::Body as ServerBody;
use konvert_protocol::v1::{self, ClientFrame, ServerFrame};

/// The largest number that every language reads exactly.
const LARGEST: u64 = (1 << 53) - 1;
const EPOCH: u64 = 4_503_599_627_370_497;
const TIME_MS: u64 = 1_795_230_000_123;

/// A name and the frames of one message.
pub type Case<F> = (&'static str, Vec<F>);

/// Messages from client to server.
pub fn client() -> Vec<Case<ClientFrame>> {
    vec![
        ("connect with a token and rooms to resume", one(1, connect())),
        ("connect as a guest", one(1, v1::Connect { name: "Алиса".into(), ..Default::default() })),
        ("connect with everything omitted", one(7, v1::Connect::default())),
        ("connect and be told of changes", one(1, v1::Connect { changes: true, ..connect() })),
        ("refresh", one(2, v1::Refresh { token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln".into() })),
        ("subscribe from now on", one(3, v1::Subscribe { room: "lobby".into(), ..Default::default() })),
        ("subscribe since a position", one(4, since(41))),
        ("subscribe since the place before the first message", one(5, since(0))),
        ("subscribe with the last 50 and presence", one(6, last(50))),
        ("unsubscribe", one(8, v1::Unsubscribe { room: "lobby".into() })),
        ("publish a text", one(9, publish(b"Hello"))),
        ("publish an empty payload", one(10, publish(b""))),
        ("publish Cyrillic, quotes, a line break and an emoji", one(11, publish("Привет, \"мир\"\n🦀".as_bytes()))),
        ("publish bytes that are not UTF-8", one(12, publish(&[0x00, 0xff, 0xfe, 0x80, 0x7f]))),
        ("publish a text that begins as UTF-8 and breaks off", one(13, publish(&[b'o', b'k', 0xd0]))),
        ("publish 300 bytes", one(14, publish(&[b'x'; 300]))),
        ("publish with the service kind", one(15, service())),
        ("publish a reply", one(16, related(v1::RelationKind::RelationReply, b"I agree"))),
        ("publish an edit", one(17, related(v1::RelationKind::RelationEdit, b"Hello!"))),
        ("publish a delete", one(18, related(v1::RelationKind::RelationDelete, b""))),
        ("publish a reaction", one(19, related(v1::RelationKind::RelationReaction, "👍".as_bytes()))),
        ("publish an appended part", one(20, related(v1::RelationKind::RelationAppend, b" and more"))),
        ("publish with a relation of the kind none", one(21, related(v1::RelationKind::RelationNone, b"?"))),
        ("publish if the room is where I think it is", one(22, expecting(position(42)))),
        ("publish into an empty room only", one(23, expecting(position(0)))),
        ("publish with mentions and a stored file", one(36, mentioning())),
        ("signal without an answer", one(0, signal(b"typing"))),
        ("signal with an answer", one(24, signal(&[0xc3, 0x28]))),
        ("history from the beginning", one(25, v1::History { room: "lobby".into(), ..Default::default() })),
        ("history backward", one(26, history())),
        ("presence of everybody", one(27, v1::Presence { room: "lobby".into(), users: vec![] })),
        ("presence of two", one(28, v1::Presence { room: "lobby".into(), users: vec!["alice".into(), "bob".into()] })),
        ("presence update", one(29, v1::PresenceUpdate { room: "lobby".into(), state: Bytes::from_static(b"away") })),
        ("presence update that clears", one(30, v1::PresenceUpdate { room: "lobby".into(), state: Bytes::new() })),
        ("read", one(31, v1::Read { room: "lobby".into(), offset: 42 })),
        ("read without an answer", one(0, v1::Read { room: "lobby".into(), offset: 43 })),
        ("ping", one(32, v1::Ping {})),
        ("ping without an answer", one(0, v1::Ping {})),
        ("the largest id", one(u32::MAX, v1::Ping {})),
        (
            "three frames in one message",
            vec![
                ClientFrame::new(33, publish(b"one")),
                ClientFrame::new(34, publish("два".as_bytes())),
                ClientFrame::new(0, v1::Ping {}),
            ],
        ),
        ("a frame without a body", vec![ClientFrame { id: 35, body: None }]),
    ]
}

/// Messages from server to client.
pub fn server() -> Vec<Case<ServerFrame>> {
    let subscribed = || v1::Subscribed { room: "lobby".into(), position: Some(position(0)), ..Default::default() };
    vec![
        ("connected", answer(1, connected())),
        ("connected as a new guest", answer(1, guest())),
        ("refreshed", answer(2, v1::Refreshed { token_expires_ms: TIME_MS })),
        ("subscribed to an empty room", answer(3, v1::Subscribed { first_offset: 1, ..subscribed() })),
        ("subscribed, first page of more", answer(4, first_page())),
        ("subscribed with everything", answer(5, subscribed_full())),
        ("unsubscribed", answer(6, v1::Unsubscribed { room: "lobby".into() })),
        ("published", answer(7, published(false))),
        ("published before", answer(8, published(true))),
        ("signaled", answer(9, v1::Signaled {})),
        ("history page", answer(10, history_page())),
        ("presence", answer(11, presence())),
        ("presence of a room too big to list", answer(12, count_only())),
        ("read", answer(13, ServerBody::Read(marker()))),
        ("pong", answer(14, v1::Pong {})),
        ("error with everything", answer(15, error())),
        ("error that belongs to no command", answer(0, v1::Error { position: None, ..error() })),
        ("message", answer(0, v1::Message { room: "lobby".into(), ..message(42, b"Hello") })),
        ("message with the largest numbers", answer(0, largest())),
        ("message with an empty payload", answer(0, v1::Message { room: "lobby".into(), ..message(43, b"") })),
        ("message that is not UTF-8", answer(0, v1::Message { room: "lobby".into(), ..message(44, &[0xff, 0x00]) })),
        ("message erased", answer(0, v1::Message { room: "lobby".into(), erased: true, ..message(45, b"") })),
        ("message with a relation", answer(0, reply())),
        ("message with mentions and stored files", answer(0, with_files())),
        ("signal", answer(0, signal_push())),
        ("presence diff", answer(0, presence_diff())),
        ("presence diff of a room too big to list", answer(0, count_only_diff())),
        ("read marker", answer(0, ServerBody::ReadMarker(marker()))),
        ("room changed", answer(0, room_changed())),
        ("membership changed", answer(0, membership(&["read", "publish"]))),
        ("membership taken away", answer(0, membership(&[]))),
        ("token expiring", answer(0, v1::TokenExpiring { expires_ms: TIME_MS })),
        ("closing", answer(0, closing())),
        ("changed", answer(0, changed("{\"name\":\"Алиса\"}".as_bytes()))),
        ("changed: gone", answer(0, changed(b""))),
        (
            "a reply and two pushes in one message",
            vec![
                ServerFrame::reply(16, published(false)),
                ServerFrame::push(v1::Message { room: "lobby".into(), ..message(46, "раз".as_bytes()) }),
                ServerFrame::push(v1::Message { room: "lobby".into(), ..message(47, b"two") }),
            ],
        ),
    ]
}

fn one(id: u32, body: impl Into<ClientBody>) -> Vec<ClientFrame> {
    vec![ClientFrame::new(id, body)]
}

fn answer(id: u32, body: impl Into<ServerBody>) -> Vec<ServerFrame> {
    vec![ServerFrame::reply(id, body)]
}

fn position(offset: u64) -> v1::Position {
    v1::Position { epoch: EPOCH, offset }
}

fn connect() -> v1::Connect {
    v1::Connect {
        token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln".into(),
        name: String::new(),
        agent: "example/1.0".into(),
        rooms: vec![since(41), v1::Subscribe { room: "team/ops".into(), last: 20, ..Default::default() }],
        changes: false,
    }
}

fn since(offset: u64) -> v1::Subscribe {
    v1::Subscribe { room: "lobby".into(), since: Some(position(offset)), ..Default::default() }
}

fn last(count: u32) -> v1::Subscribe {
    v1::Subscribe { room: "lobby".into(), last: count, presence: true, ..Default::default() }
}

fn publish(payload: &[u8]) -> v1::Publish {
    v1::Publish {
        room: "lobby".into(),
        message_id: "0d0e6f5c-6f3a-4c52-9f0e-3a7d1c1a2b4d".into(),
        payload: Bytes::copy_from_slice(payload),
        ..Default::default()
    }
}

fn service() -> v1::Publish {
    v1::Publish { kind: v1::Kind::Service.into(), ..publish(b"{\"topic\":\"Releases\"}") }
}

fn related(kind: v1::RelationKind, payload: &[u8]) -> v1::Publish {
    v1::Publish { relation: Some(v1::Relation { kind: kind.into(), offset: 41 }), ..publish(payload) }
}

fn expecting(position: v1::Position) -> v1::Publish {
    v1::Publish { expected: Some(position), ..publish(b"mine") }
}

/// The SHA-256 of nothing, and of "abc".
const BLOBS: [&str; 2] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
];

fn mentioning() -> v1::Publish {
    v1::Publish {
        mentions: vec!["bob".into(), "a|b\"c\\d".into()],
        blobs: vec![BLOBS[0].into()],
        ..publish(b"look, @bob")
    }
}

fn with_files() -> v1::Message {
    let blobs = BLOBS.map(str::to_owned).to_vec();
    v1::Message { room: "lobby".into(), mentions: vec!["alice".into()], blobs, ..message(48, b"look, @alice") }
}

fn changed(body: &[u8]) -> v1::Changed {
    v1::Changed { path: "/api/users/alice".into(), body: Bytes::copy_from_slice(body) }
}

fn signal(payload: &[u8]) -> v1::Signal {
    v1::Signal { room: "lobby".into(), payload: Bytes::copy_from_slice(payload) }
}

fn history() -> v1::History {
    v1::History { room: "lobby".into(), from: 41, direction: v1::Direction::Backward.into(), limit: 20 }
}

fn connected() -> v1::Connected {
    v1::Connected {
        session: "9f0c2a".into(),
        user: "alice".into(),
        name: "Алиса".into(),
        time_ms: TIME_MS,
        heartbeat_ms: 25_000,
        token_expires_ms: TIME_MS + 3_600_000,
        token: String::new(),
        limits: Some(limits()),
        rooms: vec![
            v1::Subscribed {
                room: "lobby".into(),
                position: Some(position(42)),
                first_offset: 1,
                messages: vec![message(42, b"Hello")],
                ..Default::default()
            },
            v1::Subscribed { room: "team/ops".into(), error: Some(error()), ..Default::default() },
        ],
    }
}

fn guest() -> v1::Connected {
    v1::Connected { token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln".into(), rooms: vec![], ..connected() }
}

fn limits() -> v1::Limits {
    v1::Limits {
        payload_bytes: 65_536,
        message_bytes: 262_144,
        frames_per_message: 128,
        rooms_per_connection: 1_000,
        publishes_per_second: 1_000,
        signal_bytes: 4_096,
        history_page: 200,
        signals_per_second: 1_000,
    }
}

fn message(offset: u64, payload: &[u8]) -> v1::Message {
    v1::Message {
        offset,
        sender: "bob".into(),
        sender_name: "Боб".into(),
        message_id: "0d0e6f5c-6f3a-4c52-9f0e-3a7d1c1a2b4d".into(),
        time_ms: TIME_MS,
        payload: Bytes::copy_from_slice(payload),
        ordinal: offset - 1,
        ..Default::default()
    }
}

fn largest() -> v1::Message {
    v1::Message { offset: LARGEST, ordinal: LARGEST, time_ms: LARGEST, room: "lobby".into(), ..message(1, b"end") }
}

fn reply() -> v1::Message {
    let relation = Some(v1::Relation { kind: v1::RelationKind::RelationReply.into(), offset: 41 });
    v1::Message { room: "lobby".into(), relation, kind: v1::Kind::Service.into(), ..message(46, b"I agree") }
}

fn first_page() -> v1::Subscribed {
    v1::Subscribed {
        room: "lobby".into(),
        position: Some(position(900)),
        first_offset: 1,
        messages: vec![message(42, b"Hello"), message(43, "Привет".as_bytes())],
        more: true,
        ..Default::default()
    }
}

fn subscribed_full() -> v1::Subscribed {
    v1::Subscribed {
        presence: Some(v1::PresenceState { room: String::new(), ..presence() }),
        read_offset: 40,
        unread: 3,
        mode: v1::Mode::E2ee.into(),
        more: false,
        position: Some(position(43)),
        ..first_page()
    }
}

fn published(duplicate: bool) -> v1::Published {
    v1::Published { position: Some(position(42)), time_ms: TIME_MS, duplicate }
}

fn history_page() -> v1::HistoryPage {
    v1::HistoryPage {
        room: "lobby".into(),
        position: Some(position(900)),
        first_offset: 1,
        messages: vec![message(40, b"Hi"), message(41, b"Hello")],
        more: true,
    }
}

fn member(user: &str, name: &str, state: &[u8]) -> v1::Member {
    v1::Member { user: user.into(), name: name.into(), state: Bytes::copy_from_slice(state) }
}

fn presence() -> v1::PresenceState {
    v1::PresenceState {
        room: "lobby".into(),
        version: 7,
        count: 2,
        members: vec![member("alice", "Алиса", b"away"), member("bob", "Боб", &[0xff])],
        count_only: false,
    }
}

fn count_only() -> v1::PresenceState {
    v1::PresenceState { count: 12_000, count_only: true, members: vec![member("bob", "", b"")], ..presence() }
}

fn presence_diff() -> v1::PresenceDiff {
    v1::PresenceDiff {
        room: "lobby".into(),
        version: 8,
        count: 2,
        joined: vec![member("carol", "Кэрол", b"")],
        left: vec!["alice".into()],
        count_only: false,
    }
}

fn count_only_diff() -> v1::PresenceDiff {
    v1::PresenceDiff { joined: vec![], left: vec![], count_only: true, count: 501, ..presence_diff() }
}

fn marker() -> v1::ReadMarker {
    v1::ReadMarker { room: "lobby".into(), user: "alice".into(), offset: 42, ordinal: 41 }
}

fn signal_push() -> v1::SignalPush {
    v1::SignalPush { room: "lobby".into(), sender: "bob".into(), payload: Bytes::from_static(b"typing") }
}

fn room_changed() -> v1::RoomChanged {
    v1::RoomChanged { room: "lobby".into(), position: Some(position(42)), first_offset: 20 }
}

fn membership(allow: &[&str]) -> v1::MembershipChanged {
    v1::MembershipChanged { room: "lobby".into(), allow: allow.iter().map(ToString::to_string).collect() }
}

fn closing() -> v1::Closing {
    v1::Closing { code: 4000, reason: "draining".into(), reconnect_after_ms: 1_742 }
}

fn error() -> v1::Error {
    v1::Error {
        code: 501,
        name: "rate_limited".into(),
        message: "Too fast. Wait `retry_after_ms` and try again.".into(),
        temporary: true,
        retry_after_ms: 250,
        position: Some(position(42)),
        first_offset: 20,
    }
}
