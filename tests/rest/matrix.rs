//! Who may do what to whose things: every route of the served description and every verb of the socket has a row here, and
//! each row is tried by nobody, by a stranger, by a plain member, and by programs. Afterwards everything is as it was.
//!
//! A route without a row fails, and so does a row without a route.

use std::collections::BTreeSet;

use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::v1::{self, client_frame::Body as Verb};
use konvert_protocol::{Encoding, ErrorCode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD};
use crate::dialogs::{direct, group, say};
use crate::files::{begin, location, picture, upload as upload_file};
use crate::link::By;
use crate::programs::{anything, program};
use crate::server::{Server, Setup};
use crate::user::{User, speaking};
use Who::{Administrator, AnyUser, Anybody, Key, Manager, Member, Own, Session, Steward};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Who {
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
fn rows() -> Vec<(Who, &'static str, &'static str, Value)> {
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
struct World {
    server: Server,
    ann: Api,
    member: Api,
    stranger: Api,
    friend: Api,
    operator: Api,
    dialog: String,
    names: Vec<(&'static str, String)>,
    /// A's session by plain requests.
    live: User,
    /// Its secret, but for a little.
    guess: String,
}

impl World {
    async fn new() -> Self {
        let many = 1_000_000;
        let setup = Setup::default().set("service.requests_per_second", many);
        let setup = setup.set("service.address_requests_per_second", many).set("service.key_requests_per_second", many);
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
    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// Everything of A's that somebody could want to change or take away.
    async fn hers(&self) -> Value {
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
        // A key's state, but not when it was used: it is used by the asking.
        all.extend([webhook, self.server.command(&["key", "list"]).await.into()]);
        all.into()
    }

    async fn ask(&self, who: &Api, method: &str, path: &str, body: &Value) -> (u16, String) {
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
fn route(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    format!("{} {}", method.to_uppercase(), parts.collect::<Vec<_>>().join("/"))
}

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let server = Server::start().await;
    let document = Api::new(&server).get("/api/openapi.json").await.ok();
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        routes.extend(item.as_object().expect("methods").keys().map(|method| route(method, path)));
    }
    let rows: BTreeSet<_> = rows().iter().map(|(_, method, path, _)| route(method, path)).collect();
    let without: Vec<_> = routes.difference(&rows).collect();
    let beyond: Vec<_> = rows.difference(&routes).collect();
    assert!(
        without.is_empty() && beyond.is_empty(),
        "routes without a row: {without:#?}\nrows without a route: {beyond:#?}"
    );
}

/// What somebody who may not must be told.
fn refused(who: Who, as_what: &str) -> Option<&'static [(u16, &'static str)]> {
    const UNAUTHORIZED: &[(u16, &str)] = &[(401, "unauthorized")];
    const HIDDEN: &[(u16, &str)] = &[(404, "not_found")];
    const FORBIDDEN: &[(u16, &str)] = &[(403, "forbidden")];
    const NOT_ALLOWED: &[(u16, &str)] = &[(403, "forbidden"), (403, "not_allowed")];
    const WRONG: &[(u16, &str)] = &[(401, "bad_token")];
    const ENDED: &[(u16, &str)] = &[(410, "session_ended")];
    Some(match (as_what, who) {
        (_, Anybody) => return None,
        (_, Session) => ENDED,
        ("nobody", _) => UNAUTHORIZED,
        ("user", AnyUser) | ("member", AnyUser | Member) => return None,
        ("user" | "member", Own) | ("user", Member | Manager) => HIDDEN,
        ("member", Manager) => NOT_ALLOWED,
        ("user" | "member", Administrator | Steward) => FORBIDDEN,
        ("user" | "member", Key(_)) => WRONG,
        ("key without scopes", Key("")) => return None,
        ("key without scopes", Key(_) | Steward) => FORBIDDEN,
        ("key without scopes", _) => WRONG,
        _ => unreachable!("{as_what}"),
    })
}

#[tokio::test]
async fn nobody_gets_at_what_is_not_theirs() {
    let mut world = World::new().await;
    // A key that may do one thing which no route needs alone.
    let bare = program(&world.server, &["dialogs"], "*").await;
    let before = world.hers().await;
    let nobody = Api::new(&world.server);
    let mut leaks = Vec::new();
    for (who, method, path, body) in rows() {
        let sides =
            [("nobody", &nobody), ("user", &world.stranger), ("key without scopes", &bare), ("member", &world.member)];
        for (as_what, api) in sides {
            let expected = refused(who, as_what);
            // What a member may do is done by members, which other tests see to; and it changes the dialog.
            if expected.is_none() && as_what == "member" {
                continue;
            }
            let got = world.ask(api, method, path, &body).await;
            let right = match expected {
                Some(expected) => {
                    expected.iter().any(|(status, name)| *status == got.0 && (method == "HEAD" || *name == got.1))
                }
                // Whoever may is not kept out; a bad request is another matter.
                None => got.0 < 500 && !(who == Anybody && got.1 == "unauthorized"),
            };
            if !right {
                leaks.push(format!("{method} {path} as {as_what}: {got:?}, not {expected:?}"));
            }
        }
        // Her session is still there, and hears from her in time to stay.
        world.live.pushes().await;
        let after = world.hers().await;
        if after != before {
            leaks.push(format!("{method} {path} changed what is not theirs:\n{before}\n{after}"));
            break;
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    // Nobody spoke for it either.
    assert_eq!(world.live.refused(v1::Unsubscribe { room: world.dialog.clone() }).await.name, "not_subscribed");
}

/// Of each verb one that would get at A's dialog.
fn verbs(room: &str) -> Vec<Verb> {
    let room = || room.to_owned();
    vec![
        Verb::Subscribe(v1::Subscribe { room: room(), presence: true, ..Default::default() }),
        Verb::Unsubscribe(v1::Unsubscribe { room: room() }),
        Verb::Publish(v1::Publish { room: room(), message_id: "x".into(), payload: "x".into(), ..Default::default() }),
        Verb::Signal(v1::Signal { room: room(), payload: "x".into() }),
        Verb::History(v1::History { room: room(), ..Default::default() }),
        Verb::Presence(v1::Presence { room: room(), ..Default::default() }),
        Verb::PresenceUpdate(v1::PresenceUpdate { room: room(), ..Default::default() }),
        Verb::Read(v1::Read { room: room(), offset: 1 }),
    ]
}

/// What a verb is refused with to whoever may not know of the room. A new verb does not compile without a line here.
fn told(verb: &Verb) -> &'static [ErrorCode] {
    match verb {
        Verb::Subscribe(_) | Verb::Publish(_) | Verb::History(_) | Verb::Presence(_) | Verb::Read(_) => {
            &[ErrorCode::UnknownRoom]
        }
        // Of what one is subscribed to, which is nothing.
        Verb::Unsubscribe(_) | Verb::Signal(_) | Verb::PresenceUpdate(_) => {
            &[ErrorCode::UnknownRoom, ErrorCode::NotSubscribed]
        }
        // These name no room.
        Verb::Connect(_) | Verb::Refresh(_) | Verb::Ping(_) => &[],
    }
}

#[test]
fn every_verb_is_tried() {
    let schema = include_str!("../../protocol/konvert.proto");
    let frame = schema.split("message ClientFrame {").nth(1).and_then(|rest| rest.split("oneof body {").nth(1));
    let body = frame.and_then(|rest| rest.split('}').next()).expect("the verbs");
    let all: BTreeSet<_> = body.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let tried = verbs("r").into_iter().map(|verb| format!("{verb:?}").split('(').next().expect("a name").to_owned());
    let tried: BTreeSet<_> = tried.chain(["Connect", "Refresh", "Ping"].map(str::to_owned)).collect();
    assert_eq!(all, tried.iter().map(String::as_str).collect());
}

#[tokio::test]
async fn no_verb_gets_at_a_dialog_of_others() {
    for by in [By::Socket(Encoding::Protobuf), By::Stream, By::Poll] {
        speaking(by, check_verbs()).await;
    }
}

async fn check_verbs() {
    let world = World::new().await;
    let mut stranger =
        User::connect_with(&world.server, world.stranger.token().to_owned(), Encoding::Protobuf, Vec::new()).await;
    let before = world.hers().await;
    for verb in verbs(&world.dialog).into_iter().chain(verbs("dialog-nowhere")) {
        let expected = told(&verb);
        match stranger.ask(verb.clone()).await {
            Reply::Error(error) => {
                assert!(expected.iter().any(|code| code.number() == error.code), "{verb:?}: {error:?}");
            }
            other => panic!("{verb:?} got {other:?}"),
        }
    }
    // Somebody else's token does not change who one is.
    let refresh = v1::Refresh { token: world.friend.token().to_owned() };
    match stranger.ask(refresh).await {
        Reply::Error(error) => assert_eq!(error.code, ErrorCode::OtherUser.number()),
        other => panic!("refresh got {other:?}"),
    }
    assert_eq!(world.hers().await, before);
    // Nothing of it is pushed to them either.
    say(&world.ann, &world.dialog, "still ours").await;
    assert!(stranger.pushes().await.is_empty());
}
