//! Webhooks from outside: every event arrives, in order, at least once and known by its id, whatever the endpoint answers and
//! however the server ends. With a negative control.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Api;
use crate::broken::broken_build;
use crate::programs::{anything, program, said};
use crate::receiver::{DEADLINE, Receiver, Told};
use crate::server::{Server, Setup};
use crate::user::{self, User};

/// A server that may tell programs on this machine, and does not wait long before it tries again.
pub fn setup() -> Setup {
    Setup::default().set("webhooks.allow_private", r#"["127.0.0.0/8"]"#).set("webhooks.retry_ms", 20)
}

pub async fn room(api: &Api, room: &str) {
    api.post("/api/server/rooms", json!({"room": room})).await.ok();
}

pub async fn say(api: &Api, room: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        api.post("/api/server/publish", said(room, &format!("m{number}"), &format!("text {number}"))).await.ok();
    }
}

/// The offsets of the messages that were taken, each delivery once.
pub fn taken(told: &[Told]) -> Vec<u64> {
    let mut seen = HashSet::new();
    let taken = told.iter().filter(|told| (200..300).contains(&told.status));
    taken.filter(|told| seen.insert(told.id.clone())).filter_map(|told| told.body["data"]["offset"].as_u64()).collect()
}

#[tokio::test]
async fn messages_arrive_in_order_whatever_the_endpoint_answers() {
    let server = setup().start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    room(&api, "shop-1").await;
    room(&api, "other").await;
    say(&api, "shop-1", 0..1).await;
    let id = receiver.register(&api, &["message.published"], "shop-*").await;
    receiver.answer([500, 503, 200, 404, 302, 200, 200, 429, 500]);
    say(&api, "other", 0..2).await;
    say(&api, "shop-1", 1..11).await;
    let told = receiver.until(|told| taken(told).len() >= 10).await;
    assert_eq!(taken(&told), (2..=11).collect::<Vec<_>>(), "not those before it was made, nor those of other rooms");
    assert_eq!(told.len(), 16, "six attempts failed");
    let first = &told[0].body;
    assert_eq!(
        (&first["type"], &first["data"]["room"], &first["data"]["payload"]),
        (&json!("message.published"), &json!("shop-1"), &json!("text 1"))
    );
    assert!(first["data"]["epoch"].is_u64() && first["time_ms"].is_u64(), "{first}");
    assert!(told[0].id == told[1].id && told[1].id == told[2].id && told[2].id != told[3].id, "an id for an event");

    let view = settled(&api, &id).await;
    assert_eq!(
        (&view["waiting_count"], &view["dropped_count"], &view["state"]),
        (&json!(0), &json!(0), &json!("active"))
    );
    let page = api.get(&format!("/api/admin/webhooks/{id}/deliveries?limit=4&state=done")).await.ok();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(4));
    let cursor = page["next"].as_str().expect("more");
    let next = api.get(&format!("/api/admin/webhooks/{id}/deliveries?state=done&cursor={cursor}")).await.ok();
    assert_eq!(next["items"].as_array().map(Vec::len), Some(6));
    let dead = format!("/api/admin/webhooks/{id}/deliveries?state=dead&cursor={cursor}");
    api.get(&dead).await.refused(400, "bad_request");
}

/// The endpoint when nothing waits for it any more.
pub async fn settled(api: &Api, id: &str) -> Value {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let view = api.get(&format!("/api/admin/webhooks/{id}")).await.ok();
        if view["waiting_count"] == 0 {
            return view;
        }
        assert!(tokio::time::Instant::now() < deadline, "{view}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server that is killed in the middle of telling, again and again, forgets nothing. `Err` says what it forgot.
async fn survives_kills(setup: Setup) -> Result<(), String> {
    const MESSAGES: u64 = 120;
    let mut server = setup.start().await;
    let (mut api, receiver) = (anything(&server).await, Receiver::start().await);
    room(&api, "shop-1").await;
    receiver.register(&api, &["message.published"], "*").await;
    for round in 0..4 {
        // Every attempt of the last one before the kill fails, so that something is under way when it comes.
        receiver.answer([500, 200, 200, 503, 200, 500, 500, 500]);
        say(&api, "shop-1", round * MESSAGES / 4..(round + 1) * MESSAGES / 4).await;
        // A server that forgets never gets so far, which is found out below; another may be killed at any moment.
        for _ in 0..50 {
            if receiver.told().len() as u64 > 8 * round + 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.kill().await;
        server.start_again().await;
        api = Api::new(&server).with_token(api.token());
    }
    // What has not arrived before the last one never will, because they come in order; and if the last one is forgotten,
    // another one is the last.
    receiver.forget_answers();
    let (mut last, deadline) = (MESSAGES, tokio::time::Instant::now() + DEADLINE);
    let told = loop {
        say(&api, "shop-1", last..last + 1).await;
        last += 1;
        let arrived = receiver.until(|told| taken(told).last() == Some(&last));
        match tokio::time::timeout(Duration::from_secs(1), arrived).await {
            Ok(told) => break told,
            Err(_) => assert!(tokio::time::Instant::now() < deadline, "nothing arrives any more"),
        }
    };
    let all: Vec<_> = (1..=last).collect();
    // The same event has the same id, also over a restart; so what was told twice is known.
    let mut ids = std::collections::HashMap::new();
    for told in &told {
        let offset = told.body["data"]["offset"].as_u64();
        if *ids.entry(offset).or_insert(told.id.clone()) != told.id {
            return Err(format!("{offset:?} was told under two ids"));
        }
    }
    match taken(&told) {
        taken if taken == all => Ok(()),
        taken => Err(format!("{} of {} arrived in this order: {taken:?}", taken.len(), all.len())),
    }
}

#[tokio::test]
async fn a_killed_server_forgets_no_event() {
    survives_kills(setup()).await.expect("every event arrives in order");
}

#[tokio::test]
async fn a_server_that_forgets_events_would_be_seen() {
    let broken = setup().broken(&broken_build(), "forget_webhooks");
    survives_kills(broken).await.expect_err("the fault must be noticed");
}

#[tokio::test]
async fn what_is_given_up_can_be_tried_again_and_holds_nothing_up() {
    let server = setup().set("webhooks.give_up_after_s", 1).start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    room(&api, "shop-1").await;
    let id = receiver.register(&api, &["message.published"], "*").await;
    // Refuses the first for longer than it is tried.
    let refusing = receiver.clone();
    refusing.answer(std::iter::repeat_n(500, 1_000));
    say(&api, "shop-1", 0..1).await;
    let list = format!("/api/admin/webhooks/{id}/deliveries?state=dead");
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let dead = loop {
        let page = api.get(&list).await.ok();
        if let Some(dead) = page["items"].as_array().and_then(|items| items.first().cloned()) {
            break dead;
        }
        assert!(tokio::time::Instant::now() < deadline, "it is not given up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&dead["status"], &dead["error"]), (&json!(500), &json!("status 500: noted")));
    receiver.forget_answers();
    say(&api, "shop-1", 1..3).await;
    let told = receiver.until(|told| taken(told).len() >= 2).await;
    assert_eq!(taken(&told), [2, 3]);
    let retry = format!("/api/admin/webhooks/{id}/deliveries/{}/retry", dead["number"]);
    api.post(&retry, Value::Null).await.ok();
    let told = receiver.until(|told| taken(told).len() >= 3).await;
    assert_eq!(
        (taken(&told), &told.last().expect("one").id),
        (vec![2, 3, 1], &dead["event_id"].as_str().expect("an id").to_owned())
    );
    settled(&api, &id).await;
    api.post(&retry, Value::Null).await.refused(404, "not_found");
}

#[tokio::test]
async fn endpoints_do_not_wait_for_each_other_and_a_gone_one_is_left_alone() {
    let server = setup().start().await;
    let (api, slow, gone, well) =
        (anything(&server).await, Receiver::start().await, Receiver::start().await, Receiver::start().await);
    room(&api, "r").await;
    slow.register(&api, &["message.published"], "*").await;
    let gone_id = gone.register(&api, &["message.published"], "*").await;
    well.register(&api, &["message.published"], "*").await;
    slow.answer(std::iter::repeat_n(500, 10_000));
    gone.answer([410]);
    say(&api, "r", 0..5).await;
    well.until(|told| taken(told).len() == 5).await;
    gone.until(|told| told.len() == 1).await;
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while api.get(&format!("/api/admin/webhooks/{gone_id}")).await.ok()["state"] != "gone" {
        assert!(tokio::time::Instant::now() < deadline, "it is not left alone");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say(&api, "r", 5..8).await;
    well.until(|told| taken(told).len() == 8).await;
    assert_eq!(gone.told().len(), 1);
    assert!(taken(&slow.told()).is_empty());
    // Back again, it gets what it refused, and from then on everything.
    api.patch(&format!("/api/admin/webhooks/{gone_id}"), json!({"state": "active"})).await.ok();
    say(&api, "r", 8..9).await;
    let told = gone.until(|told| taken(told).last() == Some(&9)).await;
    assert!(taken(&told).is_sorted(), "{:?}", taken(&told));
}

#[tokio::test]
async fn a_full_queue_refuses_the_newest_and_counts_them() {
    let server = setup().set("webhooks.waiting_max", 3).start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    room(&api, "r").await;
    let id = receiver.register(&api, &["message.published"], "*").await;
    api.patch(&format!("/api/admin/webhooks/{id}"), json!({"state": "paused"})).await.ok();
    say(&api, "r", 0..8).await;
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let view = api.get(&format!("/api/admin/webhooks/{id}")).await.ok();
        if (&view["waiting_count"], &view["dropped_count"]) == (&json!(3), &json!(5)) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{view}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(receiver.told().is_empty());
    api.patch(&format!("/api/admin/webhooks/{id}"), json!({"state": "active"})).await.ok();
    let told = receiver.until(|told| taken(told).len() == 3).await;
    assert_eq!(taken(&told), [1, 2, 3]);
}

#[tokio::test]
async fn who_comes_and_goes_is_told() {
    let server = setup().set("broker.presence_linger_ms", 0).start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    let all = ["room.occupied", "room.vacated", "user.online", "user.offline"];
    receiver.register(&api, &all, "r").await;
    let mut user = User::connect(&server, "ann").await;
    user.subscribe("r").await;
    user.subscribe("elsewhere").await;
    receiver.until(|told| told.len() == 2).await;
    user.goodbye().await;
    let told = receiver.until(|told| told.len() == 4).await;
    let mut kinds: Vec<_> = told.iter().map(|told| told.body["type"].as_str().expect("a type").to_owned()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["room.occupied", "room.vacated", "user.offline", "user.online"]);
    for told in told {
        let data = &told.body["data"];
        assert!(data["room"] == "r" || data["user"] == "ann", "{data}");
    }
}

#[tokio::test]
async fn of_a_sealed_room_the_envelope_is_told_and_only_to_whoever_asks() {
    let server = setup().start().await;
    let (api, plain, sealed) = (anything(&server).await, Receiver::start().await, Receiver::start().await);
    api.post("/api/server/rooms", json!({"room": "vault", "mode": "e2ee"})).await.ok();
    room(&api, "open").await;
    plain.register(&api, &["message.published"], "*").await;
    sealed.register(&api, &["message.sealed"], "*").await;
    let token = user::token_in_mode(&server, "ann", "vault", "read publish", true);
    let mut ann = User::connect_with(&server, token, konvert_protocol::Encoding::Protobuf, Vec::new()).await;
    // A private message of MLS 1.0: version, wire format, group id, epoch, content type, and so on.
    let mut secret = vec![0, 1, 0, 2, 1, 7, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 9];
    secret.extend([16; 17]);
    let publish = konvert_protocol::v1::Publish { payload: secret.into(), ..user::publish("vault", "m", "") };
    match ann.ask(publish).await {
        konvert_protocol::v1::server_frame::Body::Published(_) => {}
        other => panic!("publish got {other:?}"),
    }
    say(&api, "open", 0..1).await;
    let told = sealed.until(|told| told.len() == 1).await;
    assert_eq!((&told[0].body["type"], &told[0].body["data"]["room"]), (&json!("message.sealed"), &json!("vault")));
    assert!(told[0].body["data"].get("payload").is_none(), "{}", told[0].body);
    let told = plain.until(|told| !told.is_empty()).await;
    assert_eq!(told[0].body["data"]["room"], "open");
}

#[tokio::test]
async fn a_ping_tells_how_the_endpoint_is() {
    let server = setup().start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    let id = receiver.register(&api, &["message.published"], "*").await;
    let ping = format!("/api/admin/webhooks/{id}/ping");
    assert_eq!(api.post(&ping, Value::Null).await.ok(), json!({"ok": true, "status": 200, "error": ""}));
    receiver.answer([302]);
    let answer = api.post(&ping, Value::Null).await.ok();
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(false), &json!(302)), "a redirect is not followed");
    assert_eq!(receiver.told()[0].body["type"], "ping");
    api.patch(&format!("/api/admin/webhooks/{id}"), json!({"url": "http://127.0.0.1:1/"})).await.ok();
    let answer = api.post(&ping, Value::Null).await.ok();
    assert_eq!((&answer["ok"], &answer["status"]), (&json!(false), &json!(0)), "{answer}");
    api.delete(&format!("/api/admin/webhooks/{id}")).await.ok();
    api.post(&ping, Value::Null).await.refused(404, "not_found");
}

#[tokio::test]
async fn of_two_changes_at_once_both_are_kept() {
    let server = setup().start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    let path = format!("/api/admin/webhooks/{}", receiver.register(&api, &["message.published"], "*").await);
    for n in 0..50 {
        let (url, rooms) = (format!("http://127.0.0.1:1/{n}"), format!("shop-{n}"));
        let change = |change| api.patch(&path, change);
        let both = futures_util::future::join(change(json!({"url": url})), change(json!({"rooms": rooms}))).await;
        assert!(both.0.status.is_success() && both.1.status.is_success(), "{both:?}");
        let now = api.get(&path).await.ok();
        assert_eq!((&now["url"], &now["rooms"]), (&json!(url), &json!(rooms)));
    }
}

#[tokio::test]
async fn an_endpoint_inside_is_refused_and_strangers_see_none() {
    let server = Server::start().await;
    let api = anything(&server).await;
    let wanted = |url: &str| json!({"url": url, "events": ["message.published"]});
    for url in [
        "http://127.0.0.1:9/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "ftp://example.org/",
        "x",
        "http://u:p@example.org/",
    ] {
        api.post("/api/admin/webhooks", wanted(url)).await.refused(400, "bad_request");
    }
    // A name is looked at when it is resolved.
    let made = api.post("/api/admin/webhooks", wanted(&server.page().replace("127.0.0.1", "localhost"))).await.ok();
    let id = made["webhook"]["id"].as_str().expect("an id");
    let answer = api.post(&format!("/api/admin/webhooks/{id}/ping"), Value::Null).await.ok();
    assert!(
        answer["status"] == 0 && answer["error"].as_str().is_some_and(|error| error.contains("private")),
        "{answer}"
    );
    let (secret, list) = (made["secret"].as_str().expect("a secret"), api.get("/api/admin/webhooks").await.ok());
    assert!(!list.to_string().contains(secret), "the secret is told once");
    for wrong in [
        json!({"url": "https://example.org", "events": []}),
        json!({"url": "https://example.org", "events": ["message.read"]}),
        json!({"url": "https://example.org", "events": ["message.published"], "rooms": "a b"}),
        json!({"url": "https://example.org", "events": ["message.published"], "secret": "x"}),
    ] {
        api.post("/api/admin/webhooks", wrong).await.refused(400, "bad_request");
    }
    let person = Api::sign_up(&server, "second").await;
    let other = program(&server, &["publish"], "*").await;
    for stranger in [person, other] {
        stranger.get("/api/admin/webhooks").await.refused(403, "forbidden");
        stranger.get(&format!("/api/admin/webhooks/{id}")).await.refused(403, "forbidden");
        stranger.delete(&format!("/api/admin/webhooks/{id}")).await.refused(403, "forbidden");
    }
    Api::new(&server).get("/api/admin/webhooks").await.refused(401, "unauthorized");
}

/// The Python of docs/webhooks.md takes a real delivery and refuses a changed one.
#[tokio::test]
async fn the_document_verifies_a_real_delivery() {
    let server = setup().start().await;
    let (api, receiver) = (anything(&server).await, Receiver::start().await);
    let id = receiver.register(&api, &["message.published"], "*").await;
    api.post(&format!("/api/admin/webhooks/{id}/ping"), Value::Null).await.ok();
    let told = receiver.told();
    let (signed, signature, body) = &told[0].raw;
    let (event, timestamp) = signed.split_once('.').expect("id and time");
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md")).expect("the document");
    let code = document.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its Python");
    let secret = receiver.secret();
    for (body, right) in [(body.clone(), "True"), (format!("{body} "), "False")] {
        let headers = json!({"webhook-id": event, "webhook-timestamp": timestamp, "webhook-signature": signature});
        let program = format!(
            "{code}\nimport json\nprint(is_right({secret:?}, json.loads({:?}), {body:?}))",
            headers.to_string()
        );
        let output = tokio::process::Command::new("python3").args(["-c", &program]).output().await;
        let Ok(output) = output else { return eprintln!("no python3: passed over") };
        let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim(), right, "{failed}");
    }
}
