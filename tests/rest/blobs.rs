//! Who may read stored files, how, and for how long they stay.

use konvert_protocol::{ErrorCode, v1};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::{Answer, Api, until};
use crate::dialogs::{direct, group};
use crate::files::{hash, picture, put, read, upload};
use crate::server::{Server, Setup};
use crate::user::{self, User};

/// Sends files into a dialog.
async fn send(who: &Api, dialog: &str, blobs: &[&str]) -> Answer {
    who.post(&format!("/api/dialogs/{dialog}/messages"), json!({"text": "see", "blobs": blobs})).await
}

fn offset(sent: &Value) -> u64 {
    sent["position"]["offset"].as_u64().expect("an offset")
}

/// Waits until a file answers somebody like this.
async fn wait_for(who: &Api, hash: &str, status: u16) {
    until(&format!("{hash} is {status}"), || async { read(who, hash).await.0 == status }).await;
}

#[tokio::test]
async fn who_reads_what() {
    let mut server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let (carl, dora) = (Api::sign_up(&server, "carl").await, Api::sign_up(&server, "dora").await);
    let dialog = group(&ann, "Pictures", &[&bob, &carl]).await;
    let file = upload(&ann, &picture(1)).await;
    for (who, status) in [(&ann, 200), (&bob, 404), (&carl, 404), (&dora, 404)] {
        assert_eq!(read(who, &file).await.0, status);
    }
    // Nobody comes to a file by naming it.
    send(&bob, &dialog, &[&file]).await.refused(404, "not_found");
    send(&ann, &dialog, &[&file, &hash(b"nothing")]).await.refused(404, "not_found");
    bob.post("/api/dialogs", json!({"kind": "group", "title": "x", "avatar": file})).await.refused(404, "not_found");
    assert_eq!(read(&bob, &file).await.0, 404);

    let sent = offset(&send(&ann, &dialog, &[&file]).await.ok());
    for who in [&bob, &carl] {
        wait_for(who, &file, 200).await;
    }
    assert_eq!(read(&dora, &file).await.0, 404);
    dora.get(&format!("/api/blobs/{file}/info")).await.refused(404, "not_found");
    let head = Api::answer(dora.request(Method::HEAD, &format!("/api/blobs/{file}"))).await;
    assert_eq!(head.status, StatusCode::NOT_FOUND);

    // Who was removed reads it no more; who passed it on has passed it on.
    let elsewhere = direct(&bob, &dora).await;
    send(&bob, &elsewhere, &[&file]).await.ok();
    wait_for(&dora, &file, 200).await;
    ann.delete(&format!("/api/dialogs/{dialog}/members/{}", carl.user)).await.ok();
    assert_eq!(read(&carl, &file).await.0, 404);

    // What is erased is read by nobody any more who read it there; a crash in between changes nothing.
    let (erased, kept) = (picture(2), picture(3));
    let (erased, kept) = (upload(&ann, &erased).await, upload(&ann, &kept).await);
    let gone = offset(&send(&ann, &dialog, &[&erased]).await.ok());
    send(&ann, &dialog, &[&kept]).await.ok();
    server.kill().await;
    server.start_again().await;
    let again = |who: &Api| Api::new(&server).with_token(who.token());
    let (ann, bob) = (again(&ann), again(&bob));
    wait_for(&bob, &erased, 200).await;
    wait_for(&bob, &kept, 200).await;
    ann.delete(&format!("/api/dialogs/{dialog}/messages/{gone}")).await.ok();
    wait_for(&bob, &erased, 404).await;
    assert_eq!((read(&bob, &kept).await.0, read(&ann, &erased).await.0), (200, 200));
    // A message with everything that edits it.
    let (first, second) = (upload(&ann, &picture(4)).await, upload(&ann, &picture(5)).await);
    let edited = offset(&send(&ann, &dialog, &[&first]).await.ok());
    let edit = json!({"text": "this", "blobs": [second], "relation": {"kind": "edit", "offset": edited}});
    ann.post(&format!("/api/dialogs/{dialog}/messages"), edit).await.ok();
    wait_for(&bob, &second, 200).await;
    ann.delete(&format!("/api/dialogs/{dialog}/messages/{edited}")).await.ok();
    wait_for(&bob, &second, 404).await;
    assert!(sent < gone);
}

#[tokio::test]
async fn readers_of_rooms_by_token_read_what_is_named_there() {
    let server = Server::start().await;
    let token = |user: &str, allow: &str| user::token(&server, user, "team", allow);
    let api = |user: &str, allow: &str| Api::new(&server).with_token(&token(user, allow));
    let file = upload(&api("ann", user::ALL), &picture(1)).await;
    let mut ann = User::connect_with(&server, token("ann", user::ALL), konvert_protocol::Encoding::Json, vec![]).await;
    let mut mallory =
        User::connect_with(&server, token("mallory", user::ALL), konvert_protocol::Encoding::Json, vec![]).await;
    let naming = |id: &str| v1::Publish { blobs: vec![file.clone()], ..user::publish("team", id, "look") };
    assert!(user::is(&mallory.refused(naming("1")).await, ErrorCode::NotFound));
    ann.ask(naming("1")).await;
    wait_for(&api("bob", "read"), &file, 200).await;
    assert_eq!(read(&api("carl", "publish"), &file).await.0, 404);
    let elsewhere = Api::new(&server).with_token(&user::token(&server, "dora", "other", user::ALL));
    assert_eq!(read(&elsewhere, &file).await.0, 404);
    // Now mallory reads it, and so may name it.
    assert_eq!(
        user::offset(&match mallory.ask(naming("2")).await {
            v1::server_frame::Body::Published(published) => published,
            other => panic!("{other:?}"),
        }),
        2
    );
}

#[tokio::test]
async fn a_face_is_seen_by_those_who_see_whose_it_is() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let (face, text) = (upload(&ann, &picture(1)).await, upload(&ann, b"no picture").await);
    let dialog = group(&ann, "Faces", &[&bob]).await;
    let path = format!("/api/dialogs/{dialog}");
    ann.patch(&path, json!({"avatar": text})).await.refused(415, "type_not_allowed");
    ann.patch(&path, json!({"avatar": hash(b"nothing")})).await.refused(404, "not_found");
    assert_eq!(read(&bob, &face).await.0, 404);
    ann.patch(&path, json!({"avatar": face})).await.ok();
    let carl = Api::sign_up(&server, "carl").await;
    assert_eq!((read(&bob, &face).await.0, read(&carl, &face).await.0), (200, 404));
    ann.patch(&path, json!({"avatar": ""})).await.ok();
    assert_eq!(read(&bob, &face).await.0, 404);
}

#[tokio::test]
async fn a_file_is_read_in_stretches_and_runs_nowhere() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = picture(1);
    let name = upload(&ann, &file).await;
    let path = format!("/api/blobs/{name}");
    let ask = |method: Method, headers: &[(&str, &str)]| {
        let request =
            headers.iter().fold(ann.request(method, &path), |request, (name, value)| request.header(*name, *value));
        async { request.send().await.expect("an answer") }
    };
    let whole = ask(Method::GET, &[]).await;
    let etag = format!("\"{name}\"");
    for (header, value) in [
        ("etag", etag.as_str()),
        ("content-type", "image/png"),
        ("content-disposition", "inline"),
        ("cache-control", "private, max-age=31536000, immutable"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("content-length", "1016"),
    ] {
        assert_eq!(whole.headers()[header], value, "{header}");
    }
    assert_eq!(whole.bytes().await.expect("a body"), file);
    for (range, status, content_range, bytes) in [
        ("bytes=0-9", 206, "bytes 0-9/1016", &file[..10]),
        ("bytes=1000-", 206, "bytes 1000-1015/1016", &file[1_000..]),
        ("bytes=-1", 206, "bytes 1015-1015/1016", &file[1_015..]),
        ("bytes=1000-5000", 206, "bytes 1000-1015/1016", &file[1_000..]),
        ("bytes=0-1,5-6", 200, "", &file[..]),
        ("bytes=9-1", 200, "", &file[..]),
    ] {
        let answer = ask(Method::GET, &[("range", range)]).await;
        let found = answer.headers().get("content-range").map_or("", |value| value.to_str().expect("text"));
        assert_eq!((answer.status().as_u16(), found), (status, content_range), "{range}");
        assert_eq!(answer.bytes().await.expect("a body"), bytes, "{range}");
    }
    let beyond = Api::answer(ann.request(Method::GET, &path).header("range", "bytes=1016-")).await;
    assert_eq!(beyond.headers["content-range"], "bytes */1016");
    beyond.refused(416, "no_such_range");
    for (headers, status) in [
        (&[("if-none-match", etag.as_str())][..], 304),
        (&[("if-none-match", "\"other\"")], 200),
        (&[("if-range", etag.as_str()), ("range", "bytes=0-0")], 206),
        (&[("if-range", "\"other\""), ("range", "bytes=0-0")], 200),
        (&[("if-range", "Sat, 21 Nov 2026 10:00:00 GMT"), ("range", "bytes=0-0")], 200),
    ] {
        assert_eq!(ask(Method::GET, headers).await.status().as_u16(), status, "{headers:?}");
        let head = ask(Method::HEAD, headers).await;
        assert_eq!(head.status().as_u16(), status, "{headers:?}");
        assert!(head.bytes().await.expect("no body").is_empty());
    }
    let text = put(&ann, b"no page, a text").await.ok();
    let answer = ann.request(Method::GET, &format!("/api/blobs/{}", text["id"].as_str().expect("an id")));
    let answer = answer.send().await.expect("an answer");
    assert_eq!(
        (&answer.headers()["content-disposition"], text["type"].as_str()),
        (&"attachment".parse().expect("text"), Some("text/plain"))
    );
}

#[tokio::test]
async fn what_nothing_names_goes_and_what_is_named_stays() {
    let server = Setup::default().set("blobs.unreferenced_s", 2).start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let dialog = group(&ann, "Pictures", &[&bob]).await;
    // Each is named as soon as it is there: what is not named for two seconds may be gone.
    let named = upload(&ann, &picture(1)).await;
    send(&ann, &dialog, &[&named]).await.ok();
    let erased = upload(&ann, &picture(2)).await;
    let gone = offset(&send(&ann, &dialog, &[&erased]).await.ok());
    let face = upload(&ann, &picture(3)).await;
    ann.patch(&format!("/api/dialogs/{dialog}"), json!({"avatar": face})).await.ok();
    let loose = upload(&ann, &picture(0)).await;
    wait_for(&ann, &loose, 404).await;
    ann.delete(&format!("/api/dialogs/{dialog}/messages/{gone}")).await.ok();
    wait_for(&ann, &erased, 404).await;
    for name in [&named, &face] {
        assert_eq!((read(&ann, name).await.0, read(&bob, name).await.0), (200, 200));
    }
    // It is out of sight before its bytes are, and counts until they are gone.
    let used = || async { ann.get("/api/user-limits").await.ok()["limits"][2].clone() };
    until("two are counted", || async { used().await["used"] == 2 * 1_016 }).await;
    assert_eq!(used().await["kind"], "storage_bytes");
    // What went can come again, and what was said before does not show it.
    send(&ann, &dialog, &[&loose]).await.refused(404, "not_found");
    assert_eq!(upload(&ann, &picture(0)).await, loose);
    assert_eq!((read(&ann, &loose).await.0, read(&bob, &loose).await.0), (200, 404));
    // With the dialog goes what was in it.
    ann.delete(&format!("/api/dialogs/{dialog}")).await.ok();
    wait_for(&ann, &named, 404).await;
    wait_for(&ann, &face, 404).await;
}
