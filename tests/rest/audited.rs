//! The audit: every action that is recorded, done once by the request that docs/directory.md names for it, and read through
//! the API. An action without a request here, or without a line there, fails.

use std::collections::{BTreeMap, HashSet};

use konvert::service::Action;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD, until};
use crate::dialogs::group;
use crate::programs::anything;
use crate::receiver::Receiver;
use crate::server::Server;
use crate::webhooks::setup;

/// What was done, by which request, in which order.
struct Audit {
    root: Api,
    seen: HashSet<String>,
    done: BTreeMap<String, String>,
}

impl Audit {
    /// What was recorded since the last time, by action and detail.
    async fn news(&mut self) -> Vec<Value> {
        let page = self.root.get("/api/admin/audit?limit=100").await.ok();
        let mut news: Vec<_> = page["items"].as_array().expect("a list").clone();
        news.retain(|entry| self.seen.insert(entry["id"].as_str().expect("an id").to_owned()));
        // Of one millisecond the order is left open.
        news.sort_by_key(|entry| (entry["action"].to_string(), entry["detail"].to_string()));
        news
    }

    /// After this request these must have been recorded and nothing else: action, who, to whom or what.
    async fn tells(&mut self, request: &str, expected: &[(Action, &str, &str)]) -> Vec<Value> {
        let news = self.news().await;
        let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
        let told: Vec<_> =
            news.iter().map(|entry| [text(entry, "action"), text(entry, "actor"), text(entry, "target")]).collect();
        let mut expected: Vec<_> = expected
            .iter()
            .map(|(action, actor, target)| [action.name().to_owned(), (*actor).to_owned(), (*target).to_owned()])
            .collect();
        expected.sort_unstable_by(|one, other| one[0].cmp(&other[0]));
        assert_eq!(told, expected, "after {request}: {news:#?}");
        for entry in &news {
            assert_eq!(entry["address"], "127.0.0.1", "{entry}");
            let whole = entry.to_string();
            for secret in [PASSWORD, OTHER, "@chat.example", "Anna", "kk_", "whsec_", "krt."] {
                assert!(!whole.contains(secret), "{whole} tells {secret}");
            }
            self.done.entry(text(entry, "action")).or_insert_with(|| request.to_owned());
        }
        news
    }
}

const OTHER: &str = "granite-69-lantern-oboe";

/// What docs/directory.md tells: which request does what.
fn documented() -> BTreeMap<String, String> {
    let text = include_str!("../../docs/directory.md");
    let table = text.split("| action | by |").nth(1).expect("the table of the audit");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.split('`').skip(1).step_by(2).map(str::to_owned);
        (cells.next().expect("an action"), cells.next().expect("a request"))
    })
    .collect()
}

#[test]
fn every_action_is_documented() {
    let documented: Vec<_> = documented().into_keys().collect();
    let mut actions: Vec<_> = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
    actions.sort_unstable();
    assert_eq!(documented, actions);
    let text = include_str!("../../docs/directory.md");
    for action in Action::ALL {
        let (name, meaning) = (action.name(), action.meaning());
        let is_told = |row: &str| row.starts_with(&format!("| `{name}` |")) && row.ends_with(&format!("| {meaning} |"));
        assert!(text.lines().any(is_told), "{name}: {meaning}");
    }
}

#[tokio::test]
async fn every_action_is_recorded_by_its_request() {
    let server = setup().set("webhooks.give_up_after_s", 1).start().await;
    let nobody = Api::new(&server);
    let wrong = json!({"code": "guess", "login": "root", "password": PASSWORD, "name": "Root"});
    nobody.post("/api/auth/first-administrator", wrong).await.refused(403, "forbidden");
    let root = Api::administrator(&server).await;
    let mut audit = Audit { root: root.clone(), seen: HashSet::new(), done: BTreeMap::new() };
    let me = root.user.clone();
    audit
        .tells(
            "POST /api/auth/first-administrator",
            &[(Action::FirstAdministratorRefused, "", ""), (Action::FirstAdministrator, &me, &me)],
        )
        .await;
    of_accounts(&server, &mut audit).await;
    of_administrators(&server, &mut audit).await;
    of_dialogs(&server, &mut audit).await;
    of_programs(&server, &mut audit).await;

    let done: Vec<_> = audit.done.iter().collect();
    let documented = documented();
    assert_eq!(done, documented.iter().collect::<Vec<_>>());
}

async fn of_accounts(server: &Server, audit: &mut Audit) {
    let anna = Api::sign_up(server, "anna").await;
    let id = anna.user.clone();
    audit.tells("POST /api/auth/sign-up", &[(Action::SignUp, &id, &id)]).await;
    let wrong = json!({"login": "anna", "password": "wrong"});
    anna.post("/api/auth/sign-in", wrong).await.refused(401, "wrong_credentials");
    let (second, third) = (anna.sign_in_again().await, anna.sign_in_again().await);
    let signed_in = (Action::SignIn, &*id, &*id);
    audit.tells("POST /api/auth/sign-in", &[(Action::SignInFailed, "", ""), signed_in, signed_in]).await;

    let sessions = anna.get("/api/auth/sessions").await.ok();
    let device = |who: &Value| who["id"].as_str().expect("an id").to_owned();
    let others: Vec<_> =
        sessions.as_array().expect("a list").iter().filter(|one| one["is_current"] == false).map(device).collect();
    second.post("/api/auth/sign-out", Value::Null).await.ok();
    let entries = audit.news().await;
    assert_eq!(entries.len(), 1);
    let ended = entries[0]["target"].as_str().expect("an id").to_owned();
    assert!(entries[0]["action"] == "sign_out" && others.contains(&ended), "{entries:?}");
    audit.done.insert("sign_out".into(), "POST /api/auth/sign-out".into());
    let left = others.iter().find(|one| **one != ended).expect("the third").clone();

    // A refresh token that was used, and used again.
    let refreshed = third.post("/api/auth/refresh", json!({"refresh_token": third.refresh_token})).await.ok();
    let newer = json!({"refresh_token": refreshed["refresh_token"]});
    third.post("/api/auth/refresh", newer).await.ok();
    let old = json!({"refresh_token": third.refresh_token});
    third.post("/api/auth/refresh", old).await.refused(401, "token_reused");
    audit.tells("POST /api/auth/refresh", &[(Action::RefreshTokenReused, &id, &left)]).await;

    anna.patch("/api/auth/me", json!({"email": "anna@chat.example", "about": "x"})).await.ok();
    anna.patch("/api/auth/me", json!({"email": "anna@chat.example"})).await.ok();
    anna.patch("/api/auth/me", json!({"name": "Anna"})).await.ok();
    anna.patch("/api/auth/me", json!({"email": null})).await.ok();
    let changed = (Action::EmailChanged, &*id, &*id);
    let entries = audit.tells("PATCH /api/auth/me", &[changed, changed]).await;
    assert_eq!([&entries[0]["detail"], &entries[1]["detail"]], ["removed", "set"]);

    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
    anna.put("/api/auth/password", change("wrong", OTHER)).await.refused(401, "wrong_credentials");
    anna.put("/api/auth/password", change(PASSWORD, OTHER)).await.ok();
    audit
        .tells("PUT /api/auth/password", &[(Action::PasswordWrong, &id, &id), (Action::PasswordChanged, &id, &id)])
        .await;
    anna.post("/api/auth/sign-out-everywhere", Value::Null).await.ok();
    audit.tells("POST /api/auth/sign-out-everywhere", &[(Action::SignOutEverywhere, &id, &id)]).await;
    let boris = Api::sign_up(server, "boris").await;
    let leave = json!({"password": PASSWORD});
    boris.ask(Method::DELETE, "/api/auth/me", Some(leave)).await.ok();
    let id = &*boris.user;
    audit.tells("DELETE /api/auth/me", &[(Action::SignUp, id, id), (Action::AccountDeleted, id, id)]).await;
}

async fn of_administrators(server: &Server, audit: &mut Audit) {
    let (root, me) = (audit.root.clone(), audit.root.user.clone());
    let new = json!({"login": "clara", "password": PASSWORD, "name": "Clara"});
    let made = root.post("/api/admin/users", new).await.ok();
    let id = made["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/admin/users/{id}");
    audit.tells("POST /api/admin/users", &[(Action::UserCreated, &me, &id)]).await;
    root.patch(&path, json!({"role": "operator"})).await.ok();
    root.patch(&path, json!({"role": "operator"})).await.ok();
    root.patch(&path, json!({"state": "blocked"})).await.ok();
    root.patch(&path, json!({"state": "active"})).await.ok();
    let told = [Action::RoleChanged, Action::Blocked, Action::Unblocked].map(|action| (action, &*me, &*id));
    let entries = audit.tells("PATCH /api/admin/users/{id}", &told).await;
    assert_eq!(entries[1]["detail"], "user to operator");
    root.put(&format!("{path}/password"), json!({"password": OTHER})).await.ok();
    audit.tells("PUT /api/admin/users/{id}/password", &[(Action::PasswordReset, &me, &id)]).await;
    root.delete(&format!("{path}/sessions")).await.ok();
    audit.tells("DELETE /api/admin/users/{id}/sessions", &[(Action::SignInsEnded, &me, &id)]).await;
    root.put(&format!("{path}/limits"), json!({"messages": 1})).await.ok();
    audit.tells("PUT /api/admin/users/{id}/limits", &[(Action::LimitsChanged, &me, &id)]).await;
    let limits = json!({"messages": 9, "assistant_calls": 9, "storage_bytes": 9, "uploads": 9, "dialogs": 9});
    root.put("/api/admin/limits/guest", limits).await.ok();
    audit.tells("PUT /api/admin/limits/{role}", &[(Action::LimitsChanged, &me, "guest")]).await;
    // Refused ones do not stand in it.
    let stranger = Api::sign_up(server, "stranger").await;
    stranger.patch(&path, json!({"role": "administrator"})).await.refused(403, "forbidden");
    audit.tells("POST /api/auth/sign-up", &[(Action::SignUp, &stranger.user, &stranger.user)]).await;
}

async fn of_dialogs(server: &Server, audit: &mut Audit) {
    let (dora, emil) = (Api::sign_up(server, "dora").await, Api::sign_up(server, "emil").await);
    let (fred, gina) = (Api::sign_up(server, "fred").await, Api::sign_up(server, "gina").await);
    audit.news().await;
    let dialog = group(&dora, "Ours", &[]).await;
    let path = format!("/api/dialogs/{dialog}");
    audit.tells("POST /api/dialogs", &[]).await;
    let members = json!({"members": [emil.user, fred.user], "role": "reader"});
    dora.post(&format!("{path}/members"), members.clone()).await.ok();
    dora.post(&format!("{path}/members"), members).await.ok();
    let entries = audit.tells("POST /api/dialogs/{id}/members", &[(Action::MembersAdded, &dora.user, &dialog)]).await;
    let detail = entries[0]["detail"].as_str().expect("a text");
    assert!(detail.contains(&emil.user) && detail.contains(&fred.user) && detail.ends_with(" as reader"), "{detail}");
    for role in ["admin", "admin"] {
        dora.patch(&format!("{path}/members/{}", emil.user), json!({"role": role})).await.ok();
    }
    let changed = [(Action::MemberRoleChanged, &*dora.user, &*emil.user)];
    let entries = audit.tells("PATCH /api/dialogs/{id}/members/{user}", &changed).await;
    assert_eq!(entries[0]["detail"], format!("{dialog}: reader to admin"));
    emil.delete(&format!("{path}/members/{}", fred.user)).await.ok();
    let removed = [(Action::MemberRemoved, &*emil.user, &*fred.user)];
    let entries = audit.tells("DELETE /api/dialogs/{id}/members/{user}", &removed).await;
    assert_eq!(entries[0]["detail"], dialog);
    fred.delete(&format!("{path}/members/{}", emil.user)).await.refused(404, "not_found");

    let invite = dora.post(&format!("{path}/invites"), json!({"uses_max": 1})).await.ok();
    let (id, secret) = (invite["id"].as_str().expect("an id"), invite["secret"].as_str().expect("a secret"));
    let entries = audit.tells("POST /api/dialogs/{id}/invites", &[(Action::InviteCreated, &dora.user, id)]).await;
    assert_eq!(entries[0]["detail"], format!("{dialog} as member"));
    for _ in 0..2 {
        gina.post(&format!("/api/invites/{secret}/accept"), Value::Null).await;
    }
    let entries = audit.tells("POST /api/invites/{secret}/accept", &[(Action::InviteUsed, &gina.user, id)]).await;
    assert!(entries[0]["detail"] == *dialog && !entries[0].to_string().contains(secret), "{entries:?}");
    dora.delete(&format!("{path}/invites/{id}")).await.ok();
    audit.tells("DELETE /api/dialogs/{id}/invites/{invite}", &[(Action::InviteRevoked, &dora.user, id)]).await;
    gina.post(&format!("{path}/leave"), Value::Null).await.ok();
    audit.tells("POST /api/dialogs/{id}/leave", &[(Action::MemberLeft, &gina.user, &dialog)]).await;
    emil.delete(&path).await.refused(403, "forbidden");
    dora.delete(&path).await.ok();
    audit.tells("DELETE /api/dialogs/{id}", &[(Action::DialogRemoved, &dora.user, &dialog)]).await;

    // What else takes people in, and what else makes somebody the owner.
    let theirs = group(&fred, "Theirs", &[&emil]).await;
    let entries = audit.tells("POST /api/dialogs", &[(Action::MembersAdded, &fred.user, &theirs)]).await;
    assert_eq!(entries[0]["detail"], format!("{} as member", emil.user));
    fred.ask(Method::DELETE, "/api/auth/me", Some(json!({"password": PASSWORD}))).await.ok();
    let (fred, emil) = (&*fred.user, &*emil.user);
    let told = [(Action::AccountDeleted, fred, fred), (Action::MemberRoleChanged, fred, emil)];
    let entries = audit.tells("DELETE /api/auth/me", &told).await;
    assert_eq!(entries[1]["detail"], format!("{theirs}: to owner"));
}

async fn of_programs(server: &Server, audit: &mut Audit) {
    let (root, me) = (audit.root.clone(), audit.root.user.clone());
    let new = json!({"name": "shop", "scopes": ["publish", "tokens", "disconnect"], "rooms": "shop-*"});
    let made = root.post("/api/admin/keys", new).await.ok();
    let key = made["key"]["id"].as_str().expect("an id").to_owned();
    let program = root.with_token(made["secret"].as_str().expect("a key"));
    audit.tells("POST /api/admin/keys", &[(Action::KeyCreated, &me, &key)]).await;
    for _ in 0..2 {
        program.post("/api/server/rooms", json!({"room": "shop-1"})).await.ok();
    }
    audit.tells("POST /api/server/rooms", &[(Action::RoomCreated, &key, "shop-1")]).await;
    program.post("/api/server/users", json!({"user": "u-1", "name": "Somebody"})).await.ok();
    audit.tells("POST /api/server/users", &[(Action::UserVouched, &key, "u-1")]).await;
    let token = |room: &str| json!({"user": "u-1", "grants": [{"room": room, "allow": ["read"]}], "ttl_s": 60});
    program.post("/api/server/tokens", token("shop-1")).await.ok();
    program.post("/api/server/tokens", token("other")).await.refused(403, "forbidden");
    let entries = audit.tells("POST /api/server/tokens", &[(Action::TokenMade, &key, "u-1")]).await;
    assert_eq!(entries[0]["detail"], "1 grants for 60 s");
    program.post("/api/server/disconnect", json!({"user": "u-1"})).await.ok();
    audit.tells("POST /api/server/disconnect", &[(Action::UserDisconnected, &key, "u-1")]).await;
    root.delete(&format!("/api/admin/keys/{key}")).await.ok();
    audit.tells("DELETE /api/admin/keys/{id}", &[(Action::KeyRevoked, &me, &key)]).await;

    let (operator, receiver) = (anything(server).await, Receiver::start().await);
    // The command line has no address.
    let entries = audit.news().await;
    assert_eq!((entries.len(), &entries[0]["action"]), (1, &json!("key_created")));
    assert_eq!((&entries[0]["address"], &entries[0]["detail"]), (&json!(""), &json!("on the command line")));
    operator.post("/api/server/rooms", json!({"room": "shop-2"})).await.ok();
    let program = audit.news().await[0]["actor"].as_str().expect("an id").to_owned();
    receiver.answer(std::iter::repeat_n(500, 1_000));
    let hook = receiver.register(&root, &["message.published"], "*").await;
    audit.tells("POST /api/admin/webhooks", &[(Action::WebhookCreated, &me, &hook)]).await;
    operator.post("/api/server/publish", crate::programs::said("shop-2", "a", "hi")).await.ok();
    let list = format!("/api/admin/webhooks/{hook}/deliveries?state=dead");
    let dead = || async { root.get(&list).await.ok()["items"].as_array().expect("a list").first().cloned() };
    until("it is given up", || async { dead().await.is_some() }).await;
    let number = dead().await.expect("a delivery")["number"].to_string();
    operator.post(&format!("/api/admin/webhooks/{hook}/deliveries/{number}/retry"), Value::Null).await.ok();
    let retried = [(Action::DeliveryRetried, &*program, &*format!("{hook}/{number}"))];
    audit.tells("POST /api/admin/webhooks/{id}/deliveries/{number}/retry", &retried).await;
    root.patch(&format!("/api/admin/webhooks/{hook}"), json!({"state": "paused"})).await.ok();
    audit.tells("PATCH /api/admin/webhooks/{id}", &[(Action::WebhookChanged, &me, &hook)]).await;
    root.delete(&format!("/api/admin/webhooks/{hook}")).await.ok();
    audit.tells("DELETE /api/admin/webhooks/{id}", &[(Action::WebhookRemoved, &me, &hook)]).await;
}
