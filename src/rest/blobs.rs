//! Stored files: `/api/blobs/{hash}`. How they come here is in `uploads.rs`.
//!
//! Invariant: a browser that is led here runs nothing: what it may show are pictures, sounds and films, everything else
//! is saved, its type is not guessed, and the page that it would be is in a sandbox.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use konvert_protocol::ErrorCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::ranges::{Wanted, wanted};
use super::request::{InRooms, Path};
use super::uploads::length;
use crate::service::{BlobInfo, ServiceError};

/// Longest file that comes in one request, bytes.
const PUT_BYTES_MAX: u64 = 8 << 20;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(read, read_head, put)).routes(routes!(info))
}

/// The bytes of a file, or one stretch of them (`Range: bytes=…`). Whoever may not read it sees a file that is not there.
#[utoipa::path(get, path = "/api/blobs/{hash}", tag = "blobs", params(("hash" = String, Path)), responses(
    (status = 200, content_type = "*/*"), (status = 206), (status = 304), (status = "4XX", body = Problem)))]
async fn read(
    state: State<RestState>,
    InRooms(caller): InRooms,
    Path(hash): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    let State(state) = state;
    let blob = state.service.blob(&caller, &hash).await?;
    let etag = format!("\"{}\"", blob.id);
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let is_it = |tag: &str| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag;
    let about = about(&blob, &etag);
    if said(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(is_it)) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    // A date cannot say whether it is the same file, so that everything is sent.
    let range = said(header::RANGE).filter(|_| said(header::IF_RANGE).is_none_or(|tag| tag.trim() == etag));
    let size = blob.size_bytes;
    let (status, range) = match wanted(range, size) {
        Wanted::Whole => (StatusCode::OK, 0..size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Nothing => {
            let there = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((there, ServiceError::from(ErrorCode::NoSuchRange)).into_response());
        }
    };
    let mut response =
        (status, about, [(header::CONTENT_LENGTH, (range.end - range.start).to_string())]).into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let stretch = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        response.headers_mut().extend(stretch.parse().map(|stretch| (header::CONTENT_RANGE, stretch)));
    }
    if method == Method::HEAD {
        state.service.has_blob_bytes(&blob).await?;
    } else {
        *response.body_mut() = Body::from_stream(state.service.blob_bytes(&blob, range).await?);
    }
    Ok(response)
}

/// The same without the bytes.
#[utoipa::path(head, path = "/api/blobs/{hash}", tag = "blobs", params(("hash" = String, Path)), responses(
    (status = 200), (status = 206), (status = 304), (status = "4XX")))]
async fn read_head(
    state: State<RestState>,
    InRooms(caller): InRooms,
    Path(hash): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    read(state, InRooms(caller), Path(hash), method, headers).await
}

/// Stores a file of at most 8 MiB in one request. Its SHA-256 is known before.
#[utoipa::path(put, path = "/api/blobs/{hash}", tag = "blobs", params(("hash" = String, Path)),
    request_body(content_type = "application/octet-stream"), responses(
    (status = 201, body = BlobInfo), (status = "4XX", body = Problem)))]
async fn put(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(hash): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<BlobInfo>), ServiceError> {
    let size_bytes = length(&headers, &header::CONTENT_LENGTH)?;
    if size_bytes > PUT_BYTES_MAX {
        let text = format!("In one request a file has at most {PUT_BYTES_MAX} bytes; upload it in pieces.");
        return Err(ServiceError::because(ErrorCode::BodyTooLarge, text));
    }
    let blob = state.service.put_blob(&caller, hash, size_bytes, body.into_data_stream()).await?;
    Ok((StatusCode::CREATED, axum::Json(blob)))
}

/// What is known of a file.
#[utoipa::path(get, path = "/api/blobs/{hash}/info", tag = "blobs", params(("hash" = String, Path)), responses(
    (status = 200, body = BlobInfo), (status = "4XX", body = Problem)))]
async fn info(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(hash): Path<String>,
) -> Result<axum::Json<BlobInfo>, ServiceError> {
    state.service.blob(&caller, &hash).await.map(axum::Json)
}

fn about(blob: &BlobInfo, etag: &str) -> [(header::HeaderName, String); 7] {
    let disposition = if blob.is_shown { "inline" } else { "attachment" };
    let (kind, policy) = (blob.kind.clone(), "default-src 'none'; sandbox");
    [
        (header::ETAG, etag.to_owned()),
        (header::CONTENT_TYPE, if kind == "text/plain" { format!("{kind}; charset=utf-8") } else { kind }),
        (header::CONTENT_DISPOSITION, disposition.to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // It never changes, and it is for whoever asked only.
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable".to_owned()),
        (header::VARY, "authorization".to_owned()),
    ]
}
