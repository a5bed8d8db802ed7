//! Limits from outside: exact at the boundary, the same over socket and REST, seen live, set by administrators alone.

use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{ErrorCode, v1};
use serde_json::{Value, json};

use crate::api::Api;
use crate::files::{begin, hash, picture, put, upload};
use crate::server::{Server, Setup};
use crate::user::{self, User};

/// One kind of somebody's limits: max, used, remaining.
async fn limit(who: &Api, kind: &str) -> (Option<u64>, u64, Option<u64>) {
    of(&who.get("/api/user-limits").await.ok(), kind)
}

fn of(limits: &Value, kind: &str) -> (Option<u64>, u64, Option<u64>) {
    let limits = limits["limits"].as_array().expect("limits");
    assert_eq!(limits.len(), 5);
    let one = limits.iter().find(|limit| limit["kind"] == kind).expect("the kind");
    assert_eq!(one["reset_ms"].is_u64(), kind != "storage_bytes");
    (one["max"].as_u64(), one["used"].as_u64().expect("a number"), one["remaining"].as_u64())
}

/// The next change of limits that a session hears of.
async fn told(user: &mut User) -> Value {
    loop {
        if let Reply::Changed(changed) = user.push().await
            && changed.path == "/api/user-limits"
        {
            return serde_json::from_slice(&changed.body).expect("JSON");
        }
    }
}

#[tokio::test]
async fn messages_are_counted_exactly_on_socket_and_over_rest() {
    let mut server = Setup::default().set("limits.user.messages", 10).start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = crate::dialogs::direct(&ann, &bob).await;
    let mut live = User::watch(&server, ann.token()).await;
    for n in 0..4 {
        live.publish(&dialog, &format!("s{n}"), "hello").await;
        crate::dialogs::say(&ann, &dialog, "hello").await;
    }
    let at_four_fifths = told(&mut live).await;
    assert_eq!(of(&at_four_fifths, "messages"), (Some(10), 8, Some(2)));
    assert_eq!(at_four_fifths, ann.get("/api/user-limits").await.ok());
    // What is not stored costs nothing: repeated, refused, impossible.
    live.publish(&dialog, "s0", "hello").await;
    let again = json!({"text": "hello", "message_id": "s1"});
    assert_eq!(ann.post(&format!("/api/dialogs/{dialog}/messages"), again).await.ok()["duplicate"], true);
    let conflict = v1::Publish { message_id: "s0".into(), ..user::publish(&dialog, "s0", "other") };
    assert!(user::is(&live.refused(conflict).await, ErrorCode::DuplicateConflict));
    assert!(user::is(&live.refused(user::publish("dialog-nothing", "x", "x")).await, ErrorCode::UnknownRoom));
    assert!(user::is(&live.refused(user::publish(&dialog, "two words", "x")).await, ErrorCode::BadName));
    let far = v1::Relation { kind: v1::RelationKind::RelationReply.into(), offset: 999 };
    live.refused(v1::Publish { relation: Some(far), ..user::publish(&dialog, "far", "x") }).await;
    assert_eq!(limit(&ann, "messages").await, (Some(10), 8, Some(2)));

    // Twenty at once, two places: two get them.
    let path = format!("/api/dialogs/{dialog}/messages");
    let answers = futures_util::future::join_all((0..20).map(|_| ann.post(&path, json!({"text": "me"})))).await;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    assert_eq!(stored.len(), 2);
    for answer in refused {
        let problem = answer.refused(429, "quota_exceeded");
        assert!((1..=86_400_000).contains(&problem["retry_after_ms"].as_u64().expect("a time")));
    }
    let error = live.refused(user::publish(&dialog, "s9", "hello")).await;
    assert!(user::is(&error, ErrorCode::QuotaExceeded) && error.retry_after_ms > 0);
    assert_eq!(of(&told(&mut live).await, "messages"), (Some(10), 10, Some(0)));
    // Another one has their own.
    crate::dialogs::say(&bob, &dialog, "hello").await;

    // All of it is known after a restart.
    assert_eq!(server.terminate().await, Some(0));
    server.start_again().await;
    let ann = Api::new(&server).with_token(ann.token());
    assert_eq!(limit(&ann, "messages").await, (Some(10), 10, Some(0)));
    ann.post(&path, json!({"text": "me"})).await.refused(429, "quota_exceeded");
}

#[tokio::test]
async fn files_are_counted_and_weighed() {
    let server = Setup::default().set("limits.user.uploads", 4).set("limits.user.storage_bytes", 2_500).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    upload(&ann, &picture(1)).await;
    assert_eq!(limit(&ann, "storage_bytes").await, (Some(2_500), 1_016, Some(1_484)));
    begin(&ann, 1_485, &[]).await.refused(429, "quota_exceeded");
    begin(&ann, 200 << 20, &[]).await.refused(413, "body_too_large");
    assert_eq!(limit(&ann, "uploads").await, (Some(4), 1, Some(3)));
    // What has not arrived weighs already.
    let begun = begin(&ann, 1_484, &[]).await;
    assert_eq!(limit(&ann, "storage_bytes").await, (Some(2_500), 2_500, Some(0)));
    put(&ann, b"x").await.refused(429, "quota_exceeded");
    let given_up = crate::files::tus(&ann, reqwest::Method::DELETE, &crate::files::location(&begun));
    Api::answer(given_up).await;
    // The same file again weighs nothing more.
    put(&ann, &picture(1)).await.ok();
    assert_eq!(limit(&ann, "storage_bytes").await, (Some(2_500), 1_016, Some(1_484)));
    put(&ann, b"x").await.ok();
    put(&ann, b"y").await.refused(429, "quota_exceeded");
    assert_eq!(limit(&ann, "uploads").await, (Some(4), 4, Some(0)));
    assert_eq!(crate::files::read(&ann, &hash(b"y")).await.0, 404);
}

#[tokio::test]
async fn administrators_set_limits_and_everybody_concerned_hears() {
    let server = Server::start().await;
    let root = Api::administrator(&server).await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let role = "/api/admin/limits/user";
    let own = format!("/api/admin/users/{}/limits", ann.user);
    let all = |messages: Value| json!({"messages": messages, "assistant_calls": 7, "storage_bytes": null, "uploads": 3, "dialogs": 9});
    for path in [role, &own] {
        ann.get(path).await.refused(403, "forbidden");
        ann.put(path, all(json!(1))).await.refused(403, "forbidden");
        Api::new(&server).get(path).await.refused(401, "unauthorized");
    }
    let before = root.get(role).await.ok();
    for wrong in [json!(-1), json!(1.5), json!("1"), json!(9_007_199_254_740_992_u64), json!([1])] {
        root.put(role, all(wrong.clone())).await.refused(400, "bad_request");
        root.put(&own, json!({"messages": wrong})).await.refused(400, "bad_request");
    }
    root.put(role, json!({"messages": 1})).await.refused(400, "bad_request");
    root.put(&own, json!({"letters": 1})).await.refused(400, "bad_request");
    for path in ["/api/admin/limits/nobody", "/api/admin/users/acc-nobody/limits", "/api/admin/users/%00/limits"] {
        root.get(path).await.refused(404, "not_found");
    }
    root.put("/api/admin/users/acc-nobody/limits", json!({})).await.refused(404, "not_found");
    assert_eq!(root.get(role).await.ok(), before);
    assert_eq!(root.get(&own).await.ok(), json!({}));

    let mut live = User::watch(&server, ann.token()).await;
    root.put(role, all(json!(1))).await.ok();
    assert_eq!(of(&told(&mut live).await, "messages"), (Some(1), 0, Some(1)));
    assert_eq!(limit(&bob, "uploads").await.0, Some(3));
    root.put(&own, json!({"messages": 2, "uploads": null})).await.ok();
    let heard = told(&mut live).await;
    assert_eq!(
        (of(&heard, "messages").0, of(&heard, "uploads").0, of(&heard, "assistant_calls").0),
        (Some(2), None, Some(7))
    );
    assert_eq!(root.get(&own).await.ok(), json!({"messages": 2, "uploads": null}));
    let dialog = crate::dialogs::direct(&ann, &bob).await;
    live.publish(&dialog, "1", "one").await;
    live.publish(&dialog, "2", "two").await;
    assert!(user::is(&live.refused(user::publish(&dialog, "3", "three")).await, ErrorCode::QuotaExceeded));
    root.put(&own, json!({})).await.ok();
    // As for everybody again, of which more is used than there is.
    assert_eq!(limit(&ann, "messages").await, (Some(1), 2, Some(0)));
    root.put(role, all(Value::Null)).await.ok();
    live.publish(&dialog, "3", "three").await;
    // Nothing at all is a limit too.
    root.put(&own, json!({"uploads": 0})).await.ok();
    begin(&ann, 1, &[]).await.refused(429, "quota_exceeded");
}

#[tokio::test]
async fn dialogs_are_made_so_often_and_held_so_many() {
    let setup = Setup::default().set("limits.user.dialogs", 2).set("service.memberships_per_user", 3);
    let server = setup.start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let carl = Api::sign_up(&server, "carl").await;
    let group = |title: &str, others: &[&Api]| {
        let members: Vec<_> = others.iter().map(|other| other.user.clone()).collect();
        json!({"kind": "group", "title": title, "members": members})
    };
    let pair = json!({"kind": "direct", "members": [bob.user]});
    let direct = crate::dialogs::direct(&ann, &bob).await;
    // What is found costs nothing, and what is refused neither.
    ann.post("/api/dialogs", pair.clone()).await.ok();
    ann.post("/api/dialogs", group("", &[])).await.refused(400, "bad_request");
    assert_eq!(limit(&ann, "dialogs").await, (Some(2), 1, Some(1)));
    let ours = crate::dialogs::group(&ann, "Ours", &[&bob]).await;
    let problem = ann.post("/api/dialogs", group("One more", &[])).await.refused(429, "quota_exceeded");
    assert!(problem["retry_after_ms"].as_u64().is_some_and(|wait_ms| wait_ms > 0), "{problem}");
    ann.post("/api/chat/message", json!({"to": carl.user, "text": "hi"})).await.refused(429, "quota_exceeded");
    ann.post("/api/chat/message", json!({"to": bob.user, "text": "hi"})).await.ok();

    // Bob is in two; of a third he may be a member, of a fourth not, however he would come there.
    crate::dialogs::group(&bob, "Third", &[]).await;
    bob.post("/api/dialogs", group("Fourth", &[])).await.refused(409, "not_possible");
    let theirs = crate::dialogs::group(&carl, "Theirs", &[]).await;
    let members = format!("/api/dialogs/{theirs}/members");
    carl.post(&members, json!({"members": [bob.user]})).await.refused(409, "not_possible");
    let invite = carl.post(&format!("/api/dialogs/{theirs}/invites"), json!({})).await.ok();
    let path = format!("/api/invites/{}/accept", invite["secret"].as_str().expect("a secret"));
    bob.post(&path, Value::Null).await.refused(409, "not_possible");
    carl.post("/api/dialogs", group("With Bob", &[&bob])).await.refused(409, "not_possible");
    assert_eq!(limit(&carl, "dialogs").await, (Some(2), 1, Some(1)));
    // Where he is already he stays, and once he has left one he comes.
    ann.post(&format!("/api/dialogs/{ours}/members"), json!({"members": [bob.user]})).await.ok();
    bob.post(&format!("/api/dialogs/{ours}/leave"), Value::Null).await.ok();
    bob.post(&path, Value::Null).await.ok();
    bob.get(&format!("/api/dialogs/{direct}")).await.ok();
}
