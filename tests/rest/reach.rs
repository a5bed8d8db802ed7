//! How far a key reaches: for whom it vouches, and what of dialogs comes by its tokens and webhooks.

use konvert::auth::{Claims, Seconds};
use konvert_protocol::ErrorCode;
use konvert_protocol::v1::{self, server_frame::Body as Reply};
use serde_json::{Value, json};

use crate::api::Api;
use crate::dialogs::{direct, say};
use crate::programs::{anything, program};
use crate::server::{Server, Setup};
use crate::user::{User, is, mint};

const URL: &str = "https://example.org/konvert";

/// A user with a token of a key.
async fn minted(server: &Server, key: &Api, user: &str, room: &str) -> Api {
    let wanted = json!({"user": user, "grants": [{"room": room, "allow": ["read", "publish", "create"]}]});
    let token = key.post("/api/server/tokens", wanted).await.ok()["token"].as_str().expect("a token").to_owned();
    Api::new(server).with_token(&token).called(user)
}

/// A user for whom the server's own secret vouches.
fn of_the_secret(server: &Server, user: &str, name: &str) -> Api {
    let exp = Some(Seconds::from_ms(konvert::gateway::now_ms() + 600_000));
    let claims = Claims { sub: user.to_owned(), name: name.to_owned(), exp, ..Claims::default() };
    Api::new(server).with_token(&mint(server, &claims)).called(user)
}

#[tokio::test]
async fn a_key_vouches_for_nobody_whom_others_vouch_for() {
    let jwks = "[{ url = \"http://127.0.0.1:1/\", issuer = \"i\", prefix = \"corp-\" }]";
    let server = Setup::default().set("auth.jwks", jwks).start().await;
    let (one, other) = (anything(&server).await, anything(&server).await);
    of_the_secret(&server, "u-alice", "Alice").get("/api/auth/me").await.ok();
    minted(&server, &one, "u-bob", "shop-*").await.get("/api/auth/me").await.ok();
    for (key, user) in [(&one, "u-alice"), (&other, "u-bob")] {
        key.post("/api/server/tokens", json!({"user": user, "grants": []})).await.refused(409, "not_possible");
        key.post("/api/server/users", json!({"user": user, "name": "Taken"})).await.refused(409, "not_possible");
    }
    one.post("/api/server/tokens", json!({"user": "corp-eve", "grants": []})).await.refused(403, "forbidden");
    one.post("/api/server/users", json!({"user": "corp-eve", "name": "Eve"})).await.refused(403, "forbidden");
    // Their own they name as they like, and a token without a name changes nothing of it.
    one.post("/api/server/users", json!({"user": "u-bob", "name": "Bob"})).await.ok();
    let bob = minted(&server, &one, "u-bob", "shop-*").await;
    assert_eq!(bob.get("/api/auth/me").await.ok()["name"], "Bob");
}

#[tokio::test]
async fn a_token_without_a_name_leaves_the_name() {
    let server = Server::start().await;
    of_the_secret(&server, "u-1", "Anna").get("/api/auth/me").await.ok();
    let nameless = of_the_secret(&server, "u-1", "");
    assert_eq!(nameless.get("/api/auth/me").await.ok()["name"], "Anna");
    let me = of_the_secret(&server, "u-2", "").get("/api/auth/me").await.ok();
    assert_eq!(me["name"], "u-2", "somebody must be called something");
}

#[tokio::test]
async fn a_token_for_rooms_opens_no_dialog() {
    let server = Server::start().await;
    let (ann, all) = (Api::sign_up(&server, "ann").await, anything(&server).await);
    let key = program(&server, &["tokens"], "shop-*").await;
    let user = minted(&server, &key, "u-1", "shop-*").await;
    let dialog = direct(&ann, &user).await;
    say(&ann, &dialog, "between us").await;

    for path in [
        "/api/dialogs".to_owned(),
        format!("/api/dialogs/{dialog}"),
        format!("/api/dialogs/{dialog}/receipts"),
        "/api/contacts".to_owned(),
        "/api/users".to_owned(),
        "/api/admin/users".to_owned(),
        "/api/admin/webhooks".to_owned(),
    ] {
        user.get(&path).await.refused(403, "forbidden");
    }
    user.get(&format!("/api/dialogs/{dialog}/messages")).await.refused(404, "not_found");
    let said = json!({"to": ann.user, "text": "hi"});
    user.post("/api/chat/message", said).await.refused(403, "forbidden");
    user.post("/api/dialogs/shop-1/messages", json!({"text": "in a room"})).await.ok();
    user.get("/api/dialogs/shop-1/messages").await.ok();

    let (mut live, mut hers) = (User::watch(&server, user.token()).await, User::watch(&server, ann.token()).await);
    let subscribe = v1::Subscribe { room: dialog.clone(), ..Default::default() };
    assert!(is(&live.refused(subscribe).await, ErrorCode::UnknownRoom));
    say(&ann, &dialog, "still between us").await;
    let told = hers.push().await;
    assert!(matches!(told, Reply::Changed(_)), "{told:?}");
    let told = live.pushes().await;
    assert!(told.is_empty(), "{told:?}");

    // With the scope `dialogs` a user reads what they are a member of.
    let member = minted(&server, &all, "u-2", "shop-*").await;
    let dialog = direct(&ann, &member).await;
    member.get(&format!("/api/dialogs/{dialog}")).await.ok();
}

#[tokio::test]
async fn a_webhook_tells_a_program_no_more_than_its_key_reaches() {
    let server = Server::start().await;
    let (all, plain) = (anything(&server).await, program(&server, &["webhooks"], "*").await);
    let new = |rooms: &str| json!({"url": URL, "events": ["message.published"], "rooms": rooms});
    for rooms in ["*", "d*", "dialog-*", "dialog-aaaaaaaaaaaaaaaa"] {
        plain.post("/api/admin/webhooks", new(rooms)).await.refused(403, "forbidden");
    }
    let id = |made: Value| made["webhook"]["id"].as_str().expect("an id").to_owned();
    let mine = id(plain.post("/api/admin/webhooks", new("shop-*")).await.ok());
    plain.patch(&format!("/api/admin/webhooks/{mine}"), json!({"rooms": "*"})).await.refused(403, "forbidden");
    let whole = id(all.post("/api/admin/webhooks", new("*")).await.ok());
    let path = format!("/api/admin/webhooks/{whole}");
    plain.get(&path).await.refused(404, "not_found");
    plain.get(&format!("{path}/deliveries")).await.refused(404, "not_found");
    plain.patch(&path, json!({"url": "https://example.com/mine"})).await.refused(404, "not_found");
    plain.post(&format!("{path}/ping"), Value::Null).await.refused(404, "not_found");
    plain.delete(&path).await.refused(404, "not_found");
    let listed = |list: Value| list["webhooks"].as_array().map(Vec::len);
    assert_eq!(listed(plain.get("/api/admin/webhooks").await.ok()), Some(1));
    assert_eq!(listed(all.get("/api/admin/webhooks").await.ok()), Some(2));
}
