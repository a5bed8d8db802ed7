//! What must be refused: everything wrong gets its status and changes nothing, and nothing is ever a failure of the server.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::Api;
use crate::dialogs::{direct, group, say};
use crate::server::{Server, Setup};

/// One that does not count how fast requests come.
async fn patient_server() -> Server {
    Setup::default().set("service.requests_per_second", 100_000).set("service.requests_burst", 100_000).start().await
}

/// What names nothing, in any place of a path.
const NAMES: &[&str] = &[
    "..",
    "%2e%2e%2fetc%2fpasswd",
    "a%00b",
    "%00",
    "%27%20OR%201%3D1%20--",
    "dialog-",
    "dialog-%2e%2e",
    "%FF%FE",
    "-1",
    "18446744073709551616",
    "%F0%9F%98%80",
    "dialog-aaaaaaaaaaaaaaaa%0A",
    "%25s%25n",
    "null",
    "*",
];

fn routes(dialog: &str, user: &str) -> Vec<(Method, String, Value)> {
    let dialog_path = format!("/api/dialogs/{dialog}");
    let at = |method: Method, path: String, body: Value| (method, path, body);
    vec![
        at(Method::GET, dialog_path.clone(), Value::Null),
        at(Method::PATCH, dialog_path.clone(), json!({"title": "x"})),
        at(Method::DELETE, dialog_path.clone(), Value::Null),
        at(Method::PATCH, format!("{dialog_path}/settings"), json!({"pinned": true})),
        at(Method::POST, format!("{dialog_path}/leave"), Value::Null),
        at(Method::GET, format!("{dialog_path}/members"), Value::Null),
        at(Method::POST, format!("{dialog_path}/members"), json!({"members": [user]})),
        at(Method::GET, format!("{dialog_path}/members/{user}"), Value::Null),
        at(Method::PATCH, format!("{dialog_path}/members/{user}"), json!({"role": "reader"})),
        at(Method::DELETE, format!("{dialog_path}/members/{user}"), Value::Null),
        at(Method::GET, format!("{dialog_path}/invites"), Value::Null),
        at(Method::POST, format!("{dialog_path}/invites"), json!({})),
        at(Method::DELETE, format!("{dialog_path}/invites/{user}"), Value::Null),
        at(Method::GET, format!("{dialog_path}/messages"), Value::Null),
        at(Method::POST, format!("{dialog_path}/messages"), json!({"text": "x"})),
        at(Method::PUT, format!("{dialog_path}/messages/{user}"), json!({"text": "x"})),
        at(Method::DELETE, format!("{dialog_path}/messages/{user}"), Value::Null),
        at(Method::POST, format!("{dialog_path}/messages/{user}/reactions"), json!({"text": "x"})),
        at(Method::DELETE, format!("{dialog_path}/messages/1/reactions/{user}"), Value::Null),
        at(Method::PUT, format!("{dialog_path}/read"), json!({"offset": 1})),
        at(Method::GET, format!("{dialog_path}/receipts"), Value::Null),
        at(Method::GET, format!("/api/invites/{user}"), Value::Null),
        at(Method::POST, format!("/api/invites/{user}/accept"), Value::Null),
        at(Method::GET, format!("/api/users/{user}"), Value::Null),
        at(Method::GET, format!("/api/contacts/{user}"), Value::Null),
        at(Method::DELETE, format!("/api/contacts/{user}"), Value::Null),
        at(Method::POST, format!("/api/contacts/{user}/request"), Value::Null),
        at(Method::POST, format!("/api/contacts/{user}/accept"), Value::Null),
        at(Method::POST, format!("/api/contacts/{user}/decline"), Value::Null),
        at(Method::POST, format!("/api/contacts/{user}/cancel"), Value::Null),
        at(Method::POST, format!("/api/contacts/{user}/block"), Value::Null),
        at(Method::POST, format!("/api/contacts/{user}/unblock"), Value::Null),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_name_nothing_are_not_found() {
    let server = patient_server().await;
    let ann = Api::sign_up(&server, "ann").await;
    let dialog = group(&ann, "Talk", &[]).await;
    let before = ann.get(&format!("/api/dialogs/{dialog}")).await.ok();
    for name in NAMES {
        for (method, path, body) in routes(name, &ann.user).into_iter().chain(routes(&dialog, name)) {
            if !path.split('/').any(|segment| segment == *name) {
                continue;
            }
            // One and the same refusal, also for what the path's own grammar forbids.
            let answer = ann.ask(method.clone(), &path, (!body.is_null()).then_some(body)).await;
            assert!(
                matches!(answer.status.as_u16(), 400 | 404 | 405),
                "{method} {path}: {} {}",
                answer.status,
                answer.body
            );
        }
    }
    assert_eq!(ann.get(&format!("/api/dialogs/{dialog}")).await.ok(), before, "nothing changed");
    assert_eq!(ann.get("/api/contacts").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn nobody_comes_without_a_token() {
    let server = patient_server().await;
    let anybody = Api::new(&server);
    for (method, path, body) in routes("dialog-aaaaaaaaaaaaaaaa", "acc-a").into_iter().chain([
        (Method::GET, "/api/dialogs".into(), Value::Null),
        (Method::POST, "/api/dialogs".into(), json!({"kind": "group", "title": "x"})),
        (Method::GET, "/api/contacts".into(), Value::Null),
        (Method::GET, "/api/users?query=an".into(), Value::Null),
        (Method::POST, "/api/chat/message".into(), json!({"to": "acc-a", "text": "x"})),
    ]) {
        anybody.ask(method, &path, (!body.is_null()).then_some(body)).await.refused(401, "unauthorized");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bodies_and_queries_change_nothing() {
    let server = patient_server().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let private = direct(&ann, &bob).await;
    say(&ann, &dialog, "hello").await;
    let path = format!("/api/dialogs/{dialog}");
    let look = || async {
        let members = ann.get(&format!("{path}/members")).await.ok();
        (ann.get("/api/dialogs").await.ok(), members, ann.get(&format!("{path}/invites")).await.ok())
    };
    let before = look().await;
    let of_bob = format!("{path}/members/{}", bob.user);
    let long = "ä".repeat(65);
    let many: Vec<String> = (0..101).map(|n| format!("acc-{n}")).collect();
    let private_path = format!("/api/dialogs/{private}");
    for (method, path, body, status, name) in [
        ("POST", "/api/dialogs", json!({}), 400, "bad_request"),
        ("POST", &format!("{path}/messages"), json!({"text": ""}), 400, "bad_request"),
        ("POST", "/api/chat/message", json!({"dialog_id": dialog, "text": ""}), 400, "bad_request"),
        ("POST", "/api/chat/message", json!({"to": bob.user, "text": ""}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group"}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "channel", "title": "x"}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "x", "mode": "open"}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "  "}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "a\0b"}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": long}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "x", "avatar": "../x"}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "x", "owner": true}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "x", "members": many}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "x", "members": ["acc-x"]}), 404, "not_found"),
        ("POST", "/api/dialogs", json!({"kind": "group", "title": "x", "members": ["a\0b"]}), 404, "not_found"),
        ("POST", "/api/dialogs", json!({"kind": "direct", "members": [ann.user]}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "direct", "members": []}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!({"kind": "direct", "members": [bob.user], "title": "x"}), 400, "bad_request"),
        ("POST", "/api/dialogs", json!([1]), 400, "bad_request"),
        ("GET", "/api/dialogs?limit=0", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?limit=-1", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?limit=101", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?limit=1e3", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?cursor=AAAAAAAAAAAA", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?kind=none", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?archived=maybe", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?query=%00", Value::Null, 400, "bad_request"),
        ("GET", "/api/dialogs?sort=name", Value::Null, 400, "bad_request"),
        ("PATCH", &path, json!({"title": ""}), 400, "bad_request"),
        ("PATCH", &path, json!({"kind": "direct"}), 400, "bad_request"),
        ("PATCH", &path, json!({"mode": "e2ee"}), 400, "bad_request"),
        ("PATCH", &private_path, json!({"title": "x"}), 409, "not_possible"),
        ("PATCH", &format!("{path}/settings"), json!({"muted_until_ms": -1}), 400, "bad_request"),
        ("PATCH", &format!("{path}/settings"), json!({"pinned": "yes"}), 400, "bad_request"),
        ("POST", &format!("{path}/members"), json!({"members": ["acc-x"]}), 404, "not_found"),
        ("POST", &format!("{path}/members"), json!({"members": [bob.user], "role": "king"}), 400, "bad_request"),
        ("POST", &format!("{private_path}/members"), json!({"members": [bob.user]}), 409, "not_possible"),
        ("GET", &format!("{path}/members?limit=-5"), Value::Null, 400, "bad_request"),
        ("PATCH", &of_bob, json!({"role": "king"}), 400, "bad_request"),
        ("PATCH", &of_bob, json!({}), 400, "bad_request"),
        ("DELETE", &format!("{private_path}/members/{}", bob.user), Value::Null, 409, "not_possible"),
        ("POST", &format!("{path}/invites"), json!({"role": "king"}), 400, "bad_request"),
        ("POST", &format!("{path}/invites"), json!({"uses_max": -1}), 400, "bad_request"),
        ("POST", &format!("{path}/invites"), json!({"expires_ms": 1}), 400, "bad_request"),
        ("POST", &format!("{private_path}/invites"), json!({}), 409, "not_possible"),
        ("POST", &format!("{path}/messages"), json!({}), 400, "bad_request"),
        ("POST", &format!("{path}/messages"), json!({"text": "x", "payload": "eA=="}), 400, "bad_request"),
        ("POST", &format!("{path}/messages"), json!({"payload": "!"}), 400, "bad_request"),
        ("POST", &format!("{path}/messages"), json!({"text": "x", "message_id": ""}), 400, "bad_name"),
        ("POST", &format!("{path}/messages"), json!({"text": "x", "message_id": "a b"}), 400, "bad_name"),
        ("POST", &format!("{path}/messages"), json!({"text": "x", "kind": "signal"}), 400, "bad_request"),
        ("POST", &format!("{path}/messages"), json!({"text": "x", "mentions": ["a b"]}), 400, "bad_name"),
        ("POST", &format!("{path}/messages"), json!({"text": "x", "blobs": ["x"]}), 400, "bad_command"),
        ("POST", &format!("{path}/messages"), json!({"text": "x".repeat(70_000)}), 413, "payload_too_large"),
        ("POST", &format!("{path}/messages"), json!({"text": "x".repeat(600_000)}), 413, "body_too_large"),
        (
            "POST",
            &format!("{path}/messages"),
            json!({"text": "x", "relation": {"kind": "reply", "offset": 9}}),
            422,
            "bad_relation",
        ),
        (
            "POST",
            &format!("{path}/messages"),
            json!({"text": "x", "relation": {"kind": "like", "offset": 1}}),
            400,
            "bad_request",
        ),
        (
            "PUT",
            &format!("{path}/messages/1"),
            json!({"text": "x", "relation": {"kind": "reply", "offset": 1}}),
            400,
            "bad_request",
        ),
        ("PUT", &format!("{path}/messages/9"), json!({"text": "x"}), 422, "bad_relation"),
        ("DELETE", &format!("{path}/messages/9"), Value::Null, 422, "bad_relation"),
        ("DELETE", &format!("{path}/messages/0"), Value::Null, 400, "bad_command"),
        ("DELETE", &format!("{path}/messages/1/reactions/1"), Value::Null, 404, "not_found"),
        ("GET", &format!("{path}/messages?limit=0"), Value::Null, 400, "bad_request"),
        ("GET", &format!("{path}/messages?from=-1"), Value::Null, 400, "bad_request"),
        ("GET", &format!("{path}/messages?direction=up"), Value::Null, 400, "bad_request"),
        ("PUT", &format!("{path}/read"), json!({"offset": -1}), 400, "bad_request"),
        ("PUT", &format!("{path}/read"), json!({}), 400, "bad_request"),
        ("POST", "/api/chat/message", json!({"text": "x"}), 400, "bad_request"),
        ("POST", "/api/chat/message", json!({"to": bob.user, "dialog_id": dialog, "text": "x"}), 400, "bad_request"),
        ("POST", "/api/chat/message", json!({"to": ann.user, "text": "x"}), 404, "not_found"),
        ("POST", "/api/chat/message", json!({"to": "acc-x", "text": "x"}), 404, "not_found"),
        ("GET", "/api/users?query=a", Value::Null, 400, "bad_request"),
        ("GET", "/api/users", Value::Null, 400, "bad_request"),
        ("GET", "/api/contacts?state=enemy", Value::Null, 400, "bad_request"),
        ("GET", "/api/contacts?limit=1000", Value::Null, 400, "bad_request"),
        ("POST", &format!("/api/contacts/{}/request", ann.user), Value::Null, 404, "not_found"),
        ("POST", &format!("/api/contacts/{}/love", bob.user), Value::Null, 404, "not_found"),
    ] {
        let method: Method = method.parse().expect("a method");
        let shown = body.to_string().chars().take(120).collect::<String>();
        let answer = ann.ask(method.clone(), path, (!body.is_null()).then_some(body)).await;
        let got = (answer.status.as_u16(), answer.body["name"].as_str());
        assert_eq!(got, (status, Some(name)), "{method} {path} {shown}: {}", answer.body);
    }
    assert_eq!(look().await, before, "nothing changed");

    // Texts are texts, whatever language they look like.
    for title in ["'; DROP TABLE dialogs; --", "<script>alert(1)</script>", "$1 OR 1=1", "100% _ \\"] {
        ann.patch(&path, json!({"title": title})).await.ok();
        assert_eq!(ann.get(&path).await.ok()["title"], title);
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_read_names_nothing() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let program = crate::programs::anything(&server).await;
    for path in ["/api/dialogs/%FF", "/api/dialogs/%FF/messages", "/api/users/%FF", "/api/blobs/%FF"] {
        ann.get(path).await.refused(404, "not_found");
    }
    let new = json!({"url": "https://example.org/", "events": ["room.occupied"]});
    let made = program.post("/api/admin/webhooks", new).await.ok();
    let id = made["webhook"]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/admin/webhooks/{id}/deliveries/first/retry");
    program.post(&path, json!(null)).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_payload_that_may_be_said_may_be_escaped() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let program = crate::programs::anything(&server).await;
    let dialog = crate::dialogs::group(&ann, "Ours", &[]).await;
    // As long as may be, and written as programs do that know ASCII only.
    let said = format!("{{\"text\": \"{}\"}}", "\\u0041".repeat(64 << 10));
    let path = format!("/api/dialogs/{dialog}/messages");
    let typed = |who: &Api, path: &str, body: String| {
        who.request(reqwest::Method::POST, path).header("content-type", "application/json").body(body)
    };
    Api::answer(typed(&ann, &path, said)).await.ok();
    let longer = json!({"text": "x".repeat((64 << 10) + 1)}).to_string();
    Api::answer(typed(&ann, &path, longer)).await.refused(413, "payload_too_large");
    let said = format!(
        "{{\"room\": \"{dialog}\", \"message_id\": \"m\", \"as\": {{\"user\": \"shop\"}}, \"text\": \"{}\"}}",
        "\\u0041".repeat(64 << 10)
    );
    Api::answer(typed(&program, "/api/server/publish", said)).await.ok();
    let too_long = json!({"text": "x".repeat(1 << 20)}).to_string();
    Api::answer(typed(&ann, &path, too_long)).await.refused(413, "body_too_large");
    let name = json!({"name": "x".repeat(200 << 10)}).to_string();
    let renaming = ann.request(reqwest::Method::PATCH, "/api/auth/me").header("content-type", "application/json");
    Api::answer(renaming.body(name)).await.refused(413, "body_too_large");
}
