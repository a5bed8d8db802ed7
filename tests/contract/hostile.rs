//! Hostile clients and bad input: each gets its number or its close code, memory stays bounded, others notice nothing.

use futures_util::{SinkExt, StreamExt};
use konvert::auth::{Claims, Seconds};
use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{CloseCode, Encoding, ErrorCode, v1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::api::until;
use crate::link::{By, Link};
use crate::server::{Server, Setup};
use crate::user::{self, DEADLINE, User, publish};

/// The body of a plain GET.
pub async fn get(server: &Server, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.address());
    exchange(server, request.as_bytes()).await
}

/// Sends bytes and reads until the server closes.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address()).await.expect("the port is open");
    socket.write_all(bytes).await.expect("it takes bytes");
    let mut answer = Vec::new();
    let reading = socket.read_to_end(&mut answer);
    // A reset after the answer is as good as a close.
    let _ = tokio::time::timeout(DEADLINE, reading).await.expect("the server closes in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Somebody else goes on undisturbed.
async fn others_notice_nothing(server: &Server, witness: &mut User) {
    let id = format!("witness-{}", witness.pushes().await.len());
    witness.publish("witness", &format!("{id}-{}", std::process::id()), "still here").await;
    assert!(get(server, "/api/health").await.contains("ready"));
}

/// Opens a raw connection and sends what is given; the close code.
async fn close_code(server: &Server, encoding: Encoding, messages: Vec<Message>) -> u16 {
    let mut socket = user::open(server, encoding).await;
    for message in messages {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map_or(1005, |frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return 1006,
            }
        }
    };
    tokio::time::timeout(DEADLINE, closed).await.expect("the server closes in time")
}

fn message(encoding: Encoding, bytes: Vec<u8>) -> Message {
    match encoding.is_text() {
        true => Message::Frame(Frame::message(bytes, OpCode::Data(Data::Text), true)),
        false => Message::binary(bytes),
    }
}

fn connect(encoding: Encoding, token: &str) -> Message {
    let connect = v1::Connect { token: token.into(), ..Default::default() };
    message(encoding, encoding.encode(&v1::ClientFrame::new(1, connect)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_broken_frames_are_closed_with_their_code() {
    let server = Server::start().await;
    let mut witness = User::connect(&server, "witness").await;
    let token = user::token(&server, "mallory", "*", user::ALL);
    for encoding in Encoding::ALL {
        let good = encoding.encode(&v1::ClientFrame::new(2, publish("room", "1", "text")));
        let cut = good[..good.len() - 3].to_vec();
        for (what, bytes) in [("garbage", vec![0xff; 40]), ("a cut frame", cut)] {
            // Invalid UTF-8 in a text message breaks RFC 6455 itself.
            let want = if encoding.is_text() && what == "garbage" { 1007 } else { CloseCode::BadFrame.number() };
            let messages = vec![connect(encoding, &token), message(encoding, bytes.clone())];
            assert_eq!(close_code(&server, encoding, messages).await, want, "{what} in {encoding:?}");
            let before = close_code(&server, encoding, vec![message(encoding, bytes)]).await;
            assert_eq!(before, want, "{what} in {encoding:?} as the first frame");
        }
        let huge = vec![b' '; 300 << 10];
        let messages = vec![connect(encoding, &token), message(encoding, huge)];
        assert_eq!(close_code(&server, encoding, messages).await, CloseCode::MessageTooLarge.number());
        let other_kind = match encoding.is_text() {
            true => Message::binary(good),
            false => Message::text("{}"),
        };
        let messages = vec![connect(encoding, &token), other_kind];
        assert_eq!(close_code(&server, encoding, messages).await, CloseCode::BadFrame.number());
    }
    others_notice_nothing(&server, &mut witness).await;
}

over_each!(tokens_that_must_not_be_believed);

async fn tokens_that_must_not_be_believed() {
    let server = Server::start().await;
    let good = user::token(&server, "mallory", "*", user::ALL);
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let expired = {
        let past = Seconds::from_ms(konvert::gateway::now_ms() - 1_000);
        user::mint(&server, &Claims { sub: "mallory".into(), exp: Some(past), ..Claims::default() })
    };
    let other_server = Server::start().await;
    for (what, token, code) in [
        ("no token and no origin", String::new(), ErrorCode::GuestsNotAllowed),
        ("not a token", "no-such-thing".into(), ErrorCode::BadToken),
        ("alg none", format!("{none}.{claims}."), ErrorCode::BadToken),
        ("alg none with a signature", format!("{none}.{claims}.{signature}"), ErrorCode::BadToken),
        ("no signature", format!("{header}.{claims}."), ErrorCode::BadToken),
        ("expired", expired, ErrorCode::TokenExpired),
        ("foreign", user::token(&other_server, "mallory", "*", user::ALL), ErrorCode::BadToken),
        ("endless", "x".repeat(100_000), ErrorCode::BadToken),
    ] {
        let encoding = if let By::Socket(encoding) = user::by() { encoding } else { Encoding::Json };
        let connect = v1::Connect { token: token.clone(), ..Default::default() };
        let mut link = Link::open(&server, user::by(), encoding.encode(&v1::ClientFrame::new(1, connect))).await;
        let mut frames = Vec::new();
        let closed = loop {
            match link.receive().await {
                Ok(more) => frames.extend(more),
                Err(code) => break code,
            }
        };
        let [v1::ServerFrame { id: 1, body: Some(Reply::Error(error)) }] = &frames[..] else {
            panic!("{what} got {frames:?}")
        };
        assert!(user::is(error, code), "{what} got {error:?}");
        assert!(token.is_empty() || !error.message.contains(&token), "the error repeats the token");
        assert_eq!(closed, CloseCode::NotAuthenticated.number(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_origins_and_broken_requests() {
    let server = Server::start().await;
    let request = |headers: &str| {
        format!(
            "GET /ws HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            server.address()
        )
    };
    for (headers, want) in [
        ("origin: https://evil.example\r\n", "403"),
        ("origin: null\r\n", "403"),
        ("sec-websocket-protocol: mqtt\r\n", "400"),
        ("x: \u{1}\r\n", "400"),
    ] {
        let answer = exchange(
            &server,
            format!("{}connection: close\r\n\r\n", request(headers).trim_end_matches("\r\n").to_owned() + "\r\n")
                .as_bytes(),
        )
        .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {want}")), "{headers:?} got {answer:?}");
    }
    assert!(exchange(&server, b"\x16\x03\x01 TLS hello \r\n\r\n").await.contains("400"));
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(20 << 10));
    assert!(exchange(&server, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_are_bounded_in_time_and_count() {
    let server =
        Setup::default().set("gateway.connect_timeout_ms", 1_000).set("gateway.pending_per_address", 50).start().await;
    let mut witness = User::connect(&server, "witness").await;
    let mut half_open = Vec::new();
    for n in 0..200 {
        let mut socket = TcpStream::connect(server.address()).await.expect("the port is open");
        // Some send half a request, some a whole upgrade and then nothing.
        let bytes = match n % 2 {
            0 => "GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: webso".to_owned(),
            _ => format!(
                "GET /ws HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                server.address()
            ),
        };
        // Over the limit the server may have closed already.
        let _ = socket.write_all(bytes.as_bytes()).await;
        half_open.push(socket);
    }
    let mut refused = 0;
    for mut socket in half_open {
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "a half-open connection is still held");
        refused += usize::from(answer.is_empty());
    }
    assert!(refused >= 100, "only {refused} of 200 were refused at once or cut off without an answer");
    others_notice_nothing(&server, &mut witness).await;
    // One is that by which we ask; of others the end may be on its way.
    let pending = async || crate::guarantees::metric(&server, "konvert_connections_pending").await.expect("a metric");
    until("places are given back", || async { pending().await <= 1.0 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_connect_is_closed() {
    let server = Setup::default().set("gateway.connect_timeout_ms", 1_000).start().await;
    assert_eq!(close_code(&server, Encoding::Protobuf, vec![]).await, CloseCode::ConnectTimeout.number());
    let ping = Encoding::Json.encode(&v1::ClientFrame::new(1, v1::Ping {}));
    let code = close_code(&server, Encoding::Json, vec![message(Encoding::Json, ping)]).await;
    assert_eq!(code, CloseCode::NotAuthenticated.number());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragment_and_control_floods() {
    let server = Server::start().await;
    let mut witness = User::connect(&server, "witness").await;
    let token = user::token(&server, "mallory", "*", user::ALL);
    let fragment = |first: bool, payload: Vec<u8>| {
        let data = if first { Data::Binary } else { Data::Continue };
        Message::Frame(Frame::message(payload, OpCode::Data(data), false))
    };
    let empty = std::iter::once(fragment(true, vec![])).chain((0..60_000).map(|_| fragment(false, vec![])));
    let messages = std::iter::once(connect(Encoding::Protobuf, &token)).chain(empty).collect();
    let code = close_code(&server, Encoding::Protobuf, messages).await;
    assert!([CloseCode::Flood.number(), 1006].contains(&code), "empty fragments got {code}");
    let pings = (0..60_000).map(|_| Message::Ping(Vec::new().into()));
    let messages = std::iter::once(connect(Encoding::Protobuf, &token)).chain(pings).collect();
    let code = close_code(&server, Encoding::Protobuf, messages).await;
    assert!([CloseCode::Flood.number(), CloseCode::SlowConsumer.number(), 1006].contains(&code), "pings got {code}");
    let closed = crate::guarantees::metric(&server, "konvert_closes_total").await.expect("a close was counted");
    assert!(closed >= 1.0);
    others_notice_nothing(&server, &mut witness).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_subscriptions() {
    let server = Setup::default().set("gateway.commands_per_second", 1_000_000).start().await;
    let mut witness = User::connect(&server, "witness").await;
    // Rooms that exist cannot be many without the right to create them; with it, the connection's limit holds.
    let mut mallory = User::connect(&server, "mallory").await;
    let before = resident_bytes(server.pid());
    let mut taken = 0;
    for chunk in 0..1_000 {
        let mut asked = Vec::new();
        for n in 0..100 {
            // Only so many new rooms; the others are subscribed to again and again.
            let room = format!("room-{}", (chunk * 100 + n) % 1_500);
            asked.push(mallory.tell(v1::Subscribe { room, ..Default::default() }).await);
            if n % 4 == 3 {
                // Four at a time may wait for the disk.
                for command in asked.drain(..) {
                    match mallory.reply(command).await {
                        Reply::Subscribed(_) => taken += 1,
                        Reply::Error(error) => assert!(user::is(&error, ErrorCode::TooManyRooms), "{error:?}"),
                        other => panic!("{other:?}"),
                    }
                }
            }
        }
    }
    assert!(taken >= 1_000, "{taken}");
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    others_notice_nothing(&server, &mut witness).await;
}

/// A reader that never reads: the server holds little for it and ends it, however it stalls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_never_reads_is_cut_off() {
    let server = Setup::default().set("gateway.outbox_stall_ms", 2_000).start().await;
    let mut stalled = User::connect(&server, "stalled").await;
    stalled.subscribe("room").await;
    let mut ann = User::connect(&server, "ann").await;
    let before = resident_bytes(server.pid());
    let text = "x".repeat(48 << 10);
    let mut sent = 0;
    let ended = async {
        while crate::guarantees::metric(&server, "konvert_slow_consumers_total").await != Ok(1.0) {
            for n in 0..20 {
                ann.publish("room", &format!("{sent}-{n}"), &text).await;
            }
            sent += 1;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.expect("the stalled reader is cut off");
    // The journal's recent window keeps messages too; what is left is what the reader was allowed.
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(grown < 160 << 20, "memory grew by {grown} bytes");
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a status has VmRSS");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kib << 10
}

over_each!(what_rights_do_not_allow);

async fn what_rights_do_not_allow() {
    let server = Server::start().await;
    let mut ann = User::connect(&server, "ann").await;
    ann.publish("room", "1", "ann's").await;
    ann.publish("secret", "1", "hidden").await;
    let token = user::token(&server, "bob", "room", "read");
    let mut bob = User::connect_with(&server, token, Encoding::Msgpack, Vec::new()).await;
    bob.subscribe("room").await;
    let read = |room: &str| v1::Read { room: room.into(), offset: 1 };
    let history = |room: &str| v1::History { room: room.into(), ..Default::default() };
    let subscribe = |room: &str| v1::Subscribe { room: room.into(), ..Default::default() };
    let signal = |room: &str| v1::Signal { room: room.into(), ..Default::default() };
    let presence = |room: &str| v1::Presence { room: room.into(), ..Default::default() };
    // What exists and what does not exist look the same to one who may know of neither.
    let mut unknown = Vec::new();
    for room in ["secret", "never-made"] {
        unknown.push([
            bob.refused(subscribe(room)).await,
            bob.refused(publish(room, "1", "text")).await,
            bob.refused(signal(room)).await,
            bob.refused(history(room)).await,
            bob.refused(presence(room)).await,
            bob.refused(read(room)).await,
        ]);
    }
    assert_eq!(unknown[0], unknown[1]);
    assert!(unknown[0].iter().all(|error| user::is(error, ErrorCode::UnknownRoom)), "{:?}", unknown[0]);
    for error in [
        bob.refused(publish("room", "1", "text")).await,
        bob.refused(signal("room")).await,
        bob.refused(presence("room")).await,
        bob.refused(v1::Subscribe { presence: true, ..subscribe("room") }).await,
    ] {
        assert!(user::is(&error, ErrorCode::NotAllowed), "{error:?}");
    }
    assert_eq!(ann.history("room").await.len(), 1);
    for room in ["", "ком ната", "a*"] {
        assert!(user::is(&bob.refused(subscribe(room)).await, ErrorCode::BadName), "{room:?}");
    }
}

/// A goodbye in the same segment as the request must not leave the socket behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_with_the_request_leaves_nothing_behind() {
    let server = Server::start().await;
    // Of sockets only: the server goes on opening files for a while after it began to listen.
    let is_socket = |path: &std::path::PathBuf| path.to_string_lossy().starts_with("socket:");
    let descriptors = || {
        let all = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").flatten();
        all.filter_map(|entry| std::fs::read_link(entry.path()).ok()).filter(is_socket).count()
    };
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address()
    );
    let goodbye = [request.as_bytes(), &[0x88, 0x82, 0, 0, 0, 0, 3, 232]].concat();
    let before = descriptors();
    let mut sockets = Vec::new();
    for _ in 0..50 {
        let mut socket = TcpStream::connect(server.address()).await.expect("the port is open");
        socket.write_all(&goodbye).await.expect("it takes bytes");
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "the server does not close");
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        // Held open on this side, so that only the server's own end counts.
        sockets.push(socket);
    }
    // The last ones may be closed a moment after they were shut down.
    until("the sockets are closed", || async { descriptors() < before + 10 }).await;
}

/// Empty messages and endless pings cost next to nothing to send; they are ended, and nobody waits meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cheap_floods_end() {
    let server = Server::start().await;
    let mut witness = User::connect(&server, "witness").await;
    let token = user::token(&server, "mallory", "*", user::ALL);
    let messages = vec![connect(Encoding::Protobuf, &token), Message::binary(Vec::new())];
    assert_eq!(close_code(&server, Encoding::Protobuf, messages).await, CloseCode::BadFrame.number());
    let rooms = vec![v1::Subscribe { room: "room".into(), last: 200, ..Default::default() }; 1_001];
    let command = v1::Connect { token, rooms, ..Default::default() };
    let bytes = Encoding::Protobuf.encode(&v1::ClientFrame::new(1, command));
    let code = close_code(&server, Encoding::Protobuf, vec![Message::binary(bytes)]).await;
    assert_eq!(code, CloseCode::NotAuthenticated.number());
    let users = vec!["x".to_owned(); 501];
    let error = witness.refused(v1::Presence { room: "witness".into(), users }).await;
    assert!(user::is(&error, ErrorCode::BadCommand), "{error:?}");
    others_notice_nothing(&server, &mut witness).await;
}

/// One message of commands with long answers: the server writes and checks between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_histories_at_once() {
    let server = Server::start().await;
    let mut ann = User::connect(&server, "ann").await;
    let text = "x".repeat(60 << 10);
    for n in 0..2 {
        ann.publish("room", &format!("{n}"), &text).await;
    }
    let before = resident_bytes(server.pid());
    let token = user::token(&server, "mallory", "*", user::ALL);
    let mut socket = user::open(&server, Encoding::Protobuf).await;
    socket.send(connect(Encoding::Protobuf, &token)).await.expect("the socket is open");
    for _ in 0..16 {
        let mut bytes = Vec::new();
        for id in 2..130 {
            let history = v1::History { room: "room".into(), ..Default::default() };
            Encoding::Protobuf.encode_into(&v1::ClientFrame::new(id, history), &mut bytes);
        }
        if socket.send(Message::binary(bytes)).await.is_err() {
            break;
        }
    }
    // It reads nothing, so it is closed; what the server held for it stays near the bound of one outbox.
    let ended = async { while crate::guarantees::metric(&server, "konvert_slow_consumers_total").await != Ok(1.0) {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the reader is closed");
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    assert!(grown < 32 << 20, "memory grew by {grown} bytes");
}
