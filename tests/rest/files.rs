//! Uploading and reading files as a program does.

#![allow(dead_code, reason = "each module uses its own part")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use konvert_protocol::blob_name;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::api::{Answer, Api};

/// A picture, as far as anybody looks.
pub fn picture(salt: u8) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[salt; 1_000]].concat()
}

/// Under what these bytes are stored.
pub fn hash(bytes: &[u8]) -> String {
    blob_name(&Sha256::digest(bytes).into())
}

/// A request of tus.
pub fn tus(who: &Api, method: Method, path: &str) -> reqwest::RequestBuilder {
    who.request(method, path).header("tus-resumable", "1.0.0")
}

/// Announces a file; where its bytes go.
pub async fn begin(who: &Api, size: usize, metadata: &[(&str, &str)]) -> Answer {
    let pair = |(key, value): &(&str, &str)| format!("{key} {}", STANDARD.encode(value));
    let metadata: Vec<_> = metadata.iter().map(pair).collect();
    let request = tus(who, Method::POST, "/api/blobs").header("upload-length", size);
    Api::answer(request.header("upload-metadata", metadata.join(","))).await
}

/// Where the bytes of an upload go.
pub fn location(begun: &Answer) -> String {
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
    begun.headers["location"].to_str().expect("a path").to_owned()
}

/// Adds bytes.
pub async fn add(who: &Api, location: &str, offset: usize, bytes: &[u8]) -> Answer {
    Api::answer(piece(who, location, offset, bytes)).await
}

/// The request that adds bytes.
pub fn piece(who: &Api, location: &str, offset: usize, bytes: &[u8]) -> reqwest::RequestBuilder {
    let request = tus(who, Method::PATCH, location).header("content-type", "application/offset+octet-stream");
    request.header("upload-offset", offset).body(bytes.to_vec())
}

/// How much has arrived; `None` when there is no such upload.
pub async fn arrived(who: &Api, location: &str) -> Option<u64> {
    let answer = Api::answer(tus(who, Method::HEAD, location)).await;
    (answer.status == StatusCode::OK).then(|| number(&answer, "upload-offset"))
}

pub fn number(answer: &Answer, header: &str) -> u64 {
    answer.headers[header].to_str().expect("text").parse().expect("a number")
}

/// Uploads a file by tus, in two pieces; its hash.
pub async fn upload(who: &Api, bytes: &[u8]) -> String {
    let location = location(&begin(who, bytes.len(), &[("filename", "a.png")]).await);
    let half = bytes.len() / 2;
    let first = add(who, &location, 0, &bytes[..half]).await;
    assert_eq!((first.status, number(&first, "upload-offset")), (StatusCode::NO_CONTENT, half as u64));
    let last = add(who, &location, half, &bytes[half..]).await;
    assert_eq!(last.status, StatusCode::NO_CONTENT, "{}", last.body);
    let hash = last.headers["konvert-blob"].to_str().expect("a hash").to_owned();
    assert_eq!(hash, self::hash(bytes));
    hash
}

/// Uploads a file in one request.
pub async fn put(who: &Api, bytes: &[u8]) -> Answer {
    Api::answer(who.request(Method::PUT, &format!("/api/blobs/{}", hash(bytes))).body(bytes.to_vec())).await
}

/// Status and bytes of a file.
pub async fn read(who: &Api, hash: &str) -> (u16, Vec<u8>) {
    let response = who.request(Method::GET, &format!("/api/blobs/{hash}")).send().await.expect("an answer");
    (response.status().as_u16(), response.bytes().await.expect("a body").to_vec())
}
