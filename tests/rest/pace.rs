//! How fast is too fast, by whatever way somebody comes: an account has one pace for its messages, an address one for tokens
//! that are refused and guests who are new.

use std::time::{Duration, Instant};

use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{Encoding, ErrorCode, v1};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::api::Api;
use crate::dialogs::direct;
use crate::link::{By, Link};
use crate::server::{Server, Setup};
use crate::user::{self, User};

/// How many may have been taken by now from what holds so many and grows by so many in a second.
pub fn most(burst: u64, per_second: u64, since: Instant) -> u64 {
    burst + per_second * (since.elapsed() + Duration::from_secs(1)).as_secs()
}

#[tokio::test]
async fn an_account_publishes_at_one_pace_by_all_its_ways() {
    let server = Setup::default().set("gateway.publishes_per_second", 1).start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = direct(&ann, &bob).await;
    let mut sockets = [User::watch(&server, ann.token()).await, User::watch(&server, ann.token()).await];
    let (began, mut stored, mut refused) = (Instant::now(), 0, [0; 3]);
    for n in 0..12 {
        for (way, socket) in sockets.iter_mut().enumerate() {
            match socket.ask(user::publish(&dialog, &format!("{way}-{n}"), "hello")).await {
                Reply::Published(_) => stored += 1,
                Reply::Error(error) => {
                    assert!(user::is(&error, ErrorCode::RateLimited) && error.retry_after_ms > 0, "{error:?}");
                    refused[way] += 1;
                }
                other => panic!("publish got {other:?}"),
            }
        }
        let answer = ann.post(&format!("/api/dialogs/{dialog}/messages"), json!({"text": "hello"})).await;
        match answer.status.as_u16() {
            429 => refused[2] += 1,
            _ => stored += u64::from(!answer.ok().is_null()),
        }
    }
    let most = most(2, 1, began);
    assert!(stored >= 2 && stored <= most && refused.iter().all(|count| *count > 0), "{stored} of {most}, {refused:?}");
    crate::dialogs::say(&bob, &dialog, "others have their own").await;
}

/// What the first frame of a session gets.
async fn first_reply(mut link: Link) -> Reply {
    loop {
        let frames = link.receive().await.expect("an answer before the end");
        if let Some(frame) = frames.into_iter().find(|frame| frame.id == 1) {
            return frame.body.expect("a reply has a body");
        }
    }
}

fn connect(token: &str) -> v1::ClientFrame {
    v1::ClientFrame::new(1, v1::Connect { token: token.into(), name: "Gast".into(), ..Default::default() })
}

/// Asks to be let in as a guest, by a request; the status.
async fn guest_by_request(server: &Server) -> u16 {
    let request = Api::new(server).request(Method::POST, "/api/auth/guest").json(&json!({"name": "Gast"}));
    Api::answer(request.header("origin", format!("http://{}", server.address()))).await.status.as_u16()
}

/// Asks to be let in as a guest, on a socket, through a proxy that says this.
async fn guest_on_socket(server: &Server, forwarded: &str) -> Reply {
    let mut request = server.socket_url().into_client_request().expect("a request");
    let origin = format!("http://{}", server.address());
    for (name, value) in
        [("origin", &*origin), ("x-forwarded-for", forwarded), ("sec-websocket-protocol", "konvert.v1.json")]
    {
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    let socket = TcpStream::connect(server.address()).await.expect("the port is open");
    let socket = tokio_tungstenite::client_async(request, socket).await.expect("the socket opens").0;
    let mut link = Link::Socket(Box::new(socket), Encoding::Json);
    link.send(Encoding::Json.encode(&connect(""))).await;
    first_reply(link).await
}

/// Three tries of one address at once, and one more in every second.
fn three_tries() -> Setup {
    Setup::default().set("service.address_requests_per_second", 1).set("service.address_requests_burst", 3)
}

#[tokio::test]
async fn an_address_tries_tokens_at_one_pace() {
    for by in [By::Socket(Encoding::Protobuf), By::Stream, By::Poll] {
        let server = three_tries().start().await;
        let encoding = if let By::Socket(encoding) = by { encoding } else { Encoding::Json };
        let (began, mut judged, mut told_to_wait) = (Instant::now(), 0, 0);
        for _ in 0..20 {
            let link = Link::open(&server, by, encoding.encode(&connect("a.b.c"))).await;
            match first_reply(link).await {
                Reply::Error(error) if user::is(&error, ErrorCode::BadToken) => judged += 1,
                Reply::Error(error) if user::is(&error, ErrorCode::RateLimited) && error.retry_after_ms > 0 => {
                    told_to_wait += 1;
                }
                other => panic!("a bad token got {other:?}"),
            }
        }
        let most = most(3, 1, began);
        assert!(judged >= 3 && judged <= most && told_to_wait > 0, "{judged} of {most}, {told_to_wait}");
        // Requests take from the same.
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(guest_by_request(&server).await);
        }
        assert!(statuses.contains(&429), "{statuses:?}");
        // Whoever has a good token is let in from there all the same, and tries no others on the way.
        let mut ann = User::connect_by(&server, by, user::token(&server, "ann", "*", "read"), Vec::new()).await;
        let mut codes = Vec::new();
        for _ in 0..6 {
            codes.push(ann.refused(v1::Refresh { token: "a.b.c".into() }).await.name);
        }
        assert!(codes.iter().any(|name| name == "rate_limited"), "{codes:?}");
    }
}

#[tokio::test]
async fn guests_of_an_address_come_at_one_pace() {
    let server = three_tries().start().await;
    let (began, mut let_in, mut told_to_wait) = (Instant::now(), 0, 0);
    for _ in 0..10 {
        match guest_on_socket(&server, "192.0.2.1").await {
            Reply::Connected(_) => let_in += 1,
            Reply::Error(error) if user::is(&error, ErrorCode::RateLimited) => told_to_wait += 1,
            other => panic!("a guest got {other:?}"),
        }
        match guest_by_request(&server).await {
            201 => let_in += 1,
            status => told_to_wait += u64::from(status == 429),
        }
    }
    let most = most(3, 1, began);
    assert!(let_in >= 3 && let_in <= most && let_in + told_to_wait == 20, "{let_in} of {most}, {told_to_wait}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_guest_has_an_own_address() {
    let server = three_tries().set("server.trusted_proxies", "[\"127.0.0.0/8\"]").start().await;
    for n in 0..20 {
        let reply = guest_on_socket(&server, &format!("192.0.2.{n}")).await;
        assert!(matches!(reply, Reply::Connected(_)), "{reply:?}");
    }
}
