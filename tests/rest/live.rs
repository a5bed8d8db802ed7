//! What live sessions hear of changes, and what they hear no more.

use konvert_protocol::Encoding;
use konvert_protocol::v1::server_frame::Body as Push;
use serde_json::{Value, json};

use crate::api::{Api, until};
use crate::dialogs::{direct, group, say};
use crate::link::By;
use crate::server::Server;
use crate::user::{User, speaking};

/// Waits for the change of a resource that fits.
pub async fn changed(user: &mut User, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        if let Push::Changed(change) = user.push().await
            && change.path == path
        {
            let body = serde_json::from_slice(&change.body).unwrap_or_default();
            if fits(&body) {
                return body;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_role_counts_at_once() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let mut live = User::connect_by(&server, By::Socket(Encoding::Json), bob.token().to_owned(), Vec::new()).await;
    live.subscribe(&dialog).await;
    live.publish(&dialog, "m1", "hello").await;
    ann.patch(&format!("/api/dialogs/{dialog}/members/{}", bob.user), json!({"role": "reader"})).await.ok();
    // The change is in every shard's queue before the answer.
    assert_eq!(live.refused(crate::user::publish(&dialog, "m2", "hello")).await.name, "not_allowed");
    ann.post(&format!("/api/contacts/{}/block", bob.user), json!(null)).await.ok();
    let private = direct(&Api::sign_up(&server, "carl").await, &bob).await;
    live.publish(&private, "m3", "hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_silences_both_at_once() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = direct(&ann, &bob).await;
    let mut live = User::connect_by(&server, By::Socket(Encoding::Json), bob.token().to_owned(), Vec::new()).await;
    live.subscribe(&dialog).await;
    live.publish(&dialog, "m1", "hello").await;
    ann.post(&format!("/api/contacts/{}/block", bob.user), json!(null)).await.ok();
    assert_eq!(live.refused(crate::user::publish(&dialog, "m2", "hello")).await.name, "not_allowed");
    ann.post(&format!("/api/contacts/{}/unblock", bob.user), json!(null)).await.ok();
    live.publish(&dialog, "m2", "hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_told_as_a_get_would_answer() {
    for by in [By::Socket(Encoding::Protobuf), By::Stream] {
        speaking(by, check_changes()).await;
    }
}

async fn check_changes() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let mut live = User::watch(&server, bob.token()).await;
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let path = format!("/api/dialogs/{dialog}");
    let new = changed(&mut live, &path, |_| true).await;
    assert_eq!(new, bob.get(&path).await.ok());

    let said = ann.post(&format!("{path}/messages"), json!({"text": "hello", "mentions": [bob.user]})).await.ok();
    let told = changed(&mut live, &path, |view| view["mentions"] == 1).await;
    assert_eq!((&told["unread"], &told["last_message"]["text"]), (&json!(1), &json!("hello")));
    assert_eq!(told, bob.get(&path).await.ok());
    bob.put(&format!("{path}/read"), json!({"offset": said["position"]["offset"]})).await.ok();
    changed(&mut live, &path, |view| view["unread"] == 0 && view["mentions"] == 0).await;

    bob.patch(&format!("{path}/settings"), json!({"pinned": true})).await.ok();
    changed(&mut live, &path, |view| view["pinned"] == true).await;
    ann.patch(&path, json!({"title": "Talks"})).await.ok();
    changed(&mut live, &path, |view| view["title"] == "Talks").await;
    let of_bob = format!("{path}/members/{}", bob.user);
    ann.patch(&of_bob, json!({"role": "admin"})).await.ok();
    let told = changed(&mut live, &of_bob, |_| true).await;
    assert_eq!(told, bob.get(&of_bob).await.ok());
    assert_eq!((&told["role"], &told["user"]["online"]), (&json!("admin"), &json!(true)));

    let contact = format!("/api/contacts/{}", ann.user);
    ann.post(&format!("/api/contacts/{}/request", bob.user), json!(null)).await.ok();
    changed(&mut live, &contact, |view| view["state"] == "received").await;
    bob.post(&format!("{contact}/accept"), json!(null)).await.ok();
    changed(&mut live, &contact, |view| view["state"] == "friend" && view["user"]["online"] == false).await;
    let friend = User::watch(&server, ann.token()).await;
    changed(&mut live, &contact, |view| view["user"]["online"] == true).await;
    friend.goodbye().await;
    let gone = changed(&mut live, &contact, |view| view["user"]["online"] == false).await;
    let seen_ms = gone["user"]["last_seen_ms"].as_u64().expect("a time");
    assert!(konvert::gateway::now_ms().abs_diff(seen_ms) < 60_000, "{gone}");
    ann.delete(&format!("/api/contacts/{}", bob.user)).await.ok();
    changed(&mut live, &contact, Value::is_null).await;

    ann.delete(&path).await.ok();
    changed(&mut live, &path, Value::is_null).await;
}

/// Where many watch, a message is told by where the dialog stands, and nothing is lost by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_watch_are_told_the_position() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let dialog = group(&ann, "Many", &[]).await;
    let invite = ann.post(&format!("/api/dialogs/{dialog}/invites"), json!({})).await.ok();
    let accept = format!("/api/invites/{}/accept", invite["secret"].as_str().expect("a secret"));
    let mut watching = Vec::new();
    for n in 0..65 {
        let token = crate::user::token(&server, &format!("member{n}"), "none", "");
        ann.with_token(&token).post(&accept, json!(null)).await.ok();
        watching.push(User::watch(&server, &token).await);
    }
    let offset = say(&ann, &dialog, "hello, all").await;
    let path = format!("/api/dialogs/{dialog}");
    for user in &mut watching {
        let told = changed(user, &path, |view| view["position"]["offset"] == offset).await;
        assert_eq!(told.as_object().expect("an object").keys().collect::<Vec<_>>(), ["activity_ms", "id", "position"]);
    }
    until("the member is counted", || async { ann.get(&path).await.ok()["member_count"] == 66 }).await;
}
