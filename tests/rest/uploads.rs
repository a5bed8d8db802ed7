//! Uploads from outside: resumed, broken off, killed, refused.

use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::api::{Answer, Api, until};
use crate::files::{add, arrived, begin, hash, location, number, picture, piece, put, read, tus, upload};
use crate::forms::Database;
use crate::server::{Server, Setup};

/// Sends the beginning of a piece over a connection of its own, which is given back open.
async fn send_a_part(server: &Server, who: &Api, location: &str, all: usize, part: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).await.expect("a connection");
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n\
         content-type: application/offset+octet-stream\r\ncontent-length: {all}\r\n\r\n",
        who.token()
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    socket.write_all(part).await.expect("sent");
    socket
}

/// Waits until at least this much of an upload is there.
async fn wait_for(who: &Api, location: &str, least: u64) -> u64 {
    let there = || async { arrived(who, location).await.unwrap_or_default() };
    until(&format!("{least} bytes arrive"), || async { there().await >= least }).await;
    there().await
}

/// Adds the rest. What an earlier request still writes shows as a conflict; then it goes on from there.
async fn finish(who: &Api, location: &str, mut from: usize, file: &[u8]) -> Answer {
    loop {
        let answer = add(who, location, from, &file[from..]).await;
        match answer.status {
            StatusCode::CONFLICT => from = arrived(who, location).await.expect("the upload") as usize,
            _ => return answer,
        }
    }
}

/// Files below a directory.
fn count(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u8).collect()
}

#[tokio::test]
async fn an_upload_goes_on_after_a_kill_and_after_a_break() {
    let mut server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = noise(10_000_000);
    let begun = begin(&ann, file.len(), &[("filename", "nöise.bin"), ("sha256", &hash(&file))]).await;
    let location = location(&begun);
    assert!(begun.headers.contains_key("upload-expires"));

    let socket = send_a_part(&server, &ann, &location, file.len(), &file[..3_000_000]).await;
    wait_for(&ann, &location, 2_000_000).await;
    server.kill().await;
    drop(socket);
    server.start_again().await;
    let ann = Api::new(&server).with_token(ann.token());
    let there = arrived(&ann, &location).await.expect("the upload") as usize;
    assert!((2_000_000..=3_000_000).contains(&there), "{there}");

    // The next connection breaks: what arrived stays.
    let mut stream = ann.request(Method::PATCH, &location);
    let part = bytes::Bytes::copy_from_slice(&file[there..there + 1_000_000]);
    let parts = futures_util::stream::iter([Ok(part), Err(std::io::Error::other("the line is cut"))]);
    stream = stream.header("tus-resumable", "1.0.0").header("content-type", "application/offset+octet-stream");
    stream = stream.header("upload-offset", there).body(reqwest::Body::wrap_stream(parts));
    stream.send().await.expect_err("the line is cut");
    let now = wait_for(&ann, &location, there as u64 + 1).await as usize;
    assert!(now <= there + 1_000_000);

    let last = finish(&ann, &location, now, &file).await;
    assert_eq!(last.status, StatusCode::NO_CONTENT, "{}", last.body);
    assert_eq!(last.headers["konvert-blob"], hash(&file).as_str());
    assert_eq!(read(&ann, &hash(&file)).await, (200, file.clone()));
    let info = ann.get(&format!("/api/blobs/{}/info", hash(&file))).await.ok();
    assert_eq!((info["id"].as_str(), info["size_bytes"].as_u64()), (Some(&*hash(&file)), Some(10_000_000)));
    assert_eq!(info["type"], "application/octet-stream");
    // Who missed the last answer finds it here.
    let head = Api::answer(tus(&ann, Method::HEAD, &location)).await;
    assert_eq!(
        (&head.headers["konvert-blob"], number(&head, "upload-offset")),
        (&last.headers["konvert-blob"], 10_000_000)
    );
    assert!(head.headers.contains_key("upload-metadata") && head.headers["cache-control"] == "no-store");
}

#[tokio::test]
async fn who_comes_later_takes_the_upload_over() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = noise(2_000_000);
    let location = location(&begin(&ann, file.len(), &[]).await);
    // This one never ends, and never says that it has.
    let _silent = send_a_part(&server, &ann, &location, file.len(), &file[..1_000_000]).await;
    let there = wait_for(&ann, &location, 500_000).await as usize;
    let last = finish(&ann, &location, there, &file).await;
    assert_eq!(last.headers["konvert-blob"], hash(&file).as_str());
}

#[tokio::test]
async fn one_content_is_one_object_and_each_sees_their_own() {
    let server = Server::start().await;
    let (ann, bob) = (Api::sign_up(&server, "ann").await, Api::sign_up(&server, "bob").await);
    let file = picture(1);
    let (first, second) = tokio::join!(upload(&ann, &file), upload(&bob, &file));
    assert_eq!(first, second);
    assert_eq!(put(&ann, &file).await.ok()["type"], "image/png");
    let data = server.data();
    assert_eq!((count(&data.join("blobs/objects")), count(&data.join("blobs/staging"))), (1, 0));
    for who in [&ann, &bob] {
        assert_eq!(read(who, &first).await, (200, file.clone()));
    }
    let stranger = Api::sign_up(&server, "carl").await;
    assert_eq!(read(&stranger, &first).await.0, 404);
    let location = location(&begin(&ann, 10, &[]).await);
    add(&stranger, &location, 0, b"0123456789").await.refused(404, "not_found");
    Api::answer(tus(&stranger, Method::DELETE, &location)).await.refused(404, "not_found");
    assert_eq!((arrived(&stranger, &location).await, arrived(&ann, &location).await), (None, Some(0)));
    assert_eq!(Api::answer(tus(&ann, Method::DELETE, &location)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(arrived(&ann, &location).await, None);
    assert_eq!(count(&data.join("blobs/staging")), 0);
}

#[tokio::test]
async fn pieces_that_do_not_fit_change_nothing() {
    let server = Setup::default().set("blobs.size_bytes_max", 1_000_000).set("blobs.uploads_per_user", 2).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = picture(2);
    begin(&ann, 1_000_001, &[]).await.refused(413, "body_too_large");
    begin(&ann, 0, &[]).await.refused(400, "bad_request");
    begin(&ann, 5, &[("sha256", "zz")]).await.refused(400, "bad_request");
    let location = location(&begin(&ann, file.len(), &[]).await);
    for (offset, bytes, status, name) in [
        (1, &b"x"[..], 409, "offset_mismatch"),
        (usize::MAX, b"x", 409, "offset_mismatch"),
        (0, &[0; 2_000], 413, "body_too_large"),
    ] {
        add(&ann, &location, offset, bytes).await.refused(status, name);
    }
    // Without its length said before.
    let parts = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![0; 1_000]), Ok(vec![0; 1_000])]);
    let body = reqwest::Body::wrap_stream(parts);
    Api::answer(piece(&ann, &location, 0, b"").body(body)).await.refused(413, "body_too_large");
    let wrong = format!("sha256 {}", STANDARD.encode(Sha256::digest(b"something else")));
    let damaged = piece(&ann, &location, 0, &file[..500]).header("upload-checksum", wrong);
    Api::answer(damaged).await.refused(460, "piece_damaged");
    for (header, value, status, name) in
        [("upload-checksum", "md5 AAAA", 400, "bad_request"), ("upload-checksum", "sha256 AAAA", 400, "bad_request")]
    {
        Api::answer(piece(&ann, &location, 0, b"x").header(header, value)).await.refused(status, name);
    }
    let raw = || ann.request(Method::PATCH, &location).body("x");
    Api::answer(raw().header("upload-offset", 0)).await.refused(412, "upload_version");
    let spoken = || raw().header("tus-resumable", "1.0.0");
    Api::answer(spoken().header("upload-offset", 0)).await.refused(415, "unsupported_type");
    let typed = || spoken().header("content-type", "application/offset+octet-stream");
    Api::answer(typed()).await.refused(400, "bad_request");
    for offset in ["-1", "+0", "0x0", "1e3", "99999999999999999999999"] {
        Api::answer(typed().header("upload-offset", offset)).await.refused(400, "bad_request");
    }
    for length in ["-1", "", "ten", "99999999999999999999999"] {
        let request = tus(&ann, Method::POST, "/api/blobs").header("upload-length", length);
        Api::answer(request).await.refused(400, "bad_request");
    }
    let request = tus(&ann, Method::POST, "/api/blobs").header("upload-length", 5);
    Api::answer(request.header("upload-metadata", "a b c")).await.refused(400, "bad_request");
    assert_eq!(arrived(&ann, &location).await, Some(0));
    assert_eq!(count(&server.data().join("blobs/staging")), 1);

    // Two may be under way, and no more.
    begin(&ann, 5, &[]).await;
    begin(&ann, 5, &[]).await.refused(429, "rate_limited");
    let right = format!("sha256 {}", STANDARD.encode(Sha256::digest(&file)));
    let whole = Api::answer(piece(&ann, &location, 0, &file).header("upload-checksum", right)).await;
    assert_eq!(whole.headers["konvert-blob"], hash(&file).as_str());
}

#[tokio::test]
async fn what_a_file_is_shows_in_its_bytes() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    for file in
        [&b"\x7fELF\x02\x01\x01"[..], b"#!/bin/sh\nrm -rf /", b"<html><script>1</script>", b"<svg onload='x()'/>"]
    {
        put(&ann, file).await.refused(415, "type_not_allowed");
        let disguise = [("filename", "holiday.png"), ("filetype", "image/png")];
        let location = location(&begin(&ann, file.len(), &disguise).await);
        add(&ann, &location, 0, file).await.refused(415, "type_not_allowed");
        assert_eq!((arrived(&ann, &location).await, read(&ann, &hash(file)).await.0), (None, 404));
    }
    let location = location(&begin(&ann, 5, &[("sha256", &hash(b"other"))]).await);
    add(&ann, &location, 0, b"bytes").await.refused(422, "hash_mismatch");
    assert_eq!(arrived(&ann, &location).await, None);
    let request = ann.request(Method::PUT, &format!("/api/blobs/{}", hash(b"other"))).body("bytes");
    Api::answer(request).await.refused(422, "hash_mismatch");
    let data = server.data();
    assert_eq!((count(&data.join("blobs/objects")), count(&data.join("blobs/staging"))), (0, 0));
}

#[tokio::test]
async fn no_name_leads_out_of_the_store() {
    let server = Server::start().await;
    let ann = Api::sign_up(&server, "ann").await;
    for name in ["..%2f..%2fsecret", "%2e%2e", "secret", "%00", "%ff", &"A".repeat(64), &"a".repeat(63), &"/".repeat(9)]
    {
        for path in [format!("/api/blobs/{name}"), format!("/api/blobs/{name}/info")] {
            ann.get(&path).await.refused(404, "not_found");
        }
        let path = format!("/api/blobs/uploads/{name}");
        for method in [Method::PATCH, Method::DELETE] {
            let request = tus(&ann, method, &path).header("content-type", "application/offset+octet-stream");
            Api::answer(request.header("upload-offset", 0).body("x")).await.refused(404, "not_found");
        }
    }
    let location = location(&begin(&ann, 4, &[("filename", "../../../../../../tmp/konvert-was-here")]).await);
    add(&ann, &location, 0, b"here").await.ok();
    assert!(!Path::new("/tmp/konvert-was-here").exists());
    let nobody = Api::new(&server);
    nobody.get(&format!("/api/blobs/{}", hash(b"here"))).await.refused(401, "unauthorized");
    begin(&nobody, 5, &[]).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn what_is_not_finished_in_time_is_given_up() {
    // Looked through every second.
    let server = Setup::default().set("blobs.upload_expires_s", 3_600).set("blobs.unreferenced_s", 2).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let before = SystemTime::now();
    let begun = begin(&ann, 10, &[]).await;
    let end = httpdate::parse_http_date(begun.headers["upload-expires"].to_str().expect("text")).expect("a date");
    let held = end.duration_since(before).expect("it is later").as_secs();
    assert!((3_598..=3_600 + before.elapsed().expect("time goes by").as_secs()).contains(&held), "{held} s");
    let location = location(&begun);
    add(&ann, &location, 0, b"12345").await;
    let staging = server.data().join("blobs/staging");
    assert_eq!(count(&staging), 1);
    // As if its hour were over.
    let mut database = Database::open(&server.directory_url()).await;
    database.run("UPDATE uploads SET expires_ms = 1").await.expect("the row is there");
    database.close().await;
    until("nothing of it is left", || async { count(&staging) == 0 }).await;
    add(&ann, &location, 5, b"67890").await.refused(404, "not_found");
}

#[tokio::test]
async fn what_is_spoken_is_told_and_a_full_disk_says_so() {
    let server = Server::start().await;
    let options = Api::answer(Api::new(&server).request(Method::OPTIONS, "/api/blobs")).await;
    assert_eq!((options.status, number(&options, "tus-max-size")), (StatusCode::NO_CONTENT, 100 << 20));
    assert_eq!(options.headers["tus-extension"], "creation,checksum,expiration,termination");
    // Less stays free for the journal than this, and then it takes no messages either.
    let server = Setup::default().set("journal.free_bytes_min", 1_u64 << 40).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    begin(&ann, 10, &[]).await.refused(503, "read_only");
    put(&ann, &picture(1)).await.refused(503, "read_only");
    assert_eq!(count(&server.data().join("blobs")), 0);
}

/// A page of another origin uploads as tus has it: it may send every header that it needs and read every one.
#[tokio::test]
async fn pages_elsewhere_upload_and_read_what_they_are_told() {
    const ORIGIN: &str = "https://app.example";
    let server = Setup::default().set("gateway.origins", format!("[{ORIGIN:?}]")).start().await;
    let ann = Api::sign_up(&server, "ann").await;
    let file = picture(1);
    let needed = "authorization,content-type,tus-resumable,upload-checksum,upload-length,upload-metadata,upload-offset";
    for (path, method) in [
        ("/api/blobs", "POST"),
        ("/api/blobs/uploads/x", "PATCH"),
        ("/api/blobs/uploads/x", "HEAD"),
        ("/api/blobs/uploads/x", "DELETE"),
        ("/api/blobs/x", "PUT"),
        ("/api/blobs/x", "GET"),
    ] {
        let asks = Api::new(&server).request(Method::OPTIONS, path).header("origin", ORIGIN);
        let asks = asks.header("access-control-request-method", method);
        let told = Api::answer(asks.header("access-control-request-headers", needed)).await;
        assert_eq!(told.status, StatusCode::NO_CONTENT, "{method} {path}");
        assert_eq!(told.headers["access-control-allow-origin"], ORIGIN);
        assert_eq!(told.headers["access-control-allow-headers"], needed);
        let methods = told.headers["access-control-allow-methods"].to_str().expect("text");
        assert!(methods.split(", ").any(|allowed| allowed == method), "{method} is not in {methods}");
    }

    let tus = |method: Method, path: &str| tus(&ann, method, path).header("origin", ORIGIN);
    let readable = |answer: &Answer, names: &[&str]| {
        assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
        let exposed = answer.headers["access-control-expose-headers"].to_str().expect("text").to_owned();
        for name in names {
            assert!(answer.headers.contains_key(*name), "{name} is not told: {:?}", answer.headers);
            // For requests without cookies, which are all that are answered here, `*` is every header.
            assert!(exposed == "*" || exposed.split(", ").any(|exposed| exposed == *name), "{name}: {exposed}");
        }
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    };
    let begun = Api::answer(tus(Method::POST, "/api/blobs").header("upload-length", file.len())).await;
    readable(&begun, &["location", "upload-expires", "tus-resumable"]);
    let location = location(&begun);
    let piece = |offset: usize| {
        let piece = tus(Method::PATCH, &location).header("content-type", "application/offset+octet-stream");
        piece.header("upload-offset", offset).body(file[offset..].to_vec())
    };
    let conflict = Api::answer(piece(1)).await;
    readable(&conflict, &["tus-resumable"]);
    conflict.refused(409, "offset_mismatch");
    let stand = Api::answer(tus(Method::HEAD, &location)).await;
    readable(&stand, &["upload-offset", "upload-length", "upload-expires", "tus-resumable"]);
    let last = Api::answer(piece(0)).await;
    readable(&last, &["upload-offset", "konvert-blob", "tus-resumable"]);
    let path = format!("/api/blobs/{}", hash(&file));
    let part = Api::answer(tus(Method::GET, &path).header("range", "bytes=0-9")).await;
    readable(&part, &["etag", "content-range", "accept-ranges", "content-length"]);
    let spoken = Api::answer(tus(Method::OPTIONS, "/api/blobs")).await;
    readable(&spoken, &["tus-version", "tus-extension", "tus-max-size", "tus-checksum-algorithm"]);
    // When to try again is readable too.
    let empty = Setup::default().set("gateway.origins", format!("[{ORIGIN:?}]")).set("blobs.uploads_per_user", 1);
    let server = empty.start().await;
    let ann = Api::sign_up(&server, "ann").await;
    for _ in 0..2 {
        let begins = crate::files::tus(&ann, Method::POST, "/api/blobs").header("origin", ORIGIN);
        let answer = Api::answer(begins.header("upload-length", 9)).await;
        if answer.status != StatusCode::CREATED {
            readable(&answer, &["retry-after"]);
            answer.refused(429, "rate_limited");
            return;
        }
    }
    panic!("two uploads were begun");
}
