//! Files in a store that speaks S3: that they are there as they are on a disk, and what happens while it is not.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::{Answer, Api, until};
use crate::dialogs::{group, say};
use crate::files::{add, arrived, begin, hash, location, picture, put, read, tus, upload};
use crate::server::{Server, Setup, place};
use crate::store::{Asked, KEY_ID, Mood, SECRET, Store};
use crate::user::DEADLINE;

const PART: usize = 8 << 20;

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u8).collect()
}

async fn get(who: &Api, method: Method, hash: &str, range: &str) -> reqwest::Response {
    let request = who.request(method, &format!("/api/blobs/{hash}"));
    let request = if range.is_empty() { request } else { request.header("range", range) };
    request.send().await.expect("an answer")
}

async fn health(who: &Api) -> (StatusCode, Value) {
    let answer = who.get("/api/health").await;
    (answer.status, answer.body["reasons"].clone())
}

async fn used(who: &Api, kind: usize) -> u64 {
    who.get("/api/user-limits").await.ok()["limits"][kind]["used"].as_u64().expect("a number")
}

/// Begins an upload, and sends all of it; what the last piece was answered.
async fn send_all(who: &Api, file: &[u8]) -> (String, Answer) {
    let location = location(&begin(who, file.len(), &[("sha256", &hash(file))]).await);
    let answer = add(who, &location, 0, file).await;
    (location, answer)
}

#[tokio::test]
async fn a_long_file_goes_there_in_parts_and_comes_back_whole() {
    let store = Store::start().await;
    // Nothing is asked twice because a busy machine is slow.
    let mut server = store.setup().set("blobs.answer_s", 60).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = noise(3 * PART + 1_234_567);
    let name = hash(&file);
    let location = location(&begin(&ann, file.len(), &[("sha256", &name)]).await);
    let first = 10_000_000;
    assert_eq!(add(&ann, &location, 0, &file[..first]).await.status, StatusCode::NO_CONTENT);
    server.kill().await;
    server.start_again().await;
    let ann = Api::new(&server).with_token(ann.token());
    let there = arrived(&ann, &location).await.expect("the upload") as usize;
    assert_eq!(there, first);
    store.asked();
    let last = add(&ann, &location, there, &file[there..]).await;
    assert_eq!((last.status, last.headers["konvert-blob"].to_str().ok()), (StatusCode::NO_CONTENT, Some(&*name)));

    // Begun, four parts of at most 8 MiB, two at a time, completed.
    let asked = store.asked();
    let parts: Vec<_> = asked.iter().filter(|asked| asked.method == Method::PUT).map(|asked| asked.bytes).collect();
    let mut sorted = parts.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1_234_567, PART, PART, PART]);
    assert_eq!((asked.len(), store.parts_most(), store.unfinished()), (6, 2, 0), "{asked:#?}");
    assert!(asked.iter().all(|asked| asked.key == Store::key(&name)));
    let objects = store.objects();
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&Store::key(&name)]);
    assert!(objects[&Store::key(&name)] == file, "not byte for byte");
    // Nothing of it is here.
    let here = |part: &str| std::fs::read_dir(server.data().join("blobs").join(part)).map_or(0, Iterator::count);
    assert_eq!((here("objects"), here("staging")), (0, 0));

    let (status, bytes) = read(&ann, &name).await;
    assert!(status == 200 && bytes == file, "{status}, {} bytes", bytes.len());
    let size = file.len();
    for (range, status, from, to) in [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=8388600-8388620", 206, PART - 8, PART + 13),
        ("bytes=-100", 206, size - 100, size),
        ("bytes=26000000-", 206, 26_000_000, size),
        ("bytes=5-1", 200, 0, size),
    ] {
        let answer = get(&ann, Method::GET, &name, range).await;
        assert_eq!(answer.status().as_u16(), status, "{range}");
        assert!(answer.bytes().await.expect("a body") == file[from..to], "{range}");
    }
    assert_eq!(get(&ann, Method::GET, &name, &format!("bytes={size}-")).await.status(), 416);
    let head = get(&ann, Method::HEAD, &name, "").await;
    let length = head.headers()["content-length"].to_str().expect("text").to_owned();
    assert_eq!((head.status(), length), (StatusCode::OK, size.to_string()));

    // A connection to the store that breaks is taken up where it broke.
    store.feel(Mood::Breaking(1_000_000));
    store.asked();
    let (status, bytes) = read(&ann, &name).await;
    assert!(status == 200 && bytes == file, "{status}, {} bytes", bytes.len());
    assert_eq!(store.asked().len(), 2);

    // The same file from somebody else is stored once.
    let bob = Api::sign_up(&server, "bob").await;
    assert_eq!(read(&bob, &name).await.0, 404);
    assert_eq!(upload(&bob, &file).await, name);
    assert!(store.asked().iter().all(|asked| asked.method == Method::GET));
    assert!(read(&bob, &name).await.1 == file);
}

#[tokio::test]
async fn a_short_file_goes_there_at_once_and_goes_when_nothing_names_it() {
    let store = Store::start().await;
    let server = store.setup().set("blobs.unreferenced_s", 2).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let dialog = group(&ann, "Pictures", &[]).await;
    // What cannot be deleted now is out of sight, and is deleted later.
    store.feel(Mood::FailingAt("DELETE", 500));
    // The first is named as soon as it is there: what is not named for two seconds may be gone.
    let mut names = Vec::new();
    for n in 0..5 {
        names.push(put(&ann, &picture(n)).await.ok()["id"].as_str().expect("an id").to_owned());
        if n == 0 {
            let said = json!({"text": "see", "blobs": [names[0]]});
            ann.post(&format!("/api/dialogs/{dialog}/messages"), said).await.ok();
        }
    }
    let (put_there, others): (Vec<_>, Vec<_>) = store.asked().into_iter().partition(|one| one.method == Method::PUT);
    assert_eq!(put_there.len(), 5);
    for name in &names[1..] {
        until("it is out of sight", || async { read(&ann, name).await.0 == 404 }).await;
    }
    let is_delete = |asked: &Asked| asked.method == Method::DELETE;
    until("it was tried", || async { others.iter().any(is_delete) || store.asked().iter().any(is_delete) }).await;
    assert_eq!(store.objects().len(), 5);
    // One of them is wanted again before that.
    assert_eq!(put(&ann, &picture(1)).await.status, StatusCode::CREATED);
    let wanted = json!({"text": "see", "blobs": [names[1]]});
    ann.post(&format!("/api/dialogs/{dialog}/messages"), wanted).await.ok();
    store.feel(Mood::Well);
    until("the others are deleted there", || async { store.objects().len() == 2 }).await;
    for (index, name) in names.iter().enumerate() {
        let (status, there) = if index < 2 { (200, true) } else { (404, false) };
        assert_eq!((read(&ann, name).await.0, store.objects().contains_key(&Store::key(name))), (status, there));
    }
    // They count until the server knows that they are gone.
    until("two are counted", || async { used(&ann, 2).await == 2 * 1_016 }).await;
    // In order, without a way to delete that not every store knows.
    assert!(store.asked().iter().all(|asked| asked.query.is_empty()));
}

#[tokio::test]
async fn a_file_that_the_store_has_lost_is_told_as_gone_and_can_come_back() {
    let store = Store::start().await;
    let server = store.setup().start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = picture(1);
    let name = upload(&ann, &file).await;
    store.lose(&name);
    let problem = ann.get(&format!("/api/blobs/{name}")).await.refused(404, "not_found");
    assert_eq!((&problem["temporary"], &problem["code"]), (&json!(false), &json!(701)));
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("upload them again")), "{problem}");
    assert_eq!(get(&ann, Method::HEAD, &name, "").await.status(), 404);
    assert_eq!(health(&ann).await, (StatusCode::OK, json!([])));
    assert_eq!(upload(&ann, &file).await, name);
    assert_eq!(read(&ann, &name).await, (200, file));
}

/// Everything about files while the store is in a mood, and afterwards.
async fn check_outage(store: &Store, server: &Server, mood: Mood, reason: &str, salt: u8) {
    let ann = Api::sign_up(server, &format!("ann-{salt}")).await;
    let kept = upload(&ann, &picture(salt)).await;
    let dialog = group(&ann, "Ours", &[]).await;
    let (uploads, stored, objects) = (used(&ann, 3).await, used(&ann, 2).await, store.objects());
    store.feel(mood);

    let refused = |answer: Answer| {
        assert!(answer.headers.contains_key("retry-after"), "{mood:?}: {:?}", answer.headers);
        let problem = answer.refused(503, "unavailable");
        assert_eq!((&problem["code"], &problem["temporary"]), (&json!(607), &json!(true)), "{mood:?}");
        assert!(problem["retry_after_ms"].as_u64().is_some_and(|wait_ms| wait_ms > 0));
        let text = problem.to_string();
        assert!(!text.contains(SECRET) && !text.contains(KEY_ID) && !text.contains("127.0.0.1"), "{text}");
    };
    // Nothing comes out; what is known of it does.
    refused(ann.get(&format!("/api/blobs/{kept}")).await);
    assert_eq!(get(&ann, Method::HEAD, &kept, "").await.status(), 503, "{mood:?}");
    ann.get(&format!("/api/blobs/{kept}/info")).await.ok();
    // Nothing goes in, and nothing counts as if it had.
    refused(put(&ann, &picture(salt + 1)).await);
    assert_eq!((used(&ann, 3).await, used(&ann, 2).await), (uploads, stored), "{mood:?}");
    let file = noise(PART + usize::from(salt));
    let (location, last) = send_all(&ann, &file).await;
    refused(last);
    // All of it has arrived here, and it is no file yet.
    let stand = tus(&ann, Method::HEAD, &location).send().await.expect("an answer");
    assert_eq!(stand.status(), 503, "{mood:?}");
    let names = [hash(&picture(salt + 1)), hash(&file)];
    for name in &names {
        ann.get(&format!("/api/blobs/{name}/info")).await.refused(404, "not_found");
        let said = json!({"text": "see", "blobs": [name]});
        ann.post(&format!("/api/dialogs/{dialog}/messages"), said).await.refused(404, "not_found");
    }
    assert_eq!(store.objects(), objects, "{mood:?}");
    // Everything else goes on, and whoever asks how the server is learns what does not.
    say(&ann, &dialog, "still here").await;
    until("health tells it", || async {
        let (status, reasons) = health(&ann).await;
        status == StatusCode::OK && reasons == json!([format!("files unavailable: {reason}")])
    })
    .await;

    store.feel(Mood::Well);
    if mood == Mood::Failing(500) {
        // Without anybody asking for a file.
        until("health tells that it is over", || async { health(&ann).await == (StatusCode::OK, json!([])) }).await;
    }
    // To ask how far it is stores what had arrived.
    let stand = tus(&ann, Method::HEAD, &location).send().await.expect("an answer");
    let said = |name: &str| stand.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!((stand.status(), said("konvert-blob")), (StatusCode::OK, Some(&*names[1])), "{mood:?}");
    assert_eq!(said("upload-offset"), Some(&*file.len().to_string()));
    assert!(read(&ann, &names[1]).await == (200, file), "{mood:?}");
    assert_eq!(read(&ann, &kept).await, (200, picture(salt)));
    put(&ann, &picture(salt + 1)).await.ok();
    assert_eq!(store.unfinished(), 0, "{mood:?}");
    // What was asked in the old mood may be answered only now.
    until("health tells that all is well", || async { health(&ann).await == (StatusCode::OK, json!([])) }).await;
}

#[tokio::test]
async fn an_outage_of_the_store_is_told_and_passes() {
    let logs = tempfile::tempdir().expect("a temporary directory");
    let log = logs.path().join("log");
    let store = Store::start().await;
    let server = store.setup().log_to(&log).start().await;
    for (salt, (mood, reason)) in [
        (Mood::Failing(500), "it answers 500"),
        (Mood::Failing(503), "it answers 503"),
        (Mood::Silent, "it does not answer"),
        (Mood::Bucketless, "it has no such bucket"),
        (Mood::Refusing, "it refuses the key"),
    ]
    .into_iter()
    .enumerate()
    {
        check_outage(&store, &server, mood, reason, salt as u8 * 2 + 10).await;
    }
    let text = std::fs::read_to_string(&log).expect("a log");
    assert!(text.contains("the store of files failed") && text.contains("SignatureDoesNotMatch"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains(KEY_ID), "{text}");
}

#[tokio::test]
async fn a_file_whose_parts_fail_leaves_nothing_there() {
    let store = Store::start().await;
    // Nothing fails because a busy machine is slow.
    let server = store.setup().set("blobs.answer_s", 60).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = noise(3 * PART);
    store.feel(Mood::FailingAt("PUT", 500));
    let (location, last) = send_all(&ann, &file).await;
    last.refused(503, "unavailable");
    let asked = store.asked();
    assert!(asked.iter().any(|asked| asked.method == Method::DELETE && asked.query.starts_with("uploadId=")));
    assert_eq!((store.unfinished(), store.objects().len()), (0, 0));
    // An empty piece at the end asks for it once more.
    store.feel(Mood::Well);
    let last = add(&ann, &location, file.len(), b"").await;
    let named = last.headers["konvert-blob"].to_str().ok();
    assert_eq!((last.status, named), (StatusCode::NO_CONTENT, Some(&*hash(&file))));
    assert!(read(&ann, &hash(&file)).await == (200, file));
}

#[tokio::test]
async fn a_server_starts_without_its_store() {
    let gone = Store::start().await;
    // Nobody answers there, and nobody else gets the port.
    let nobody = place();
    let port = nobody.local_addr().expect("an address").port();
    let setup: Setup = gone.setup().set("blobs.endpoint", format!("http://127.0.0.1:{port}"));
    let server = setup.start().await;
    let ann = Api::sign_up(&server, "ann").await;
    until("health tells it", || async {
        health(&ann).await == (StatusCode::OK, json!(["files unavailable: it does not answer"]))
    })
    .await;
    let file = picture(1);
    let put = tokio::time::timeout(DEADLINE, put(&ann, &file));
    put.await.expect("an answer in time").refused(503, "unavailable");
}

/// The stand-in believes nobody who has another key.
#[tokio::test]
async fn a_wrong_key_is_told_and_stores_nothing() {
    let store = Store::start().await;
    let server = store.setup().set("blobs.secret_access_key", "another/secret").start().await;
    let ann = Api::sign_up(&server, "ann").await;
    put(&ann, &picture(1)).await.refused(503, "unavailable");
    assert_eq!(health(&ann).await, (StatusCode::OK, json!(["files unavailable: it refuses the key"])));
    assert!(store.objects().is_empty() && store.asked().is_empty());
}

/// Few files are stored at once; behind those that wait for a store which does not answer, others do not wait for ever.
#[tokio::test]
async fn many_files_do_not_queue_up_before_a_silent_store() {
    let store = Store::start().await;
    let server = store.setup().start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    store.feel(Mood::Silent);
    let began = std::time::Instant::now();
    let all = (0..30).map(|n| {
        let (who, file) = (if n % 2 == 0 { &ann } else { &bob }, picture(n));
        async move { put(who, &file).await }
    });
    for answer in futures_util::future::join_all(all).await {
        answer.refused(503, "unavailable");
    }
    // Two at a time and two seconds for each would be thirty.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // The same file from many is stored by one after the other.
    let began = std::time::Instant::now();
    let all = (0..20).map(|n| {
        let (who, file) = (if n % 2 == 0 { &ann } else { &bob }, picture(1));
        async move { put(who, &file).await }
    });
    for answer in futures_util::future::join_all(all).await {
        answer.refused(503, "unavailable");
    }
    // Two seconds for each would be forty.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    store.feel(Mood::Well);
    put(&ann, &picture(1)).await.ok();
}
