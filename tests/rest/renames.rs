//! What others hear of somebody's change: another name or picture, coming and going, the end of the account.

use konvert_protocol::Encoding;
use konvert_protocol::v1;
use konvert_protocol::v1::server_frame::Body as Push;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD};
use crate::dialogs::{direct, group, say};
use crate::files::{picture, put};
use crate::link::By;
use crate::live::changed;
use crate::programs::program;
use crate::server::Server;
use crate::user::{DEADLINE, User, mint, publish};

/// Waits for the change of a resource that fits. Nothing else would tell of it later.
async fn hears(user: &mut User, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let told = tokio::time::timeout(DEADLINE, changed(user, path, fits)).await;
    told.unwrap_or_else(|_| panic!("{path} is not told in time"))
}

async fn people<const N: usize>(server: &Server, logins: [&str; N]) -> [Api; N] {
    let mut people = Vec::new();
    for login in logins {
        people.push(Api::sign_up(server, login).await);
    }
    people.try_into().unwrap_or_else(|_| unreachable!())
}

fn contact(of: &Api) -> String {
    format!("/api/contacts/{}", of.user)
}

async fn act(who: &Api, other: &Api, act: &str) {
    who.post(&format!("{}/{act}", contact(other)), json!(null)).await.ok();
}

async fn befriend(one: &Api, other: &Api) {
    act(one, other, "request").await;
    act(other, one, "accept").await;
}

/// What somebody sees of somebody else by their id, by searching, and in the direct dialog of the two.
async fn sees(who: &Api, other: &Api, dialog: Option<&str>) -> Vec<bool> {
    let mut seen = vec![who.get(&format!("/api/users/{}", other.user)).await.ok()];
    let found = who.get(&format!("/api/users?query={}", other.login)).await.ok();
    seen.extend(found["items"].as_array().expect("items").iter().cloned());
    if let Some(dialog) = dialog {
        seen.push(who.get(&format!("/api/dialogs/{dialog}")).await.ok()["user"].clone());
    }
    let online = |person: &Value| person["online"].as_bool().expect("told or not");
    seen.iter().map(online).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_name_and_picture_reach_everybody_who_shows_them() {
    let server = Server::start().await;
    let [ann, friend, asked, partner, member] = people(&server, ["ann", "friend", "asked", "partner", "member"]).await;
    befriend(&ann, &friend).await;
    act(&asked, &ann, "request").await;
    let dialog = format!("/api/dialogs/{}", direct(&ann, &partner).await);
    let of_ann = format!("/api/dialogs/{}/members/{}", group(&member, "Talk", &[&ann]).await, ann.user);
    let mut watching = Vec::new();
    for (who, path) in [(&friend, contact(&ann)), (&asked, contact(&ann)), (&partner, dialog), (&member, of_ann)] {
        watching.push((who, User::watch(&server, who.token()).await, path));
    }
    put(&ann, &picture(1)).await.ok();
    let face = crate::files::hash(&picture(1));
    for (patch, field, value) in [
        (json!({"name": "Ann Arbor"}), "name", "Ann Arbor"),
        (json!({"avatar": face}), "avatar", &*face),
        (json!({"about": "away"}), "about", "away"),
    ] {
        ann.patch("/api/auth/me", patch).await.ok();
        for (who, live, path) in &mut watching {
            let told = hears(live, path, |view| view["user"][field] == value).await;
            assert_eq!(told, who.get(path).await.ok());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_others_vouch_for_is_told_as_well() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let token = |name: &str| {
        let exp = Some(konvert::auth::Seconds::from_ms(konvert::gateway::now_ms() + 3_600_000));
        mint(&server, &konvert::auth::Claims { sub: "shop".into(), name: name.into(), exp, ..Default::default() })
    };
    let shop = ann.with_token(&token("Shop")).called("shop");
    shop.get("/api/auth/me").await.ok();
    let dialog = format!("/api/dialogs/{}", direct(&ann, &shop).await);
    let mut live = User::watch(&server, ann.token()).await;
    // It comes with the next request.
    shop.with_token(&token("The shop")).get("/api/auth/me").await.ok();
    hears(&mut live, &dialog, |view| view["user"]["name"] == "The shop").await;
    let program = program(&server, &["tokens"], "*").await;
    let vouched = |name: &str| json!({"user": "crm-1", "name": name, "about": ""});
    program.post("/api/server/users", vouched("One")).await.ok();
    let dialog = format!("/api/dialogs/{}", direct(&ann, &ann.called("crm-1")).await);
    program.post("/api/server/users", vouched("Uno")).await.ok();
    hears(&mut live, &dialog, |view| view["user"]["name"] == "Uno").await;
}

/// A token says how its user was called when it was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_name_counts_at_once_whatever_the_token_says() {
    let mut server = Server::start().await;
    let [ann, bob] = people(&server, ["ann", "bob"]).await;
    let dialog = group(&ann, "Talk", &[&bob]).await;
    let by = || By::Socket(Encoding::Json);
    let mut live = User::connect_by(&server, by(), ann.token().to_owned(), Vec::new()).await;
    let mut other = User::connect_by(&server, by(), bob.token().to_owned(), Vec::new()).await;
    let mut of_presence = User::connect_by(&server, by(), bob.token().to_owned(), Vec::new()).await;
    for user in [&mut live, &mut other, &mut of_presence] {
        user.enter(v1::Subscribe { room: dialog.clone(), presence: true, ..Default::default() }).await;
    }
    live.publish(&dialog, "m1", "before").await;
    assert_eq!(other.message().await.sender_name, "ANN");
    ann.patch("/api/auth/me", json!({"name": "Ann Arbor"})).await.ok();
    live.publish(&dialog, "m2", "after").await;
    assert_eq!(other.message().await.sender_name, "Ann Arbor");
    say(&ann, &dialog, "by a request").await;
    assert_eq!(other.message().await.sender_name, "Ann Arbor");
    loop {
        let Push::PresenceDiff(diff) = of_presence.push().await else { continue };
        if diff.joined.iter().any(|member| member.user == ann.user && member.name == "Ann Arbor") {
            break;
        }
    }

    server.kill().await;
    server.start_again().await;
    let mut live = User::connect_by(&server, by(), ann.token().to_owned(), Vec::new()).await;
    assert_eq!(live.connected.name, "Ann Arbor");
    live.subscribe(&dialog).await;
    assert!(matches!(live.ask(publish(&dialog, "m3", "after a crash")).await, Push::Published(_)));
    let history = bob.get(&format!("/api/dialogs/{dialog}/messages")).await.ok();
    let names: Vec<_> =
        history["messages"].as_array().expect("messages").iter().map(|one| &one["sender_name"]).collect();
    assert_eq!(names, ["ANN", "Ann Arbor", "Ann Arbor", "Ann Arbor"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn friends_and_partners_see_who_is_there_and_nobody_else_does() {
    let server = Server::start().await;
    let [ann, friend, partner, stranger] = people(&server, ["ann", "friend", "partner", "stranger"]).await;
    befriend(&ann, &friend).await;
    let dialog = direct(&ann, &partner).await;
    let path = format!("/api/dialogs/{dialog}");
    act(&partner, &ann, "request").await;
    let (mut of_friend, mut of_partner) =
        (User::watch(&server, friend.token()).await, User::watch(&server, partner.token()).await);
    let live = User::watch(&server, ann.token()).await;
    let is_there = |view: &Value| view["user"]["online"] == true;
    changed(&mut of_friend, &contact(&ann), is_there).await;
    // In the list of contacts as well, though they are no friends.
    changed(&mut of_partner, &contact(&ann), is_there).await;
    let told = changed(&mut of_partner, &path, is_there).await;
    assert_eq!(told, partner.get(&path).await.ok());
    assert_eq!(sees(&friend, &ann, None).await, [true, true]);
    assert_eq!(sees(&partner, &ann, Some(&dialog)).await, [true, true, true]);
    assert_eq!(sees(&stranger, &ann, None).await, [false, false]);
    // Whoever asks to be friends does not see more by asking.
    act(&stranger, &ann, "request").await;
    befriend(&stranger, &partner).await;
    assert_eq!(stranger.get(&contact(&ann)).await.ok()["user"]["online"], false);
    let members = format!("/api/dialogs/{}/members/{}", group(&stranger, "Talk", &[&ann]).await, ann.user);
    assert_eq!(stranger.get(&members).await.ok()["user"]["online"], true);

    live.goodbye().await;
    let gone = changed(&mut of_partner, &path, |view| view["user"]["online"] == false).await;
    assert!(gone["user"]["last_seen_ms"].as_u64().is_some_and(|seen_ms| seen_ms > 0), "{gone}");
    let of_stranger = stranger.get(&format!("/api/users/{}", ann.user)).await.ok();
    assert_eq!((&of_stranger["online"], &of_stranger["last_seen_ms"]), (&json!(false), &json!(0)));

    // Whoever is blocked is told nothing: what comes next is that a friend of theirs has come, later.
    act(&ann, &partner, "block").await;
    let _live = User::watch(&server, ann.token()).await;
    changed(&mut of_friend, &contact(&ann), is_there).await;
    assert_eq!(sees(&partner, &ann, Some(&dialog)).await, [false, false]);
    assert_eq!(partner.get(&contact(&ann)).await.ok()["user"]["online"], false);
    let _later = User::watch(&server, stranger.token()).await;
    loop {
        let Push::Changed(change) = of_partner.push().await else { continue };
        let is_ann = change.path == path || change.path == contact(&ann);
        let body = serde_json::from_slice(&change.body).unwrap_or_default();
        assert!(!(is_ann && is_there(&body)), "{body}");
        if change.path == contact(&stranger) && is_there(&body) {
            break;
        }
    }
}

/// A dialog that was put away is not brought back by who comes and goes; asking for it anew brings it back everywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialog_put_away_stays_away() {
    let server = Server::start().await;
    let [ann, bob] = people(&server, ["ann", "bob"]).await;
    befriend(&ann, &bob).await;
    let dialog = direct(&ann, &bob).await;
    let path = format!("/api/dialogs/{dialog}");
    let mut live = User::watch(&server, bob.token()).await;
    bob.post(&format!("{path}/leave"), Value::Null).await.ok();
    hears(&mut live, &path, Value::is_null).await;
    ann.patch("/api/auth/me", json!({"name": "Ann Arbor"})).await.ok();
    // Dialogs come behind contacts, and this one before that of the next.
    hears(&mut live, &contact(&ann), |view| view["user"]["name"] == "Ann Arbor").await;
    let carl = Api::sign_up(&server, "carl").await;
    let last = format!("/api/dialogs/{}", direct(&carl, &bob).await);
    carl.patch("/api/auth/me", json!({"name": "Carl"})).await.ok();
    loop {
        let Push::Changed(change) = live.push().await else { continue };
        assert_ne!(change.path, path, "it is in no list");
        if change.path == last && String::from_utf8_lossy(&change.body).contains("\"Carl\"") {
            break;
        }
    }
    assert_eq!(direct(&bob, &ann).await, dialog);
    hears(&mut live, &path, |view| view["user"]["name"] == "Ann Arbor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_an_account_is_told() {
    let server = Server::start().await;
    let [ann, friend, asked, partner, member] = people(&server, ["ann", "friend", "asked", "partner", "member"]).await;
    befriend(&ann, &friend).await;
    act(&ann, &asked, "request").await;
    let dialog = direct(&ann, &partner).await;
    say(&ann, &dialog, "hello").await;
    let talk = group(&ann, "Talk", &[&member, &partner]).await;
    let path = format!("/api/dialogs/{talk}");
    let mut of_friend = User::watch(&server, friend.token()).await;
    let mut of_asked = User::watch(&server, asked.token()).await;
    let mut of_partner = User::watch(&server, partner.token()).await;
    let mut of_member = User::watch(&server, member.token()).await;
    let _still_connected = User::watch(&server, ann.token()).await;
    ann.ask(Method::DELETE, "/api/auth/me", Some(json!({"password": PASSWORD}))).await.ok();

    hears(&mut of_friend, &contact(&ann), Value::is_null).await;
    hears(&mut of_asked, &contact(&ann), Value::is_null).await;
    friend.get(&contact(&ann)).await.refused(404, "not_found");
    let direct_path = format!("/api/dialogs/{dialog}");
    // That they are there no more may be told before that they have left.
    let has_left = |view: &Value| view["user"]["name"] == "" && view["member_count"] == 1;
    let told = hears(&mut of_partner, &direct_path, has_left).await;
    assert_eq!(told["last_message"]["sender_name"], "");
    assert_eq!(told["user"]["online"], false, "nothing tells later that they went");
    assert_eq!(told, partner.get(&direct_path).await.ok());
    hears(&mut of_member, &format!("{path}/members/{}", ann.user), Value::is_null).await;
    let members = member.get(&format!("{path}/members")).await.ok();
    let owner = members["items"].as_array().expect("items").iter().find(|one| one["role"] == "owner");
    let heir = &owner.expect("somebody owns it")["user"]["id"];
    let of_heir = format!("{path}/members/{}", heir.as_str().expect("an id"));
    hears(&mut of_member, &of_heir, |view| view["role"] == "owner" && view["user"]["id"] == *heir).await;
    hears(&mut of_member, &path, |view| view["member_count"] == 2).await;
}
