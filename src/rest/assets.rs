//! The chat page and its files, embedded from `clients/web/`.
//!
//! Invariant: only files of the kinds named here leave the server; tests and notes beside them do not.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::RustEmbed;

use super::problem;

/// In debug builds read from disk at each request, so that editing the page needs no build.
#[derive(RustEmbed)]
#[folder = "clients/web/"]
struct Page;

/// The page itself.
pub(super) async fn index(headers: HeaderMap) -> Response {
    file("index.html", &headers).unwrap_or_else(problem::not_found)
}

/// A file of the page, by its path without the leading slash.
pub(super) fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let kind = content_type(path)?;
    let file = Page::get(path)?;
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]));
    // Kept, but asked for at each visit: a page of yesterday must not meet a server of today.
    let head = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if is_known(headers, &etag) {
        return Some((StatusCode::NOT_MODIFIED, head).into_response());
    }
    Some((head, [(header::CONTENT_TYPE, kind)], file.data).into_response())
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|one| matches!(one.trim(), "*") || one.trim().trim_start_matches("W/") == etag)
}

/// The kinds of files that are part of a page.
fn content_type(path: &str) -> Option<&'static str> {
    if path.starts_with("tests/") || path.starts_with("test/") || path.contains(".test.") {
        return None;
    }
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
