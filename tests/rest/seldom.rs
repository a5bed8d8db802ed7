//! What is seldom asked for: dialogs of service, what one keeps of a dialog and takes back, contacts seen live, appended
//! parts, files too large for one request, and tokens at their end.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use konvert::auth::{Claims, Seconds};
use konvert::gateway::now_ms;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api::{Api, PASSWORD};
use crate::dialogs::{group, id, say};
use crate::forms::Database;
use crate::live::changed;
use crate::server::{Server, Setup};
use crate::user::{DEADLINE, User, mint};

#[tokio::test]
async fn a_dialog_of_service_is_one_among_the_others() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let wanted = json!({"kind": "service", "title": "Help", "members": [bob.user]});
    let dialog = id(&ann.post("/api/dialogs", wanted.clone()).await.ok());
    let second = id(&ann.post("/api/dialogs", wanted).await.ok());
    assert_ne!(dialog, second, "only pairs have one dialog");
    group(&ann, "Group", &[&bob]).await;
    say(&bob, &dialog, "hello").await;
    let seen = ann.get(&format!("/api/dialogs/{dialog}")).await.ok();
    assert_eq!((&seen["kind"], &seen["unread"], &seen["role"]), (&json!("service"), &json!(1), &json!("owner")));
    let list = bob.get("/api/dialogs?kind=service").await.ok();
    assert_eq!(list["items"].as_array().expect("items").iter().map(id).collect::<Vec<_>>(), [dialog, second]);
}

#[tokio::test]
async fn what_one_keeps_of_a_dialog_can_be_taken_back() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let path = format!("/api/dialogs/{dialog}");
    let until_ms = now_ms() + 60_000;
    for (change, name) in [
        (json!({"muted_until_ms": until_ms}), "muted_until_ms"),
        (json!({"pinned": true}), "pinned"),
        (json!({"archived": true}), "archived"),
        (json!({"archived": false}), "archived"),
        (json!({"pinned": false}), "pinned"),
        (json!({"muted_until_ms": 0}), "muted_until_ms"),
    ] {
        ann.patch(&format!("{path}/settings"), change.clone()).await.ok();
        assert_eq!(ann.get(&path).await.ok()[name], change[name], "{change}");
        let is_away = change["archived"] == true;
        let listed = ann.get("/api/dialogs").await.ok()["items"].as_array().expect("items").len();
        assert_eq!(listed, usize::from(!is_away), "{change}");
        // It is hers alone.
        let of_bob = bob.get(&path).await.ok();
        let untouched = (&json!(0), &json!(false), &json!(false));
        assert_eq!((&of_bob["muted_until_ms"], &of_bob["pinned"], &of_bob["archived"]), untouched);
    }
}

#[tokio::test]
async fn contacts_are_told_live_whatever_becomes_of_them() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let (mut of_ann, mut of_bob) = (User::watch(&server, ann.token()).await, User::watch(&server, bob.token()).await);
    let (bobs, anns) = (format!("/api/contacts/{}", bob.user), format!("/api/contacts/{}", ann.user));
    for (who, end) in [(&bob, "decline"), (&ann, "cancel")] {
        ann.post(&format!("{bobs}/request"), Value::Null).await.ok();
        changed(&mut of_ann, &bobs, |view| view["state"] == "sent").await;
        changed(&mut of_bob, &anns, |view| view["state"] == "received").await;
        let path = if who.user == ann.user { &bobs } else { &anns };
        who.post(&format!("{path}/{end}"), Value::Null).await.ok();
        changed(&mut of_ann, &bobs, Value::is_null).await;
        changed(&mut of_bob, &anns, Value::is_null).await;
    }
    ann.post(&format!("{bobs}/block"), Value::Null).await.ok();
    changed(&mut of_ann, &bobs, |view| view["state"] == "blocked").await;
    ann.post(&format!("{bobs}/unblock"), Value::Null).await.ok();
    changed(&mut of_ann, &bobs, Value::is_null).await;
}

#[tokio::test]
async fn parts_are_appended_over_http() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let path = format!("/api/dialogs/{dialog}");
    let said = say(&ann, &dialog, "one").await;
    let part = |text: &str| json!({"text": text, "relation": {"kind": "append", "offset": said}});
    for text in [" two", " three"] {
        ann.post(&format!("{path}/messages"), part(text)).await.ok();
    }
    bob.post(&format!("{path}/messages"), part(" not mine")).await.refused(422, "bad_relation");
    let seen = bob.get(&path).await.ok();
    assert_eq!(
        (&seen["last_message"]["text"], &seen["last_message"]["offset"]),
        (&json!("one two three"), &json!(said))
    );
    assert_eq!(seen["unread"], 1, "parts are no messages of their own");
}

#[tokio::test]
async fn a_sealed_message_is_nobodys_last_message() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let wanted = json!({"kind": "group", "title": "Sealed", "mode": "e2ee", "members": [bob.user]});
    let path = format!("/api/dialogs/{}", id(&ann.post("/api/dialogs", wanted).await.ok()));
    // A private message of MLS 1.0: version, wire format, group id, epoch, content type, and so on.
    let mut secret = vec![0, 1, 0, 2, 1, 7, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 9];
    // The length of the ciphertext, and what cannot be taken for text.
    secret.push(16);
    secret.extend([0xf0; 16]);
    ann.post(&format!("{path}/messages"), json!({"payload": STANDARD.encode(&secret)})).await.ok();
    for who in [&ann, &bob] {
        let seen = who.get(&path).await.ok();
        assert_eq!((&seen["position"]["offset"], &seen["last_message"]), (&json!(1), &Value::Null));
    }
    assert_eq!(bob.get(&path).await.ok()["unread"], 1);
    let history = bob.get(&format!("{path}/messages")).await.ok();
    assert_eq!(history["messages"][0]["payload"], STANDARD.encode(&secret));
}

#[tokio::test]
async fn a_file_too_large_for_one_request_is_refused_before_it_comes() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    // By hand, so that nothing of the file is sent.
    let mut socket = TcpStream::connect(server.address()).await.expect("the port is open");
    let head = format!(
        "PUT /api/blobs/{} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        "0a".repeat(32),
        server.address(),
        ann.token(),
        (8 << 20) + 1
    );
    socket.write_all(head.as_bytes()).await.expect("it is sent");
    let (mut answer, mut part) = (String::new(), [0; 4096]);
    while !answer.ends_with('}') {
        let read = tokio::time::timeout(DEADLINE, socket.read(&mut part)).await.expect("in time").expect("an answer");
        assert!(read > 0, "{answer}");
        answer.push_str(std::str::from_utf8(&part[..read]).expect("text"));
    }
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("in pieces"), "{answer}");
}

#[tokio::test]
async fn sign_ins_and_tokens_end() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let past = Seconds::from_ms(now_ms() - 1_000);
    let ended = mint(&server, &Claims { sub: ann.user.clone(), exp: Some(past), ..Claims::default() });
    ann.with_token(&ended).get("/api/auth/me").await.refused(401, "token_expired");

    // As if the device had not been used for `service.device_s`.
    let mut database = Database::open(&server.directory_url()).await;
    database.run("UPDATE devices SET expires_ms = 1").await.expect("the row is there");
    database.close().await;
    let refresh = json!({"refresh_token": ann.refresh_token});
    ann.post("/api/auth/refresh", refresh).await.refused(401, "token_expired");
    assert_eq!(ann.get("/api/auth/sessions").await.ok(), json!([]), "what has ended is no sign-in");
    ann.post("/api/auth/sign-in", json!({"login": "ann", "password": PASSWORD})).await.ok();
}

#[tokio::test]
async fn how_long_sign_ins_and_tokens_hold_is_set() {
    let server = Setup::default().set("service.access_token_s", 77).set("service.device_s", 172_800).start().await;
    let before_ms = now_ms();
    let ann = Api::sign_up(&server, "ann").await;
    let sign_in = ann.get("/api/auth/sessions").await.ok()[0].clone();
    let ms = |name: &str| sign_in[name].as_u64().expect("a time");
    assert_eq!(ms("expires_ms") - ms("created_ms"), 172_800_000);
    let claims = ann.token().split('.').nth(1).expect("claims");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON");
    let ends_ms = (1_000.0 * claims["exp"].as_f64().expect("an end")) as u64;
    assert!((before_ms + 76_000..=now_ms() + 78_000).contains(&ends_ms), "{claims} at {before_ms}");
}

#[tokio::test]
async fn the_sockets_address_says_how_it_is_used() {
    let server = Server::start().await;
    for (path, status) in [("/api/websocket", 426), ("/ws", 426), ("/api/sse", 405), ("/api/poll", 405)] {
        let answer = reqwest::get(format!("http://{}{path}", server.address())).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let text = answer.text().await.expect("a body");
        assert!(text.contains("`connect`") && text.contains("PROTOCOL.md"), "{path}: {text}");
    }
}
