//! Programs with API keys: what each key may do and where, repeated requests, keys that end, and live connections that are
//! closed.

use std::time::Instant;

use futures_util::future::join_all;
use konvert_protocol::{CloseCode, Encoding};
use serde_json::{Value, json};

use crate::api::{Api, until};
use crate::pace::most;
use crate::server::{Server, Setup};
use crate::user::User;

/// A program with a key made by the operator while the server runs.
pub async fn program(server: &Server, scopes: &[&str], rooms: &str) -> Api {
    let mut words = vec!["key", "create", "--name", "test", "--rooms", rooms];
    for scope in scopes {
        words.extend(["--scope", scope]);
    }
    Api::new(server).with_token(&server.command(&words).await)
}

/// A key with every scope in every room.
pub async fn anything(server: &Server) -> Api {
    let all = ["publish", "broadcast", "history", "presence", "disconnect", "tokens", "webhooks", "dialogs"];
    program(server, &all, "*").await
}

/// A message as a program says it.
pub fn said(room: &str, message_id: &str, text: &str) -> Value {
    json!({"room": room, "message_id": message_id, "text": text, "as": {"user": "shop", "name": "The shop"}})
}

#[tokio::test]
async fn a_program_publishes_once_however_often_it_asks() {
    let server = Server::start().await;
    let program = anything(&server).await;
    program.post("/api/server/publish", said("shop-1", "a", "hi")).await.refused(404, "unknown_room");
    let room = program.post("/api/server/rooms", json!({"room": "shop-1"})).await.ok();
    assert_eq!((&room["mode"], &room["last_offset"]), (&json!("server_readable"), &json!(0)));
    program.post("/api/server/rooms", json!({"room": "shop-1"})).await.ok();
    program.post("/api/server/rooms", json!({"room": "shop-1", "mode": "e2ee"})).await.refused(409, "mode_mismatch");

    let first = program.post("/api/server/publish", said("shop-1", "a", "hi")).await.ok();
    let again = program.post("/api/server/publish", said("shop-1", "a", "hi")).await.ok();
    assert_eq!((&first["offset"], &first["duplicate"]), (&json!(1), &json!(false)));
    assert_eq!((&again["offset"], &again["duplicate"]), (&json!(1), &json!(true)));
    program.post("/api/server/publish", said("shop-1", "a", "other")).await.refused(409, "duplicate_conflict");
    let mut bytes = said("shop-1", "b", "");
    bytes.as_object_mut().expect("an object").remove("text");
    bytes["payload"] = json!({"base64": "/w=="});
    bytes["relation"] = json!({"kind": "reply", "offset": 1});
    assert_eq!(program.post("/api/server/publish", bytes).await.ok()["offset"], 2);

    let page = program.get("/api/server/history?room=shop-1&direction=backward&limit=1").await.ok();
    assert_eq!((&page["messages"][0]["payload"], &page["more"]), (&json!({"base64": "/w=="}), &json!(true)));
    let page = program.get("/api/server/history?room=shop-1").await.ok();
    let message = &page["messages"][0];
    assert_eq!(
        (&message["payload"], &message["sender"], &message["sender_name"]),
        (&json!("hi"), &json!("shop"), &json!("The shop"))
    );
    assert_eq!((&page["last_offset"], page["messages"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    program.get("/api/server/history?room=shop-1&from=99").await.ok();
    program.get("/api/server/history").await.refused(400, "bad_request");

    // A sealed room takes no text from a program either.
    program.post("/api/server/rooms", json!({"room": "vault", "mode": "e2ee"})).await.ok();
    program.post("/api/server/publish", said("vault", "a", "hi")).await.refused(422, "not_sealed");
}

#[tokio::test]
async fn a_broadcast_has_a_result_for_each_room_and_can_be_completed() {
    let server = Server::start().await;
    let program = program(&server, &["publish", "broadcast", "history"], "shop-*").await;
    for room in ["shop-1", "shop-2"] {
        program.post("/api/server/rooms", json!({"room": room})).await.ok();
    }
    let body = json!({"rooms": ["shop-1", "shop-3", "shop-2", "lobby"], "message_id": "m", "text": "all", "as": {"user": "shop"}});
    let offsets = |answer: &Value| -> Vec<_> {
        answer["rooms"]
            .as_array()
            .expect("rooms")
            .iter()
            .map(|room| {
                (
                    room["receipt"]["offset"].as_u64(),
                    room["receipt"]["duplicate"].as_bool(),
                    room["error"]["name"].as_str().map(str::to_owned),
                )
            })
            .collect()
    };
    let unknown = || (None, None, Some("unknown_room".to_owned()));
    let first = program.post("/api/server/broadcast", body.clone()).await.ok();
    assert_eq!(offsets(&first), [(Some(1), Some(false), None), unknown(), (Some(1), Some(false), None), unknown()]);
    program.post("/api/server/rooms", json!({"room": "shop-3"})).await.ok();
    let second = program.post("/api/server/broadcast", body).await.ok();
    assert_eq!(
        offsets(&second),
        [(Some(1), Some(true), None), (Some(1), Some(false), None), (Some(1), Some(true), None), unknown()]
    );
    for rooms in [json!([]), json!(["shop-1", "shop-1"]), json!(vec!["r"; 101])] {
        let body = json!({"rooms": rooms, "message_id": "m", "as": {"user": "shop"}});
        program.post("/api/server/broadcast", body).await.refused(400, "bad_request");
    }
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_and_rooms_name_and_nothing_else() {
    let server = Server::start().await;
    let all = anything(&server).await;
    for room in ["shop-1", "other"] {
        all.post("/api/server/rooms", json!({"room": room})).await.ok();
    }
    let token = |room: &str| json!({"user": "u-1", "grants": [{"room": room, "allow": ["read"]}]});
    let asks = |room: &str| {
        [
            ("publish", "POST", "/api/server/publish".to_owned(), said(room, "x", "x")),
            (
                "broadcast",
                "POST",
                "/api/server/broadcast".to_owned(),
                json!({"rooms": [room], "message_id": "y", "as": {"user": "s"}}),
            ),
            ("history", "GET", format!("/api/server/history?room={room}"), Value::Null),
            ("presence", "GET", format!("/api/server/presence?room={room}"), Value::Null),
            ("disconnect", "POST", "/api/server/disconnect".to_owned(), json!({"user": "u-1"})),
            ("tokens", "POST", "/api/server/tokens".to_owned(), token(room)),
            ("tokens", "POST", "/api/server/users".to_owned(), json!({"user": "u-1", "name": "One"})),
            ("publish", "POST", "/api/server/rooms".to_owned(), json!({"room": room})),
            ("webhooks", "GET", "/api/admin/webhooks".to_owned(), Value::Null),
        ]
    };
    for one in ["publish", "broadcast", "history", "presence", "disconnect", "tokens", "webhooks", "dialogs"] {
        let limited = program(&server, &[one], "*").await;
        limited.get("/api/server/health").await.ok();
        for (scope, method, path, body) in asks("shop-1") {
            let method = method.parse().expect("a method");
            let answer = limited.ask(method, &path, (!body.is_null()).then_some(body)).await;
            match scope == one {
                true => drop(answer.ok()),
                false => drop(answer.refused(403, "forbidden")),
            }
        }
    }
    let shop = program(&server, &["publish", "broadcast", "history", "presence", "tokens"], "shop-*").await;
    let refusals = [
        shop.post("/api/server/publish", said("other", "z", "z")).await.refused(404, "unknown_room"),
        shop.post("/api/server/publish", said("nowhere", "z", "z")).await.refused(404, "unknown_room"),
    ];
    assert_eq!(refusals[0], refusals[1], "what is not reached looks like what is not there");
    shop.get("/api/server/history?room=other").await.refused(404, "unknown_room");
    shop.get("/api/server/presence?room=other").await.refused(404, "unknown_room");
    shop.post("/api/server/rooms", json!({"room": "else"})).await.refused(403, "forbidden");
    for room in ["*", "shop*", "other", "dialog-x"] {
        shop.post("/api/server/tokens", token(room)).await.refused(403, "forbidden");
    }
    let plain = program(&server, &["tokens", "publish"], "*").await;
    for room in ["*", "d*", "dialog-x"] {
        plain.post("/api/server/tokens", token(room)).await.refused(403, "forbidden");
    }
    plain.post("/api/server/rooms", json!({"room": "dialog-x"})).await.refused(403, "forbidden");
    all.post("/api/server/rooms", json!({"room": "dialog-x"})).await.refused(403, "forbidden");
    // Nobody of this server's own is spoken for.
    for user in ["acc-x", "guest-x"] {
        all.post("/api/server/publish", json!({"room": "other", "message_id": "q", "as": {"user": user}}))
            .await
            .refused(403, "forbidden");
        all.post("/api/server/users", json!({"user": user, "name": "x"})).await.refused(403, "forbidden");
        all.post("/api/server/tokens", json!({"user": user, "grants": []})).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn keys_and_tokens_are_not_taken_for_each_other_and_end_at_once() {
    let server = Server::start().await;
    let program = anything(&server).await;
    let minted = program.post("/api/server/tokens", json!({"user": "u-1", "name": "Uwe", "grants": [{"room": "r-*", "allow": ["read", "publish", "create"]}], "ttl_s": 60})).await.ok();
    let person = Api::new(&server).with_token(minted["token"].as_str().expect("a token"));
    person.get("/api/server/health").await.refused(401, "bad_token");
    program.get("/api/auth/me").await.refused(401, "bad_token");
    Api::new(&server).get("/api/server/health").await.refused(401, "unauthorized");
    let key = program.token().to_owned();
    let (stem, last) = key.split_at(key.len() - 1);
    let wrong = format!("{stem}{}", if last == "a" { "b" } else { "a" });
    for key in [wrong.as_str(), "kk_", "kk_x", "kk_x_y", "kk__", &key[..key.len() - 1], &format!("{key}a")] {
        Api::new(&server).with_token(key).get("/api/server/health").await.refused(401, "bad_token");
    }
    let list = server.command(&["key", "list"]).await;
    let id = list.split_whitespace().next().expect("an id").to_owned();
    assert!(list.contains("holds") && !list.contains(&key), "{list}");
    server.command(&["key", "revoke", &id]).await;
    program.get("/api/server/health").await.refused(401, "revoked");
    assert!(server.command(&["key", "list"]).await.contains("revoked"));
    let for_a_while = async |ttl: &str| {
        let key = server.command(&["key", "create", "--name", "s", "--scope", "history", "--ttl", ttl]).await;
        Api::new(&server).with_token(&key)
    };
    let (short, long) = (for_a_while("1s").await, for_a_while("1h").await);
    until("the key ends", || async { short.get("/api/server/health").await.status == 401 }).await;
    short.get("/api/server/health").await.refused(401, "token_expired");
    long.get("/api/server/health").await.ok();
}

#[tokio::test]
async fn a_key_that_asks_too_fast_is_told_to_wait() {
    let server = Setup::default().set("service.key_requests_per_second", 3).start().await;
    let (one, other) = (anything(&server).await, anything(&server).await);
    // So many at once that no machine is slow enough for all of them.
    let began = Instant::now();
    let answers = join_all((0..60).map(|_| one.get("/api/server/health"))).await;
    let most = most(3, 3, began);
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(taken.len() >= 3 && taken.len() as u64 <= most && !refused.is_empty(), "{} of {most}", taken.len());
    for refused in refused {
        let problem = refused.refused(429, "rate_limited");
        assert!((1..=1_000).contains(&problem["retry_after_ms"].as_u64().expect("a time")), "{problem}");
    }
    other.get("/api/server/health").await.ok();
}

#[tokio::test]
async fn what_a_program_asks_is_not_taken_from_its_address() {
    let setup = Setup::default().set("service.address_requests_per_second", 1).set("service.address_requests_burst", 1);
    let server = setup.start().await;
    let program = anything(&server).await;
    for _ in 0..5 {
        program.post("/api/server/disconnect", json!({"user": "u-1"})).await.ok();
    }
}

#[tokio::test]
async fn a_disconnected_user_is_gone_within_a_second() {
    let server = Server::start().await;
    let program = anything(&server).await;
    let token = |user: &str| json!({"user": user, "grants": [{"room": "*", "allow": ["read", "publish", "presence", "create"]}]});
    let mut users = Vec::new();
    for name in ["u-1", "u-2"] {
        let minted = program.post("/api/server/tokens", token(name)).await.ok();
        let minted = minted["token"].as_str().expect("a token").to_owned();
        let mut user = User::connect_with(&server, minted, Encoding::Json, Vec::new()).await;
        user.enter(konvert_protocol::v1::Subscribe { room: "r".into(), presence: true, ..Default::default() }).await;
        users.push(user);
    }
    let seen = program.get("/api/server/presence?room=r").await.ok();
    let mut names: Vec<_> = seen["users"].as_array().expect("users").iter().map(|user| user["user"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!((&seen["user_count"], names), (&json!(2), vec![json!("u-1"), json!("u-2")]), "{seen}");
    program.post("/api/server/disconnect", json!({"user": "u-1"})).await.ok();
    // From the answer on.
    let begun = Instant::now();
    assert_eq!(users[0].closed().await, CloseCode::Revoked.number());
    assert!(begun.elapsed().as_millis() < 1_000, "{:?}", begun.elapsed());
    users[1].publish("r", "m", "still here").await;
}

#[tokio::test]
async fn a_vouched_user_can_be_changed_and_an_account_cannot() {
    let server = Server::start().await;
    let program = anything(&server).await;
    let user = |name: &str| json!({"user": "u-1", "name": name});
    assert_eq!(program.post("/api/server/users", user("One")).await.ok()["name"], "One");
    assert_eq!(program.post("/api/server/users", user("Two")).await.ok()["name"], "Two");
    for name in ["", "  ", "a\nb", &"x".repeat(65)] {
        program.post("/api/server/users", user(name)).await.refused(400, "bad_request");
    }
    program.post("/api/server/users", json!({"user": "a b", "name": "x"})).await.refused(400, "bad_name");
}
