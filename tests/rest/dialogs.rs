//! Dialogs from outside: made, listed, kept, changed, left; their members and invites.

use serde_json::{Value, json};

use crate::api::Api;
use crate::forms::Database;
use crate::server::Server;

/// A group of the caller with others.
pub async fn group(owner: &Api, title: &str, others: &[&Api]) -> String {
    let members: Vec<_> = others.iter().map(|other| &other.user).collect();
    let body = json!({"kind": "group", "title": title, "members": members});
    id(&owner.post("/api/dialogs", body).await.ok())
}

/// The direct dialog of two.
pub async fn direct(one: &Api, other: &Api) -> String {
    id(&one.post("/api/dialogs", json!({"kind": "direct", "members": [other.user]})).await.ok())
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

/// Says a text; where it was stored.
pub async fn say(who: &Api, dialog: &str, text: &str) -> u64 {
    let answer = who.post(&format!("/api/dialogs/{dialog}/messages"), json!({"text": text})).await.ok();
    answer["position"]["offset"].as_u64().expect("an offset")
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn two_people_have_one_direct_dialog() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    // All at once, from both sides.
    let asks = (0..8).map(|n| {
        let (who, other) = if n % 2 == 0 { (&ann, &bob) } else { (&bob, &ann) };
        who.post("/api/dialogs", json!({"kind": "direct", "members": [other.user]}))
    });
    let answers = futures_util::future::join_all(asks).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1, "{answers:?}");
    let found: Vec<_> = answers.into_iter().map(|answer| id(&answer.ok())).collect();
    assert!(found.iter().all(|one| *one == found[0]) && found[0].starts_with("dialog-"), "{found:?}");

    let seen = bob.get(&format!("/api/dialogs/{}", found[0])).await.ok();
    assert_eq!((&seen["kind"], &seen["mode"]), (&json!("direct"), &json!("server_readable")));
    assert_eq!((&seen["user"]["id"], &seen["user"]["name"]), (&json!(ann.user), &json!("ANN")));
    assert_eq!((&seen["member_count"], &seen["role"]), (&json!(2), &json!("member")));

    // Put away by one, it is there again when the other writes, or when it is opened again.
    bob.delete(&format!("/api/dialogs/{}", found[0])).await.ok();
    assert!(ids(&bob.get("/api/dialogs").await.ok()).is_empty());
    assert_eq!(ids(&ann.get("/api/dialogs").await.ok()), [&found[0]]);
    say(&ann, &found[0], "still there?").await;
    assert_eq!(ids(&bob.get("/api/dialogs").await.ok()), [&found[0]]);
    bob.post(&format!("/api/dialogs/{}/leave", found[0]), json!(null)).await.ok();
    assert!(ids(&bob.get("/api/dialogs").await.ok()).is_empty());
    assert_eq!(direct(&bob, &ann).await, found[0]);
    assert_eq!(ids(&bob.get("/api/dialogs").await.ok()), [&found[0]]);
}

#[tokio::test]
async fn the_list_is_in_order_and_in_pages() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob.k").await);
    let mut groups = Vec::new();
    for n in 0..5 {
        groups.push(group(&ann, &format!("Group {n}"), &[&bob]).await);
    }
    let direct = direct(&ann, &bob).await;
    // What is said last comes first; what is pinned stands above, the latest pin first.
    // Times are told in milliseconds: what happens within the same one has no order.
    let next_millisecond = || tokio::time::sleep(std::time::Duration::from_millis(2));
    for dialog in [&groups[3], &direct, &groups[1]] {
        say(&bob, dialog, "hello").await;
        next_millisecond().await;
    }
    for dialog in [&groups[0], &groups[4]] {
        ann.patch(&format!("/api/dialogs/{dialog}/settings"), json!({"pinned": true})).await.ok();
        next_millisecond().await;
    }
    ann.patch(&format!("/api/dialogs/{}/settings", groups[2]), json!({"archived": true})).await.ok();
    let want = [&groups[4], &groups[0], &groups[1], &direct, &groups[3]];
    assert_eq!(ids(&ann.get("/api/dialogs").await.ok()), want);

    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ann.get(&format!("/api/dialogs?limit=2{cursor}")).await.ok();
        pages.push(ids(&page).into_iter().map(str::to_owned).collect::<Vec<_>>());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
        bob.get(&format!("/api/dialogs?limit=2{cursor}")).await.refused(400, "bad_request");
        ann.get(&format!("/api/dialogs?limit=2&kind=group{cursor}")).await.refused(400, "bad_request");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), want.map(String::as_str));

    for (query, want) in [
        ("archived=true", vec![&groups[2]]),
        ("kind=direct", vec![&direct]),
        ("query=oup%201", vec![&groups[1]]),
        ("query=BOB", vec![&direct]),
        ("query=b_b", vec![]),
        ("query=%25", vec![]),
        ("query=nobody", vec![]),
    ] {
        assert_eq!(ids(&ann.get(&format!("/api/dialogs?{query}")).await.ok()), want, "{query}");
    }
}

#[tokio::test]
async fn a_dialog_tells_where_it_stands() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let path = format!("/api/dialogs/{dialog}");
    let fresh = bob.get(&path).await.ok();
    assert_eq!(
        (&fresh["unread"], &fresh["last_message"], &fresh["position"]["offset"]),
        (&json!(0), &Value::Null, &json!(0))
    );
    assert_eq!(fresh["activity_ms"], fresh["created_ms"]);

    let first = say(&ann, &dialog, "one").await;
    let second = say(&ann, &dialog, "two").await;
    bob.post(&format!("{path}/messages/{first}/reactions"), json!({"text": "+"})).await.ok();
    ann.put(&format!("{path}/messages/{second}"), json!({"text": "two!"})).await.ok();
    let seen = bob.get(&path).await.ok();
    assert_eq!(
        (&seen["unread"], &seen["position"]["offset"], &seen["first_offset"]),
        (&json!(2), &json!(4), &json!(1))
    );
    assert_eq!((&seen["last_message"]["text"], &seen["last_message"]["edited"]), (&json!("two!"), &json!(true)));

    ann.delete(&format!("{path}/messages/{second}")).await.ok();
    assert_eq!(bob.get(&path).await.ok()["last_message"]["text"], "one");
    let read = bob.put(&format!("{path}/read"), json!({"offset": first})).await.ok();
    assert_eq!((&read["offset"], &read["ordinal"]), (&json!(first), &json!(1)));
    assert_eq!(bob.get(&path).await.ok()["unread"], 1);
    bob.put(&format!("{path}/read"), json!({"offset": 999})).await.ok();
    let seen = bob.get(&path).await.ok();
    assert_eq!((&seen["unread"], &seen["read_offset"]), (&json!(0), &json!(5)));
    let receipts = ann.get(&format!("{path}/receipts")).await.ok();
    assert_eq!(receipts, json!([{"user": bob.user, "offset": 5, "ordinal": 2}]));
}

#[tokio::test]
async fn roles_decide() {
    let server = Server::start().await;
    let mut people = Vec::new();
    for login in ["owner", "admin", "member", "reader", "other"] {
        people.push(Api::sign_up(&server, login).await);
    }
    let [owner, admin, member, reader, other] = &people[..] else { unreachable!() };
    let dialog = group(owner, "Work", &[admin, member, reader]).await;
    let path = format!("/api/dialogs/{dialog}");
    let of = |who: &Api| format!("{path}/members/{}", who.user);
    owner.patch(&of(admin), json!({"role": "admin"})).await.ok();
    owner.patch(&of(reader), json!({"role": "reader"})).await.ok();

    // Who may not know of it learns nothing.
    for (method, path, body) in [
        ("GET", path.clone(), json!(null)),
        ("PATCH", path.clone(), json!({"title": "Mine"})),
        ("DELETE", path.clone(), json!(null)),
        ("GET", format!("{path}/members"), json!(null)),
        ("POST", format!("{path}/members"), json!({"members": [other.user]})),
        ("GET", of(owner), json!(null)),
        ("PATCH", of(owner), json!({"role": "reader"})),
        ("DELETE", of(owner), json!(null)),
        ("GET", format!("{path}/messages"), json!(null)),
        ("POST", format!("{path}/messages"), json!({"text": "hello"})),
        ("PUT", format!("{path}/messages/1"), json!({"text": "hello"})),
        ("PUT", format!("{path}/read"), json!({"offset": 1})),
        ("GET", format!("{path}/receipts"), json!(null)),
        ("GET", format!("{path}/invites"), json!(null)),
        ("POST", format!("{path}/invites"), json!({})),
        ("POST", format!("{path}/leave"), json!(null)),
        ("PATCH", format!("{path}/settings"), json!({"pinned": true})),
    ] {
        let method: reqwest::Method = method.parse().expect("a method");
        let asked = other.ask(method.clone(), &path, Some(body.clone())).await.refused(404, "not_found");
        let nowhere = path.replace(&dialog, "dialog-aaaaaaaaaaaaaaaa");
        assert_eq!(
            other.ask(method.clone(), &nowhere, Some(body)).await.refused(404, "not_found"),
            asked,
            "{method} {path}"
        );
    }

    for who in [member, reader] {
        who.patch(&path, json!({"title": "Mine"})).await.refused(403, "forbidden");
        who.post(&format!("{path}/members"), json!({"members": [other.user]})).await.refused(403, "forbidden");
        who.delete(&of(admin)).await.refused(403, "forbidden");
        who.post(&format!("{path}/invites"), json!({})).await.refused(403, "forbidden");
        who.delete(&path).await.refused(403, "forbidden");
        who.patch(&of(who), json!({"role": "owner"})).await.refused(403, "forbidden");
    }
    reader.post(&format!("{path}/messages"), json!({"text": "hello"})).await.refused(403, "not_allowed");
    reader.get(&format!("{path}/messages")).await.ok();
    let said = say(member, &dialog, "hello").await;
    reader.put(&format!("{path}/messages/{said}"), json!({"text": "x"})).await.refused(403, "not_allowed");

    // Admins keep order among members, and only there.
    admin.patch(&path, json!({"title": "Works"})).await.ok();
    admin.delete(&format!("{path}/messages/{said}")).await.ok();
    admin
        .post(&format!("{path}/members"), json!({"members": [other.user], "role": "admin"}))
        .await
        .refused(403, "forbidden");
    admin.patch(&of(member), json!({"role": "admin"})).await.refused(403, "forbidden");
    admin.patch(&of(owner), json!({"role": "member"})).await.refused(403, "forbidden");
    admin.delete(&of(owner)).await.refused(403, "forbidden");
    admin.delete(&path).await.refused(403, "forbidden");
    admin.post(&format!("{path}/members"), json!({"members": [other.user]})).await.ok();
    admin.delete(&of(other)).await.ok();
    other.get(&path).await.refused(404, "not_found");

    // An owner is left, whatever is tried at once.
    owner.delete(&of(owner)).await.refused(409, "not_possible");
    owner.patch(&of(owner), json!({"role": "admin"})).await.refused(409, "not_possible");
    owner.patch(&of(admin), json!({"role": "owner"})).await.ok();
    let leave = format!("{path}/leave");
    let both = futures_util::future::join(owner.post(&leave, json!(null)), admin.post(&leave, json!(null)));
    let (one, another) = both.await;
    let mut statuses = [one.status.as_u16(), another.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    let left = if one.status == 204 { admin } else { owner };
    let members = member.get(&format!("{path}/members?limit=100")).await.ok();
    let owners = members["items"].as_array().expect("items").iter().filter(|one| one["role"] == "owner");
    assert_eq!(owners.map(|one| &one["user"]["id"]).collect::<Vec<_>>(), [&json!(left.user)]);

    left.delete(&path).await.ok();
    for who in &people {
        who.get(&path).await.refused(404, "not_found");
        assert!(ids(&who.get("/api/dialogs").await.ok()).is_empty());
    }
}

#[tokio::test]
async fn members_are_listed_in_pages() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let mut others = Vec::new();
    for n in 0..4 {
        others.push(Api::sign_up(&server, &format!("user{n}")).await);
    }
    let dialog = group(&ann, "Many", &others.iter().collect::<Vec<_>>()).await;
    let mut want: Vec<String> = others.iter().chain([&ann]).map(|one| one.user.clone()).collect();
    want.sort();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ann.get(&format!("/api/dialogs/{dialog}/members?limit=2{cursor}")).await.ok();
        for item in page["items"].as_array().expect("items") {
            assert_eq!((&item["user"]["online"], item["joined_ms"].is_u64()), (&json!(false), true), "{item}");
            found.push(item["user"]["id"].as_str().expect("an id").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, want);
}

#[tokio::test]
async fn invites_let_in_as_many_as_they_say() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let mut others = Vec::new();
    for n in 0..4 {
        others.push(Api::sign_up(&server, &format!("user{n}")).await);
    }
    let dialog = group(&ann, "Open house", &[]).await;
    let invites = format!("/api/dialogs/{dialog}/invites");
    for _ in 0..3 {
        say(&ann, &dialog, "before").await;
    }
    let invite = ann.post(&invites, json!({"uses_max": 2, "role": "reader"})).await.ok();
    let link = format!("/api/invites/{}", invite["secret"].as_str().expect("a secret"));
    let target = others[0].get(&link).await.ok();
    assert_eq!(
        (&target["title"], &target["member_count"], &target["member"]),
        (&json!("Open house"), &json!(1), &json!(false))
    );

    // All at once: two come in, and again for one who is in costs nothing.
    let accept = format!("{link}/accept");
    let answers = futures_util::future::join_all(others.iter().map(|other| other.post(&accept, json!(null)))).await;
    let joined: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(joined.len(), 2, "{answers:?}");
    for answer in &joined {
        assert_eq!(
            (&answer.body["role"], &answer.body["unread"]),
            (&json!("reader"), &json!(0)),
            "nothing is unread at first"
        );
    }
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.clone().refused(410, "invite_ended");
    }
    let list = ann.get(&invites).await.ok();
    assert_eq!((&list["items"][0]["uses"], &list["items"][0]["secret"]), (&json!(2), &Value::Null));

    let unlimited = ann.post(&invites, json!({})).await.ok();
    let accept = format!("/api/invites/{}/accept", unlimited["secret"].as_str().expect("a secret"));
    for other in &others {
        other.post(&accept, json!(null)).await.ok();
    }
    assert_eq!(ann.get(&format!("/api/dialogs/{dialog}")).await.ok()["member_count"], 5);

    // Ended by time, or taken back.
    let end_ms = konvert::gateway::now_ms() + 3_600_000;
    let short = ann.post(&invites, json!({"expires_ms": end_ms})).await.ok();
    assert_eq!(short["expires_ms"], end_ms);
    let link = format!("/api/invites/{}", short["secret"].as_str().expect("a secret"));
    others[0].get(&link).await.ok();
    // As if its hour were over.
    let mut database = Database::open(&server.directory_url()).await;
    database.run("UPDATE invites SET expires_ms = 1 WHERE expires_ms > 0").await.expect("the row is there");
    database.close().await;
    others[0].get(&link).await.refused(410, "invite_ended");
    others[0].post(&format!("{link}/accept"), json!(null)).await.refused(410, "invite_ended");
    ann.delete(&format!("{invites}/{}", id(&unlimited))).await.ok();
    others[0].post(&accept, json!(null)).await.refused(404, "not_found");
    ann.post(&invites, json!({"role": "owner"})).await.refused(403, "forbidden");
    ann.post(&invites, json!({"expires_ms": 5})).await.refused(400, "bad_request");
}

#[tokio::test]
async fn what_is_said_over_rest_is_heard_and_kept_as_over_a_socket() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let sent = ann.post("/api/chat/message", json!({"to": bob.user, "text": "hello", "message_id": "m1"})).await.ok();
    let dialog = sent["dialog_id"].as_str().expect("a dialog").to_owned();
    let path = format!("/api/dialogs/{dialog}/messages");
    let again =
        ann.post("/api/chat/message", json!({"dialog_id": dialog, "text": "hello", "message_id": "m1"})).await.ok();
    assert_eq!((&again["position"], &again["duplicate"]), (&sent["position"], &json!(true)));
    ann.post(&path, json!({"text": "other", "message_id": "m1"})).await.refused(409, "duplicate_conflict");

    let bytes = bob.post(&path, json!({"payload": "/wA=", "kind": "service", "mentions": [ann.user]})).await.ok();
    assert_eq!(bytes["position"]["offset"], 2);
    let at = json!({"epoch": bytes["position"]["epoch"], "offset": 1});
    ann.post(&path, json!({"text": "late", "expected": at})).await.refused(409, "conflict");
    ann.post(&path, json!({"text": "in time", "expected": bytes["position"]})).await.ok();
    let reply = json!({"text": "yes", "relation": {"kind": "reply", "offset": 1}});
    bob.post(&path, reply).await.ok();

    let page = ann.get(&format!("{path}?direction=forward&limit=2")).await.ok();
    assert_eq!(
        (&page["more"], &page["first_offset"], &page["position"]["offset"]),
        (&json!(true), &json!(1), &json!(4))
    );
    let first = &page["messages"][0];
    assert_eq!(
        (&first["text"], &first["sender"], &first["sender_name"]),
        (&json!("hello"), &json!(ann.user), &json!("ANN"))
    );
    let second = &page["messages"][1];
    assert_eq!(
        (&second["payload"], &second["text"], &second["kind"]),
        (&json!("/wA="), &Value::Null, &json!("service"))
    );
    assert_eq!(second["mentions"], json!([ann.user]));
    let newest = ann.get(&format!("{path}?limit=1")).await.ok();
    assert_eq!(newest["messages"][0]["relation"], json!({"kind": "reply", "offset": 1}));

    let remark = bob.post(&format!("{path}/1/reactions"), json!({"text": "+1"})).await.ok();
    let remark = remark["position"]["offset"].as_u64().expect("an offset");
    bob.delete(&format!("{path}/2/reactions/{remark}")).await.refused(404, "not_found");
    ann.delete(&format!("{path}/1/reactions/{remark}")).await.refused(403, "not_allowed");
    bob.delete(&format!("{path}/1/reactions/{remark}")).await.ok();
    let gone = ann.get(&format!("{path}?from={remark}&limit=1")).await.ok();
    assert_eq!((&gone["messages"][0]["erased"], &gone["messages"][0]["text"]), (&json!(true), &Value::Null));

    // A room that grants open, by its name.
    let room = ann.post("/api/dialogs/lobby/messages", json!({"text": "hello, all"})).await.ok();
    assert_eq!(room["position"]["offset"], 1);
    assert_eq!(bob.get("/api/dialogs/lobby/messages").await.ok()["messages"][0]["text"], "hello, all");
    assert_eq!(bob.put("/api/dialogs/lobby/read", json!({"offset": 1})).await.ok()["offset"], 1);
    bob.get("/api/dialogs/lobby").await.refused(404, "not_found");
}

#[tokio::test]
async fn sealed_dialogs_take_no_text_and_show_none() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let wanted = json!({"kind": "group", "title": "Sealed", "mode": "e2ee", "members": [bob.user]});
    let dialog = id(&ann.post("/api/dialogs", wanted).await.ok());
    let path = format!("/api/dialogs/{dialog}");
    ann.post(&format!("{path}/messages"), json!({"text": "secret"})).await.refused(422, "not_sealed");
    assert_eq!(ann.get(&path).await.ok()["position"]["offset"], 0);
    assert_eq!(ann.get(&path).await.ok()["mode"], "e2ee");
}
