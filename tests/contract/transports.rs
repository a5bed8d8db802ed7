//! Sessions without a socket: what their requests may look like and what they get, who may speak for them, how they move
//! from one transport to another, and how they end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use konvert::auth::{Claims, Grant, Seconds};
use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{CloseCode, Encoding, ErrorCode, v1};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::api::until;
use crate::guarantees::metric;
use crate::link::{By, Event, Events, Http};
use crate::server::{Server, Setup};
use crate::user::{self, DEADLINE, User, publish};

const TRANSPORTS: [By; 3] = [By::Socket(Encoding::Msgpack), By::Stream, By::Poll];

/// The frames of a body.
fn lines(frames: impl IntoIterator<Item = v1::ClientFrame>) -> Vec<u8> {
    let mut body = Vec::new();
    frames.into_iter().for_each(|frame| Encoding::Json.encode_into(&frame, &mut body));
    body
}

fn connect(server: &Server, user: &str) -> Vec<u8> {
    let connect = v1::Connect { token: user::token(server, user, "*", user::ALL), ..Default::default() };
    lines([v1::ClientFrame::new(1, connect)])
}

/// Begins a session that is polled; its secret.
async fn begin_poll(server: &Server, user: &str) -> String {
    let answer = Http::new(server).post("/api/poll", "", connect(server, user)).await.expect("an answer");
    let mut events = Events::of(answer);
    let Some(Event::Session(pass)) = events.next().await else { panic!("no session") };
    assert!(matches!(events.next().await, Some(Event::Frame(_))), "the answer to connect comes with it");
    assert_eq!(events.next().await, None);
    pass
}

/// Status and name of an answer.
async fn refusal(answer: Result<hyper::Response<hyper::body::Incoming>, ()>) -> (u16, String) {
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    let is_problem = answer.headers().get("content-type").is_some_and(|kind| kind == "application/problem+json");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    if is_problem {
        let code = ErrorCode::ALL.iter().find(|code| u64::from(code.number()) == problem["code"]);
        assert_eq!(code.map(|code| code.name()), problem["name"].as_str(), "{problem}");
    }
    (status, problem["name"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_requests_that_are_refused() {
    let server = Server::start().await;
    let pass = begin_poll(&server, "ann").await;
    let good = lines([v1::ClientFrame::new(7, publish("room", "1", "text"))]);
    let half = [&good[..], b"\n{\"id\":8,\"publ"].concat();
    let json = ("content-type", "application/json");
    let session = ("konvert-session", pass.as_str());
    let mut http = Http::new(&server);
    for (what, path, headers, body, want) in [
        ("no frame", "/api/sse", vec![json], vec![], (400, "bad_request")),
        ("no frame", "/api/poll", vec![json], vec![], (400, "bad_request")),
        ("no frame", "/api/send", vec![json, session], vec![], (400, "bad_request")),
        ("garbage", "/api/send", vec![json, session], vec![0xff; 40], (400, "bad_request")),
        ("garbage", "/api/sse", vec![json], b"hello".to_vec(), (400, "bad_request")),
        ("half a frame behind a good one", "/api/send", vec![json, session], half, (400, "bad_request")),
        ("too much", "/api/send", vec![json, session], vec![b' '; 300 << 10], (413, "body_too_large")),
        ("far too much", "/api/sse", vec![json], vec![b' '; 600 << 10], (413, "body_too_large")),
        (
            "another kind",
            "/api/send",
            vec![("content-type", "application/x-protobuf"), session],
            good.clone(),
            (415, "unsupported_type"),
        ),
        (
            "a page from elsewhere",
            "/api/send",
            vec![json, session, ("origin", "https://evil.example")],
            good.clone(),
            (403, "origin_not_allowed"),
        ),
        ("a page from nowhere", "/api/sse", vec![json, ("origin", "null")], good.clone(), (403, "origin_not_allowed")),
        ("no session", "/api/send", vec![json], good.clone(), (410, "session_ended")),
        ("no session", "/api/close", vec![json], vec![], (410, "session_ended")),
    ] {
        let answer = http.request(Method::POST, path, &headers, body).await;
        assert_eq!(refusal(answer).await, (want.0, want.1.to_owned()), "{what} to {path}");
    }
    for path in ["/api/sse", "/api/poll", "/api/send", "/api/close"] {
        let answer = http.request(Method::GET, path, &[], Vec::new()).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST, OPTIONS".parse().unwrap()));
        let text = answer.into_body().collect().await.expect("a body").to_bytes();
        assert!(text.windows(11).any(|part| part == b"PROTOCOL.md"), "{path} tells how to use it");
    }
    // Nothing of all this was done, and the session lives.
    let mut ann = User::connect(&server, "ann").await;
    let error = ann.refused(v1::History { room: "other".into(), ..Default::default() }).await;
    assert!(user::is(&error, ErrorCode::UnknownRoom), "{error:?}");
    let error = ann.refused(v1::History { room: "room".into(), ..Default::default() }).await;
    assert!(user::is(&error, ErrorCode::UnknownRoom), "the good half of a bad body was done: {error:?}");
    assert_eq!(http.post("/api/send", &pass, good).await.expect("an answer").status(), 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_allowed_origins_may_ask() {
    let page = "https://app.example";
    let server = Setup::default().set("gateway.origins", format!("[\"{page}\"]")).start().await;
    let mut http = Http::new(&server);
    for (origin, allowed) in [(page, true), ("https://app.example.evil.example", false), ("http://app.example", false)]
    {
        for path in ["/api/sse", "/api/poll", "/api/send", "/api/close"] {
            let asks = [("origin", origin), ("access-control-request-method", "POST")];
            let answer = http.request(Method::OPTIONS, path, &asks, Vec::new()).await.expect("an answer");
            let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
            assert_eq!(answer.status(), if allowed { 204 } else { 403 }, "{origin} {path}");
            assert_eq!(header("access-control-allow-origin"), allowed.then(|| origin.to_owned()));
            if allowed {
                let headers = header("access-control-allow-headers").expect("headers are allowed");
                assert_eq!(headers, "content-type, konvert-session, authorization");
            }
        }
    }
    // A guest comes from a page, and from nowhere else.
    let guest = lines([v1::ClientFrame::new(1, v1::Connect { name: "Ann".into(), ..Default::default() })]);
    for (origin, is_let_in) in [(Some(page), true), (None, false)] {
        let headers: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
        let answer = http.request(Method::POST, "/api/poll", &headers, guest.clone()).await.expect("an answer");
        let mut events = Events::of(answer);
        let first = events.next().await.expect("something is said");
        assert_eq!(matches!(first, Event::Session(_)), is_let_in, "{first:?}");
        if !is_let_in {
            let Event::Frame(frame) = first else { panic!("{first:?}") };
            let Some(Reply::Error(error)) = frame.body else { panic!("{frame:?}") };
            assert!(user::is(&error, ErrorCode::GuestsNotAllowed), "{error:?}");
            assert_eq!(events.next().await, Some(Event::Close(CloseCode::NotAuthenticated.number())));
        }
    }
}

/// Who knows less than the whole secret of a session cannot speak for it, and cannot tell it from one that never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_secrets() {
    let server = Setup::default().set("gateway.shards", 2).start().await;
    let pass = begin_poll(&server, "ann").await;
    let parts: Vec<_> = pass.split('.').collect();
    let [shard, slot, generation, secret] = parts[..] else { panic!("a secret has four parts") };
    let other = if secret.starts_with('A') { "B" } else { "A" };
    let socket = User::connect(&server, "bob").await.connected.session.replace('-', ".");
    for forged in [
        format!("{shard}.{slot}.{generation}.{other}{}", &secret[1..]),
        format!("{shard}.{slot}.{generation}.{}", "A".repeat(22)),
        format!("{shard}.{slot}.{generation}."),
        format!("{shard}.{slot}.{generation}"),
        format!("{}.{slot}.{generation}.{secret}", 1 - shard.parse::<u16>().expect("a number")),
        format!("{shard}.{slot}.9{generation}.{secret}"),
        format!("{shard}.999999.{generation}.{secret}"),
        format!("65535.{slot}.{generation}.{secret}"),
        format!("{socket}.{}", "A".repeat(22)),
        format!("{socket}.{secret}"),
        "x".repeat(4_000),
    ] {
        // Either thread may take the request.
        for _ in 0..4 {
            for path in ["/api/send", "/api/poll", "/api/close"] {
                let ping = lines([v1::ClientFrame::new(1, v1::Ping {})]);
                let answer = Http::new(&server).post(path, &forged, ping).await;
                assert_eq!(refusal(answer).await, (410, "session_ended".to_owned()), "{forged} to {path}");
            }
        }
    }
    assert_eq!(Http::new(&server).post("/api/close", &pass, Vec::new()).await.expect("an answer").status(), 204);
    let answer = Http::new(&server).post("/api/poll", &pass, Vec::new()).await;
    assert_eq!(refusal(answer).await, (410, "session_ended".to_owned()), "after the goodbye");
}

/// A request that polls, and its status and body.
fn poll(server: &Server, pass: &str) -> JoinHandle<(u16, Bytes)> {
    let (mut http, pass) = (Http::new(server), pass.to_owned());
    tokio::spawn(async move {
        let answer = http.post("/api/poll", &pass, Vec::new()).await.expect("an answer");
        (answer.status().as_u16(), answer.into_body().collect().await.expect("a body").to_bytes())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_poll_takes_over() {
    // Nothing is answered because of silence.
    let server = Setup::default().set("gateway.heartbeat_ms", 600_000).start().await;
    let pass = begin_poll(&server, "ann").await;
    let (mut one, mut other) = (poll(&server, &pass), poll(&server, &pass));
    // Whichever came first, the second one takes over.
    let both = async {
        tokio::select! {
            answer = &mut one => (answer, other),
            answer = &mut other => (answer, one),
        }
    };
    let (taken_over, left) = tokio::time::timeout(DEADLINE, both).await.expect("one is taken over");
    assert_eq!(taken_over.expect("an answer").0, 204);
    let ping = lines([v1::ClientFrame::new(9, v1::Ping {})]);
    assert_eq!(Http::new(&server).post("/api/send", &pass, ping).await.expect("an answer").status(), 202);
    let (status, said) = tokio::time::timeout(DEADLINE, left).await.expect("in time").expect("an answer");
    assert_eq!((status, &said[..]), (200, &b"data: {\"id\":9,\"pong\":{}}\n\n"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_a_poll() {
    let server = Setup::default().set("gateway.heartbeat_ms", 2_000).start().await;
    let pass = begin_poll(&server, "ann").await;
    let started = Instant::now();
    let (status, _) = tokio::time::timeout(DEADLINE, poll(&server, &pass)).await.expect("in time").expect("an answer");
    assert_eq!(status, 204, "a heartbeat of silence");
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
}

/// One reader goes from transport to transport while somebody writes: it sees everything once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_between_transports_loses_and_doubles_nothing() {
    const EACH: u64 = 60;
    let server = Server::start().await;
    let mut ann = User::connect(&server, "ann").await;
    let epoch = ann.subscribe("room").await.position.expect("a position").epoch;
    let writer = tokio::spawn(async move {
        for n in 0..EACH * 6 {
            ann.publish("room", &format!("{n}"), "text").await;
        }
    });
    let mut seen: Vec<u64> = Vec::new();
    for (round, by) in TRANSPORTS.into_iter().chain([By::Poll, By::Stream, By::Socket(Encoding::Json)]).enumerate() {
        let position = v1::Position { epoch, offset: seen.last().copied().unwrap_or_default() };
        let token = user::token(&server, "bob", "*", user::ALL);
        let room = v1::Subscribe { room: "room".into(), since: Some(position), ..Default::default() };
        let mut bob = User::connect_by(&server, by, token, vec![room]).await;
        let entered = bob.connected.rooms[0].clone();
        assert!(!entered.more && entered.error.is_none(), "{entered:?}");
        seen.extend(entered.messages.iter().map(|message| message.offset));
        while seen.len() < ((round as u64 + 1) * EACH) as usize {
            seen.push(bob.message().await.offset);
        }
        // Half of them just break.
        if round % 2 == 0 {
            bob.goodbye().await;
        }
    }
    writer.await.expect("the writer ends");
    assert!(seen.iter().copied().eq(1..=seen.len() as u64), "{seen:?}");
    assert!(seen.len() as u64 >= EACH * 6);
}

/// Requests for a session come by many connections, whose threads are not the session's; each is done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_through_many_connections() {
    let server = Setup::default().set("gateway.shards", 4).start().await;
    let mut readers = Vec::new();
    for by in TRANSPORTS {
        let token = user::token(&server, "reader", "*", user::ALL);
        let room = v1::Subscribe { room: "room".into(), ..Default::default() };
        readers.push(User::connect_by(&server, by, token, vec![room]).await);
    }
    let pass = begin_poll(&server, "ann").await;
    let mut sending = Vec::new();
    for connection in 0..16u32 {
        let (mut http, pass) = (Http::new(&server), pass.clone());
        sending.push(tokio::spawn(async move {
            for n in 0..10 {
                let frame =
                    v1::ClientFrame::new(connection * 10 + n + 2, publish("room", &format!("{connection}-{n}"), "x"));
                // Too many at once may be told to wait; nothing of it was done then.
                loop {
                    let answer = http.post("/api/send", &pass, lines([frame.clone()])).await.expect("an answer");
                    match answer.status().as_u16() {
                        202 => break,
                        429 => assert!(answer.headers().contains_key("retry-after")),
                        other => panic!("{other}"),
                    }
                }
            }
        }));
    }
    for sending in sending {
        sending.await.expect("all was sent");
    }
    let mut acks = Vec::new();
    while acks.len() < 160 {
        let answer = Http::new(&server).post("/api/poll", &pass, Vec::new()).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let mut events = Events::of(answer);
        while let Some(event) = events.next().await {
            let Event::Frame(frame) = event else { panic!("{event:?}") };
            assert!(matches!(&frame.body, Some(Reply::Published(published)) if !published.duplicate), "{frame:?}");
            acks.push(frame.id);
        }
    }
    acks.sort_unstable();
    assert!(acks.into_iter().eq(2..162), "every command has its one answer");
    for reader in &mut readers {
        let mut offsets = Vec::new();
        while offsets.len() < 160 {
            offsets.push(reader.message().await.offset);
        }
        assert!(offsets.into_iter().eq(1..=160));
    }
}

over_each!(a_token_that_ends_ends_the_session);

async fn a_token_that_ends_ends_the_session() {
    let server = Server::start().await;
    let grant: Grant = serde_json::from_value(serde_json::json!({"room": "*", "allow": ["read"]})).expect("a grant");
    let exp = Some(Seconds::from_ms(konvert::gateway::now_ms() + 3_000));
    let claims = Claims { sub: "ann".into(), exp, grants: vec![grant], ..Claims::default() };
    let mut ann = User::connect_with(&server, user::mint(&server, &claims), Encoding::Protobuf, Vec::new()).await;
    loop {
        match ann.push().await {
            Reply::TokenExpiring(_) => break,
            other => println!("{other:?}"),
        }
    }
    assert_eq!(ann.closed().await, CloseCode::TokenEnded.number());
}

/// Who is not heard of is closed, whatever it speaks by, and its places come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_a_session_and_gives_its_places_back() {
    let server = Setup::default().set("gateway.heartbeat_ms", 1_000).start().await;
    let token = user::token(&server, "ann", "*", user::ALL);
    let mut stream = User::connect_by(&server, By::Stream, token, Vec::new()).await;
    let pass = begin_poll(&server, "bob").await;
    let connections = async |transport: &str| {
        metric(&server, &format!("konvert_transport_connections{{transport=\"{transport}\"}}")).await
    };
    assert_eq!((connections("sse").await, connections("poll").await), (Ok(1.0), Ok(1.0)));
    assert_eq!(stream.closed().await, CloseCode::HeartbeatTimeout.number());
    // Looked at from outside: a request for the session would be a sign of life.
    for transport in ["sse", "poll"] {
        until("its place is given back", || async { connections(transport).await == Ok(0.0) }).await;
    }
    // The poll's end is told to whoever asks late, once; then there is nothing to tell.
    for _ in 0..2 {
        let answer = Http::new(&server).post("/api/send", &pass, lines([v1::ClientFrame::new(1, v1::Ping {})])).await;
        assert_eq!(refusal(answer).await.0, 410);
    }
    // The scrape itself is on a connection that has not said who it is.
    let pending = async || metric(&server, "konvert_connections_pending").await.expect("a metric");
    until("no place is kept", || async { pending().await <= 1.0 }).await;
}
