//! Contacts and people from outside.

use serde_json::{Value, json};

use crate::api::Api;
use crate::dialogs::{direct, say};
use crate::server::Server;

async fn state(who: &Api, other: &Api) -> Value {
    let answer = who.get(&format!("/api/contacts/{}", other.user)).await;
    if answer.status == 404 { Value::Null } else { answer.ok()["state"].clone() }
}

async fn act(who: &Api, other: &Api, act: &str) -> crate::api::Answer {
    who.post(&format!("/api/contacts/{}/{act}", other.user), json!(null)).await
}

#[tokio::test]
async fn people_become_friends_and_cease_to_be() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    act(&ann, &bob, "request").await.ok();
    assert_eq!((state(&ann, &bob).await, state(&bob, &ann).await), (json!("sent"), json!("received")));
    act(&ann, &bob, "accept").await.refused(404, "not_found");
    act(&bob, &ann, "decline").await.ok();
    assert_eq!((state(&ann, &bob).await, state(&bob, &ann).await), (Value::Null, Value::Null));
    act(&ann, &bob, "request").await.ok();
    act(&ann, &bob, "cancel").await.ok();
    assert_eq!(state(&bob, &ann).await, Value::Null);

    // Both ask at once.
    let (one, other) = futures_util::future::join(act(&ann, &bob, "request"), act(&bob, &ann, "request")).await;
    assert!(one.status.is_success() && other.status.is_success());
    assert_eq!((state(&ann, &bob).await, state(&bob, &ann).await), (json!("friend"), json!("friend")));
    let friends = ann.get("/api/contacts?state=friend").await.ok();
    assert_eq!(friends["items"][0]["user"]["name"], "BOB");
    assert_eq!(ann.get("/api/contacts?state=sent").await.ok()["items"], json!([]));
    ann.delete(&format!("/api/contacts/{}", bob.user)).await.ok();
    assert_eq!((state(&ann, &bob).await, state(&bob, &ann).await), (Value::Null, Value::Null));
}

#[tokio::test]
async fn whoever_is_blocked_sees_nothing_of_it_and_reaches_nobody() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let carl = Api::sign_up(&server, "carl").await;
    let dialog = direct(&ann, &bob).await;
    let path = format!("/api/dialogs/{dialog}/messages");
    say(&bob, &dialog, "hello").await;
    act(&ann, &bob, "block").await.ok();
    act(&ann, &carl, "block").await.ok();

    let looks_sent = act(&bob, &ann, "request").await.ok();
    assert_eq!(looks_sent["state"], "sent");
    assert_eq!(state(&ann, &bob).await, "blocked");
    bob.post(&path, json!({"text": "why?"})).await.refused(403, "not_allowed");
    ann.post(&path, json!({"text": "no"})).await.refused(403, "not_allowed");
    bob.get(&path).await.ok();
    carl.post("/api/dialogs", json!({"kind": "direct", "members": [ann.user]})).await.refused(403, "not_allowed");
    ann.post("/api/dialogs", json!({"kind": "direct", "members": [carl.user]})).await.refused(403, "not_allowed");
    carl.post("/api/chat/message", json!({"to": ann.user, "text": "hello"})).await.refused(403, "not_allowed");
    assert_eq!(carl.get("/api/users?query=ann").await.ok()["items"], json!([]));
    act(&ann, &bob, "request").await.refused(409, "not_possible");

    act(&ann, &bob, "unblock").await.ok();
    assert_eq!((state(&ann, &bob).await, state(&bob, &ann).await), (json!("received"), json!("sent")));
    say(&bob, &dialog, "again").await;
}

#[tokio::test]
async fn people_are_found_by_login_and_name() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    for (login, name) in [("maria.k", "Maria Kalda"), ("mark", "Mark O_Neil"), ("oskar", "Oskar Maria 100%")] {
        let body = json!({"login": login, "password": crate::api::PASSWORD, "name": name, "email": "a@chat.example"});
        Api::new(&server).post("/api/auth/sign-up", body).await.ok();
    }
    for (query, want) in [
        ("mar", vec!["Maria Kalda", "Mark O_Neil", "Oskar Maria 100%"]),
        ("MARIA", vec!["Maria Kalda", "Oskar Maria 100%"]),
        ("maria%20kal", vec!["Maria Kalda"]),
        ("o_", vec!["Mark O_Neil"]),
        ("100%25", vec!["Oskar Maria 100%"]),
        ("%25%25", vec![]),
        ("ann", vec![]),
        ("aria", vec![]),
    ] {
        let found = ann.get(&format!("/api/users?query={query}")).await.ok();
        let names: Vec<_> = found["items"].as_array().expect("items").iter().map(|one| &one["name"]).collect();
        assert_eq!(names, want, "{query}");
        assert!(!found.to_string().contains("chat.example"), "no e-mails");
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ann.get(&format!("/api/users?query=mar&limit=1{cursor}")).await.ok();
        found.push(page["items"][0]["id"].as_str().expect("an id").to_owned());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found.len(), 3);
    let profile = ann.get(&format!("/api/users/{}", found[0])).await.ok();
    assert_eq!((&profile["name"], &profile["email"]), (&json!("Maria Kalda"), &Value::Null));
    ann.get("/api/users/acc-nobody").await.refused(404, "not_found");
}

#[tokio::test]
async fn nobody_is_taken_into_a_group_by_whom_they_blocked() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let carl = Api::sign_up(&server, "carl").await;
    act(&ann, &bob, "block").await.ok();
    let with = |who: &Api| json!({"kind": "group", "title": "Come", "members": [carl.user, who.user]});
    let refused = bob.post("/api/dialogs", with(&ann)).await.refused(404, "not_found");
    let nobody = carl.called("acc-nobodynobodynob");
    let absent = bob.post("/api/dialogs", with(&nobody)).await.refused(404, "not_found");
    assert_eq!(refused, absent, "a block looks like nobody");
    let group = crate::dialogs::group(&bob, "Ours", &[&carl]).await;
    let path = format!("/api/dialogs/{group}/members");
    bob.post(&path, json!({"members": [ann.user]})).await.refused(404, "not_found");
    bob.post("/api/dialogs", json!({"kind": "service", "title": "x", "members": [ann.user]}))
        .await
        .refused(404, "not_found");
    // The other way round it is her own wish.
    ann.post("/api/dialogs", json!({"kind": "group", "title": "Mine", "members": [bob.user]})).await.ok();
}

#[tokio::test]
async fn who_wants_a_sealed_dialog_gets_no_readable_one() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let readable = direct(&ann, &bob).await;
    let wanted = json!({"kind": "direct", "mode": "e2ee", "members": [ann.user]});
    bob.post("/api/dialogs", wanted).await.refused(409, "mode_mismatch");
    assert_eq!(direct(&bob, &ann).await, readable);
}
