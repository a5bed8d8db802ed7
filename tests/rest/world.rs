//! Every route of the served description, with who may ask it; and somebody with everything that one can have, for those who
//! try to get at it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD};
use crate::dialogs::{direct, group, say};
use crate::files::{begin, location, picture, upload as upload_file};
use crate::link::By;
use crate::programs::anything;
use crate::server::{Server, Setup};
use crate::user::User;
use Who::{Administrator, AnyUser, Anybody, Key, Manager, Member, Own, Session, Steward};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who {
    /// Without saying who one is.
    Anybody,
    /// Any user; it touches nothing but one's own.
    AnyUser,
    /// Whose it is. For everybody else it is not there.
    Own,
    /// Members of the dialog. For everybody else it is not there.
    Member,
    /// Admins and owners of the dialog, or who wrote the message. Members are told so; for everybody else it is not there.
    Manager,
    /// Administrators of the server.
    Administrator,
    /// Programs whose key has this scope; empty: any key.
    Key(&'static str),
    /// Administrators, and programs whose key has the scope `webhooks`.
    Steward,
    /// Whoever shows the session's secret; a token is of no use.
    Session,
}

/// Every route: who may, the method, the path with the things of A in it, and a body that would do harm if it were let in.
pub fn rows() -> Vec<(Who, &'static str, &'static str, Value)> {
    let none = || Value::Null;
    let said = || json!({"text": "by somebody else"});
    vec![
        (Anybody, "GET", "/api/health", none()),
        (Anybody, "GET", "/api/health/ready", none()),
        (Anybody, "GET", "/api/health/live", none()),
        (Anybody, "GET", "/api/system/health", none()),
        (Anybody, "GET", "/api/v1/health", none()),
        (Anybody, "POST", "/api/auth/sign-up", json!({"login": "a", "password": "a", "name": "A"})),
        (Anybody, "POST", "/api/auth/sign-in", json!({"login": "ann", "password": "wrong"})),
        (Anybody, "POST", "/api/auth/refresh", json!({"refresh_token": "x"})),
        (Anybody, "POST", "/api/auth/guest", json!({"name": "visitor"})),
        (Anybody, "GET", "/api/auth/first-administrator", none()),
        (
            Anybody,
            "POST",
            "/api/auth/first-administrator",
            json!({"code": "x", "login": "root", "password": PASSWORD, "name": "R"}),
        ),
        (AnyUser, "GET", "/api/auth/me", none()),
        (AnyUser, "PATCH", "/api/auth/me", json!({"about": "changed"})),
        (AnyUser, "DELETE", "/api/auth/me", json!({"password": "wrong"})),
        (AnyUser, "PUT", "/api/auth/password", json!({"old_password": "wrong", "new_password": PASSWORD})),
        (AnyUser, "GET", "/api/auth/sessions", none()),
        (Own, "DELETE", "/api/auth/sessions/{session}", none()),
        (AnyUser, "GET", "/api/users", none()),
        (AnyUser, "GET", "/api/users/{ann}", none()),
        (AnyUser, "GET", "/api/contacts", none()),
        (AnyUser, "GET", "/api/contacts/{ann}", none()),
        (AnyUser, "DELETE", "/api/contacts/{ann}", none()),
        (AnyUser, "POST", "/api/contacts/{ann}/accept", none()),
        (AnyUser, "POST", "/api/contacts/{ann}/decline", none()),
        (AnyUser, "POST", "/api/contacts/{ann}/cancel", none()),
        (AnyUser, "POST", "/api/contacts/{ann}/unblock", none()),
        (AnyUser, "POST", "/api/contacts/{nobody}/request", none()),
        (AnyUser, "POST", "/api/contacts/{nobody}/block", none()),
        (AnyUser, "GET", "/api/dialogs", none()),
        (AnyUser, "POST", "/api/dialogs", json!({"kind": "group", "title": "Mine"})),
        (Member, "GET", "/api/dialogs/{dialog}", none()),
        (Manager, "PATCH", "/api/dialogs/{dialog}", json!({"title": "Taken"})),
        (Manager, "DELETE", "/api/dialogs/{dialog}", none()),
        (Member, "PATCH", "/api/dialogs/{dialog}/settings", json!({"pinned": false, "archived": false})),
        (Member, "POST", "/api/dialogs/{dialog}/leave", none()),
        (Member, "GET", "/api/dialogs/{dialog}/members", none()),
        (Manager, "POST", "/api/dialogs/{dialog}/members", json!({"members": ["{stranger}"]})),
        (Member, "GET", "/api/dialogs/{dialog}/members/{ann}", none()),
        (Manager, "PATCH", "/api/dialogs/{dialog}/members/{ann}", json!({"role": "reader"})),
        (Manager, "DELETE", "/api/dialogs/{dialog}/members/{ann}", none()),
        (Manager, "GET", "/api/dialogs/{dialog}/invites", none()),
        (Manager, "POST", "/api/dialogs/{dialog}/invites", json!({})),
        (Manager, "DELETE", "/api/dialogs/{dialog}/invites/{invite}", none()),
        (AnyUser, "GET", "/api/invites/{nobody}", none()),
        (AnyUser, "POST", "/api/invites/{nobody}/accept", none()),
        (Member, "GET", "/api/dialogs/{dialog}/messages", none()),
        (Member, "POST", "/api/dialogs/{dialog}/messages", said()),
        (Manager, "PUT", "/api/dialogs/{dialog}/messages/{message}", said()),
        (Manager, "DELETE", "/api/dialogs/{dialog}/messages/{message}", none()),
        (Member, "POST", "/api/dialogs/{dialog}/messages/{message}/reactions", said()),
        (Manager, "DELETE", "/api/dialogs/{dialog}/messages/{message}/reactions/{reaction}", none()),
        (Member, "PUT", "/api/dialogs/{dialog}/read", json!({"offset": 1})),
        (Member, "GET", "/api/dialogs/{dialog}/receipts", none()),
        (Member, "POST", "/api/chat/message", json!({"dialog_id": "{dialog}", "text": "by somebody else"})),
        (Anybody, "OPTIONS", "/api/blobs", none()),
        (AnyUser, "POST", "/api/blobs", none()),
        (Own, "HEAD", "/api/blobs/uploads/{upload}", none()),
        (Own, "PATCH", "/api/blobs/uploads/{upload}", said()),
        (Own, "DELETE", "/api/blobs/uploads/{upload}", none()),
        (Member, "GET", "/api/blobs/{blob}", none()),
        (Member, "HEAD", "/api/blobs/{blob}", none()),
        (AnyUser, "PUT", "/api/blobs/{blob}", said()),
        (Member, "GET", "/api/blobs/{blob}/info", none()),
        (AnyUser, "GET", "/api/user-limits", none()),
        (Administrator, "GET", "/api/admin/limits/{role}", none()),
        (
            Administrator,
            "PUT",
            "/api/admin/limits/{role}",
            json!({"messages": 1, "assistant_calls": 1, "storage_bytes": 1, "uploads": 1, "dialogs": 1}),
        ),
        (Administrator, "GET", "/api/admin/users/{ann}/limits", none()),
        (Administrator, "PUT", "/api/admin/users/{ann}/limits", json!({"messages": 1})),
        (Administrator, "GET", "/api/admin/users", none()),
        (
            Administrator,
            "POST",
            "/api/admin/users",
            json!({"login": "made", "password": PASSWORD, "name": "Made", "role": "administrator"}),
        ),
        (Administrator, "GET", "/api/admin/users/{ann}", none()),
        (Administrator, "PATCH", "/api/admin/users/{ann}", json!({"state": "blocked"})),
        (Administrator, "DELETE", "/api/admin/users/{ann}/sessions", none()),
        (Administrator, "PUT", "/api/admin/users/{ann}/password", json!({"password": PASSWORD})),
        (Administrator, "GET", "/api/admin/audit", none()),
        (Administrator, "GET", "/api/admin/keys", none()),
        (Administrator, "POST", "/api/admin/keys", json!({"name": "x", "scopes": ["publish"]})),
        (Administrator, "DELETE", "/api/admin/keys/{key}", none()),
        (Steward, "GET", "/api/admin/webhooks", none()),
        (
            Steward,
            "POST",
            "/api/admin/webhooks",
            json!({"url": "https://example.org", "events": ["message.published"]}),
        ),
        (Steward, "GET", "/api/admin/webhooks/{webhook}", none()),
        (Steward, "PATCH", "/api/admin/webhooks/{webhook}", json!({"state": "paused"})),
        (Steward, "DELETE", "/api/admin/webhooks/{webhook}", none()),
        (Steward, "POST", "/api/admin/webhooks/{webhook}/ping", none()),
        (Steward, "GET", "/api/admin/webhooks/{webhook}/deliveries", none()),
        (Steward, "POST", "/api/admin/webhooks/{webhook}/deliveries/{message}/retry", none()),
        (
            Key("publish"),
            "POST",
            "/api/server/publish",
            json!({"room": "{dialog}", "message_id": "x", "as": {"user": "x"}}),
        ),
        (
            Key("broadcast"),
            "POST",
            "/api/server/broadcast",
            json!({"rooms": ["{dialog}"], "message_id": "x", "as": {"user": "x"}}),
        ),
        (Key("history"), "GET", "/api/server/history?room={dialog}", none()),
        (Key("presence"), "GET", "/api/server/presence?room={dialog}", none()),
        (Key("disconnect"), "POST", "/api/server/disconnect", json!({"user": "{ann}"})),
        (
            Key("tokens"),
            "POST",
            "/api/server/tokens",
            json!({"user": "x", "grants": [{"room": "{dialog}", "allow": ["read"]}]}),
        ),
        (Key("tokens"), "POST", "/api/server/users", json!({"user": "{ann}", "name": "Taken"})),
        (Key("publish"), "POST", "/api/server/rooms", json!({"room": "{dialog}", "mode": "e2ee"})),
        (Key(""), "GET", "/api/server/health", none()),
        // A stream is open to all who say who they are in its first frame.
        (Anybody, "POST", "/api/sse", json!({"id": 1, "connect": {"token": "x"}})),
        (Session, "POST", "/api/poll", json!({"id": 2, "ping": {}})),
        (Session, "POST", "/api/send", json!({"id": 2, "unsubscribe": {"room": "{dialog}"}})),
        (Session, "POST", "/api/close", none()),
        // At the end, because they end the sign-in that asks.
        (AnyUser, "POST", "/api/auth/sign-out", none()),
        (AnyUser, "POST", "/api/auth/sign-out-everywhere", none()),
    ]
}

/// A and what is hers, and those who are after it.
pub struct World {
    pub server: Server,
    pub ann: Api,
    pub member: Api,
    pub stranger: Api,
    pub friend: Api,
    pub operator: Api,
    pub dialog: String,
    names: Vec<(&'static str, String)>,
    /// A's session by plain requests.
    pub live: User,
    /// Its secret, but for a little.
    guess: String,
}

impl World {
    pub async fn new() -> Self {
        let many = 1_000_000;
        // Bursts as well: with small ones a request is too fast if its thread waits a little between the clock and the count.
        let setup = Setup::default().set("service.requests_per_second", many).set("service.requests_burst", many);
        let setup = setup.set("service.address_requests_per_second", many).set("service.address_requests_burst", many);
        let setup = setup.set("service.key_requests_per_second", many);
        let server = setup.start().await;
        let (ann, member) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "member").await);
        let (stranger, friend) = (Api::sign_up(&server, "stranger").await, Api::sign_up(&server, "friend").await);
        let operator = anything(&server).await;
        let dialog = group(&ann, "Ours", &[&member]).await;
        direct(&ann, &friend).await;
        let message = say(&ann, &dialog, "hers").await;
        let path = format!("/api/dialogs/{dialog}");
        let reacted = ann.post(&format!("{path}/messages/{message}/reactions"), json!({"text": "+"})).await.ok();
        let blob = upload_file(&ann, &picture(1)).await;
        ann.post(&format!("{path}/messages"), json!({"text": "look", "blobs": [blob]})).await.ok();
        let upload = location(&begin(&ann, 10, &[]).await);
        let invite = ann.post(&format!("{path}/invites"), json!({})).await.ok();
        ann.patch(&format!("{path}/settings"), json!({"pinned": true})).await.ok();
        ann.post(&format!("/api/contacts/{}/request", friend.user), Value::Null).await.ok();
        let sessions = ann.get("/api/auth/sessions").await.ok();
        let hook = json!({"url": "https://example.org/", "events": ["room.occupied"], "rooms": "nowhere"});
        let webhook = operator.post("/api/admin/webhooks", hook).await.ok();
        let list = server.command(&["key", "list"]).await;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let names = vec![
            ("{ann}", ann.user.clone()),
            ("{stranger}", stranger.user.clone()),
            ("{dialog}", dialog.clone()),
            ("{message}", message.to_string()),
            ("{reaction}", text(&reacted["position"]["offset"])),
            ("{invite}", text(&invite["id"])),
            ("{session}", text(&sessions[0]["id"])),
            ("{webhook}", text(&webhook["webhook"]["id"])),
            ("{key}", list.split_whitespace().next().expect("a key").to_owned()),
            ("{blob}", blob),
            ("{upload}", upload.rsplit('/').next().expect("an id").to_owned()),
            ("{role}", "user".to_owned()),
            ("{nobody}", "acc-nobodynobodynob".to_owned()),
        ];
        assert!(names.iter().all(|(_, value)| value != "null"), "{names:?}");
        let live = User::connect_by(&server, By::Poll, ann.token().to_owned(), Vec::new()).await;
        let (session, secret) = live.pass().rsplit_once('.').expect("a secret");
        let guess = format!("{session}.{}", secret.chars().rev().collect::<String>());
        assert_ne!(guess, live.pass());
        Self { server, ann, member, stranger, friend, operator, dialog, names, live, guess }
    }

    /// With the names of A's things in it.
    pub fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// Everything of A's that somebody could want to change or take away.
    pub async fn hers(&self) -> Value {
        // A key's state, but not when it was used: it is used by the asking.
        json!([self.things().await, self.server.command(&["key", "list"]).await])
    }

    /// Of it what can be asked for over HTTP.
    pub async fn things(&self) -> Value {
        let mut all = Vec::new();
        let path = format!("/api/dialogs/{}", self.dialog);
        let more = ["", "/members", "/messages", "/invites", "/receipts"].map(|part| format!("{path}{part}"));
        let own = ["/api/user-limits", "/api/auth/me", "/api/auth/sessions", "/api/dialogs", "/api/contacts"]
            .map(str::to_owned);
        for path in own.iter().chain(&more) {
            let mut answer = self.ann.get(path).await.ok();
            forget_times(&mut answer);
            all.push(answer);
        }
        let mut webhook = self.operator.get("/api/admin/webhooks").await.ok();
        forget_times(&mut webhook);
        all.push(webhook);
        all.into()
    }

    pub async fn ask(&self, who: &Api, method: &str, path: &str, body: &Value) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.fill(&body.to_string())).expect("JSON");
        let method: Method = method.parse().expect("a method");
        let mut request = who.request(method, &self.fill(path)).header("konvert-session", &self.guess);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = Api::answer(request).await;
        (answer.status.as_u16(), answer.body["name"].as_str().unwrap_or_default().to_owned())
    }
}

/// What changes by being looked at: when somebody was there.
fn forget_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            ["used_ms", "last_seen_ms", "online"].iter().for_each(|name| drop(map.remove(*name)));
            map.values_mut().for_each(forget_times);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// `POST /api/dialogs/{}`: a route whatever its parameters are called.
pub fn route(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    format!("{} {}", method.to_uppercase(), parts.collect::<Vec<_>>().join("/"))
}
