//! The chat app, embedded as it was built into `clients/web/dist/`.
//!
//! Owns which file answers a path, in which encoding, and how long it may be kept. Invariants: only files of the kinds
//! named here leave the server; what is kept for ever has a name made of its content; every address of the app answers
//! the app, every other one that is no file answers nothing.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem;

/// In debug builds read from disk at each request, so that a rebuilt app needs no build of the server.
#[derive(RustEmbed)]
#[folder = "clients/web/dist/"]
struct App;

/// The first segments of the app's own addresses: `clients/web/src/router.ts`.
const ROUTES: [&str; 6] = ["contacts", "d", "door", "invite", "room", "settings"];
/// Where the build puts files that are named by their content.
const BY_CONTENT: &str = "assets/";

/// The app at its first address.
pub(super) async fn index(headers: HeaderMap) -> Response {
    file("index.html", &headers).unwrap_or_else(problem::not_found)
}

/// What answers a path, given without the leading slash.
pub(super) fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let path = if is_route(path) { "index.html" } else { path };
    let kind = content_type(path)?;
    let file = App::get(path)?;
    let (file, encoding) = compressed(path, headers).map_or((file, None), |(file, name)| (file, Some(name)));
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]));
    // All else is kept as well, but asked for at each visit: an app of yesterday must not meet a server of today.
    let keeping = if path.starts_with(BY_CONTENT) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let head = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, keeping.to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if is_known(headers, &etag) {
        return Some((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let mut response = (head, [(header::CONTENT_TYPE, kind)], file.data).into_response();
    if let Some(name) = encoding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    Some(response)
}

fn is_route(path: &str) -> bool {
    ROUTES.contains(&path.split('/').next().unwrap_or_default())
}

/// The file as the build compressed it, if it did and the asker takes it; the smaller encoding first.
fn compressed(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, &'static str)> {
    let mut taken = [("br", ".br"), ("gzip", ".gz")].into_iter().filter(|(name, _)| accepts(headers, name));
    taken.find_map(|(name, ending)| Some((App::get(&format!("{path}{ending}"))?, name)))
}

/// Whether an encoding is among those accepted, and not with the weight of zero, which refuses it.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_named && weight.unwrap_or(1.0) > 0.0
    })
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|one| matches!(one.trim(), "*") || one.trim().trim_start_matches("W/") == etag)
}

/// The kinds of files that are part of the app.
fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
